"""Converts the user's X to the matrices of the solvers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch, check_array

from skbamm._sklearn_compat import num_samples, safe_indexing
from skbamm.data.array_inputs import is_foreign
from skbamm.data.device_matrix import DeviceMatrix
from skbamm.data.far_rows import FarRows, at_home
from skbamm.data.row_space import RowSpace
from skbamm.data.transformer_fits import Fit, fit_transform
from skbamm.faults import from_signal
from skbamm.folds import DenseRows, FoldWeights, SparseRows
from skbamm.models import NotApplicable, remember_features

_GPU_WORTH = 1_000_000  # entries above which device="auto" chooses a GPU
_SINGLE_WORTH = 1 << 18  # predictors of a pass above which single precision is faster
_LOOKED_AT = 1 << 17  # entries of a sparse matrix from which the scales of features are estimated
# Ratios of scales, and of offsets to scales, that single precision can bear: each feature's own
# products are as accurate as any other's, but an offset leaves no digits to what varies.
_SINGLE_SPREAD, _SINGLE_OFFSET = 1e5, 1e3


@dataclass(frozen=True)
class FoldData:
    """One fold's transformed rows: those trained on, then those tested on.

    Attributes
    ----------
    matrix : ndarray or CSR array of shape (n_train + n_test, d)
    train, test : ndarray of int
        Positions of the rows in the user's data.
    transformers : Pipeline or None
        Fitted on the training rows.
    features : dict
        Attributes by which the last step remembers its features.
    plain : bool
        Whether the matrix is what the transformers return, arrays of float64. One that replaces it
        is not.
    """

    matrix: Any
    train: np.ndarray
    test: np.ndarray
    transformers: Any
    features: dict[str, Any]
    plain: bool = False
    shared = None  # of folds that share their columns, ``SharedColumns``
    exact = True  # whether the transformers are, to the last digit, as their own fit leaves them

    @cached_property
    def row_space(self) -> RowSpace:
        """The space that the rows of a dense matrix span."""
        return RowSpace.of(self.matrix)

    @property
    def knows_test_rows(self) -> bool:
        """Whether the matrix has the test rows as the transformers return them."""
        return self.plain and "feature_names_in_" not in self.features

    def test_rows(self) -> Any:
        """Return these."""
        return self.matrix[len(self.train) :]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""
        return self.matrix.shape

    @property
    def dtype(self) -> np.dtype:
        """Precision of the matrix."""
        return self.matrix.dtype

    @property
    def entries(self) -> float:
        """Numbers that the matrix stores."""
        return self.matrix.nnz if sp.issparse(self.matrix) else self.matrix.size

    def training(self) -> Any:
        """Return the rows that are trained on."""
        return first_rows(self.matrix, len(self.train))

    @property
    def sample(self) -> Any:
        """Some rows at least, as the transformers return them."""
        return self.matrix

    @property
    def columns(self) -> slice:
        """The fold's features among those of the solver."""
        return slice(self.matrix.shape[1])


def first_rows(matrix: Any, n: int) -> Any:
    """Return the first rows of a dense or CSR matrix, in its own memory."""
    if not sp.issparse(matrix):
        return matrix[:n]
    end = matrix.indptr[n]
    parts = matrix.data[:end], matrix.indices[:end], matrix.indptr[: n + 1]
    rows = type(matrix)(parts, (n, matrix.shape[1]))
    rows.has_sorted_indices = matrix.has_sorted_indices
    return rows


def as_matrix(X: Any) -> Any:
    """Return X as a float array or CSR matrix, without a copy if possible, or NotApplicable."""
    return place(at_home(X), "cpu").matrix


def place(X: Any, device: str) -> DeviceMatrix:
    """Return X as such a matrix on the requested device, which may be "auto"."""
    if isinstance(X, FarRows):
        return _finite(DeviceMatrix(X, X.device if device == "auto" else torch.device(device)))
    if is_foreign(X):
        raise NotApplicable("transformers do not return NumPy arrays")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            matrix = check_array(
                X, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite=False
            )
        except (ValueError, TypeError) as error:
            raise NotApplicable(str(error)) from None
    entries = 0 if sp.issparse(matrix) else matrix.size
    return _finite(DeviceMatrix(matrix, choose_device(device, entries)))


def _finite(placed: DeviceMatrix) -> DeviceMatrix:
    if not get_config()["assume_finite"] and not placed.all_finite():
        raise NotApplicable("X contains NaN or infinity")
    return placed


def feature_memory(X: Any) -> dict[str, Any]:
    """Return the attributes by which a fitted estimator remembers its features."""
    estimator = BaseEstimator()
    remember_features(estimator, X)
    return dict(vars(estimator))


class FoldParts(NamedTuple):
    """A fold's rows as its transformers return them, and the transformers."""

    fitted: Any
    inner: Any
    outer: Any


def fold_parts(
    transformers: Any, X: Any, y: Any, train: np.ndarray, test: np.ndarray, fit: Fit = fit_transform
) -> FoldParts:
    """Return a fold's rows as clones of the transformers return them; None transforms nothing.

    They are fitted on the training rows, by ``fit``.
    """
    if transformers is None:
        return FoldParts(None, safe_indexing(X, train), safe_indexing(X, test))
    fitted, inner = fit(transformers, X, y, train)
    outer = transformed(fitted, X, test) if len(test) else inner[:0]
    return FoldParts(fitted, inner, outer)


def transformed(transformers: Any, X: Any, rows: Any) -> Any:
    """Return some of the user's rows as fitted transformers return them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the refit on all rows will say it once
        try:
            return through(transformers, at_home(safe_indexing(X, rows)))
        except Exception as error:
            if from_signal(error):
                raise
            raise NotApplicable(f"a transformer failed: {error}") from None


def through(transformers: Any, rows: Any) -> Any:
    """Return rows as the fitted steps before a model return them.

    ``Pipeline.transform`` refuses a last step that keeps nothing of its fit. Before a model such a
    step is in order.
    """
    for _, step in transformers.steps:
        if step is not None and step != "passthrough":
            rows = step.transform(rows)
    return rows


def join_parts(parts: FoldParts, train, test) -> FoldData:
    """Return a fold's rows as one matrix."""
    fitted, inner, outer = parts
    if num_samples(inner) != len(train) or num_samples(outer) != len(test):
        raise NotApplicable("a transformer changes the number of rows")
    rows = [as_matrix(part) for part in (inner, outer) if num_samples(part)]
    if any(sp.issparse(part) for part in rows):
        matrix = sp.vstack(rows, format="csr")
    else:
        matrix = np.concatenate(rows)
    plain = all(type(part) is np.ndarray and part.dtype == np.float64 for part in (inner, outer))
    return FoldData(matrix, train, test, fitted, feature_memory(inner), plain)


def split_fold(matrix: Any, train, test, features: dict[str, Any]) -> FoldData:
    """Return a fold's rows unchanged, for folds that differ in other data."""
    return FoldData(matrix[np.concatenate([train, test])], train, test, None, features)


def pad_features(matrix: Any, width: int) -> Any:
    """Add zero columns: a transformer may find fewer features in one fold than in another."""
    missing = width - matrix.shape[1]
    if not missing:
        return matrix
    if sp.issparse(matrix):
        return sp.csr_array((matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], width))
    return np.pad(matrix, ((0, 0), (0, missing)))


def make_rows(
    placed: DeviceMatrix, target: np.ndarray, weights: FoldWeights, fit_intercept: bool,
    dtype: torch.dtype,
) -> DenseRows | SparseRows:  # fmt: skip
    """Return rows on the device of ``weights``; a dense matrix is not copied on the CPU."""
    target_tensor = torch.as_tensor(np.ascontiguousarray(target), device=weights.device)
    if sp.issparse(placed.matrix):
        return SparseRows(
            placed.matrix, target_tensor, weights, fit_intercept, dtype, placed.blocks
        )
    return DenseRows(placed.tensor(dtype), target_tensor, weights, fit_intercept, dtype)


def choose_device(device: str, entries: int) -> torch.device:
    """Resolve ``device="auto"``: a GPU where there is one and the data are worth the way.

    ``entries`` are those of the dense matrix that passes are over; 0 of a sparse one.
    """
    if device != "auto":
        return torch.device(device)
    worth = entries >= _GPU_WORTH
    return torch.device("cuda" if worth and torch.cuda.is_available() else "cpu")


def choose_dtype(dtype: str, matrix: Any, columns: int) -> torch.dtype:
    """Resolve ``dtype="auto"``, the precision of the search; scores are always in float64."""
    if dtype != "auto":
        return {"float32": torch.float32, "float64": torch.float64}[dtype]
    entries = matrix.nnz if sp.issparse(matrix) else matrix.size
    if max(entries, max(matrix.shape) * columns) < _SINGLE_WORTH or not _well_scaled(matrix):
        return torch.float64
    return torch.float32


def _well_scaled(matrix: Any) -> bool:
    """Whether features are of similar scale and not far from zero, judged by some rows."""
    rows = 4096
    if sp.issparse(matrix):
        rows = min(rows, _LOOKED_AT * matrix.shape[0] // max(matrix.nnz, 1))
    sample = at_home(matrix[:: max(1, matrix.shape[0] // max(rows, 1))])
    if sp.issparse(sample):
        largest = np.zeros(sample.shape[1])
        np.maximum.at(largest, sample.indices, np.abs(sample.data))
        seen = largest[largest > 0]
        return bool(len(seen)) and seen.max() < _SINGLE_SPREAD * seen.min()
    mean, spread = np.abs(sample.mean(0)), sample.std(0)
    seen = spread > 0
    if not seen.any():
        return False
    near = (mean[seen] < _SINGLE_OFFSET * spread[seen]).all()
    constant = mean[~seen].max(initial=0) < _SINGLE_OFFSET * spread[seen].max()
    return bool(near and constant and spread.max() < _SINGLE_SPREAD * spread[seen].min())


def own_copy(routed: Any) -> Bunch:
    """Return what was routed for a search's fit, to be added to.

    With routing and nothing to route, every look at what scikit-learn returns is a new one.
    """
    return Bunch(
        estimator=Bunch(fit=dict(routed.estimator.fit)),
        splitter=Bunch(split=dict(routed.splitter.split)),
        scorer=Bunch(score=dict(routed.scorer.score)),
    )


def as_indices(rows: Any) -> np.ndarray:
    """Return the numbers of rows that a mask may choose."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def check_device(device: str) -> None:
    """Fail early, and by name, if a device is unknown or not there."""
    if device == "auto":
        return
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} cannot be used: {error}") from None
