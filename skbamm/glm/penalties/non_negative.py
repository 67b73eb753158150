"""Coefficients that may not be negative, with or without a penalty of their sum."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.folds import Rows
from skbamm.glm.penalties.absolute_values import AbsoluteValues
from skbamm.glm.penalties.base import Penalty, Strength


class NonNegative(AbsoluteValues):
    """The penalty ``sum_j t_j(x) w_j`` of slopes ``w_j >= 0``; the intercept is free.

    The slope of f jumps at zero by infinity: below zero f is infinite.

    Parameters
    ----------
    strength : callable
        As for ``Penalty``; may be zero.
    slopes : Tensor of bool of shape (p,)
        Which coefficients may not be negative.
    """

    unscaled = True
    non_negative = True

    def __init__(self, strength: Strength, slopes: Tensor):
        super().__init__(strength)
        self.slopes = slopes

    @classmethod
    def of_rows(cls, strength: Strength, rows: Rows) -> Penalty:
        """See ``Penalty.of_rows``."""
        place = torch.arange(rows.n_coefficients, device=rows.device)
        return cls(strength, place < rows.n_features)

    def jump(self, kink: Tensor) -> Tensor:
        """Return infinity for slopes."""
        return torch.where(self.slopes, torch.inf, 2 * kink)

    def at_zero(self, gradient: Tensor, kink: Tensor) -> Tensor:
        """See ``Kinks.at_zero``: what would fall below zero stays."""
        return torch.where(
            self.slopes, (gradient + kink).clamp_max(0), super().at_zero(gradient, kink)
        )

    def steepness(self, kink: Tensor, gradient: Tensor) -> Tensor:
        """See ``Kinks.steepness``: the bound holds slopes as large as they are."""
        held = torch.where(self.slopes, torch.maximum(gradient.abs(), kink), 0.0)
        return held.flatten(2).amax(-1).clamp_min(torch.finfo(held.dtype).tiny)

    def admit(self, y: Tensor) -> Tensor:
        """Return y with no slope below zero."""
        return torch.where(self.slopes, y.clamp_min(0), y)

    def value(self, strength: Tensor, y: Tensor) -> Tensor:
        """See ``Penalty.value``; infinite where a slope is negative."""
        below = (self.slopes & (y < 0)).flatten(2).any(-1)
        return torch.where(below, torch.inf, super().value(strength, y))

    def prox(self, strength: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """See ``Penalty.prox``."""
        shrunk = super().prox(strength, y, step)
        return torch.where(self.slopes, shrunk.clamp_min(0), shrunk)

    def emptied_by(self, gradient: Tensor) -> Tensor:
        """See ``Penalty.emptied_by``: only slopes downhill leave zero."""
        return torch.where(self.slopes, (-gradient).clamp_min(0), gradient.abs())
