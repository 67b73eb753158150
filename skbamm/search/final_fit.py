"""The final fit of the result on all rows, warm-started from the folds' models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from skbamm._sklearn_compat import num_samples
from skbamm.clock import Clock
from skbamm.data.far_rows import at_home
from skbamm.data.matrices import FoldData, as_matrix, feature_memory, through
from skbamm.folds import threads_for_rows
from skbamm.models import NotApplicable, has_transformers, last_step
from skbamm.search.bank import adopt, export, may_begin_at_solution, own_fit, warm_fit
from skbamm.search.factory import SolverFactory
from skbamm.search.own_fits.check import compare, loose_fit
from skbamm.search.solving import Solving
from skbamm.solvers.base import FoldSolver
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.pooled_fit import pooled_fit, pooled_start
from skbamm.solvers.solutions import Solution
from skbamm.space.grid import Target

_FEW = 1 << 18  # numbers in X up to which the own fit is as fast as a solve on shared columns


class Refit:
    """Fits the best candidate on all rows.

    Parameters
    ----------
    solving : Solving
    own : bool
        Whether it is the estimator's own fit, wherever the search was.
    """

    def __init__(self, solving: Solving, own: bool = False):
        self.solving, self.own = solving, own

    def __call__(self, estimator: Any, key: str, X: Any, y: Any, fit_params: dict) -> None:
        """Fit an estimator in place; ``key`` is its candidate's."""
        solutions, solver = self.solving.bank.solutions(key), self.solving.solvers.get(key)
        self.solving.outcome.loose = self._looseness(estimator, key, solver)
        combination = self.solving.combinations.get(key)
        linear = isinstance(solver, LinearSolver) and self.solving.row_weights is None
        if linear and self._fit_shared(estimator, combination, solutions, solver):
            return
        if linear and not self.own and self._fit_there(estimator, combination, solutions, solver):
            return
        sure = final_fit(estimator, solutions, solver, X, y, fit_params, self.solving.clock)
        if sure or not linear or combination is None:
            return
        with threads_for_rows():
            self.solving.outcome.refit_adopted = mend(
                estimator, combination.target, combination.params, solutions, self.solving.factory
            )

    def _fit_shared(self, estimator: Any, combination: Any, solutions: list, solver: Any) -> bool:
        """Fit a pipeline whose folds share columns, if its own fit has nothing to add."""
        exact = combination is not None and solutions and solutions[0].adopt
        if not exact or solver.data.columns is None or not solver.twin.warm_starts:
            return False
        if np.prod(np.shape(self.solving.factory.X)) <= _FEW:
            return False
        with threads_for_rows():
            return solved_fit(
                estimator, combination.target, combination.params, solutions, self.solving.factory,
                shared=True,
            )  # fmt: skip

    def _fit_there(self, estimator: Any, combination: Any, solutions: list, solver: Any) -> bool:
        """Give an estimator the model that was solved on a device; return whether that is done.

        Its own fit would have to bring all rows to the CPU, and to pass over them there.
        """
        if solver.device.type == "cpu" or combination is None or not solutions:
            return False
        target, last = combination.target, last_step(estimator)
        alone = combination.holder is None and target.twin.feature_penalty(last) is None
        inside = target.pipeline is not None and target.pipeline is not target.estimator
        if not alone or inside or solver.task.transformed is not None or not solutions[0].adopt:
            return False
        outcome, factory, exact = self.solving.outcome, self.solving.factory, False

        def solve() -> None:
            nonlocal exact
            exact = exact_fit(estimator, solutions, solver)
            outcome.solved_there = not exact and solved_fit(
                estimator, target, combination.params, solutions, factory
            )

        self.solving.attempt(solve)
        return exact or outcome.solved_there

    def _looseness(self, estimator: Any, key: str, solver: FoldSolver | None) -> str:
        """Say that own fits of the best candidate differ from what was scored, if they do."""
        combination = self.solving.combinations.get(key)
        if combination is None or not isinstance(solver, LinearSolver) or self.solving.row_weights:
            return ""
        if not any(one.adopt for one in self.solving.bank.solutions(key)):
            return ""  # own fits were scored
        with threads_for_rows():
            found = loose_fit(self.solving.factory, solver, combination.target, estimator)
        for row in self.solving.space.plan:
            if found and row["role"] in ("searched", "joint grid"):
                row["reason"] = found
        return found


def final_fit(
    estimator: Any, solutions: list[Solution], solver: Any, X: Any, y: Any, fit_params: Any,
    clock: Clock,
) -> bool:  # fmt: skip
    """Fit an estimator in place; return whether it is sure to be the model that was scored.

    If its model depends only on second moments of the folds, their sum gives the
    model at once, as it gave the folds' models. Else the estimator's own fit begins at the mean
    of the folds' models, improved by our solvers, if it accepts a starting point.

    Parameters
    ----------
    estimator : estimator
    solutions : list of Solution
        The folds' models of its hyperparameters; empty if there are none.
    solver : FoldSolver or None
        The solver that found them.
    X, y, fit_params
        As its ``fit`` takes them.
    clock : Clock
        If Ctrl-C ends the own fit, its starting point is used.
    """
    last = last_step(estimator)
    if not solutions or len({one.parameters[0].shape for one in solutions}) > 1:
        own_fit(estimator, X, y, fit_params)
        return not solutions
    shares_rows = isinstance(solver, LinearSolver) and solver.folds is None
    if exact_fit(estimator, solutions, solver):
        return True
    begin = replace(solutions[0])  # the fold's own model stays what was scored
    model = begin.twin.model(last)
    if not may_begin_at_solution(begin.twin, model):
        own_fit(estimator, X, y, fit_params)
        return begin.twin.finds_minima
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
    try:
        warm_fit(estimator, begin, X, y, fit_params)
    except KeyboardInterrupt:
        if not shares_rows:  # it began at the mean of the folds' models
            raise
        clock.interrupt()
        clock.end("the final fit")
        adopt(estimator, begin)
        return True
    except ValueError:
        if shares_rows:
            raise
        # On all rows the transformers may create other features than on a fold's rows.
        own_fit(estimator, X, y, fit_params)
    fitted = begin.twin.fitted(last_step(estimator))
    most = getattr(fitted, "max_iter", None)
    return shares_rows or most is None or np.max(getattr(fitted, "n_iter_", 0)) < most


def exact_fit(estimator: Any, solutions: list[Solution], solver: Any) -> bool:
    """Give an estimator the minimum that follows from the folds' second moments, if it does.

    Return whether it does: its own fit would end there, to rounding.
    """
    begin = replace(solutions[0])
    shares_rows = isinstance(solver, LinearSolver) and solver.folds is None
    if not (shares_rows and begin.adopt and begin.twin.finds_minima):
        return False
    with threads_for_rows():
        exact = pooled_fit(solver, last_step(estimator))
    if exact is None:
        return False
    begin.parameters = _as_exported(exact, begin)
    adopt(estimator, begin)
    return True


def solved_fit(
    estimator: Any, target: Target, params: dict[str, Any], solutions: list[Solution],
    maker: SolverFactory, shared: bool = False,
) -> bool:  # fmt: skip
    """Solve a model on all rows, and adopt it; return whether that is done.

    The transformers, if there are any, are fitted on all rows. The model is adopted where the
    estimator's own fit would stop there.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    target : Target
    params : dict
        Parameters of the candidate.
    solutions : list of Solution
        The folds' models of its hyperparameters.
    maker : SolverFactory
    shared : bool, default=False
        Whether only if the rows are not copied: a pipeline's folds share columns.
    """
    everything = np.arange(num_samples(maker.X))
    try:
        joint = maker.for_splits([(everything, everything[:0])]).make(
            replace(target, estimator=estimator), params, alike=True
        )
    except NotApplicable:
        return False
    if not isinstance(joint, LinearSolver) or (shared and joint.data.columns is None):
        return False
    joint.penalties.set_values(last_step(estimator))
    begin = [_with_intercept(one) for one in solutions]
    p = joint.data.n_features + int(joint.task.fit_intercept)
    alike = {one.shape[1] for one in begin} == {p}  # not if the folds have different features
    y = None
    if alike:
        mean = joint.data.inside(np.mean(begin, 0, dtype=float))
        y = [torch.as_tensor(mean, device=joint.device)[None]]
    features = feature_memory(maker.X) if joint.folds is None else None
    solution = joint.solution(joint.polish((), [[]], y), 0, 0, features)
    if solution.adopt:
        adopt(estimator, solution)
    return solution.adopt


def mend(
    estimator: Any, target: Target, params: dict[str, Any], solutions: list[Solution],
    maker: SolverFactory,
) -> str:  # fmt: skip
    """Give a fitted estimator the minimum of its objective where its own fit is far from it.

    Parameters
    ----------
    estimator : estimator
        Fitted on all rows.
    target : Target
    params : dict
        Parameters of the candidate.
    solutions : list of Solution
        The folds' models of its hyperparameters.
    maker : SolverFactory

    Returns
    -------
    str
        The defect of the own fit, or "".
    """
    joint = _of_all_rows(estimator, target, params, maker)
    if joint is None:
        return ""
    models = [_with_intercept(one) for one in solutions]
    alike = len({one.shape for one in models}) == 1  # not if the folds have different features
    begin = np.mean(models, 0, dtype=float) if alike else None
    last = last_step(estimator)
    found = compare(joint, last, begin)
    if found is None or not found.is_worse():
        return ""
    features = feature_memory(maker.X) if joint.folds is None else None
    export(last, joint.solution(found.solutions, 0, 0, features))
    return (
        f"the final fit of {type(last).__name__} ended at an objective of {found.own:.4g} a row, "
        f"where the minimum is {found.least:.4g}"
    )


def _of_all_rows(estimator, target, params, maker) -> LinearSolver | None:
    """Return a solver of one split that trains on all rows, as the fitted transformers see them."""
    n, folds = num_samples(maker.X), None
    everything, none = np.arange(n), np.arange(0)
    if has_transformers(estimator):
        before = estimator[:-1]
        seen = through(before, at_home(maker.X))
        folds = [FoldData(as_matrix(seen), everything, none, before, feature_memory(seen))]
    elif target.pipeline is not None:
        return None  # the transformers are inside of the model
    try:
        joint = maker.for_splits([(everything, none)]).make(
            replace(target, estimator=estimator), params, folds, alike=True
        )
    except NotApplicable:
        return None
    return joint if isinstance(joint, LinearSolver) else None


def _with_intercept(one: Solution) -> np.ndarray:
    coef, intercept = one.parameters[:2]
    return np.concatenate([coef, intercept[:, None]], 1) if one.task.fit_intercept else coef


def _as_exported(solved: np.ndarray, like: Solution) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (m, p) as a twin's export takes them, in the precision of ``like``'s."""
    coef, intercept = like.parameters[:2]
    if like.task.fit_intercept:
        intercept = solved[:, -1].astype(coef.dtype)
    return np.ascontiguousarray(solved[:, : coef.shape[1]], dtype=coef.dtype), intercept
