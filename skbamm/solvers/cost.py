"""The expected cost of joint solves of a linear model, from the shape of its problem.

``COUNTS`` has the numbers of iterations and passes; effort.py has the cost of each.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from skbamm.glm.joint import joint_seconds
from skbamm.solvers.problems import MANY_FEATURES, LinearProblems


@dataclass(frozen=True)
class Counts:
    """Iterations and passes of joint solves, chosen by benchmarks/everyday/effort.py.

    A triple holds iterations, new metrics, and additional passes of an iteration.

    Attributes
    ----------
    least_values : int
        Values of a list from which it is solved in levels.
    work : float
        Seconds of its matrices from which it is.
    turn : float
        Seconds of a start's matrices from which starts are solved one after the other.
    smooth : tuple[int, int, int]
        Of smooth losses.
    jumps : tuple[int, int, int]
        Of losses whose Hessian jumps.
    kinks : tuple[int, int, int]
        Of losses with kinks.
    levels : tuple[int, int]
        Iterations and new metrics of values that are solved in levels.
    from_some : tuple[int, int]
        The same of many rows, from where a solve of some of them led.
    many_features : int
        Additional passes of an iteration with directions by conjugate gradients.
    many_jumps : int
        The same where the Hessian jumps.
    path : int
        Iterations a value where the penalty has kinks.
    kinked_path : int
        The same where the loss has kinks, too.
    followed : int
        Factor of a step's cost if the loss couples its outputs and each fold has its own face.
    coupled_search : int
        Times that again for a search, if there are more features than rows as well: each of its
        starts follows a path of its own.
    sweeps : int
        Sweeps of coordinate descent on second moments.
    moment_steps : float
        Iterations around them.
    group_steps : float
        The same for groups of coefficients.
    products_of_value : int
        Passes of each value whose steps are products with the Hessian.
    products : int
        Additional passes.
    least_products : int
        Minimum number of passes of a list: few values have a large spacing.
    determined : int
        Rows a coefficient from which penalties hardly matter.
    fewer : float
        Share of the passes that is left then.
    passes_with_matrices : tuple[int, int]
        Passes where matrices of all features precondition them: of all values, and of each.
    least_spaced : int
        Values that a shorter list counts for, since its values have a large spacing.
    matrices : tuple[float, float]
        How many such matrices there are: of all values, and of each.
    square_products : int
        Passes of squares by conjugate gradients, without second moments.
    dual_factor : float
        Times a factor of a matrix of rows that making it takes as well.
    dual_steps : int
        Iterations with matrices of rows.
    duals : int
        How often such matrices are made.
    """

    least_values: int = 6
    work: float = 0.01
    turn: float = 0.004
    smooth: tuple[int, int, int] = (10, 7, 0)
    jumps: tuple[int, int, int] = (60, 40, 0)
    kinks: tuple[int, int, int] = (120, 80, 0)
    levels: tuple[int, int] = (8, 3)
    from_some: tuple[int, int] = (7, 2)
    many_features: int = 5
    many_jumps: int = 15
    path: int = 10
    kinked_path: int = 60
    followed: int = 2
    coupled_search: int = 4
    sweeps: int = 60
    moment_steps: float = 1.5
    group_steps: float = 15
    products_of_value: int = 58
    products: int = 250
    least_products: int = 900
    determined: int = 5
    fewer: float = 0.4
    passes_with_matrices: tuple[int, int] = (110, 10)
    least_spaced: int = 9
    matrices: tuple[float, float] = (3.0, 0.5)
    square_products: int = 300
    dual_factor: float = 3.0
    dual_steps: int = 30
    duals: int = 15


COUNTS = Counts()


def foreseen_seconds(solver: LinearProblems, values: int, listed: bool = True) -> float | None:
    """Return the estimated seconds for values in all folds; None if own fits cannot compete.

    Unless they are ``listed``, they stand for a search.
    """
    loss, task = solver.task.loss, solver.task
    rows = solver.rows(torch.float64)
    n, d = len(task.target), rows.n_features
    p = d + 1
    stored = rows.matrices[0].entries
    folds, outputs = len(solver.used), loss.n_outputs
    kinks = solver.penalties.has_kinks
    if loss.squared and (kinks or not solver.least_squares):
        return _of_squares(solver, values, kinks, (n, p), stored)
    if loss.squared:
        return None
    if solver.by_products:
        return _of_products(solver, values, listed)
    together, rounds = (1, values) if kinks else (values, 1)
    columns = folds * outputs * together
    jumps = loss.smoothed or loss.hessian_jumps
    if loss.smoothed:
        iterations, metrics, more = COUNTS.kinks
    elif jumps:
        iterations, metrics, more = COUNTS.jumps
    else:
        iterations, metrics, more = COUNTS.smooth
    metric = solve = 0.0
    if p > MANY_FEATURES and not (kinks or solver.dual):
        more = COUNTS.many_jumps if jumps else COUNTS.many_features
    else:
        metric, solve = metric_seconds(solver, together), solve_seconds(columns, p)
    if kinks:
        iterations = metrics = COUNTS.kinked_path if loss.smoothed else COUNTS.path
    elif levels_pay(solver, values):
        iterations, metrics = COUNTS.levels
    dtype = torch.float64
    if not (kinks or jumps) and solver.some_rows() is not None:
        (iterations, metrics), dtype = COUNTS.from_some, solver.dtype
    one = pass_seconds((n, d), stored, columns, dtype) + solve
    step = step_seconds(kinks)
    if kinks and loss.couples_outputs:  # the coefficients of each fold have their own face
        step *= COUNTS.followed * folds * (1 if listed or p <= n else COUNTS.coupled_search)
    steps = iterations * ((1 + more) * one + step)
    return rounds * (steps + metrics * metric)


def _of_products(solver: LinearProblems, values: int, listed: bool) -> float:
    """Return what values of models take whose steps are products with the Hessian, in all folds."""
    rows = solver.rows(solver.dtype)
    one, outputs = rows.matrices[0], solver.task.loss.n_outputs
    shape, columns = (one.n_rows, one.n_features), len(solver.used) * outputs
    if not solver.uncertain:
        metric = metric_seconds(solver, 1)
        (first, each), (made, more) = COUNTS.passes_with_matrices, COUNTS.matrices
        pass_ = pass_seconds(shape, one.entries, columns, solver.dtype)
        pass_ += solve_seconds(columns, one.n_features)
        steps = max(values, COUNTS.least_spaced) if listed else values
        return (first + each * steps) * pass_ + (made + more * values) * metric
    passes: float = COUNTS.products + values * COUNTS.products_of_value
    if listed:  # few values have a large spacing
        passes = max(passes, COUNTS.least_products)
    if one.n_rows >= COUNTS.determined * one.n_features * outputs:
        passes *= COUNTS.fewer
    return passes * pass_seconds(shape, one.entries, columns, solver.dtype)


def _of_squares(solver: LinearProblems, values: int, kinks: bool, shape, stored: float) -> float:
    """Return what values of a least-squares model take, in all folds."""
    (n, p), folds, outputs = shape, len(solver.used), solver.task.loss.n_outputs
    if kinks:
        moments = gram_seconds(folds, n, p) if p <= MANY_FEATURES else 0.0
        steps = (
            COUNTS.moment_steps if solver.twin.kinks.separable else COUNTS.group_steps
        ) * step_seconds(kinks)
        return moments + values * (steps + descent_seconds(folds * outputs, p, COUNTS.sweeps))
    one = pass_seconds((n, p), stored, folds * outputs * values, torch.float64)
    if solver.wide:
        return COUNTS.dual_steps * (one + step_seconds(kinks)) + gram_seconds(
            COUNTS.duals * folds, p, n
        )
    return COUNTS.square_products * one


def levels_pay(solver: LinearProblems, values: int) -> bool:
    """Whether starting values between solved ones is faster than solving all at once.

    They need fewer iterations, and so fewer Gram matrices and factors; but where these are small,
    all at once take fewer calls.
    """
    loss = solver.task.loss
    kinks = loss.smoothed or loss.has_scale
    if solver.least_squares or kinks:
        return False
    if values < COUNTS.least_values or loss.hessian_jumps:
        return False
    return solver.by_products or metric_seconds(solver, values) > COUNTS.work


def turns_pay(solver: LinearProblems) -> bool:
    """Whether starts that are solved one after the other are faster than all together.

    So it is on a CPU where each has Gram matrices of its own and these cost most.
    """
    loss, rows = solver.task.loss, solver.rows(torch.float64)
    smooth = not (solver.penalties.has_kinks or loss.hessian_jumps or loss.smoothed)
    if solver.device.type != "cpu" or solver.least_squares or not smooth:
        return False
    columns = len(solver.used) * loss.n_outputs
    shared = not isinstance(rows, FoldwiseRows) and shares_gram(rows, columns)
    shared &= not solver.dual
    return not shared and metric_seconds(solver, 1) > COUNTS.turn


def metric_seconds(solver: LinearProblems, values: int) -> float:
    """Return the approximate cost of Gram matrices and factors for so many values, or 0.0."""
    loss, rows, K = solver.task.loss, solver.rows(torch.float64), len(solver.used)
    n, p, columns = rows.n_rows, rows.n_coefficients, values * K * solver.task.loss.n_outputs
    if solver.joint:
        return joint_seconds(n, p * loss.n_outputs, values * K)
    if solver.dual:
        return COUNTS.dual_factor * factor_seconds(columns, n)
    if solver.penalties.has_kinks:
        p = min(p, n)  # no more are free at a solution
    part = (p / rows.n_coefficients) ** 2
    if p > MANY_FEATURES:
        return 0.0
    shared = False
    if isinstance(rows, FoldwiseRows):
        rows = rows.folds[0]
    elif not loss.hessian_jumps:
        shared = shares_gram(rows, columns)
    matrices = columns // K if shared else columns
    seen = min(n, gram_rows(n, p, K)) if shared else n
    return part * rows.gram_seconds(matrices, seen) + factor_seconds(matrices, p)
