"""Kernels: matrices of the rows' similarities, and their slopes in gamma.

What does not depend on gamma, the *base*, is computed once by scikit-learn's own functions, so
that kernels agree with its to the last digits, also of sparse rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.metrics.pairwise import (
    additive_chi2_kernel,
    cosine_similarity,
    euclidean_distances,
    linear_kernel,
    manhattan_distances,
)
from torch import Tensor


class Kernel(Protocol):
    """A positive semi-definite kernel with at most one hyperparameter."""

    has_gamma: bool

    def base(self, X: Any) -> np.ndarray:
        """Return the base of the kernel: a function of all pairs of rows, (n, n)."""
        ...

    def matrix(self, base: Tensor, gamma: float) -> Tensor:
        """Return the kernel, (n, n)."""
        ...

    def slope(self, base: Tensor, matrix: Tensor, gamma: float) -> Tensor:
        """Return the derivative in gamma of each entry of the kernel ``matrix``, (n, n)."""
        ...


@dataclass(frozen=True)
class Exponential:
    """``exp(-gamma d)``, d the squared Euclidean distance, or another one.

    Attributes
    ----------
    distance : {"euclidean", "city block", "chi squared"}
        The last is ``sum of (x_i - z_i)^2 / (x_i + z_i)``, of rows without negative numbers.
    """

    distance: str = "euclidean"
    has_gamma = True

    def base(self, X):
        """Return the distances."""
        if self.distance == "chi squared":
            return -additive_chi2_kernel(X)
        if self.distance == "city block":
            return manhattan_distances(X)
        return euclidean_distances(X, squared=True)

    def matrix(self, base, gamma):
        """Return the kernel."""
        return (base * -gamma).exp_()

    def slope(self, base, matrix, gamma):
        """Return the derivative in gamma."""
        return (base * matrix).neg_()


@dataclass(frozen=True)
class Polynomial:
    """``(gamma x'z + coef0)^degree``; a whole degree and coef0 >= 0 make it positive."""

    degree: int = 3
    coef0: float = 1.0
    has_gamma = True

    def base(self, X):
        """Return the inner products."""
        return linear_kernel(X)

    def matrix(self, base, gamma):
        """Return the kernel."""
        return (gamma * base + self.coef0) ** self.degree

    def slope(self, base, matrix, gamma):
        """Return the derivative in gamma."""
        return self.degree * base * (gamma * base + self.coef0) ** (self.degree - 1)


class WithoutGamma:
    """The common part of kernels that are their own base."""

    has_gamma = False

    def matrix(self, base, gamma):
        """Return the kernel."""
        return base

    def slope(self, base, matrix, gamma):
        """Return zeros: there is nothing to change."""
        return matrix.new_zeros(()).expand_as(matrix)


@dataclass(frozen=True)
class Linear(WithoutGamma):
    """``x'z``."""

    def base(self, X):
        """Return the kernel itself."""
        return linear_kernel(X)


@dataclass(frozen=True)
class Cosine(WithoutGamma):
    """``x'z / (|x| |z|)``."""

    def base(self, X):
        """Return the kernel itself."""
        return cosine_similarity(X)


@dataclass(frozen=True)
class Precomputed(WithoutGamma):
    """The rows are those of the kernel, and the columns the rows again that it is to."""

    def base(self, X):
        """Return the kernel itself; what rows that nothing is trained on are to each other is 0."""
        n, d = X.shape
        if n == d:
            return X
        # A transformer made the kernel of all of a fold's rows to those it was fitted on.
        base = np.zeros((n, n), X.dtype)
        base[:, :d], base[:d, d:] = X, X[d:].T
        return base
