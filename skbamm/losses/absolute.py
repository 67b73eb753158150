"""Absolute errors, smoothed where they vanish."""

from __future__ import annotations

import torch

from skbamm.losses.base import UpperLoss


class PinballLoss(UpperLoss):
    """``level (t - z)`` where z is too low and ``(1 - level) (z - t)`` where it is too high.

    That is ``|r| / 2 + (1/2 - level) r`` for ``r = z - t``, with ``sqrt(r^2 + width^2)`` in the
    place of ``|r|``: larger by the width at most, and by much less where errors are larger. It is
    summed over the outputs. At the level 1/2, twice the loss is the absolute error.

    Parameters
    ----------
    n_outputs : int
    width : float
        In the target's units, or a share of the target with ``percentage``.
    level : float, default=0.5
        The quantile that is predicted.
    percentage : bool, default=False
        Divide errors by the target's magnitude, as scikit-learn does for the mean absolute
        percentage error.
    """

    def __init__(
        self, n_outputs: int, width: float, level: float = 0.5, *, percentage: bool = False
    ):
        self.n_outputs, self.width = n_outputs, width
        self.level, self.percentage = level, percentage

    def targets(self, target):
        """Return the targets as (n, m, 1)."""
        return target.reshape(target.shape[0], -1, 1)

    def evaluate(self, z, target, u=None):
        """Return value and gradient; of the Hessian no use is made."""
        if u is not None:
            raise NotImplementedError(
                "absolute errors cannot be a lower-level loss: their curvature vanishes"
            )
        r = z - target
        scale = 1.0
        if self.percentage:
            scale = target.abs().clamp_min(torch.finfo(torch.float64).eps)
            r = r / scale
        root = torch.sqrt(r * r + self.width**2)
        lean = 0.5 - self.level
        return (0.5 * root + lean * r).sum(1), (0.5 * r / root + lean) / scale, None
