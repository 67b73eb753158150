"""Transformers of folds, fitted once for each distinct set of training rows."""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skbamm._sklearn_compat import safe_indexing
from skbamm.data.callbacks import without_callbacks
from skbamm.data.far_rows import at_home
from skbamm.faults import from_signal
from skbamm.models import NotApplicable

Fit = Callable[[Any, Any, Any, np.ndarray], tuple[Any, Any]]
ROOM = 1 << 25  # numbers of transformed rows that several sets of splits may share: 256 MiB


@dataclass
class TransformerFits:
    """Fitted transformers of the user's rows, and what they return of the rows they were fitted on.

    The folds of a search, and those that sample weights are learned on, often train on the same
    rows. Recent results are then kept, within a bound of memory.

    Attributes
    ----------
    X, y : array-like
        The user's.
    room : int, default=0
        Numbers of transformed rows that may be kept.
    """

    X: Any
    y: Any
    room: int = 0
    _known: OrderedDict[tuple[str, bytes], tuple[Any, Any, Any]] = field(
        default_factory=OrderedDict
    )
    _kept: int = 0

    def fit(
        self, setting: str, transformers: Any, train: np.ndarray, fit: Fit | None = None
    ) -> tuple[Any, Any]:
        """Return a fitted clone of the transformers, and the training rows as it returns them.

        Parameters
        ----------
        setting : str
            Tells settings of the same transformers apart.
        transformers : Pipeline
            They must not change while they are kept.
        train : ndarray of int
        fit : callable, optional
            Takes the place of ``fit_transform``; it may leave the rows out.

        Raises
        ------
        NotApplicable
            If a transformer fails.
        """
        key = setting, _digest(train)
        known = self._known.get(key)
        if known is not None and _same_steps(known[0], transformers):
            self._known.move_to_end(key)
            return known[1:]
        fitted, inner = (fit or fit_transform)(transformers, self.X, self.y, train)
        self._keep(key, (transformers, fitted, inner))
        return fitted, inner

    def _keep(self, key: tuple[str, bytes], entry: tuple[Any, Any, Any]) -> None:
        size = _numbers(entry[2])
        if size > self.room:
            return
        self._kept += size - (_numbers(self._known.pop(key)[2]) if key in self._known else 0)
        self._known[key] = entry
        while self._kept > self.room:
            _, oldest = self._known.popitem(last=False)
            self._kept -= _numbers(oldest[2])


def fit_transform(transformers: Any, X: Any, y: Any, train: np.ndarray) -> tuple[Any, Any]:
    """Fit a clone of the transformers on training rows; return it, and those rows transformed."""
    fitted = without_callbacks(clone(transformers))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the refit on all rows will say it once
        try:
            target = None if y is None else safe_indexing(y, train)
            return fitted, fitted.fit_transform(at_home(safe_indexing(X, train)), target)
        except Exception as error:
            if from_signal(error):
                raise
            raise NotApplicable(f"a transformer failed: {error}") from None


def _same_steps(some: Any, other: Any) -> bool:
    """Whether two pipelines have the very same transformers."""
    pairs = zip(some.steps, other.steps, strict=False)
    return len(some.steps) == len(other.steps) and all(a[1] is b[1] for a, b in pairs)


def _numbers(rows: Any) -> int:
    if rows is None:
        return 0
    return int(rows.nnz) if sp.issparse(rows) else int(np.prod(np.shape(rows)))


def _digest(rows: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(rows).tobytes(), digest_size=16).digest()
