"""Log loss of a target with several classes."""

from __future__ import annotations

import torch


class MultinomialLoss:
    """``logsumexp(z) - z[t]`` for a class t in {0, ..., m - 1} and m outputs.

    Parameters
    ----------
    n_outputs : int
        Number of classes.
    """

    couples_outputs = True

    def __init__(self, n_outputs: int):
        self.n_outputs = n_outputs

    def targets(self, target):
        """Return one-hot rows (n, m, 1)."""
        hot = torch.nn.functional.one_hot(target.long().flatten(), self.n_outputs)
        return hot.to(target.dtype)[:, :, None]

    def start(self, mean):
        """Return zero."""
        return 0.0

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        top = z.amax(1, keepdim=True)
        p = (z - top).exp_()
        total = p.sum(1, keepdim=True)
        value = torch.log(total).add_(top)[:, 0] - (z * target).sum(1)
        p /= total
        return value, p - target, None if u is None else self.hessian(p, u)

    def curvature(self, z, target):
        """Return the probabilities p."""
        return torch.softmax(z, 1)

    def hessian(self, curvature, u):
        """Return ``p u - p (p' u)``."""
        product = curvature * u
        product -= curvature * product.sum(1, keepdim=True)
        return product

    def diagonal(self, curvature):
        """Return ``p (1 - p)``."""
        return curvature * (1 - curvature)
