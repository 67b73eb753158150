"""Norms of all outputs' coefficients of a feature, as in the multi-task lasso."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.glm.approach import Approach
from skbamm.glm.groups import LaterMatrix
from skbamm.glm.penalties.base import Penalty


class GroupNorms(Penalty):
    """The penalty ``sum_j t_j(x) |w_j|_2``, where w_j has the feature's coefficient of each output.

    A feature is used for all outputs or for none. The norm is smooth and curved where it is not
    zero.
    """

    has_kinks = True
    separable = False
    curved = True
    intercept_power = 0.5

    def sizes(self, t: Tensor) -> Tensor:
        """Return the norm of each group, which lies along the axis before the last."""
        # Across the axis that is last a norm of torch's takes ten times as long as this.
        return (t * t).sum(-2, keepdim=True).sqrt()

    def sides(self, t: Tensor) -> Tensor:
        """Return each group divided by its norm; zero where it is zero."""
        size = self.sizes(t)
        return torch.where(size > 0, t / size, 0.0)

    def bend(self, strength: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """See ``Penalty.bend``: norms are curved across the direction of their group."""
        size, side = self.sizes(y), self.sides(y)
        across = torch.where(size > 0, strength / size, 0.0)
        return across * (v - side * (side * v).sum(-2, keepdim=True))

    def prox(self, strength: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """See ``Penalty.prox``: each group is shortened."""
        tiny = torch.finfo(y.dtype).tiny
        return y * (1 - step * strength / self.sizes(y).clamp_min(tiny)).clamp_min(0)

    def face_metric(self, gram: Tensor, squares: Tensor, face: Face) -> LaterMatrix:
        """See ``Penalty.face_metric``."""
        return LaterMatrix(gram, squares, face)

    def descent(self, gram: Tensor, squares: Tensor) -> Callable[[Face, Tensor], Tensor]:
        """Return proximal gradients."""
        return Approach(gram[:, :, 0].double(), squares[:, :, 0])
