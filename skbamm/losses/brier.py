"""The Brier score: squared errors of probabilities."""

from __future__ import annotations

import torch

from skbamm.losses.base import UpperLoss
from skbamm.losses.multinomial import one_hot, softmax


class BrierLoss(UpperLoss):
    """``(p - t)^2`` of the second of two classes, else its sum over the classes.

    The two differ by a factor: of two classes, the sum would be twice that.

    Parameters
    ----------
    n_outputs : int
        1 for the log-odds of two classes, else the number of classes.
    """

    def __init__(self, n_outputs: int):
        self.n_outputs = n_outputs

    def targets(self, target):
        """Return the label (n, 1, 1), or one-hot rows (n, m, 1)."""
        return target.reshape(-1, 1, 1) if self.n_outputs == 1 else one_hot(target, self.n_outputs)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError(
                "the Brier score is not convex and cannot be a lower-level loss"
            )
        if self.n_outputs == 1:
            p = torch.sigmoid(z)
            error = p - target
            return (error * error)[:, 0], 2 * error * p * (1 - p), None
        p = softmax(z)[0]
        error = p - target
        pull = p * error
        return (error * error).sum(1), 2 * (pull - p * pull.sum(1, keepdim=True)), None
