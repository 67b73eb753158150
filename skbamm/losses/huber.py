"""Huber's loss: squared errors up to a threshold, absolute ones beyond."""

from __future__ import annotations

from skbamm.losses.tolerance import ToleranceLoss


class HuberLoss(ToleranceLoss):
    """``r^2 / 2`` for ``r = z - t`` up to epsilon, beyond it ``epsilon |r| - epsilon^2 / 2``.

    The second derivative jumps from 1 to 0.
    """

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        error = z - target
        pull = error.clamp(-self.epsilon, self.epsilon)
        product = None if u is None else self._curvature(error) * u
        return (pull * (error - 0.5 * pull))[:, 0], pull, product

    def parameter_slopes(self, z, target):
        """Return the derivative in epsilon of the gradient: it is pulled by epsilon beyond that."""
        error = z - target
        return error.sign() * (error.abs() > self.epsilon), None

    def _curvature(self, error):
        return (error.abs() <= self.epsilon).to(error.dtype)
