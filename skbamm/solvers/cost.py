"""What joint solves of a linear model are foreseen to take, from the shape of its problem.

The constants are counts of iterations and passes, chosen by benchmarks/everyday/effort.py; what
one of them takes is in effort.py.
"""

from __future__ import annotations

from typing import Any

import torch

from skbamm.effort import (
    descent_seconds,
    factor_seconds,
    gram_seconds,
    pass_seconds,
    solve_seconds,
    step_seconds,
)
from skbamm.folds import FoldwiseRows
from skbamm.glm.curvature import gram_rows, shares_gram
from skbamm.losses import HalfSquaredLoss, Smoothed
from skbamm.solvers.problems import MANY_FEATURES, LinearProblems

# Values of a list that is solved in levels, and seconds of its matrices from which it is.
LEAST_VALUES, _WORK = 6, 0.01
# Iterations, new metrics, and passes an iteration beside the first; of kinds of losses.
_SMOOTH, _JUMPS, _KINKS = (10, 7, 0), (60, 40, 0), (120, 80, 0)
_LEVELS = 8, 3  # of values that are solved in levels: the first, and then those between them
# Passes an iteration beside the first, where directions are conjugate gradients'; of jumps more.
_OF_MANY_FEATURES, _OF_MANY_JUMPS = 5, 15
_FROM_SOME = 7, 2  # iterations and new metrics on many rows, from where some of them led
# Iterations a value where penalties have kinks, and where losses have, too; sweeps of second
# moments, and iterations around them; of groups of coefficients.
_PATH_ITER, _KINKED_ITER, _FOLLOWED = 10, 60, 2
_SWEEPS, _MOMENT_ITER, _GROUP_ITER = 60, 1.5, 15
# Passes of one value's models that take products with the Hessian, and beside those of all values;
# and their share where there are so many rows a coefficient that penalties hardly tell.
_OF_VALUE, _ANY_PRODUCTS, _LEAST_PRODUCTS, _DETERMINED, _FEWER = 58, 250, 900, 5, 0.4
# Passes of squares that have no second moments, by conjugate gradients; with matrices of rows
# iterations, and how often such matrices are made.
_PRODUCTS, _DUAL_ITER, _DUALS = 300, 30, 15


def foreseen_seconds(solver: LinearProblems, values: int, listed: bool = True) -> float | None:
    """Return what values take about, in all folds; None where own fits are no match.

    Where they are not ``listed``, they stand for a search.
    """
    if _may_vanish(solver):
        return None  # own fits would end anywhere
    loss, task = solver.task.loss, solver.task
    n, d = len(task.target), solver.data.n_features
    p = d + 1
    rows = solver.rows(torch.float64)
    stored = getattr(rows, "folds", [rows])[0].entries
    folds, outputs = len(solver.used), loss.n_outputs
    kinks = solver.penalties.has_kinks
    if isinstance(loss, HalfSquaredLoss) and (kinks or not solver.least_squares):
        return _of_squares(solver, values, kinks, (n, p), stored)
    if isinstance(loss, HalfSquaredLoss):
        return None
    if solver.by_products:
        return _of_products(solver, values, listed)
    together, rounds = (1, values) if kinks else (values, 1)
    columns = folds * outputs * together
    jumps = isinstance(loss, Smoothed) or getattr(loss, "hessian_jumps", False)
    if isinstance(loss, Smoothed):
        iterations, metrics, more = _KINKS
    elif jumps:
        iterations, metrics, more = _JUMPS
    else:
        iterations, metrics, more = _SMOOTH
    metric = solve = 0.0
    if p > MANY_FEATURES:
        more = _OF_MANY_JUMPS if jumps else _OF_MANY_FEATURES
    else:
        metric, solve = metric_seconds(solver, together), solve_seconds(columns, p)
    if kinks:
        iterations = metrics = _KINKED_ITER if isinstance(loss, Smoothed) else _PATH_ITER
    elif levels_pay(solver, values):
        iterations, metrics = _LEVELS
    dtype = torch.float64
    if not (kinks or jumps) and solver.some_rows() is not None:
        (iterations, metrics), dtype = _FROM_SOME, solver.dtype
    one = pass_seconds((n, d), stored, columns, dtype) + solve
    step = step_seconds(kinks)
    if kinks and loss.couples_outputs:  # each fold's coefficients are followed apart
        step *= _FOLLOWED * folds
    steps = iterations * ((1 + more) * one + step)
    return rounds * (steps + metrics * metric)


def _may_vanish(solver: LinearProblems) -> bool:
    """Whether models can fit so many rows exactly that a HuberRegressor's scale vanishes.

    There is a kink then, which its solver, made for smooth functions, does not get along with.
    """
    loss: Any = solver.task.loss
    if not hasattr(loss, "least_scale"):
        return False
    rows = float(solver.data.weights.train_rows.min())
    return solver.data.n_features + 1 > (1 - loss.epsilon**-2) * rows


def _of_products(solver: LinearProblems, values: int, listed: bool) -> float:
    """Return what values of models take whose steps are products with the Hessian, in all folds."""
    rows = solver.rows(solver.dtype)
    one, outputs = getattr(rows, "folds", [rows])[0], solver.task.loss.n_outputs
    shape, columns = (one.n_rows, one.n_features), len(solver.used) * outputs
    passes: float = _ANY_PRODUCTS + values * _OF_VALUE
    if listed:  # few values are far apart
        passes = max(passes, _LEAST_PRODUCTS)
    if one.n_rows >= _DETERMINED * one.n_features * outputs:
        passes *= _FEWER
    return passes * pass_seconds(shape, one.entries, columns, solver.dtype)


def _of_squares(solver: LinearProblems, values: int, kinks: bool, shape, stored: float) -> float:
    """Return what values of a least-squares model take, in all folds."""
    (n, p), folds, outputs = shape, len(solver.used), solver.task.loss.n_outputs
    if kinks:
        moments = gram_seconds(folds, n, p) if p <= MANY_FEATURES else 0.0
        steps = (_MOMENT_ITER if solver.twin.kinks.separable else _GROUP_ITER) * step_seconds(kinks)
        return moments + values * (steps + descent_seconds(folds * outputs, p, _SWEEPS))
    one = pass_seconds((n, p), stored, folds * outputs * values, torch.float64)
    if solver.wide:
        return _DUAL_ITER * (one + step_seconds(kinks)) + gram_seconds(_DUALS * folds, p, n)
    return _PRODUCTS * one


def levels_pay(solver: LinearProblems, values: int) -> bool:
    """Whether values that begin between solved ones are solved sooner than all at once.

    They need fewer iterations, and so fewer Gram matrices and factors; but where these are small,
    all at once take fewer calls.
    """
    loss = solver.task.loss
    kinks = isinstance(loss, Smoothed) or hasattr(loss, "least_scale")
    if solver.least_squares or kinks:
        return False
    if values < LEAST_VALUES or getattr(loss, "hessian_jumps", False):
        return False
    return solver.by_products or metric_seconds(solver, values) > _WORK


def metric_seconds(solver: LinearProblems, values: int) -> float:
    """Return what the Gram matrices and factors of so many values take about; 0.0 without any."""
    loss, rows, K = solver.task.loss, solver.rows(torch.float64), len(solver.used)
    n, p, columns = rows.n_rows, rows.n_coefficients, values * K * solver.task.loss.n_outputs
    if p > MANY_FEATURES:
        return 0.0
    shared = False
    if isinstance(rows, FoldwiseRows):
        rows = rows.folds[0]
    elif not getattr(loss, "hessian_jumps", False):
        shared = shares_gram(rows, columns)
    matrices = columns // K if shared else columns
    seen = min(n, gram_rows(n, p, K)) if shared else n
    return rows.gram_seconds(matrices, seen) + factor_seconds(matrices, p)
