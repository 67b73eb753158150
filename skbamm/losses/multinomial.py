"""Log loss of a target with several classes."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.losses.base import PointwiseLoss


def softmax(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the softmax over the outputs and ``logsumexp(z)``, of the shape (n, 1, C).

    torch's own would bring the outputs innermost in memory.
    """
    top = z.amax(1, keepdim=True)
    p = (z - top).exp_()
    total = p.sum(1, keepdim=True)
    return p.div_(total), total.log_().add_(top)


def one_hot(target: Tensor, n_outputs: int) -> Tensor:
    """Return ones where the class numbers are, (n, m, 1)."""
    classes = torch.arange(n_outputs, dtype=target.dtype, device=target.device)
    return (classes[:, None] == target.flatten()).to(target.dtype).T[:, :, None]


class MultinomialLoss(PointwiseLoss):
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
        return one_hot(target, self.n_outputs)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        p, normaliser = softmax(z)
        value = normaliser[:, 0] - (z * target).sum(1)
        return value, p - target, None if u is None else self.hessian(p, u)

    def curvature(self, z, target):
        """Return the probabilities p."""
        return softmax(z)[0]

    def curvature_of(self, gradient, z, target):
        """Return p: the gradient is ``p - t``."""
        return gradient + self.targets(target)

    def hessian(self, curvature, u):
        """Return ``p u - p (p' u)``."""
        product = curvature * u
        return product.addcmul_(curvature, product.sum(1, keepdim=True), value=-1)

    def diagonal(self, curvature):
        """Return ``p (1 - p)``."""
        return curvature * (1 - curvature)
