"""Half the squared error."""

from __future__ import annotations

import torch

from skbamm.losses.base import PointwiseLoss


class HalfSquaredLoss(PointwiseLoss):
    """``(z - t)^2 / 2``, summed over the outputs.

    Parameters
    ----------
    n_outputs : int
    """

    squared = True

    def __init__(self, n_outputs: int = 1):
        self.n_outputs = n_outputs

    def targets(self, target):
        """Return the targets as (n, m, 1)."""
        return target.reshape(target.shape[0], -1, 1)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        residual = z - target
        return 0.5 * (residual * residual).sum(1), residual, u

    def curvature(self, z, target):
        """Return ones."""
        return torch.ones_like(z)

    def hessian(self, curvature, u):
        """Return ``u``."""
        return u
