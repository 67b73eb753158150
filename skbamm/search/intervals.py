"""Intervals, searched by sl-BAMM, and the points that the scorer judges."""

from __future__ import annotations

import time
import warnings
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skbamm._sklearn_compat import num_samples
from skbamm.bilevel import BilevelResult, Status
from skbamm.effort import metered
from skbamm.models import NotApplicable, last_step
from skbamm.refit_rules import one_standard_error, rule_of
from skbamm.search.earlier import STAGE, Earlier
from skbamm.search.explored import Explored
from skbamm.search.judged import Judged
from skbamm.search.keys import candidate_key
from skbamm.search.lists import few_rows, solve_lists
from skbamm.search.own_fits.budget import own_values
from skbamm.search.own_fits.check import check_twin
from skbamm.search.own_fits.coordinate_paths import paths_of
from skbamm.search.scan import SCAN, has_few_numbers
from skbamm.search.scorers import choose_criterion, counts_alike, counts_rows, selecting_scorer
from skbamm.search.solving import Attempt, Solving, for_own_fits
from skbamm.search.vectors_found import note_vector
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.solutions import FoldSolutions
from skbamm.space import Axis, Combination, VectorAxis, named_values
from skbamm.starts.points import profile
from skbamm.starts.subsample import Beginning

_ROUGH_ITER = 25  # iterations through the inverse of a target's transformer, which may be rough
# A surrogate's optimum need not be known better, least of all at an end of the interval.
_SURROGATE_TOL, _SURROGATE_ITER, _SURROGATE_ITER_AT_END = 1e-2, 60, 40
# Stages of the points that a scorer judges, and the decrement of their models where it counts rows.
_JUDGED, _JUDGED_TOL = {"scan", "finer", "profile"}, 1e-4


class IntervalSearch:
    """Searches the intervals of one combination after the other.

    Parameters
    ----------
    solving : Solving
    scorers, refit
        To choose a criterion by.

    Attributes
    ----------
    more_rounds : bool
        Whether the scorer will also judge points between those that it has judged.
    earlier : Earlier or None
        The result of an earlier fit that this one continues.
    """

    def __init__(self, solving: Solving, scorers: Any, refit: Any):
        self.solving, self.scorers, self.refit = solving, scorers, refit
        self.clock, self.outcome = solving.clock, solving.outcome
        self.more_rounds = True
        self.earlier: Earlier | None = None
        self._stopped: list[str] = []  # searches that did not end by themselves

    @cached_property
    def worth(self) -> float:
        """The effect of one row on a score that counts rows; else 0."""
        scorer = selecting_scorer(self.scorers, self.refit)
        if not counts_rows(
            scorer, is_classifier(self.solving.space.combinations[0].target.estimator)
        ):
            return 0.0
        return 1 / max(1, sum(len(test) for _, test in self.solving.factory.splits))

    @cached_property
    def _profiled(self) -> bool:
        """Whether the refit's rule needs more points around the best one."""
        return rule_of(self.refit)[0] is one_standard_error

    def explore(self, combination: Combination) -> Explored:
        """Search one combination; return what to score."""
        explored = Explored(combination, combination.all_axes)
        if not explored.axes:
            solve_lists(self.solving, [combination])
            explored.add([[]], "grid")
            return explored
        if combination.is_judged:
            return self._judge(combination)
        attempt = Attempt()
        try:
            attempt = self.solving.attempt(partial(self._search, combination, explored))
        except KeyboardInterrupt:
            # Solved points and the one that was found are soon scored; nothing else is begun.
            self.clock.interrupt()
            self._keep_solved(explored)
            if not explored.points:
                raise
        if attempt.sooner and explored.models:
            self._keep_solved(explored)
        if not explored.points or (attempt.sooner and not explored.models):
            self._cover(explored, attempt)
        self._add_earlier(explored)
        return explored

    def _keep_solved(self, explored: Explored) -> None:
        """Drop points from end to end that are not solved: scores of own fits are others."""
        explored.keep(
            [
                stage == "refined" or self.solving.solved([params])
                for stage, params in zip(explored.stages, explored.params(), strict=True)
            ]
        )

    def _judge(self, combination: Combination) -> Explored:
        """Return values of intervals without a derivative."""
        judged = Judged(combination, combination.all_axes)
        judged.begin(self.more_rounds)
        where = ", ".join(f"{a.name} in [{a.low:g}, {a.high:g}] ({a.scale})" for a in judged.axes)
        more = ", then closer ones" if self.more_rounds else ""
        self.solving.say(f"the scorer judges {len(judged.points)} values of {where}{more}")
        self._add_earlier(judged)
        return judged

    def _add_earlier(self, explored: Explored) -> None:
        """Add the best values of an earlier fit to those that are scored."""
        place = self._earlier_place(explored)
        if place is None or place in explored.points or self.clock.interrupted:
            return
        first = explored.add([place], STAGE)
        self.solving.attempt(partial(self.solve_points, explored, first, None))

    def _earlier_place(self, explored: Explored) -> list[float] | None:
        if self.earlier is None:
            return None
        return self.earlier.place(explored.combination, explored.axes)

    def warn(self) -> None:
        """Warn of searches that were stopped early."""
        for message in self._stopped:
            warnings.warn(message + " The best point found is used.", ConvergenceWarning, 4)

    def solve_points(
        self, explored: Explored, first: int, y: list[Tensor] | None
    ) -> FoldSolutions | None:
        """Solve the candidates from the ``first`` on, each beginning at y if given."""
        joint, points = explored.solver, explored.points[first:]
        if joint is None or not points:
            return None
        # Models that only rank points need be right to a fraction of a row.
        judged = self.worth > 0 and {*explored.stages[first:]} <= _JUDGED
        tol = _JUDGED_TOL if judged else 0.0
        solutions = joint.polish(explored.axes, points, y, tol)
        keys = [candidate_key(params) for params in explored.params(first)]
        self.solving.keep(joint, solutions, keys, [explored.combination] * len(keys))
        return solutions

    def _search(self, combination: Combination, explored: Explored) -> None:
        s, joint = self.solving.settings, self.solving.solver(combination)
        axes: Any = joint.axes if combination.holder else combination.all_axes
        explored.axes, explored.jagged = axes, joint.unbounded
        chosen, note = choose_criterion(s.criterion, self.scorers, self.refit, joint.task)
        upper_loss = (
            None if self.solving.row_weights is None else self.solving.row_weights.upper_loss
        )
        told = str(chosen) if upper_loss is None else "log loss under the noise found"
        if note and upper_loss is None:
            self.solving.say(note)
        where = ", ".join(f"{a.name} in [{a.low:g}, {a.high:g}] ({a.scale})" for a in axes)
        self.solving.say(
            f"searching {where} for the least {told}: {len(joint.used)} folds, "
            f"on {joint.device} in {str(joint.dtype)[6:]}"
        )
        meter = None
        if self.solving.row_weights is None and combination.holder is None:
            candidates = _middle_and_ends(combination, axes)
            fits = own_values(axes) * (1 + self._profiled) * len(joint.used)
            explored.folds = for_own_fits(joint.given_folds)
            if isinstance(joint, LinearSolver) and not note:
                last = joint.twin.model(last_step(candidates[0][0]))
                explored.paths = paths_of(joint, last, axes, joint.criterion(chosen))
            values = joint.search_values(axes, bool(note))
            # A search for the score itself has one candidate to be scored.
            scored = 0 if note else fits - len(joint.used)
            meter = self.solving.meter(joint, candidates, fits, values, scored)
        explored.meter = meter
        with metered(meter):
            self._search_within(combination, explored, joint, chosen, note, upper_loss)

    def _search_within(self, combination, explored, joint, chosen, note, upper_loss) -> None:
        """Search, and solve the points that the scorer judges."""
        s, axes = self.solving.settings, explored.axes
        began, spent = time.perf_counter(), self.clock.spent
        told = str(chosen) if upper_loss is None else "log loss under the noise found"
        options: dict[str, Any] = {"max_iter": s.max_iter, "tol": s.tol}
        own_scores = joint.own_scores or few_rows(joint, joint.twin.own_scores_below)
        if self.solving.row_weights is not None:
            options |= {"upper_loss": upper_loss, "begin": self.solving.row_weights.begin}
        elif note and not (combination.holder or own_scores) and joint.begins_anywhere:
            options |= self._begin_at_best(explored, joint, chosen)
        elif joint.task.transformed is not None:
            options |= {"tol": max(s.tol, _SURROGATE_TOL), "max_iter": min(s.max_iter, _ROUGH_ITER)}
        place = self._earlier_place(explored)
        if place is not None and "near" not in options:
            x = torch.tensor([place], dtype=torch.float64, device=joint.device)
            options |= {"near": Beginning(x, None, None, x), "begin": place}
        result, criterion, start = joint.search(axes, chosen, max_time=self.clock.left, **options)
        if result.status is Status.DIVERGED and not explored.points:
            raise NotApplicable("the search found no finite model")
        self._note(result, criterion, axes, spent)
        explored.solver = None if own_scores else joint
        self._solve_found(combination, explored, joint, result, criterion, start)
        if not combination.holder and not self.clock.over:
            self._add_judged(combination, explored, joint, result, criterion, not note)
        found = ", ".join(
            f"{n}={_told(v)}" for n, v in named_values(axes, result.x.tolist()).items()
        )
        self.solving.say(
            f"{found}, {told} {result.fun * criterion.null:.6g} after {result.nit} iterations, "
            f"{time.perf_counter() - began:.2f} s: {result.message}"
        )

    def _begin_at_best(self, explored: Explored, joint, chosen) -> dict[str, Any]:
        """Solve the points from end to end, and return options of a search from the best.

        The scorer will need these models, whatever the search finds.
        """
        s, axes = self.solving.settings, explored.axes
        explored.solver = joint
        explored.scan(self.worth)
        ends = explored.points[0], explored.points[-1]
        solved = self.solve_points(explored, 0, None)
        assert solved is not None  # there are points
        explored.models = joint.models(solved)  # if the search takes too long, these are judged
        upper = joint.upper(axes, solved, chosen)
        closer = joint.closer(axes, explored.points, upper)
        if closer is not None:
            first, model = explored.add([closer[0]], "scan"), joint.models(solved)[closer[1]]
            more = self.solve_points(explored, first, [model])
            assert more is not None  # the one that was added
            solved = FoldSolutions.join([solved, more])
            upper += joint.upper(axes, more, chosen)
        near = joint.beginning(axes, explored.points, solved, upper, chosen)
        explored.models = joint.models(solved)
        at_end = near.start[0].tolist() in ends
        most = _SURROGATE_ITER_AT_END if at_end else _SURROGATE_ITER
        tol, most = max(s.tol, _SURROGATE_TOL), min(s.max_iter, most)
        return {"near": near, "tol": tol, "max_iter": most}

    def _solve_found(self, combination, explored, joint, result, criterion, start) -> None:
        """Solve the point that was found, or let it wait for points in between."""
        axes, found = explored.axes, result.x.tolist()
        if explored.models and self.more_rounds:
            explored.waiting = found
        known = explored.add([] if explored.waiting else [found], "refined")
        if combination.holder:
            # The starting point is solved together with the result, from the same models.
            if self._is_to_be_judged(combination, joint, criterion, result) and start != found:
                explored.add([start], "start")
            note_vector(
                self.solving.bank, self.outcome, combination, joint, criterion, explored.points
            )
        self.solve_points(explored, known, [result.y] * (len(explored.points) - known))
        if combination.holder is None:
            middle = [sum(axis.bounds()) / 2 for axis in axes]
            for values in (named_values(axes, found), named_values(axes, middle)):
                params = {**combination.params, **values}
                check_twin(self.solving.factory, joint, combination.target, params)

    def _add_judged(self, combination, explored, joint, result, criterion, same: bool) -> None:
        """Solve what the scorer judges besides; ``same`` tells that it has been minimised."""
        known, found = len(explored.points), result.x.tolist()
        exact = self.solving.settings.criterion == "auto" and same
        if joint.keeps_visits:
            explored.add([x for x in joint.visited(explored.axes) if x != found], "visited")
            # A score has several regions, and a search ends in the nearest.
            soon, highs = self.worth > SCAN.few, joint.highest(explored.axes)
            if len(explored.axes) == 1:
                if soon or joint.is_scanned(explored.axes):
                    explored.scan(self.worth, highs=highs)
                elif not self.worth:
                    explored.scan(self.worth, SCAN.each, SCAN.gap, highs)
            # Where labels do not count alike, another region than the surrogate's may be best; of
            # few numbers the score has several regions, too.
            scorer = selecting_scorer(self.scorers, self.refit)
            numbers = not self.worth and has_few_numbers(joint.task.target)
            unlike = soon and (joint.is_rugged or not counts_alike(scorer))
            if len(explored.axes) == 2 and (numbers or unlike):
                explored.scan(self.worth, SCAN.each, highs=highs)
            explored.rounds = SCAN.rounds
        elif explored.rounds == 0 and self._is_to_be_judged(
            combination, joint, criterion, result, exact
        ):
            explored.scan(self.worth)
        if self._profiled:
            explored.add(profile(explored.axes, found), "profile")
        self.solve_points(explored, known, None)

    def _is_to_be_judged(self, combination, joint, criterion, result, exact=False) -> bool:
        """Whether the scorer has to say if what was found is better than other points.

        A search that has converged has said so itself where its criterion is the scorer's own
        loss. Weights were learned for the result of the search, not for other points.
        """
        if self.solving.row_weights is not None:
            return False
        same = exact and joint.task.transformed is None
        same &= joint.weighs_outputs or criterion.outputs_alike
        return not (same and result.success and not criterion.loss.smoothed)

    def _note(self, result: BilevelResult, criterion, axes, offset: float) -> None:
        out, history, path = self.outcome, self.outcome.history, result.history["x"]
        for name, values in (
            ("seconds", [offset + t for t in result.history["seconds"]]),
            ("criterion", [value * criterion.null for value in result.history["upper"]]),
            ("kkt_residual", result.history["kkt_residual"]),
        ):
            history.setdefault(name, []).extend(values)
        for x in path:
            for name, value in named_values(axes, x.tolist()).items():
                value = list(value.values()) if isinstance(value, dict) else value
                history.setdefault(name, []).append(value)
        out.n_iter = max(out.n_iter, result.nit)
        out.converged = out.converged and result.success
        names = " and ".join(repr(axis.name) for axis in axes)
        if result.status is Status.INTERRUPTED:
            self.clock.interrupt()
        if result.status in (Status.MAX_TIME, Status.INTERRUPTED):
            self.clock.end(f"the search over {names}")
        if result.status is Status.MAX_ITER and result.nit >= self.solving.settings.max_iter:
            self._stopped.append(f"The search over {names} stopped early: {result.message}.")

    def _cover(self, explored: Explored, attempt: Attempt) -> None:
        """Leave intervals to scikit-learn's own fits, from end to end, with its errors if any."""
        axes, names = explored.axes, [axis.name for axis in explored.axes]
        for row in self.solving.space.plan:
            if row["parameter"] in names:
                row["reason"] = attempt.reason
        explored.axes = tuple(a.one() if isinstance(a, VectorAxis) else a for a in axes)
        if explored.axes != axes:
            name = next(axis.name for axis in axes if isinstance(axis, VectorAxis))
            self.outcome.notes.append(
                f"The values of {name!r} were not searched separately; one value is used for all: "
                f"{attempt.reason}."
            )
        if attempt.sooner and explored.paths is not None and not self._profiled:
            explored.take(explored.paths.best(self.clock))
        else:
            lists, n_rows = self.solving.bank.lists, num_samples(self.solving.factory.X)
            nearly_free = lists.is_nearly_free(explored.combination, n_rows)
            explored.scan_own(self._profiled, self.worth, self.more_rounds, nearly_free)
        explored.paths = None  # the rows that they are of are needed no more
        self.outcome.converged = False
        told = attempt.failed or explored.axes != axes
        if not (told or attempt.sooner):  # which was to be
            self.outcome.left_to_own_fits[" and ".join(map(repr, names))] = attempt.reason


def _told(value: Any) -> str:
    """Return a value, or the range of a vector."""
    if isinstance(value, dict):
        value = np.array(list(value.values()))
    if np.ndim(value) == 0:
        return f"{value:.6g}"
    return f"{len(value)} values from {value.min():.6g} to {value.max():.6g}"


def _middle_and_ends(
    combination: Combination, axes: tuple[Axis, ...]
) -> list[tuple[Any, dict[str, Any]]]:
    """Return estimators set to the middle of all intervals, their low and their high ends."""
    low, middle, high = zip(*(axis.spaced(3) for axis in axes), strict=True)
    found = []
    for x in (middle, low, high):
        values = named_values(axes, list(x))
        estimator = clone(combination.target.estimator).set_params(**values)
        found.append((estimator, {**combination.params, **values}))
    return found
