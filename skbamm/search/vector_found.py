"""What a search with a vector checks before any work, and publishes once it is done."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skbamm.search.vector_entries import known_axis
from skbamm.space import Space, UnfitVector, VectorAxis


def check_vectors(space: Space, X: Any) -> None:
    """Raise UnfitVector if groups do not go with X, where no transformer is between them."""
    for combination in space.combinations:
        for axis in combination.axes:
            features = isinstance(axis, VectorAxis) and not axis.by_output
            if features and combination.target.pipeline is None:
                if np.ndim(X) == 2 or hasattr(X, "shape"):
                    known_axis(axis, X, None, [])


def refuse_weights(space: Space) -> None:
    """Raise UnfitVector if there is a vector, where the weights of rows are to be learned."""
    for combination in space.combinations:
        if combination.holder is not None:
            raise UnfitVector(
                f"Parameter {combination.holder.axis.name!r} cannot be a vector while "
                "sample_weights are learned. Search one value, or a list."
            )


def publish_vector(search: Any, space: Space, outcome: Any) -> None:
    """Give the search ``shrinkage_`` and ``dropped_``, and warn of what was not done."""
    for name in ("shrinkage_", "dropped_"):
        search.__dict__.pop(name, None)  # an earlier fit's
    for note in outcome.notes:
        warnings.warn(note, UserWarning, stacklevel=4)
    if not outcome.shrinkage:
        return
    search.shrinkage_ = outcome.shrinkage
    name, best = outcome.shrinkage["parameter"], getattr(search, "best_params_", {})
    holder = next(c.holder for c in space.combinations if c.holder and c.holder.axis.name == name)
    if np.ndim(best.get(name, 0.0)) == 1:
        end = holder.axis.low if holder.inverse else holder.axis.high
        search.dropped_ = outcome.shrinkage["names"][best[name] == end].tolist()
