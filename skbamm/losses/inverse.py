"""Any loss of a target, for models that predict what a transformer made of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skbamm.losses.base import UpperLoss
from skbamm.losses.log_link import LogLinkLoss


class InverseLoss(UpperLoss):
    """Another loss at ``g(z)``, and of the target ``g(t)``.

    g is smoothed: G is its mean over ``(z - width, z + width)``, by Simpson's rule. The slope of G
    is a difference of two values, so that g may be any NumPy function, also one of many pieces;
    for a smooth g and a small width it is the slope of g to second order. Where g is not finite,
    as may happen with a power transform, G continues as a straight line.

    Parameters
    ----------
    loss : UpperLoss
    inverse : callable
        g, a function of each number alone, of arrays of shape (n,).
    width : float
        In units of z.
    seen : tuple of two floats
        Ends of an interval, more than twice as wide as ``width``, on which g is finite.
    """

    def __init__(
        self,
        loss: UpperLoss,
        inverse: Callable[[np.ndarray], np.ndarray],
        width: float,
        seen: tuple[float, float],
    ):
        self.loss, self.inverse, self.width = loss, inverse, width
        self.n_outputs = loss.n_outputs
        self._ends = seen[0] + width, seen[1] - width

    def targets(self, target):
        """Return what the loss makes of the user's targets."""
        given = _apply(self.inverse, target.double().flatten().cpu().numpy())
        return self.loss.targets(torch.as_tensor(given).to(target).reshape(target.shape))

    def evaluate(self, z, target, u=None):
        """Return value and gradient; of the Hessian no use is made."""
        if u is not None:
            raise NotImplementedError(
                "a loss behind a link may not be convex and cannot be a lower-level loss"
            )
        at = z.detach().double().cpu().numpy().ravel()
        mean, slope = self._smoothed(at)
        beyond = np.isfinite(at) & ~np.isfinite(mean + slope)
        if beyond.any():
            end = at[beyond].clip(*self._ends)
            mean[beyond], slope[beyond] = self._smoothed(end)
            mean[beyond] += slope[beyond] * (at[beyond] - end)
        value, gradient, _ = self.loss.evaluate(_like(mean, z), target)
        return value, gradient * _like(slope, z), None

    def _smoothed(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return G and its slope."""
        around = np.concatenate([at - self.width, at, at + self.width])
        low, middle, high = np.split(_apply(self.inverse, around), 3)
        return (low + 4 * middle + high) / 6, (high - low) / (2 * self.width)


@dataclass(frozen=True)
class Inverse:
    """A map to the user's units, with the parameters that ``InverseLoss`` takes."""

    function: Callable[[np.ndarray], np.ndarray]
    width: float
    seen: tuple[float, float]


def behind_inverse(loss: UpperLoss, inverse: Inverse) -> UpperLoss:
    """Return the loss behind an inverse, which comes after the model's own link."""
    known = (inverse.function, inverse.width, inverse.seen)
    if isinstance(loss, LogLinkLoss):
        return LogLinkLoss(InverseLoss(loss.loss, *known))
    return InverseLoss(loss, *known)


def _like(values: np.ndarray, z: Tensor) -> Tensor:
    return torch.as_tensor(values.reshape(z.shape)).to(z)


def _apply(inverse, values: np.ndarray) -> np.ndarray:
    """Return the inverse of finite values; transformers refuse others.

    A search may ask for values beyond those that a transformer returns. Of models that are scored
    it warns by itself.
    """
    finite = np.isfinite(values)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = np.asarray(inverse(np.where(finite, values, 0.0)), dtype=np.float64)
    return np.where(finite, found, np.nan)
