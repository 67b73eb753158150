"""The protocol of rows: products with X and its transpose, in one pass.

A *pass* multiplies X by the coefficients of all columns, hands the predictors to a function of
the rows, and multiplies what that returns by X transposed. ``ChunkedRows`` is the base of those
that go through the rows chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Chunk:
    """Some rows of a pass, with their targets and weights.

    Attributes
    ----------
    target : Tensor of shape (n, ...)
    train, validation : Tensor of shape (n, C)
        Weights of every column, which sum to one over all rows of a fold.
    kept : Tensor of shape (n, m, C) or None
        The values of ``Rows.keep`` for these rows, or storage for them.
    rows : slice or Tensor of int of shape (n,)
        Which of the user's rows these are.
    folds : slice
        Whose columns these are, of each start.
    """

    target: Tensor
    train: Tensor
    validation: Tensor
    kept: Tensor | None = None
    rows: slice | Tensor | None = None
    folds: slice | None = None


RowFunction = Callable[[list[Tensor], Chunk], tuple[list[Tensor], list[Tensor]]]
Kept = list[Tensor]  # each (rows, m, S, K or 1), one for every matrix that the folds have


class Matrix(Protocol):
    """The size of one matrix."""

    n_rows: int
    n_features: int

    @property
    def entries(self) -> int:
        """Number of entries that are stored."""
        ...


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
    def matrices(self) -> Sequence[Matrix]:
        """The rows of each matrix: one that all folds share, or one for each fold."""
        ...

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
        """Return ``X' function(X coefficients)`` and the function's sums, in one pass.

        Parameters
        ----------
        coefficients : Tensor of shape (r, S, K, m, p)
        function : callable
            Maps the r predictors of some rows, each (n, m, C) with C = S K columns, and a Chunk
            to a list of r' Tensors (n, m, C), which may be empty, and a list of Tensors (n, C) to
            be summed over the rows. It may overwrite the predictors with its results: where
            it has done so with all of them, nothing is copied.
        kept : list of Tensor, optional
            The result of ``keep``, which the function finds in its chunks; or that of ``room``,
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
        """Return storage for values that a pass keeps; ``sweep`` passes it on."""
        ...

    def gram(self, coefficients: Tensor, function: RowFunction, share: bool, limit: int) -> Tensor:
        """Return ``X' diag(weights) X`` for the weights that ``function`` makes of predictors.

        Parameters
        ----------
        coefficients : Tensor of shape (1, S, K, m, p)
        function : callable
            As in ``sweep``; its first results are the weights (n, m, C).
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
            As in ``sweep``; its first results are the m columns of H, each (n, m, C).
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
        """Return the sums (K,) of a function of chunks (n, K) that does not use predictors."""
        ...

    def gram_seconds(self, matrices: int, rows: int) -> float:
        """Return the cost of so many Gram matrices of so many rows, in counted seconds."""
        ...

    def take(self, rows: np.ndarray) -> Rows:
        """Return some of the user's rows, by ascending numbers; they are renumbered.

        ``train_total`` and ``train_rows`` stay, so that the penalty is unchanged.
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
        """Call a function with the predictors of all rows.

        Parameters are those of ``sweep``, without products with the transpose.
        """
        ...
