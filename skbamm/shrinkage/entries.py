"""Assigns the features of each fold to the entries of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbamm._sklearn_compat import safe_indexing
from skbamm.blocks import dropped_blocks, transformer_blocks
from skbamm.data.matrices import FoldData
from skbamm.space import UnfitVector, VectorAxis, group_columns


def known_axis(
    axis: VectorAxis, X: Any, folds: list[FoldData] | None, used: list[int], task: Any = None
) -> VectorAxis:
    """Return the axis with its entries.

    Parameters
    ----------
    axis : VectorAxis
    X : array-like
        The user's.
    folds : list of FoldData, or None
        The transformed rows; None without transformers.
    used : list of int
        The folds that are used.
    task : Task
        Needed for entries that are classes.

    Raises
    ------
    ValueError
        If the features do not fit the groups, or if they differ between the folds and the groups
        are not those of transformers.
    """
    if axis.kind == "class" and task.indicator is not None:
        raise UnfitVector(
            f"Parameter {axis.name!r} cannot have a value for each class: rows have several labels."
        )
    if axis.weighs_rows:
        return axis.known(task.classes, None)
    if axis.kind == "target":
        if task.loss.n_outputs < 2:
            raise UnfitVector(f"Parameter {axis.name!r}: there is one target, and so one value.")
        return axis.known(range(task.loss.n_outputs), None)
    if axis.by_output:
        if task.loss.n_outputs < len(task.classes):
            raise UnfitVector(
                f"Parameter {axis.name!r} cannot have a value for each class: there are "
                f"{len(task.classes)} classes, and so there is one model."
            )
        return axis.known(task.classes, None)
    if folds is None:
        return group_columns(axis, int(np.shape(X)[1]), getattr(X, "columns", None))
    seen = [folds[k] for k in used]
    if axis.of_transformers:
        return _of_transformers(axis, X, seen)
    widths, names = [fold.shape[1] for fold in seen], [_names(fold) for fold in seen]
    told = f"from {min(widths)} to {max(widths)} of them: other ones in each fold"
    if len(set(widths)) == 1:  # as many may still be others: those that a fold has selected
        others = [n for n in names if names[0] is not None and list(n) != list(names[0])]
        told = f"{_differing(names[0], others[0])}, others in each fold" if others else ""
    if told:
        raise UnfitVector(
            f"Parameter {axis.name!r} has a value for each feature or group of features, but the "
            f"transformers make {told}. Use PerGroup(..., groups='transformers')."
        )
    return group_columns(axis, widths[0], names[0])


def _of_transformers(axis: VectorAxis, X: Any, folds: list[FoldData]) -> VectorAxis:
    blocks = [
        transformer_blocks(fold.transformers, safe_indexing(X, fold.train[:1])) for fold in folds
    ]
    without = set.intersection(*(dropped_blocks(fold.transformers) for fold in folds))
    names = list(dict.fromkeys(n for found in blocks for n in found if n not in without))
    width = max(fold.shape[1] for fold in folds)
    columns = np.full((len(folds), width), len(names))
    for k, found in enumerate(blocks):
        for i, name in enumerate(names):
            own = found.get(name, ())
            if not len(own):
                raise UnfitVector(
                    f"groups='transformers' for parameter {axis.name!r}: transformer {name!r} has "
                    f"no columns in fold {k}."
                )
            columns[k, own] = i
    same = (columns == columns[0]).all()
    return axis.known(names, columns[:1] if same else columns)


def _differing(some: Any, other: Any) -> str:
    """Return the first names that differ."""
    one, two = next((a, b) for a, b in zip(some, other, strict=True) if a != b)
    return f"{one!r} in one and {two!r} in another"


def _names(fold: FoldData) -> Any:
    """Return the names of a fold's features, or None."""
    if "feature_names_in_" in fold.features:
        return fold.features["feature_names_in_"]
    try:
        names = fold.transformers.get_feature_names_out()
    except Exception:  # whatever a transformer of the user's may raise
        return None
    return names if len(names) == fold.shape[1] else None
