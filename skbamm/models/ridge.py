"""Ridge and RidgeClassifier."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight

from skbamm._sklearn_compat import set_classes
from skbamm.criteria import ABSOLUTE, BALANCED_SQUARED, BOUNDED_SQUARED, SQUARED
from skbamm.glm.penalties import NonNegative
from skbamm.losses import HalfSquaredLoss
from skbamm.models.base import (
    Factors,
    LinearTwin,
    NotApplicable,
    Task,
    balanced_or_given,
    class_indices,
    label_indicators,
    numeric_target,
)


class RidgeTwin(LinearTwin):
    """``sum of squared errors + alpha ||w||^2``; the intercept is free."""

    estimator_type = Ridge
    judges_labels = True
    finds_minima = True

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.positive and estimator.solver not in ("auto", "lbfgs"):
            return f"solver={estimator.solver!r} is not supported with positive=True"
        if estimator.solver == "lbfgs" and not estimator.positive:
            return "solver='lbfgs' is for positive=True"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``: the coefficients may have to be positive."""
        if not estimator.positive:
            return self
        twin = copy.copy(self)
        # L-BFGS ends where no entry of the projected gradient is larger than ``tol``.
        twin.kinks, twin.finds_minima = NonNegative, False
        return twin

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        _check_sparse_solver(estimator, sparse)
        target = numeric_target(y)
        outputs = 1 if target.ndim == 1 else target.shape[1]
        return Task(
            target=target,
            loss=HalfSquaredLoss(outputs),
            fit_intercept=estimator.fit_intercept,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE, *(BOUNDED_SQUARED if outputs == 1 else ())),
            solver=_named_solver(estimator, sparse),
        )

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        return Factors(values["alpha"])

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        if task.fit_intercept:
            intercept = intercept[0] if task.target.ndim == 1 else intercept
        _give(estimator, task, coef, intercept)


class RidgeClassifierTwin(RidgeTwin):
    """Ridge on targets of -1 and 1, one output a class if there are more than two."""

    estimator_type = RidgeClassifier
    judges_labels = False

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        _check_sparse_solver(estimator, sparse)
        found = label_indicators(y)
        if found is not None:
            return self._task_of_labels(estimator, y, *found, sparse)
        classes, index = class_indices(y)
        target = np.where(index[:, None] == np.arange(len(classes)), 1.0, -1.0)
        class_weight = None
        if estimator.class_weight:
            # Unlike LogisticRegression, RidgeClassifier balances without the sample weights.
            class_weight = balanced_or_given(estimator.class_weight, classes, classes[index], None)
        return Task(
            target=target[:, 1] if len(classes) == 2 else target,
            loss=HalfSquaredLoss(1 if len(classes) == 2 else len(classes)),
            fit_intercept=estimator.fit_intercept,
            criterion="squared_error",
            criteria=(*SQUARED, *BALANCED_SQUARED),
            classes=classes,
            row_class=index,
            class_weight=class_weight,
            solver=_named_solver(estimator, sparse),
        )

    def _task_of_labels(self, estimator, y, has, indicator, sparse) -> Task:
        """Return the task of several labels a row: one output each, whatever the others."""
        given, class_weight, combination = estimator.class_weight, None, None
        if given:
            # A row weighs the product of what its labels do: that of its combination of labels.
            combination = np.unique(has, axis=0, return_inverse=True)[1].ravel()
            class_weight = _weight_of_combinations(given, has.astype(int), combination)
        return Task(
            # Not of all forms of an indicator are the numbers -1 and 1.
            target=_signs().fit_transform(y).astype(np.float64),
            loss=HalfSquaredLoss(has.shape[1]),
            fit_intercept=estimator.fit_intercept,
            criterion="squared_error",
            criteria=SQUARED,
            classes=np.arange(has.shape[1]),
            row_class=combination,
            class_weight=class_weight,
            indicator=indicator,
            solver=_named_solver(estimator, sparse),
        )

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        _give(estimator, task, coef, intercept)
        labels = task.classes if task.indicator is None else task.indicator
        estimator._label_binarizer = _signs().fit(labels)
        set_classes(estimator, estimator._label_binarizer.classes_)


def _signs():
    return LabelBinarizer(pos_label=1, neg_label=-1)


def _weight_of_combinations(given, has, combination):
    """Return a function of training rows to a weight for each combination of labels."""

    def of_rows(rows):
        weight = np.ones(combination.max() + 1)
        try:
            weight[combination[rows]] = compute_sample_weight(given, has[rows])
        except ValueError as error:
            raise NotApplicable(str(error)) from None
        return weight

    return of_rows


def _give(estimator, task, coef, intercept):
    estimator.coef_ = coef[0] if len(coef) == 1 else coef
    estimator.intercept_ = intercept if task.fit_intercept else 0.0
    estimator.n_iter_ = None
    estimator.solver_ = task.solver


def _named_solver(estimator, sparse):
    """Return the solver that scikit-learn would choose and name."""
    if estimator.positive:
        return "lbfgs"
    centred = sparse and estimator.fit_intercept
    if estimator.solver == "auto" or (centred and estimator.solver not in ("lsqr", "sag")):
        return "sparse_cg" if sparse else "cholesky"
    return estimator.solver


def _check_sparse_solver(estimator, sparse):
    unfit = ("svd",) if not estimator.fit_intercept else ("svd", "cholesky", "saga")
    if sparse and estimator.solver in unfit:
        raise NotApplicable(f"solver={estimator.solver!r} does not accept sparse data")
