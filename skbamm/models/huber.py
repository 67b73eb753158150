"""HuberRegressor."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import HuberRegressor

from skbamm.criteria import ABSOLUTE, SQUARED
from skbamm.losses import ConcomitantHuberLoss
from skbamm.models.base import (
    Factors,
    Hyperparameter,
    LinearTwin,
    Task,
    kink_width,
    numeric_target,
)

_SCALE = 0.03  # of the width of kinks, the least scale while a penalty is searched


class HuberTwin(LinearTwin):
    """``sum of s + H(r / s) s + alpha ||w||^2``; the intercept and the scale s are free.

    H is the squared error up to epsilon and grows linearly beyond. Here are halves of it all.
    """

    estimator_type = HuberRegressor
    loss_parameter = Hyperparameter("epsilon", positive=True, low=1.0)

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if not self.loss_parameter.valid(estimator.epsilon):
            return f"epsilon={estimator.epsilon!r} leaves no scale to estimate; it must be above 1"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y, vector=True, text=False)
        return Task(
            target=target,
            loss=ConcomitantHuberLoss(estimator.epsilon, _SCALE * kink_width(target)),
            fit_intercept=estimator.fit_intercept,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE),
        )

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        return Factors(values["alpha"])

    def statistics(self, task, training_rows):
        """Return the scale, and which training rows are outliers."""
        predicted, target, weight = training_rows()
        errors = torch.as_tensor(predicted[:, 0] - target)
        scale = float(task.loss.least_scale(errors, torch.as_tensor(weight)))
        return np.float64(scale), (errors.abs() > scale * task.loss.epsilon).numpy()

    def export(self, estimator, task, coef, intercept, scale, outliers):
        """See ``LinearTwin.export``; scale and outliers are what ``statistics`` returned."""
        estimator.coef_ = coef[0].astype(np.float64)
        estimator.intercept_ = np.float64(intercept[0]) if task.fit_intercept else 0.0
        estimator.scale_, estimator.outliers_ = scale, outliers
        estimator.n_iter_ = 0
