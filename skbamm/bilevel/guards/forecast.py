"""Where y and v go with a single x: straight on, as they went with it the last time.

Such a step costs nothing, and where x moves little it leaves an error of second order; without it
y and v are behind by all that x has moved.
"""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face

_AHEAD = 2.0  # times as far as x went the last time


class Forecast:
    """Remembers the last x that y and v have followed."""

    def __init__(self) -> None:
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

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

        Where there are kinks, or the way is too far for a straight line, these are y and v.
        """
        before, self._last = self._last, (x, y, v)
        if before is None or face is not None:
            return y, v
        at, last_y, last_v = before
        step, last = float(ahead - x), float(x - at)
        if not 0 < abs(step) <= _AHEAD * abs(last):
            return y, v
        share = step / last
        return y + share * (y - last_y), v + share * (v - last_v)
