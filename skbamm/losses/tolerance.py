"""Base class of losses of errors whose second derivative jumps at a tolerance."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from torch import Tensor

from skbamm.losses.base import ParametricLoss

if TYPE_CHECKING:
    from typing_extensions import Self


class ToleranceLoss(ParametricLoss):
    """A loss of ``z - t`` with a second derivative that jumps where the error is epsilon.

    A generalised one takes its place there. A subclass has ``evaluate`` and ``_curvature``, which
    maps errors to second derivatives.

    Parameters
    ----------
    epsilon : float
        In the target's units.
    """

    n_outputs, hessian_jumps = 1, True

    def __init__(self, epsilon: float):
        self.epsilon = float(epsilon)

    def targets(self, target):
        """Return the targets as (n, 1, 1)."""
        return target.reshape(-1, 1, 1)

    def start(self, mean):
        """Return the mean."""
        return mean

    def curvature(self, z, target):
        """Return the second derivative at z."""
        return self._curvature(z - self.targets(target))

    def with_parameter(self, value: float) -> Self:
        """Return the loss with another epsilon."""
        other = copy.copy(self)
        other.epsilon = float(value)
        return other

    def parameter_slopes(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the derivative in epsilon of the gradient.

        This holds where the gradient is a function of the error beyond epsilon, on either side.
        """
        error = z - target
        return -error.sign() * self._curvature(error), None

    def _curvature(self, error):
        raise NotImplementedError
