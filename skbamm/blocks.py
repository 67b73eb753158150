"""Maps the columns of a pipeline's transformed rows to their transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skbamm._sklearn_compat import safe_indexing

_PARALLEL = (ColumnTransformer, FeatureUnion)


def parallel_step(transformers: Any) -> int | None:
    """Return the place of the last ColumnTransformer or FeatureUnion of a pipeline.

    None if there is none, or if a later step changes columns.
    """
    steps = [step for _, step in transformers.steps] if isinstance(transformers, Pipeline) else []
    for i in reversed(range(len(steps))):
        if isinstance(steps[i], _PARALLEL):
            return i
        if not isinstance(steps[i], OneToOneFeatureMixin) and steps[i] not in (
            None, "passthrough",
        ):  # fmt: skip
            return None
    return None


def transformer_blocks(transformers: Any, X: Any = None) -> dict[str, np.ndarray]:
    """Return the columns that each transformer made, by its name; empty if they are not parallel.

    Parameters
    ----------
    transformers : Pipeline
        Fitted, without the model.
    X : array-like, optional
        Some of the rows that it was fitted on. Without them the blocks of a FeatureUnion are
        known only if its transformers name their columns.
    """
    place = parallel_step(transformers)
    if place is None:
        return {}
    step = transformers.steps[place][1]
    if isinstance(step, ColumnTransformer):
        total = max((part.stop for part in step.output_indices_.values()), default=0)
        return {name: np.arange(total)[part] for name, part in step.output_indices_.items()}
    some = None
    if X is not None:
        some = safe_indexing(X, [0])
        for _, before in transformers.steps[:place]:
            some = some if before in (None, "passthrough") else before.transform(some)
    blocks, begin = {}, 0
    for name, part in step.transformer_list:
        if part == "drop":
            continue
        width = _width(part, some)
        if width is None:
            return {}
        blocks[name] = np.arange(begin, begin + width)
        begin += width
    return blocks


def dropped_blocks(transformers: Any) -> set[str]:
    """Return the names in ``transformer_blocks`` of what is dropped, or a remainder of nothing."""
    place = parallel_step(transformers)
    step = None if place is None else transformers.steps[place][1]
    if not isinstance(step, ColumnTransformer):
        return set()
    kept = {name for name, part, _ in step.transformers_ if part != "drop"}
    return set(step.output_indices_) - kept


def _width(transformer: Any, some: Any) -> int | None:
    """Return how many columns a part of a FeatureUnion makes."""
    if some is not None:
        rows = some if transformer == "passthrough" else transformer.transform(some)
        return int(np.shape(rows)[1])
    try:
        return len(transformer.get_feature_names_out())
    except Exception:  # whatever a transformer of the user's may raise
        return None
