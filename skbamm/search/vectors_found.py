"""Vectors: checks before any work, and attributes that are published at the end."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from skbamm.criteria import Criterion
from skbamm.search.keys import candidate_key
from skbamm.shrinkage.entries import known_axis
from skbamm.shrinkage.solver import VectorSolver
from skbamm.space import Space, UnfitVector, VectorAxis, named_values

_LITTLE = 0.01  # share that a penalty lets through of an entry that the model does without


def check_vectors(space: Space, X: Any) -> None:
    """Raise UnfitVector if groups do not go with X, where no transformer is between them."""
    for combination in space.combinations:
        for axis in combination.axes:
            if not isinstance(axis, VectorAxis) or axis.kind in ("class", "target"):
                continue
            # For other shapes the estimator's own fit raises the error.
            if combination.target.pipeline is None and len(np.shape(X)) == 2:
                known_axis(axis, X, None, [])


def refuse_weights(space: Space) -> None:
    """Raise UnfitVector if there is a vector, where the weights of rows are to be learned."""
    for combination in space.combinations:
        if combination.holder is not None:
            raise UnfitVector(
                f"Parameter {combination.holder.axis.name!r} cannot be a vector while "
                "sample_weights are learned. Search one value, or a list."
            )


def note_vector(
    bank: Any,
    outcome: Any,
    combination: Any,
    solver: VectorSolver,
    criterion: Criterion,
    found: list[list[float]],
) -> None:
    """Let estimators have vectors, and note how much their values were drawn together.

    Parameters
    ----------
    bank : Bank
    outcome : Outcome
    combination : Combination
    solver : VectorSolver
    criterion : Criterion
    found : list of list of float
        The x of each vector; the first is the result of the search.
    """
    axis, path = solver.vector, solver.shrinkage
    names: dict[str, Any] = {"parameter": axis.name, "names": np.array(axis.names)}
    if path is not None:
        names |= {
            "spread": np.array(path.spread),
            "freedom": np.array(path.freedom),
            "criterion": np.array(path.criterion) * criterion.null,
            "score": np.array(path.score),
            "values": np.array([axis.numbers(x.tolist()) for x in path.x]),
            "chosen": path.chosen,
        }
    for i, x in enumerate(found):
        key = candidate_key({**combination.params, **named_values(solver.axes, x)})
        bank.holders[key] = combination.holder.of(axis)
        left = {} if i or solver.left is None else {"left": solver.left.cpu().numpy()}
        outcome.shrinkage[key] = names | left


def publish_vector(search: Any, space: Space, outcome: Any) -> None:
    """Give the search ``shrinkage_`` and ``dropped_``, and warn of what was not done."""
    for name in ("shrinkage_", "dropped_"):
        search.__dict__.pop(name, None)  # an earlier fit's
    for note in outcome.notes:
        warnings.warn(note, UserWarning, stacklevel=4)
    if not outcome.shrinkage:
        return
    best = getattr(search, "best_params_", {})
    found = outcome.shrinkage.get(candidate_key(best))
    if found is None:  # the best value is not a vector, or there was no choice
        search.shrinkage_ = next(iter(outcome.shrinkage.values()))
        return
    search.shrinkage_, name = found, found["parameter"]
    holder = next(c.holder for c in space.combinations if c.holder and c.holder.axis.name == name)
    if not holder.axis.weighs_rows:
        end = holder.axis.low if holder.inverse else holder.axis.high
        gone = (best[name] == end) | (found.get("left", np.ones(1)) < _LITTLE)
        search.dropped_ = found["names"][gone].tolist()


def history_column(values: list) -> np.ndarray:
    """Return the history of a parameter; an object array if shapes differ."""
    if len({np.shape(value) for value in values}) < 2:
        return np.asarray(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
