"""How accurate y and v are, and whether the hypergradient can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.columns import dot
from skbamm.bilevel.problem import Directions, Problem


@dataclass(frozen=True)
class Figures:
    """What decides about x and the end of a run, in float64, on the CPU.

    Attributes
    ----------
    upper, upper_lag, grad_x
        As in ``Directions``.
    size_y, size_v : Tensor of shape (S, K)
        Norms of both residuals.
    error, decrement : Tensor of shape (S, K)
    nearness : Tensor of shape (2, S, K)
        As ``Lag.measure`` returned them.
    ahead : Tensor of shape (S, K, h), or None
        The hypergradient's shares where y and v go next, if that is known.
    """

    upper: Tensor
    upper_lag: Tensor
    grad_x: Tensor
    size_y: Tensor
    size_v: Tensor
    error: Tensor
    decrement: Tensor
    nearness: Tensor
    ahead: Tensor | None = None


def figures_of(d: Directions, lag: Sequence[Tensor], ahead: Tensor | None) -> Figures:
    """Return the figures, after the one wait of an iteration for the device.

    ``lag`` are errors, decrements and nearness.
    """
    size_y, size_v = (
        torch.linalg.vector_norm(t.flatten(2), dim=-1, dtype=torch.float64)
        for t in (d.grad_y, d.residual_v)
    )
    told = [d.upper, d.upper_lag, d.grad_x, size_y, size_v, *lag]
    return Figures(*on_host(told if ahead is None else [*told, ahead]))


def on_host(figures: Sequence[Tensor]) -> list[Tensor]:
    """Return small tensors in float64 on the CPU, where what they decide is decided.

    A device is waited for once, and not told of a hundred operations with a few numbers each.
    """
    if figures[0].device.type == "cpu":
        return [figure.double() for figure in figures]
    flat = torch.cat([figure.double().flatten() for figure in figures]).cpu()
    parts = flat.split([figure.numel() for figure in figures])
    return [part.view(figure.shape) for part, figure in zip(parts, figures, strict=True)]


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
        floor, null = problem.lower_floor.to(device), problem.upper_null.to(device)
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


TRUST = 0.2  # error of the hypergradient, relative to its size, with which x may move
FOLLOW = 0.05  # relative error of y and v with which x may move in any case
_NEAR, _PRECISE = 0.5, 1e-4  # or, where the hypergradient hardly changes by a step, with which
_FAIR, _STEADY = 0.2, 0.1  # or, where it changes little, with which
_DOUBT, _DOUBT_KINKS = 0.02, 1e-4  # share of F that may be the lag's doing for x to move


@dataclass(frozen=True)
class Judgement:
    """One iteration's F and hypergradient; a figure a start.

    Attributes
    ----------
    upper, doubt : Tensor of shape (S,)
        F, and how much of it may still be the lag's doing.
    slope : Tensor of shape (S, h)
        The hypergradient.
    grad, noise : Tensor of shape (S, h) and (S,)
        It and its error, relative to F.
    finite, trusted : Tensor of bool of shape (S,)
    """

    upper: Tensor
    doubt: Tensor
    slope: Tensor
    grad: Tensor
    noise: Tensor
    finite: Tensor
    trusted: Tensor


def judge(
    seen: Figures, shares: Tensor, noise: Tensor, schedule: Any, problem: Any, tol: float
) -> Judgement:
    """Judge an iteration.

    Parameters
    ----------
    seen : Figures
    shares : Tensor of shape (S, K, h)
        The folds' shares of the hypergradient.
    noise : Tensor of shape (S,)
        Its error, the sum over all entries.
    schedule : Schedule
    problem : Problem
    tol : float
    """
    upper, error, slope = seen.upper, seen.error, shares.sum(1)
    follows = error.amax(1) <= FOLLOW
    if schedule.waits and problem.second_order:
        # Near the arithmetic's end errors no longer fall beside what they were.
        precise = getattr(schedule.x_step, "precise", _PRECISE)
        size = slope.abs().sum(1)
        follows |= (error.amax(1) <= _NEAR) & (noise <= precise * size)
        follows |= (error.amax(1) <= _FAIR) & (noise <= _STEADY * size)
    # The Lagrangian is F at the y that f asks for, up to the product of both errors; how far it
    # is from F at the y we have tells how much of F is still the lag's doing.
    lagged = torch.where(follows[:, None] | (error <= FOLLOW), seen.upper_lag, 0.0)
    upper, doubt = (upper - lagged).sum(1), lagged.abs().sum(1)
    finite = torch.isfinite(upper) & torch.isfinite(slope).all(1)
    scale = upper.abs().clamp(problem.upper_floor, 1.0)
    grad, noise = slope / scale[:, None], noise / scale
    close = noise <= TRUST * grad.abs().sum(1).clamp_min(tol)
    most = _DOUBT_KINKS if getattr(schedule.x_step, "kinks", False) else _DOUBT
    sure = doubt <= most * upper.abs().clamp_min(tol * problem.upper_floor)
    return Judgement(upper, doubt, slope, grad, noise, finite, finite & close & follows & sure)
