"""Whether to solve jointly at all, and for how long: never longer than own fits would take.

What a joint solve takes is foreseen from the shape of its problem. Where that is more than a share
of what the estimator's own fits take, they serve; else a meter ends the solve where it takes much
longer than was foreseen.
"""

from __future__ import annotations

from typing import Any

import torch

from skbamm.effort import (
    Meter,
    OverBudget,
    descent_seconds,
    gram_seconds,
    pass_seconds,
    solve_seconds,
    step_seconds,
)
from skbamm.losses import HalfSquaredLoss, Smoothed
from skbamm.search.own_fits.cost import OwnCost
from skbamm.solvers.kernel import KernelSolver
from skbamm.solvers.linear import JointSolver
from skbamm.solvers.nested import LineSolver
from skbamm.solvers.products import MANY_FEATURES, by_products
from skbamm.solvers.values import levels_pay, metric_seconds

_OWN_VALUES, _OWN_OF_SEVERAL = 9, 16  # that one interval, or several, may cost as much as
# As many values as a search costs about, and as one whose scorer judges points from end to end;
# as one that follows paths of penalties with kinks at least, and places on a line.
_SEARCH_VALUES, _JUDGED_VALUES, _PATH_VALUES, _PLACES = 2, 6, 10, 8
_SCORE = 1.5e-3  # seconds that a model takes to be scored
# Of what own fits take, that a joint solve may; a search for the score itself knows the best value
# more closely, and may take more. What models take whose steps are products is less sure.
_SHARE, _SHARE_OF_SCORE, _OF_PRODUCTS = 0.6, 0.9, 0.45
_FLOOR = 0.01  # seconds that it may take in any case
_FORESEEN, _SPARE = 2.5, 0.05  # times what was foreseen, and a share of own fits, that end it
# Iterations, new metrics, and passes an iteration beside the first; of kinds of losses.
_SMOOTH, _JUMPS, _KINKS = (10, 7, 0), (60, 40, 0), (120, 80, 0)
_LEVELS = 8, 3  # of values that are solved in levels: the first, and then those between them
# Passes an iteration beside the first, where directions are conjugate gradients'; of jumps more.
_OF_MANY_FEATURES, _OF_MANY_JUMPS = 5, 15
_FROM_SOME = 7, 2  # iterations and new metrics on many rows, from where some of them led
# Iterations a value where penalties have kinks, and where losses have, too; sweeps of second
# moments, and iterations around them; of groups of coefficients.
_PATH_ITER, _KINKED_ITER, _FOLLOWED = 10, 60, 2
# Factors of a fold's kernel that a search of one interval, or several, takes, and times as many
# where few rows leave all starting points; seconds of a factor, an entry and a step.
_KERNELS, _KERNEL_STARTS, _FEW_KERNEL_ROWS = (10, 40), 2, 512
_KERNEL_FACTOR, _KERNEL_ENTRY, _STEP = 2e-11, 2e-8, 4e-4
_LIST_OF_KERNELS = 1.3  # times own fits, that lists of kernel models may take
_SWEEPS, _MOMENT_ITER, _GROUP_ITER = 60, 1.5, 15
# Passes of one value's models that take products with the Hessian, and beside those of all values;
# and their share where there are so many rows a coefficient that penalties hardly tell.
_OF_VALUE, _ANY_PRODUCTS, _LEAST_PRODUCTS, _DETERMINED, _FEWER = 58, 250, 900, 5, 0.4
# Passes of squares that have no second moments, by conjugate gradients; with matrices of rows
# iterations, and how often such matrices are made.
_PRODUCTS, _DUAL_ITER, _DUALS = 300, 30, 15


def own_values(axes: tuple) -> int:
    """Return how many values own fits that serve intervals take about."""
    return _OWN_VALUES if len(axes) == 1 else _OWN_OF_SEVERAL


def search_values(joint: Any, axes: tuple, judged: bool) -> int:
    """Return how many values cost as much as a search.

    Parameters
    ----------
    joint : FoldSolver
    axes : tuple of Axis
    judged : bool
        Whether the scorer judges points from end to end.
    """
    if isinstance(joint, KernelSolver):
        few = min(block.shape[1] for block in joint.blocks) < _FEW_KERNEL_ROWS
        return _KERNELS[min(len(axes), 2) - 1] * (_KERNEL_STARTS if few else 1)
    values = _JUDGED_VALUES if judged else _SEARCH_VALUES
    if not isinstance(joint, JointSolver) or joint.begins_anywhere:
        return values
    squares = isinstance(joint.task.loss, HalfSquaredLoss) and joint.task.loss.n_outputs == 1
    absolute_only = len(axes) == 1 and joint.penalties.values.get("l1_ratio", 1.0) == 1.0
    # Paths of squares are exact, or soon followed by second moments.
    soon = squares and (absolute_only or joint.least_squares)
    return values if soon else max(values, _PATH_VALUES)


def budget(
    joint: Any, estimator: Any, y: Any, fits: int, values: int, scored: int = 0
) -> Meter | None:
    """Return the meter of a joint solve, or None where it may take as long as it does.

    Parameters
    ----------
    joint : FoldSolver
    estimator : estimator
        With one of the values set.
    y : array-like
        The user's.
    fits : int
        How many own fits would serve in its place.
    values : int
        That are solved in all folds.
    scored : int
        How many more models the own fits would have to be scored.

    Raises
    ------
    OverBudget
        If own fits are foreseen to be sooner.
    """
    if isinstance(joint, KernelSolver):
        _check_kernels(joint, estimator, y, fits, values, scored)
        return None
    places = 1
    if isinstance(joint, LineSolver) and joint.line.same_features:
        joint, places = joint.first, _PLACES
        values = search_values(joint, (), scored == 0)
    if not isinstance(joint, JointSolver) or joint.device.type != "cpu":
        return None
    if _may_vanish(joint):
        return None  # own fits would end anywhere
    expected = foreseen_seconds(joint, values, fits == values * len(joint.used))
    if expected is not None:
        expected *= places
    own = OwnCost(joint, estimator, y, fits)
    least, scores = own.least, scored * _SCORE
    if expected is None or least is None:
        return None
    least += scores
    share = _SHARE_OF_SCORE if scored else _OF_PRODUCTS if by_products(joint) else _SHARE

    def limit() -> float:
        seconds = own.measured()
        if seconds is None:
            return torch.inf
        seconds += scores
        return max(_FLOOR, min(share * seconds, _FORESEEN * expected + _SPARE * seconds))

    if expected <= max(_FLOOR, share * least):
        return Meter(max(_FLOOR, share * least), limit)
    most = limit()
    if expected > most:
        raise OverBudget("own fits are sooner")
    return Meter(most)


def _check_kernels(joint: KernelSolver, estimator, y, fits, values, scored) -> None:
    """Raise OverBudget if own fits are foreseen to be sooner than so many factors a fold."""
    least = OwnCost(joint, estimator, y, fits).least
    if joint.device.type != "cpu" or least is None:
        return
    n = max(len(train) for train, _ in joint.splits)
    expected = values * len(joint.used) * (n**3 * _KERNEL_FACTOR + n**2 * _KERNEL_ENTRY + _STEP)
    if expected > max(_FLOOR, least + scored * _SCORE, _LIST_OF_KERNELS * least):
        raise OverBudget("own fits are sooner")


def _may_vanish(joint: JointSolver) -> bool:
    """Whether models can fit so many rows exactly that a HuberRegressor's scale vanishes.

    There is a kink then, which its solver, made for smooth functions, does not get along with.
    """
    loss: Any = joint.task.loss
    if not hasattr(loss, "least_scale"):
        return False
    sample = joint.matrix if joint.folds is None else joint.folds[joint.used[0]]
    rows = float(joint.weights.train_rows.min())
    return sample.shape[1] + 1 > (1 - loss.epsilon**-2) * rows


def foreseen_seconds(joint: JointSolver, values: int, listed: bool = True) -> float | None:
    """Return what values take about, in all folds; None where it is too little to ask.

    Where they are not ``listed``, they stand for a search.
    """
    loss, task = joint.task.loss, joint.task
    sample = joint.matrix if joint.folds is None else joint.folds[joint.used[0]]
    n, p = len(task.target), sample.shape[1] + 1
    rows = joint.rows(torch.float64)
    stored = getattr(rows, "folds", [rows])[0].entries
    folds, outputs = len(joint.used), loss.n_outputs
    kinks = joint.penalties.has_kinks
    if isinstance(loss, HalfSquaredLoss) and (kinks or not joint.least_squares):
        return _of_squares(joint, values, kinks, (n, p), stored)
    if isinstance(loss, HalfSquaredLoss):
        return None
    if by_products(joint):
        return _of_products(joint, values, listed)
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
        metric, solve = metric_seconds(joint, together), solve_seconds(columns, p)
    if kinks:
        iterations = metrics = _KINKED_ITER if isinstance(loss, Smoothed) else _PATH_ITER
    elif levels_pay(joint, values):
        iterations, metrics = _LEVELS
    dtype = torch.float64
    if not (kinks or jumps) and joint.some_rows() is not None:
        (iterations, metrics), dtype = _FROM_SOME, joint.dtype
    one = pass_seconds((n, sample.shape[1]), stored, columns, dtype) + solve
    step = step_seconds(kinks)
    if kinks and loss.couples_outputs:  # each fold's coefficients are followed apart
        step *= _FOLLOWED * folds
    steps = iterations * ((1 + more) * one + step)
    return rounds * (steps + metrics * metric)


def _of_products(joint: JointSolver, values: int, listed: bool) -> float:
    """Return what values of models take whose steps are products with the Hessian, in all folds."""
    rows = joint.rows(joint.dtype)
    one, outputs = getattr(rows, "folds", [rows])[0], joint.task.loss.n_outputs
    shape, columns = (one.n_rows, one.n_features), len(joint.used) * outputs
    passes: float = _ANY_PRODUCTS + values * _OF_VALUE
    if listed:  # few values are far apart
        passes = max(passes, _LEAST_PRODUCTS)
    if one.n_rows >= _DETERMINED * one.n_features * outputs:
        passes *= _FEWER
    return passes * pass_seconds(shape, one.entries, columns, joint.dtype)


def _of_squares(joint: JointSolver, values: int, kinks: bool, shape, stored: float) -> float:
    """Return what values of a least-squares model take, in all folds."""
    (n, p), folds, outputs = shape, len(joint.used), joint.task.loss.n_outputs
    if kinks:
        moments = gram_seconds(folds, n, p) if p <= MANY_FEATURES else 0.0
        steps = (_MOMENT_ITER if joint.twin.kinks.separable else _GROUP_ITER) * step_seconds(kinks)
        return moments + values * (steps + descent_seconds(folds * outputs, p, _SWEEPS))
    one = pass_seconds((n, p), stored, folds * outputs * values, torch.float64)
    if joint.wide(joint.rows(torch.float64)):
        return _DUAL_ITER * (one + step_seconds(kinks)) + gram_seconds(_DUALS * folds, p, n)
    return _PRODUCTS * one
