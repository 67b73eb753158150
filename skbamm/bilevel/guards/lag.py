"""How far y and v are from the solutions that x asks for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions, Problem, dot, lower_floor, upper_null

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
    floor, null : Tensor of shape (K,) or ()
        The problem's ``lower_floor`` and ``upper_null``: squared decrements of y have the units of
        f, those of v those of F squared over f's.
    """

    top: Tensor
    most_v: Tensor
    fade: float
    floor: Tensor
    null: Tensor

    @classmethod
    def begin(cls, problem: Problem, device: torch.device) -> Lag:
        """Return the state before the first iteration."""
        zero = torch.zeros((2, *problem.shape), dtype=torch.float64, device=device)
        fade = _FADE if problem.second_order else _FADE_SLOWLY
        floor, null = (scale(problem).to(device) for scale in (lower_floor, upper_null))
        return cls(zero, zero[0], fade, floor, null)

    def measure(
        self, d: Directions, p_y: Tensor, p_v: Tensor, decrement_y: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return relative errors of y, of y and v, and the larger squared decrement, (S, K).

        Last are the squared decrements of both, (2, S, K), relative to the scales of f and F.

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
        lower, tiny = d.lower.double().abs(), torch.finfo(torch.float64).tiny
        scale = (self.floor + lower).clamp_min(tiny)
        scales = torch.stack([scale, self.null**2 / scale])
        # A run that begins near the solution must not ask for more: f itself is a scale, too.
        least = torch.stack([_SHARE * lower, 1e-8 * self.most_v])
        least = torch.maximum(self.top, least) + torch.finfo(d.grad_y.dtype).eps ** 1.5 * scales
        errors = (both / least.clamp_min(tiny)).sqrt()
        error = errors.amax(0).nan_to_num(torch.inf, torch.inf)
        return errors[0], error, both.amax(0), both / scales

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        self.top, self.most_v = self.top[:, starts], self.most_v[starts]
