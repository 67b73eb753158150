"""Solves a linear model's folds at given values: those of a list, or the result of a search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.bilevel.lower import LowerResult
from skbamm.glm import LeastSquaresProblem, solve_narrowing
from skbamm.glm.penalised import PenalisedProblem
from skbamm.progress import count
from skbamm.solvers.cost import COUNTS, levels_pay, turns_pay
from skbamm.solvers.levels import between, levels
from skbamm.solvers.problems import MANY_FEATURES, LinearProblems
from skbamm.solvers.products import solve_by_products
from skbamm.solvers.solutions import FoldSolutions
from skbamm.solvers.tolerances import TOL
from skbamm.space import SearchAxis
from skbamm.starts.path import path_order

# Predictors a row, and coefficients of all, that are solved at a time: a step takes a dozen copies.
_COLUMNS, _NUMBERS = 4096, 1 << 18
_LEAST_STRENGTH = 1e-10  # of a bound of the largest curvature, for eight digits of a model


def solve_values(
    solver: LinearProblems,
    axes: Sequence[SearchAxis],
    x: Tensor,
    y: Tensor | None,
    tol: float = 0.0,
) -> FoldSolutions:
    """Solve all values in all folds to a precision at which the estimator's own fit would stop.

    Parameters
    ----------
    solver : LinearProblems
    axes : tuple of Axis
    x : Tensor of shape (N, h)
    y : Tensor of shape (N, K, m, p), or None
        Where to begin.
    tol : float
        A looser bound on the decrement, if one will do.
    """
    rows = solver.rows(torch.float64)
    tol = max(tol, TOL.products if solver.by_products else TOL.final)
    penalty = solver.penalties.penalty(axes, rows)
    if penalty.has_kinks and y is None:
        return _solve_path(solver, axes, x, penalty.strongest(x), tol)
    columns = rows.n_folds * solver.task.loss.n_outputs
    size = max(1, min(_COLUMNS, _NUMBERS // rows.n_coefficients) // columns)
    if y is None and _in_levels(solver, x):
        return _solve_levels(solver, axes, x, size, tol)
    return _solve_parts(solver, axes, x, y, size, tol)


def _solve_parts(
    solver: LinearProblems,
    axes: Sequence[SearchAxis],
    x: Tensor,
    y: Tensor | None,
    size: int,
    tol: float,
) -> FoldSolutions:
    """Solve as many at a time as there is room for."""
    # Begun at the last, the steps of one value are fewer than those of several together. Solves
    # that begin in single precision have more parts, whose calls cost more than that saves.
    turns = solver.dtype is torch.float64 and turns_pay(solver)
    if y is None and x.shape[1] and (solver.by_products or turns):
        penalty = solver.penalties.penalty(axes, solver.rows(torch.float64))
        return _solve_path(solver, axes, x, penalty.strongest(x), tol)
    parts: list[FoldSolutions] = []
    for a in range(0, len(x), size):
        points, begin = x[a : a + size], None if y is None else y[a : a + size]
        if begin is None and parts:  # near the last
            last = torch.as_tensor(parts[-1].coef[-1:], device=solver.device)
            begin = last.expand(len(points), *last.shape[1:]).clone()
        parts.append(_solve_block(solver, axes, points, begin, tol))
    return FoldSolutions.join(parts)


def _in_levels(solver: LinearProblems, x: Tensor) -> bool:
    """Whether to solve some values first, as starting points of the others."""
    return len(x) >= COUNTS.least_values and x.shape[1] == 1 and levels_pay(solver, len(x))


def _solve_levels(
    solver: LinearProblems, axes: Sequence[SearchAxis], x: Tensor, size: int, tol: float
) -> FoldSolutions:
    """Solve a few values from end to end, then those between, each level as many again."""
    place = x[:, 0]
    if axes[0].scale == "plain" and bool((place > 0).all()):
        place = place.log()
    known, which = torch.unique(place, return_inverse=True)  # in order
    first = torch.empty_like(known, dtype=torch.int64).scatter_(
        0, which, torch.arange(len(x), device=x.device)
    )
    solved: list[int] = []
    parts: list[FoldSolutions] = []
    coef: Any = None
    for level in levels(len(known)):
        y = between(known[solved], coef, known[level]) if solved else None
        if y is not None and solver.task.loss.couples_outputs:
            y -= y.mean(-2, keepdim=True)  # bounds of each class may have shifted all
        parts.append(_solve_parts(solver, axes, x[first[level]], y, size, tol))
        order = np.argsort(solved + level)
        solved = sorted(solved + level)
        joined = FoldSolutions.join(parts)
        parts = [FoldSolutions(joined.coef[order], joined.gradient_norm[order])]
        del joined
        coef = torch.as_tensor(parts[0].coef, device=solver.device)
    (all_of_them,) = parts
    index = which.cpu().numpy()
    return FoldSolutions(all_of_them.coef[index], all_of_them.gradient_norm[index])


def _solve_path(
    solver: LinearProblems, axes: Sequence[SearchAxis], x: Tensor, strength: Tensor, tol: float
) -> FoldSolutions:
    """Solve the values one by one from the strongest penalty, each from the previous one."""
    scale = next(iter(solver.penalties.values))
    parts: dict[int, FoldSolutions] = {}
    y = None
    for s, anew in path_order(x, [axis.parameter == scale for axis in axes], strength):
        parts[s] = _solve_block(solver, axes, x[[s]], None if anew else y, tol)
        y = torch.as_tensor(parts[s].coef, device=solver.device)
    return FoldSolutions.join([parts[s] for s in range(len(x))])


def _solve_block(
    solver: LinearProblems,
    axes: Sequence[SearchAxis],
    x: Tensor,
    y: Tensor | None,
    tol: float,
) -> FoldSolutions:
    problem, result = _solved_block(solver, axes, x, y, tol)
    count(len(x))
    return _solutions(problem, x, result)


def _solved_block(
    solver: LinearProblems,
    axes: Sequence[SearchAxis],
    x: Tensor,
    y: Tensor | None,
    tol: float,
) -> tuple[PenalisedProblem, LowerResult]:
    if solver.by_products:
        return solve_by_products(solver, axes, x, y, tol)
    metric, single = solver.metric, solver.dtype is torch.float32 and not solver.least_squares
    if y is None and single:
        rough = solver.problem(axes, len(x), torch.float32)
        few = solver.some_rows()
        if few is not None:
            y = solve_lower(solver.glm(axes, few, len(x)), x, tol=TOL.begin).y
        first = solve_lower(rough, x, y, tol=TOL.single, max_iter=TOL.single_iter)
        y = first.y.double()
    problem = solver.problem(axes, len(x), torch.float64)
    if metric is not None:
        metric = metric.at(x, problem.start(x) if y is None else y)
    # With many features liblinear is faster if these iterations do not suffice.
    brief = problem.hessian_jumps and solver.rows(torch.float64).n_coefficients > MANY_FEATURES
    most = TOL.mixed_iter if brief else TOL.final_iter
    finish = partial(solve_lower, tol=tol, gradient_tol=solver.gradient_tol, max_iter=most)
    if solver.task.loss.smoothed:
        # Single precision cannot resolve which rows are near a kink.
        finish, single = partial(solve_narrowing, max_iter=most), False
    elif solver.task.loss.has_scale:
        finish = partial(
            solve_narrowing, tol=TOL.final, gradient_tol=solver.gradient_tol, max_iter=most
        )
    if single:
        # Directions from single precision do, unless the problem is very ill-conditioned.
        mixed = solver.problem(axes, len(x), torch.float64, metric_dtype=torch.float32)
        result = finish(mixed, x, y, max_iter=TOL.mixed_iter, curvature=metric)
        y, metric = result.y, None
    if not single or not (brief or bool(result.converged.all())):
        result = finish(problem, x, y, curvature=metric)
    return problem, result


def _solutions(problem: Any, x: Tensor, result: LowerResult) -> FoldSolutions:
    """Return models as they are kept, without a gradient where they are not solved."""
    solved = _solved(problem, x, result)
    if problem.has_closed_form and not problem.kinks:
        solved = solved & _has_digits(problem, x).to(solved.device)
    norm = torch.where(solved, result.gradient_norm, torch.nan)
    return FoldSolutions(problem.coefficients(result.y).cpu().numpy(), norm.cpu().numpy())


def _has_digits(problem: LeastSquaresProblem, x: Tensor) -> Tensor:
    """Return where rounding of second moments leaves the penalty its say, (S, K).

    With fewer rows than features they are singular, and only the penalty determines what the rows
    do not see.
    """
    d = problem.rows.n_features
    strength = problem.penalty_at(x).curvature[..., :d].amin((2, 3))
    largest = problem.train.gram.diagonal(dim1=-2, dim2=-1)[:, :d].amax(1)
    enough = problem.rows.train_rows.to(largest.device) > d
    return enough | (strength > _LEAST_STRENGTH * d * largest)


def _solved(problem: PenalisedProblem, x: Tensor, result: LowerResult) -> Tensor:
    """Return which models are solved, (S, K), up to rounding."""
    if bool(result.converged.all()) or problem.hessian_jumps or problem.kinks:
        return result.converged  # with kinks, the length of a step does not bound the error
    value = problem.lower(x, result.y)[0].cpu()
    scale = (problem.lower_floor + value.abs()).sqrt()
    return result.converged | (result.decrement <= TOL.nearly * scale)
