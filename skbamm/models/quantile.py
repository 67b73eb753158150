"""QuantileRegressor."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import QuantileRegressor

from skbamm.criteria import ABSOLUTE, OWN_LOSS, SQUARED
from skbamm.losses import QuantileLoss
from skbamm.models.base import Factors, LinearTwin, Task, kink_width, numeric_target


class QuantileTwin(LinearTwin):
    """``weighted mean of pinball losses + alpha sum |w|``; the intercept is free."""

    estimator_type = QuantileRegressor
    mean_loss = True
    path_parameters = ("solver", "solver_options")
    own_lists_below = own_scores_below = 1000

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y, vector=True)
        return Task(
            target=target,
            loss=QuantileLoss(estimator.quantile, kink_width(target)),
            fit_intercept=estimator.fit_intercept,
            criterion="r2",
            criteria=(*ABSOLUTE, *SQUARED, *OWN_LOSS),
        )

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        alpha = values["alpha"]
        return Factors(0 * alpha, alpha)

    def export(self, estimator, task, coef, intercept):
        """See ``LinearTwin.export``."""
        estimator.coef_ = coef[0].astype(np.float64)
        estimator.intercept_ = np.float64(intercept[0]) if task.fit_intercept else 0.0
        estimator.n_iter_ = 0
