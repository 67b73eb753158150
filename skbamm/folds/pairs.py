"""Weighted Gram matrices of sparse rows, from the products of their non-zeros.

Rows with one-hot columns have some twenty non-zeros among hundreds of features. What each pair of
them adds to which entry of the matrix never changes, so the matrices of all weights are one
sparse product. Features that most rows have stay dense: their pairs would be the most.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from skbamm.effort import COSTS

_OFTEN = 0.25  # share of the rows from which a feature is kept dense
_MOST_PAIRS = 1 << 22  # twelve bytes each
_COUNTED = 1 << 17  # entries at a time


@dataclass(frozen=True)
class PairCosts:
    """The fastest way to compute Gram matrices of a sparse matrix, and its cost.

    Attributes
    ----------
    often : ndarray of bool of shape (d,)
        Features that are kept dense.
    pays : bool
        Whether to keep the pairs of non-zeros of the others.
    seconds : float
        Of one matrix, on one core.
    """

    often: np.ndarray
    pays: bool
    seconds: float

    @classmethod
    def of(cls, X: sp.csr_array, fit_intercept: bool) -> PairCosts:
        """Return those of a CSR matrix."""
        n, d = X.shape
        often = count_entries(X) > _OFTEN * n
        rest = _entries_of_rows(X, ~often)
        pairs, p = float((rest * (rest + 1.0)).sum()) / 2, d + int(fit_intercept)
        dense = int(often.sum()) + int(fit_intercept)
        whole = n * p**2 * COSTS.gram
        ours = (
            COSTS.pair_call + pairs * COSTS.pair + float(rest.sum()) * dense * COSTS.pair_product
            + n * dense**2 * COSTS.gram
        )  # fmt: skip
        pays = pairs <= _MOST_PAIRS and 2 * ours < whole
        return cls(often, pays, ours if pays else whole)


def count_entries(X: sp.csr_array) -> np.ndarray:
    """Return how many entries each column of a CSR matrix has, (d,)."""
    total = np.zeros(X.shape[1], dtype=np.int64)
    for start in range(0, X.nnz, _COUNTED):  # of all at once NumPy makes a copy of 64 bits each
        total += np.bincount(X.indices[start : start + _COUNTED], minlength=len(total))
    return total


def _entries_of_rows(X: sp.csr_array, columns: np.ndarray) -> np.ndarray:
    """Return how many entries of these columns, a mask, each row of a CSR matrix has, (n,)."""
    counts = np.empty(X.shape[0], dtype=np.int64)
    step = max(1, _COUNTED * X.shape[0] // max(X.nnz, 1))
    for start in range(0, X.shape[0], step):
        ends = X.indptr[start : start + step + 1]
        among = columns[X.indices[ends[0] : ends[-1]]]
        before = np.concatenate([[0], np.cumsum(among)])
        counts[start : start + step] = np.diff(before[ends - ends[0]])
    return counts


class PairProducts:
    """The contribution of each row to the entries of ``X' diag(w) X``.

    Parameters
    ----------
    X : CSR array of shape (n, d)
    fit_intercept : bool
        Whether a column of ones is the last feature.
    often : ndarray of bool of shape (d,)
        Features that are kept dense.
    """

    def __init__(self, X: sp.csr_array, fit_intercept: bool, often: np.ndarray):
        dense = X[:, np.flatnonzero(often)].toarray().astype(np.float64, copy=False)
        if fit_intercept:
            dense = np.concatenate([dense, np.ones((len(dense), 1))], 1)
        rest = sp.csr_array(X[:, np.flatnonzero(~often)], dtype=np.float64)
        rest.sum_duplicates()  # which also sorts each row
        self._dense = torch.from_numpy(np.ascontiguousarray(dense.T))  # features by rows
        self._rest = _tensor(rest.T.tocsr())
        self._few = torch.from_numpy(np.flatnonzero(~often))
        self._often = torch.from_numpy(np.flatnonzero(np.append(often, [True] * fit_intercept)))
        # For one vector at a time scipy's product is the fastest.
        self._pairs = _pairs(rest, self._few.numpy(), X.shape[1] + int(fit_intercept))

    def gram(self, weights: Tensor) -> Tensor:
        """Return the matrices of weights (g, n), (g, p, p) in float64."""
        few, often = self._few, self._often
        p = len(few) + len(often)
        out = torch.empty(len(weights), p, p, dtype=torch.float64)
        weighted = torch.empty_like(self._dense)
        for matrix, w in zip(out, weights.double().contiguous(), strict=True):
            half = torch.from_numpy(self._pairs @ w.numpy()).view(p, p)
            torch.add(half, half.T, out=matrix)
            torch.mul(self._dense, w, out=weighted)
            cross = self._rest @ weighted.T
            matrix[few[:, None], often] = cross
            matrix[often[:, None], few] = cross.T
            matrix[often[:, None], often] = self._dense @ weighted.T
        return out


def _pairs(X: sp.csr_array, place: np.ndarray, p: int) -> sp.csr_array:
    """Return the map of row weights to the entries above the diagonal, and half of those on it.

    Parameters
    ----------
    X : CSR array of shape (n, d)
        With sorted rows.
    place : ndarray of int of shape (d,)
        Where its features stand among the p of the matrix.
    p : int

    Returns
    -------
    CSR array of shape (p p, n)
    """
    each = np.diff(X.indptr)
    row = np.repeat(np.arange(X.shape[0], dtype=np.int32), each)
    column, value = place[X.indices], X.data
    entries, rows, products = [column * (p + 1)], [row], [0.5 * value**2]
    for apart in range(1, int(each.max(initial=0))):
        first = np.flatnonzero(row[:-apart] == row[apart:])
        second = first + apart
        entries.append(column[first] * p + column[second])
        rows.append(row[first])
        products.append(value[first] * value[second])
    index = np.concatenate(entries), np.concatenate(rows)
    pairs = sp.coo_array((np.concatenate(products), index), shape=(p * p, X.shape[0])).tocsr()
    pairs.sort_indices()
    return pairs


def _tensor(matrix: sp.csr_array) -> Tensor:
    places = (matrix.indptr, matrix.indices)
    rows, columns = (torch.from_numpy(np.asarray(i, np.int32)) for i in places)
    return csr_tensor(rows, columns, torch.from_numpy(matrix.data), matrix.shape)


def csr_tensor(rows: Tensor, columns: Tensor, values: Tensor, shape) -> Tensor:
    """Return a CSR tensor of what scipy made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls the layout a beta; scipy made it valid
        return torch.sparse_csr_tensor(rows, columns, values, shape)
