"""Any loss of a mean, for models that predict its logarithm."""

from __future__ import annotations

import torch

from skbamm.losses.base import UpperLoss


class LogLinkLoss(UpperLoss):
    """Another loss at ``exp(z)``.

    Parameters
    ----------
    loss : UpperLoss
    """

    def __init__(self, loss: UpperLoss):
        self.loss, self.n_outputs = loss, loss.n_outputs

    def targets(self, target):
        """Return what the loss makes of the targets."""
        return self.loss.targets(target)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; of the Hessian no use is made."""
        if u is not None:
            raise NotImplementedError(
                "a loss behind a link may not be convex and cannot be a lower-level loss"
            )
        mean = torch.exp(z)
        value, gradient, _ = self.loss.evaluate(mean, target)
        return value, gradient * mean, None
