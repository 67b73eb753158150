"""Solves models whose steps are found by products with the Hessian, each as dear as a pass.

Several classes, or more features than matrices of them are made of. Most of the passes are in
single precision, where rows are many: the gradient in double precision sees to the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.bilevel.lower import LowerResult
from skbamm.glm import of_like_rows
from skbamm.glm.curvature import gram_of, metric_of_gram
from skbamm.losses import HalfSquaredLoss, Smoothed

MANY_FEATURES = 1500  # above which matrices of all are not made
# Decrements: of models to begin with, of single precision, of what is scored.
_BEGIN_TOL, _ROUGH_TOL, PRODUCTS_TOL = 1e-2, 1e-4, 3e-8
_ROUGH_ITER, _MIXED_ITER = 10, 20
_KEPT = 1 << 23  # numbers in all Gram matrices that are kept
_LIKE = 2.3  # logarithm of how much penalties may differ that share Gram matrices


def by_products(solver: Any) -> bool:
    """Whether steps of a solver's models are found so; they are smooth."""
    loss = solver.task.loss
    if isinstance(loss, Smoothed | HalfSquaredLoss) or hasattr(loss, "least_scale"):
        return False
    rows = solver.rows(torch.float64)
    if getattr(loss, "hessian_jumps", False) or solver.penalties.has_kinks:
        return False
    # Of dense features that are many more than rows, matrices of rows take their place.
    return loss.couples_outputs or (rows.n_coefficients > MANY_FEATURES and not solver.wide(rows))


class KnownGrams:
    """Gram matrices of values that were solved one by one: those near them need none of their own.

    Penalties are of the same kind, and models hardly differ, from one value to the next.
    """

    def __init__(self) -> None:
        self._known: list[tuple[float, Tensor]] = []

    def note(self, place: Tensor | None, metric: Any) -> None:
        """Keep the matrices of one value's metric, unless they are large."""
        gram = gram_of(metric)
        if place is None or gram is None or len(gram) != 1 or gram.numel() > _KEPT:
            return
        most = _KEPT // gram.numel()
        self._known = [*self._known[max(len(self._known) + 1 - most, 0) :], (float(place), gram)]

    def near(self, problem: Any, place: Tensor | None, x: Tensor, y: Tensor) -> Any:
        """Return a metric of the matrices nearest to each of several values; None of far ones."""
        if place is None or not self._known:
            return None
        apart = (place[:, None] - place.new_tensor([at for at, _ in self._known])).abs()
        if float(apart.amin(1).max()) > _LIKE:
            return None
        chosen = [self._known[i][1] for i in apart.argmin(1).tolist()]
        return metric_of_gram(problem, torch.cat(chosen), x, y)


def place_of(axes: Any, x: Tensor) -> Tensor | None:
    """Return the logarithms of one hyperparameter's values (S,), or None."""
    if len(axes) != 1:
        return None
    if axes[0].scale == "log":
        return x[:, 0]
    value = x[:, 0] if axes[0].scale == "plain" else axes[0].value(x[:, 0])
    return value.log() if bool((value > 0).all()) else None


def solve_by_products(
    solver: Any, axes: Any, x: Tensor, y: Tensor | None, tol: float
) -> tuple[Any, LowerResult]:
    """Solve some values in all folds; return the problem, too.

    Parameters
    ----------
    solver : JointSolver
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
            y = solve_lower(solver.glm(axes, few, len(x)), x, tol=_BEGIN_TOL).y
        rough, near = solver.problem(axes, len(x), torch.float32), max(tol, _ROUGH_TOL)
        begin = rough.start(x) if y is None else y.float()
        first = solve_lower(
            rough, x, begin, tol=near, max_iter=_ROUGH_ITER,
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
    most = _MIXED_ITER if single else 100
    limits: dict[str, Any] = {"tol": tol, "gradient_tol": solver.gradient_tol}
    result = solve_lower(problem, x, y, max_iter=most, curvature=metric, **limits)
    if len(x) == 1 and not single:
        grams.note(place, result.curvature)
    if single and not bool(result.converged.all()):  # it is very ill-conditioned
        problem = solver.problem(axes, len(x), torch.float64)
        result = solve_lower(problem, x, result.y, **limits)
    return problem, result
