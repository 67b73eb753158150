"""The modified Huber loss of class labels: a squared hinge that grows linearly from 4 on."""

from __future__ import annotations

from skbamm.losses.one_vs_rest import OneVsRest


class ModifiedHuberLoss(OneVsRest):
    """``max(0, 1 - t z)^2`` where ``t z >= -1``, else ``-4 t z``; see ``OneVsRest``.

    The second derivative jumps at both ends of ``-1 < t z < 1``, in which it is 2; a generalised
    one takes its place there. T. Zhang, "Solving large scale linear prediction problems using
    stochastic gradient descent algorithms", 2004.
    """

    hessian_jumps = True

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        slack, factor = (1 - target * z).clamp_min_(0), self._factor(target, z)
        pull = slack.clamp_max(2)
        value = factor * (pull * (2 * slack - pull))
        gradient = (-2 * factor * target) * pull
        product = None if u is None else 2 * factor * ((slack > 0) & (slack < 2)) * u
        return value.sum(1), gradient, product

    def curvature(self, z, target):
        """Return 2, times the factor, between the two ends, else 0."""
        signs = self.targets(target)
        slack = 1 - signs * z
        return 2 * self._factor(signs, z) * ((slack > 0) & (slack < 2)).to(z.dtype)
