"""The data matrix as the solvers see it: products with X and its transpose, in one pass.

A *pass* multiplies X by the coefficients of all columns, hands the predictors to a function of
the rows, and multiplies what that returns by X transposed, chunk by chunk of the rows, so that
predictors never leave the cache and X is never copied: it is converted to the working precision
a chunk at a time, which costs next to nothing beside the products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from skbamm.folds.chunks import chunk_ranges, over_chunks

_WORK = 6  # numbers that a function of the rows makes of each predictor, about
_TAKEN = 1024  # rows that are taken and converted at a time


@dataclass(frozen=True)
class Chunk:
    """What a pass knows of some rows.

    Attributes
    ----------
    target : Tensor of shape (n, ...)
    train, validation : Tensor of shape (n, C)
        Weights of every column, which sum to one over all rows of a fold.
    """

    target: Tensor
    train: Tensor
    validation: Tensor


RowFunction = Callable[[list[Tensor], Chunk], tuple[list[Tensor], list[Tensor]]]


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

    def sweep(self, coefficients: Tensor, function: RowFunction) -> tuple[Tensor, list[Tensor]]:
        """Return ``X' function(X coefficients)`` and what the function sums, in one pass.

        Parameters
        ----------
        coefficients : Tensor of shape (r, S, K, m, p)
        function : callable
            Maps the r predictors of some rows, each (n, m, C) with C = S K columns, and a Chunk
            to a list of r' Tensors (n, m, C) and a list of Tensors (n, C) to be summed over the
            rows.

        Returns
        -------
        products : Tensor of shape (r', S, K, m, p), float64
        sums : list of Tensor of shape (S, K), float64
        """
        ...

    def gram(self, coefficients: Tensor, function: RowFunction, share: bool, limit: int) -> Tensor:
        """Return ``X' diag(weights) X`` for the weights that ``function`` makes of predictors.

        Parameters
        ----------
        coefficients : Tensor of shape (1, S, K, m, p)
        function : callable
            As in ``sweep``; what it returns first are the weights (n, m, C).
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

    def take(self, rows: np.ndarray) -> Rows:
        """Return some of the rows. ``train_total`` stays: the penalty weighs what it did."""
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
        self.train_total = weights.train_total
        self._right: Callable[[Tensor], Tensor] | None = None  # entrywise map of X in X'

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

    def sweep(self, coefficients, function):
        """See ``Rows.sweep``."""
        shape = coefficients.shape
        slopes, intercepts = split_columns(coefficients, self)

        def work(ranges):
            total = Totals(self.fit_intercept)
            for start, stop in ranges:
                X = self.X[start:stop].to(self.dtype)
                z = X @ slopes if intercepts is None else torch.addmm(intercepts, X, slopes)
                back, sums = function(blocks(z, shape), make_chunk(self, start, stop, shape[1]))
                flat = join(back)
                total.add(flat.T @ (X if self._right is None else self._right(X)), flat, sums)
            return total

        ranges = chunk_ranges(self.n_rows, self.n_features + _WORK * slopes.shape[1])
        return merge(over_chunks(ranges, self.device, work)).result(shape)

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``."""
        _, S, K, m, _ = shape = coefficients.shape
        slopes, intercepts = split_columns(coefficients, self)
        d, p = self.n_features, self.n_coefficients
        width = 1 if share else K

        def work(ranges):
            total = torch.zeros(m * S * width, p, p, dtype=torch.float64, device=self.device)
            for start, stop in ranges:
                X = self.X[start:stop].to(self.dtype)
                z = X @ slopes if intercepts is None else torch.addmm(intercepts, X, slopes)
                weights = function(blocks(z, shape), make_chunk(self, start, stop, S))[0][0]
                if share:
                    weights = weights.view(-1, m, S, K).mean(3)
                weights = weights.reshape(weights.shape[0], -1)
                total[:, :d, :d] += _weighted_gram(X, weights)
                if self.fit_intercept:
                    total[:, :d, d] += weights.T @ X
                    total[:, d, d] += column_sums(weights)
            return total

        stride = max(1, self.n_rows // max(limit, 1))
        ranges = chunk_ranges(self.n_rows, d + max(_WORK * slopes.shape[1], d), stride)
        total = sum(over_chunks(ranges, self.device, work))
        if self.fit_intercept:
            total[:, d, :d] = total[:, :d, d]
        seen = sum(stop - start for start, stop in ranges)
        total *= self.n_rows / seen
        return total.view(m, S, width, p, p).permute(1, 2, 0, 3, 4)

    def diagonal(self, coefficients, function):
        """See ``Rows.diagonal``."""
        squares = DenseRows(self.X, self.target, self.weights, self.fit_intercept, self.dtype)
        squares._right = torch.square
        return squares.sweep(coefficients, lambda z, chunk: (function(z, chunk)[0], []))[0][0]


def make_chunk(rows, start: int, stop: int, starts: int) -> Chunk:
    """Return what a pass knows of rows start to stop, for this number of starts."""
    train, validation = rows.weights.chunk(start, stop, rows.dtype)
    target = rows.target[start:stop].to(rows.dtype)
    return Chunk(target, train.repeat(1, starts), validation.repeat(1, starts))


def split_columns(coefficients: Tensor, rows) -> tuple[Tensor, Tensor | None]:
    """Return slopes (d, r m C) and intercepts (r m C), in the order of the predictors."""
    flat = coefficients.permute(0, 3, 1, 2, 4).reshape(-1, rows.n_coefficients).to(rows.dtype)
    slopes = flat[:, : rows.n_features].T.contiguous()
    return slopes, flat[:, rows.n_features].contiguous() if rows.fit_intercept else None


def blocks(z: Tensor, shape: torch.Size) -> list[Tensor]:
    """Cut predictors (n, r m C) into r contiguous ones (n, m, C)."""
    r, S, K, m, _ = shape
    if r == 1:
        return [z.view(-1, m, S * K)]
    return [z[:, i * m * S * K : (i + 1) * m * S * K].reshape(-1, m, S * K) for i in range(r)]


def join(back: list[Tensor]) -> Tensor:
    """Put what a row function returned beside each other, (n, r' m C)."""
    flat = [part.reshape(part.shape[0], -1) for part in back]
    return flat[0] if len(flat) == 1 else torch.cat(flat, 1)


def column_sums(matrix: Tensor) -> Tensor:
    """Sum over the rows: as a product, which is much faster than a reduction."""
    return matrix.new_ones(matrix.shape[0]) @ matrix


class Totals:
    """Adds up the chunks of a pass, in float64."""

    def __init__(self, fit_intercept: bool):
        self.fit_intercept = fit_intercept
        self.products: Tensor | None = None
        self.sums: list[Tensor] | None = None

    def add(self, product: Tensor, flat: Tensor, sums: list[Tensor]) -> None:
        """Add a chunk's ``X' flat``, transposed, and the sums over its rows."""
        if self.fit_intercept:
            product = torch.cat([product, column_sums(flat)[:, None]], 1)
        sums = [column_sums(part) for part in sums]
        if self.products is None or self.sums is None:
            self.products, self.sums = product.double(), [part.double() for part in sums]
            return
        self.products += product
        for total, part in zip(self.sums, sums, strict=True):
            total += part

    def result(self, shape: torch.Size) -> tuple[Tensor, list[Tensor]]:
        """Return products (r', S, K, m, p) and sums (S, K)."""
        assert self.products is not None and self.sums is not None
        _, S, K, m, p = shape
        products = self.products.view(-1, m, S, K, p).permute(0, 2, 3, 1, 4).contiguous()
        return products, [part.view(S, K) for part in self.sums]


def merge(totals: list[Totals]) -> Totals:
    """Add up what several threads found."""
    first, *others = totals
    for other in others:
        assert first.products is not None and other.products is not None
        assert first.sums is not None and other.sums is not None
        first.products += other.products
        for total, part in zip(first.sums, other.sums, strict=True):
            total += part
    return first


def _weighted_gram(X, weights):
    """``X' diag(w) X`` for each column w, (g, d, d)."""
    n, d = X.shape
    if n * d * weights.shape[1] <= 1 << 20:  # small: one batched product
        weighted = X.T[None] * weights.T[:, None, :]
        return weighted @ X
    return torch.stack([(X * w[:, None]).T @ X for w in weights.T])
