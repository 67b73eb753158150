"""Log loss of several classes that have a logistic model each."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid

from skbamm.losses.base import UpperLoss
from skbamm.losses.multinomial import one_hot


class NormalisedLogisticLoss(UpperLoss):
    """``log(sum_j p_j) - log p_t`` with ``p_j = 1 / (1 + exp(-z_j))``.

    The probability of a class is p of its own model over the sum of all, as in scikit-learn's
    OneVsRestClassifier and SGDClassifier.

    Parameters
    ----------
    n_outputs : int
        Number of classes, more than two.
    """

    def __init__(self, n_outputs: int):
        self.n_outputs = n_outputs

    def targets(self, target):
        """Return one-hot rows (n, m, 1)."""
        return one_hot(target, self.n_outputs)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; there is no Hessian."""
        if u is not None:
            raise NotImplementedError(
                "the normalised loss is not convex and cannot be a lower-level loss"
            )
        logs = logsigmoid(z)
        total = torch.logsumexp(logs, 1, keepdim=True)
        against = torch.sigmoid(-z)  # 1 - p, the slope of log p
        gradient = ((logs - total).exp() - target) * against
        return total[:, 0] - (logs * target).sum(1), gradient, None
