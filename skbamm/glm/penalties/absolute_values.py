"""Absolute values of the coefficients, as in the lasso."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.glm.coordinate_descent import ModelDescent
from skbamm.glm.penalties.base import Penalty
from skbamm.glm.submatrix import Submatrix


class AbsoluteValues(Penalty):
    """The penalty ``sum_j t_j(x) |w_j|``."""

    has_kinks = True
    intercept_power = 0.5  # where the squares' is 1: see ``Task.intercept_penalty``

    def prox(self, strength: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """See ``Penalty.prox``: soft thresholding."""
        return torch.sign(y) * (y.abs() - step * strength).clamp_min(0)

    def face_metric(self, gram: Tensor, squares: Tensor, face: Face) -> Submatrix:
        """See ``Penalty.face_metric``."""
        return Submatrix(gram, squares, face)

    def descent(self, gram: Tensor, squares: Tensor) -> Callable[[Face, Tensor], Tensor] | None:
        """Return coordinate descent, which is for the CPU."""
        if gram.device.type != "cpu":
            return None
        matrix = gram.clone()
        matrix.diagonal(dim1=-2, dim2=-1).add_(squares)
        return ModelDescent(matrix.double(), self.non_negative)
