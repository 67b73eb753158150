"""The squared error beyond a tolerance."""

from __future__ import annotations

from skbamm.losses.tolerance import ToleranceLoss


class SquaredEpsilonInsensitiveLoss(ToleranceLoss):
    """``max(0, |z - t| - epsilon)^2``: an error of epsilon costs nothing.

    The second derivative jumps from 0 to 2.
    """

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        error = z - target
        excess = error - error.clamp(-self.epsilon, self.epsilon)
        product = None if u is None else self._curvature(error) * u
        return (excess * excess)[:, 0], 2 * excess, product

    def _curvature(self, error):
        return (error.abs() >= self.epsilon).to(error.dtype).mul_(2)
