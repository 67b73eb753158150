"""How far y and v are from the solutions that x asks for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.figures import Figures

# What is left, an iteration later, of the decrement that errors are relative to: with a metric
# near the Hessian, and with plain gradients.
_FADE, _FADE_SLOWLY = 0.3, 0.95
_SHARE = 0.1  # squared decrement, relative to f, that errors are at least relative to


@dataclass
class Lag:
    """Errors of y and v, a figure a column.

    The squared decrement ``<residual, P residual>`` is compared with the largest seen, since
    that is free of the units of features, targets and penalties. Rounding bounds it below.
    """

    top_y: Tensor
    top_v: Tensor
    most_v: Tensor
    fade: float

    @classmethod
    def begin(cls, shape: tuple[int, int], second_order: bool) -> Lag:
        """Return the state before the first iteration."""
        zero = torch.zeros(shape, dtype=torch.float64)
        return cls(zero, zero.clone(), zero.clone(), _FADE if second_order else _FADE_SLOWLY)

    def measure(self, seen: Figures, precision: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Return relative errors of y, of y and v, and the larger squared decrement, (S, K).

        They are infinite where the figures have no decrements. ``precision`` is the residuals'.
        """
        if not seen.along:
            return (torch.full_like(seen.upper, torch.inf),) * 3
        y, v = (along.abs() for along in seen.along)
        # The largest counts less with every iteration, else a far start would excuse later lag.
        self.top_y = torch.fmax(self.fade * self.top_y, y)
        self.top_v = torch.fmax(self.fade * self.top_v, v)
        self.most_v = torch.fmax(self.most_v, v)
        floor = torch.finfo(precision).eps ** 1.5
        # A run that begins near the solution must not ask for more: f itself is a scale, too.
        near = _SHARE * seen.lower.abs() + floor
        error_y = y / torch.maximum(self.top_y, near)
        error_v = v / (torch.maximum(self.top_v, 1e-8 * self.most_v) + floor)
        error = torch.maximum(error_y, error_v).sqrt()
        error = torch.where(torch.isfinite(error), error, torch.inf)
        return error_y.sqrt(), error, torch.maximum(y, v)

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        self.top_y, self.top_v = self.top_y[starts], self.top_v[starts]
        self.most_v = self.most_v[starts]
