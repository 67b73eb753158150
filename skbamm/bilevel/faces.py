"""Faces: the smooth pieces of an f that has kinks where entries of y are zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import per_column

# Share of the largest slope at a kink: entries that leave zero in one step. Where there are more
# entries than f can tell apart, those that leave together soon stand in each other's way.
_ENTER, _ENTER_MANY = 0.5, 0.9


@dataclass(frozen=True)
class Face:
    """The piece of phi that a step from y begins on; phi is smooth there.

    The Hessian is that of the entries that may move, a generalised Jacobian of the optimality
    condition; the multiplier vanishes outside of them.

    Attributes
    ----------
    free : Tensor of bool of the shape of y
        Entries that may move.
    side : Tensor of the shape of y
        The sign that a free entry with a kink has, or is about to get; else 0.
    kink : Tensor that broadcasts to the shape of y
        Half the jump of the slope at zero.
    gradient : Tensor of the shape of y
        Of what has no kinks.
    slope : Tensor of the shape of y
        The subgradient of least norm; zero where nothing is free.
    most : int
        See ``at``.
    """

    free: Tensor
    side: Tensor
    kink: Tensor
    gradient: Tensor
    slope: Tensor
    most: int

    @classmethod
    def at(cls, y: Tensor, gradient: Tensor, kink: Tensor, most: int) -> Face:
        """Return the face at y, given the gradient of what has no kinks.

        Of the entries at zero those of the largest slopes begin to move, half as many as there is
        room for: of more than ``most`` entries an f made of as many rows sees no more.
        """
        kink = kink.to(y.dtype)
        kinked = (kink > 0).expand_as(y)
        at_zero = torch.sign(gradient) * (gradient.abs() - kink).clamp_min(0)
        slope = torch.where(y == 0, at_zero, gradient + kink * torch.sign(y))
        leaving = torch.where(kinked & (y == 0), slope, 0.0).abs()
        share = _ENTER if y.shape[-1] <= most else _ENTER_MANY
        enters = (leaving > 0) & (leaving >= share * leaving.flatten(2).amax(-1)[..., None, None])
        count = torch.count_nonzero(y, -1)[..., None]
        room = torch.maximum((most - count) // 2, count // 8).clamp_min(1)
        if bool((enters.sum(-1, keepdim=True) > room).any()):
            order = torch.argsort(leaving, dim=-1, descending=True)
            enters &= torch.argsort(order, dim=-1) < room
        side = torch.where(enters, -torch.sign(slope), torch.sign(y)) * kinked
        free = ~kinked | (side != 0)
        return cls(free, side, kink, gradient, slope * free, most)

    def moved(self, y: Tensor, change: Tensor) -> Face:
        """Return the face at another y, where the gradient has changed by ``change``."""
        return Face.at(y, self.gradient + change, self.kink, self.most)

    def settle(self, y: Tensor, after: Tensor, direction: Tensor, going: Tensor | None) -> Tensor:
        """Return ``after``, at zero where a full step would be and most of the way is done.

        ``going`` (S, K) are the columns that go on from y along the direction, by default all.
        """
        there = (direction == y) & (self.kink > 0) & (after.abs() < 0.5 * y.abs())
        if going is not None:
            there &= per_column(going, y) != 0
        return torch.where(there, 0.0, after)

    def gap(self, y: Tensor) -> Tensor:
        """Return how far f may be above its minimum, (S, K): by convexity, if y is about as large.

        A decrement can be small far from the minimum, where kinks soon stop a step.
        """
        largest = self.slope.flatten(2).abs().amax(-1)
        return largest.double() * y.flatten(2).abs().sum(-1, dtype=torch.float64)

    def violation(self) -> Tensor:
        """Return the largest slope beside the kinks, (S, K)."""
        largest = self.slope.flatten(2).abs().amax(-1)
        return largest / self.kink.expand_as(self.slope).flatten(2).amax(-1)

    def support(self, y: Tensor, v: Tensor) -> Tensor:
        """Return v, zero where y stays at a kink."""
        return torch.where((y == 0) & (self.kink > 0), 0.0, v)

    def select(self, starts: list[int]) -> Face:
        """Return the face of these starts."""
        return self._of(lambda part: part[starts])

    def map(self, take: Callable[[Tensor], Tensor]) -> Face:
        """Return the face of what ``take`` makes of tensors of the shape of y."""
        return self._of(lambda part: take(part.expand(self.free.shape)))

    def _of(self, take: Callable[[Tensor], Tensor]) -> Face:
        return Face(
            take(self.free), take(self.side), take(self.kink), take(self.gradient),
            take(self.slope), self.most,
        )  # fmt: skip
