"""Puts vectors of values, which scikit-learn's models cannot have, into estimators that can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skbamm.blocks import parallel_step
from skbamm.feature_penalty import FeaturePenalty
from skbamm.space.vectors import UnfitVector, VectorAxis


@dataclass(frozen=True)
class Holder:
    """Makes of an estimator one with a vector of values.

    The model gets the geometric mean of the values, and ``FeaturePenalty`` around it, or around
    its pipeline if the transformers make the groups, what they are beside that.

    Attributes
    ----------
    axis : VectorAxis
    prefix : str
        What names of the model's parameters begin with in the estimator.
    inverse : bool
        Whether a larger value means a weaker penalty.
    """

    axis: VectorAxis
    prefix: str
    inverse: bool

    def of(self, axis: VectorAxis) -> Holder:
        """Return the holder for the axis with its entries."""
        return replace(self, axis=axis)

    def hold(self, estimator: Any, values: np.ndarray | None = None) -> Any:
        """Return the estimator with these values; it may itself be changed.

        Without values, one that can have some.
        """
        factor: Any = None
        if values is not None:
            mean = float(np.exp(np.log(values).mean()))
            ratio = mean / values if self.inverse else values / mean
            _part(estimator, self.prefix).set_params(**{self.axis.parameter: mean})
            if self.axis.of_transformers:
                factor = dict(zip(self.axis.names, ratio.tolist(), strict=True))
            else:
                assert self.axis.columns is not None
                factor = ratio[self.axis.columns[0]]
        place = self.prefix
        if self.axis.of_transformers:
            place = place.removesuffix("__").rpartition("__")[0]
            place = f"{place}__" if place else ""
        around = FeaturePenalty(_part(estimator, place), penalty_factor=factor)
        if not place:
            return around
        return estimator.set_params(**{place.removesuffix("__"): around})

    def check(self, estimator: Any) -> None:
        """Raise ValueError if groups are to be those of transformers that are not there."""
        if not self.axis.of_transformers:
            return
        parts = self.prefix.removesuffix("__").rpartition("__")[0]
        pipeline = _part(estimator, f"{parts}__" if parts else "")
        if not isinstance(pipeline, Pipeline) or parallel_step(pipeline[:-1]) is None:
            raise UnfitVector(
                f"groups='transformers' for parameter {self.axis.name!r} needs a pipeline in which "
                "a ColumnTransformer or FeatureUnion stands before the model, followed by no step "
                f"that changes the columns, got {pipeline!r}."
            )


def _part(estimator: Any, prefix: str) -> Any:
    """Return what stands at a prefix in an estimator."""
    return estimator.get_params()[prefix.removesuffix("__")] if prefix else estimator
