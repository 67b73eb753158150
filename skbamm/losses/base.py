"""What a pointwise loss offers.

A loss is a function of the predictor ``z`` and the target of one row. Predictors have shape
``(n, m, C)``: rows, outputs, columns (a column is a start and a fold), with the columns
contiguous, since there are more of them than outputs. Derivatives are taken at the predictor, so
that closed forms and automatic differentiation alike never see X.
"""

from __future__ import annotations

from typing import Any, Protocol, Self

from torch import Tensor


class UpperLoss(Protocol):
    """A loss of validation rows with its first derivative in the predictor."""

    n_outputs: int

    def targets(self, target: Tensor) -> Tensor:
        """Return the target of some rows as (n, m, 1)."""
        ...

    def evaluate(
        self, z: Tensor, target: Tensor, u: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the loss (n, C), its gradient (n, m, C), and its Hessian times ``u``."""
        ...


class PointwiseLoss(UpperLoss, Protocol):
    """A loss of training rows, with a second derivative as well.

    One whose second derivative jumps says so by an attribute ``hessian_jumps``. One may have a
    method ``curvature_of(gradient, target)``, where that is sooner had than from predictors, with
    the target as ``targets`` returns it.
    """

    couples_outputs: bool  # whether the Hessian mixes outputs (and a common shift is not seen)

    def start(self, mean: float) -> float:
        """Return the predictor that a model of constants begins at, for a target of this mean."""
        ...

    def curvature(self, z: Tensor, target: Tensor) -> Tensor:
        """Return all that the Hessian depends on, (n, m, C), for the target as it is given."""
        ...

    def hessian(self, curvature: Tensor, u: Tensor) -> Tensor:
        """Return the Hessian times ``u``, (n, m, C)."""
        ...

    def diagonal(self, curvature: Tensor) -> Tensor:
        """Return the diagonal of the Hessian, (n, m, C)."""
        ...


class ScaledLoss(PointwiseLoss, Protocol):
    """A loss with a scale of each column, which is fitted to the errors and above a width."""

    width: Any

    def least_scale(self, errors: Tensor, weight: Tensor) -> Tensor:
        """Return the scales (...) at which the weighted sum over errors (n, ...) is least."""
        ...

    def at(self, scale: Tensor) -> Self:
        """Return the loss with these scales, (C,)."""
        ...

    def scale_slopes(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return derivatives in the scale: the gradient's (n, m, C), and the loss's second."""
        ...


class ParametricLoss(PointwiseLoss, Protocol):
    """A loss with a parameter that it can be differentiated in."""

    def with_parameter(self, value: float) -> Self:
        """Return the loss with another value of it."""
        ...

    def parameter_slopes(self, z: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return derivatives in the parameter, at fixed scales.

        Those of the gradient (n, m, C) and, of a ``ScaledLoss``, of its slope in the scale (n, C).
        """
        ...


def loss_of_folds(loss: Any, folds: slice | None) -> Any:
    """Return a loss for predictors of some folds, where each fold has a loss of its own."""
    of_folds = getattr(loss, "of_folds", None)
    return loss if of_folds is None or folds is None else of_folds(folds)


__all__ = ["ParametricLoss", "PointwiseLoss", "ScaledLoss", "UpperLoss", "loss_of_folds"]
