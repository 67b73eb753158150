"""How far y and v are from the solutions that x asks for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions, dot

# What is left, an iteration later, of the decrement that errors are relative to: with a metric
# near the Hessian, and with plain gradients.
_FADE, _FADE_SLOWLY = 0.3, 0.95
_SHARE = 0.1  # squared decrement, relative to f, that errors are at least relative to


@dataclass
class Lag:
    """Errors of y and v, a figure a column.

    The squared decrement ``<residual, P residual>`` is compared with the largest seen, since
    that is free of the units of features, targets and penalties. Rounding bounds it below.
    All is where y and v are.

    Attributes
    ----------
    top : Tensor of shape (2, S, K)
        The largest squared decrements of y and v; what was seen long ago counts less.
    most_v : Tensor of shape (S, K)
        That of v, however long ago.
    fade : float
        What is left of ``top`` an iteration later.
    """

    top: Tensor
    most_v: Tensor
    fade: float

    @classmethod
    def begin(cls, shape: tuple[int, int], second_order: bool, device: torch.device) -> Lag:
        """Return the state before the first iteration."""
        zero = torch.zeros((2, *shape), dtype=torch.float64, device=device)
        return cls(zero, zero[0], _FADE if second_order else _FADE_SLOWLY)

    def measure(
        self, d: Directions, p_y: Tensor, p_v: Tensor, decrement_y: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return relative errors of y, of y and v, and the larger squared decrement, (S, K).

        Parameters
        ----------
        d : Directions
        p_y, p_v : Tensor
            Its residuals in the metric.
        decrement_y : Tensor of shape (S, K), optional
            The squared decrement of y's, if it is known.
        """
        if decrement_y is None:
            decrement_y = dot(d.grad_y, p_y)
        both = torch.stack([decrement_y, dot(d.residual_v, p_v)]).abs()
        # The largest counts less with every iteration, else a far start would excuse later lag.
        self.top = torch.fmax(self.fade * self.top, both)
        self.most_v = torch.fmax(self.most_v, both[1])
        floor = torch.finfo(d.grad_y.dtype).eps ** 1.5
        # A run that begins near the solution must not ask for more: f itself is a scale, too.
        least = torch.stack([_SHARE * d.lower.double().abs(), 1e-8 * self.most_v])
        errors = (both / (torch.maximum(self.top, least) + floor)).sqrt()
        error = errors.amax(0).nan_to_num(torch.inf, torch.inf)
        return errors[0], error, both.amax(0)

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        self.top, self.most_v = self.top[:, starts], self.most_v[starts]
