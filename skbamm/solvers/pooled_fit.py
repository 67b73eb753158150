"""A model of all rows from the second moments of the folds that part them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skbamm.bilevel import solve_lower
from skbamm.folds import pooled_moments
from skbamm.glm import LeastSquaresProblem
from skbamm.solvers.penalties import Penalties
from skbamm.solvers.problems import LinearProblems
from skbamm.solvers.tolerances import TOL

_EXACT = 1e-11  # relative size of the remaining products of features with the residual


def pooled_fit(solver: LinearProblems, estimator: Any) -> np.ndarray | None:
    """Return an estimator's coefficients (m, p) on all rows of a LinearProblems, or None.

    None if the moments of the folds do not determine them to rounding.
    """
    problem = _pooled_problem(solver, estimator)
    if problem is None or problem.kinks:
        return None
    x = torch.empty(1, 0, dtype=torch.float64, device=solver.device)
    cross = problem.train.cross
    (y,) = problem.curvature(x, problem.start(x), 0.0).solve(cross[None, None])
    left = problem.lower(x, y)[1].abs().amax()
    if not left <= _EXACT * cross.abs().amax():
        return None  # of a matrix that is all but singular the estimator may know more
    return solver.data.outside(problem.coefficients(y)[0, 0].cpu().numpy())


def pooled_start(
    solver: LinearProblems, estimator: Any, coef: np.ndarray, gradient_tol: float
) -> np.ndarray | None:
    """Return a starting point for an estimator's own fit on all rows, or None.

    Parameters
    ----------
    solver : LinearProblems
    estimator : estimator
    coef : ndarray of shape (m, p)
        Coefficients near the solution.
    gradient_tol : float
        Largest entry of the gradient that may be left.
    """
    problem = _pooled_problem(solver, estimator)
    if problem is None:
        return None
    x = torch.empty(1, 0, dtype=torch.float64, device=solver.device)
    y = torch.as_tensor(solver.data.inside(coef), device=solver.device)[None, None]
    y = problem.of_coefficients(y)
    result = solve_lower(problem, x, y, tol=TOL.pooled, gradient_tol=gradient_tol)
    if not bool(result.converged.all()):
        return None
    return solver.data.outside(problem.coefficients(result.y)[0, 0].cpu().numpy())


def _pooled_problem(solver: LinearProblems, estimator: Any) -> LeastSquaresProblem | None:
    """Return the problem of all rows at the estimator's own values, if the folds determine it."""
    pooled = None
    if solver.data.row_weights is None and solver.task.transformed is None and solver.moments:
        pooled = pooled_moments(solver.moments, solver.data.weights)
    if pooled is None:
        return None
    own = Penalties(solver.twin, estimator, solver.task, solver.device)
    if any(np.ndim(value) for value in own.values.values()):
        return None  # not for all outputs
    rows = solver.data.rows_with(solver.data.weights_of_all_rows(), torch.float64)
    return LeastSquaresProblem(
        rows, own.penalty((), rows), 1, moments=pooled, mean_loss=solver.twin.mean_loss
    )
