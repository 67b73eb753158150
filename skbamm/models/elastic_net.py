"""Lasso, LassoLars and ElasticNet."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet, Lasso, LassoLars

from skbamm.criteria import ABSOLUTE, SQUARED
from skbamm.glm.penalties import NonNegative
from skbamm.losses import HalfSquaredLoss
from skbamm.models.base import (
    ALPHA,
    L1_RATIO,
    Factors,
    Hyperparameter,
    LinearTwin,
    NotApplicable,
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
        if not L1_RATIO.valid(getattr(estimator, "l1_ratio", 1.0)):
            return f"l1_ratio={estimator.l1_ratio!r} is not a number from 0 to 1"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``: the coefficients may have to be positive."""
        if not estimator.positive:
            return self
        twin = copy.copy(self)
        twin.kinks = NonNegative
        return twin

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
        # Jointly solved models have no duality gap; the final one has.
        estimator.dual_gap_ = np.nan if vector else np.full(len(coef), np.nan)


class LassoTwin(ElasticNetTwin):
    """The same with ``l1_ratio=1``."""

    estimator_type = Lasso
    hyperparameters = (ALPHA,)

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        alpha = values["alpha"]
        return Factors(0 * alpha, alpha)


class LassoLarsTwin(LassoTwin):
    """The twin of LassoLars, whose own fit follows the exact path down to alpha."""

    estimator_type = LassoLars
    warm_starts = False
    max_iter = 500

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.jitter is not None:
            return "jitter adds noise to the target"
        if estimator.positive:
            return "with positive=True the path may end before alpha"
        return super().mismatch(estimator)

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin = copy.copy(self)
        twin.max_iter = estimator.max_iter
        return twin

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        if weight is not None:
            raise NotApplicable("LassoLars.fit does not accept sample_weight")
        if sparse:
            raise NotApplicable("LassoLars does not accept sparse data")
        return super().task(estimator, y, weight, sparse)

    def reaches(self, coef):
        """See ``Twin.reaches``: a path has as many steps as features come in, and some go."""
        return 2 * int((coef != 0).sum(1).max(initial=0)) <= self.max_iter

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``; of the path there is the end only."""
        super().export(estimator, task, coef, intercept)
        del estimator.dual_gap_
        ends: Any = [np.array([estimator.alpha], coef.dtype) for _ in coef]
        active: Any = [np.flatnonzero(w).tolist() for w in coef]
        paths: Any = [w[:, None] for w in coef]
        if len(coef) == 1:
            ends, active, paths = ends[0], active[0], paths[0]
        estimator.alphas_ = ends
        if estimator.fit_path:
            estimator.active_, estimator.coef_path_ = active, paths
            return
        estimator.coef_ = coef  # also of one target
        if task.fit_intercept:
            estimator.intercept_ = intercept
