"""A loss of class labels in which all classes have the same total weight."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.losses.base import UpperLoss


class BalancedLoss(UpperLoss):
    """Another loss, times a factor of the row's class.

    Parameters
    ----------
    loss : UpperLoss
    class_factor : Tensor of shape (n_classes,)
    class_of : callable
        Maps targets as they are given, (n, ...), to class numbers (n,).
    """

    def __init__(self, loss: UpperLoss, class_factor: Tensor, class_of: Callable[[Tensor], Tensor]):
        self.loss, self.class_factor, self.class_of = loss, class_factor, class_of
        self.n_outputs = loss.n_outputs

    def targets(self, target):
        """Return what the loss makes of the targets, and the factor as one more output."""
        factor = self.class_factor.to(target.dtype)[self.class_of(target)]
        return torch.cat([self.loss.targets(target), factor[:, None, None]], 1)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        factor = target[:, -1:]
        value, gradient, product = self.loss.evaluate(z, target[:, :-1], u)
        return value * factor[:, 0], gradient * factor, None if u is None else product * factor
