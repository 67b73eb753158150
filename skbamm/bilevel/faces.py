"""Faces: the smooth pieces of an f that has kinks where entries of y, or groups, are zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from skbamm.bilevel.columns import per_column


class Kinks:
    """The kinks of f and the jumps of its slope; by default, where single entries are zero.

    f has a term ``kink * size`` for each entry, or for each group of entries. Subclasses say what
    a size is, and where a kink is more than that term makes it.

    Attributes
    ----------
    curved : bool
        Whether the sizes are curved where they are not zero.
    """

    curved = False

    def sizes(self, t: Tensor) -> Tensor:
        """Return the size of each entry or group; a group's axis stays with a length of one."""
        return t.abs()

    def sides(self, t: Tensor) -> Tensor:
        """Return the slope of each size; zero where it is zero."""
        return torch.sign(t)

    def jump(self, kink: Tensor) -> Tensor:
        """Return the jump of the slope at zero; zero without a kink, possibly infinite."""
        return 2 * kink

    def at_zero(self, gradient: Tensor, kink: Tensor) -> Tensor:
        """Return the subgradient of least norm of entries at zero, given the others' gradient."""
        return self.sides(gradient) * (self.sizes(gradient) - kink).clamp_min(0)

    def steepness(self, kink: Tensor, gradient: Tensor) -> Tensor:
        """Return the scale of the residual at a solution, (S, K)."""
        return kink.expand_as(gradient).flatten(2).amax(-1)

    def admit(self, y: Tensor) -> Tensor:
        """Return y, with its entries moved to where f is finite."""
        return y


ENTRIES = Kinks()


@dataclass(frozen=True)
class Face:
    """The smooth piece of phi on which a step from y starts.

    The Hessian is that of the entries that may move, a generalised Jacobian of the optimality
    condition; the multiplier vanishes outside of them. A kink is where an entry, or all of a group
    of entries, is zero.

    Attributes
    ----------
    free : Tensor of bool of the shape of y
        Entries that may move.
    side : Tensor of the shape of y
        The sign that a free entry with a kink has, or is about to get; else 0. Of a group, its
        direction, of norm one.
    kink : Tensor that broadcasts to the shape of y
        The factor of the sizes.
    jump : Tensor that broadcasts to the shape of y
        The jump of the slope at zero; zero where there is no kink.
    gradient : Tensor of the shape of y
        Gradient of the part without kinks.
    slope : Tensor of the shape of y
        The subgradient of least norm; zero where nothing is free.
    most : int
        See ``at``.
    kinks : Kinks
    across : Tensor that broadcasts to the shape of y, or None
        Of groups, the curvature of their norm across ``side``; infinite where they leave zero.
    enter, enter_many : float
        Entries leave zero together if their slopes are at least this share of the largest one;
        the second where there are more entries than rows, which soon get in each other's way.
    """

    enter: ClassVar[float] = 0.5
    enter_many: ClassVar[float] = 0.9

    free: Tensor
    side: Tensor
    kink: Tensor
    jump: Tensor
    gradient: Tensor
    slope: Tensor
    most: int
    kinks: Kinks
    across: Tensor | None = None

    @classmethod
    def at(
        cls, y: Tensor, gradient: Tensor, kink: Tensor, most: int, kinks: Kinks = ENTRIES
    ) -> Face:
        """Return the face at y, given the gradient of what has no kinks.

        The groups at zero with the largest slopes start to move, half as many as the limit allows:
        an f of ``most`` rows cannot determine more entries.
        """
        kink = kink.to(y.dtype)
        size, side, jump = kinks.sizes(y), kinks.sides(y), kinks.jump(kink)
        zero, kinked = size == 0, (jump > 0).expand_as(size)
        slope = torch.where(zero, kinks.at_zero(gradient, kink), gradient + kink * side)
        leaving = torch.where(kinked & zero, kinks.sizes(slope), 0.0)
        share = cls.enter if y.shape[-1] <= most else cls.enter_many
        enters = (leaving > 0) & (leaving >= share * leaving.flatten(2).amax(-1)[..., None, None])
        count = torch.count_nonzero(size, -1)[..., None]
        room = torch.maximum((most - count) // 2, count // 8).clamp_min(1)
        if bool((enters.sum(-1, keepdim=True) > room).any()):
            order = torch.argsort(leaving, dim=-1, descending=True)
            enters &= torch.argsort(order, dim=-1) < room
        side = torch.where(enters, -kinks.sides(slope), side) * kinked
        free = (~kinked | ~zero | enters).expand_as(y)
        across = torch.where(kinked, kink / size, 0.0) if kinks.curved else None
        return cls(free, side, kink, jump, gradient, slope * free, most, kinks, across)

    def moved(self, y: Tensor, change: Tensor) -> Face:
        """Return the face at another y, where the gradient has changed by ``change``."""
        return Face.at(y, self.gradient + change, self.kink, self.most, self.kinks)

    def settle(self, y: Tensor, after: Tensor, direction: Tensor, going: Tensor | None) -> Tensor:
        """Return ``after``, at zero where a full step would be and most of the way is done.

        ``going`` (S, K) are the columns that move from y along the direction, by default all.
        """
        sizes = self.kinks.sizes
        there = (sizes(direction - y) == 0) & (self.jump > 0) & (sizes(after) < 0.5 * sizes(y))
        if going is not None:
            there &= per_column(going, y) != 0
        return self.kinks.admit(torch.where(there, 0.0, after))

    def gap(self, y: Tensor) -> Tensor:
        """Return how far f may be above its minimum, (S, K): by convexity, if y is about as large.

        It is evaluated for each entry and for all entries that leave zero. A decrement can be small
        far from the minimum, where kinks soon stop a step.
        """
        size, slope = (self.kinks.sizes(t).flatten(2).double() for t in (y, self.slope))
        leaving = torch.where(size > 0, 0.0, slope).amax(-1)
        return (slope * size).sum(-1) + leaving * size.sum(-1)

    def violation(self) -> Tensor:
        """Return the largest slope relative to the kinks, (S, K)."""
        steepest = self.kinks.sizes(self.slope).flatten(2).amax(-1)
        return steepest / self.kinks.steepness(self.kink, self.gradient)

    def support(self, y: Tensor, v: Tensor) -> Tensor:
        """Return v, zero where y stays at a kink."""
        return torch.where((self.kinks.sizes(y) == 0) & (self.jump > 0), 0.0, v)

    def select(self, starts: list[int]) -> Face:
        """Return the face of these starts."""
        return self._of(lambda part: part[starts])

    def map(self, take: Callable[[Tensor], Tensor]) -> Face:
        """Return the face of what ``take`` makes of tensors of the shape of y."""
        return self._of(lambda part: take(part.expand(self.free.shape)))

    def _of(self, take: Callable[[Tensor], Tensor]) -> Face:
        return Face(
            take(self.free), take(self.side), take(self.kink), take(self.jump),
            take(self.gradient), take(self.slope), self.most, self.kinks,
            None if self.across is None else take(self.across),
        )  # fmt: skip
