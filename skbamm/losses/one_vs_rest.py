"""Losses of class labels that are sums of two-class losses, one a class against all others."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch.nn.functional import softplus

from skbamm.losses.multinomial import one_hot


class OneVsRest:
    """What is common to losses of ``t z`` for t in {-1, 1}, summed over the outputs.

    The target is a class number. With one output, t is 1 for class 1 of 0 and 1; with more, one
    a class, t is 1 for the output of the row's class.

    Parameters
    ----------
    n_outputs : int
    positive_factor : Tensor of shape (n_outputs,), optional
        Factor of the loss of each output's rows with t = 1: what a class weight is to liblinear
        and to stochastic gradient descent if there are more than two classes.
    """

    couples_outputs = False

    def __init__(self, n_outputs: int = 1, positive_factor: torch.Tensor | None = None):
        self.n_outputs, self.positive_factor = n_outputs, positive_factor

    def unweighted(self) -> Self:
        """Return the same loss without the factor."""
        other = copy.copy(self)
        other.positive_factor = None
        return other

    def targets(self, target):
        """Return the signs t as (n, m, 1)."""
        hot = target.reshape(-1, 1, 1) if self.n_outputs == 1 else one_hot(target, self.n_outputs)
        return 2 * hot - 1

    def start(self, mean):
        """Return zero."""
        return 0.0

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


class OneVsRestLogisticLoss(OneVsRest):
    """``log(1 + exp(-t z))``, summed over the outputs; see ``OneVsRest``."""

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        factor, p = self._factor(target), torch.sigmoid(-target * z)
        # Above the threshold softplus(z) is z itself: to rounding, in either precision.
        value = factor * softplus(-target * z, threshold=40)
        product = None if u is None else factor * p * (1 - p) * u
        return value.sum(1), -factor * target * p, product

    def curvature(self, z, target):
        """Return ``p (1 - p)``, times the factor."""
        p = torch.sigmoid(z)
        return self._factor(self.targets(target)) * p * (1 - p)
