"""One search: solves what can be solved jointly and lists the candidates to be scored."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from skbamm.bilevel import BilevelResult, Status
from skbamm.clock import Clock
from skbamm.folds import threads_for_rows
from skbamm.losses import Smoothed
from skbamm.models import NotApplicable
from skbamm.refit_rules import one_standard_error, rule_of
from skbamm.search.bank import FoldSolutions
from skbamm.search.data import feature_memory
from skbamm.search.faults import is_users
from skbamm.search.final_fit import final_fit
from skbamm.search.keys import candidate_key
from skbamm.search.scoring import UnfitCriterion, choose_criterion
from skbamm.search.solver_maker import SolverMaker
from skbamm.search.solvers import FoldSolver
from skbamm.search.starts import neighbours, profile, starting_points
from skbamm.search.vectors.found import history_column, note_vector
from skbamm.search.vectors.solver import VectorSolver
from skbamm.space import Combination, UnfitVector, VectorAxis, named_values

_OWN_FITS = 5  # values of an interval that scikit-learn's own fits try


@dataclass(frozen=True)
class Settings:
    """What the user set, as far as the joint solver needs it."""

    criterion: str
    max_iter: int
    tol: float
    max_time: float | None
    device: str
    dtype: str
    verbose: int
    clock: Clock = field(default_factory=Clock)


@dataclass
class Outcome:
    """What a search found besides the candidates.

    Attributes
    ----------
    history : dict of list
        ``seconds``, ``criterion``, ``kkt_residual`` and one entry a searched parameter.
    n_iter : int
        Iterations of the longest run.
    converged : bool
    device : str
    shrinkage : dict of str -> dict
        Of vectors, what ``shrinkage_`` publishes, by the candidate.
    notes : list of str
        What the user is to be warned of once all is done.
    """

    history: dict[str, list] = field(default_factory=dict)
    n_iter: int = 1
    converged: bool = True
    device: str = "cpu"
    shrinkage: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def columns(self) -> dict[str, np.ndarray]:
        """Return the history as ``history_`` has it."""
        return {name: history_column(values) for name, values in self.history.items()}


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
    """

    def __init__(
        self, space, settings, bank, X, y, splits, fit_params, score_params, scorers, refit,
        row_weights=None,
    ):  # fmt: skip
        self.space, self.settings = space, settings
        self.X = X
        self.scorers, self.refit = scorers, refit
        self.bank, self.row_weights = bank, row_weights
        bank.row_weights = row_weights
        self.outcome, self.clock = Outcome(), settings.clock
        self.maker = SolverMaker(settings, X, y, splits, fit_params, score_params, row_weights)
        self._solvers: dict[str, FoldSolver] = {}  # by candidate, for the refit
        self._reason = ""  # why the last joint solve could not be done
        self._axes: dict[int, tuple] = {}  # of combinations, with the entries of vectors
        self._stopped: list[str] = []  # searches that did not end by themselves
        self.adoptable = True  # False: every model is fitted by its own fit, from its solution

    def __reduce__(self):
        # scikit-learn sends its caller, and so this, to the workers with every task.
        return _nothing, ()

    def candidates(self) -> tuple[list[dict[str, Any]], dict[str, list] | None]:
        """Solve, and return the candidates and, for intervals, more columns of the results."""
        if not self.space.continuous:
            for group in _groups(self.space.combinations):
                self._try_grid(group)
            return [c.params for c in self.space.combinations], None
        params, stages = [], []
        for combination in self.space.combinations:
            with self.clock.kept():
                for values, stage in self._explore(combination):
                    params.append({**combination.params, **values})
                    stages.append(stage)
            if self.clock.interrupted:
                self.outcome.converged = False
                break
        if self.clock.interrupted and not params:
            raise KeyboardInterrupt
        for message in self._stopped:
            warnings.warn(message + " The best point found is used.", ConvergenceWarning, 3)
        return params, {"stage": stages}

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
        values = [_tuned_values(combination) for combination in group]
        joint = self.solver(group[0])
        if _few_rows(joint, joint.twin.own_lists_below):
            raise NotApplicable(
                "a loss with kinks is soonest solved by own fits where rows are few"
            )
        self.say(
            f"{len(values)} values of {', '.join(target.tuned)} in {len(joint.used)} folds "
            f"jointly on {joint.device}"
        )
        began = time.perf_counter()
        solutions = joint.grid(np.array(values, dtype=float))
        keys = [candidate_key(combination.params) for combination in group]
        self._keep(joint, solutions, keys, target)
        self.say(f"solved in {time.perf_counter() - began:.2f} s")

    def _explore(self, combination: Combination) -> list[tuple[dict[str, Any], str]]:
        """Search one combination; return what to score, each with its stage."""
        axes = combination.all_axes
        if not axes:
            for group in _groups([combination]):
                self._try_grid(group)
            return [({}, "grid")]
        found: list[tuple[list[float], str]] = []  # x and stage; kept whatever happens after
        try:
            self._guard(lambda: self._search(combination, found))
        except KeyboardInterrupt:
            if not found:
                raise
            self.clock.interrupt()
        if not found:  # scikit-learn's own fits of a few values, with its errors if it has any
            for row in self.space.plan:
                if row["parameter"] in [axis.name for axis in axes]:
                    row["reason"] = self._reason
            alone = tuple(a.one() if isinstance(a, VectorAxis) else a for a in axes)
            if alone != axes:
                name = next(axis.name for axis in axes if isinstance(axis, VectorAxis))
                self.outcome.notes.append(
                    f"The values of {name!r} were not searched apart, one serves all: "
                    f"{self._reason}."
                )
            return [(named_values(alone, x), "start") for x in starting_points(alone, _OWN_FITS)]
        known = self._axes.get(id(combination), axes)
        return [(named_values(known, x), stage) for x, stage in found]

    def _search(self, combination: Combination, found: list[tuple[list[float], str]]) -> None:
        target, s = combination.target, self.settings
        joint = self.solver(combination)
        axes: Any = joint.axes if combination.holder else combination.all_axes
        self._axes[id(combination)] = axes
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
        began, spent = time.perf_counter(), self.clock.spent
        result, criterion, start = joint.search(
            axes, chosen, max_iter=s.max_iter, tol=s.tol, max_time=self.clock.left,
            upper_loss=upper_loss, begin=self.row_weights and self.row_weights.begin,
        )  # fmt: skip
        if result.status is Status.DIVERGED:
            raise NotApplicable("the search found no finite model")
        self._note(result, criterion, axes, spent)
        found.append((result.x.tolist(), "refined"))
        best = named_values(axes, found[0][0])
        if _differ(named_values(axes, start), best) and self._is_to_be_judged(
            combination, joint, criterion, result, exact=s.criterion == "auto" and not note
        ):
            found.append((start, "start"))
        kinks = isinstance(joint.task.loss, Smoothed) and self.row_weights is None
        if kinks and len(axes) == 1 and combination.holder is None:
            found += [(x, "neighbour") for x in neighbours(axes[0], found[0][0])]
        if combination.holder:
            note_vector(
                self.bank, self.outcome, combination, joint, criterion, [x for x, _ in found]
            )
        near, around = [x for x, _ in found], []
        if rule_of(self.refit)[0] is one_standard_error and not combination.holder:
            around = profile(combination.all_axes, found[0][0])
            found += [(x, "profile") for x in around]
        if not _few_rows(joint, joint.twin.own_scores_below):
            solutions = joint.polish(axes, near, result.y)
            if around:
                solutions = FoldSolutions.join([solutions, joint.polish(axes, around, None)])
            params = [{**combination.params, **named_values(axes, x)} for x, _ in found]
            self._keep(joint, solutions, [candidate_key(p) for p in params], target)
        self.say(
            f"{', '.join(f'{n}={_told(value)}' for n, value in best.items())}, {told} "
            f"{result.fun * criterion.null:.6g} after {result.nit} iterations, "
            f"{time.perf_counter() - began:.2f} s: {result.message}"
        )

    def _is_to_be_judged(self, combination, joint, criterion, result, exact: bool) -> bool:
        """Whether the scorer has to say if what was found is better than where the search began.

        A search that has converged has said so itself where its criterion is the scorer's own
        loss. And weights were learned for what the search finds, not for where it began.
        """
        if self.row_weights is not None:
            return False
        same = exact and combination.holder is None and joint.task.transformed is None
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
        return joint

    def _keep(self, joint, solutions, keys, target) -> None:
        features = feature_memory(self.X) if joint.folds is None else None
        for s, key in enumerate(keys):
            self._solvers[key] = joint.of_row(s) if isinstance(joint, VectorSolver) else joint
            for k, fold in enumerate(joint.used):
                solution = joint.solution(solutions, s, k, features)
                solution.adopt &= self.adoptable
                self.bank.put(key, fold, solution)

    def _refit(self, estimator, key, X, y, fit_params) -> None:
        final_fit(estimator, self.bank.solutions(key), self._solvers.get(key), X, y, fit_params)

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
        if result.status is Status.MAX_ITER:
            self._stopped.append(f"The search over {names} stopped early: {result.message}.")

    def _guard(self, solve) -> None:
        """Run a joint solve; what it cannot do is left to scikit-learn's own fits."""
        self._reason = ""
        try:
            with threads_for_rows():
                self._on_device(solve)
        except (UnfitCriterion, UnfitVector):
            raise
        except NotApplicable as error:
            self._reason = str(error)
        except Exception as error:
            if is_users(error):
                raise
            # A fault of ours costs the user speed, not the result.
            self.outcome.converged = False
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
