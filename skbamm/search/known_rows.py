"""Test rows that a fold's transformers have seen before.

Every value of a list is scored on the same test rows, and where the folds' transformers serve all
values they return the same each time. So they are asked once a fold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

_RESPONSES = ("predict", "predict_proba", "decision_function", "predict_log_proba", "score")


class KnownRows:
    """What a fold's fitted transformers made of the rows that they were last given.

    Parameters
    ----------
    transformers : Pipeline
    """

    def __init__(self, transformers: Any):
        self.transformers = transformers
        self._last: tuple[Any, Any] | None = None

    def response(self, pipeline: Any, name: str, own: Callable) -> Callable:
        """Return a pipeline's own method, or one that does the same for rows that are known."""
        if name not in _RESPONSES or not isinstance(pipeline, Pipeline):
            return own  # others hold a pipeline, and do more than it

        @wraps(own)
        def respond(X, *y, **options):
            steps = self.transformers.steps
            same = all(one is other for one, other in zip(pipeline.steps[:-1], steps, strict=False))
            if options or not same or len(pipeline.steps) != len(steps) + 1:
                return own(X, *y, **options)
            return getattr(pipeline.steps[-1][1], name)(self._transformed(X), *y)

        return respond

    def _transformed(self, X: Any) -> Any:
        if self._last is None or not same_rows(self._last[0], X):
            self._last = X, self.transformers.transform(X)
        return self._last[1]


def same_rows(some: Any, other: Any) -> bool:
    """Whether two containers of rows are of one kind and hold the same."""
    if some is other:
        return True
    if type(some) is not type(other):
        return False
    if isinstance(some, np.ndarray):
        return _same_array(some, other)
    if sp.issparse(some):
        parts = ("data", "indices", "indptr")
        return (
            some.format == other.format and some.format in ("csr", "csc")
            and some.shape == other.shape
            and all(_same_array(getattr(some, p), getattr(other, p)) for p in parts)
        )  # fmt: skip
    if isinstance(some, list):
        return len(some) == len(other) and all(
            one is two or (isinstance(one, str) and one == two)
            for one, two in zip(some, other, strict=True)
        )
    if hasattr(some, "equals") and hasattr(some, "columns"):  # data frames
        return list(some.columns) == list(other.columns) and bool(some.equals(other))
    return False


def _same_array(some: np.ndarray, other: np.ndarray) -> bool:
    if some.dtype != other.dtype or some.shape != other.shape:
        return False
    return bool(np.array_equal(some, other, equal_nan=some.dtype.kind in "fc"))
