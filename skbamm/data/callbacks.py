"""scikit-learn's callbacks on an estimator or its parts, which are to see its fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skbamm._sklearn_compat import AutoPropagatedCallback, callbacks_of, drop_callbacks


def who_looks_on(search: Any) -> str:
    """Return the estimators whose fits callbacks observe, or "" if there are no such callbacks.

    They may be on the estimator, on any part of it, on a candidate, or, if they are such as
    propagate, on the search: those of depth 0 do not.
    """
    own = callbacks_of(search)
    if any(
        isinstance(one, AutoPropagatedCallback) and one.max_propagation_depth != 0 for one in own
    ):
        return type(search.estimator).__name__
    for part in _parts([search.estimator, search.param_grid]):
        if callbacks_of(part):
            return type(part).__name__
    return ""


def without_callbacks(estimator: Any) -> Any:
    """Take the callbacks of an estimator, and of all of its parts, away: its fits are ours."""
    for part in _parts(estimator):
        drop_callbacks(part)
    return estimator


def _parts(value: Any) -> Iterator[Any]:
    """Yield every estimator in a value, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _parts(one)
    elif hasattr(value, "get_params") and not isinstance(value, type):
        yield value
        yield from _parts(list(value.get_params(deep=False).values()))
