"""The pinball loss of a quantile, smoothed at its kink."""

from __future__ import annotations

from skbamm.losses.smoothed import Smoothed
from skbamm.losses.tolerance import ToleranceLoss


class QuantileLoss(Smoothed, ToleranceLoss):
    """``level (t - z)`` where z is too low and ``(1 - level) (z - t)`` where it is too high.

    Where the error ``z - t`` is from ``-level`` to ``1 - level`` widths it is a parabola; see
    ``Smoothed``. ``PinballLoss`` is the same for an upper level, smoothed in another way.

    Parameters
    ----------
    level : float
        The quantile that is predicted.
    width : float
        In the target's units.
    """

    def __init__(self, level: float, width: float):
        super().__init__(0.0)
        self.level, self.width = float(level), width

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        error = z - target
        slope = self._slope(error)
        product = None if u is None else self._curvature(error) * u
        return (slope * (error - 0.5 * self.width * slope))[:, 0], slope, product

    def majorant(self, z, target):
        """See ``Smoothed``."""
        return 0.5 / (z - target).abs().clamp_min(self.width)

    def gap(self, z, target):
        """See ``Smoothed``; the conjugate of the loss of errors is zero."""
        error = z - target
        exact = error.clamp_min(0) - self.level * error
        return (exact - self._slope(error) * error)[:, 0]

    def _slope(self, error):
        return (error / self.width).clamp(-self.level, 1 - self.level)

    def _curvature(self, error):
        at = error / self.width
        inside = (at > -self.level) & (at < 1 - self.level)
        return inside.to(error.dtype) / self.width
