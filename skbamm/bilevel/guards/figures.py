"""The few numbers of an iteration that decide about what follows, brought to the CPU at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions


@dataclass(frozen=True)
class Figures:
    """What decides about x and the end of a run, in float64, on the CPU.

    Attributes
    ----------
    upper, upper_lag, grad_x
        As in ``Directions``.
    size_y, size_v : Tensor of shape (S, K)
        Norms of both residuals.
    error, decrement : Tensor of shape (S, K)
    nearness : Tensor of shape (2, S, K)
        As ``Lag.measure`` returned them.
    ahead : Tensor of shape (S, K, h), or None
        The hypergradient's shares where y and v go next, if that is known.
    """

    upper: Tensor
    upper_lag: Tensor
    grad_x: Tensor
    size_y: Tensor
    size_v: Tensor
    error: Tensor
    decrement: Tensor
    nearness: Tensor
    ahead: Tensor | None = None


def figures_of(d: Directions, lag: Sequence[Tensor], ahead: Tensor | None) -> Figures:
    """Return the figures, after the one wait of an iteration for the device.

    ``lag`` are errors, decrements and nearness.
    """
    size_y, size_v = (
        torch.linalg.vector_norm(t.flatten(2), dim=-1, dtype=torch.float64)
        for t in (d.grad_y, d.residual_v)
    )
    told = [d.upper, d.upper_lag, d.grad_x, size_y, size_v, *lag]
    return Figures(*on_host(told if ahead is None else [*told, ahead]))


def on_host(figures: Sequence[Tensor]) -> list[Tensor]:
    """Return small tensors in float64 on the CPU, where what they decide is decided.

    A device is waited for once, and not told of a hundred operations with a few numbers each.
    """
    if figures[0].device.type == "cpu":
        return [figure.double() for figure in figures]
    flat = torch.cat([figure.double().flatten() for figure in figures]).cpu()
    parts = flat.split([figure.numel() for figure in figures])
    return [part.view(figure.shape) for part, figure in zip(parts, figures, strict=True)]
