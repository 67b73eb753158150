"""Solve the lower level alone, at fixed x and mu = 0: grids, and the models that are scored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.columns import dots, mask_columns
from skbamm.bilevel.guards.accuracy import on_host
from skbamm.bilevel.problem import Curvature, Problem
from skbamm.bilevel.steps.kink_search import KinkSearch
from skbamm.bilevel.steps.secant import ColumnStep, SecantStep
from skbamm.effort import METER, spend, step_seconds


@dataclass(frozen=True)
class Limits:
    """When a metric is renewed and when a solve gives up. Solutions do not depend on them.

    Attributes
    ----------
    slow : float
        Fall of the decrement an iteration above which a new metric is worth its price.
    foreseen : float
        Fall from which the next decrement can be foreseen: a last look costs as much as a step.
    patience : int
        Iterations without a better decrement in any unfinished column: rounding is reached.
    stage, ahead : int and float
        Iterations in which the decrement of some column must fall to this share.
    """

    slow: float = 0.2
    foreseen: float = 0.1
    patience: int = 5
    stage: int = 20
    ahead: float = 0.5


LIMITS = Limits()


@dataclass
class LowerResult:
    """Solutions of the lower level.

    Attributes
    ----------
    y : Tensor of shape (S, K, ...)
    decrement : Tensor of shape (S, K)
        Newton decrement in the metric used; half its square estimates f - min f. After a last step
        that was not looked at it is an estimate. It and the next two are on the CPU.
    gradient_norm : Tensor of shape (S, K)
        Largest absolute entry of the gradient of f, where it was last evaluated.
    converged : Tensor of bool of shape (S, K)
    nit : int
    curvature : Curvature or None
        The last metric, of the starts that finished last.
    """

    y: Tensor
    decrement: Tensor
    gradient_norm: Tensor
    converged: Tensor
    nit: int
    curvature: Curvature | None = None


def solve_lower(
    problem: Problem,
    x: Tensor,
    y: Tensor | None = None,
    *,
    tol: float = 1e-9,
    gradient_tol: float = torch.inf,
    max_iter: int = 100,
    curvature: Curvature | None = None,
) -> LowerResult:
    """Minimise f(x, .) in every column until its decrement is below ``tol``.

    Parameters
    ----------
    problem : Problem
        The lower level and its derivatives, for all starts and folds.
    x : Tensor of shape (S, h)
        The point whose models are solved.
    y : Tensor of shape (S, K, ...), optional
        Where to begin; ``problem.start(x)`` if not given.
    tol : float
        Bound on the decrement, relative to ``sqrt(c + |f|)`` with the problem's ``lower_floor`` c.
    gradient_tol : float
        Bound on the largest entry of the gradient.
    max_iter : int
        Most steps.
    curvature : Curvature, optional
        A metric to begin with, good near ``(x, y)``.

    Returns
    -------
    LowerResult
        The best iterate of each column, converged or not.
    """
    y = problem.start(x) if y is None else y
    y = problem.descend(x, y, tol)
    columns = problem.shape
    best = y.clone()
    # Decisions are made on the CPU.
    best_decrement = torch.full(columns, torch.inf, dtype=torch.float64)
    best_norm, lowest = best_decrement.clone(), best_decrement.clone()
    rounding, floor = torch.finfo(y.dtype).eps ** 0.5, problem.lower_floor
    floor_there = floor.to(y.device)
    rounding_of_gradient = problem.gradient_rounding
    converged = torch.zeros(columns, dtype=torch.bool)
    alive = list(range(columns[0]))  # starts that still have an unfinished column
    jumps = problem.hessian_jumps
    control: ColumnStep = KinkSearch() if jumps else SecantStep()
    previous, idle = None, 0
    before = lowest.clone(), best_decrement.clone()  # where the stage began
    nit = 0
    for _ in range(max_iter):
        nit += 1
        if METER.get() is not None:
            spend(step_seconds(problem.kinks))
        value, gradient = problem.lower(x, y)
        if jumps:
            nearer = control.nearer(problem, x, y, gradient)
            if nearer is not None:
                y = nearer
                value, gradient = problem.lower(x, y)
        if curvature is None:
            curvature = problem.curvature(x, y, 0.0)
            control.reset()
        face = problem.face(x, y, gradient) if problem.kinks else None
        if face is None:
            direction = curvature.solve(gradient[None])[0]
        else:
            gradient = face.slope
            least = 1e4 * rounding**2  # gap that stands out of rounding
            near = face.gap(y) <= max(tol**2, least) * (floor_there + value.abs())
            # So close no decrement is needed, whose direction may cost more than all else.
            solved = tol**2 >= least and bool((near & (face.violation() <= tol)).all())
            direction = torch.zeros_like(y) if solved else curvature.within(face).step(y)
        if face is None:
            direction = torch.where(direction == 0, gradient, direction)
        slopes = dots(gradient, direction, control.last)
        norm = gradient.flatten(2).abs().amax(-1)
        value, norm, *slopes = on_host([value, norm, *slopes])
        norm = torch.where(norm <= rounding_of_gradient, 0.0, norm)
        square = slopes[0]
        # Far beyond the minimum a curvature may vanish: a small decrement there means nothing.
        change = (value - lowest[alive]) / (floor + lowest[alive].abs())
        change = change.nan_to_num(nan=-torch.inf)  # the first point
        risen, fallen = change > rounding, change < -rounding
        good = torch.isfinite(square) & ~risen
        decrement = torch.where(good, square.abs(), torch.inf).sqrt()
        lowest[alive] = torch.fmin(lowest[alive], value)
        better = fallen | (decrement < best_decrement[alive])
        best[alive] = torch.where(mask_columns(better, y), y, best[alive])
        best_norm[alive] = torch.where(better, norm, best_norm[alive])
        best_decrement[alive] = torch.where(better, decrement, best_decrement[alive])
        enough = tol * (floor + value.abs()).sqrt()
        done = (decrement <= enough) & (norm <= gradient_tol)
        if face is not None:
            done &= near.cpu()
        converged[alive] |= done
        finished = converged[alive].all(1)
        if bool(finished.all()):
            break
        ratio = _fall(decrement, previous, done)
        # Below its own rounding errors the decrement no longer falls.
        idle = 0 if bool(((better | risen) & ~done).any()) else idle + 1
        if idle >= LIMITS.patience:
            break
        if nit % LIMITS.stage == 0:
            fell = (before[0] - lowest) > rounding * (floor + lowest.abs())
            ahead = fell | (best_decrement < LIMITS.ahead * before[1])
            if not bool((ahead & ~converged).any()):
                break
            before = lowest.clone(), best_decrement.clone()
        moved = torch.zeros(len(alive), dtype=torch.bool)
        after = control.step(y, gradient, direction, moved, risen, slopes)
        if face is None and 0 < ratio <= LIMITS.foreseen and not jumps:
            # The next point is sure to be near enough; looking at it would cost as much as a step.
            left = ratio * decrement
            near = (left <= enough) & (norm <= gradient_tol) & ~risen
            if bool((near | done).all()):
                best[alive] = torch.where(mask_columns(done, y), best[alive], after)
                best_decrement[alive] = torch.where(done, best_decrement[alive], left)
                converged[alive] = True
                break
        y = after if face is None else face.settle(y, after, direction, control.going)
        previous = decrement
        keep = torch.nonzero(~finished).flatten().tolist()
        if len(keep) < len(alive):
            alive = [alive[i] for i in keep]
            x, y, previous = x[keep], y[keep], previous[keep]
            problem, curvature = problem.select(keep), curvature.select(keep)
            control.select(keep)
        curvature = None if curvature.outworn(ratio > LIMITS.slow) else curvature.at(x, y)
    return LowerResult(best, best_decrement, best_norm, converged, nit, curvature)


def _fall(decrement: Tensor, previous: Tensor | None, done: Tensor) -> float:
    """Worst ratio of successive decrements over unfinished columns; 0 where there is none."""
    if previous is None:
        return 0.0
    ratio = decrement / previous.clamp_min(torch.finfo(decrement.dtype).tiny)
    return float(torch.where(done, 0.0, ratio.nan_to_num(nan=1.0, posinf=1.0)).max())
