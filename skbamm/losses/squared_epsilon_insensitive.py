"""The squared error beyond a tolerance."""

from __future__ import annotations


class SquaredEpsilonInsensitiveLoss:
    """``max(0, |z - t| - epsilon)^2``.

    The second derivative jumps from 0 to 2 where the error is epsilon: what stands for it there
    is a generalised one.

    Parameters
    ----------
    epsilon : float
        Size of an error that costs nothing, in the target's units.
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
        excess = error - error.clamp(-self.epsilon, self.epsilon)
        product = None if u is None else self._curvature(error) * u
        return (excess * excess)[:, 0], 2 * excess, product

    def curvature(self, z, target):
        """Return 2 where the error counts, else 0."""
        return self._curvature(z - self.targets(target))

    def hessian(self, curvature, u):
        """Return the curvature times u."""
        return curvature * u

    def diagonal(self, curvature):
        """Return the curvature."""
        return curvature

    def _curvature(self, error):
        return (error.abs() >= self.epsilon).to(error.dtype).mul_(2)
