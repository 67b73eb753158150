"""Rows that differ between the folds and are few: all folds in one batch of products."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from skbamm.effort import gram_seconds, spend
from skbamm.folds.chunked import ChunkedRows, blocks, columns_of, join
from skbamm.folds.dense import DenseRows
from skbamm.folds.foldwise import FoldwiseRows
from skbamm.folds.joint import is_batched, whole_joint_gram, with_ones


class StackedRows(ChunkedRows):
    """A dense matrix a fold, stacked: where there are few rows, calls cost more than numbers.

    All folds have their rows in the user's order, so that target and weights are as for rows
    that the folds share; rows that a fold has not, weigh nothing there.

    Parameters
    ----------
    X : Tensor of shape (K, n, d)
    target : Tensor of shape (n, ...)
    weights : FoldWeights
        Of all folds.
    fit_intercept : bool
    dtype : torch.dtype
        Working precision.
    """

    def __init__(self, X, target, weights, fit_intercept, dtype):
        self.X, self.target, self.weights = X.to(dtype), target, weights
        self.fit_intercept, self.dtype = fit_intercept, dtype
        self.n_folds, self.n_rows, self.n_features = X.shape
        self.device = X.device
        self.n_coefficients = self.n_features + int(fit_intercept)
        self.train_total = weights.train_total

    @cached_property
    def products(self) -> Tensor:
        """Inner products of each fold's rows, (K, n, n) in float64."""
        X = self.X.double()
        return X @ X.mT

    @property
    def matrices(self) -> list[DenseRows]:
        """See ``Rows.matrices``."""
        return self.folds

    @property
    def folds(self) -> list[DenseRows]:
        """Each fold's rows alone."""
        return [
            DenseRows(X, self.target, self.weights.fold(k), self.fit_intercept, self.dtype)
            for k, X in enumerate(self.X)
        ]

    def take(self, rows):
        """See ``Rows.take``."""
        index = torch.as_tensor(rows, device=self.device)
        return self._like(self.X[:, index], self.target[index], self.weights.take(rows))

    def features(self, index):
        """See ``Rows.features``."""
        some = self.X[..., index[: len(index) - int(self.fit_intercept)]]
        return self._like(some, self.target, self.weights)

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``; the folds cannot share a matrix, and the rows are few."""
        _, S, K, m, p = shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        z = blocks(self._block(0, self.n_rows).predict(flat), shape)
        weights = function(z, self._chunk(0, self.n_rows, S))[0][0]
        weights = join([weights]).view(m, S, K, 1, -1)
        d, X = self.n_features, self.X
        spend(gram_seconds(m * S * K, self.n_rows, p))
        total = torch.empty(m, S, K, p, p, dtype=torch.float64, device=self.device)
        for part, w in zip(total.flatten(0, 1), weights.flatten(0, 1), strict=True):
            part[..., :d, :d] = (X.mT * w) @ X
        if self.fit_intercept:
            total[..., d, :d] = total[..., :d, d] = (weights @ X)[..., 0, :]
            total[..., d, d] = weights.sum(-1, dtype=torch.float64)[..., 0]
        return total.permute(1, 2, 0, 3, 4)

    def joint_gram(self, coefficients, function, entries, known, maps=None):
        """See ``Rows.joint_gram``."""
        _, S, K, m, p = shape = coefficients.shape
        if known == 0 and len(entries) == m * p and is_batched(self.n_rows, p, m, K):
            spend(gram_seconds(S * K, self.n_rows, m * p))
            flat = columns_of(coefficients, self.dtype)
            z = blocks(self._block(0, self.n_rows).predict(flat), shape)
            hessian = function(z, self._chunk(0, self.n_rows, S))[0]
            return whole_joint_gram(with_ones(self.X, self.fit_intercept), hessian, S)
        return FoldwiseRows(self.folds).joint_gram(coefficients, function, entries, known)

    def diagonal(self, coefficients, function):
        """Return the diagonal of ``gram``."""
        gram = self.gram(coefficients, function, False, self.n_rows)
        return gram.diagonal(dim1=-2, dim2=-1)

    def _like(self, X: Tensor, target: Tensor, weights) -> StackedRows:
        some = StackedRows(X, target, weights, self.fit_intercept, self.dtype)
        some.train_total = self.train_total
        return some

    def _over(self, columns, work):
        return [work([(0, self.n_rows)])]

    def _block(self, start, stop):
        return _Block(self.X, self.fit_intercept)


class _Block:
    """The rows of all folds."""

    def __init__(self, X: Tensor, fit_intercept: bool):
        self.X, self.fit_intercept = X, fit_intercept

    def predict(self, coefficients):
        """See ``Block.predict``."""
        slopes = coefficients[:, :-1] if self.fit_intercept else coefficients
        z = (self._by_fold(slopes) @ self.X.mT).transpose(0, 1).reshape(len(slopes), -1)
        return z.add_(coefficients[:, -1:]) if self.fit_intercept else z

    def pull(self, flat):
        """See ``Block.pull``."""
        product = (self._by_fold(flat) @ self.X).transpose(0, 1).reshape(len(flat), -1)
        return torch.cat([product, flat.sum(1, keepdim=True)], 1) if self.fit_intercept else product

    def _by_fold(self, flat: Tensor) -> Tensor:
        """Return columns (r m S K, ...) as (K, r m S, ...)."""
        return flat.unflatten(0, (-1, len(self.X))).transpose(0, 1)
