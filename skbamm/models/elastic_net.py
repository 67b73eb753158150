"""Lasso and ElasticNet."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import ElasticNet, Lasso

from skbamm.criteria import ABSOLUTE, SQUARED
from skbamm.losses import HalfSquaredLoss
from skbamm.models.base import (
    ALPHA,
    L1_RATIO,
    Factors,
    Hyperparameter,
    LinearTwin,
    Task,
    numeric_target,
)


class ElasticNetTwin(LinearTwin):
    """``mean squared error / 2 + alpha ((1 - r) ||w||^2 / 2 + r sum |w|)``; r is ``l1_ratio``.

    The intercept is free.
    """

    estimator_type: type = ElasticNet
    hyperparameters: tuple[Hyperparameter, ...] = (ALPHA, L1_RATIO)
    warm_starts = True
    mean_loss = True

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.positive:
            return "positive=True constrains the coefficients"
        if not L1_RATIO.valid(getattr(estimator, "l1_ratio", 1.0)):
            return f"l1_ratio={estimator.l1_ratio!r} is not a number from 0 to 1"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y)
        return Task(
            target=target,
            loss=HalfSquaredLoss(1 if target.ndim == 1 else target.shape[1]),
            fit_intercept=estimator.fit_intercept,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE),
        )

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        alpha, ratio = values["alpha"], values["l1_ratio"]
        if isinstance(ratio, float) and ratio == 0:
            return Factors(alpha)
        return Factors(alpha * (1 - ratio), alpha * ratio)

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        vector = len(coef) == 1
        estimator.coef_ = coef[0] if vector else coef
        if not task.fit_intercept:
            intercept = 0.0
        elif task.target.ndim == 1:
            intercept = intercept[0]
        estimator.intercept_ = intercept
        estimator.n_iter_ = 0 if vector else [0] * len(coef)
        # The models solved jointly have no duality gap of their own; the final one has.
        estimator.dual_gap_ = np.nan if vector else np.full(len(coef), np.nan)


class LassoTwin(ElasticNetTwin):
    """The same with ``l1_ratio=1``."""

    estimator_type = Lasso
    hyperparameters = (ALPHA,)

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        alpha = values["alpha"]
        return Factors(0 * alpha, alpha)
