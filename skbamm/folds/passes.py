"""The parts of a pass over rows: coefficients in, predictors, products and sums out.

Predictors are indexed by rows, outputs and columns, but lie in memory with the rows innermost:
there are always many rows in a chunk, and often few outputs and columns, so that what is done
with each predictor runs along whole vectors, and sums over the outputs are sums of vectors.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from operator import is_

import torch
from torch import Tensor

_FEW, _FEW_ON_DEVICE = 1 << 20, 1 << 27  # numbers of a batched product


def columns_of(coefficients: Tensor, dtype: torch.dtype) -> Tensor:
    """Return coefficients (r, S, K, m, p) as (r m C, p), in the order of the predictors."""
    return coefficients.permute(0, 3, 1, 2, 4).reshape(-1, coefficients.shape[-1]).to(dtype)


def blocks(z: Tensor, shape: torch.Size) -> list[Tensor]:
    """Cut predictors (r m C, n) into r views (n, m, C)."""
    r, S, K, m, _ = shape
    return list(z.view(r, m, S * K, -1).permute(0, 3, 1, 2))


def join(back: list[Tensor], z: Sequence[Tensor] = (), predictors: Tensor | None = None) -> Tensor:
    """Put what a row function returned beside each other, (r' m C, n).

    What it wrote in the place of all predictors, whose blocks are z, is there already.
    """
    if predictors is not None and len(back) == len(z) and all(map(is_, back, z)):
        return predictors
    flat = [part.permute(1, 2, 0).reshape(-1, part.shape[0]) for part in back]
    return flat[0] if len(flat) == 1 else torch.cat(flat)


def weighted_gram(X: Tensor, weights: Tensor) -> Tensor:
    """``X' diag(w) X`` for each of the weights w (g, n), (g, d, d)."""
    if X.numel() * len(weights) <= (_FEW if X.device.type == "cpu" else _FEW_ON_DEVICE):
        return (X.T[None] * weights[:, None, :]) @ X
    return torch.stack([(X * w[:, None]).T @ X for w in weights])


def csr_tensor(rows: Tensor, columns: Tensor, values: Tensor, shape) -> Tensor:
    """Return a CSR tensor of what scipy made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls the layout a beta; scipy made it valid
        return torch.sparse_csr_tensor(rows, columns, values, shape)


class Totals:
    """Adds up the chunks of a pass, in float64; one alone stays in its own precision."""

    def __init__(self) -> None:
        self.products: Tensor | None = None
        self.sums: list[Tensor] | None = None

    def add(self, product: Tensor, sums: list[Tensor]) -> None:
        """Add a chunk's product (r' m C, p), and what is to be summed over its rows."""
        sums = [part.sum(0) for part in sums]
        if self.products is None or self.sums is None:
            self.products, self.sums = product, [part.double() for part in sums]
            return
        self._plus(product, sums)

    def _plus(self, product: Tensor, sums: list[Tensor]) -> None:
        assert self.products is not None and self.sums is not None
        if self.products.dtype != torch.float64:
            self.products = self.products.double()
        self.products += product
        for total, part in zip(self.sums, sums, strict=True):
            total += part

    def result(self, shape: torch.Size) -> tuple[Tensor, list[Tensor]]:
        """Return products (r', S, K, m, p) and sums (S, K)."""
        assert self.products is not None and self.sums is not None
        _, S, K, m, _ = shape
        count = len(self.products) // (m * S * K)
        products = self.products.unflatten(0, (count, m, S, K)).permute(0, 2, 3, 1, 4)
        return products, [part.view(S, K) for part in self.sums]


def merge(totals: list[Totals]) -> Totals:
    """Add up what several threads found."""
    first, *others = totals
    for other in others:
        assert other.products is not None and other.sums is not None
        first._plus(other.products, other.sums)
    return first
