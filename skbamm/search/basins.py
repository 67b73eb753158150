"""Searches an interval, also where F has more than one minimum.

Starting points are told apart by F there, and the best is refined. The minimum beside another one
may be lower: F falls from that point on, and rises again before the next. The values and slopes of
both points tell so, and it costs one solve of the models to see whether they are right.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status, solve, solve_lower
from skbamm.search.screening import Beginning

_GAIN = 1e-4  # what another minimum must promise, and hold where it is looked for, of F
_TOL = 1e-4  # decrement of the models there
_STEP = 0.3  # first step from there
_NEXT = 0.1  # distance from an end that is no other basin's


def solve_basins(
    problem: Callable[[int], Any],
    first: Beginning,
    schedule: Callable[[Any, float, float | None], Any],
    step: float,
    *,
    max_iter: int,
    max_time: float | None,
    ends: bool = True,
    **options: Any,
) -> BilevelResult:
    """Search from some points, and once more where these tell of a lower minimum.

    Parameters
    ----------
    problem : callable
        Maps a number of starts to a problem.
    first : Beginning
    schedule : callable
        Maps a problem, the length of the first step and what is known of F's curvature to a
        schedule.
    step : float
    max_iter, max_time
        As for ``solve``; of both searches together.
    ends : bool, default=True
        Whether to look at the end of the interval where the result lies beyond all points.
    **options
        For ``solve``.
    """
    began = time.perf_counter()

    def run(begin: Beginning, step: float, left: int, seconds: float | None) -> BilevelResult:
        one = problem(len(begin.x))
        return solve(
            one, begin.x, y0=begin.y, v0=begin.v, curvature=begin.curvature,
            schedule=schedule(one, step, begin.bend), max_iter=left, max_time=seconds, **options,
        )  # fmt: skip

    result = run(first, step, max_iter, max_time)
    spent = time.perf_counter() - began
    left = None if max_time is None else max_time - spent
    more = max_iter - result.nit
    if not result.success or more <= 0 or (left is not None and left <= 0):
        return result
    one = problem(1)
    place = other_basin(result.screened, result, one.bounds, first.x)
    if place is None or not (ends or bool((first.x.min() < place) & (place < first.x.max()))):
        return result
    x = place[None]
    y = solve_lower(one, x, result.y[None], tol=_TOL).y
    upper = float(one.directions(x, y, torch.zeros_like(y), 0.0).upper.sum())
    if not upper < result.fun * (1 - _GAIN):
        return result
    other = run(Beginning(x, y, None, x), _STEP, more, left)
    if other.status is Status.DIVERGED or not other.fun < result.fun:
        return result
    history = {name: [*result.history[name], *other.history[name]] for name in result.history}
    seconds = other.history["seconds"]
    history["seconds"] = [*result.history["seconds"], *(spent + t for t in seconds)]
    nearest = int((first.x - x).abs().sum(1).argmin())
    return replace(other, start=nearest, nit=result.nit + other.nit, history=history)


def other_basin(
    screened: list[tuple[Tensor, float, Tensor]],
    found: Any,
    bounds: tuple[Tensor, Tensor],
    starts: Tensor,
) -> Tensor | None:
    """Return the x (1,) of the least minimum that starting points promise; None if none does.

    It is that of a cubic with the values and slopes of two neighbours, on neither side of which
    the result lies. Where that is beyond all of them, it is the end of the interval there: F fell
    on the way to it, and nothing is known of what lies behind.

    Parameters
    ----------
    screened : list of (x, F, slope)
        Of ``BilevelResult``.
    found : BilevelResult
    bounds : tuple of Tensor of shape (1,)
        Ends of the interval.
    starts : Tensor of shape (S, 1)
        All starting points; not every one was followed for so long that its slope is known.
    """
    if not screened or len(screened[0][0]) != 1:
        return None
    points = sorted((float(x), value, float(slope)) for x, value, slope in screened)
    here, (low, high) = float(found.x), (end.to(found.x) for end in bounds)
    if not float(starts.min()) <= here <= float(starts.max()):
        end = low if here < float(starts.min()) else high
        return None if abs(here - float(end)) <= _NEXT else end
    best, at = found.fun * (1 - _GAIN), None
    for left, right in pairwise(points):
        if left[0] <= here <= right[0]:
            continue
        place, value = _least(left, right)
        if value < best:
            best, at = value, found.x.new_tensor([place])
    return at


def _least(left: tuple, right: tuple) -> tuple[float, float]:
    """Return the minimiser of the cubic with these values and slopes, and its least value.

    The value is infinite where the cubic has no minimum between both ends.
    """
    (a, fa, da), (b, fb, db) = left, right
    width, rise = b - a, fb - fa
    first, second = da * width, 3 * rise - (2 * da + db) * width
    third = (da + db) * width - 2 * rise
    root = second * second - 3 * third * first
    if width <= 0 or root <= 0:
        return a, float("inf")
    # In the form that does not cancel: third may be zero.
    root = root**0.5
    share = (root - second) / (3 * third) if second < 0 and third else -first / (second + root)
    if not 0 < share < 1:
        return a, float("inf")
    return a + share * width, fa + share * (first + share * (second + share * third))
