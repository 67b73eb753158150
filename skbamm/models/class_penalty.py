"""ClassPenalty around a linear classifier."""

from __future__ import annotations

import numpy as np
import torch

from skbamm.class_penalty import ClassPenalty, penalty_parameter
from skbamm.models.base import Factors
from skbamm.models.one_vs_rest import OneVsRestTwin


class ClassPenaltyTwin(OneVsRestTwin):
    """The twin of OneVsRestClassifier with a separate penalty factor for each class."""

    estimator_type = ClassPenalty
    factor: torch.Tensor | None = None  # (m, 1), of an estimator that has some

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.penalty_factor is not None:
            given = np.asarray(estimator.penalty_factor, dtype=float)
            if given.ndim != 1 or not (np.isfinite(given) & (given > 0)).all():
                return "penalty_factor is not a vector of positive numbers"
        if getattr(self.held(estimator), "class_weight", None) is not None:
            return "class_weight is recomputed for each class against the rest"
        return super().mismatch(estimator)

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin = super().for_estimator(estimator)
        if estimator.penalty_factor is not None:
            given = np.asarray(estimator.penalty_factor, dtype=float)
            twin.factor = torch.from_numpy(given)[:, None]
        return twin

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        found = super().penalty(values)
        if self.factor is None:
            return found
        return Factors(*(None if part is None else part * self.factor for part in found))

    def binary_model(self, estimator, k):
        """See ``OneVsRestTwin.binary_model``."""
        model = super().binary_model(estimator, k)
        if estimator.penalty_factor is None:
            return model
        name, inverse = penalty_parameter(model)
        value, factor = getattr(model, name), float(estimator.penalty_factor[k])
        return model.set_params(**{name: value / factor if inverse else value * factor})
