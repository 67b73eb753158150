"""Finds starting points for penalties with kinks, on paths from strong to weak penalties.

Models of strong penalties have few coefficients and cost little, and each is close to the one
before it; those of weak penalties may cost more than the rest of the search, and are rarely any
good. So the folds' models are followed together from where they are empty (Friedman, Hastie &
Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010),
and no further than they get better.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status, solve_lower
from skbamm.glm.penalised import PenalisedProblem
from skbamm.starts.line_search import parabola
from skbamm.starts.subsample import Beginning

_WORSE, _AGAIN = (
    1.02,
    3,
)  # F relative to the minimum, and successive points above it, that end a path
# Points tried from the neighbour on one side of the best to that on the other: F of few rows has
# several minima, closer to each other than the points of a path; that of many is a parabola there.
_FEW_ROWS, _AROUND, _AROUND_MANY = 300, 13, 5
_TOL, _KINKED_TOL = 1e-3, 1e-2  # decrement of the models; of a loss that is smoothed anyway
_START_TOL = 1e-2  # of models from which several starts begin
_SMALL = 64  # coefficients up to which solving all points of a path together is faster


@dataclass
class _Point:
    x: Tensor  # (1, h)
    upper: float
    y: Tensor  # (1, K, m, p)


def follow_paths(
    problem: PenalisedProblem, paths: list[Tensor], max_time: float | None
) -> Beginning:
    """Return the best point of some paths.

    After Ctrl-C it is what the search ends with, if there is a point at all.

    Parameters
    ----------
    problem : Problem
        A problem of one start.
    paths : list of Tensor of shape (T, h)
        Points, from the strongest penalty to the weakest.
    max_time : float or None
        Seconds after which no further points are tried.
    """
    seen: list[_Point] = []
    try:
        return _best_of(problem, paths, max_time, seen)
    except KeyboardInterrupt:
        if not seen:
            raise
    best = min(seen, key=lambda point: point.upper)
    return Beginning(best.x, best.y, None, best.x, found=_interrupted_at(best))


def _best_of(
    problem: PenalisedProblem, paths: list[Tensor], max_time: float | None, seen: list
) -> Beginning:
    """Return the best point of some paths; note in ``seen`` those that were found."""
    deadline = torch.inf if max_time is None else time.perf_counter() + max_time
    many = problem.rows.n_rows >= _FEW_ROWS
    few = problem.y_shape[-1] <= min(_SMALL, problem.rows.n_rows)
    # Models of other losses are solved faster from those of a similar penalty.
    small = few and problem.has_closed_form
    best, around, trio = None, paths[0][:0], []
    count = _AROUND_MANY if many else _AROUND
    for points in paths:
        if small:
            path = together(problem, points, None)
            seen += path
        else:
            path = follow(problem, points, None, best, deadline, seen)
        least = min(range(len(path)), key=lambda i: path[i].upper)
        if best is None or path[least].upper < best.upper:
            best, before = path[least], path[max(least - 1, 0)]
            trio = path[max(least - 1, 0) : least + 2]
            share = torch.linspace(0, 1, count, dtype=points.dtype, device=points.device)
            after = path[min(least + 1, len(path) - 1)]
            around = torch.lerp(before.x, after.x, share[:, None])
        # If another coordinate has led away from the minimum, it would lead further.
        away = points.shape[1] == 2 and path[least].upper > _WORSE * best.upper
        if away or time.perf_counter() > deadline:
            break
    assert best is not None
    known = _parabola(trio) if many and not problem.smoothed else None
    if known is not None:
        vertex = best.x.clone()
        vertex[0, 0], bend = known
        return Beginning(vertex, best.y, None, vertex, bend=bend)
    if small:
        nearby = together(problem, around, best.y)
    else:
        nearby = follow(problem, around, before.y, None, deadline, seen)
    point = min([best, *nearby], key=lambda p: p.upper)
    return Beginning(point.x, point.y, None, point.x)


def together(problem: PenalisedProblem, points: Tensor, y: Tensor | None) -> list[_Point]:
    """Solve for all points, each from the same y."""
    count = len(points)
    many = problem.select([0] * count)
    begin = None if y is None else y.expand(count, *y.shape[1:])
    y = solve_lower(many, points, begin, tol=_TOL).y
    upper = many.upper(y).sum(1).nan_to_num(torch.inf)
    return [_Point(points[[i]], value, y[[i]]) for i, value in enumerate(upper.tolist())]


def follow(
    problem: PenalisedProblem,
    points: Tensor,
    y: Tensor | None,
    known: _Point | None,
    deadline: float,
    seen: list[_Point],
    tol: float | None = None,
) -> list[_Point]:
    """Solve for one point after the other, until F has risen or time is up.

    F has risen if it is above the path's least; beyond the penalty of the best point ``known``
    from other paths, above F there. Points are noted in ``seen`` as they are found. ``tol`` is the
    decrement of the models.
    """
    path: list[_Point] = []
    curvature, least, worse = None, torch.inf, 0
    if tol is None:
        tol = _KINKED_TOL if problem.smoothed else _TOL
    for x in points[:, None]:
        if curvature is not None and y is not None:
            curvature = curvature.at(x, y)
        solved = solve_lower(problem, x, y, tol=tol, curvature=curvature)
        y, curvature = solved.y, solved.curvature
        upper = float(problem.upper(y).sum())
        path.append(_Point(x, upper if upper == upper else torch.inf, y))
        seen.append(path[-1])
        if known is not None and _between(known.x, points[:1], x):
            least = min(least, known.upper)
        least = min(least, upper)
        worse = worse + 1 if not upper <= _WORSE * least else 0
        if worse >= _AGAIN or time.perf_counter() > deadline:
            break
    return path


def in_turn(problem: PenalisedProblem, points: Tensor, max_time: float | None) -> Tensor:
    """Return models (T, K, m, p) of points, each solved from that of the next stronger penalty.

    Together they would each begin at zero, and those of weak penalties would need most iterations.

    Parameters
    ----------
    problem : Problem
        A problem of one start.
    points : Tensor of shape (T, h)
    max_time : float or None
        Seconds after which no further points are solved.
    """
    deadline = torch.inf if max_time is None else time.perf_counter() + max_time
    strength = problem.penalty_at(points).curvature.flatten(1).sum(1)
    order = strength.argsort(descending=True, stable=True).tolist()
    found = [one.y for one in follow(problem, points[order], None, None, deadline, [], _START_TOL)]
    found += found[-1:] * (len(order) - len(found))
    return torch.cat([found[order.index(i)] for i in range(len(order))])


def _interrupted_at(best: _Point) -> BilevelResult:
    """Return a point of a path as a run that was interrupted there."""
    history = {"seconds": [0.0], "upper": [best.upper], "kkt_residual": [torch.inf]}
    return BilevelResult(
        best.x[0].cpu(), best.y[0], torch.zeros_like(best.y[0]), best.upper, 0,
        (torch.inf,) * 3, Status.INTERRUPTED, 1, {**history, "x": [best.x[0].cpu()]},
    )  # fmt: skip


def _parabola(points: list[_Point]) -> tuple[float, float] | None:
    """Return where the parabola through three points is least, and its second derivative.

    It is of the first coordinate; None if the one in the middle is not below the others.
    """
    return parabola([(float(point.x[0, 0]), point.upper) for point in points])


def _between(x: Tensor, a: Tensor, b: Tensor) -> bool:
    """Whether the first entry of x, (1, h), lies between those of a and b."""
    low, middle, high = float(a[0, 0]), float(x[0, 0]), float(b[0, 0])
    return min(low, high) <= middle <= max(low, high)


def path_order(x: Tensor, scale: list[bool], strength: Tensor) -> list[tuple[int, bool]]:
    """Return the order in which to solve given points, and where a new path starts.

    Parameters
    ----------
    x : Tensor of shape (N, h)
    scale : list of bool of length h
        Whether a column scales the penalty; those of each path share the other columns. If none
        does, all are one path.
    strength : Tensor of shape (N,)
        Strengths of the penalty, the strongest first.
    """
    others = [i for i, is_scale in enumerate(scale) if not is_scale] if any(scale) else []
    keys = sorted((x[s, others].tolist(), -float(strength[s]), s) for s in range(len(x)))
    return [(s, i == 0 or key != keys[i - 1][0]) for i, (key, _, s) in enumerate(keys)]
