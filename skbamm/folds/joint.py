"""Matrices that couple outputs, of few rows: all columns in one batch of products."""

from __future__ import annotations

import torch
from torch import Tensor

_NUMBERS = 1 << 20  # of a batched product


def is_batched(n: int, p: int, outputs: int, folds: int) -> bool:
    """Whether one start's weighted rows, for each pair of outputs, are few."""
    return n * p * folds * outputs * (outputs + 1) // 2 <= _NUMBERS


def with_ones(X: Tensor, fit_intercept: bool) -> Tensor:
    """Return rows with a last feature of ones, where there is an intercept."""
    return torch.cat([X, X.new_ones((*X.shape[:-1], 1))], -1) if fit_intercept else X


def whole_joint_gram(X: Tensor, hessian: list[Tensor], starts: int) -> Tensor:
    """Return ``sum_i H_i (x) x_i x_i'`` of each column.

    Parameters
    ----------
    X : Tensor of shape (K or 1, n, p)
        With ones, where there is an intercept.
    hessian : list of m Tensors of shape (n, m, S K)
        The columns of H.
    starts : int
        S.

    Returns
    -------
    Tensor of shape (S, K, m p, m p), float64
    """
    m, (_, n, p) = len(hessian), X.shape
    folds = hessian[0].shape[-1] // starts
    pairs = [(a, b) for b in range(m) for a in range(b, m)]
    weights = torch.stack([hessian[b][:, a] for a, b in pairs])
    weights = weights.unflatten(-1, (starts, folds)).permute(2, 3, 0, 1)  # (S, K, pairs, n)
    total = X.new_empty((starts, folds, m, p, m, p), dtype=torch.float64)
    at_once = max(1, _NUMBERS // (n * p * folds * len(pairs)))
    for s in range(0, starts, at_once):
        left = X.mT[:, None] * weights[s : s + at_once, :, :, None]
        found = (left.flatten(2, 3) @ X).unflatten(2, (len(pairs), p)).unbind(2)
        for (a, b), block in zip(pairs, found, strict=True):
            total[s : s + at_once, :, a, :, b] = block
            total[s : s + at_once, :, b, :, a] = block
    return total.flatten(4, 5).flatten(2, 3)
