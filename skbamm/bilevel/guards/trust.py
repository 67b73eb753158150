"""Whether y and v follow x closely enough for F and its hypergradient to be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.guards.figures import Figures

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
