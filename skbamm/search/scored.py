"""Scores candidates until all are scored, the time is used up, or the user presses Ctrl-C."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.exceptions import FitFailedWarning

from skbamm.clock import SCORING, Clock
from skbamm.progress import PROGRESS
from skbamm.search.candidate_loop import CandidateLoop
from skbamm.search.run import SearchRun

_ALL_FAILED = "\nAll the "  # what scikit-learn's error of a part without a fitted model begins with


def parts_of(search: Any, clock: Clock, continuous: bool) -> int | None:
    """Return how many candidates of own fits to score at a time; None for all.

    Results of intervals are kept as they are computed; those of lists as in GridSearchCV,
    unless time is limited.
    """
    if clock.max_time is None and not continuous:
        return None
    return max(1, effective_n_jobs(search.n_jobs) // max(1, search.n_splits_))


class Scoring:
    """Candidates as they are scored.

    Parameters
    ----------
    evaluate : callable
        BaseSearchCV's.
    clock : Clock
    run : SearchRun or None
        Knows which candidates are solved: those are soon scored.
    whole : bool
        Whether what is solved is scored whatever the clock says: few candidates of intervals.
    loop : CandidateLoop or None
        Takes the place of ``evaluate`` where it can.

    Attributes
    ----------
    results : dict
        ``cv_results_`` so far, or the scores in it.
    """

    def __init__(
        self,
        evaluate: Callable[..., Any],
        clock: Clock,
        run: SearchRun | None,
        whole: bool,
        loop: CandidateLoop | None = None,
    ):
        self.evaluate, self.clock, self.run, self.whole = evaluate, clock, run, whole
        self.loop = loop
        self.results: dict[str, Any] = {}

    def add(self, candidates: list, more: dict[str, list] | None, size: int | None) -> None:
        """Score candidates, ``size`` at a time where they are not solved.

        At least one is scored, whatever the clock says. After Ctrl-C what is solved is scored, and
        nothing else is begun; without anything that could be kept the interrupt is raised.
        """
        if size is None:
            self._all_at_once(candidates, more)
            return
        if self._by_loop(candidates, more):
            return
        waiting: list[int] = []  # none of whose fits has succeeded so far
        tried, failed = 0, ""  # how many of them, and how: an exception would hold the data
        parts = self._parts(candidates, size)
        for part in parts:
            begun = self.results or waiting
            if (
                begun
                and self.clock.over
                and not (self.whole and self._solved([candidates[i] for i in part]))
            ):
                self.clock.end(SCORING)
                break
            waiting += part
            if len(waiting) < 2 * tried and part is not parts[-1]:
                continue  # those that fail are fitted again with every try
            try:
                with self.clock.kept():
                    self._score(candidates, more, waiting)
                    waiting, tried = [], 0
            except ValueError as error:
                if not str(error).startswith(_ALL_FAILED):
                    raise
                tried, failed = len(waiting), str(error)
            if self.clock.interrupted and not self.results:
                raise KeyboardInterrupt
        if waiting and not self.clock.interrupted:
            if not self.results:
                raise ValueError(failed)
            warnings.warn(failed, FitFailedWarning, stacklevel=2)

    def _by_loop(self, candidates, more) -> bool:
        """Score candidates by our own loop, and return whether that could be done."""
        if self.loop is None:
            return False
        try:
            self.results = self.loop(candidates, more, self.clock, self._keeps)
        except ValueError as error:  # no fit succeeds, which is not an error after others have
            if not (self.results and str(error).startswith(_ALL_FAILED)):
                raise
            warnings.warn(str(error), FitFailedWarning, stacklevel=2)
        except KeyboardInterrupt:
            self.clock.interrupt()
            self.clock.end(SCORING)
            if not self.results:
                raise
        return True

    def finish(self, kept: bool) -> dict[str, Any]:
        """Return ``cv_results_``. An interrupt is raised unless results are to be ``kept``."""
        if self.loop is not None:
            self.results = self.loop.finish(self.clock if kept else None)
        return self.results

    def _keeps(self, params: dict[str, Any]) -> bool:
        return self.whole and self._solved([params])

    def _all_at_once(self, candidates, more) -> None:
        every = list(range(len(candidates)))
        try:
            self._score(candidates, more, every)
        except KeyboardInterrupt:
            self.clock.interrupt()
            self.clock.end(SCORING)
            if not self.results and not self._solved(candidates):
                raise
            if self._solved(candidates):
                self._score(candidates, more, every)

    def _score(self, candidates, more, which: list[int]) -> None:
        columns = more and {name: [column[i] for i in which] for name, column in more.items()}
        some = [candidates[i] for i in which]
        evaluate = self.evaluate if self.loop is None else self.loop
        self.results = evaluate(some, more_results=columns)
        progress = PROGRESS.get()
        if progress is not None and len(which) < len(candidates):
            told = _best_so_far(self.results)
            progress.step("scoring", which[-1] + 1, len(candidates), told)

    def _parts(self, candidates, size: int) -> list[list[int]]:
        """Return the numbers of candidates to score at a time, in order.

        Solved ones come in ever larger parts: they take little time.
        """
        parts: list[list[int]] = []
        before: bool | None = None
        for i, params in enumerate(candidates):
            solved = self._solved([params])
            if solved != before:
                most = size
            if solved == before and (len(parts[-1]) < most or (solved and self.whole)):
                parts[-1].append(i)
            else:
                most = 2 * most if solved else size
                parts.append([i])
            before = solved
        return parts

    def _solved(self, candidates) -> bool:
        return self.run is not None and self.run.solved(candidates)


def _best_so_far(results: dict[str, Any]) -> str:
    """Return the best mean score (of the first of several scores), or ""."""
    name = next((name for name in results if name.startswith("mean_test_")), "")
    means = np.asarray(results[name])[~np.isnan(results[name])] if name else []
    return f"best {name.removeprefix('mean_test_')} {max(means):.6g}" if len(means) else ""
