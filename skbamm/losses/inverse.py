"""Any loss of a target, for models that predict what a transformer made of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from skbamm.losses.base import UpperLoss
from skbamm.losses.log_link import LogLinkLoss


class InverseLoss:
    """Another loss at ``g(z)``, and of the target ``g(t)``.

    g is smoothed: G is its mean over ``(z - width, z + width)``, by Simpson's rule. The slope of G
    is a difference of two values, so that any function of NumPy's will do for g, one of many
    pieces included, and of a smooth g with a small width it is its slope to the second order.

    Parameters
    ----------
    loss : UpperLoss
    inverse : callable
        g, a function of each number alone, of arrays of shape (n,).
    width : float
        In units of z.
    """

    def __init__(self, loss: UpperLoss, inverse: Callable[[np.ndarray], np.ndarray], width: float):
        self.loss, self.inverse, self.width = loss, inverse, width
        self.n_outputs = loss.n_outputs

    def targets(self, target):
        """Return what the loss makes of the user's targets."""
        given = _apply(self.inverse, target.double().flatten().cpu().numpy())
        return self.loss.targets(torch.as_tensor(given).to(target).reshape(target.shape))

    def evaluate(self, z, target, u=None):
        """Return value and gradient; of the Hessian no use is made."""
        if u is not None:
            raise NotImplementedError("a loss behind a link may not be convex: it is no lower loss")
        at = z.detach().double().cpu().numpy().ravel()
        around = np.concatenate([at - self.width, at, at + self.width])
        low, middle, high = np.split(_apply(self.inverse, around), 3)
        mean, slope = (low + 4 * middle + high) / 6, (high - low) / (2 * self.width)
        value, gradient, _ = self.loss.evaluate(_like(mean, z), target)
        return value, gradient * _like(slope, z), None


def behind_inverse(
    loss: UpperLoss, inverse: Callable[[np.ndarray], np.ndarray], width: float
) -> UpperLoss:
    """Return the loss behind an inverse, which comes after the model's own link."""
    if isinstance(loss, LogLinkLoss):
        return LogLinkLoss(InverseLoss(loss.loss, inverse, width))
    return InverseLoss(loss, inverse, width)


def _like(values: np.ndarray, z: Tensor) -> Tensor:
    return torch.as_tensor(values.reshape(z.shape)).to(z)


def _apply(inverse, values: np.ndarray) -> np.ndarray:
    """Return the inverse of finite values; transformers refuse others."""
    finite = np.isfinite(values)
    with np.errstate(all="ignore"):
        found = np.asarray(inverse(np.where(finite, values, 0.0)), dtype=np.float64)
    return np.where(finite, found, np.nan)
