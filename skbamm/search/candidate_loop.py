"""Our own loop over candidates and folds, where they are evaluated one after the other.

scikit-learn's loop indexes the rows and the target anew for each candidate and fold, and its
metrics check the target each time: that takes as long as many a small fit. Here both are taken
once a fold, and a metric with a twin in ``skbamm.metrics`` is computed by the twin. Models are
fitted in the same order. At the end one candidate goes through scikit-learn's loop with the models
that it has, for all that BaseSearchCV checks and returns, and the other rows are put around it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from traceback import format_exc
from typing import Any

import numpy as np
from sklearn.base import clone

from skbamm._sklearn_compat import (
    BaseScorer,
    PassthroughScorer,
    check_method_params,
    model_scores,
    routing_enabled,
    safe_indexing,
    tell_failed_fits,
)
from skbamm.clock import SCORING, Clock
from skbamm.metrics import EXACT, TWINS, NoTwin, Predicted
from skbamm.metrics.responses import TestTarget
from skbamm.models import last_step
from skbamm.search.bank import Bank
from skbamm.search.keys import OWN_SCORE, candidate_key
from skbamm.search.metric import Metric
from skbamm.search.presolved import FOLD, users_own

_NEAR = 1e-9  # how near a twin must be to scikit-learn's score, relative to 1 and to itself
_ENTRIES = 1 << 23  # of X, up to which its test rows are kept: 64 MiB of float64

Columns = dict[str, list]


class CandidateLoop:
    """Evaluates candidates as BaseSearchCV's ``evaluate_candidates`` does, sooner.

    Parameters
    ----------
    search : BAMMSearchCV
        While it is fitted: its estimator is a stand-in, its splits are ScoringSplits.
    bank : Bank
    evaluate : callable
        BaseSearchCV's.
    scorers : callable, or of several scikit-learn's holder of them
    params : dict
        As routed to the scorers.
    """

    def __init__(
        self, search: Any, bank: Bank, evaluate: Callable[..., Any], scorers: Any,
        params: dict[str, Any],
    ):  # fmt: skip
        self._estimator, self._bank, self._evaluate = clone(search.estimator), bank, evaluate
        self._error_score, self._scorers = search.error_score, scorers
        splits = search._checked_cv_orig.splits
        self._coded = [train for train, _ in splits]
        self._folds = [_TestFold(bank, test, scorers, params) for _, test in splits]
        self._alone: dict[str, Any] = {}  # results of a first candidate that came alone
        self._finishing = False
        self._forget()

    def _forget(self) -> None:
        """Forget what was evaluated and waits for ``finish``."""
        self._candidates: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        self._more: Columns = {}
        # Fitted models of the candidate that will go through scikit-learn's loop, and its place.
        self._models: list[Any] = []
        self._place, self._best = 0, (0, 0)

    @staticmethod
    def serves(search: Any, scorers: Any, params: dict[str, Any]) -> bool:
        """Whether scores of a search depend on nothing but a model and its test rows."""
        given = {name for name, value in params.items() if value is not None}
        known = getattr(scorers, "_scorers", {"": scorers}).values()
        return (
            search.verbose == 0  # else scikit-learn prints lines of each fit
            and not search.return_train_score
            and (not given or (given == {"sample_weight"} and not routing_enabled()))
            and all(isinstance(one, (BaseScorer, PassthroughScorer)) for one in known)
        )

    def __call__(
        self, candidates: list[dict[str, Any]], more_results: Columns | None,
        clock: Clock | None = None, keeps: Callable[[dict[str, Any]], bool] | None = None,
    ) -> Any:  # fmt: skip
        """Evaluate candidates.

        Parameters
        ----------
        candidates : list of dict
        more_results : dict of str -> list, or None
        clock : Clock or None
            When it is over, also by Ctrl-C, what was evaluated is kept. With None an interrupt is
            raised.
        keeps : callable or None
            Whether a candidate is evaluated whatever the clock says.

        Returns
        -------
        dict
            The scores of all that was evaluated so far, by the names in ``cv_results_``.
        """
        if not self._folds or (len(candidates) == 1 and not self._candidates and not self._alone):
            self._alone = self._evaluate(candidates, more_results=more_results)  # scored once
            return self._alone
        known = len(self._candidates)
        for one in candidates:
            over = clock is not None and clock.over
            if (self._candidates or self._alone) and over and not (keeps and keeps(one)):
                break
            try:
                made, fitted = self._evaluated(one)
            except KeyboardInterrupt:
                if clock is None:
                    self._forget()
                    raise
                clock.interrupt()
                if not (keeps and keeps(one)):
                    break
                made, fitted = self._evaluated(one)
            good = sum(all_finite(row["test_scores"]) for row in made), len(fitted)
            if fitted and good > self._best:
                self._models, self._place, self._best = fitted, len(self._candidates), good
            self._rows += made
            self._candidates.append(one)
        done = len(self._candidates) - known
        for name, column in (more_results or {}).items():
            self._more.setdefault(name, []).extend(column[:done])
        if done < len(candidates) and clock is not None:
            clock.end(SCORING)
        if not self._rows:
            if self._alone:
                return self._alone
            raise KeyboardInterrupt
        if not self._models:  # scikit-learn's error tells of that
            candidates, more = self._candidates, self._more
            self._forget()
            return self._evaluate(candidates, more_results=more or None)
        return self._scores()

    def _scores(self) -> dict[str, np.ndarray]:
        """Return the scores so far."""
        K = len(self._folds)
        found: dict[str, np.ndarray] = {}
        rows = [row["test_scores"] for row in self._rows]
        several = isinstance(rows[0], dict)
        for name in rows[0] if several else ["score"]:
            table = np.reshape([row[name] if several else row for row in rows], (-1, K))
            found |= {f"split{k}_test_{name}": table[:, k] for k in range(K)}
            found[f"mean_test_{name}"] = table.mean(1)
        before = self._alone
        return {n: np.append(before[n], new) if before else new for n, new in found.items()}

    def finish(self, clock: Clock | None = None) -> Any:
        """Return ``cv_results_``, after one candidate has gone through scikit-learn's loop.

        Interrupted, it begins again with a clock, and raises without.
        """
        if not self._candidates:
            return self._alone
        try:
            return self._through_scikit_learn()
        except KeyboardInterrupt:
            if clock is None:
                raise
            clock.interrupt()
            return self._through_scikit_learn()

    def _through_scikit_learn(self) -> Any:
        place, models = self._place, self._models
        K = len(self._folds)
        models = [models[min(k, len(models) - 1)] for k in range(K)]
        if isinstance(self._scorers, PassthroughScorer):  # which need not score it again
            for model, row in zip(models, self._rows[place * K :], strict=False):
                model.known_scores = {OWN_SCORE: row["test_scores"]}
        self._finishing, self._bank.replay = True, iter(models)
        columns = {name: column[place : place + 1] for name, column in self._more.items()}
        some = self._candidates[place : place + 1]
        try:
            with warnings.catch_warnings():  # of these scores, which were given when first computed
                warnings.filterwarnings("ignore", module=r"sklearn\.metrics")
                return self._evaluate(some, more_results=columns or None)
        finally:
            self._finishing, self._bank.replay = False, None

    def add_rows(self, params: list, out: list[dict], more: Columns | None) -> None:
        """Put all rows in the place of the one candidate's, at the end of BaseSearchCV's lists."""
        if not self._finishing:
            return
        rows, K = self._rows, len(self._folds)
        if any(row["fit_error"] for row in rows):
            tell_failed_fits(rows, self._error_score)
        own = out[len(out) - K :]
        out[len(out) - K :] = [{**own[i % K], **row} for i, row in enumerate(rows)]
        params[-1:] = self._candidates
        for name, column in self._more.items():
            if more is not None:
                more[name][-1:] = column

    def _evaluated(self, params: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Any]]:
        """Return what scikit-learn's loop returns of each fold, and the models that are fitted."""
        solved = self._bank.complete([candidate_key(params)])
        candidate = self._candidate(params)
        rows, models = [], []
        for coded, fold in zip(self._coded, self._folds, strict=True):
            began = time.time()
            model = candidate.for_fold()
            failed, scores = None, None
            try:
                model.fit(None, None, **{FOLD: coded})
            except Exception:
                if self._error_score == "raise":
                    raise
                failed, scores = format_exc(), fold.scores_of_none(self._error_score)
            fitted = time.time()
            if failed is None:
                scores = fold.scores(model, self._error_score, exact=not solved)
                models.append(model)
            rows.append({
                "test_scores": scores, "fit_error": failed,
                "fit_time": fitted - began + model.seconds,
                "score_time": 0.0 if failed else time.time() - fitted,
            })  # fmt: skip
        return rows, models

    def _candidate(self, params: dict[str, Any]) -> Any:
        return clone(self._estimator).set_params(**clone(params, safe=False))


class _TestFold:
    """The test rows of a fold, and the scores of models on them.

    Parameters
    ----------
    bank : Bank
        Holds the user's data.
    test : ndarray of int
    scorers : callable, or of several scikit-learn's holder of them
    params : dict
        Nothing, or the weights of all rows in the scores.
    """

    def __init__(self, bank: Bank, test: np.ndarray, scorers: Any, params: dict[str, Any]):
        self._bank, self._test, self._all_params, self._scorer = bank, test, params, scorers
        self._several = getattr(scorers, "_scorers", None)
        self._scorers = self._several or {"score": scorers}
        self._begun, self._twins_agree = False, True
        self._kept: Any = None
        self._metrics: dict[type, dict[str, Metric | None]] = {}
        self._target: TestTarget | None = None

    def scores_of_none(self, error_score: float) -> Any:
        """Return the scores of a model that could not be fitted."""
        return dict.fromkeys(self._several, error_score) if self._several else error_score

    def scores(self, model: Any, error_score: Any, exact: bool) -> Any:
        """Return a fitted model's score, or a dict of several.

        With ``exact`` they are scikit-learn's to the last digit, as the estimator's own fit is.
        """
        found = None
        if not self._begun:
            bank, test = self._bank, self._test
            self._params = check_method_params(bank.X, params=self._all_params, indices=test)
            self._y = None if bank.y is None else safe_indexing(bank.y, test)
        X = self._rows
        if self._twins_agree:
            with suppress(NoTwin):
                found = self._by_twins(model, X, exact)
        if found is None or not self._begun:
            params = self._params
            own = model_scores(model, X, self._y, self._scorer, params, error_score)
            if found is not None:
                self._twins_agree = _agree(found, own, 0.0 if exact else _NEAR)
            found = own
        self._begun = True
        return found

    @property
    def _rows(self) -> Any:
        """The rows of X, which are kept unless they are many."""
        if self._kept is not None:
            return self._kept
        X = self._bank.X
        rows = safe_indexing(X, self._test)
        if np.prod(getattr(X, "shape", 0), dtype=float) <= _ENTRIES:
            self._kept = rows
        return rows

    def _by_twins(self, model: Any, X: Any, exact: bool) -> Any:
        """Return scores by the twins of all metrics, or raise NoTwin."""
        if exact and self._params:
            raise NoTwin("weighted sums are not the same to the last digit")
        last = last_step(users_own(model))
        metrics = self._metrics.get(type(last))
        if metrics is None:
            metrics = {name: Metric.of(name, one, last) for name, one in self._scorers.items()}
            self._metrics[type(last)] = metrics
        given: dict[str, Predicted] = {}
        functions = EXACT if exact else TWINS
        if not all(one is not None and one.function in functions for one in metrics.values()):
            raise NoTwin("a metric has none")
        found = {
            name: self._by_twin(one, model, X, last, given, exact) for name, one in metrics.items()
        }
        return found if self._several else found["score"]

    def _by_twin(
        self, metric: Metric | None, model: Any, X: Any, last: Any, given: dict[str, Predicted],
        exact: bool,
    ) -> float:  # fmt: skip
        assert metric is not None
        method = metric.method(model)
        if method not in given:
            target = self._of(last)
            response = model.known_responses.get(method)
            if response is None:
                try:
                    response = getattr(model, method)(X)
                except Exception:
                    raise NoTwin("it fails, as scikit-learn's scorer will tell") from None
            if exact and getattr(response, "dtype", None) == np.float32:
                raise NoTwin("scikit-learn computes in the precision of the response")
            given[method] = target.predicted(response, method)
        try:
            return metric.sign * float(TWINS[metric.function](given[method], **metric.options))
        except TypeError:
            raise NoTwin("an option is not known") from None

    def _of(self, model: Any) -> TestTarget:
        """Return the target in the model's classes, or raise NoTwin."""
        classes = getattr(model, "classes_", None)
        known = self._target
        if known is None or not _same(known.classes, classes):
            weight = self._params.get("sample_weight")
            known = self._target = TestTarget.of(self._y, classes, weight)
        return known


def all_finite(scores: Any) -> bool:
    """Whether a score, or each of several, is a finite number."""
    return bool(np.isfinite(list(scores.values()) if isinstance(scores, dict) else scores).all())


def _agree(some: Any, other: Any, near: float) -> bool:
    if isinstance(some, dict):
        return all(_agree(some[name], other[name], near) for name in some)
    return bool(abs(some - other) <= near * (1 + abs(other)))


def _same(some: Any, other: Any) -> bool:
    if some is None or other is None:
        return some is other
    return bool(some is other or np.array_equal(some, other))
