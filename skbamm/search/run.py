"""One search: solves what can be solved jointly and lists the candidates to be scored."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metadata_routing import _routing_enabled, process_routing

from skbamm.bilevel import BilevelResult, Status
from skbamm.folds import threads_for_rows
from skbamm.models import NotApplicable
from skbamm.search.bank import last_step, may_begin_at_solution, own_fit, warm_fit
from skbamm.search.data import as_matrix, feature_memory, transform_fold
from skbamm.search.joint import JointSolver
from skbamm.search.scoring import UnfitCriterion, choose_criterion
from skbamm.search.stand_in import candidate_key
from skbamm.space import Combination


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
    """

    history: dict[str, list] = field(default_factory=dict)
    n_iter: int = 1
    converged: bool = True
    device: str = "cpu"


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
        self.X, self.y, self.splits = X, y, splits
        self.fit_params, self.score_params = fit_params, score_params
        self.scorers, self.refit = scorers, refit
        self.bank, self.row_weights = bank, row_weights
        bank.row_weights = row_weights
        self.outcome = Outcome()
        self.began = time.perf_counter()
        self._folds: dict[str, list] = {}  # transformed data by the transformers' setting
        self._matrix: Any = None
        self._solvers: dict[str, JointSolver] = {}  # by candidate, for the refit
        self._reason = ""  # why the last joint solve could not be done
        self._stopped: list[str] = []  # searches that did not end by themselves
        self.adoptable = True  # False: every model is fitted by its own fit, from its solution

    def __reduce__(self):
        # scikit-learn sends its caller, and so this, to the workers with every task.
        return _nothing, ()

    def candidates(self) -> tuple[list[dict[str, Any]], dict[str, list] | None]:
        """Solve, and return the candidates and, for intervals, more columns of the results."""
        if not self.space.continuous:
            for group in _groups(self.space.combinations):
                self._guard(partial(self._solve_grid, group))
            return [c.params for c in self.space.combinations], None
        params, stages = [], []
        for combination in self.space.combinations:
            for values, stage in self._explore(combination):
                params.append({**combination.params, **values})
                stages.append(stage)
        for message in self._stopped:
            warnings.warn(message + " The best point found is used.", ConvergenceWarning, 3)
        return params, {"stage": stages}

    def solved(self, candidates: list[dict[str, Any]]) -> bool:
        """Whether every fold of every candidate can be adopted as it is."""
        return self.bank.complete([candidate_key(params) for params in candidates])

    def begin_refit(self) -> None:
        """From now on a fit is the final one: the estimator's own, from where we are."""
        self.bank.refit = self._refit

    def _solve_grid(self, group: list[Combination]) -> None:
        target = group[0].target
        values = [_tuned_value(combination) for combination in group]
        joint = self.solver(target, group[0].params)
        self.say(
            f"{len(values)} values of {target.tuned} in {len(joint.used)} folds jointly "
            f"on {joint.device}"
        )
        began = time.perf_counter()
        solutions = joint.grid([float(value) for value in values])
        keys = [candidate_key(combination.params) for combination in group]
        self._keep(joint, solutions, keys, target)
        self.say(f"solved in {time.perf_counter() - began:.2f} s")

    def _explore(self, combination: Combination) -> list[tuple[dict[str, Any], str]]:
        """Search one combination; return what to score, each with its stage."""
        axis = combination.axis
        if axis is None:
            for group in _groups([combination]):
                self._guard(partial(self._solve_grid, group))
            return [({}, "grid")]
        found: list[tuple[float, str]] = []  # x and stage; kept whatever happens after
        self._guard(lambda: self._search(combination, found))
        if not found:  # scikit-learn's own fits of a few values, with its errors if it has any
            for row in self.space.plan:
                if row["parameter"] == axis.name:
                    row["reason"] = self._reason
            found = [(float(x), "start") for x in np.linspace(*axis.bounds(), 7)[1:-1]]
        return [({axis.name: axis.number(x)}, stage) for x, stage in found]

    def _search(self, combination: Combination, found: list[tuple[float, str]]) -> None:
        axis, target, s = combination.axis, combination.target, self.settings
        assert axis is not None
        joint = self.solver(target, combination.params)
        chosen, note = choose_criterion(s.criterion, self.scorers, self.refit, joint.task)
        upper_loss = None if self.row_weights is None else self.row_weights.upper_loss
        told = str(chosen) if upper_loss is None else "log loss under the noise found"
        if note and upper_loss is None:
            self.say(note)
        self.say(
            f"searching {axis.name} in [{axis.low:g}, {axis.high:g}] ({axis.scale}) for the least "
            f"{told}: {len(joint.used)} folds, on {joint.device} in {str(joint.dtype)[6:]}"
        )
        began = time.perf_counter()
        spent = began - self.began
        left = None if s.max_time is None else max(s.max_time - spent, 0.0)
        result, criterion, start = joint.search(
            axis, chosen, max_iter=s.max_iter, tol=s.tol, max_time=left,
            upper_loss=upper_loss, begin=self.row_weights and self.row_weights.begin,
        )  # fmt: skip
        if result.status is Status.DIVERGED:
            raise NotApplicable("the search found no finite model")
        self._note(result, criterion, axis, spent)
        found.append((float(result.x), "refined"))
        # Weights were learned for what the search finds, not for where it began.
        if axis.number(start) != axis.number(float(result.x)) and self.row_weights is None:
            found.append((start, "start"))
        solutions = joint.polish(axis, [x for x, _ in found], result.y)
        params = [{**combination.params, axis.name: axis.number(x)} for x, _ in found]
        self._keep(joint, solutions, [candidate_key(p) for p in params], target)
        self.say(
            f"{axis.name}={axis.number(float(result.x)):.6g}, {told} "
            f"{result.fun * criterion.null:.6g} after {result.nit} iterations, "
            f"{time.perf_counter() - began:.2f} s: {result.message}"
        )

    def solver(self, target, params) -> JointSolver:
        """Return the joint solver of a combination, or raise NotApplicable."""
        if target.twin is None:
            raise NotApplicable(target.reason)
        if self.y is None:
            raise NotApplicable("there is no target")
        last = last_step(target.estimator)
        try:
            last._validate_params()
        except ValueError as error:
            raise NotApplicable(str(error)) from None
        weight = self._sample_weight(target)
        score_weight = self.score_params.get("sample_weight")
        matrix, folds = self._data(target, params)
        sample = matrix if folds is None else folds[0].matrix
        sparse = not isinstance(sample, np.ndarray)
        task = target.twin.task(last, self.y, weight, sparse)
        joint = JointSolver(
            target.twin, task, matrix, folds, self.splits, weight,
            None if score_weight is None else np.asarray(score_weight, dtype=float),
            self.settings.device, self.settings.dtype, last.tol, self.row_weights,
        )  # fmt: skip
        self.outcome.device = str(joint.device)
        return joint

    def _data(self, target, params):
        """Return the shared matrix, or each fold's transformed rows."""
        if not target.prefix or len(target.estimator.steps) == 1:
            if self._matrix is None:
                self._matrix = as_matrix(self.X)
            return self._matrix, None
        transformers = target.estimator[:-1]
        setting = candidate_key(
            {name: v for name, v in params.items() if not name.startswith(target.prefix)}
        )
        if setting not in self._folds:
            self._folds[setting] = [
                transform_fold(transformers, self.X, self.y, train, test)
                for train, test in self.splits
            ]
        return None, self._folds[setting]

    def _sample_weight(self, target) -> np.ndarray | None:
        """Return the sample weights that reach the last step, or raise NotApplicable."""
        given = {name: value for name, value in self.fit_params.items() if value is not None}
        if not given:
            return None
        name = f"{target.prefix}sample_weight"
        if _routing_enabled() and target.prefix:
            routed = process_routing(target.estimator, "fit", **given)
            steps = [step for step, _ in target.estimator.steps]
            if any(p for step in steps[:-1] for p in routed[step].values()):
                raise NotApplicable("a transformer takes fit parameters")
            given = {target.prefix + key: value for key, value in routed[steps[-1]].fit.items()}
        if set(given) != {name}:
            raise NotApplicable(f"fit parameters {sorted(given)} are for scikit-learn's own fits")
        weight = np.asarray(given[name])
        if weight.ndim != 1 or weight.dtype.kind not in "iufb" or not np.isfinite(weight).all():
            raise NotApplicable("sample_weight is not a finite vector")
        if (weight < 0).any():
            raise NotApplicable("sample_weight has negative entries")
        return weight.astype(float)

    def _keep(self, joint, solutions, keys, target) -> None:
        features, dtype = None, np.float64
        if joint.folds is None:
            features, dtype = feature_memory(self.X), joint.matrix.dtype
        for s, key in enumerate(keys):
            self._solvers[key] = joint
            for k, fold in enumerate(joint.used):
                solution = joint.solution(solutions, s, k, features, dtype)
                solution.adopt &= self.adoptable
                self.bank.put(key, fold, solution)

    def _refit(self, estimator, key, X, y, fit_params) -> None:
        solutions = self.bank.solutions(key)
        last = last_step(estimator)
        if not solutions or not may_begin_at_solution(solutions[0].twin, last):
            own_fit(estimator, X, y, fit_params)
            return
        widths = {solution.coef.shape for solution in solutions}
        if len(widths) > 1:
            own_fit(estimator, X, y, fit_params)
            return
        begin = solutions[0]
        begin.coef = np.mean([s.coef for s in solutions], 0)
        begin.intercept = np.mean([s.intercept for s in solutions], 0)
        joint = self._solvers[key]
        if joint.folds is None:
            value, tol = getattr(last, joint.twin.hyperparameter), last.tol
            coef = begin.coef.astype(float)
            if joint.task.fit_intercept:
                coef = np.concatenate([coef, begin.intercept[:, None].astype(float)], 1)
            with threads_for_rows():
                solved = joint.all_rows(float(value), coef, 0.5 * tol)
            width = begin.coef.shape[1]
            begin.coef = solved[:, :width].astype(begin.coef.dtype)
            if joint.task.fit_intercept:
                begin.intercept = solved[:, width].astype(begin.coef.dtype)
        warm_fit(estimator, begin, X, y, fit_params)

    def _note(self, result: BilevelResult, criterion, axis, offset: float) -> None:
        out, history = self.outcome, self.outcome.history
        for name, values in (
            ("seconds", [offset + t for t in result.history["seconds"]]),
            ("criterion", [value * criterion.null for value in result.history["upper"]]),
            ("kkt_residual", result.history["kkt_residual"]),
            (axis.name, [axis.number(float(x)) for x in result.history["x"]]),
        ):
            history.setdefault(name, []).extend(values)
        out.n_iter = max(out.n_iter, result.nit)
        out.converged = out.converged and result.success
        if result.status in (Status.MAX_ITER, Status.INTERRUPTED):
            self._stopped.append(f"The search over {axis.name!r} stopped early: {result.message}.")

    def _guard(self, solve) -> None:
        """Run a joint solve; what it cannot do is left to scikit-learn's own fits."""
        self._reason = ""
        try:
            with threads_for_rows():
                solve()
        except UnfitCriterion:
            raise
        except NotApplicable as error:
            self._reason = str(error)
        except Exception as error:
            # A fault of ours costs the user speed, not the result.
            self.outcome.converged = False
            self._reason = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"The joint solve failed ({self._reason}); scikit-learn's own fits are used.",
                RuntimeWarning,
                stacklevel=2,
            )

    def say(self, message: str) -> None:
        """Tell the user, from verbose=1 on."""
        if self.settings.verbose > 0:
            print(f"[BAMM] {message}")


def _nothing():
    return None


def _groups(combinations: list[Combination]) -> list[list[Combination]]:
    """Combinations that differ in the tuned parameter only, whose values a twin can take."""
    groups: dict[str, list[Combination]] = {}
    for combination in combinations:
        target = combination.target
        if target.twin is None:
            continue
        if not target.twin.valid_value(_tuned_value(combination)):
            continue
        rest = {name: v for name, v in combination.params.items() if name != target.tuned}
        groups.setdefault(candidate_key(rest), []).append(combination)
    return list(groups.values())


def _tuned_value(combination: Combination) -> Any:
    """Return the value of the tuned parameter: listed, or the estimator's own."""
    return combination.target.estimator.get_params()[combination.target.tuned]
