"""Keeps the solutions of all candidates and folds until they are scored and refitted."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skbamm._sklearn_compat import check_method_params, num_samples, safe_indexing
from skbamm.data.far_rows import FarRows, at_home
from skbamm.data.matrices import FoldData, first_rows
from skbamm.feature_penalty import FeaturePenalty
from skbamm.models import Twin, has_transformers, last_step, step_prefix
from skbamm.search.keys import candidate_key
from skbamm.search.shared_fits import SharedLists
from skbamm.search.transforms.known_rows import KnownRows, for_model, hand_rows_on
from skbamm.search.transforms.shared_steps import SharedSteps
from skbamm.solvers.solutions import Solution


@dataclass
class Bank:
    """Solutions by candidate and fold.

    Attributes
    ----------
    X, y, splits, fit_params
        The user's data, and how they are split.
    scoring_only : bool
        Whether the splits code the fold's number in place of training rows.
    scored : bool
        Whether solutions may be scored without their rows: these are the test rows of their fold.
    idle : bool
        Whether every fit is the estimator's own, with nothing that could be shared.
    refit : callable or None
        Set once all candidates are scored: what is fitted then is the final model.
    replay : iterator of stand-ins, or None
        Fitted ones, whose models the next fits take.
    row_weights : RowWeights or None
        Learned weights that every fit gets.
    holders : dict of str -> Holder
        For each candidate, the object that puts its vectors into an estimator.
    transformed : dict of str -> list of FoldData
        Rows of each split as a pipeline's transformers make them, by the candidate.
    test_rows : dict of int -> callable
        Make a fold's transformed test rows, by the identity of its transformers.
    shared : SharedSteps
        Transformed rows that own fits share.
    lists : SharedLists
        Fits that candidates of a list share.
    timed : dict of (str, int) -> (estimator, float)
        Models whose own fits were timed, by the candidate and the fold, and their seconds.
    """

    y: Any = None
    X: Any = None
    splits: list = field(default_factory=list)
    fit_params: dict[str, Any] = field(default_factory=dict)
    scoring_only: bool = False
    scored: bool = False
    idle: bool = False
    refit: Any = None
    replay: Any = None
    row_weights: Any = None
    holders: dict[str, Any] = field(default_factory=dict)
    transformed: dict[str, list] = field(default_factory=dict)
    test_rows: dict[int, Any] = field(default_factory=dict)
    shared: SharedSteps = field(default_factory=lambda: SharedSteps({}))
    lists: SharedLists = field(default_factory=lambda: SharedLists([]))
    timed: dict = field(default_factory=dict)
    _n_rows: int = 0
    _known: dict = field(default_factory=dict)  # test rows, by the transformers' identity
    _fold_of_rows: dict | None = None  # computed on first use
    _solutions: dict = field(default_factory=dict)
    _targets: dict = field(default_factory=dict)  # of the folds, where candidates share fits

    def take(self, X: Any, y: Any, splits: list, fit_params: dict[str, Any]) -> None:
        """Take up the data of a search."""
        self.X, self.y, self.splits, self.fit_params = X, y, splits, fit_params
        self._n_rows = num_samples(X)
        self._fold_of_rows, self._targets = None, {}

    def without_sharing(self) -> Bank:
        """Return a bank of the same solutions whose exported fits can predict any rows."""
        return replace(
            self, shared=SharedSteps({}), lists=SharedLists([]), refit=None, scoring_only=False,
            test_rows={}, _known={}, _targets={},
        )  # fmt: skip

    def __reduce__(self):
        # Workers get the solutions and never the data, which scikit-learn sends them anyway.
        held = self._solutions, self.row_weights, self.holders, self.shared
        return _restore, (self._folds(), *held)

    def put(self, key: str, fold: int, solution: Solution) -> None:
        """Keep a solution."""
        self._solutions[key, fold] = solution

    def keep_timed(self, key: str, fold: int, model: Any, seconds: float) -> None:
        """Keep an own fit that was timed: a candidate's, as it would be."""
        self.timed[key, fold] = model, seconds

    @property
    def far(self) -> bool:
        """Whether X is on a device; own fits and scorers get copies of what they need."""
        return isinstance(self.X, FarRows)

    @property
    def empty(self) -> bool:
        """Whether nothing is known that could take the place of a fit, or a part of it."""
        known = self._solutions, self.transformed, self.shared.uses, self.holders, self.lists
        return not any(known) and self.row_weights is None

    def complete(self, keys: list[str]) -> bool:
        """Whether every candidate can be adopted in every fold."""
        solutions = [self._solutions.get((k, f)) for k in keys for f in range(len(self.splits))]
        return all(s is not None and s.adopt for s in solutions)

    def needs_no_fit(self, candidates: list[dict[str, Any]]) -> bool:
        """Whether every candidate is solved in every fold, or comes from a shared fit."""
        keys = map(candidate_key, candidates)
        return all(key in self.lists.groups or self.complete([key]) for key in keys)

    def solutions(self, key: str) -> list[Solution]:
        """Return what is known of a candidate."""
        found = (self._solutions.get((key, f)) for f in range(len(self.splits)))
        return [s for s in found if s is not None]

    def fit(self, stand_in, place, X, y, fit_params) -> KnownRows | None:
        """Fit a stand-in's estimator in place, by its solution if there is one.

        Returns
        -------
        KnownRows or None
            Known results of its transformers, if several candidates share them.
        """
        key = candidate_key(stand_in.params)
        if self.refit is not None:
            fit_params = self._weighted(fit_params, place, None)
            self.refit(stand_in.whole(), key, X, y, fit_params)
            return None
        fold = None if place is None else self._fold(place)
        solution = self._solutions.get((key, fold))
        coded = (
            self.scoring_only and fold is not None
        )  # otherwise a scorer may fit the model itself
        if coded and fold is not None and (solution is None or not solution.adopt):
            y, fit_params = self._training_target(fold, key in self.lists.groups)
            place = self.splits[fold][0]
        fit_params = self._weighted(fit_params, place, fold)

        def rows_of():
            return safe_indexing(self.X, place) if coded else X

        if solution is None:
            return self._own_fit(stand_in, key, fold, rows_of, y, fit_params)
        if not solution.adopt:
            warm_fit(stand_in.whole(), solution, rows_of(), y, fit_params)
            return None
        if self.scored:
            stand_in.known_scores = solution.scores
            stand_in.known_responses = solution.responses
        replaced = solution.transformers is not None
        adopt(stand_in.estimator if replaced else stand_in.whole(), solution)
        return self._known_rows(solution.transformers)

    def _own_fit(self, stand_in, key, fold, rows_of, y, fit_params) -> KnownRows | None:
        """Run the estimator's own fit, or that of its last step on rows that are transformed."""
        if key in self.holders:
            estimator = stand_in.whole()
            self.holders[key].without_classes(estimator, y)
            own_fit(estimator, rows_of(), y, fit_params)
            return None
        folds, estimator = self.transformed.get(key), stand_in.estimator
        fit_model = partial(self.lists.fit, key, fold)
        transforms, fitted = has_transformers(estimator), None
        # What was timed behind transformers is of use beside them only.
        if not fit_params and (not transforms or folds is not None):
            fitted, stand_in.seconds = self.timed.pop((key, fold), (None, 0.0))
        if fitted is not None and not transforms:
            stand_in.estimator = fitted
            return None
        if not (folds is None or fold is None or fit_params) and transforms:
            fit_last(estimator, folds[fold], y, fitted, fit_model)
            data = folds[fold]
            if data.knows_test_rows:
                self.test_rows[id(data.transformers)] = data.test_rows
            return self._known_rows(data.transformers)
        known = self.shared.fit(estimator, stand_in.params, fold, rows_of, y, fit_params, fit_model)
        if known is None:
            alone = not isinstance(estimator, Pipeline)
            if not alone or not fit_model(estimator, rows_of, y, fit_params):
                stand_in.own_fit(fold, rows_of(), y, fit_params)
        return known

    def _known_rows(self, transformers: Any) -> KnownRows | None:
        if transformers is None or self.X is None:  # in a worker every task has others
            return None
        key = id(transformers)
        if key not in self._known:
            room, one_set = self.shared.room, self.shared.one_set
            make = self.test_rows.get(key)
            self._known[key] = KnownRows(transformers, room, one_set, make=make)
        return self._known[key]

    def look(self, scorers: Any, return_train_score: bool) -> None:
        """Note whether nothing but the test rows of a fold will be scored in it."""
        apart = self.scoring_only or len(self._folds()) == len(self.splits)
        self.scored = apart and not return_train_score
        self.shared.one_set = self.scored and hand_rows_on(scorers)
        self.lists.one_set = self.shared.one_set

    def _weighted(self, fit_params, place, fold):
        learned = self.row_weights
        return fit_params if learned is None else learned.give(fit_params, place, fold)

    def _fold(self, place) -> int | None:
        if self.scoring_only:
            return int(place[0]) + int(place[1]) * self._n_rows
        return self._folds().get(_digest(place))

    def _folds(self) -> dict:
        """Return which fold trains on what rows, by their digest."""
        if self._fold_of_rows is None:
            self._fold_of_rows = {_digest(train): k for k, (train, _) in enumerate(self.splits)}
        return self._fold_of_rows

    def _training_target(self, fold, shared=False):
        """Return a fold's target and fit parameters, kept for candidates that share its fits."""
        if fold in self._targets:
            return self._targets[fold]
        train, _ = self.splits[fold]
        params = check_method_params(self.X, params=self.fit_params, indices=train)
        found = safe_indexing(self.y, train) if self.y is not None else None, params
        if shared:
            self._targets[fold] = found
        return found


def _restore(fold_of_rows, solutions, row_weights, holders, shared):
    return Bank(
        _fold_of_rows=fold_of_rows, _solutions=solutions, row_weights=row_weights, holders=holders,
        shared=shared,
    )  # fmt: skip


def _digest(rows) -> bytes:
    return hashlib.blake2b(np.asarray(rows, dtype=np.int64).tobytes(), digest_size=16).digest()


def own_fit(estimator, X, y, fit_params) -> None:
    """Fit as scikit-learn's search does."""
    X = at_home(X)
    fit_params = _as_taken(estimator, fit_params)
    if y is None:
        estimator.fit(X, **fit_params)
    else:
        estimator.fit(X, y, **fit_params)


def fit_last(
    pipeline: Any, data: FoldData, y: Any, fitted: Any, fit_model: Callable[..., bool]
) -> None:
    """Fit a pipeline's last step on transformed rows, or put the ``fitted`` one in its place.

    ``fit_model`` tries to fit it, with other candidates.
    """
    steps, last = data.transformers.steps, last_step(pipeline)
    pipeline.steps[: len(steps)] = steps

    def rows_of():
        return for_model(last, first_rows(data.matrix, len(data.train)))

    if fitted is not None:
        pipeline.steps[-1] = pipeline.steps[-1][0], fitted
    elif not fit_model(last, rows_of, y, {}):
        own_fit(last, rows_of(), y, {})
    vars(last if fitted is None else fitted).update(data.features)


def _as_taken(estimator, fit_params):
    """Return parameters of a pipeline's last step as a FeaturePenalty around it takes them."""
    last = last_step(estimator)
    around = getattr(last, "regressor", last)
    if not isinstance(around, FeaturePenalty):
        return fit_params
    prefix = step_prefix(around.estimator)
    return {name.removeprefix(prefix): value for name, value in fit_params.items()}


def adopt(estimator, solution: Solution) -> None:
    """Give the estimator the solution, as if it had been fitted."""
    if solution.transformers is not None and has_transformers(estimator):
        steps = solution.transformers.steps
        estimator.steps[: len(steps)] = steps
    export(last_step(estimator), solution)


def may_begin_at_solution(twin: Twin, last: Any) -> bool:
    """Whether the estimator's own fit accepts a solution as a starting point, and benefits from it.

    newton-cholesky warns when its first step cannot improve on it.
    """
    return twin.warm_starts and getattr(last, "solver", "") != "newton-cholesky"


def warm_fit(estimator, solution: Solution, X, y, fit_params) -> None:
    """Run the estimator's own fit from the solution; its ``warm_start`` is given back."""
    last, twin = last_step(estimator), solution.twin
    model = twin.model(last)
    if not may_begin_at_solution(twin, model):
        own_fit(estimator, X, y, fit_params)
        return
    export(last, solution)
    before, model.warm_start = model.warm_start, True
    try:
        own_fit(estimator, X, y, fit_params)
    finally:
        model.warm_start = twin.fitted(last).warm_start = before


def export(last, solution: Solution) -> None:
    """Give a model the solution."""
    solution.twin.export(last, solution.task, *map(copy.copy, solution.parameters))
    solution.twin.remember(last, solution.features, solution.transformers)
