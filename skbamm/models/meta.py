"""The common part of twins of meta-estimators."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from skbamm.feature_penalty import FeaturePenalty
from skbamm.kernels.kernel import Kernel
from skbamm.models.base import Factors, Task, TrainingRows, Twin
from skbamm.models.steps import last_step

_SHARED = (
    "family", "hyperparameters", "path_parameters", "own_lists_below", "own_scores_below",
    "loss_parameter", "inverse", "mean_loss", "kinks",
)  # fmt: skip
Find = Callable[[Any], "tuple[Any, str]"]


class MetaTwin(Twin):
    """The twin of an estimator that fits clones of a model: what is tuned is the model's.

    It has no warm starts: every fit makes new clones.

    Parameters
    ----------
    find : callable
        ``find_twin``.

    Attributes
    ----------
    inner : Twin
        The model's, of an instance that ``for_estimator`` returned.
    """

    hyperparameters = ()
    family = "linear"
    inner: Any = None

    def __init__(self, find: Find):
        self.find = find

    @abstractmethod
    def held(self, estimator: Any) -> Any:
        """Return the estimator that is cloned and fitted: the model, or another wrapper of it."""

    def model(self, estimator: Any) -> Any:
        """See ``Twin.model``."""
        return self.inner.model(self.held(estimator))

    @abstractmethod
    def prefix(self, estimator: Any) -> str:
        """Return the prefix of the wrapped estimator's parameters."""

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        held = self.held(estimator)
        inner, reason = self.find(held)
        if inner is not None and inner.family not in ("linear", "kernel"):
            return f"models of {type(last_step(held)).__name__} inside of it have own fits"
        return reason

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin, (inner, _) = copy.copy(self), self.find(self.held(estimator))
        twin.inner, twin.inside = inner, self.prefix(estimator) + inner.inside
        for name in _SHARED:
            if hasattr(inner, name):
                setattr(twin, name, getattr(inner, name))
        return twin

    def tunes(self, estimator):
        """See ``Twin.tunes``."""
        return self.inner.tunes(self.held(estimator))

    def enables(self, name):
        """See ``Twin.enables``."""
        return self.inner.enables(name)

    def penalty(self, values: dict[str, Any]) -> Factors:
        """See ``LinearTwin.penalty``."""
        return self.inner.penalty(values)

    def fits(self, estimator: Any) -> list[Any]:
        """Return what a fitted estimator has fitted: ``held``, or a clone for each output."""
        return estimator.estimators_

    def read(self, estimator: Any) -> tuple[np.ndarray, np.ndarray]:
        """See ``LinearTwin.read``."""
        each = [self.inner.read(last_step(one)) for one in self.fits(estimator)]
        coefs, intercepts = zip(*each, strict=True)
        return np.concatenate(coefs), np.concatenate(intercepts)

    def statistics(self, task: Task, training_rows: TrainingRows) -> tuple[Any, ...]:
        """See ``LinearTwin.statistics``."""
        return self.inner.statistics(task, training_rows)

    def reaches(self, coef: np.ndarray) -> bool:
        """See ``LinearTwin.reaches``."""
        return self.inner.reaches(coef)

    def kernel(self, estimator: Any) -> Kernel:
        """See ``KernelTwin.kernel``."""
        return self.inner.kernel(self.held(estimator))

    def feature_penalty(self, estimator: Any) -> FeaturePenalty | None:
        """See ``LinearTwin.feature_penalty``."""
        return self.inner.feature_penalty(self.held(estimator))
