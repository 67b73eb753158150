"""The metric of some of the coefficients, and steps with kinks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.metrics import Cholesky
from skbamm.effort import METER, packed_seconds, spend

_WIDE = 64  # free coefficients above which matrices cost more than the overhead of a call
UNSEEN = 1e-10  # of the diagonal, added to it


class Submatrix:
    """The inverse of the free rows and columns of Gram matrices plus a penalty.

    Each column has its own; they are packed, so that the cost is that of the free coefficients.

    Parameters
    ----------
    gram : Tensor of shape (S, K or 1, m or 1, p, p)
    strength : Tensor of shape (S, K or 1, m or 1, p)
        Strengths of the squares, for the diagonal.
    face : Face
        The face of tensors (S, K, m, p).
    """

    def __init__(self, gram: Tensor, strength: Tensor, face: Face):
        self.face = face
        self.index, self.used = packing(face.free)
        if METER.get() is not None:
            (*_, width), p = self.index.shape, gram.shape[-1]
            spend(packed_seconds(self.index.numel() // width, width, p))
        self.matrix = packed(gram, strength, self.index, self.used)
        # There may be more free coefficients than the rows determine. A step goes as far as the
        # kinks let it in directions that the rows do not see.
        seen = self.matrix.clone()
        seen.diagonal(dim1=-2, dim2=-1).add_(UNSEEN * self._diagonal())
        self.factor: Any = Cholesky(seen)

    def on(self, face: Face) -> Submatrix:
        """Return the metric of another face with the same free entries."""
        other = copy.copy(self)
        other.face = face
        return other

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve for the free coefficients, of residuals (r, S, K, m, p); zero for the others."""
        index = self.index.expand(len(residuals), *self.index.shape)
        right = torch.gather(residuals, -1, index) * self.used
        solved = self.factor.solve(right) * self.used
        return torch.zeros_like(residuals).scatter_(-1, index, solved)

    def step(self, y: Tensor) -> Tensor:
        """Return the direction to the lower of two points, by f's model in this metric.

        One is the model's minimum as if there were no kinks, with the coefficients that changed
        their sign put to zero; it settles many at once, but may be worse than y. The other is
        the minimum along the way there, past as many kinks as it takes; it never is.
        """
        at, slope, side = (self._pack(t).double() for t in (y, self.face.slope, self.face.side))
        kink = self._pack(self.face.kink) * (side != 0)
        jump = torch.where(side != 0, self._pack(self.face.jump), 0.0)
        newton = self.factor.solve(slope[None])[0] * self.used
        after = at - newton
        bold = torch.where(side * after < 0, 0.0, after)
        wrong = (at == 0) & (side * newton > 0)  # would leave zero to the side that rises
        safe = self._along(at, slope, torch.where(wrong, 0.0, newton), jump)
        smooth = slope - kink * side
        better = self._model(bold - at, at, smooth, kink) < self._model(safe - at, at, smooth, kink)
        target = torch.where(better[..., None], bold, safe)
        direction = (at - target).to(y.dtype)
        # So that a full step ends at zero exactly.
        direction = torch.where(target == 0, self._pack(y), direction) * self.used
        return torch.zeros_like(y).scatter_(-1, self.index, direction)

    def _along(self, at: Tensor, slope: Tensor, direction: Tensor, jump: Tensor) -> Tensor:
        """Return the least point of the model along ``at - t direction``, t >= 0."""
        falls = (slope * direction).sum(-1, keepdim=True)
        plain = slope * self.used / self._diagonal().clamp_min(torch.finfo(torch.float64).tiny)
        direction = torch.where(falls > 0, direction, plain)
        falls = (slope * direction).sum(-1, keepdim=True)
        bend = (direction * self._times(direction)).sum(-1, keepdim=True).clamp_min(0)
        crossing = torch.where((at != 0) & (jump > 0), at / direction, torch.inf)
        crossing = torch.where(crossing > 0, crossing, torch.inf)
        times, order = torch.sort(crossing, dim=-1)
        jumps = torch.gather(jump * direction.abs(), -1, order)
        rises = torch.cumsum(torch.where(times < torch.inf, jumps, 0.0), -1)
        zero = torch.zeros_like(falls)
        begins, ends = torch.cat([zero, times], -1), torch.cat([times, zero + torch.inf], -1)
        # The least point of each piece's parabola; the first that does not lie beyond its piece.
        least = (falls - torch.cat([zero, rises], -1)) / bend
        first = (~(least > ends)).to(torch.uint8).argmax(-1, keepdim=True)
        length = torch.maximum(torch.gather(least, -1, first), torch.gather(begins, -1, first))
        length = torch.where(torch.isfinite(length), length, 0.0)
        return torch.where(crossing == length, 0.0, at - length * direction)

    def _model(self, change: Tensor, at: Tensor, smooth: Tensor, kink: Tensor) -> Tensor:
        """Return the change of the quadratic model for each column and output."""
        curved = smooth + 0.5 * self._times(change)
        return (curved * change + kink * ((at + change).abs() - at.abs())).sum(-1)

    def _diagonal(self) -> Tensor:
        return torch.diagonal(self.matrix, dim1=-2, dim2=-1)

    def _times(self, direction: Tensor) -> Tensor:
        return (self.matrix @ direction[..., None])[..., 0] * self.used

    def _pack(self, t: Tensor) -> Tensor:
        return torch.gather(t.expand(self.face.free.shape), -1, self.index) * self.used


def packing(free: Tensor) -> tuple[Tensor, Tensor]:
    """Return the positions of each column's free entries, in order, and which are used."""
    width = max(1, int(free.sum(-1).max()))
    index = torch.argsort((~free).to(torch.uint8), dim=-1, stable=True)[..., :width]
    return index, torch.gather(free, -1, index)


def packed(gram: Tensor, strength: Tensor, index: Tensor, used: Tensor) -> Tensor:
    """Return rows and columns of Gram matrices plus a penalty; what fills the width is identity."""
    (*lead, width), p = index.shape, gram.shape[-1]
    gram = gram.expand(*lead, p, p)
    if gram.device.type == "cpu" and width > _WIDE:  # whole rows, one matrix after the other
        some = gram.new_empty(*lead, width, width)
        for at in np.ndindex(*lead):
            torch.index_select(gram[at].index_select(0, index[at]), 1, index[at], out=some[at])
    else:
        some = torch.gather(gram, -2, index[..., None].expand(*lead, width, p))
        some = torch.gather(some, -1, index[..., None, :].expand(*lead, width, width))
    if not bool(used.all()):
        some.mul_(used[..., :, None] & used[..., None, :])
    diagonal = torch.gather(strength.expand(*lead, p), -1, index)
    some.diagonal(dim1=-2, dim2=-1).add_(torch.where(used, diagonal, 1.0))
    return some
