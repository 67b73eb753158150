"""Squares of the coefficients, as in ridge regression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skbamm.glm.penalties.base import Penalty


class Squares(Penalty):
    """The penalty ``sum_j t_j(x) w_j^2 / 2``; it has no kinks."""

    def sizes(self, t: Tensor) -> Tensor:
        """Return half the squares."""
        return 0.5 * t * t

    def sides(self, t: Tensor) -> Tensor:
        """Return the coefficients, which are the slopes of half their squares."""
        return t

    def jump(self, kink: Tensor) -> Tensor:
        """Return zeros: the slope does not jump."""
        return torch.zeros_like(kink)

    def value(self, strength: Tensor, y: Tensor) -> Tensor:
        """See ``Penalty.value``."""
        return 0.5 * (strength * y).mul_(y).sum((2, 3))

    def curvature(self, strengths: Sequence[Tensor]) -> Tensor:
        """Return the strengths."""
        return strengths[0]

    def prox(self, strength: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """See ``Penalty.prox``."""
        return y / (1 + step * strength)

    def emptied_by(self, gradient: Tensor) -> Tensor:
        """Return infinity where the gradient is not zero: squares only shrink."""
        return torch.where(gradient == 0, 0.0, torch.inf)
