"""The parts of a pass over rows: coefficients in, predictors, products and sums out.

Predictors are indexed by rows, outputs and columns, but lie in memory with the rows innermost:
there are always many rows in a chunk, and often few outputs and columns, so that what is done
with each predictor runs along whole vectors, and sums over the outputs are sums of vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def split_columns(coefficients: Tensor, rows) -> tuple[Tensor, Tensor | None]:
    """Return slopes (r m C, d) and intercepts (r m C, 1), in the order of the predictors."""
    flat = coefficients.permute(0, 3, 1, 2, 4).reshape(-1, rows.n_coefficients).to(rows.dtype)
    slopes = flat[:, : rows.n_features].contiguous()
    return slopes, flat[:, rows.n_features :].contiguous() if rows.fit_intercept else None


def blocks(z: Tensor, shape: torch.Size) -> list[Tensor]:
    """Cut predictors (r m C, n) into r views (n, m, C)."""
    r, S, K, m, _ = shape
    return list(z.view(r, m, S * K, -1).permute(0, 3, 1, 2))


def join(back: list[Tensor]) -> Tensor:
    """Put what a row function returned beside each other, (r' m C, n)."""
    flat = [part.permute(1, 2, 0).reshape(-1, part.shape[0]) for part in back]
    return flat[0] if len(flat) == 1 else torch.cat(flat)


def weighted_gram(X: Tensor, weights: Tensor) -> Tensor:
    """``X' diag(w) X`` for each of the weights w (g, n), (g, d, d)."""
    n, d = X.shape
    if n * d * len(weights) <= 1 << 20:  # small: one batched product
        return (X.T[None] * weights[:, None, :]) @ X
    return torch.stack([(X * w[:, None]).T @ X for w in weights])


class Totals:
    """Adds up the chunks of a pass, in float64."""

    def __init__(self, fit_intercept: bool):
        self.fit_intercept = fit_intercept
        self.products: Tensor | None = None
        self.sums: list[Tensor] | None = None

    def add(self, product: Tensor, flat: Tensor, sums: list[Tensor]) -> None:
        """Add a chunk's ``flat X`` and the sums over its rows."""
        if self.fit_intercept:
            product = torch.cat([product, flat.sum(1, keepdim=True)], 1)
        sums = [part.sum(0) for part in sums]
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
