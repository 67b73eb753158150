"""MultiTaskLasso and MultiTaskElasticNet."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLasso

from skbamm.glm.penalties import GroupNorms
from skbamm.models.base import ALPHA, L1_RATIO, Factors, NotApplicable
from skbamm.models.elastic_net import ElasticNetTwin


class MultiTaskElasticNetTwin(ElasticNetTwin):
    """The elastic net's, its absolute values replaced by norms.

    These are of all outputs' coefficients of a feature, so that a feature is used for all or for
    none.
    """

    estimator_type = MultiTaskElasticNet
    kinks = GroupNorms

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if not L1_RATIO.valid(getattr(estimator, "l1_ratio", 1.0)):
            return f"l1_ratio={estimator.l1_ratio!r} is not a number from 0 to 1"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``; there is no ``positive``."""
        return self

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        task = super().task(estimator, y, weight, sparse)
        if task.target.ndim != 2:
            raise NotApplicable("the target is a vector")
        return task

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        estimator.coef_ = coef
        estimator.intercept_ = intercept if task.fit_intercept else 0.0
        estimator.n_iter_ = 0
        # Jointly solved models have no duality gap, nor a bound on it.
        estimator.dual_gap_ = estimator.eps_ = np.nan


class MultiTaskLassoTwin(MultiTaskElasticNetTwin):
    """The same with ``l1_ratio=1``."""

    estimator_type = MultiTaskLasso
    hyperparameters = (ALPHA,)

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        alpha = values["alpha"]
        return Factors(0 * alpha, alpha)
