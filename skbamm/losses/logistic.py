"""Log loss of a binary target."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from skbamm.losses.base import PointwiseLoss


class LogisticLoss(PointwiseLoss):
    """``log(1 + exp(z)) - t z`` for a target t in {0, 1} and one output."""

    n_outputs = 1

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        p = torch.sigmoid(z)
        # Above the threshold softplus(z) is z itself: to rounding, in either precision.
        value = softplus(z, threshold=40).addcmul_(target, z, value=-1)
        product = None if u is None else torch.ops.aten.sigmoid_backward(u, p)  # u (1 - p) p
        return value[:, 0], p - target, product

    def curvature(self, z, target):
        """Return ``p (1 - p)``."""
        p = torch.sigmoid(z)
        return p * (1 - p)

    def curvature_of(self, gradient, z, target):
        """Return ``p (1 - p)``: the gradient is ``p - t``."""
        p = gradient + self.targets(target)
        return p.mul_(1 - p)
