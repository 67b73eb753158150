"""One search: solves what can be solved jointly and lists the candidates to be scored."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning

from skbamm.bilevel import BilevelResult, Status
from skbamm.data.matrices import feature_memory
from skbamm.effort import Meter, OverBudget, metered
from skbamm.faults import is_users
from skbamm.folds import threads_for_rows
from skbamm.losses import Smoothed
from skbamm.models import NotApplicable, last_step
from skbamm.refit_rules import one_standard_error, rule_of
from skbamm.search.explored import Explored
from skbamm.search.factory import SolverFactory
from skbamm.search.final_fit import final_fit, mend, shared_fit
from skbamm.search.keys import candidate_key
from skbamm.search.outcome import Outcome
from skbamm.search.own_fits.budget import budget, own_values
from skbamm.search.own_fits.check import UnfitTwin, check_twin, loose_fit
from skbamm.search.own_fits.coordinate_paths import paths_of
from skbamm.search.scorers import choose_criterion, counts_rows, selecting_scorer
from skbamm.search.vectors_found import note_vector
from skbamm.solvers.base import FoldSolver
from skbamm.solvers.criterion import UnfitCriterion
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.solutions import FoldSolutions
from skbamm.space import Combination, UnfitVector, VectorAxis, named_values
from skbamm.starts.points import profile

# What only stands for the score need not be known better, least of all where it is best at an end.
_SURROGATE_TOL, _SURROGATE_ITER, _SURROGATE_ITER_AT_END = 1e-2, 60, 40
# Stages of the points that a scorer judges, and the decrement of their models where it counts rows.
_JUDGED, _JUDGED_TOL = {"scan", "finer", "profile"}, 1e-4


class SearchRun:
    """The data and state of one ``fit``; dropped when it ends.

    Parameters
    ----------
    space : Space
    settings : Settings
    bank : Bank
        Where solutions go.
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
        self.space, self.settings = space, settings
        self.X = X
        self.scorers, self.refit = scorers, refit
        self.bank, self.row_weights = bank, row_weights
        bank.row_weights = row_weights
        self.outcome, self.clock = Outcome(), settings.clock
        self.maker = SolverFactory(
            settings, X, y, splits, fit_params, score_params, row_weights, rows
        )
        self._solvers: dict[str, FoldSolver] = {}  # by candidate, for the refit
        self._combinations: dict[str, Combination] = {}  # the same
        self._reason = ""  # why the last joint solve could not be done
        self._failed = False  # whether by a fault of ours
        self._rows: list[tuple[Explored, int]] = []  # whose candidate each row of the results is
        self._stopped: list[str] = []  # searches that did not end by themselves
        self.more_rounds = True  # whether ``further`` will be asked
        self.adoptable = True  # False: every model is fitted by its own fit, from its solution
        self.watched = False  # True: every model is fitted by its own fit, as if none were solved

    def __reduce__(self):
        # scikit-learn sends its caller, and so this, to the workers with every task.
        return _nothing, ()

    def candidates(self) -> tuple[list[dict[str, Any]], dict[str, list] | None]:
        """Solve, and return the candidates and, for intervals, more columns of the results."""
        if not self.space.continuous:
            for i, group in enumerate(_groups(self.space.combinations)):
                if i == 0 or not self.clock.half_over:
                    self._try_grid(group)
            return [c.params for c in self.space.combinations], None
        params, stages = [], []
        for combination in self.space.combinations:
            with self.clock.kept():
                explored = self._explore(combination)
                self._add_rows(explored, 0)
                params += explored.params()
                stages += explored.stages
            if self.clock.interrupted:
                self.outcome.converged = False
                break
        if self.clock.interrupted and not params:
            raise KeyboardInterrupt
        for message in self._stopped:
            warnings.warn(message + " The best point found is used.", ConvergenceWarning, 3)
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
        best, place, scores = self._best(results)
        candidates: list[dict[str, Any]] = []
        stages: list[str] = []
        for explored in dict.fromkeys(one for one, _ in self._rows):
            known = len(explored.points)
            explored.add_waiting()
            self._guard(partial(self._solve_points, explored, known, explored.nearest(known)))
            waited = len(explored.points)
            if explored is best and explored.rounds:
                explored.add_between(place, scores, self._worth)
            self._guard(partial(self._solve_points, explored, waited, explored.nearest(waited)))
            self._add_rows(explored, known)
            candidates += explored.params(known)
            stages += explored.stages[known:]
        return candidates, {"stage": stages}

    def _add_rows(self, explored: Explored, first: int) -> None:
        """Note whose candidates the next rows of the results are; own fits get transformed rows."""
        self._rows += [(explored, i) for i in range(first, len(explored.points))]
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
        """Return whose candidate is the best, which of these it is, and their scores."""
        scores = results.get(f"mean_test_{self.refit if isinstance(self.refit, str) else 'score'}")
        if scores is None or np.isnan(scores).all() or not self._rows:
            return None, 0, np.empty(0)
        rows = self._rows[: len(scores)]  # Ctrl-C may have left some without a score
        top, _ = rows[int(np.nanargmax(scores))]
        mine = [row for row, (explored, _) in enumerate(rows) if explored is top]
        own = np.asarray(scores)[mine]
        return top, top.middle_of_top(own, self._worth), own

    @cached_property
    def _worth(self) -> float:
        """What one row can do to the score, where it counts rows."""
        scorer = selecting_scorer(self.scorers, self.refit)
        if not counts_rows(scorer, is_classifier(self.space.combinations[0].target.estimator)):
            return 0.0
        return 1 / max(1, sum(len(test) for _, test in self.maker.splits))

    @property
    def _profiled(self) -> bool:
        """Whether the refit's rule asks for more points around the best one."""
        return rule_of(self.refit)[0] is one_standard_error

    @property
    def leaves_all(self) -> bool:
        """Whether every fit, and the last one as well, is left to the estimator."""
        return not self._solvers and all(one.solver is None for one, _ in self._rows)

    def solved(self, candidates: list[dict[str, Any]]) -> bool:
        """Whether every fold of every candidate can be adopted as it is."""
        return self.bank.complete([candidate_key(params) for params in candidates])

    def begin_refit(self) -> None:
        """From now on a fit is the final one: the estimator's own, from where we are."""
        self.bank.refit = self._refit

    def _try_grid(self, group: list[Combination]) -> None:
        self._guard(partial(self._solve_grid, group))
        for row in self.space.plan:
            if self._reason and row["role"] == "joint grid":
                row.update(role="enumerated", reason=self._reason)

    def _solve_grid(self, group: list[Combination]) -> None:
        target = group[0].target
        joint = self.solver(group[0])
        if _few_rows(joint, joint.twin.own_lists_below):
            raise NotApplicable(
                "a loss with kinks is soonest solved by own fits where rows are few"
            )
        self.say(
            f"{len(group)} values of {', '.join(target.tuned)} in {len(joint.used)} folds "
            f"jointly on {joint.device}"
        )
        began, done, solved = time.perf_counter(), 0, []
        middle, fits = group[len(group) // 2].target.estimator, len(group) * len(joint.used)
        meter = self._budget(joint, middle, fits, len(group), group)
        while done < len(group) and not (done and self.clock.half_over):
            # Where time is limited, ever more at a time: what is solved by then is scored.
            some = group[done : 2 * done + 1] if self.clock.max_time else group[done:]
            values = [_tuned_values(combination) for combination in some]
            with metered(meter):
                solutions = joint.grid(np.array(values, dtype=float))
            if np.isnan(solutions.gradient_norm).any():
                self.outcome.converged = False
                raise NotApplicable("not all values could be solved, so own fits serve the list")
            keys = [candidate_key(combination.params) for combination in some]
            solved.append((solutions, keys, some))
            done += len(some)
        for one in (group[0], group[len(group) // 2], group[-1]):
            check_twin(self.maker, joint, one.target, one.params)
        # Not before: scores of solved models beside those of own fits could not be compared.
        for solutions, keys, some in solved:
            self._keep(joint, solutions, keys, some)
        self.say(f"solved in {time.perf_counter() - began:.2f} s")

    def _explore(self, combination: Combination) -> Explored:
        """Search one combination; return what to score."""
        explored = Explored(combination, combination.all_axes)
        if not explored.axes:
            for group in _groups([combination]):
                self._try_grid(group)
            explored.add([[]], "grid")
            return explored
        try:
            self._guard(lambda: self._search(combination, explored))
        except KeyboardInterrupt:
            # What is solved, and what was found, are soon scored; nothing else is begun.
            self.clock.interrupt()
            explored.keep(
                [
                    stage == "refined" or self.solved([params])
                    for stage, params in zip(explored.stages, explored.params(), strict=True)
                ]
            )
            if not explored.points:
                raise
        if not explored.points or (self._sooner and not explored.models):
            self._cover(explored)
        return explored

    def _cover(self, explored: Explored) -> None:
        """Leave intervals to scikit-learn's own fits, from end to end, with its errors if any."""
        axes, names = explored.axes, [axis.name for axis in explored.axes]
        for row in self.space.plan:
            if row["parameter"] in names:
                row["reason"] = self._reason
        explored.axes = tuple(a.one() if isinstance(a, VectorAxis) else a for a in axes)
        if explored.axes != axes:
            name = next(axis.name for axis in axes if isinstance(axis, VectorAxis))
            self.outcome.notes.append(
                f"The values of {name!r} were not searched apart, one serves all: {self._reason}."
            )
        if self._sooner and explored.paths is not None and not self._profiled:
            explored.take(explored.paths.best(self.clock))
        else:
            explored.scan_own(self._profiled, self._worth > 0)
        explored.paths = None  # the rows that they are of are needed no more
        self.outcome.converged = False
        told = self._failed or explored.axes != axes
        if not (told or self._sooner):  # which was to be
            self.outcome.left_to_own_fits[" and ".join(map(repr, names))] = self._reason

    def _search(self, combination: Combination, explored: Explored) -> None:
        s, joint = self.settings, self.solver(combination)
        axes: Any = joint.axes if combination.holder else combination.all_axes
        explored.axes = axes
        chosen, note = choose_criterion(s.criterion, self.scorers, self.refit, joint.task)
        upper_loss = None if self.row_weights is None else self.row_weights.upper_loss
        told = str(chosen) if upper_loss is None else "log loss under the noise found"
        if note and upper_loss is None:
            self.say(note)
        where = ", ".join(f"{a.name} in [{a.low:g}, {a.high:g}] ({a.scale})" for a in axes)
        self.say(
            f"searching {where} for the least {told}: {len(joint.used)} folds, "
            f"on {joint.device} in {str(joint.dtype)[6:]}"
        )
        meter = None
        if self.row_weights is None and combination.holder is None:
            middle = named_values(axes, [sum(axis.bounds()) / 2 for axis in axes])
            estimator = clone(combination.target.estimator).set_params(**middle)
            fits = own_values(axes) * (1 + self._profiled) * len(joint.used)
            explored.folds = _for_own_fits(joint.given_folds)
            if isinstance(joint, LinearSolver) and not note:
                last = joint.twin.model(last_step(estimator))
                explored.paths = paths_of(joint, last, axes, joint.criterion(chosen))
            values = joint.search_values(axes, bool(note))
            # A search for the score itself has one candidate to be scored.
            scored = 0 if note else fits - len(joint.used)
            meter = self._budget(joint, estimator, fits, values, [], scored)
        with metered(meter):
            self._search_within(combination, explored, joint, chosen, note, upper_loss)

    def _search_within(self, combination, explored, joint, chosen, note, upper_loss) -> None:
        """Search, and solve what the scorer is to judge."""
        s, axes = self.settings, explored.axes
        began, spent = time.perf_counter(), self.clock.spent
        told = str(chosen) if upper_loss is None else "log loss under the noise found"
        options: dict[str, Any] = {"max_iter": s.max_iter, "tol": s.tol}
        own_scores = _few_rows(joint, joint.twin.own_scores_below)
        if self.row_weights is not None:
            options |= {"upper_loss": upper_loss, "begin": self.row_weights.begin}
        elif note and not (combination.holder or own_scores) and joint.begins_anywhere:
            # The scorer will ask for these models; the search begins at the best.
            explored.solver = joint
            explored.scan(self._worth > 0)
            ends = explored.points[0], explored.points[-1]
            solved = self._solve_points(explored, 0, None)
            assert solved is not None  # there are points
            upper = joint.upper(axes, solved, chosen)
            closer = joint.closer(axes, explored.points, upper)
            if closer is not None:
                first, model = explored.add([closer[0]], "scan"), joint.models(solved)[closer[1]]
                more = self._solve_points(explored, first, [model])
                assert more is not None  # the one that was added
                solved = FoldSolutions.join([solved, more])
                upper += joint.upper(axes, more, chosen)
            near = joint.beginning(axes, explored.points, solved, upper, chosen)
            at_end = near.start[0].tolist() in ends
            most = _SURROGATE_ITER_AT_END if at_end else _SURROGATE_ITER
            options |= {
                "near": near, "tol": max(s.tol, _SURROGATE_TOL), "max_iter": min(s.max_iter, most)
            }  # fmt: skip
            explored.models = joint.models(solved)
        result, criterion, start = joint.search(axes, chosen, max_time=self.clock.left, **options)
        if result.status is Status.DIVERGED and not explored.points:
            raise NotApplicable("the search found no finite model")
        self._note(result, criterion, axes, spent)
        found = result.x.tolist()
        explored.solver = None if own_scores else joint
        if explored.models and self.more_rounds:
            explored.waiting = found
        known = explored.add([] if explored.waiting else [found], "refined")
        if combination.holder:
            # Where the search began is solved beside what it found, from the same models.
            if self._is_to_be_judged(combination, joint, criterion, result) and start != found:
                explored.add([start], "start")
            note_vector(self.bank, self.outcome, combination, joint, criterion, explored.points)
        self._solve_points(explored, known, [result.y] * (len(explored.points) - known))
        if combination.holder is None:
            middle = named_values(axes, [sum(axis.bounds()) / 2 for axis in axes])
            for values in (named_values(axes, found), middle):
                params = {**combination.params, **values}
                check_twin(self.maker, joint, combination.target, params)
        known = len(explored.points)
        exact = s.criterion == "auto" and not note
        if not combination.holder and not self.clock.over:
            if explored.rounds == 0 and self._is_to_be_judged(
                combination, joint, criterion, result, exact
            ):
                explored.scan(self._worth > 0)
            if self._profiled:
                explored.add(profile(axes, found), "profile")
            self._solve_points(explored, known, None)
        named = ", ".join(f"{n}={_told(v)}" for n, v in named_values(axes, found).items())
        self.say(
            f"{named}, {told} {result.fun * criterion.null:.6g} after {result.nit} iterations, "
            f"{time.perf_counter() - began:.2f} s: {result.message}"
        )

    def _solve_points(
        self, explored: Explored, first: int, y: list[Any] | None
    ) -> FoldSolutions | None:
        """Solve the candidates from the ``first`` on, each beginning at y if given."""
        joint, points = explored.solver, explored.points[first:]
        if joint is None or not points:
            return None
        # What only tells which points are the best need not be known better than to some rows.
        judged = self._worth > 0 and {*explored.stages[first:]} <= _JUDGED
        tol = _JUDGED_TOL if judged else 0.0
        solutions = joint.polish(explored.axes, points, y, tol)
        keys = [candidate_key(params) for params in explored.params(first)]
        self._keep(joint, solutions, keys, [explored.combination] * len(keys))
        return solutions

    def _is_to_be_judged(self, combination, joint, criterion, result, exact=False) -> bool:
        """Whether the scorer has to say if what was found is better than other points.

        A search that has converged has said so itself where its criterion is the scorer's own
        loss. And weights were learned for what the search finds, not for other points.
        """
        if self.row_weights is not None:
            return False
        same = exact and joint.task.transformed is None
        return not (same and result.success and not isinstance(criterion.loss, Smoothed))

    def solver(self, combination: Combination) -> Any:
        """Return the solver of a combination, or raise NotApplicable."""
        target, params = combination.target, combination.params
        joint: Any
        if combination.holder is not None:
            joint = self.maker.make_vector(target, params, combination.axes)
        elif combination.line_axis is not None:
            joint = self.maker.make_line(target, params, combination.line_axis)
        else:
            joint = self.maker.make(target, params)
        self.outcome.device = str(joint.device)
        self._tell_of_folds(combination, joint.used)
        return joint

    def _tell_of_folds(self, combination: Combination, used: list[int]) -> None:
        """Say in the plan which folds the joint solver leaves to own fits."""
        left = [str(k) for k in range(len(self.maker.splits)) if k not in used]
        if not left:
            return
        told = f"folds {', '.join(left)}" if len(left) > 1 else f"fold {left[0]}"
        names = [axis.name for axis in combination.all_axes] or list(combination.target.tuned)
        for row in self.space.plan:
            if row["parameter"] in names:
                row["reason"] = f"own fits serve {told}: in training a class is missing, or weight"

    def _keep(self, joint, solutions, keys, combinations) -> None:
        if self.watched:
            return
        features = feature_memory(self.X) if joint.folds is None else None
        for s, (key, combination) in enumerate(zip(keys, combinations, strict=True)):
            self._combinations[key] = combination
            self._solvers[key] = solutions.solvers[s] if solutions.solvers else joint
            for k, fold in enumerate(joint.used):
                solution = joint.solution(solutions, s, k, features)
                data = None if joint.folds is None else joint.folds[fold]
                if data is not None and data.knows_test_rows:
                    self.bank.test_rows[id(data.transformers)] = data.test_rows
                solution.adopt &= self.adoptable
                self.bank.put(key, fold, solution)

    def _refit(self, estimator, key, X, y, fit_params) -> None:
        solutions, solver = self.bank.solutions(key), self._solvers.get(key)
        self.outcome.loose = self._looseness(estimator, key, solver)
        combination = self._combinations.get(key)
        linear = isinstance(solver, LinearSolver) and self.row_weights is None
        if linear and self._fit_shared(estimator, combination, solutions, solver):
            return
        sure = final_fit(estimator, solutions, solver, X, y, fit_params, self.clock)
        if sure or not linear or combination is None:
            return
        with threads_for_rows():
            self.outcome.refit_adopted = mend(
                estimator, combination.target, combination.params, solutions, self.maker
            )

    def _fit_shared(self, estimator: Any, combination: Any, solutions: list, solver: Any) -> bool:
        """Fit a pipeline whose folds share columns, if its own fit has nothing to add."""
        exact = combination is not None and solutions and solutions[0].adopt
        if not exact or solver.data.columns is None or not solver.twin.warm_starts:
            return False
        with threads_for_rows():
            return shared_fit(
                estimator, combination.target, combination.params, solutions, self.maker
            )

    def _looseness(self, estimator: Any, key: str, solver: Any) -> str:
        """Say that own fits of the best candidate differ from what was scored, if they do."""
        combination = self._combinations.get(key)
        if combination is None or not isinstance(solver, LinearSolver) or self.row_weights:
            return ""
        if not any(one.adopt for one in self.bank.solutions(key)):
            return ""  # own fits were scored
        with threads_for_rows():
            found = loose_fit(self.maker, solver, combination.target, estimator)
        for row in self.space.plan:
            if found and row["role"] in ("searched", "joint grid"):
                row["reason"] = found
        return found

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
        if result.status is Status.MAX_ITER and result.nit >= self.settings.max_iter:
            self._stopped.append(f"The search over {names} stopped early: {result.message}.")

    def _budget(self, joint, estimator, fits, values, group, scored=0) -> Meter | None:
        """Return the meter of a joint solve, or leave its place to own fits."""
        try:
            return budget(joint, estimator, self.maker.y, fits, values, scored)
        except OverBudget:
            folds = _for_own_fits(joint.given_folds)
            if folds is not None:
                for one in group:  # they need not transform anything again
                    self.bank.transformed[candidate_key(one.params)] = folds
            raise

    def _guard(self, solve) -> None:
        """Run a joint solve; what it cannot do is left to scikit-learn's own fits."""
        self._reason, self._failed, self._sooner = "", False, False
        try:
            with threads_for_rows():
                self._on_device(solve)
        except (UnfitCriterion, UnfitTwin, UnfitVector):
            raise
        except (NotApplicable, OverBudget) as error:
            self._reason, self._sooner = str(error), isinstance(error, OverBudget)
        except Exception as error:
            if is_users(error):
                raise
            # A fault of ours costs the user speed, not the result.
            self.outcome.converged, self._failed = False, True
            self._reason = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"The joint solve failed ({self._reason}); scikit-learn's own fits are used.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _on_device(self, solve) -> None:
        """Run a joint solve, and once more on the CPU if a GPU has not the memory for it."""
        try:
            solve()
            return
        except torch.cuda.OutOfMemoryError as error:
            if self.settings.device == "cpu":
                raise
            reason = str(error).partition(".")[0]
        warnings.warn(
            f"The GPU has not enough memory ({reason}): the search goes on on the CPU.",
            RuntimeWarning,
            stacklevel=2,
        )
        self.settings = self.maker.settings = replace(self.settings, device="cpu")
        torch.cuda.empty_cache()
        solve()

    def say(self, message: str) -> None:
        """Tell the user, from verbose=1 on."""
        if self.settings.verbose > 0:
            print(f"[BAMM] {message}")


def _few_rows(joint, enough: int) -> bool:
    """Whether a loss that has kinks has so few rows."""
    return isinstance(joint.task.loss, Smoothed) and len(joint.task.target) < enough


def _for_own_fits(folds: list | None) -> list | None:
    """Return folds whose rows are, to the last digit, what own fits would see; None otherwise."""
    return folds if folds is not None and all(fold.exact for fold in folds) else None


def _nothing():
    return None


def _groups(combinations: list[Combination]) -> list[list[Combination]]:
    """Combinations that differ in the tuned parameter only, whose values a twin can take."""
    groups: dict[str, list[Combination]] = {}
    for combination in combinations:
        tuned = combination.target.tuned
        if not tuned:
            continue
        values = zip(tuned.values(), _tuned_values(combination), strict=True)
        if not all(one.valid(value) for one, value in values):
            continue
        rest = {name: v for name, v in combination.params.items() if name not in tuned}
        groups.setdefault(candidate_key(rest), []).append(combination)
    return list(groups.values())


def _tuned_values(combination: Combination) -> list[Any]:
    """Return the values of what the twin tunes: listed, or the estimator's own."""
    params = combination.target.estimator.get_params()
    return [params[name] for name in combination.target.tuned]


def _differ(some: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether values by name, or vectors of them, are not the same."""
    return any(not np.array_equal(some[name], other[name]) for name in some)


def _told(value: Any) -> str:
    """Return a value, or the range of a vector."""
    if isinstance(value, dict):
        value = np.array(list(value.values()))
    if np.ndim(value) == 0:
        return f"{value:.6g}"
    return f"{len(value)} values from {value.min():.6g} to {value.max():.6g}"
