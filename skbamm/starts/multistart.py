"""Searches an interval, also where F has more than one minimum.

F ranks the starting points there, and the best is refined. The minimum near another one may be
lower: F falls from that point on, and rises again before the next. The values and slopes of both
points indicate this, and it costs one solve of the models to see whether they are right. So it does
to see whether F is lower at an end, or at a start that was left behind unsolved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Schedule, Status, solve, solve_lower
from skbamm.glm.penalised import PenalisedProblem
from skbamm.starts.path import in_turn
from skbamm.starts.subsample import Beginning

MakeProblem = Callable[[int], PenalisedProblem]  # of a number of starts

_GAIN = 1e-4  # what another minimum must promise, and hold where it is looked for, of F
_TOL = 1e-4  # decrement of the models there
_STEP = 0.3  # first step from there
_NEXT = 0.1  # distance from an end within which there is no other basin


def solve_basins(
    problem: MakeProblem,
    first: Beginning,
    schedule: Callable[[PenalisedProblem, float, float | None], Schedule],
    step: float,
    *,
    max_iter: int,
    max_time: float | None,
    ends: bool = True,
    judge: MakeProblem | None = None,
    turns: bool = False,
    **options: Any,
) -> BilevelResult:
    """Search from some points, and again where they indicate a lower minimum.

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
        Whether to look at ends of the interval.
    judge : callable, optional
        The same problems of some rows, which show whether a closer look is worthwhile.
    turns : bool, default=False
        Whether the models of several points are solved one after the other before their search.
    **options
        For ``solve``.
    """
    began = time.perf_counter()
    if turns and first.y is None and len(first.x) > 1:
        first = replace(first, y=in_turn(problem(1), first.x, max_time))

    def run(begin: Beginning, step: float, left: int, seconds: float | None) -> BilevelResult:
        one = problem(len(begin.x))
        return solve(
            one, begin.x, y0=begin.y, v0=begin.v, curvature=begin.curvature,
            schedule=schedule(one, step, begin.bend), max_iter=left, max_time=seconds, **options,
        )  # fmt: skip

    result = run(first, step, max_iter, max_time)
    for look in (_beside, _unseen):
        spent = time.perf_counter() - began
        left = None if max_time is None else max_time - spent
        over = result.status in (Status.INTERRUPTED, Status.MAX_TIME, Status.DIVERGED)
        if over or (left is not None and left <= 0):
            break
        x = look(problem, judge, first, result, ends)
        place = None if x is None else _held(problem, x, result)
        if x is None or place is None:
            continue
        more = max_iter - result.nit
        other = run(Beginning(x, place.y[None], None, x), _STEP, more, left) if more > 0 else place
        most = place.fun * (1 + _GAIN * other.success)
        if other.status is Status.DIVERGED or not other.fun <= most:
            other = replace(place, nit=other.nit)  # nothing better was found from there
        result = _joined(result, other, first, spent)
    return result


def _joined(
    before: BilevelResult, after: BilevelResult, first: Beginning, spent: float
) -> BilevelResult:
    """Return the later result with the history of both."""
    history = {name: [*before.history[name], *after.history[name]] for name in before.history}
    seconds = after.history["seconds"]
    history["seconds"] = [*before.history["seconds"], *(spent + t for t in seconds)]
    nearest = int((first.x - after.x).abs().sum(1).argmin())
    return replace(after, start=nearest, nit=before.nit + after.nit, history=history)


def _beside(
    problem: MakeProblem,
    judge: MakeProblem | None,
    first: Beginning,
    result: BilevelResult,
    ends: bool,
) -> Tensor | None:
    """Return where a lower minimum is promised, (1, 1), or None."""
    if not result.success:
        return None
    bounds = problem(1).bounds
    assert bounds is not None
    place = other_basin(result.screened, result, bounds, first.x)
    if place is None or not (ends or bool((first.x.min() < place) & (place < first.x.max()))):
        return None
    return place[None]


def _unseen(
    problem: MakeProblem,
    judge: MakeProblem | None,
    first: Beginning,
    result: BilevelResult,
    ends: bool,
) -> Tensor | None:
    """Return the best of the starts and ends that nothing is known of, (1, h), if F is low there.

    An end is known to be no better where F rises towards it from the last start before it; starts
    that were left are, where x went beyond them. Of many rows, some judge.
    """
    known = result if first.found is None else first.found
    places = [*known.unjudged, *(x for x in first.left if not _passed(first.x[0], x, result.x))]
    one = problem(1)
    assert one.bounds is not None
    if ends and len(result.x) == 1 and not one.kinks:  # paths have been to both
        slopes = {float(x): float(slope) for x, _, slope in known.screened}
        starts = first.x.flatten().tolist() if first.found is None else list(slopes)
        cheap = judge is not None or one.hessian_jumps or one.has_closed_form
        for end, last in zip(one.bounds, (min, max), strict=True):
            slope, falls = slopes.get(last(starts)) if starts else None, cheap
            if slope is not None:  # at least so far that it would count
                falls = slope * (last(starts) - float(end)) > _GAIN * result.fun
            if falls and abs(float(result.x) - float(end)) > _NEXT:
                places.append(end.to(result.x))
    elif ends and len(result.x) == 2:
        places += _edges(result.x, one.bounds, first=int(one.kinks))
    if not places:
        return None
    x, here = torch.stack(places), result.fun
    one = (judge or problem)(len(x) + 1)
    x = torch.cat([x, result.x[None]])
    solved = solve_lower(
        one, x, result.y.expand(len(x), *result.y.shape).to(one.start(x)), tol=_TOL
    )
    upper = one.upper(solved.y).sum(1).nan_to_num(torch.inf)
    here = min(here, float(upper[-1])) if judge is None else float(upper[-1])
    upper = torch.where(solved.converged.all(1).to(upper.device), upper, torch.inf)[:-1]
    least = int(upper.argmin())
    return x[[least]] if float(upper[least]) < here * (1 - _GAIN) else None


def _passed(start: Tensor, x: Tensor, end: Tensor) -> bool:
    """Whether x, (1,), lies between two others."""
    return bool((x - start) * (x - end.to(x)) <= 0)


def _edges(x: Tensor, bounds: tuple[Tensor, Tensor], first: int) -> list[Tensor]:
    """Return the point (h,) with one coordinate at an end that is not near, for each such end.

    Not of coordinates before the ``first``.
    """
    places = []
    for end in bounds:
        for i in range(first, len(x)):
            if abs(float(x[i]) - float(end[i])) > _NEXT:
                place = x.clone()
                place[i] = end[i]
                places.append(place)
    return places


def _held(problem: MakeProblem, x: Tensor, result: BilevelResult) -> BilevelResult | None:
    """Return a place (1, h) as a result, if F there is below the result's."""
    one = problem(1)
    y = solve_lower(one, x, result.y[None], tol=_TOL).y
    upper = float(one.upper(y).sum())
    if not upper < result.fun * (1 - _GAIN):
        return None
    return replace(
        result, x=x[0], y=y[0], v=torch.zeros_like(y[0]), fun=upper, status=Status.MAX_ITER, nit=0,
        kkt_residual=(0.0, 0.0, torch.inf), history={name: [] for name in result.history},
    )  # fmt: skip


def other_basin(
    screened: list[tuple[Tensor, float, Tensor]],
    found: BilevelResult,
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
