"""Sparse rows, never densified."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from skbamm.effort import gram_seconds, spend
from skbamm.folds.chunked import ChunkedRows, blocks, columns_of, weighted_gram
from skbamm.folds.chunks import threads_for_products
from skbamm.folds.draw import draw_rows
from skbamm.folds.pairs import PairCosts, PairProducts, count_entries, csr_tensor

_FEW_FEATURES = 256
_FREQUENT, _ROWS_EACH = 200, 20  # features that many rows have; rows for each feature to find them
_SQUARED = 1 << 13  # features at a time
_COPIED, _DENSE_ROWS = 0.25, 1024  # share of rows whose copies are small; rows made dense at a time
_CHUNK_ROWS = 32768  # few chunks, since each product has an overhead
# Keys under which the pairs of non-zeros and their costs are kept with the chunks.
_PAIRS, _COSTS = (-1, torch.float64), (-2, torch.float64)


class SparseRows(ChunkedRows):
    """A scipy CSR matrix that all folds share.

    Chunks of its rows are kept with their transposes as CSR tensors with 32-bit indices, the
    layout in which both products are fastest. On the CPU the chunks are X's own memory where it
    has that layout and precision.

    Parameters
    ----------
    X : scipy.sparse CSR array of shape (n, d)
    target, weights, fit_intercept, dtype
        As for ``DenseRows``.
    blocks : dict, optional
        Chunks of the same matrix by their first row and precision: more are added. Those of
        several precisions share their indices.
    """

    def __init__(self, X, target, weights, fit_intercept, dtype, blocks=None):
        self.X, self.target, self.weights = X, target, weights
        self.fit_intercept, self.dtype = fit_intercept, dtype
        self.n_rows, self.n_features = X.shape
        self.n_folds, self.device = weights.n_folds, weights.device
        self.n_coefficients = self.n_features + int(fit_intercept)
        self.train_total = weights.train_total
        self._blocks: dict[tuple[int, torch.dtype], Any] = {} if blocks is None else blocks

    def take(self, rows):
        """See ``Rows.take``."""
        index = torch.as_tensor(rows, device=self.device)
        some = SparseRows(
            self.X[rows], self.target[index], self.weights.take(rows), self.fit_intercept,
            self.dtype,
        )  # fmt: skip
        some.train_total = self.train_total
        return some

    def features(self, index):
        """See ``Rows.features``."""
        chosen = index[: len(index) - int(self.fit_intercept)].cpu().numpy()
        X = self.X[:, chosen]
        some = SparseRows(X, self.target, self.weights, self.fit_intercept, self.dtype)
        some.train_total = self.train_total
        return some

    def with_folds(self, weights):
        """Return the same rows, and their transposes, in other folds."""
        rows = super().with_folds(weights)
        rows.__dict__.pop("_most_frequent", None)  # some of it is of these folds
        return rows

    def diagonal(self, coefficients, function):
        """See ``Rows.diagonal``."""
        squares = SparseRows(self.X, self.target, self.weights, self.fit_intercept, self.dtype)
        for start, stop in self._ranges(0):
            block = self._plain(start, stop)
            squares._blocks[start, self.dtype] = _WithSquares(block.X, block.Xt)
        return squares.sweep(coefficients, lambda z, chunk: (function(z, chunk)[0], []))[0][0]

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``; worth its price for few features only."""
        _, S, K, m, p = coefficients.shape
        pairs = self._pair_products()
        if pairs is not None:
            return self._gram_of_pairs(pairs, coefficients, function, share)
        spend(gram_seconds(m * S * (1 if share else K), self.n_rows, p))
        flat = columns_of(coefficients, self.dtype)
        dense = torch.zeros(m, S, 1 if share else K, p, p, dtype=torch.float64)
        for start, stop in self._ranges(0):
            z = self._block(start, stop).predict(flat)
            chunk = self._chunk(start, stop, S)
            weights = function(blocks(z, coefficients.shape), chunk)[0][0].unflatten(2, (S, K))
            weights = weights.mean(3, keepdim=True) if share else weights
            block = self.X[start:stop]
            if self.n_features <= _FEW_FEATURES:
                self._add_gram(dense, block, weights.double())
                continue
            for index in np.ndindex(*weights.shape[1:]):
                w = weights[(slice(None), *index)].double().cpu().numpy()
                weighted = block.multiply(w[:, None]).tocsr()
                part = (weighted.T @ block).toarray()
                dense[index][: self.n_features, : self.n_features] += torch.as_tensor(part)
                if self.fit_intercept:
                    sums = torch.as_tensor(np.asarray(weighted.sum(0)).ravel())
                    dense[index][-1, :-1] += sums
                    dense[index][:-1, -1] += sums
                    dense[index][-1, -1] += w.sum()
        return dense.to(self.device).permute(1, 2, 0, 3, 4)

    @property
    def pair_costs(self):
        """The fastest way to compute Gram matrices, and its cost."""
        if _COSTS not in self._blocks:
            self._blocks[_COSTS] = PairCosts.of(self.X, self.fit_intercept)
        return self._blocks[_COSTS]

    def gram_seconds(self, matrices, rows):
        """See ``ChunkedRows.gram_seconds``; pairs of non-zeros are those of all rows."""
        costs = self.pair_costs
        return matrices * costs.seconds * (1.0 if costs.pays else rows / self.n_rows)

    def _pair_products(self):
        """Return the pairs of non-zeros, or None where they do not pay."""
        if self.device.type != "cpu" or not self.pair_costs.pays:
            return None
        if _PAIRS not in self._blocks:
            often = self.pair_costs.often
            self._blocks[_PAIRS] = PairProducts(self.X, self.fit_intercept, often)
        return self._blocks[_PAIRS]

    def _gram_of_pairs(self, products, coefficients, function, share):
        _, S, K, _, p = coefficients.shape
        parts = []

        def keep(z, chunk):
            weights = function(z, chunk)[0][0].unflatten(2, (S, K))  # (n, m, S, K)
            parts.append((weights.mean(3, keepdim=True) if share else weights).double())

        self.visit(coefficients, keep)
        weights = torch.cat(parts)
        flat = weights.flatten(1).T
        spend(len(flat) * self.pair_costs.seconds)
        gram = products.gram(flat).view(*weights.shape[1:], p, p)
        return gram.permute(1, 2, 0, 3, 4)

    def frequent_gram(self, coefficients, function):
        """See ``Rows.frequent_gram``."""
        index, rows, among, X = self._most_frequent
        _, S, K, m, _ = coefficients.shape
        spend(gram_seconds(m * S, X.shape[0], len(index)))
        weights = []

        def keep(z, chunk):
            weights.append(function(z, chunk)[0][0].unflatten(2, (S, K)).mean(3))

        (rows or self).visit(coefficients, keep)
        flat = torch.cat(weights).flatten(1)
        if rows is None:  # some stand for all
            flat = flat[among] * (self.n_rows / X.shape[0])
        flat = flat.T  # (m S, n)
        gram: Any = 0.0
        for start in range(0, X.shape[0], _DENSE_ROWS):
            part = torch.as_tensor(X[start : start + _DENSE_ROWS].toarray())
            part = part.to(self.device, self.dtype)
            if self.fit_intercept:
                part = torch.cat([part, part.new_ones(len(part), 1)], 1)
            gram = gram + weighted_gram(part, flat[:, start : start + _DENSE_ROWS]).double()
        return index[None], gram.view(m, S, 1, *[len(index)] * 2).permute(1, 2, 0, 3, 4)

    @cached_property
    def _most_frequent(self):
        """Which coefficients these are, enough of the rows, and their features.

        These hold most of what makes coefficients depend on each other: words that are in nearly
        all texts are nearly the intercept. Where a copy of the rows is not small beside X there
        are none but their places among all.
        """
        seen = count_entries(self.X)
        chosen = np.sort(np.argsort(-seen, kind="stable")[:_FREQUENT])
        among: slice | torch.Tensor = slice(None)
        rows, enough = None, _ROWS_EACH * len(chosen)
        drawn = np.arange(self.n_rows)
        if self.n_rows > enough:
            drawn = draw_rows(self.n_rows, enough)
            if enough <= _COPIED * self.n_rows:
                rows = self.take(drawn)
            else:
                among = torch.as_tensor(drawn, device=self.device)
        parts = [drawn[a : a + _DENSE_ROWS] for a in range(0, len(drawn), _DENSE_ROWS)]
        X = sp.vstack([self.X[part][:, chosen] for part in parts], format="csr")
        index = torch.as_tensor(chosen, device=self.device)
        if self.fit_intercept:
            index = torch.cat([index, index.new_tensor([self.n_features])])
        return index, rows, among, X

    def _add_gram(self, dense, block, weights):
        """Add the Gram matrices of some rows that have few features: densified they are fast."""
        X = torch.as_tensor(block.toarray(), dtype=torch.float64, device=self.device)
        if self.fit_intercept:
            X = torch.cat([X, X.new_ones(len(X), 1)], 1)
        dense += weighted_gram(X, weights.flatten(1).T).view(dense.shape).cpu()

    @property
    def entries(self):
        """See ``ChunkedRows.entries``."""
        return self.X.nnz

    def _ranges(self, columns):
        starts = range(0, self.n_rows, _CHUNK_ROWS)
        return [(start, min(start + _CHUNK_ROWS, self.n_rows)) for start in starts]

    def _over(self, columns, work):
        """One after the other: torch's own threads are faster for sparse matrices."""
        with threads_for_products():
            return [work(self._ranges(columns))]

    def _block(self, start, stop):
        block = self._plain(start, stop)
        return _WithIntercept(block) if self.fit_intercept else block

    def _plain(self, start, stop):
        """Return some rows without the intercept."""
        key = start, self.dtype
        if key not in self._blocks:
            like = next((b for (row, _), b in self._blocks.items() if row == start), None)
            rows = _some_rows(self.X, start, stop)
            X = self._tensor(rows, None if like is None else like.X)
            if like is not None and self.dtype is torch.float64 and self.device.type == "cpu":
                # For few passes a transpose in both precisions is not worth its memory.
                self._blocks[key] = _OneWay(X, rows, like.Xt)
                return self._blocks[key]
            # Of the tensor's memory, where that is the CPU's: a change of precision copies indices.
            there = self.device.type != "cpu"
            values = self._precise(rows).data if there else X.values().numpy()
            columns = sp.csr_array((values, rows.indices, rows.indptr), rows.shape).T.tocsr()
            Xt = self._tensor(columns, None if like is None else like.Xt)
            self._blocks[key] = _Block(X, Xt)
        return self._blocks[key]

    def _dense(self, start, stop):
        X = torch.as_tensor(self.X[start:stop].toarray())
        return X.to(self.device, self.dtype)

    def _precise(self, matrix):
        """Return a matrix in the working precision."""
        return matrix.astype(np.float32 if self.dtype is torch.float32 else np.float64, copy=False)

    def _tensor(self, matrix, like):
        """Return a matrix as a tensor, with the indices of one that is like it if there is one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # read-only memory maps: nothing here writes to X
            values = torch.as_tensor(matrix.data).to(self.device, self.dtype)
            if like is not None:
                return csr_tensor(like.crow_indices(), like.col_indices(), values, matrix.shape)
            parts = (np.asarray(i, dtype=np.int32) for i in (matrix.indptr, matrix.indices))
            rows, columns = (torch.from_numpy(part).to(self.device) for part in parts)
        return csr_tensor(rows, columns, values, matrix.shape)


class _Block:
    """Some rows, and their transpose."""

    def __init__(self, X, Xt):
        self.X, self.Xt = X, Xt

    def predict(self, coefficients):
        """See ``Block.predict``."""
        return (self.X @ coefficients.T.contiguous()).T.contiguous()

    def pull(self, flat):
        """See ``Block.pull``."""
        return (self.Xt @ flat.T.contiguous()).T


class _OneWay(_Block):
    """Some rows in double precision, and a transpose in single precision.

    Its products with the transpose are scipy's, by columns.
    """

    def __init__(self, X, rows, Xt):
        super().__init__(X, Xt)
        self._columns = rows.T

    def pull(self, flat):
        """See ``Block.pull``."""
        return torch.from_numpy(self._columns @ flat.T.contiguous().numpy()).T


class _WithSquares(_Block):
    """Some rows, and the squares of what their transpose has, made some at a time."""

    def pull(self, flat):
        """See ``Block.pull``."""
        Xt, right = self.Xt, flat.T.contiguous()
        rows, columns, values = Xt.crow_indices(), Xt.col_indices(), Xt.values()
        out = right.new_empty(Xt.shape[0], right.shape[1])
        for begin in range(0, Xt.shape[0], _SQUARED):
            end = min(begin + _SQUARED, Xt.shape[0])
            part = rows[begin : end + 1]
            first, last = int(part[0]), int(part[-1])
            squares = csr_tensor(
                part - first, columns[first:last], values[first:last].to(right) ** 2,
                (end - begin, Xt.shape[1]),
            )  # fmt: skip
            out[begin:end] = squares @ right
        return out.T


class _WithIntercept:
    """Some rows with ones for an intercept, which are not stored."""

    def __init__(self, block):
        self.block = block

    def predict(self, coefficients):
        """See ``Block.predict``."""
        return self.block.predict(coefficients[:, :-1]).add_(coefficients[:, -1:])

    def pull(self, flat):
        """See ``Block.pull``."""
        # Coefficients lie innermost in memory: what is done with them then runs along vectors.
        out = flat.new_empty(len(flat), self.block.Xt.shape[0] + 1)
        out[:, :-1] = self.block.pull(flat)
        out[:, -1] = flat.sum(1)
        return out


def _some_rows(X, start, stop):
    """Return rows of a CSR matrix that follow each other, in its own memory."""
    first, last = X.indptr[start], X.indptr[stop]
    parts = X.data[first:last], X.indices[first:last], X.indptr[start : stop + 1] - first
    return sp.csr_array(parts, (stop - start, X.shape[1]))
