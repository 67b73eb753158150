"""What a pointwise loss offers.

A loss is a function of the predictor ``z`` and the target of one row. Predictors have shape
``(n, S, K, m)``: rows, starts, folds, outputs. Derivatives are taken at the predictor, so that
automatic differentiation and closed forms alike never see X.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class PointwiseLoss(Protocol):
    """A loss with its first and second derivative in the predictor."""

    n_outputs: int
    couples_outputs: bool  # whether the Hessian mixes outputs (and a common shift is not seen)

    def targets(self, target: Tensor) -> Tensor:
        """Return the target of a chunk of rows in the shape that the other methods take."""
        ...

    def evaluate(
        self, z: Tensor, target: Tensor, u: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the loss (n, S, K), its gradient, and its Hessian times ``u`` (n, S, K, m)."""
        ...

    def diagonal(self, z: Tensor) -> Tensor:
        """Return the diagonal of the Hessian, (n, S, K, m)."""
        ...


def as_column(target: Tensor) -> Tensor:
    """Reshape a target (n,) or (n, m) to (n, 1, 1, m)."""
    return target.reshape(target.shape[0], 1, 1, -1)


__all__ = ["PointwiseLoss", "as_column"]
