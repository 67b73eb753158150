"""The data matrix as the solvers see it: products with X and its transpose, in one pass.

A *pass* multiplies X by the coefficients of all columns, hands the predictors to a function of
the rows, and multiplies what that returns by X transposed, chunk by chunk of the rows, so that
predictors never leave the cache and X is never copied: it is converted to the working precision
a chunk at a time, which costs next to nothing beside the products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from skbamm.folds.weights import FoldWeights


@dataclass(frozen=True)
class Chunk:
    """What a pass knows of some rows.

    Attributes
    ----------
    target : Tensor of shape (n, ...)
    train, validation : Tensor of shape (n, K)
        Weights, which sum to one over all rows of a fold.
    """

    target: Tensor
    train: Tensor
    validation: Tensor


RowFunction = Callable[[Tensor, Chunk], tuple[Tensor, tuple[Tensor, ...]]]


class Rows(Protocol):
    """A data matrix with p = d (+ 1 with an intercept) columns, its target and its folds."""

    n_rows: int
    n_folds: int
    n_coefficients: int
    fit_intercept: bool
    device: torch.device
    dtype: torch.dtype

    @property
    def train_total(self) -> Tensor:
        """Sum of the training weights of each fold, shape (K,), float64."""
        ...

    def sweep(
        self, coefficients: Tensor, function: RowFunction
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return ``X' function(X coefficients)`` and what the function sums, in one pass.

        Parameters
        ----------
        coefficients : Tensor of shape (r, S, K, m, p)
        function : callable
            Maps predictors (n, r, S, K, m) and a Chunk to a Tensor (n, r', S, K, m) and a
            tuple of sums over the rows, each of shape (..., K).

        Returns
        -------
        products : Tensor of shape (r', S, K, m, p), float64
        sums : tuple of Tensor, float64
        """
        ...

    def gram(
        self, coefficients: Tensor, function: RowFunction, share: bool, limit: int
    ) -> Tensor:
        """Return ``X' diag(weights) X`` for the weights that ``function`` makes of predictors.

        Parameters
        ----------
        coefficients : Tensor of shape (1, S, K, m, p)
        function : callable
            As in ``sweep``; its first value are the weights (n, 1, S, K, m).
        share : bool
            Average the weights over the folds.
        limit : int
            Use about this many rows, evenly spread, if there are more.

        Returns
        -------
        Tensor of shape (S, 1 if share else K, m, p, p), float64
        """
        ...

    def diagonal(self, coefficients: Tensor, function: RowFunction) -> Tensor:
        """Return the diagonals of ``gram`` without sharing or limit, (S, K, m, p)."""
        ...


class DenseRows:
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
        self._right: Callable[[Tensor], Tensor] | None = None  # entrywise map of X in X'

    @property
    def train_total(self):
        """See ``Rows.train_total``."""
        return self.weights.train_total

    def sweep(self, coefficients, function):
        """See ``Rows.sweep``."""
        r, S, K, m, _ = coefficients.shape
        flat = coefficients.reshape(-1, self.n_coefficients).to(self.dtype)
        slopes = flat[:, : self.n_features].T.contiguous()
        intercepts = flat[:, self.n_features] if self.fit_intercept else None
        products, sums = None, None
        for X, chunk in self._chunks(flat.shape[0]):
            z = torch.addmm(intercepts, X, slopes) if self.fit_intercept else X @ slopes
            back, parts = function(z.view(-1, r, S, K, m), chunk)
            back = back.reshape(back.shape[0], -1)
            product = back.T @ (X if self._right is None else self._right(X))
            if self.fit_intercept:
                product = torch.cat([product, back.sum(0)[:, None]], 1)
            products = _add(products, product)
            sums = parts if sums is None else tuple(map(_add, sums, parts))
        products = products.view(-1, S, K, m, self.n_coefficients)
        return products, tuple(s.double() for s in sums)

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``."""
        _, S, K, m, _ = coefficients.shape
        flat = coefficients.reshape(-1, self.n_coefficients).to(self.dtype)
        slopes = flat[:, : self.n_features].T.contiguous()
        d, p = self.n_features, self.n_coefficients
        groups = S * m * (1 if share else K)
        total = torch.zeros(groups, p, p, dtype=torch.float64, device=self.device)
        stride = max(1, self.n_rows // max(limit, 1))
        for X, chunk in self._chunks(max(flat.shape[0], d), stride):
            z = X @ slopes
            if self.fit_intercept:
                z = z + flat[:, d]
            weights, _ = function(z.view(-1, 1, S, K, m), chunk)
            weights = weights[:, 0]
            weights = weights.mean(2, keepdim=True) if share else weights
            weights = weights.reshape(weights.shape[0], groups)
            total[:, :d, :d] += _weighted_gram(X, weights)
            if self.fit_intercept:
                total[:, :d, d] += weights.T @ X
                total[:, d, d] += weights.sum(0)
        if self.fit_intercept:
            total[:, d, :d] = total[:, :d, d]
        return (stride * total).view(S, 1 if share else K, m, p, p)

    def diagonal(self, coefficients, function):
        """See ``Rows.diagonal``."""
        squares = DenseRows(self.X, self.target, self.weights, self.fit_intercept, self.dtype)
        squares._right = torch.square
        return squares.sweep(coefficients, lambda z, chunk: (function(z, chunk)[0], ()))[0][0]

    def _chunks(self, width: int, stride: int = 1) -> Iterator[tuple[Tensor, Chunk]]:
        size = chunk_rows(self.n_features + 2 * width)
        for start in range(0, self.n_rows, size * stride):
            stop = min(start + size, self.n_rows)
            train, validation = self.weights.chunk(start, stop, self.dtype)
            target = self.target[start:stop].to(self.dtype)
            yield self.X[start:stop].to(self.dtype), Chunk(target, train, validation)


def chunk_rows(width: int) -> int:
    """Rows whose share of a pass, ``width`` numbers a row, about fills the cache."""
    return max(256, min(8192, (1 << 20) // max(width, 1)))


def _add(total, part):
    return part.double() if total is None else total + part


def _weighted_gram(X, weights):
    """``X' diag(w) X`` for each column w, (g, d, d)."""
    n, d = X.shape
    if n * d * weights.shape[1] <= 1 << 20:  # small: one batched product
        weighted = X.T[None] * weights.T[:, None, :]
        return weighted @ X
    return torch.stack([(X * w[:, None]).T @ X for w in weights.T])
