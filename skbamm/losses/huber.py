"""Huber's loss: squared errors up to a threshold, absolute ones beyond."""

from __future__ import annotations


class HuberLoss:
    """``r^2 / 2`` for ``r = z - t`` up to epsilon, beyond it ``epsilon |r| - epsilon^2 / 2``.

    The second derivative jumps from 1 to 0 where the error is epsilon: what stands for it there is
    a generalised one.

    Parameters
    ----------
    epsilon : float
        In the target's units.
    """

    n_outputs, couples_outputs, hessian_jumps = 1, False, True

    def __init__(self, epsilon: float):
        self.epsilon = float(epsilon)

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def start(self, mean):
        """Return the mean."""
        return mean

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        error = z - target
        pull = error.clamp(-self.epsilon, self.epsilon)
        product = None if u is None else self._curvature(error) * u
        return (pull * (error - 0.5 * pull))[:, 0], pull, product

    def curvature(self, z, target):
        """Return 1 where the error is small, else 0."""
        return self._curvature(z - self.targets(target))

    def hessian(self, curvature, u):
        """Return the curvature times u."""
        return curvature * u

    def diagonal(self, curvature):
        """Return the curvature."""
        return curvature

    def _curvature(self, error):
        return (error.abs() <= self.epsilon).to(error.dtype)
