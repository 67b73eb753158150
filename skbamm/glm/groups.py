"""The metric of a face where the coefficients of a feature are a group with one kink."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from skbamm.bilevel.faces import ENTRIES, Face
from skbamm.glm.normed_matrix import NormedMatrix
from skbamm.glm.submatrix import Submatrix, packed, packing

_LENGTHS = 0.5 ** torch.arange(12, dtype=torch.float64)  # of a step, that are tried
_NOISE = 1e-14  # of the norms' share of f, in its model


class LaterMatrix:
    """A ``GroupMatrix`` that is made when it is first used: steps may begin on another face.

    Parameters
    ----------
    gram, strength, face
        See ``GroupMatrix``.
    """

    def __init__(self, gram: Tensor, strength: Tensor, face: Face):
        self._given, self.face = (gram, strength), face

    @cached_property
    def _made(self) -> GroupMatrix:
        return GroupMatrix(*self._given, self.face)

    def on(self, face: Face) -> LaterMatrix:
        """Return the metric of another face."""
        return LaterMatrix(*self._given, face)

    def solve(self, residuals: Tensor) -> Tensor:
        """See ``GroupMatrix.solve``."""
        return self._made.solve(residuals)

    def step(self, y: Tensor) -> Tensor:
        """See ``GroupMatrix.step``."""
        return self._made.step(y)


class GroupMatrix:
    """The inverse of the free rows and columns, with the curvature of the groups' norms.

    Along itself a group is like one coefficient whose absolute value is penalised; across, its
    norm is smooth and curved. So each group is turned so that its first entry has all of it,
    by a reflection, and ``Submatrix`` does the rest. A group that leaves zero has its first
    entry only: the way down.

    Parameters
    ----------
    gram : Tensor of shape (S, K or 1, m or 1, p, p)
        The same for all outputs.
    strength : Tensor of shape (S, K or 1, m or 1, p)
        Strengths of the squares, likewise.
    face : Face
        The face of tensors (S, K, m, p), with groups.
    """

    def __init__(self, gram: Tensor, strength: Tensor, face: Face):
        # Each column's free groups.
        index, used = packing(face.free.any(2, keepdim=True))
        self._index, self._used = index.expand(-1, -1, face.free.shape[2], -1), used
        self._part = part = face.map(self._pack)
        assert part.across is not None
        self._gram = packed(gram[:, :, :1], strength[:, :, :1], index, used)[:, :, 0].double()
        # The reflection that maps a side to plus or minus the first entry; that of no side, a
        # coefficient without a kink, is none.
        side = part.side.double()
        self._normal = side.clone()
        self._normal[:, :, 0] += torch.where(side[:, :, 0] < 0, -1.0, 1.0)
        square = (self._normal * self._normal).sum(2, keepdim=True)
        self._scale = torch.where((side != 0).any(2, keepdim=True), 2 / square, 0.0)
        first = torch.zeros_like(part.free)
        first[:, :, 0] = True
        kinked = (part.jump > 0) & used
        kink = torch.where(first, part.kink, 0.0)
        turned = Face(
            free=part.free & (first | torch.isfinite(part.across) | ~kinked),
            side=torch.where(first, torch.sign(self._turn(side)), 0.0),
            kink=kink,
            jump=ENTRIES.jump(kink),
            gradient=self._turn(part.gradient.double()),
            slope=self._turn(part.slope.double()),
            most=part.most,
            kinks=ENTRIES,
        )
        curved = torch.where(kinked, part.across.double(), 0.0)[:, :, 0]
        self._inner = _Turned(NormedMatrix(self._gram, curved, side), self._turn, turned)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve for the free coefficients, of residuals (r, S, K, m, p); zero for the others."""
        turned = [_flat(self._turn(self._pack(r).double())) for r in residuals]
        solved = self._inner.solve(torch.stack(turned)).unflatten(-1, self._normal.shape[2:])
        pairs = zip(residuals, solved[:, :, :, 0], strict=True)
        return torch.stack([self._put(r, self._turn(s)) for r, s in pairs])

    def step(self, y: Tensor) -> Tensor:
        """Return the direction to a lower point, by f's model in this metric.

        Turned, the norms have been replaced by their own quadratic models; of some lengths of
        the step the one is taken at which the model with the norms themselves is least.
        """
        at = self._pack(y)
        turned = self._turn(at.double())
        direction = self._inner.step(_flat(turned)).view(turned.shape)
        ends = (direction == turned)[:, :, :1] & (self._part.kinks.sizes(at) > 0)
        ends = ends & (self._part.jump[:, :, :1] > 0)
        # So that a full step ends at zero exactly.
        direction = torch.where(ends, at.double(), self._turn(direction))
        direction = self._length(at.double(), direction) * direction
        return self._put(y, torch.where(ends & (direction == at), at, direction.to(y.dtype)))

    def _pack(self, t: Tensor) -> Tensor:
        taken = torch.gather(t, -1, self._index)
        return torch.where(self._used, taken, torch.zeros_like(taken))

    def _put(self, like: Tensor, values: Tensor) -> Tensor:
        values = torch.where(self._used, values, 0.0).to(like.dtype)
        return torch.zeros_like(like).scatter_(-1, self._index, values)

    def _length(self, at: Tensor, direction: Tensor) -> Tensor:
        """Return the best length of a step of each column, (S, K, 1, 1)."""
        part = self._part
        falls = (part.gradient.double() * direction).sum((2, 3))
        bend = (direction * (direction @ self._gram)).sum((2, 3))
        lengths = _LENGTHS.to(at.device)[:, None, None]
        lengths_of = (0.0, lengths[..., None, None])
        before, after = (part.kinks.sizes(at - t * direction) for t in lengths_of)
        kink = part.kink[:, :, :1]
        model = (kink * (after - before)).sum((3, 4)) - lengths * falls + 0.5 * lengths**2 * bend
        # Near the minimum all that differs is rounding errors, and full steps are best.
        noise = _NOISE * (kink * before).sum((2, 3))
        longest = (model <= model.amin(0) + noise).to(torch.uint8).argmax(0)
        return _LENGTHS.to(at.device)[longest][..., None, None]

    def _turn(self, t: Tensor) -> Tensor:
        """Turn the groups; twice is not at all."""
        return t - self._scale * self._normal * (self._normal * t).sum(-2, keepdim=True)


class _Turned(Submatrix):
    """Steps in a matrix of which only products and its inverse's are at hand.

    Parameters
    ----------
    matrix : NormedMatrix
    turn : callable
        Turns the groups.
    face : Face
        The face of turned tensors (S, K, m, p).
    """

    def __init__(self, matrix: NormedMatrix, turn: Callable[[Tensor], Tensor], face: Face):
        self._shape, self._normed, self._turn = face.free.shape, matrix, turn
        self.face, self.factor = face.map(_flat), self
        self.used = self.face.free
        self.index = torch.arange(self.used.shape[-1]).to(self.used.device).expand(self.used.shape)

    def solve(self, residuals: Tensor) -> Tensor:
        """See ``Submatrix.solve``."""
        return torch.stack([self._apply(self._normed.solve, r) for r in residuals])

    def _times(self, direction: Tensor) -> Tensor:
        return self._apply(self._normed.times, direction)

    def _diagonal(self) -> Tensor:
        return self._normed.diagonal[:, :, None].repeat(1, 1, 1, self._shape[2])

    def _apply(self, linear: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
        turned = (t * self.used).double().view(self._shape)
        return _flat(self._turn(linear(self._turn(turned)))) * self.used


def _flat(t: Tensor) -> Tensor:
    return t.flatten(-2)[..., None, :]
