"""Rows with one kernel, and the folds that train and validate on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.folds import FoldWeights
from skbamm.kernels.kernel import Kernel


class KernelBlock:
    """The kernel of some rows, shared by folds.

    All folds of a search share one block, unless each has its own transformed rows.

    Parameters
    ----------
    kernel : Kernel
    base : Tensor of shape (n, n), float64
        See ``Kernel.base``.
    target : Tensor of shape (n,) or (n, m), float64
    root : Tensor of shape (K, n)
        Roots of the training weights, zero on rows that a fold does not train on.
    validation : Tensor of shape (K, n)
        Validation weights; each fold's sum to one, or are all zero.

    Attributes
    ----------
    train : list of Tensor
        The rows that each fold trains on.
    """

    def __init__(
        self, kernel: Kernel, base: Tensor, target: Tensor, root: Tensor, validation: Tensor
    ):
        self.kernel, self.base, self.target = kernel, base, target
        self.root, self.validation = root, validation
        self.train = [torch.nonzero(row).flatten() for row in root]
        self._matrices: dict[float, Tensor] = {}
        self._slopes: dict[float, Tensor] = {}

    @classmethod
    def of_rows(
        cls, kernel: Kernel, X: Any, target: np.ndarray, weights: FoldWeights
    ) -> KernelBlock:
        """Return the block of rows X, (n, d), and their folds."""
        device, n = weights.device, weights.n_rows
        root = torch.zeros(weights.n_folds, n, dtype=torch.float64, device=device)
        validation = torch.zeros_like(root)
        for k in range(weights.n_folds):
            for part, into in (("train", root), ("validation", validation)):
                index, weight = weights.nonzero(k, part)
                into[k, index] = 1.0 if weight is None else weight
        base = torch.as_tensor(np.asarray(kernel.base(X), dtype=np.float64), device=device)
        told = torch.as_tensor(np.ascontiguousarray(target), dtype=torch.float64, device=device)
        return cls(kernel, base, told, root.sqrt(), _to_one(validation))

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of folds and of rows."""
        return self.root.shape[0], self.root.shape[1]

    def matrices(self, gammas: Sequence[float]) -> list[Tensor]:
        """Return the kernel for each gamma; they are kept until other values are requested."""
        known = self._matrices
        self._matrices = {g: known[g] for g in gammas if g in known}
        del known  # before new ones are made
        for gamma in gammas:
            if gamma not in self._matrices:
                self._matrices[gamma] = self.kernel.matrix(self.base, gamma)
        self._slopes = {g: slope for g, slope in self._slopes.items() if g in self._matrices}
        return [self._matrices[gamma] for gamma in gammas]

    def slopes(self, gammas: Sequence[float]) -> list[Tensor]:
        """Return the kernel's derivative in gamma for each, kept as long as the kernels."""
        for gamma, matrix in zip(gammas, self.matrices(gammas), strict=True):
            if gamma not in self._slopes:
                self._slopes[gamma] = self.kernel.slope(self.base, matrix, gamma)
        return [self._slopes[gamma] for gamma in gammas]

    def take(self, rows: np.ndarray) -> KernelBlock | None:
        """Return the block of some rows; None if a fold lost all that it trains or validates on.

        Neither alpha nor gamma depends much on the number of rows: read as a Gaussian process,
        alpha is the ratio of the variances of noise and signal, and gamma is a length.
        """
        index = torch.as_tensor(rows, device=self.base.device)
        root, validation = self.root[:, index], self.validation[:, index]
        for some, every in ((root, self.root), (validation, self.validation)):
            if bool(((some > 0).any(1) != (every > 0).any(1)).any()):
                return None
        base = self.base[index][:, index]
        return KernelBlock(self.kernel, base, self.target[index], root, _to_one(validation))


def _to_one(weights: Tensor) -> Tensor:
    total = weights.sum(1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)
