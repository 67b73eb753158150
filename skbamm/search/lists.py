"""Lists of values, solved jointly in all folds."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from skbamm.effort import OverBudget, metered
from skbamm.models import NotApplicable
from skbamm.progress import counted
from skbamm.search.keys import candidate_key
from skbamm.search.own_fits.budget import prepares_in_vain
from skbamm.search.own_fits.check import check_twin
from skbamm.search.solving import Solving
from skbamm.solvers.base import FoldSolver
from skbamm.space import EACH_ALONE, Combination


def solve_lists(solving: Solving, combinations: list[Combination]) -> None:
    """Solve lists' values where that can be done, and say in the plan where it cannot."""
    left = []
    for i, group in enumerate(groups(combinations)):
        if i > 0 and solving.clock.half_over:
            break
        attempt = solving.attempt(partial(_solve, solving, group))
        left.append(attempt.reason)
    for reason in filter(None, left):
        for row in solving.space.plan:
            if row["role"] == "joint grid" or (row["reason"] == EACH_ALONE and all(left)):
                row.update(role="enumerated", reason=reason)


def groups(combinations: list[Combination]) -> list[list[Combination]]:
    """Group the combinations that differ only in what is tuned, if a twin can take its values."""
    found: dict[str, list[Combination]] = {}
    for combination in combinations:
        tuned = combination.target.tuned
        if not tuned:
            continue
        values = zip(tuned.values(), _tuned_values(combination), strict=True)
        if not all(one.valid(value) for one, value in values):
            continue
        rest = {name: v for name, v in combination.params.items() if name not in tuned}
        found.setdefault(candidate_key(rest), []).append(combination)
    return list(found.values())


def _solve(solving: Solving, group: list[Combination]) -> None:
    target = group[0].target
    alone = len(group) == 1 and solving.row_weights is None
    if alone and prepares_in_vain(target, solving.factory.X, solving.settings):
        raise OverBudget("own fits are faster")
    joint = solving.solver(group[0])
    try:
        _solve_values(solving, joint, group)
    except (NotApplicable, OverBudget):
        solving.hand_on(joint, group)
        raise


def _solve_values(solving: Solving, joint: FoldSolver, group: list[Combination]) -> None:
    if few_rows(joint, joint.twin.own_lists_below):
        raise NotApplicable("with few rows, own fits solve a loss with kinks fastest")
    solving.say(
        f"{len(group)} values of {', '.join(group[0].target.tuned)} in {len(joint.used)} folds "
        f"jointly on {joint.device}"
    )
    began, done, solved = time.perf_counter(), 0, []
    some = [group[i] for i in dict.fromkeys((len(group) // 2, 0, len(group) - 1))]
    candidates = [(one.target.estimator, one.params) for one in some]
    fits = len(group) * len(joint.used)
    meter = solving.meter(joint, candidates, fits, len(group))
    while done < len(group) and not (done and solving.clock.half_over):
        # With limited time, increasing numbers at a time: those solved in time are scored.
        some = group[done : 2 * done + 1] if solving.clock.max_time else group[done:]
        values = [_tuned_values(combination) for combination in some]
        with metered(meter), counted("list", len(some)):
            solutions = joint.grid(np.array(values, dtype=float))
        if np.isnan(solutions.gradient_norm).any():
            solving.outcome.converged = False
            raise NotApplicable("not all values could be solved, so the whole list uses own fits")
        keys = [candidate_key(combination.params) for combination in some]
        solved.append((solutions, keys, some))
        done += len(some)
    for one in (group[0], group[len(group) // 2], group[-1]):
        check_twin(solving.factory, joint, one.target, one.params)
    # Not before: scores of solved models and of own fits are not comparable.
    for solutions, keys, some in solved:
        solving.keep(joint, solutions, keys, some)
    solving.say(f"solved in {time.perf_counter() - began:.2f} s")


def few_rows(joint, enough: int) -> bool:
    """Whether a loss that has kinks has so few rows."""
    return joint.task.loss.smoothed and len(joint.task.target) < enough


def _tuned_values(combination: Combination) -> list[Any]:
    """Return the values of the tuned parameters: listed, or the estimator's own."""
    params = combination.target.estimator.get_params()
    return [params[name] for name in combination.target.tuned]
