"""Log loss of a binary target."""

from __future__ import annotations

import torch

from skbamm.losses.base import as_column


class LogisticLoss:
    """``log(1 + exp(z)) - t z`` for a target t in {0, 1} and one output."""

    n_outputs = 1
    couples_outputs = False

    def targets(self, target):
        """Return the targets as (n, 1, 1, 1)."""
        return as_column(target)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        p = torch.sigmoid(z)
        # log(1 + exp(z)) without overflow.
        value = torch.clamp(z, min=0) + torch.log1p(torch.exp(-z.abs())) - target * z
        product = None if u is None else p * (1 - p) * u
        return value[..., 0], p - target, product

    def diagonal(self, z):
        """Return ``p (1 - p)``."""
        p = torch.sigmoid(z)
        return p * (1 - p)
