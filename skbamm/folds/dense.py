"""A dense matrix that all folds share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from skbamm.effort import METER, gram_seconds, spend
from skbamm.folds.chunked import (
    WORK,
    ChunkedRows,
    DenseBlock,
    blocks,
    columns_of,
    join,
    weighted_gram,
)
from skbamm.folds.chunks import ALONE, chunk_ranges, over_chunks
from skbamm.folds.draw import draw_rows
from skbamm.folds.weights import FoldWeights

_TAKEN = 1024  # rows that are taken and converted at a time


class DenseRows(ChunkedRows):
    """A dense matrix that all folds share.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        In any float or integer dtype; neither copied nor changed.
    target : Tensor of shape (n, ...)
    weights : FoldWeights
    fit_intercept : bool
    dtype : torch.dtype
        Working precision.
    """

    def __init__(self, X, target, weights, fit_intercept, dtype):
        self.X, self.target, self.weights = X, target, weights
        self.fit_intercept, self.dtype = fit_intercept, dtype
        self.n_rows, self.n_features = X.shape
        self.n_folds, self.device = weights.n_folds, X.device
        self.n_coefficients = self.n_features + int(fit_intercept)
        self.train_total = weights.train_total
        self._index: Tensor | None = None  # which rows of X these are, if not all
        self._some: tuple[FoldWeights, DenseRows] | None = None  # the last sample, and of which
        self._right: Callable[[Tensor], Tensor] | None = None  # entrywise map of X in X'

    @cached_property
    def products(self) -> Tensor:
        """Inner products of the rows, ``X X'``, (n, n) in float64."""
        X = self.X.double()
        return X @ X.T

    @property
    def _copied_features(self):
        plain = self.X.dtype == self.dtype and self._index is None and self._right is None
        return 0 if plain else self.n_features

    @property
    def _n_bytes(self):
        return self.X.nbytes

    def take(self, rows):
        """See ``Rows.take``."""
        index = torch.as_tensor(rows, device=self.device)
        X = torch.empty(len(rows), self.n_features, dtype=self.dtype, device=self.device)
        for part, chosen in zip(X.split(_TAKEN), index.split(_TAKEN), strict=True):
            part.copy_(self.X[chosen])
        weights = self.weights.take(rows)
        some = DenseRows(X, self.target[index], weights, self.fit_intercept, self.dtype)
        some.train_total = self.train_total
        return some

    def features(self, index):
        """See ``Rows.features``."""
        X = self.X[:, index[: len(index) - int(self.fit_intercept)]]
        some = DenseRows(X, self.target, self.weights, self.fit_intercept, self.dtype)
        some.train_total = self.train_total
        return some

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``."""
        if limit < self.n_rows:
            return self._sample(limit).gram(coefficients, function, share, limit)
        _, S, K, m, _ = shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        d, p = self.n_features, self.n_coefficients
        width = 1 if share else K
        if METER.get() is not None:
            spend(gram_seconds(m * S * width, self.n_rows, p))

        def work(ranges):
            total = torch.zeros(m * S * width, p, p, dtype=torch.float64, device=self.device)
            for part in ranges:
                add(total, *part)
            return total

        def add(total, start, stop):  # only one chunk is held at a time
            block = self._block(start, stop)
            z, X = block.predict(flat), block.X
            weights = function(blocks(z, shape), self._chunk(start, stop, S))[0][0]
            if share:
                weights = weights.unflatten(2, (S, K)).mean(3)
            weights = join([weights])
            total[:, :d, :d] += weighted_gram(X, weights)
            if self.fit_intercept:
                total[:, :d, d] += weights @ X
                total[:, d, d] += weights.sum(1)

        numbers = d + max(WORK * len(flat), d)
        if self.n_rows * numbers <= ALONE:
            total = work([(0, self.n_rows)])
        else:
            ranges = chunk_ranges(self.n_rows, numbers, self.device, least=2 * d)
            total = sum(over_chunks(ranges, self.device, work))
        if self.fit_intercept:
            total[:, d, :d] = total[:, :d, d]
        return total.view(m, S, width, p, p).permute(1, 2, 0, 3, 4)

    def _sample(self, count):
        """Return ``count`` of the rows, for single passes: they are gathered a chunk at a time."""
        if self._some is not None:
            weights, some = self._some
            if weights is self.weights and some.n_rows == count:
                return some
        rows = draw_rows(self.n_rows, count)
        some = copy.copy(self)
        some.n_rows, some._index = count, torch.as_tensor(rows, device=self.device)
        some.target, some.weights = self.target[some._index], self.weights.take(rows)
        self._some = self.weights, some
        return some

    def diagonal(self, coefficients, function):
        """See ``Rows.diagonal``."""
        squares = DenseRows(self.X, self.target, self.weights, self.fit_intercept, self.dtype)
        squares._right = torch.square
        return squares.sweep(coefficients, lambda z, chunk: (function(z, chunk)[0], []))[0][0]

    def _block(self, start, stop):
        rows = slice(start, stop) if self._index is None else self._index[start:stop]
        return DenseBlock(self.X[rows].to(self.dtype), self.fit_intercept, self._right)

    def _dense(self, start, stop):
        return self._block(start, stop).X
