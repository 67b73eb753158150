"""Solves models by products with the Hessian, each of which costs a pass.

Several classes, or more features than matrices of them are made of. Most of the passes are in
single precision, where rows are many: the gradient in double precision sees to the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.bilevel.lower import LowerResult
from skbamm.glm import PenalisedProblem, of_like_rows
from skbamm.solvers.grams import place_of
from skbamm.solvers.problems import LinearProblems
from skbamm.solvers.tolerances import TOL
from skbamm.space import SearchAxis


def solve_by_products(
    solver: LinearProblems, axes: Sequence[SearchAxis], x: Tensor, y: Tensor | None, tol: float
) -> tuple[PenalisedProblem, LowerResult]:
    """Solve some values in all folds; return the problem, too.

    Parameters
    ----------
    solver : LinearProblems
    axes : tuple of Axis
    x : Tensor of shape (S, h)
    y : Tensor of shape (S, K, m, p), or None
        Where to begin.
    tol : float
        Bound on the decrement.
    """
    grams, place, metric = solver.grams, place_of(axes, x), None
    single = solver.dtype is torch.float32
    options: dict[str, Any] = {"metric_dtype": torch.float32} if single else {}
    problem = solver.problem(axes, len(x), torch.float64, **options)
    if single:
        few = solver.some_rows() if y is None else None
        if few is not None:
            y = solve_lower(solver.glm(axes, few, len(x)), x, tol=TOL.begin).y
        rough, near = solver.problem(axes, len(x), torch.float32), max(tol, TOL.single_products)
        begin = rough.start(x) if y is None else y.float()
        first = solve_lower(
            rough, x, begin, tol=near, max_iter=TOL.single_iter,
            gradient_tol=solver.gradient_tol if near <= tol else np.inf,
            curvature=grams.near(rough, place, x, begin),
        )  # fmt: skip
        if len(x) == 1:
            grams.note(place, first.curvature)
        if near <= tol and bool(first.converged.all()):
            return problem, first
        y = first.y.double()
        metric = of_like_rows(first.curvature, problem, x, y)
    y = problem.start(x) if y is None else y
    metric = metric or grams.near(problem, place, x, y)
    most = TOL.mixed_iter if single else TOL.final_iter
    limits: dict[str, Any] = {"tol": tol, "gradient_tol": solver.gradient_tol}
    result = solve_lower(problem, x, y, max_iter=most, curvature=metric, **limits)
    if len(x) == 1 and not single:
        grams.note(place, result.curvature)
    if single and not bool(result.converged.all()):  # it is very ill-conditioned
        problem = solver.problem(axes, len(x), torch.float64)
        result = solve_lower(problem, x, result.y, **limits)
    return problem, result
