"""Candidates that differ in a pipeline's last step only get the same transformed rows.

scikit-learn's search fits every transformer once a candidate and fold. Here the first candidate of
a fold has them fitted, and the others with the same transformers get what these returned: the same
numbers, since fits that draw random numbers are told by the state of the generators, and are left
to each candidate. Rows that there is no room for are not kept.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import _routing_enabled

from skbamm.faults import from_signal
from skbamm.search.keys import candidate_key
from skbamm.search.known_rows import KnownRows, for_model, random_state
from skbamm.search.room import Room, held_bytes

# Bytes of transformed rows: of a search, and of each worker, which keeps them until it is asked
# for another search's.
_MOST, _MOST_OF_WORKER = 1 << 30, 1 << 27
_EVER = 1 << 30  # candidates, where nobody knows how many there will be

_in_worker: tuple[str, SharedSteps] | None = None
_worker_lock = threading.Lock()


class SharedSteps:
    """Fitted transformers, and the rows that they returned, by their setting and the fold.

    Parameters
    ----------
    uses : dict of str -> int
        How many candidates have a setting, of those that several have.
    n_bytes : int
        That the rows may take.

    Attributes
    ----------
    one_set : bool
        Whether the rows that are scored in a fold are always the same.
    """

    def __init__(self, uses: dict[str, int], n_bytes: int = _MOST):
        self.uses, self._n_bytes, self.one_set = uses, n_bytes, False
        self._token = uuid.uuid4().hex
        self._lock = threading.Lock()
        self.clear()

    def __reduce__(self):
        return _of_worker, (self._token, self.uses, self.one_set)

    def clear(self) -> None:
        """Let go of all rows."""
        self.room = Room(self._n_bytes)
        self._places: dict[tuple[str, int], _Place] = {}

    def fit(self, pipeline, params, fold, rows_of, y, fit_params) -> KnownRows | None:
        """Fit a pipeline in place, its transformers once for all candidates.

        ``rows_of`` returns the rows to train on.

        Returns
        -------
        KnownRows or None
            None, and nothing is fitted, where the pipeline's own fit is to do it.
        """
        if fold is None or not self.uses or not can_share(pipeline):
            return None
        setting = setting_of(pipeline, params)
        uses = self.uses.get(setting, 0)
        if not uses or (fit_params and _routing_enabled()):
            return None
        with self._lock:
            new = _Place(self.room, uses, self.one_set)
            place = self._places.setdefault((setting, fold), new)
        prefix = f"{pipeline.steps[-1][0]}__"
        own = {n.removeprefix(prefix): v for n, v in fit_params.items() if n.startswith(prefix)}
        given = {n: v for n, v in fit_params.items() if not n.startswith(prefix)}
        shared = place.take(pipeline, rows_of, y, given)
        if shared is None:
            return None
        steps, rows, known = shared
        last = pipeline.steps[-1]
        pipeline.steps = [*steps, last]
        last[1].fit(for_model(last[1], rows), y, **own)
        return known


class _Place:
    """What one fold's transformers of one setting returned, if it is known."""

    def __init__(self, room: Room, uses: int, one_set: bool):
        self._room, self._uses, self._one_set = room, uses, one_set
        self._lock = threading.Lock()
        self._served, self._own, self._taken = 0, False, 0
        self._kept: tuple[list, Any, KnownRows] | None = None

    def take(self, pipeline, rows_of, y, fit_params) -> tuple[list, Any, KnownRows] | None:
        """Return fitted steps, the rows that they return and those that they are known to return.

        None where each candidate is to fit its own.
        """
        with self._lock:
            if self._own:
                return None
            found = self._kept or self._fit(pipeline, rows_of, y, fit_params)
            self._served += 1
            if self._kept is not None and self._served >= self._uses:
                self._kept[2].close()
                self._room.give_back(self._taken)
                self._kept, self._served = None, 0
            return found

    def _fit(self, pipeline, rows_of, y, fit_params):
        # A last step that does nothing lets the others be cached in the pipeline's memory.
        steps = [(name, clone(step, safe=False)) for name, step in pipeline.steps[:-1]]
        steps.append((pipeline.steps[-1][0], "passthrough"))
        X, before = rows_of(), random_state()
        head = Pipeline(steps, memory=pipeline.memory)
        try:
            rows = head.fit_transform(X, y, **fit_params)
        except Exception as error:
            if from_signal(error):
                raise
            self._own = True  # the pipeline's own fit will say the same, in its own words
            return None
        known = KnownRows(head[:-1], self._room, self._one_set)
        found = head.steps[:-1], rows, known
        drew, n_bytes = random_state() != before, held_bytes((head.steps, rows))
        if drew or not self._room.take(n_bytes):
            known.close()
            self._own = True
        else:
            self._taken, self._kept = n_bytes or 0, found
        return found


def can_share(estimator: Any) -> bool:
    """Whether candidates of an estimator may share what its transformers return."""
    if not of_pairs(estimator):
        return False
    *first, last = (step for _, step in estimator.steps)
    transforms = any(step is not None and not isinstance(step, str) for step in first)
    plain = not estimator.verbose and estimator.transform_input is None
    return transforms and plain and hasattr(last, "fit")


def of_pairs(estimator: Any) -> bool:
    """Whether it is a pipeline of more than a model, as far as the form of its steps goes."""
    if type(estimator) is not Pipeline or not isinstance(estimator.steps, list):
        return False
    pairs = all(isinstance(one, tuple) and len(one) == 2 for one in estimator.steps)
    return pairs and len(estimator.steps) > 1


def setting_of(pipeline: Pipeline, params: dict[str, Any]) -> str:
    """Return a key of what a candidate sets before the last step."""
    last = pipeline.steps[-1][0]
    prefix = f"{last}__"
    rest = {n: v for n, v in params.items() if n != last and not n.startswith(prefix)}
    return candidate_key(rest) if rest else ""


def shared_settings(combinations: list) -> dict[str, int]:
    """Return how many candidates have a setting of the transformers, of those that several have."""
    uses: Counter[str] = Counter()
    for one in combinations:
        estimator = one.target.estimator
        if one.holder is None and can_share(estimator):
            uses[setting_of(estimator, one.params)] += _EVER if one.all_axes else 1
    return {setting: count for setting, count in uses.items() if count > 1}


def note_shared(plan: list[dict[str, Any]], combinations: list, uses: dict[str, int]) -> None:
    """Say in the plan which values that are enumerated share their transformers' fits."""
    names: set[str] = set()
    for one in combinations:
        estimator = one.target.estimator
        if can_share(estimator) and setting_of(estimator, one.params) in uses:
            names.update(one.params)
    for row in plan:
        if row["role"] == "enumerated" and row["parameter"] in names:
            row["reason"] += "; transformers that draw no random numbers are fitted once a fold"


def _of_worker(token: str, uses: dict[str, int], one_set: bool) -> SharedSteps:
    """Return what a worker knows of a search."""
    global _in_worker
    with _worker_lock:
        if _in_worker is None or _in_worker[0] != token:
            shared = SharedSteps(uses, _MOST_OF_WORKER)
            shared._token, shared.one_set = token, one_set
            _in_worker = token, shared
        return _in_worker[1]
