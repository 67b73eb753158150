"""The base classes of losses: what a loss must give, and what it may.

A loss is a function of the predictor ``z`` and the target of one row. Predictors have shape
``(n, m, C)``: rows, outputs, columns (a column is a start and a fold), with the columns
contiguous, since there are more of them than outputs. Derivatives are taken at the predictor, so
that closed forms and automatic differentiation alike never see X.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self


class UpperLoss(ABC):
    """A loss of validation rows, with its first derivative in the predictor.

    Attributes
    ----------
    n_outputs : int
    squared : bool
        Whether it is half the squared error, so that second moments of X are all it needs.
    smoothed : bool
        Whether the loss approximates one with kinks; see ``Smoothed``.
    """

    n_outputs: int
    squared: bool = False
    smoothed: bool = False

    @abstractmethod
    def targets(self, target: Tensor) -> Tensor:
        """Return the target of some rows as (n, m, 1)."""

    @abstractmethod
    def evaluate(
        self, z: Tensor, target: Tensor, u: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the loss (n, C), its gradient (n, m, C), and its Hessian times ``u``.

        ``target`` is as ``targets`` returns it.
        """


class PointwiseLoss(UpperLoss):
    """A loss of training rows, with a second derivative as well.

    A subclass gives ``targets``, ``evaluate`` and ``curvature``. The other methods are right as
    they stand for a loss whose Hessian is diagonal in the outputs, with ``curvature`` as its
    diagonal.

    Attributes
    ----------
    couples_outputs : bool
        Whether the Hessian mixes outputs; a shift that all outputs share then changes nothing.
    hessian_jumps : bool
        Whether the second derivative jumps.
    has_scale : bool
        Whether it is a ``ScaledLoss``.
    differs_by_fold : bool
        Whether ``of_folds`` returns another loss for some of the folds.
    """

    couples_outputs: bool = False
    hessian_jumps: bool = False
    has_scale: bool = False
    differs_by_fold: bool = False

    def start(self, mean: float) -> float:
        """Return the predictor that a model of constants begins at, for a target of this mean."""
        return 0.0

    @abstractmethod
    def curvature(self, z: Tensor, target: Tensor) -> Tensor:
        """Return all that the Hessian depends on, (n, m, C), for the target as the user gave it."""

    def curvature_of(self, gradient: Tensor, z: Tensor, target: Tensor) -> Tensor:
        """Return ``curvature(z, target)``, given the gradient at z, which may save work."""
        return self.curvature(z, target)

    def hessian(self, curvature: Tensor, u: Tensor) -> Tensor:
        """Return the Hessian times ``u``, (n, m, C)."""
        return curvature * u

    def diagonal(self, curvature: Tensor) -> Tensor:
        """Return the diagonal of the Hessian, (n, m, C)."""
        return curvature

    def majorant(self, z: Tensor, target: Tensor) -> Tensor:
        """Return curvatures (n, m, C) of parabolas that touch the loss and lie above it, or nearly.

        They matter where ``hessian_jumps``, since the second derivative may vanish there.
        ``target`` is as ``targets`` returns it. This default suits a loss that is never negative
        and zero at its minimum.
        """
        value, slope, _ = self.evaluate(z, target)
        return 0.5 * slope**2 / value[:, None].clamp_min(torch.finfo(value.dtype).tiny)

    def of_folds(self, folds: slice | None) -> Self:
        """Return the loss for predictors of these folds (None: of all folds)."""
        return self


class ScaledLoss(PointwiseLoss):
    """A loss with a scale of each column, which is fitted to the errors and above a width."""

    has_scale = True
    width: float

    @abstractmethod
    def least_scale(self, errors: Tensor, weight: Tensor) -> Tensor:
        """Return the scales (...) at which the weighted sum over errors (n, ...) is least."""

    @abstractmethod
    def at(self, scale: Tensor) -> Self:
        """Return the loss with these scales, (C,)."""

    @abstractmethod
    def scale_slopes(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return derivatives in the scale: the gradient's (n, m, C), and the loss's second."""


class ParametricLoss(PointwiseLoss):
    """A loss with a parameter that it can be differentiated in."""

    @abstractmethod
    def with_parameter(self, value: float) -> Self:
        """Return the loss with another value of it."""

    @abstractmethod
    def parameter_slopes(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return derivatives in the parameter, at fixed scales.

        Those of the gradient (n, m, C) and, of a ``ScaledLoss``, of its slope in the scale (n, C).
        """


__all__ = ["ParametricLoss", "PointwiseLoss", "ScaledLoss", "UpperLoss"]
