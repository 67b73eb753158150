"""Starting models of values of a list, from the solved values around them."""

from __future__ import annotations

import torch
from torch import Tensor

_FIRST_VALUES = 4  # from end to end


def levels(count: int) -> list[list[int]]:
    """Return the order in which to solve values: first few, then more and more in between."""
    step = 1
    while (count - 1) // (2 * step) >= _FIRST_VALUES - 1:
        step *= 2
    found = [sorted({*range(0, count, step), count - 1})]
    done = set(found[0])
    while step > 1:
        step //= 2
        found.append([i for i in range(0, count, step) if i not in done])
        done.update(found[-1])
    return [level for level in found if level]


def between(nodes: Tensor, values: Tensor, places: Tensor) -> Tensor:
    """Return cubic polynomials through the four nearest nodes, at places between nodes.

    They are bounded by the interpolated values, since they would overshoot at jumps.

    Parameters
    ----------
    nodes : Tensor of shape (T,)
        In ascending order, without repetitions.
    values : Tensor of shape (T, ...)
    places : Tensor of shape (P,)
    """
    out = []
    for place in places:
        above = int(torch.searchsorted(nodes, place))
        begin = min(max(above - 2, 0), max(len(nodes) - 4, 0))
        near, some = nodes[begin : begin + 4], values[begin : begin + 4]
        apart = near[:, None] - near
        apart.fill_diagonal_(1.0)
        away = (place - near)[None].repeat(len(near), 1)
        away.fill_diagonal_(1.0)
        share = (away / apart).prod(1)
        mean = torch.tensordot(share.to(some.dtype), some, 1)
        out.append(torch.minimum(torch.maximum(mean, some.amin(0)), some.amax(0)))
    return torch.stack(out)
