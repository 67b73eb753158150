"""Ridge and RidgeClassifier."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.preprocessing import LabelBinarizer

from skbamm.criteria import ABSOLUTE, BALANCED_SQUARED, BOUNDED_SQUARED, SQUARED
from skbamm.losses import HalfSquaredLoss
from skbamm.models.base import (
    Factors,
    LinearTwin,
    NotApplicable,
    Task,
    balanced_or_given,
    class_indices,
    numeric_target,
)


class RidgeTwin(LinearTwin):
    """``sum of squared errors + alpha ||w||^2``; the intercept is free."""

    estimator_type = Ridge
    judges_labels = True
    finds_minima = True

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.positive:
            return "positive=True constrains the coefficients"
        if estimator.solver == "lbfgs":
            return "solver='lbfgs' is for positive=True"
        return ""

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

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        _give(estimator, task, coef, intercept)
        estimator.classes_ = task.classes
        binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        estimator._label_binarizer = binarizer.fit(task.classes)


def _give(estimator, task, coef, intercept):
    estimator.coef_ = coef[0] if len(coef) == 1 else coef
    estimator.intercept_ = intercept if task.fit_intercept else 0.0
    estimator.n_iter_ = None
    estimator.solver_ = task.solver


def _named_solver(estimator, sparse):
    """Return the solver that scikit-learn would choose and name."""
    centred = sparse and estimator.fit_intercept
    if estimator.solver == "auto" or (centred and estimator.solver not in ("lsqr", "sag")):
        return "sparse_cg" if sparse else "cholesky"
    return estimator.solver


def _check_sparse_solver(estimator, sparse):
    unfit = ("svd",) if not estimator.fit_intercept else ("svd", "cholesky", "saga")
    if sparse and estimator.solver in unfit:
        raise NotApplicable(f"solver={estimator.solver!r} does not take sparse data")
