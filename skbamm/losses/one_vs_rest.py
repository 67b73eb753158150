"""Losses of class labels that are sums of two-class losses, one a class against all others."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import softplus

from skbamm.losses.base import PointwiseLoss
from skbamm.losses.multinomial import one_hot

if TYPE_CHECKING:
    from typing_extensions import Self


class OneVsRest(PointwiseLoss):
    """Base class of losses of ``t z`` for t in {-1, 1}, summed over the outputs.

    The target is a class number. With one output, t is 1 for class 1 of 0 and 1; with more, one
    a class, t is 1 for the output of the row's class.

    Parameters
    ----------
    n_outputs : int
    positive_factor : Tensor of shape (n_outputs,), optional
        Factor of the loss of each output's rows with t = 1: what a class weight is to liblinear
        and to stochastic gradient descent if there are more than two classes.

    Attributes
    ----------
    sides : Tensor of shape (2, n_outputs, 1 or K), or None
        Factors of the rows with t = -1 and of those with t = 1, perhaps in each fold.
    """

    def __init__(self, n_outputs: int = 1, positive_factor: torch.Tensor | None = None):
        self.n_outputs, self.sides = n_outputs, None
        if positive_factor is not None:
            self.sides = torch.stack([torch.ones_like(positive_factor), positive_factor])[..., None]

    def weighted(self, sides: torch.Tensor | None) -> Self:
        """Return the same loss with other factors."""
        other = copy.copy(self)
        other.sides = sides
        other.differs_by_fold = sides is not None and sides.shape[-1] > 1
        return other

    def unweighted(self) -> Self:
        """Return the same loss without factors."""
        return self.weighted(None)

    def of_folds(self, folds: slice | None) -> Self:
        """See ``PointwiseLoss.of_folds``; each fold may have factors of its own."""
        if folds is None or self.sides is None or not self.differs_by_fold:
            return self
        return self.weighted(self.sides[..., folds])

    def targets(self, target):
        """Return the signs t as (n, m, 1)."""
        if self.n_outputs == 1:
            hot = target.reshape(-1, 1, 1)
        elif target.ndim > 1 and target.shape[1] == self.n_outputs:  # several labels a row
            hot = target.unsqueeze(2)
        else:
            hot = one_hot(target, self.n_outputs)
        return 2 * hot - 1

    def _factor(self, signs, z):
        """Return the factors of signs (n, m, 1) for predictors (n, m, C)."""
        if self.sides is None:
            return 1.0
        sides = self.sides.to(signs)
        if sides.shape[-1] > 1:  # columns are the folds of each start
            sides = sides.repeat(1, 1, z.shape[-1] // sides.shape[-1])
        return torch.where(signs > 0, sides[1], sides[0])


class OneVsRestLogisticLoss(OneVsRest):
    """``log(1 + exp(-t z))``, summed over the outputs; see ``OneVsRest``."""

    def evaluate(self, z, target, u=None):
        """Return value, gradient and Hessian times u."""
        factor, p = self._factor(target, z), torch.sigmoid(-target * z)
        # Above the threshold softplus(z) is z itself: to rounding, in either precision.
        value = factor * softplus(-target * z, threshold=40)
        product = None if u is None else factor * p * (1 - p) * u
        return value.sum(1), -factor * target * p, product

    def curvature(self, z, target):
        """Return ``p (1 - p)``, times the factor."""
        p = torch.sigmoid(z)
        return self._factor(self.targets(target), z) * p * (1 - p)
