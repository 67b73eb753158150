"""The squared hinge of class labels."""

from __future__ import annotations

import torch

from skbamm.losses.multinomial import one_hot


class SquaredHingeLoss:
    """``max(0, 1 - t z)^2`` for t in {-1, 1}, summed over the outputs.

    The target is a class number. With one output, t is 1 for class 1 of 0 and 1; with more, one
    a class, t is 1 for the output of the row's class. The second derivative jumps from 2 to 0 at
    the margin, ``t z = 1``: what stands for it there is a generalised one.

    Parameters
    ----------
    n_outputs : int
    positive_factor : Tensor of shape (n_outputs,), optional
        Factor of the loss of each output's rows with t = 1: what a class weight is to liblinear
        if there are more than two classes.
    """

    couples_outputs, hessian_jumps = False, True

    def __init__(self, n_outputs: int = 1, positive_factor: torch.Tensor | None = None):
        self.n_outputs, self.positive_factor = n_outputs, positive_factor

    def targets(self, target):
        """Return the signs t as (n, m, 1)."""
        hot = target.reshape(-1, 1, 1) if self.n_outputs == 1 else one_hot(target, self.n_outputs)
        return 2 * hot - 1

    def start(self, mean):
        """Return zero."""
        return 0.0

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u."""
        slack, factor = (1 - target * z).clamp_min_(0), self._factor(target)
        gradient = (-2 * factor * target) * slack
        product = None if u is None else 2 * factor * (slack > 0) * u
        return (factor * (slack * slack)).sum(1), gradient, product

    def curvature(self, z, target):
        """Return 2, times the factor, where the margin is not kept, else 0."""
        signs = self.targets(target)
        return 2 * self._factor(signs) * (signs * z < 1).to(z.dtype)

    def hessian(self, curvature, u):
        """Return the curvature times u."""
        return curvature * u

    def diagonal(self, curvature):
        """Return the curvature."""
        return curvature

    def _factor(self, signs):
        if self.positive_factor is None:
            return 1.0
        return torch.where(signs > 0, self.positive_factor.to(signs)[:, None], 1.0)
