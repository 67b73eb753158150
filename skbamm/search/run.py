"""One search: solves what can be solved jointly and lists the candidates to be scored."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from skbamm.effort import metered
from skbamm.search.explored import Explored
from skbamm.search.factory import SolverFactory
from skbamm.search.final_fit import Refit
from skbamm.search.intervals import IntervalSearch
from skbamm.search.keys import candidate_key
from skbamm.search.lists import solve_lists
from skbamm.search.scorers import selecting_weight
from skbamm.search.solving import Solving


class SearchRun:
    """The data and state of one ``fit``; dropped when it ends.

    Parameters
    ----------
    space : Space
    settings : Settings
    bank : Bank
        Receives the solutions.
    X, y
        The user's.
    splits : list of (train, test)
        Indices.
    fit_params, score_params : dict
        As scikit-learn routed them.
    scorers, refit
        To choose a criterion by.
    row_weights : RowWeights, optional
        Learned weights that the folds' models and the final one get.
    rows : UserRows, optional
        X and y, and what is known of them already.
    """

    def __init__(
        self, space, settings, bank, X, y, splits, fit_params, score_params, scorers, refit,
        row_weights=None, rows=None,
    ):  # fmt: skip
        several = hasattr(scorers, "_scorers")
        factory = SolverFactory(
            settings, X, y, splits, fit_params, score_params, row_weights, rows,
            selecting_weight(scorers, refit, score_params),
        )  # fmt: skip
        self.space, self.bank, self.refit, self.clock = space, bank, refit, settings.clock
        self.solving = Solving(space, settings, bank, factory)
        self.outcome = self.solving.outcome
        self.solved, self.say = self.solving.solved, self.solving.say
        self.intervals = IntervalSearch(self.solving, scorers, refit)
        # Of several scores it is the name of one.
        self._refits_itself = isinstance(refit, str) and refit == "own" and not several
        self._rows: list[tuple[Explored, int]] = []  # whose candidate each row of the results is

    def __reduce__(self):
        # scikit-learn sends its caller, and so this, to the workers with every task.
        return _nothing, ()

    def candidates(self) -> tuple[list[dict[str, Any]], dict[str, list] | None]:
        """Solve, and return the candidates and, for intervals, more columns of the results."""
        if not self.space.continuous:
            solve_lists(self.solving, self.space.combinations)
            return [c.params for c in self.space.combinations], None
        params, stages = [], []
        for combination in self.space.combinations:
            with self.clock.kept():
                explored = self.intervals.explore(combination)
                self._add_rows(explored, 0)
                params += explored.params()
                stages += explored.stages
            if self.clock.interrupted:
                self.outcome.converged = False
                break
        if self.clock.interrupted and not params:
            raise KeyboardInterrupt
        self.intervals.warn()
        return params, {"stage": stages}

    def further(
        self, results: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, list] | None]:
        """Return candidates between the best of those that were scored, and their columns.

        Parameters
        ----------
        results : dict
            ``cv_results_`` so far. Without further candidates the list is empty.
        """
        if self.clock.over:
            return [], None
        intervals = self.intervals
        best, place, scores = self._best(results)
        candidates: list[dict[str, Any]] = []
        stages: list[str] = []
        for explored in dict.fromkeys(one for one, _ in self._rows):
            known = len(explored.points)
            explored.add_waiting()
            self._solve_from(known, explored)
            waited = len(explored.points)
            if explored.between:
                explored.add_waiting_between(self._by_folds(explored, results), intervals.worth)
            if explored is best and explored.rounds and len(explored.points) == waited:
                explored.add_between(place, scores, intervals.worth)
            self._solve_from(waited, explored)
            self._add_rows(explored, known)
            candidates += explored.params(known)
            stages += explored.stages[known:]
        return candidates, {"stage": stages}

    def _solve_from(self, first: int, explored: Explored) -> None:
        """Solve candidates from the ``first`` on, each near another one, if that is soon done."""
        nearest = explored.nearest(first)
        with metered(explored.meter and explored.meter.anew()):
            self.solving.attempt(partial(self.intervals.solve_points, explored, first, nearest))

    def _add_rows(self, explored: Explored, first: int) -> None:
        """Note whose candidates the next rows of the results are; own fits get transformed rows."""
        self._rows += [(explored, i) for i in range(first, len(explored.points))]
        is_judged = explored.combination.is_judged
        if is_judged or (explored.axes and explored.solver is None):
            self.bank.lists.add(explored.combination, explored.params(first), own=not is_judged)
        if explored.solver is None and explored.folds is not None:
            for params in explored.params(first):
                self.bank.transformed[candidate_key(params)] = explored.folds

    def best_index(self, results: dict[str, Any]) -> int | None:
        """Return the row of an interval's candidates to take; None where scikit-learn's will do."""
        explored, best, _ = self._best(results)
        if explored is None:
            return None
        return next(i for i, row in enumerate(self._rows) if row == (explored, best))

    def _best(self, results: dict[str, Any]) -> tuple[Explored | None, int, np.ndarray]:
        """Return the search with the best candidate, its index, and the scores."""
        scores = results.get(f"mean_test_{self.refit}", results.get("mean_test_score"))
        if scores is None or np.isnan(scores).all() or not self._rows:
            return None, 0, np.empty(0)
        rows = self._rows[: len(scores)]  # Ctrl-C may have left some without a score
        top, _ = rows[int(np.nanargmax(scores))]
        mine = [row for row, (explored, _) in enumerate(rows) if explored is top]
        own = np.asarray(scores)[mine]
        return top, top.middle_of_top(own, self.intervals.worth), own

    def _by_folds(self, explored: Explored, results: dict[str, Any]) -> np.ndarray:
        """Return the scores of a search's candidates in each fold; of several scores none."""
        name = self.refit if f"mean_test_{self.refit}" in results else "score"
        folds, none = range(len(self.solving.factory.splits)), np.full(len(self._rows), np.nan)
        scores = np.stack([results.get(f"split{k}_test_{name}", none) for k in folds], axis=1)
        rows = self._rows[: len(scores)]
        return scores[[row for row, (one, _) in enumerate(rows) if one is explored]]

    @property
    def waits(self) -> bool:
        """Whether points from end to end still wait for the scores of others."""
        return any(one.between for one, _ in self._rows)

    @property
    def leaves_all(self) -> bool:
        """Whether every fit, and the last one as well, is left to the estimator."""
        return not self.solving.solvers and all(one.solver is None for one, _ in self._rows)

    def begin_refit(self) -> None:
        """Mark following fits as the final one."""
        self.bank.refit = Refit(self.solving, self._refits_itself)


def _nothing():
    return None
