"""Base class of losses with kinks that are smoothed there.

Such a loss is the Moreau envelope of the one it stands for, ``min over s of l(s) + (z - s)^2 /
(2 width)``: convex, no larger, and beyond the width of a kink the same up to a constant
(Nesterov, "Smooth minimization of non-smooth functions", 2005).

At the minimum of a smoothed objective the slopes c of the losses solve the dual problem's
constraints. So the exact objective there is above its own minimum by no more than the duality
gap, the sum over the rows of ``l(z) + l*(c) - c z``, which only rows within the width have: it
shows when the width is small enough.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from torch import Tensor

from skbamm.losses.base import PointwiseLoss

if TYPE_CHECKING:
    from typing_extensions import Self


class Smoothed(PointwiseLoss):
    """A loss with a width at its kinks.

    Attributes
    ----------
    width : float
    """

    width: float
    hessian_jumps = smoothed = True

    def gap(self, z: Tensor, target: Tensor) -> Tensor:
        """Return the rows' shares of the duality gap, (n, C)."""
        raise NotImplementedError

    def majorant(self, z: Tensor, target: Tensor) -> Tensor:
        """Return the curvature (n, m, C) of parabolas that see the nearest kink.

        They touch the exact loss at z and around that kink are nowhere below it, where the second
        derivative is zero (Hunter & Lange, "Quantile regression via an MM algorithm", 2000).
        """
        raise NotImplementedError

    def narrowed(self, width: float) -> Self:
        """Return the same loss with another width."""
        other = copy.copy(self)
        other.width = width
        return other


def envelope(excess: Tensor, width: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the envelope of ``max(0, excess)``, its slope and its second derivative."""
    slope = (excess / width).clamp(0, 1)
    value = slope * (excess - 0.5 * width * slope)
    inside = (excess > 0) & (excess < width)
    return value, slope, inside.to(excess.dtype) / width


def hinge_gap(excess: Tensor, width: float) -> Tensor:
    """Return the share of the duality gap of ``max(0, excess)``, whose conjugate is zero."""
    return excess.clamp_min(0) - (excess / width).clamp(0, 1) * excess
