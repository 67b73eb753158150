"""Continuation in x: y and v are predicted where x moves, and x goes back where they are lost."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face

Point = tuple[Tensor, Tensor, Tensor]  # x on the CPU, y and v


class Predictor:
    """Extrapolates y and v linearly from the last x that they have followed.

    Attributes
    ----------
    longest : float
        Largest step of x, relative to the last, for which linear extrapolation is used.
    """

    longest = 2.0

    def __init__(self) -> None:
        self._last: Point | None = None

    def begin(self, s: int, trusted: Tensor, x: Tensor, y: Tensor, v: Tensor) -> None:
        """Take for the last x that of the trusted start nearest to start ``s``, if there is one."""
        apart = (x - x[s]).abs().sum(1)
        apart[~trusted | (apart == 0)] = torch.inf
        other = [int(apart.argmin())]
        if bool(torch.isfinite(apart[other])):
            self._last = x[other], y[other], v[other]

    def __call__(
        self, ahead: Tensor, x: Tensor, y: Tensor, v: Tensor, face: Face | None
    ) -> tuple[Tensor, Tensor]:
        """Return y and v for ``ahead``, given those that have followed x; each of one start.

        With kinks, or for a step too long for linear extrapolation, these are y and v.
        """
        before, self._last = self._last, (x, y, v)
        if before is None or face is not None:
            return y, v
        at, last_y, last_v = before
        step, last = float(ahead - x), float(x - at)
        if not 0 < abs(step) <= self.longest * abs(last):
            return y, v
        share = step / last
        return y + share * (y - last_y), v + share * (v - last_v)


class Backtrack:
    """Goes to the middle between here and the last trusted x, and from there no nearer to here.

    Attributes
    ----------
    patience : int
        Iterations without trust or progress after which x goes back.
    nearer : float
        Fall of the squared decrement that is progress.
    good : tuple of Tensor, or None
        The last trusted x, y and v.
    turned : bool
        Whether the last call went back.
    """

    patience, nearer = 25, 0.5

    def __init__(self, good: Point | None = None) -> None:
        self.good = good
        self.turned = False
        self._lost = 0  # iterations since the errors of y and v last decreased
        self._least = torch.inf  # squared decrement then
        self._lost_at: Tensor | None = None  # where they did not

    def __call__(self, here: Point, ahead: Point, trusted: bool, decrement: float) -> Point:
        """Return the next point, given the current one and the proposed one.

        ``decrement`` is the largest squared one of the residuals of y and v.
        """
        x, y, v = ahead
        at, self.turned = here[0], False
        if trusted:
            self.good, self._lost, self._least = here, 0, torch.inf
            if self._lost_at is not None:  # come no nearer than half the way
                room, step = 0.5 * (self._lost_at - at), x - at
                x = at + torch.where(step * room > 0, step.clamp(-room.abs(), room.abs()), step)
        elif decrement < self.nearer * self._least:
            self._lost, self._least = 0, decrement
        else:
            self._lost += 1
        if self._lost < self.patience or self.good is None:
            return x, y, v
        self._lost, self._least, self._lost_at, self.turned = 0, torch.inf, at, True
        middle, y, v = self.good
        return 0.5 * (at + middle), y, v
