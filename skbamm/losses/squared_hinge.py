"""The squared hinge of class labels."""

from __future__ import annotations

from skbamm.losses.one_vs_rest import OneVsRest


class SquaredHingeLoss(OneVsRest):
    """``max(0, 1 - t z)^2`` for t in {-1, 1}, summed over the outputs; see ``OneVsRest``.

    The second derivative jumps from 2 to 0 at the margin, ``t z = 1``, where a generalised
    one takes its place.
    """

    hessian_jumps = True

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        slack, factor = (1 - target * z).clamp_min_(0), self._factor(target, z)
        gradient = (-2 * factor * target) * slack
        product = None if u is None else 2 * factor * (slack > 0) * u
        return (factor * (slack * slack)).sum(1), gradient, product

    def curvature(self, z, target):
        """Return 2, times the factor, where the margin is not kept, else 0."""
        signs = self.targets(target)
        return 2 * self._factor(signs, z) * (signs * z < 1).to(z.dtype)
