"""Half the squared error."""

from __future__ import annotations

import torch

from skbamm.losses.base import as_column


class HalfSquaredLoss:
    """``(z - t)^2 / 2``, summed over the outputs.

    Parameters
    ----------
    n_outputs : int
    """

    couples_outputs = False

    def __init__(self, n_outputs: int = 1):
        self.n_outputs = n_outputs

    def targets(self, target):
        """Return the targets as (n, 1, 1, m)."""
        return as_column(target)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        residual = z - target
        return 0.5 * (residual * residual).sum(-1), residual, u

    def diagonal(self, z):
        """Return ones."""
        return torch.ones_like(z)
