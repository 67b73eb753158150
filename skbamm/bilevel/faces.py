"""Faces: the smooth pieces of an f that has kinks where entries of y, or groups, are zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.columns import per_column

# Share of the largest slope at a kink: entries that leave zero in one step. Where there are more
# entries than f can tell apart, those that leave together soon stand in each other's way.
_ENTER, _ENTER_MANY = 0.5, 0.9


def sizes(t: Tensor, grouped: bool) -> Tensor:
    """Return the norm of each group of entries; entries that are no groups are groups of one.

    A group is what lies along the axis before the last, which stays with a length of one.
    """
    # Across the axis that is last a norm of torch's takes ten times as long as this.
    return (t * t).sum(-2, keepdim=True).sqrt() if grouped else t.abs()


def sides(t: Tensor, grouped: bool) -> Tensor:
    """Return each group divided by its norm, of one entry its sign; zero where it is zero."""
    if not grouped:
        return torch.sign(t)
    size = sizes(t, grouped)
    return torch.where(size > 0, t / size, 0.0)


@dataclass(frozen=True)
class Face:
    """The piece of phi that a step from y begins on; phi is smooth there.

    The Hessian is that of the entries that may move, a generalised Jacobian of the optimality
    condition; the multiplier vanishes outside of them. A kink is where an entry is zero or, if
    they are grouped, where all of a group are.

    Attributes
    ----------
    free : Tensor of bool of the shape of y
        Entries that may move.
    side : Tensor of the shape of y
        The sign that a free entry with a kink has, or is about to get; else 0. Of a group, its
        direction, of norm one.
    kink : Tensor that broadcasts to the shape of y
        Half the jump of the slope at zero.
    gradient : Tensor of the shape of y
        Of what has no kinks.
    slope : Tensor of the shape of y
        The subgradient of least norm; zero where nothing is free.
    most : int
        See ``at``.
    across : Tensor that broadcasts to the shape of y, or None
        Of groups, the curvature of their norm across ``side``; infinite where they leave zero.
    """

    free: Tensor
    side: Tensor
    kink: Tensor
    gradient: Tensor
    slope: Tensor
    most: int
    across: Tensor | None = None

    @property
    def grouped(self) -> bool:
        """Whether kinks are where all of a group are zero."""
        return self.across is not None

    @classmethod
    def at(
        cls, y: Tensor, gradient: Tensor, kink: Tensor, most: int, grouped: bool = False
    ) -> Face:
        """Return the face at y, given the gradient of what has no kinks.

        Of the groups at zero those of the largest slopes begin to move, half as many as there is
        room for: of more than ``most`` entries an f made of as many rows sees no more.
        """
        kink = kink.to(y.dtype)
        size = sizes(y, grouped)
        zero, kinked = size == 0, (kink > 0).expand_as(size)
        at_zero = sides(gradient, grouped) * (sizes(gradient, grouped) - kink).clamp_min(0)
        slope = torch.where(zero, at_zero, gradient + kink * sides(y, grouped))
        leaving = torch.where(kinked & zero, sizes(slope, grouped), 0.0)
        share = _ENTER if y.shape[-1] <= most else _ENTER_MANY
        enters = (leaving > 0) & (leaving >= share * leaving.flatten(2).amax(-1)[..., None, None])
        count = torch.count_nonzero(size, -1)[..., None]
        room = torch.maximum((most - count) // 2, count // 8).clamp_min(1)
        if bool((enters.sum(-1, keepdim=True) > room).any()):
            order = torch.argsort(leaving, dim=-1, descending=True)
            enters &= torch.argsort(order, dim=-1) < room
        side = torch.where(enters, -sides(slope, grouped), sides(y, grouped)) * kinked
        free = (~kinked | ~zero | enters).expand_as(y)
        across = None
        if grouped:
            across = torch.where(kinked, kink / size, 0.0)
        return cls(free, side, kink, gradient, slope * free, most, across)

    def moved(self, y: Tensor, change: Tensor) -> Face:
        """Return the face at another y, where the gradient has changed by ``change``."""
        return Face.at(y, self.gradient + change, self.kink, self.most, self.grouped)

    def settle(self, y: Tensor, after: Tensor, direction: Tensor, going: Tensor | None) -> Tensor:
        """Return ``after``, at zero where a full step would be and most of the way is done.

        ``going`` (S, K) are the columns that go on from y along the direction, by default all.
        """
        size, left = sizes(y, self.grouped), sizes(direction - y, self.grouped)
        there = (left == 0) & (self.kink > 0) & (sizes(after, self.grouped) < 0.5 * size)
        if going is not None:
            there &= per_column(going, y) != 0
        return torch.where(there, 0.0, after)

    def gap(self, y: Tensor) -> Tensor:
        """Return how far f may be above its minimum, (S, K): by convexity, if y is about as large.

        That is each entry, and all together of what leaves zero. A decrement can be small far from
        the minimum, where kinks soon stop a step.
        """
        size, slope = (sizes(t, self.grouped).flatten(2).double() for t in (y, self.slope))
        leaving = torch.where(size > 0, 0.0, slope).amax(-1)
        return (slope * size).sum(-1) + leaving * size.sum(-1)

    def violation(self) -> Tensor:
        """Return the largest slope beside the kinks, (S, K)."""
        return self._steepest() / self.kink.expand_as(self.slope).flatten(2).amax(-1)

    def _steepest(self) -> Tensor:
        return sizes(self.slope, self.grouped).flatten(2).amax(-1)

    def support(self, y: Tensor, v: Tensor) -> Tensor:
        """Return v, zero where y stays at a kink."""
        return torch.where((sizes(y, self.grouped) == 0) & (self.kink > 0), 0.0, v)

    def select(self, starts: list[int]) -> Face:
        """Return the face of these starts."""
        return self._of(lambda part: part[starts])

    def map(self, take: Callable[[Tensor], Tensor]) -> Face:
        """Return the face of what ``take`` makes of tensors of the shape of y."""
        return self._of(lambda part: take(part.expand(self.free.shape)))

    def _of(self, take: Callable[[Tensor], Tensor]) -> Face:
        return Face(
            take(self.free), take(self.side), take(self.kink), take(self.gradient),
            take(self.slope), self.most, None if self.across is None else take(self.across),
        )  # fmt: skip
