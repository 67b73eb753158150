"""The data matrix as the solvers see it: products with X and its transpose, in one pass.

A *pass* multiplies X by the coefficients of all columns, hands the predictors to a function of
the rows, and multiplies what that returns by X transposed, chunk by chunk of the rows, so that
predictors never leave the cache and X is never copied: it is converted to the working precision
a chunk at a time, which costs next to nothing beside the products.
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from skbamm.effort import gram_seconds, pass_seconds, spend
from skbamm.folds.chunks import Range, over_chunks
from skbamm.folds.passes import Totals, blocks, columns_of, join, merge
from skbamm.folds.weights import FoldWeights


@dataclass(frozen=True)
class Chunk:
    """What a pass knows of some rows.

    Attributes
    ----------
    target : Tensor of shape (n, ...)
    train, validation : Tensor of shape (n, C)
        Weights of every column, which sum to one over all rows of a fold.
    kept : Tensor of shape (n, m, C) or None
        What ``Rows.keep`` kept of these rows, or room for it.
    rows : slice or Tensor of int of shape (n,)
        Which of the user's rows these are.
    folds : slice
        Whose columns these are, of each start.
    """

    target: Tensor
    train: Tensor
    validation: Tensor
    kept: Tensor | None = None
    rows: Any = None
    folds: Any = None


RowFunction = Callable[[list[Tensor], Chunk], tuple[list[Tensor], list[Tensor]]]
Kept = list[Tensor]  # each (rows, m, S, K or 1), one for every matrix that the folds have


class Rows(Protocol):
    """A data matrix with p = d (+ 1 with an intercept) columns, its target and its folds."""

    n_rows: int
    n_folds: int
    n_features: int
    n_coefficients: int
    fit_intercept: bool
    device: torch.device
    dtype: torch.dtype

    @property
    def target_mean(self) -> float:
        """Mean of the target over all rows and outputs, whatever they weigh."""
        ...

    @property
    def train_total(self) -> Tensor:
        """Sum of the training weights of each fold, shape (K,), float64."""
        ...

    @property
    def train_rows(self) -> Tensor:
        """Number of training rows of each fold, shape (K,), float64."""
        ...

    def sweep(
        self, coefficients: Tensor, function: RowFunction, kept: Kept | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return ``X' function(X coefficients)`` and what the function sums, in one pass.

        Parameters
        ----------
        coefficients : Tensor of shape (r, S, K, m, p)
        function : callable
            Maps the r predictors of some rows, each (n, m, C) with C = S K columns, and a Chunk
            to a list of r' Tensors (n, m, C), which may be empty, and a list of Tensors (n, C) to
            be summed over the rows. It may write what it returns in the predictors' place: where
            it has done so with all of them, nothing is copied.
        kept : list of Tensor, optional
            What ``keep`` returned, which the function finds in its chunks; or what ``room`` did,
            which it fills.

        Returns
        -------
        products : Tensor of shape (r', S, K, m, p)
            In float64, or where one chunk holds all rows in the working precision.
        sums : list of Tensor of shape (S, K), float64
        """
        ...

    def keep(self, coefficients: Tensor, function: Callable[[Tensor, Chunk], Tensor]) -> Kept:
        """Return a function of the predictors of all rows, for passes to come.

        Parameters
        ----------
        coefficients : Tensor of shape (1, S, K, m, p)
        function : callable
            Maps predictors (n, m, C) and a Chunk to a Tensor of the shape of the predictors.
        """
        ...

    def room(self, coefficients: Tensor) -> Kept:
        """Return room for what a pass keeps of these predictors; ``sweep`` hands it on."""
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

    def joint_gram(
        self, coefficients: Tensor, function: RowFunction, entries: Tensor, known: int
    ) -> Tensor:
        """Return rows and columns of the matrix ``sum_i H_i (x) x_i x_i'``: it couples outputs.

        Parameters
        ----------
        coefficients : Tensor of shape (1, S, K, m, p)
        function : callable
            As in ``sweep``; what it returns first are the m columns of H, each (n, m, C).
        entries : Tensor of int of shape (f,)
            Which coefficients, by their place among the m p of a column; first those that are
            known, then others, both in order.
        known : int
            So many columns are not needed.

        Returns
        -------
        Tensor of shape (S, K, f, f - known), float64
        """
        ...

    def diagonal(self, coefficients: Tensor, function: RowFunction) -> Tensor:
        """Return the diagonals of ``gram`` without sharing or limit, (S, K, m, p)."""
        ...

    def frequent_gram(
        self, coefficients: Tensor, function: RowFunction
    ) -> tuple[Tensor, Tensor] | None:
        """Return which coefficients many rows have, and ``gram`` of these from enough of the rows.

        None where all features are in all rows.

        Returns
        -------
        index : Tensor of int of shape (1 or K, f)
            The intercept, if any, is last.
        gram : Tensor of shape (S, 1 or K, m, f, f), float64
            One for all folds where these have the same index.
        """
        ...

    def totals(self, function: Callable[[Chunk], Tensor]) -> Tensor:
        """Return what a function of chunks (n, K), which sees no predictors, sums to, (K,)."""
        ...

    def take(self, rows: np.ndarray) -> Rows:
        """Return some of the user's rows, by ascending numbers; they are numbered anew.

        ``train_total`` and ``train_rows`` stay: the penalty weighs what it did.
        """
        ...

    def features(self, index: Tensor) -> Rows:
        """Return the rows with some of their features; the intercept, if any, is last in it."""
        ...

    def reweighted(self, factor: Tensor) -> Rows:
        """Return the same rows, their training weights times ``factor``, without a copy of X.

        ``train_total`` and the divisor of the weights stay, so that the penalty does not move.

        Parameters
        ----------
        factor : Tensor of shape (n,) or (n, K), float64
            In the order of the user's rows; one column a fold if the folds differ.
        """
        ...

    def visit(self, coefficients: Tensor, function: Callable[[list[Tensor], Chunk], None]) -> None:
        """Show the predictors of all rows to a function, which keeps what it wants.

        Parameters are those of ``sweep``; there are no products with the transpose.
        """
        ...


class Block(Protocol):
    """Some rows of a matrix."""

    def predict(self, coefficients: Tensor) -> Tensor:
        """Return the predictors (columns, n) of coefficients (columns, p)."""
        ...

    def pull(self, flat: Tensor) -> Tensor:
        """Return ``flat X`` with, where there is an intercept, the sum over the rows last."""
        ...


class ChunkedRows:
    """The passes over one matrix that all folds share, chunk by chunk.

    A kind of matrix adds which chunks there are, and the products with one of them.
    """

    n_rows: int
    n_folds: int
    n_features: int
    fit_intercept: bool
    dtype: torch.dtype
    device: torch.device
    target: Tensor
    weights: FoldWeights
    train_total: Tensor

    @property
    def target_mean(self) -> float:
        """See ``Rows.target_mean``."""
        return float(self.target.double().mean())

    @property
    def train_rows(self) -> Tensor:
        """See ``Rows.train_rows``."""
        return self.weights.train_rows

    def _spend(self, columns: int, products: int = 2) -> None:
        """Count a pass with so many predictors a row."""
        shape = self.n_rows, self.n_features
        spend(pass_seconds(shape, self.entries, columns, self.dtype, products))

    @property
    def entries(self) -> int:
        """Entries of the matrix that are stored; of one fold's, where each has its own."""
        return self.n_rows * self.n_features

    def gram_seconds(self, matrices: int, rows: int) -> float:
        """Return what ``gram`` takes for so many matrices of so many rows, in counted seconds."""
        return gram_seconds(matrices, rows, self.n_features + int(self.fit_intercept))

    def _ranges(self, columns: int) -> list[Range]:
        """Return the chunks for a pass with so many predictors a row."""
        raise NotImplementedError

    def _over(self, ranges: list[Range], work: Callable[[list[Range]], Any]) -> list:
        """Return what ``work`` makes of shares of the chunks."""
        return over_chunks(ranges, self.device, work)

    def _block(self, start: int, stop: int) -> Block:
        """Return the matrix of one chunk."""
        raise NotImplementedError

    def _dense(self, start: int, stop: int) -> Tensor:
        """Return the same as a dense matrix, (n, d)."""
        raise NotImplementedError

    def sweep(self, coefficients, function, kept=None):
        """See ``Rows.sweep``."""
        shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        self._spend(len(flat))

        def work(ranges):
            total = Totals()
            for start, stop in ranges:
                block = self._block(start, stop)
                z = blocks(predictors := block.predict(flat), shape)
                back, sums = function(z, self._chunk(start, stop, shape[1], kept))
                total.add(block.pull(join(back, z, predictors)) if back else flat[:0], sums)
            return total

        ranges = self._ranges(len(flat))
        return merge(self._over(ranges, work)).result(shape)

    def joint_gram(self, coefficients, function, entries, known, maps=None):
        """See ``Rows.joint_gram``; ``maps`` are those of ``AffineRows``."""
        _, S, K, m, p = shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        if maps is not None:
            p = maps.n_features + int(self.fit_intercept)
        f, feature = len(entries), entries % p
        spend(gram_seconds(S * K, self.n_rows, f))
        old, new = ((entries[part] // p).tolist() for part in (slice(known), slice(known, f)))
        runs = [*_runs(old, m, 0), *_runs(new, m, known)]  # entries of the same output

        def work(ranges):
            total = torch.zeros(S * K, f, f - known, dtype=torch.float64, device=self.device)
            for start, stop in ranges:
                z = blocks(self._block(start, stop).predict(flat), shape)
                columns = function(z, self._chunk(start, stop, S))[0]
                shared, X = self._dense(start, stop).T, None
                for k in range(S * K):
                    if X is None or maps is not None:
                        X = shared if maps is None else maps.rows(shared, k % K)
                        if self.fit_intercept:
                            X = torch.cat([X, X.new_ones(1, X.shape[1])])
                        X = X[feature]
                        left = torch.empty_like(X)
                    for output, begin, end in runs[m:]:
                        # What lies below the diagonal is known once all columns are.
                        weights = columns[output][..., k].T
                        for other, first, last in runs[: m + output + 1]:
                            torch.mul(X[first:last], weights[other], out=left[first:last])
                        part = left[:end] @ X[begin:end].T
                        total[k, :end, begin - known : end - known] += part
            return total

        total = sum(self._over(self._ranges(len(flat) + f), work))
        for _, begin, end in runs[m:]:
            above = total[:, known:begin, begin - known : end - known]
            total[:, begin:end, : begin - known] = above.mT
        return total.view(S, K, f, f - known)

    def keep(self, coefficients, function):
        """See ``Rows.keep``."""
        (kept,) = room = self.room(coefficients)

        def fill(z, chunk):
            kept[chunk.rows] = function(z[0], chunk).unflatten(2, kept.shape[2:])

        self.visit(coefficients, fill)
        return room

    def room(self, coefficients):
        """See ``Rows.room``."""
        _, S, K, m, _ = coefficients.shape
        kept = torch.empty(m, S, K, self.n_rows, dtype=self.dtype, device=self.device)
        return [kept.permute(3, 0, 1, 2)]

    def visit(self, coefficients, function):
        """See ``Rows.visit``."""
        shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        self._spend(len(flat), products=1)

        def work(ranges):
            for start, stop in ranges:
                z = blocks(self._block(start, stop).predict(flat), shape)
                function(z, self._chunk(start, stop, shape[1]))

        self._over(self._ranges(len(flat)), work)

    def totals(self, function):
        """See ``Rows.totals``."""

        def work(ranges):
            parts = [function(self._chunk(start, stop, 1)) for start, stop in ranges]
            return sum(part.sum(0, dtype=torch.float64) for part in parts)

        return sum(self._over(self._ranges(self.n_folds), work))

    def frequent_gram(self, coefficients, function):
        """See ``Rows.frequent_gram``."""
        return None

    def reweighted(self, factor):
        """See ``Rows.reweighted``."""
        rows = copy.copy(self)
        rows.weights = self.weights.reweighted(factor)
        return rows

    def with_folds(self, weights: FoldWeights):
        """Return the same rows in other folds."""
        rows = copy.copy(self)
        rows.weights, rows.n_folds = weights, weights.n_folds
        rows.train_total = weights.train_total
        return rows

    def _chunk(self, start: int, stop: int, starts: int, kept: Kept | None = None) -> Chunk:
        """Return what a pass knows of some rows, for this number of starts."""
        train, validation = self.weights.columns(start, stop, self.dtype, starts)
        target = self.target[start:stop].to(self.dtype)
        known = None if kept is None else kept[0][start:stop].flatten(2)
        return Chunk(
            target, train, validation, known,
            slice(start, stop), slice(0, self.weights.n_folds),
        )  # fmt: skip


def _runs(outputs: list[int], m: int, first: int) -> list[tuple[int, int, int]]:
    """Return each output and where its entries begin and end; the first is at ``first``."""
    ends = [first + bisect_left(outputs, output) for output in range(m + 1)]
    return list(zip(range(m), ends[:-1], ends[1:], strict=True))
