"""A separate penalty for each class, around classifiers that have only one for all."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skbamm.versioned import Versioned


class ClassPenalty(Versioned, OneVsRestClassifier):
    """Fit a model for each class against the rest, each with its own penalty.

    Parameters
    ----------
    estimator : estimator
        A classifier with a penalty: its ``alpha`` is multiplied by the factors, or its ``C``
        divided by them.
    penalty_factor : array-like of shape (n_classes,), default=None
        Positive factors, in the order of the sorted labels. None stands for ones.
    n_jobs : int, default=None
        Processes that fit classes.
    verbose : int, default=0
        As for :class:`sklearn.multiclass.OneVsRestClassifier`.

    Attributes
    ----------
    estimators_ : list of estimator
        One a class.
    classes_ : ndarray of shape (n_classes,)
    label_binarizer_ : LabelBinarizer
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbamm import ClassPenalty
    >>> X, y = load_iris(return_X_y=True)
    >>> model = ClassPenalty(LogisticRegression(C=1.0), penalty_factor=[0.1, 1, 10]).fit(X, y)
    >>> [one.C for one in model.estimators_]
    [10.0, 1.0, 0.1]
    """

    def __init__(
        self,
        estimator: Any,
        penalty_factor: Any = None,
        *,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        super().__init__(estimator, n_jobs=n_jobs, verbose=verbose)
        self.penalty_factor = penalty_factor

    def fit(self, X, y):
        """Fit the models.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,)
            Labels; of two classes there is one model, and one factor.

        Returns
        -------
        ClassPenalty
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If y has one class, if the estimator has no penalty, or if there is not one
            positive factor for each model.
        """
        self._validate_params()
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if len(np.unique(y)) == 1:
            raise ValueError(f"y must have at least two classes, got one class: {y[0]!r}.")
        if self.penalty_factor is None:
            return super().fit(X, y)
        name, inverse = penalty_parameter(self.estimator)
        self.label_binarizer_ = LabelBinarizer(sparse_output=True)
        columns = self.label_binarizer_.fit_transform(y).tocsc()
        self.classes_ = self.label_binarizer_.classes_
        factor = np.asarray(self.penalty_factor, dtype=float)
        if factor.shape != (columns.shape[1],):
            raise ValueError(
                f"penalty_factor must have one entry for each of the {columns.shape[1]} models, "
                f"got shape {factor.shape}."
            )
        if not (np.isfinite(factor) & (factor > 0)).all():
            raise ValueError(f"penalty_factor must be positive and finite, got {factor}.")
        value = getattr(self.estimator, name)
        values = (value / factor if inverse else value * factor).tolist()
        self.estimators_ = Parallel(n_jobs=self.n_jobs, verbose=self.verbose)(
            delayed(_fit)(self.estimator, name, one, X, columns[:, [k]].toarray().ravel())
            for k, one in enumerate(values)
        )
        for memory in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimators_[0], memory):
                setattr(self, memory, getattr(self.estimators_[0], memory))
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = tags.target_tags.multi_output = False
        return tags


def penalty_parameter(estimator: Any) -> tuple[str, bool]:
    """Return which parameter scales an estimator's penalty, and whether a larger one is weaker.

    Raises
    ------
    ValueError
        If it has neither ``alpha`` nor ``C``.
    """
    for name, inverse in (("alpha", False), ("C", True)):
        if hasattr(estimator, name):
            return name, inverse
    kind = type(estimator).__name__
    raise ValueError(f"estimator must have a parameter alpha or C, but {kind} has neither.")


def _fit(estimator, name, value, X, y):
    return clone(estimator).set_params(**{name: value}).fit(X, y)
