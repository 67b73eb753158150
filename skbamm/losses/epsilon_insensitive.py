"""The error beyond a tolerance, smoothed at its kinks."""

from __future__ import annotations

from skbamm.losses.smoothed import Smoothed, envelope, hinge_gap
from skbamm.losses.tolerance import ToleranceLoss


class EpsilonInsensitiveLoss(Smoothed, ToleranceLoss):
    """``max(0, |z - t| - epsilon)``: an error of epsilon costs nothing.

    Over the first ``width`` beyond it is a parabola; see ``Smoothed``.

    Parameters
    ----------
    epsilon, width : float
        In the target's units.
    """

    def __init__(self, epsilon: float, width: float):
        super().__init__(epsilon)
        self.width = width

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        error = z - target
        above, up, _ = envelope(error - self.epsilon, self.width)
        below, down, _ = envelope(-error - self.epsilon, self.width)
        product = None if u is None else self._curvature(error) * u
        return (above + below)[:, 0], up - down, product

    def majorant(self, z, target):
        """See ``Smoothed``."""
        beyond = (z - target).abs() - self.epsilon
        return 0.5 / beyond.abs().clamp_min(self.width)

    def gap(self, z, target):
        """See ``Smoothed``."""
        error = z - target
        above, below = error - self.epsilon, -error - self.epsilon
        return (hinge_gap(above, self.width) + hinge_gap(below, self.width))[:, 0]

    def _curvature(self, error):
        return envelope(error.abs() - self.epsilon, self.width)[2]
