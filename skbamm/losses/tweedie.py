"""Half the deviance of a Tweedie distribution, with a log link."""

from __future__ import annotations

import math

import torch

from skbamm.losses.base import PointwiseLoss


class TweedieLoss(PointwiseLoss):
    """Half the deviance at a mean of ``exp(z)``: power 1 is Poisson's, power 2 the gamma's.

    Between the two it is ``exp((2-p) z) / (2-p) + t exp((1-p) z) / (p-1)``, less its least value
    for the target t: zero at ``exp(z) = t``. Convex in z for 1 <= p <= 2 only.

    Parameters
    ----------
    power : float
        In [1, 2].
    """

    n_outputs = 1

    def __init__(self, power: float):
        self.power = float(power)

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def start(self, mean):
        """Return the logarithm of the mean."""
        return math.log(mean) if mean > 0 else 0.0

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        p = self.power
        if p == 1:
            mean = torch.exp(z)
            value = mean - target * z - _least(target, p)
            gradient, curvature = mean - target, mean
        elif p == 2:
            ratio = target * torch.exp(-z)
            value = z + ratio - _least(target, p)
            gradient, curvature = 1 - ratio, ratio
        else:
            up, down = torch.exp((2 - p) * z), target * torch.exp((1 - p) * z)
            value = up / (2 - p) + down / (p - 1) - _least(target, p)
            gradient, curvature = up - down, (2 - p) * up + (p - 1) * down
        return value[:, 0], gradient, None if u is None else curvature * u

    def curvature(self, z, target):
        """Return the second derivative."""
        return self.evaluate(z, self.targets(target), torch.ones_like(z))[2]


def _least(target, p):
    """Least value of the loss, at ``exp(z) = target``."""
    if p == 1:
        return target - torch.special.xlogy(target, target)
    if p == 2:
        return 1 + torch.log(target)
    return target ** (2 - p) * (1 / (2 - p) + 1 / (p - 1))
