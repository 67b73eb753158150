"""Sparse rows, never densified."""

from __future__ import annotations

import numpy as np
import torch

from skbamm.folds.rows import Chunk, _add

_CHUNK_ENTRIES = 1 << 24  # predictors of a chunk: few chunks, since each product has a price


class SparseRows:
    """A scipy CSR matrix that all folds share.

    Chunks of its rows are kept with their transposes as CSR tensors with 32-bit indices, the
    layout in which both products are fastest.

    Parameters
    ----------
    X : scipy.sparse CSR array of shape (n, d)
    target, weights, fit_intercept, dtype
        As for ``DenseRows``.
    """

    def __init__(self, X, target, weights, fit_intercept, dtype):
        self.X, self.target, self.weights = X, target, weights
        self.fit_intercept, self.dtype = fit_intercept, dtype
        self.n_rows, self.n_features = X.shape
        self.n_folds, self.device = weights.n_folds, weights.device
        self.n_coefficients = self.n_features + int(fit_intercept)
        self._blocks: list | None = None

    @property
    def train_total(self):
        """See ``Rows.train_total``."""
        return self.weights.train_total

    def sweep(self, coefficients, function):
        """See ``Rows.sweep``."""
        r, S, K, m, _ = coefficients.shape
        flat = coefficients.reshape(-1, self.n_coefficients).to(self.dtype)
        slopes = flat[:, : self.n_features].T.contiguous()
        products, sums = None, None
        for start, stop, X, Xt in self._chunks():
            z = X @ slopes
            if self.fit_intercept:
                z += flat[:, self.n_features]
            train, validation = self.weights.chunk(start, stop, self.dtype)
            chunk = Chunk(self.target[start:stop].to(self.dtype), train, validation)
            back, parts = function(z.view(-1, r, S, K, m), chunk)
            back = back.reshape(back.shape[0], -1).contiguous()
            product = (Xt @ back).T
            if self.fit_intercept:
                product = torch.cat([product, back.sum(0)[:, None]], 1)
            products = _add(products, product)
            sums = parts if sums is None else tuple(map(_add, sums, parts))
        products = products.reshape(-1, S, K, m, self.n_coefficients)
        return products, tuple(s.double() for s in sums)

    def diagonal(self, coefficients, function):
        """See ``Rows.diagonal``."""
        squares = SparseRows(self.X, self.target, self.weights, self.fit_intercept, self.dtype)
        squares._blocks = [
            (start, stop, X, _squared(Xt)) for start, stop, X, Xt in self._chunks()
        ]
        return squares.sweep(coefficients, lambda z, chunk: (function(z, chunk)[0], ()))[0][0]

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``; worth its price for few features only."""
        _, S, K, m, _ = coefficients.shape
        p, kept = self.n_coefficients, []

        def keep(z, chunk):
            weights = function(z, chunk)[0]
            kept.append(weights[:, 0].mean(2, keepdim=True) if share else weights[:, 0])
            return weights, ()

        self.sweep(coefficients, keep)
        dense = torch.zeros(*kept[0].shape[1:], p, p, dtype=torch.float64, device=self.device)
        for (start, stop, *_), weights in zip(self._chunks(), kept, strict=True):
            block = self.X[start:stop]
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
        return dense

    def _chunks(self):
        if self._blocks is None:
            size = max(1024, _CHUNK_ENTRIES // 64)
            self._blocks = []
            for start in range(0, self.n_rows, size):
                stop = min(start + size, self.n_rows)
                block = self.X[start:stop]
                pair = (self._tensor(block), self._tensor(block.T.tocsr()))
                self._blocks.append((start, stop, *pair))
        return self._blocks

    def _tensor(self, matrix):
        values = torch.as_tensor(matrix.data).to(self.dtype)
        parts = [np.asarray(i, dtype=np.int32) for i in (matrix.indptr, matrix.indices)]
        tensor = torch.sparse_csr_tensor(
            torch.from_numpy(parts[0]), torch.from_numpy(parts[1]), values, matrix.shape
        )
        return tensor.to(self.device)


def _squared(matrix):
    return torch.sparse_csr_tensor(
        matrix.crow_indices(), matrix.col_indices(), matrix.values() ** 2, matrix.shape
    )
