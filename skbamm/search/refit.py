"""The refit: the estimator's own fit on all rows, from where the search is."""

from __future__ import annotations

from typing import Any

from skbamm.folds import threads_for_rows
from skbamm.search.final_fit import final_fit, mend, shared_fit
from skbamm.search.own_fits.check import loose_fit
from skbamm.search.solving import Solving
from skbamm.solvers.linear import LinearSolver


class Refit:
    """Fits the best candidate on all rows.

    Parameters
    ----------
    solving : Solving
    """

    def __init__(self, solving: Solving):
        self.solving = solving

    def __call__(self, estimator: Any, key: str, X: Any, y: Any, fit_params: dict) -> None:
        """Fit an estimator in place; ``key`` is its candidate's."""
        solutions, solver = self.solving.bank.solutions(key), self.solving.solvers.get(key)
        self.solving.outcome.loose = self._looseness(estimator, key, solver)
        combination = self.solving.combinations.get(key)
        linear = isinstance(solver, LinearSolver) and self.solving.row_weights is None
        if linear and self._fit_shared(estimator, combination, solutions, solver):
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
        with threads_for_rows():
            return shared_fit(
                estimator, combination.target, combination.params, solutions, self.solving.factory
            )

    def _looseness(self, estimator: Any, key: str, solver: Any) -> str:
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
