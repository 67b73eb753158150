"""The few numbers of an iteration that decide about its steps, brought to the CPU at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions, dot


@dataclass(frozen=True)
class Figures:
    """What decides about the steps of an iteration, each (S, K), float64, on the CPU.

    Attributes
    ----------
    upper, lower, upper_lag, grad_x
        As in ``Directions``.
    size_y, size_v : Tensor
        Norms of both residuals.
    along : list of Tensor
        Their squared decrements, where these are asked for.
    slopes : list of Tensor
        What ``SecantStep.slopes`` returned.
    """

    upper: Tensor
    lower: Tensor
    upper_lag: Tensor
    grad_x: Tensor
    size_y: Tensor
    size_v: Tensor
    along: list[Tensor]
    slopes: list[Tensor]


def figures_of(
    d: Directions, p_y: Tensor, p_v: Tensor, slopes: list[Tensor], decrements: bool
) -> Figures:
    """Return the figures, after one wait for the device.

    Parameters
    ----------
    d : Directions
    p_y, p_v : Tensor
        Its residuals in the metric.
    slopes : list of Tensor
        See ``Figures``; the first is the squared decrement of y's.
    decrements : bool
        Whether they are asked for: each is one more pass over y.
    """
    sizes = [
        torch.linalg.vector_norm(t.flatten(2), dim=-1, dtype=torch.float64)
        for t in (d.grad_y, d.residual_v)
    ]
    along = []
    if decrements:
        along = [slopes[0] if slopes else dot(d.grad_y, p_y), dot(d.residual_v, p_v)]
    upper, lower, lag, grad_x, size_y, size_v, *others = on_host(
        [d.upper, d.lower, d.upper_lag, d.grad_x, *sizes, *along, *slopes]
    )
    along, slopes = others[: len(along)], others[len(along) :]
    return Figures(upper, lower, lag, grad_x, size_y, size_v, along, slopes)


def on_host(figures: Sequence[Tensor]) -> list[Tensor]:
    """Return small tensors in float64 on the CPU, where what they decide is decided.

    A device is waited for once, and not told of a hundred operations with a few numbers each.
    """
    if figures[0].device.type == "cpu":
        return [figure.double() for figure in figures]
    flat = torch.cat([figure.double().flatten() for figure in figures]).cpu()
    parts = flat.split([figure.numel() for figure in figures])
    return [part.view(figure.shape) for part, figure in zip(parts, figures, strict=True)]
