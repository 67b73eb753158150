"""Turns x back where y and v do not follow it."""

from __future__ import annotations

import torch
from torch import Tensor

Point = tuple[Tensor, Tensor, Tensor]  # x on the CPU, y and v

_LOST = 25  # iterations without trust or progress after which x turns back
_NEARER = 0.5  # fall of the squared decrement that is progress


class TurnBack:
    """Goes to the middle between here and the last trusted x, and from there no nearer to here.

    Attributes
    ----------
    good : tuple of Tensor, or None
        The last trusted x, y and v.
    turned : bool
        Whether the last call did so.
    """

    def __init__(self) -> None:
        self.good: Point | None = None
        self.turned = False
        self._lost = 0  # iterations since y and v last came nearer to what x asks for
        self._least = torch.inf  # squared decrement then
        self._lost_at: Tensor | None = None  # where they did not

    def __call__(self, here: Point, ahead: Point, trusted: bool, decrement: float) -> Point:
        """Return where to go on, given where we are and where the steps lead.

        ``decrement`` is the largest squared one of the residuals of y and v.
        """
        x, y, v = ahead
        at, self.turned = here[0], False
        if trusted:
            self.good, self._lost, self._least = here, 0, torch.inf
            if self._lost_at is not None:  # come no nearer than half the way
                room, step = 0.5 * (self._lost_at - at), x - at
                x = at + torch.where(step * room > 0, step.clamp(-room.abs(), room.abs()), step)
        elif decrement < _NEARER * self._least:
            self._lost, self._least = 0, decrement
        else:
            self._lost += 1
        if self._lost < _LOST or self.good is None:
            return x, y, v
        self._lost, self._least, self._lost_at, self.turned = 0, torch.inf, at, True
        middle, y, v = self.good
        return 0.5 * (at + middle), y, v
