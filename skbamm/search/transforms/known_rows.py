"""Rows that a fold's transformers have seen before.

Every value of a list is scored on the same test rows. If the folds' transformers are shared by all
values, they return the same each time, and are called once for each fold.
"""

from __future__ import annotations

import copy
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from types import FunctionType
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from skbamm._sklearn_compat import routing_enabled
from skbamm.data.matrices import through
from skbamm.search.transforms.room import Room, held_bytes

_RESPONSES = frozenset({
    "predict", "predict_proba", "decision_function", "predict_log_proba", "score",
    "score_samples", "transform",
})  # fmt: skip
_SETS = 2  # of rows that are kept: those of the test, and of the training for its scores


class KnownRows:
    """The last results of a fold's fitted transformers.

    Parameters
    ----------
    transformers : Pipeline
    room : Room
        Rows that it has no room for are transformed each time; and so are all, where the
        transformers draw random numbers for it.
    one_set : bool
        Whether the first rows that are requested are the only ones.
    before : KnownRows or None
        The known rows of the steps before these.
    make : callable, optional
        Makes the rows of the one set otherwise.
    """

    def __init__(
        self, transformers: Any, room: Room, one_set: bool = False,
        before: KnownRows | None = None, make: Callable[[], Any] | None = None,
    ):  # fmt: skip
        self.transformers, self._room, self._one_set = transformers, room, one_set
        self._make = make if one_set else None
        self._before = before
        self._sets: list[tuple[Any, Any, int]] = []  # the newest last
        self._lock = threading.Lock()
        self._open = True

    @property
    def steps(self) -> list[tuple[str, Any]]:
        """All steps, fitted."""
        return [*([] if self._before is None else self._before.steps), *self.transformers.steps]

    def response(self, pipeline: Any, name: str, own: Callable) -> Callable:
        """Return a pipeline's own method, or an equivalent one for known rows."""
        if name not in _RESPONSES or not isinstance(pipeline, Pipeline):
            return own  # others hold a pipeline, and do more than it

        @wraps(own)
        def respond(X, *y, **options):
            steps, last = self.steps, pipeline.steps[-1][1]
            same = all(one is other for one, other in zip(pipeline.steps[:-1], steps, strict=False))
            # Options may reach transformers, except the weights of a score without routing.
            weights = name == "score" and set(options) == {"sample_weight"}
            odd = options and (not weights or routing_enabled())
            if odd or not same or len(pipeline.steps) != len(steps) + 1:
                return own(X, *y, **options)
            given = {n: v for n, v in options.items() if v is not None}
            return getattr(last, name)(for_model(last, self._transformed(X)), *y, **given)

        return respond

    def close(self) -> None:
        """Stop storing results."""
        with self._lock:
            self._open = False
            for _, _, n_bytes in self._sets:
                self._room.give_back(n_bytes)

    def _transformed(self, X: Any) -> Any:
        with self._lock:
            for given, rows, _ in self._sets:
                if self._one_set or same_rows(given, X):
                    return rows
            if self._make is not None:
                rows = self._make()
                self._keep(X, rows)
                return rows
            state, rows = random_state(), X
            if self._before is not None:
                rows = for_model(self.transformers, self._before._transformed(X))
            rows = through(self.transformers, rows)
            if self._open and random_state() == state:
                self._keep(X, rows)
            return rows

    def _keep(self, X: Any, rows: Any) -> None:
        if len(self._sets) == _SETS:
            self._room.give_back(self._sets.pop(0)[2])
        given = None if self._one_set else X
        n_bytes = held_bytes((given, rows))
        if n_bytes is not None and self._room.take(n_bytes):
            self._sets.append((given, rows, n_bytes))


def random_state() -> bytes:
    """Return the state of the generators that are used where ``random_state`` is None."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    return pickle.dumps((numpy_state, random.getstate()))


def set_random_state(state: bytes) -> None:
    """Put the generators back into a state that they were in."""
    numpy_state, other = pickle.loads(state)
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(other)


def for_model(model: Any, rows: Any) -> Any:
    """Return rows for a model, copied if it may write into them: others are to get them, too.

    scikit-learn's own do not, unless their ``copy`` or ``copy_X`` is False, a function of the
    user's is among their parameters, or to sort the indices of a sparse matrix.
    """
    sorts = not getattr(rows, "has_sorted_indices", True)
    return copy.deepcopy(rows) if sorts or _may_write(model) else rows


def _may_write(model: Any) -> bool:
    for part in _parts(model):
        ours = type(part).__module__.partition(".")[0] == "sklearn"
        if not ours or any(isinstance(value, FunctionType) for value in vars(part).values()):
            return True
    return overwrites(model)


def overwrites(model: Any) -> bool:
    """Whether a model, or a part of it, may modify its input rows."""
    return any(
        name.startswith("copy") and not value
        for part in _parts(model)
        for name, value in vars(part).items()
    )


def _parts(value: Any) -> Iterator[Any]:
    """Yield a model and the models in its parameters; much faster than ``get_params``."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _parts(one)
    elif hasattr(value, "get_params") and hasattr(value, "__dict__"):
        yield value
        for name, one in vars(value).items():
            if not name.endswith("_"):
                yield from _parts(one)


def hand_rows_on(scorers: Any) -> bool:
    """Whether scorers give a model the rows that they are given, all of them: scikit-learn's do."""
    each = getattr(scorers, "_scorers", {"": scorers})
    return all(type(one).__module__.partition(".")[0] == "sklearn" for one in each.values())


def same_rows(some: Any, other: Any) -> bool:
    """Whether two containers of rows have the same type and values."""
    if some is other:
        return True
    if type(some) is not type(other):
        return False
    if isinstance(some, np.ndarray):
        return _same_array(some, other)
    if sp.issparse(some):
        arrays = ("data", "indices", "indptr")
        return (
            some.format == other.format and some.format in ("csr", "csc")
            and some.shape == other.shape
            and all(_same_array(getattr(some, a), getattr(other, a)) for a in arrays)
        )  # fmt: skip
    if isinstance(some, list):
        return len(some) == len(other) and all(
            one is two or (isinstance(one, str) and one == two)
            for one, two in zip(some, other, strict=True)
        )
    if not hasattr(some, "equals"):
        return False
    if hasattr(some, "columns"):  # data frames
        return list(some.columns) == list(other.columns) and bool(some.equals(other))
    return hasattr(some, "name") and some.name == other.name and bool(some.equals(other))  # columns


def _same_array(some: np.ndarray, other: np.ndarray) -> bool:
    if some.dtype != other.dtype or some.shape != other.shape:
        return False
    if np.array_equal(some, other):
        return True
    return some.dtype.kind in "fc" and bool(np.array_equal(some, other, equal_nan=True))
