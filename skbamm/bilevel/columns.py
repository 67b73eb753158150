"""Operations between numbers of columns (S, K) and tensors that start with those axes."""

from __future__ import annotations

import torch
from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each column, shape (S, K), summed in float64."""
    return (a * b).flatten(2).sum(-1, dtype=torch.float64)


def dots(a: Tensor, *others: Tensor | None) -> list[Tensor]:
    """Inner products with each of the others that is not None."""
    return [dot(a, b) for b in others if b is not None]


def per_column(values: Tensor, like: Tensor) -> Tensor:
    """Reshape ``values`` of shape (S, K), of any device, so that it broadcasts against ``like``."""
    return values.to(like, non_blocking=True).reshape(*values.shape, *[1] * (like.ndim - 2))


def mask_columns(columns: Tensor, like: Tensor) -> Tensor:
    """Reshape ``columns`` of shape (S, K) so that it chooses among tensors such as ``like``."""
    columns = columns.to(like.device, non_blocking=True)
    return columns.reshape(*columns.shape, *[1] * (like.ndim - 2))
