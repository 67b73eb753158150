"""One ``fit`` of a BAMMSearchCV: its state besides the public parameters."""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

import numpy as np
from joblib import effective_n_jobs, parallel_config
from sklearn.model_selection import ParameterGrid
from sklearn.utils import get_tags

from skbamm._sklearn_compat import callbacks_of, num_samples
from skbamm.clock import SCORING, Clock
from skbamm.data.array_inputs import ArrayInputs
from skbamm.data.callbacks import who_looks_on
from skbamm.data.far_rows import SCALERS, FarRows
from skbamm.data.matrices import as_indices, choose_device, own_copy
from skbamm.search.bank import Bank
from skbamm.search.candidate_loop import CandidateLoop
from skbamm.search.device_scores import DeviceScores, looking_up
from skbamm.search.earlier import Earlier, seen_by
from skbamm.search.fold_models import check_wanted
from skbamm.search.outcome import Outcome, Settings
from skbamm.search.presolved import FOLD, FrozenSplits, ScoringSplits, stand_in_for
from skbamm.search.run import SearchRun
from skbamm.search.scored import Scoring, parts_of
from skbamm.search.shared_fits import SharedLists
from skbamm.search.tasks import SearchTasks, numbered
from skbamm.search.transforms.shared_steps import SharedSteps, note_shared, shared_settings
from skbamm.search.vectors_found import check_vectors, refuse_weights
from skbamm.search.weighing.weigher import Weigher
from skbamm.space import read_grid


class Fitting:
    """The state of one fit, which is dropped when it ends.

    Parameters
    ----------
    search : BAMMSearchCV
        Its parameters are valid.
    """

    def __init__(self, search: Any):
        self.clock = Clock(search.max_time)
        self.space = read_grid(search.estimator, search.param_grid)
        self.estimator, self.n_jobs = search.estimator, search.n_jobs  # the user's
        self.verbose, self.scoring = search.verbose, search.scoring
        self.earlier: Earlier | None = search._earlier
        self.seen: tuple[int | None, str] = (None, "")
        self.wants_folds = bool(search.return_estimator or search.return_oof)
        if self.wants_folds:
            check_wanted(search, [c.target.estimator for c in self.space.combinations])
        self.watched = who_looks_on(search)
        self.run: SearchRun | None = None
        self.outcome = Outcome()
        self.context: Any = None  # the fit's, of scikit-learn's callbacks
        self.tasks: SearchTasks | None = None
        self.found: Any = None  # of the weights of rows
        self.weigher: Weigher | None = None
        uses = {} if self.watched else shared_settings(self.space.combinations)
        note_shared(self.space.plan, self.space.combinations, uses)
        alike = [] if self.watched or search.sample_weights is not None else self.space.combinations
        self.bank = Bank(shared=SharedSteps(uses), lists=SharedLists(alike))
        self.bank.lists.note(self.space.plan)
        self._scorers: Any = None  # that may look scores up
        self._loops = False  # whether candidates go through a loop of our own
        self._loop: CandidateLoop | None = None
        self._threads: Any = None  # of candidates that share fits
        self._folder: Any = None  # of the workers
        self._routed: Any = None
        self._candidates: list[dict[str, Any]] = []
        self._alone = True  # whether no worker takes part
        self._solved = False  # whether nothing is left to fit
        self._same = False  # whether the earlier fit that this one continues used the same data
        self._listed: list[dict[str, Any]] = []  # all candidates then, if they are in lists
        self._more: dict[str, list] | None = None
        # Whether solved models may be scored on another device than the CPU.
        looks_on = self.watched or callbacks_of(search)
        there = choose_device(search.device, sys.maxsize).type != "cpu"
        self._scores_there = there and not (looks_on or search.return_train_score)
        self._scores_there &= self._has_twin
        if search.sample_weights is not None:
            refuse_weights(self.space)
            self.weigher = Weigher.for_search(search, self.space, self.clock)
        elif self.watched and not self.space.continuous:
            self._leave_to_own_fits()

    def __reduce__(self):
        # scikit-learn sends its caller, and so this, to the workers with every task.
        return _nothing, ()

    @property
    def needs_stand_in(self) -> bool:
        """Whether fits may have something else to do than the estimator's own."""
        if self.weigher is not None or self.bank.shared.uses or self.bank.lists:
            return True
        if any(combination.is_judged for combination in self.space.combinations):
            return True
        own = self.watched and not self.space.continuous
        return not own and self._has_twin

    def read(self, X: Any, y: Any, params: dict[str, Any]) -> ArrayInputs | None:
        """Return the user's arrays in NumPy, unless only plain own fits are used."""
        if self.weigher is None and not self.bank.lists and not self._has_twin:
            return None
        return ArrayInputs(X, y, params, stays=self._takes_far_rows)

    def step(self) -> None:
        """Let callbacks know of an iteration."""
        if self.tasks is not None:
            self.tasks.step()

    @property
    def _has_twin(self) -> bool:
        return any(c.target.twin is not None for c in self.space.combinations)

    @property
    def _takes_far_rows(self) -> bool:
        """Whether X may stay on its device: all operations on it run there."""
        return (
            self._scores_there
            and self.weigher is None
            and not self.wants_folds
            and all(takes_far_rows(combination) for combination in self.space.combinations)
        )

    def begin(self, search: Any) -> None:
        """Put a stand-in in the estimator's place: BaseSearchCV.fit clones that."""
        if any(c.holder is not None for c in self.space.combinations):
            search.verbose = min(search.verbose, 1)  # its lines of fits print vectors whole
        if self._scores_there:
            self._scorers, _ = search._get_scorers()
            search.scoring = looking_up(self._scorers)
        if self.needs_stand_in:
            search.estimator = stand_in_for(self.estimator, self.bank, users=True)

    def end(self, search: Any) -> None:
        """Give the search the user's own back, and let go of the data."""
        search.estimator, search.n_jobs, search.verbose, search.scoring = (
            self.estimator, self.n_jobs, self.verbose, self.scoring
        )  # fmt: skip
        cv = vars(search).get("_checked_cv_orig")
        if isinstance(cv, FrozenSplits):
            search._checked_cv_orig = cv.cv
        if self._folder is not None:
            self._folder.cleanup()
        self._leave_threads()
        # Solvers and their data form reference cycles, and an exception's frames refer to them.
        run = self.run
        parts = () if run is None else (run.solving, run.intervals, run)
        for one in (*parts, self.weigher, self.bank):
            if one is not None:
                vars(one).clear()
        self.run = self.weigher = self._routed = self.tasks = self.context = self._loop = None

    def route(self, routed: Any) -> Any:
        """Take what scikit-learn routed for fit; return it, to be added to."""
        self._routed = own_copy(routed)
        return self._routed

    def take_up(self, search: Any, X: Any, y: Any, split_params: dict[str, Any]) -> None:
        """Draw the splits, once, and solve what can be solved before anything is fitted."""
        check_vectors(self.space, X)
        cv = search._checked_cv_orig
        splits = [tuple(map(as_indices, split)) for split in cv.split(X, y, **split_params)]
        fit_params = dict(self._routed.estimator.fit)
        self._compare(search, X, y, splits, [fit_params, dict(self._routed.scorer.score)])
        if self.weigher is not None:
            self.found = self.weigher.learn(cv, splits, X, y, fit_params)
            splits = self.found.splits
        search._checked_cv_orig = FrozenSplits(cv, splits)
        self.bank.take(X, y, splits, fit_params)
        if not self.needs_stand_in:
            return
        self._routed.estimator["fit"] = {**fit_params, FOLD: np.arange(num_samples(X))}
        self.run = run = self._run_of(search, X, y, splits, fit_params)
        self.outcome = run.outcome
        self._solve(search, run)
        if run.leaves_all and self.bank.empty and not (self.watched or self._loops):
            # Clones of the stand-in are the user's estimator from now on: it costs nothing.
            self.bank.idle = True
            self._routed.estimator["fit"] = fit_params
            return
        self._prepare_scores(search, num_samples(X))

    def _run_of(self, search: Any, X: Any, y: Any, splits: list, fit_params: dict) -> SearchRun:
        """Return what solves this search's candidates."""
        scorers, scorer_params = self._scores(search)
        criterion, row_weights, rows = search.criterion, None, None
        if self.weigher is not None:
            criterion = self.weigher.criterion_for(self.found)
            row_weights, rows = self.found.row_weights, self.weigher.rows_of(X, y)
        device = search.device
        if device == "auto" and isinstance(X, FarRows):
            device = str(X.device)
        settings = Settings(
            criterion, search.max_iter, search.tol, search.max_time, device, search.dtype,
            search.verbose, self.clock,
        )  # fmt: skip
        run = SearchRun(
            self.space, settings, self.bank, X, y, splits, fit_params, scorer_params, scorers,
            search.refit, row_weights, rows,
        )  # fmt: skip
        run.solving.watched = bool(self.watched)
        if self._scorers is not None:
            run.solving.scores = DeviceScores(run.solving.factory, scorers)
        run.intervals.earlier = self.earlier
        run.intervals.more_rounds = not (callbacks_of(search) or self.watched)
        return run

    def _solve(self, search: Any, run: SearchRun) -> None:
        """Solve before BaseSearchCV has workers: none is needed where nothing is left to fit."""
        solves = self.space.continuous or (self._has_twin and not self.watched)
        if self.context is not None and callbacks_of(search):
            self.tasks = SearchTasks(search, self.context, solves)
        self._candidates, self._more = run.candidates()
        if self.watched:
            self._leave_to_own_fits()
        self._alone = effective_n_jobs(search.n_jobs) == 1
        if self.bank.lists and not self._alone:
            self._share_among_threads()
            self._alone = self._threads is not None
        self._solved = run.solved(self._candidates)
        self._loops = (
            (self._solved or effective_n_jobs(search.n_jobs) == 1)
            and not (callbacks_of(search) or self.watched or self._pairwise)
            and self._scorers is None  # else scores are known from the device
            and CandidateLoop.serves(search, *self._scores(search))
        )  # fmt: skip

    def _prepare_scores(self, search: Any, n_rows: int) -> None:
        """Decide who scores the candidates, and give them no more data than they need."""
        if self._solved:
            search.n_jobs = 1
        # Workers get no data but what scikit-learn sends them.
        if self.bank.shared.uses and not self._alone:
            self._folder = tempfile.TemporaryDirectory(prefix="skbamm", ignore_cleanup_errors=True)
            self.bank.shared.folder = self._folder.name
        here = self._solved or (self._alone and bool(self.bank.shared.uses or self.bank.lists))
        # These, and precomputed kernels, need training rows.
        looks = search.return_train_score or callbacks_of(search) or self._pairwise
        if self._loops or (here and not looks):
            self.bank.scoring_only = True
            search._checked_cv_orig = ScoringSplits.of(search._checked_cv_orig, n_rows)
        self.bank.look(self._scores(search)[0], search.return_train_score)

    def _compare(self, search: Any, X: Any, y: Any, splits: list, params: list) -> None:
        """Record the data; drop values of lists that an earlier fit to it has scored."""
        scored = [*params, bool(search.return_train_score)]
        self.seen = seen_by(self, search.sample_weights, X, y, splits, scored)
        if self.earlier is None:
            return
        self._same = self.earlier.is_of(self.seen)
        if self._same and not self.space.continuous:
            self._listed = [c.params for c in self.space.combinations]
            left = [c for c in self.space.combinations if not self.earlier.is_known(c.params)]
            self.space.combinations = left or self.space.combinations[:1]

    @property
    def _pairwise(self) -> bool:
        """Whether any candidate is given a kernel or distances."""
        return any(
            get_tags(c.target.estimator).input_tags.pairwise
            for c in self.space.combinations
            if not self._solved or c.target.takes_kernels
        )

    def score(self, search: Any, evaluate: Any, callback_ctx: Any) -> None:
        """Score the candidates, as GridSearchCV does."""
        run = self.run
        candidates = self._candidates
        if run is None:
            candidates = list(ParameterGrid(search.param_grid))
            if self._listed:
                candidates = [c.params for c in self.space.combinations]
        tasks = self.tasks or SearchTasks(search, callback_ctx, solves=False)
        search_ctx = tasks.begin_scores(len(candidates) * search.n_splits_)
        began = time.perf_counter()
        # Callbacks need the number of candidates beforehand.
        told = bool(callbacks_of(search) or self.watched)
        if told and self.clock.max_time is None:
            results = evaluate(candidates, more_results=self._more, callback_ctx=search_ctx)
        else:
            if told:
                evaluate = numbered(evaluate, search_ctx, search.n_splits_)
            if self._loops and self.bank.scored:
                self._loop = CandidateLoop(search, self.bank, evaluate, *self._scores(search))
            # Candidates that share fits are soon scored, and so are all of a round.
            apart = self.space.continuous and (self._loop is not None or not self.bank.lists)
            size = parts_of(search, self.clock, apart)
            scored = Scoring(evaluate, self.clock, run, self.space.continuous, self._loop)
            scored.add(candidates, self._more, size)
            while not told and run is not None and self.space.continuous and not self.clock.over:
                further, more = run.further(scored.results)
                if not further:
                    break
                scored.add(further, more, size)
            if run is not None and run.waits:  # then time is over
                self.clock.end(SCORING)
            kept = size is not None or (run is not None and run.solved(candidates))
            results = scored.finish(kept)
        if self.earlier is not None and self._same:
            self.earlier.join(results, self._listed)
        if run is not None:
            run.say(f"scored {len(candidates)} candidates in {time.perf_counter() - began:.2f} s")
            run.begin_refit()
        self._leave_threads()
        tasks.end()

    def _scores(self, search: Any) -> tuple[Any, dict[str, Any]]:
        """Return the scorers, and what is routed to them."""
        return self._scorers or search._get_scorers()[0], dict(self._routed.scorer.score)

    def add_rows(self, params: list, out: list, more: dict[str, list] | None) -> None:
        """Add candidates that our own loop has scored to BaseSearchCV's lists."""
        if self._loop is not None:
            self._loop.add_rows(params, out, more)

    def best_index(self, results: dict[str, Any]) -> int | None:
        """Return the row of an interval's candidates to take; None where scikit-learn's will do."""
        before = 0
        if self.earlier is not None:
            results, before = self.earlier.scored_now(results)
        index = None if self.run is None else self.run.best_index(results)
        return None if index is None else index + before

    def _share_among_threads(self) -> None:
        """Let threads fit the candidates, in place of processes, if all of them share fits."""
        if not self.bank.lists.covers_all:
            why = "fits cannot be shared across processes, which other models of the list need"
            self.bank.lists.leave(self.space.plan, why)
            return
        self._threads = parallel_config(backend="threading")
        self._threads.__enter__()

    def _leave_threads(self) -> None:
        if self._threads is not None:
            self._threads.__exit__(None, None, None)
            self._threads = None

    def _leave_to_own_fits(self) -> None:
        """Say in the plan that callbacks are the reason why nothing is solved."""
        for row in self.space.plan:
            if row["role"] == "joint grid":
                reason = f"callbacks observe the fits of {self.watched}"
                row.update(role="enumerated", reason=reason)


def takes_far_rows(combination: Any) -> bool:
    """Whether a model is solved where its rows are: it is linear, and scaled at most."""
    target = combination.target
    if target.twin is None or target.twin.family != "linear" or combination.holder is not None:
        return False
    if target.twin.transforms_target or combination.line_axis is not None:
        return False
    if target.pipeline is None:
        return True
    if target.pipeline is not target.estimator:
        return False
    before = target.pipeline.steps[:-1]
    return len(before) == 1 and type(before[0][1]) in SCALERS


def _nothing():
    return None
