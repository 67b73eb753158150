"""The last fit, of what was found on all rows, which gains from what the folds' models know."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbamm.folds import threads_for_rows
from skbamm.models import last_step
from skbamm.search.bank import Solution, adopt, may_begin_at_solution, own_fit, warm_fit
from skbamm.search.joint import JointSolver
from skbamm.search.pooled_fit import pooled_fit, pooled_start


def final_fit(
    estimator: Any, solutions: list[Solution], solver: Any, X: Any, y: Any, fit_params: Any
) -> None:
    """Fit an estimator in place.

    Where second moments of the folds are all that its model depends on, their sum gives the
    model at once, as it gave the folds' models. Else the estimator's own fit begins at the mean
    of the folds' models, brought near its end by our solvers, if it can begin anywhere.

    Parameters
    ----------
    estimator : estimator
    solutions : list of Solution
        The folds' models of its hyperparameters; empty if there are none.
    solver : FoldSolver or None
        What found them.
    X, y, fit_params
        As its ``fit`` takes them.
    """
    last = last_step(estimator)
    if not solutions or len({one.parameters[0].shape for one in solutions}) > 1:
        own_fit(estimator, X, y, fit_params)
        return
    shares_rows = isinstance(solver, JointSolver) and solver.folds is None
    begin = solutions[0]
    if shares_rows and begin.adopt and begin.twin.finds_minima:
        with threads_for_rows():
            exact = pooled_fit(solver, last)
        if exact is not None:
            begin.parameters = _as_exported(exact, begin)
            adopt(estimator, begin)
            return
    model = begin.twin.model(last)
    if not may_begin_at_solution(begin.twin, model):
        own_fit(estimator, X, y, fit_params)
        return
    coefs, intercepts = zip(*(one.parameters for one in solutions), strict=True)
    coef, intercept = np.mean(coefs, 0), np.mean(intercepts, 0)
    begin.parameters = coef, intercept
    if shares_rows:
        tol, full = model.tol, coef.astype(float)
        if begin.task.fit_intercept:
            full = np.concatenate([full, intercept[:, None].astype(float)], 1)
        with threads_for_rows():
            solved = pooled_start(solver, last, full, 0.5 * tol)
            if solved is None:
                solved = solver.all_rows(last, full, 0.5 * tol)
        begin.parameters = _as_exported(solved, begin)
    warm_fit(estimator, begin, X, y, fit_params)


def _as_exported(solved: np.ndarray, like: Solution) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (m, p) as a twin's export takes them, in the precision of ``like``'s."""
    coef, intercept = like.parameters[:2]
    if like.task.fit_intercept:
        intercept = solved[:, -1].astype(coef.dtype)
    return np.ascontiguousarray(solved[:, : coef.shape[1]], dtype=coef.dtype), intercept
