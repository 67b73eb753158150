"""Folds of a pipeline that share one matrix, each with its own scale and shift of the columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone

from skbamm._sklearn_compat import safe_indexing
from skbamm.data.callbacks import without_callbacks
from skbamm.data.centring import far_centre, far_means, less
from skbamm.data.device_matrix import DeviceMatrix
from skbamm.data.far_rows import SCALERS, FarRows, at_home, fit_far
from skbamm.data.matrices import (
    FoldData,
    FoldParts,
    as_matrix,
    feature_memory,
    join_parts,
    transformed,
)  # fmt: skip
from skbamm.data.transformer_fits import TransformerFits, fit_transform
from skbamm.data.transformers import State, UnreadTransformer, may_be_read, read
from skbamm.faults import from_signal
from skbamm.folds import FeatureMaps
from skbamm.models import NotApplicable, Task

_CHECKED = 16  # rows of each fold that what was read is held against
_CLOSE, _CLOSE_SINGLE = 1e-9, 1e-4  # how near they must be, of the largest number of a feature
_LOOK = 4096  # rows from which means and spreads are estimated
_PART, _LARGE = 8192, 1 << 20  # rows that a scaler is fitted to at a time, of so many numbers
STACKED = 1 << 21  # numbers in the matrices of all folds up to which they are stacked


@dataclass(frozen=True)
class SharedColumns:
    """A matrix of all rows, and what each fold makes of its columns.

    Attributes
    ----------
    placed : DeviceMatrix
        The matrix, of shape (n, d + e).
    scale, shift : ndarray of shape (K, d)
        Fold k's features are ``scale[k] * column + shift[k]``, and zero where it has none.
    owner : ndarray of int of shape (e,)
    factor : ndarray of shape (K, e)
        The feature that each other column is added to, and its factor.
    """

    placed: DeviceMatrix
    scale: np.ndarray
    shift: np.ndarray
    owner: np.ndarray
    factor: np.ndarray

    def maps(self, used: list[int], device: torch.device) -> FeatureMaps:
        """Return the maps of some of the folds."""
        parts = self.scale[used], self.shift[used], self.owner, self.factor[used]
        return FeatureMaps(*(torch.as_tensor(part, device=device) for part in parts))

    def centred(self) -> tuple[SharedColumns, list[np.ndarray | None]]:
        """Return the same with features near zero, and what was taken off in each fold."""
        matrix, d = self.placed.matrix, self.scale.shape[1]
        sample = at_home(matrix[:: max(1, matrix.shape[0] // _LOOK)])
        squares = sample.multiply(sample) if sp.issparse(sample) else sample * sample
        mean, square = (
            np.asarray(part.mean(0, dtype=np.float64)).ravel()[:d] for part in (sample, squares)
        )
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))  # the columns are near zero
        mean, spread = mean * self.scale + self.shift, spread * np.abs(self.scale)
        centres = far_means(mean, spread, matrix.shape[0] * matrix.shape[1])
        moved = replace(self, shift=self.shift - centres)
        return moved, [one if one.any() else None for one in centres]


class SharedFold:
    """One fold's data, as ``FoldData``; its matrix is made on first use.

    Parameters
    ----------
    transformers : Pipeline
        To be fitted on the fold's training rows.
    fits : TransformerFits
    setting : str
        As ``fits`` takes it.
    train, test : ndarray of int
    """

    def __init__(
        self,
        transformers: Any,
        fits: TransformerFits,
        setting: str,
        train: np.ndarray,
        test: np.ndarray,
    ):
        X = fits.X
        self.train, self.test, self._X = train, test, X
        some = np.arange(0, len(train), max(1, len(train) // _CHECKED))
        self._rows = train[some]
        self.transformers, inner = fits.fit(setting, transformers, train, _fitted)
        # Few transformed rows are kept, since they may be needed.
        self.exact = inner is not None
        few = inner is not None and np.prod(inner.shape) <= STACKED
        self._inner: Any = inner if few else None
        if inner is None:
            inner = self.transformed(self._rows)
        else:
            inner = safe_indexing(inner, some)
        self.features, self._some = feature_memory(inner), as_matrix(inner)
        self._container = type(inner)
        self.shared: Any = None
        self.columns: np.ndarray = np.arange(self._some.shape[1])
        self.width = len(self.columns)
        self._fold = 0  # of the shared columns

    def transformed(self, rows: Any) -> Any:
        """Return some of the user's rows as the transformers make them."""
        return transformed(self.transformers, self._X, rows)

    @property
    def shape(self) -> tuple[int, int]:
        """See ``FoldData.shape``."""
        return len(self.train) + len(self.test), self.width

    @property
    def dtype(self) -> np.dtype:
        """See ``FoldData.dtype``."""
        return self._some.dtype

    @property
    def entries(self) -> float:
        """See ``FoldData.entries``; estimated from some rows."""
        some = self._some.nnz if sp.issparse(self._some) else self._some.size
        return some * (self.shape[0] / self._some.shape[0])

    def training(self) -> Any:
        """See ``FoldData.training``."""
        return as_matrix(self.transformed(self.train) if self._inner is None else self._inner)

    @property
    def sample(self) -> Any:
        """See ``FoldData.sample``."""
        return self._some

    @cached_property
    def matrix(self) -> Any:
        """See ``FoldData.matrix``."""
        return self.alone().matrix

    def alone(self) -> FoldData:
        """Return the data as a fold that shares nothing."""
        inner = self.transformed(self.train) if self._inner is None else self._inner
        outer = self.transformed(self.test) if len(self.test) else inner[:0]
        return join_parts(FoldParts(self.transformers, inner, outer), self.train, self.test)

    def check(self, state: State, columns: Any, k: int) -> None:
        """Raise UnreadTransformer unless some rows are what was read."""
        own, got = np.flatnonzero(state.present[k]), _dense(self._some)
        if got.shape[1] != len(own):
            raise UnreadTransformer
        told = _dense(at_home(columns[self._rows])) * state.scale[k]
        size = np.abs(told[:, own]).max(0) + np.abs(got).max(0) + np.abs(state.shift[k, own])
        told += state.shift[k]
        for part in state.parts:
            told[:, part.owner] += part.column[self._rows] * part.factor[k]
        close = _CLOSE_SINGLE if got.dtype == np.float32 else _CLOSE
        if (np.abs(told[:, own] - got) > close * size).any():
            raise UnreadTransformer

    def share(self, shared: SharedColumns, present: np.ndarray, k: int) -> None:
        """Take part in shared columns, as their k-th fold."""
        self.shared, self.columns, self._fold = shared, np.flatnonzero(present), k
        self.width = len(present)

    @property
    def knows_test_rows(self) -> bool:
        """Whether the shared columns reproduce the transformed test rows."""
        plain = self._container in (np.ndarray, sp.csr_matrix, sp.csr_array)
        named = "feature_names_in_" in self.features
        return self.shared is not None and plain and not named and self.dtype == np.float64

    def test_rows(self) -> Any:
        """Return the test rows, as the transformers return them up to rounding."""
        shared, own, k = self.shared, self.columns, self._fold
        base, d = at_home(shared.placed.matrix[self.test]), self.width
        shift: Any = np.tile(shared.shift[k], (len(self.test), 1))
        if len(shared.owner):
            np.add.at(shift.T, shared.owner, (_dense(base[:, d:]) * shared.factor[k]).T)
        if isinstance(self._some, np.ndarray):
            return (_dense(base[:, :d]) * shared.scale[k] + shift)[:, own]
        scaled = base[:, :d] @ sp.diags(shared.scale[k])
        return self._container((scaled + sp.csr_array(shift))[:, own])


def share_columns(
    transformers: Any,
    fits: TransformerFits,
    setting: str,
    splits: list,
    device: Callable[[Any], torch.device],
) -> list | None:
    """Return each fold's data, which share their columns, or None where that cannot be.

    Few dense rows are the faster when each fold has its own: products of all folds are one batch.

    Parameters
    ----------
    transformers : Pipeline
    fits : TransformerFits
    setting : str
        As ``fits`` takes it.
    splits : list of (train, test)
    device : callable
        Returns the device for a matrix.

    Raises
    ------
    NotApplicable
        If a transformer fails.
    """
    X = fits.X
    if not may_be_read(transformers) or not hasattr(X, "shape"):
        return None
    folds = [SharedFold(transformers, fits, setting, *split) for split in splits]
    dense = all(isinstance(fold.sample, np.ndarray) for fold in folds)
    few = len(folds) * X.shape[0] * max(fold.width for fold in folds) <= STACKED
    if dense and few and not isinstance(X, FarRows):
        return [fold.alone() for fold in folds]
    try:
        state = read([fold.transformers for fold in folds], State.of(X, len(splits)))
        state = state.trimmed()
        values = state.values
        matrix = values if isinstance(values, FarRows) else as_matrix(values)
        state = _near_zero(state, matrix, X)
        matrix = state.values
        for k, fold in enumerate(folds):
            fold.check(state, matrix, k)
    except (UnreadTransformer, NotApplicable):
        return [fold.alone() for fold in folds]
    if state.parts:
        more = np.column_stack([part.column for part in state.parts])
        sparse = sp.issparse(matrix)
        matrix = sp.hstack([matrix, more], format="csr") if sparse else np.hstack([matrix, more])
    owner = np.array([part.owner for part in state.parts], dtype=np.int64)
    factor = np.array([part.factor for part in state.parts]).reshape(-1, len(folds)).T
    shared = SharedColumns(
        DeviceMatrix(matrix, device(matrix)), state.scale, state.shift, owner,
        np.ascontiguousarray(factor),
    )  # fmt: skip
    for k, fold in enumerate(folds):
        fold.share(shared, state.present[k], k)
    return folds


def columns_and_folds(task: Task, folds: list | None) -> tuple[SharedColumns | None, list | None]:
    """Return the columns that the folds share in a linear model, and the folds' data."""
    shared = folds[0].shared if folds else None
    if shared is None or folds is None:
        return None, folds
    shifted = shared.shift.any() and not task.fit_intercept  # a shift is part of the intercept
    if shifted or task.transformed is not None:
        return None, [fold.alone() for fold in folds]
    return shared, folds


def _fitted(transformers: Any, X: Any, y: Any, train: np.ndarray) -> tuple[Any, Any]:
    """Return a clone of the transformers, fitted on training rows, and what it made of them.

    That is None where they were not all transformed.
    """
    fitted = without_callbacks(clone(transformers))
    in_parts = _fits_in_parts(fitted, X)
    if in_parts is None:
        return fit_transform(transformers, X, y, train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the refit on all rows will say it once
        try:
            if isinstance(X, FarRows):
                fit_far(in_parts, X[train])
                return fitted, None
            for start in range(0, len(train), _PART):
                in_parts.partial_fit(X[train[start : start + _PART]])
        except Exception as error:
            if from_signal(error):
                raise
            raise NotApplicable(f"a transformer failed: {error}") from None
    return fitted, None


def _fits_in_parts(transformers: Any, X: Any) -> Any:
    """Return a scaler that is all there is to fit, and is soonest fitted to some rows at a time.

    Folds' rows are not copied then, and intermediate results stay in the cache.
    """
    (_, scaler), *others = transformers.steps
    large = isinstance(X, np.ndarray | FarRows) and X.size > _LARGE
    return scaler if large and not others and type(scaler) in SCALERS else None


def _near_zero(state: State, matrix: Any, X: Any) -> State:
    """Return the state about values near zero; the user's own are copied only if they are far."""
    centre = far_centre(matrix)
    if isinstance(matrix, FarRows):
        return state if centre is None else state.moved(*matrix.standardized())
    if sp.issparse(matrix):
        return (
            replace(state, values=matrix)
            if centre is None
            else state.moved(less(matrix, centre), centre)
        )
    given = np.shares_memory(matrix, _memory(X))
    if given and centre is None:
        return replace(state, values=matrix)
    if given or matrix.dtype != np.float64 or not matrix.flags.writeable:
        matrix = np.array(matrix, dtype=np.float64)
    return state.standardized(matrix)


def _memory(X: Any) -> np.ndarray:
    return X if isinstance(X, np.ndarray) else np.empty(0)


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sp.issparse(matrix) else matrix
