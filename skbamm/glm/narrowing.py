"""The lower level of losses with kinks: smoothed less and less, until nothing is lost by it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.bilevel.columns import mask_columns
from skbamm.bilevel.guards.accuracy import on_host
from skbamm.bilevel.lower import LowerResult
from skbamm.bilevel.problem import Curvature


@dataclass(frozen=True)
class NarrowingSettings:
    """The sequence of widths of kinks, and the gap at which they are narrow enough.

    Attributes
    ----------
    ratio : float
        A width relative to the one before.
    settled_ratio : float
        The same after few iterations, when rows stay on their side of the kinks.
    few : int
        Iterations that are few.
    stages : int
        Most widths.
    slope : float
        Gradient of absolute errors, relative, that is left where a scale vanishes.
    lost : float
        Duality gap, relative to the objective, that is left.
    nearly : float
        Times that gap, that is left where rounding ends the iterations.
    """

    ratio: float = 0.1
    settled_ratio: float = 0.01
    few: int = 2
    stages: int = 10
    slope: float = 1e-5
    lost: float = 1e-8
    nearly: float = 2.0


NARROWING = NarrowingSettings()


def solve_narrowing(
    problem: Any,
    x: Tensor,
    y: Tensor | None = None,
    *,
    tol: float = 1e-6,
    gradient_tol: float = torch.inf,
    max_iter: int = 100,
    curvature: Curvature | None = None,
) -> LowerResult:
    """Minimise f(x, .) in every column for a smoothed loss, up to the exact minimum.

    Each width begins where the minima of the two before point to: between widths at which the
    rows near a kink change, minima are smooth functions of the width (Madsen & Nielsen, "A finite
    smoothing algorithm for linear l1 estimation", 1993).

    Parameters
    ----------
    problem : GLMProblem
        With a loss that is ``Smoothed``, or a ``ScaledLoss``; its width is the first.
    x, y, gradient_tol, max_iter, curvature
        As for ``solve_lower``.
    tol : float
        Bound on the decrement, of every width.

    Returns
    -------
    LowerResult
        Converged is a column that is solved and has next to no duality gap.
    """
    limits: dict[str, Any] = {"gradient_tol": gradient_tol, "max_iter": max_iter}
    result = solve_lower(problem, x, y, tol=tol, curvature=curvature, **limits)
    floor = problem.lower_floor
    kinks, found = problem.kinks, result.y
    solved = torch.zeros_like(result.converged)
    before, width = None, torch.inf
    for _ in range(NARROWING.stages):
        lost, value = on_host(problem.lost(x, result.y))
        # If the penalty has kinks as well, the gap includes the error of the last step.
        ended = (lost <= NARROWING.lost * value) & (result.converged | kinks)
        found = torch.where(mask_columns(solved & ~ended, found), found, result.y)
        solved = solved | ended
        left = (lost / value)[~solved]
        if not bool(left.any()) or not bool(result.converged.any()):
            # A smaller width would not help.
            near = (lost <= NARROWING.nearly * NARROWING.lost * value) & (result.converged | kinks)
            found = torch.where(mask_columns(near & ~solved, found), result.y, found)
            solved = solved | near
            break
        problem, last = copy.copy(problem), result.y
        # The gap falls with the width: no narrower than it has to be, for the sake of rounding.
        needed = 0.5 * NARROWING.lost / float(left.max())
        least = NARROWING.settled_ratio if result.nit <= NARROWING.few else NARROWING.ratio
        ratio = min(needed if needed > 0.3 * least else least, 0.5)
        width, wider = problem.loss.width, width
        problem.loss = problem.loss.narrowed(ratio * width)
        if kinks:  # of what decrements are relative to
            share = float((value / (floor + value)).min())
            tol = max(tol, (0.3 * NARROWING.lost * share) ** 0.5)
        if problem.loss.has_scale:
            # So near the kinks of rows, a small decrement does not mean a small slope.
            share = (problem.loss.width / floor.max()).clamp_max(1.0)
            limits["tol"] = min(tol, NARROWING.slope * float(share) ** 0.5)
        begin = last
        if before is not None:
            begin = last + (1 - ratio) * width / (wider - width) * (last - before)
        result, before = solve_lower(problem, x, begin, **{"tol": tol, **limits}), last
    return replace(result, y=found, converged=solved)
