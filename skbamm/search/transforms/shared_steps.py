"""Candidates with equal settings of a pipeline's first steps share the transformed rows.

scikit-learn's search fits every transformer once a candidate and fold. Here the first candidate of
a fold has them fitted, and others with the same transformers reuse the results: the same
numbers, since fits that draw random numbers change the state of the generators, and are left
to each candidate. Rows that exceed the memory limit are not kept.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from skbamm._sklearn_compat import routing_enabled
from skbamm.faults import from_signal
from skbamm.search.keys import candidate_key
from skbamm.search.transforms.exchange import Exchange
from skbamm.search.transforms.known_rows import (
    KnownRows,
    for_model,
    overwrites,
    random_state,
    same_rows,
    set_random_state,
)
from skbamm.search.transforms.room import Room, held_bytes

# Bytes of transformed rows: of a search, and of each worker, which keeps them until it is asked
# for another search's.
_MOST, _MOST_OF_WORKER = 1 << 30, 1 << 27
_EVER = 1 << 30  # candidates, where nobody knows how many there will be

Setting = tuple[int, str]  # how many steps, and how they are set

_in_worker: tuple[str, SharedSteps] | None = None
_worker_lock = threading.Lock()


@dataclass(frozen=True)
class FittedSteps:
    """The first steps of a pipeline, fitted on a fold's training rows.

    Attributes
    ----------
    steps : list of (name, transformer)
    rows : array-like
        The transformed training rows.
    known : KnownRows
        Known transformed other rows.
    y : array-like
        The target that they were fitted to.
    drew : bool
        Whether they drew random numbers for it, so that another fit would have other rows.
    told : bool
        Whether other workers have them, too.
    """

    steps: list[tuple[str, Any]]
    rows: Any
    known: KnownRows
    y: Any
    drew: bool
    told: bool = False


class SharedSteps:
    """Fitted transformers, and the rows that they returned, by their setting and the fold.

    Parameters
    ----------
    uses : dict of Setting -> int
        How often each setting that is worth keeping will be used in each fold.
    n_bytes : int
        That the rows may take.

    Attributes
    ----------
    one_set : bool
        Whether the rows that are scored in a fold are always the same.
    folder : str
        The folder in which workers store expensive results; "" for none.
    """

    def __init__(self, uses: dict[Setting, int], n_bytes: int = _MOST):
        self.uses, self.one_set = uses, False
        self.folder, self._exchange = "", Exchange()  # which is a worker's
        self.room = Room(n_bytes)
        self._counts = sorted({count for count, _ in uses}, reverse=True)
        self._token = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._places: dict[tuple[Setting, int], _Place] = {}

    def __reduce__(self):
        return _of_worker, (self._token, self.uses, self.one_set, self.folder)

    def fit(
        self, pipeline, params, fold, rows_of, y, fit_params, fit_model=None
    ) -> KnownRows | None:
        """Fit a pipeline in place, its transformers once for all candidates.

        ``rows_of`` returns the rows to train on. ``fit_model``, if given, may fit the last step:
        it takes that, a function that returns its rows, the target and fit parameters, and returns
        whether it has.

        Returns
        -------
        KnownRows or None
            None, and nothing is fitted, where the pipeline's own fit is to do it.
        """
        if fold is None or not self.uses or not can_share(pipeline):
            return None
        if fit_params and routing_enabled():
            return None
        last_name, last = pipeline.steps[-1]
        settings = [
            (count, setting_of(pipeline, params, count))
            for count in self._counts
            if count < len(pipeline.steps)
        ]
        settings = [one for one in settings if one in self.uses]
        if not settings:
            return None
        own = _of_steps(fit_params, [last_name])
        given = {name: v for name, v in fit_params.items() if name not in own}
        if len(_of_steps(given, [name for name, _ in pipeline.steps])) < len(given):
            return None  # which is an error, and the pipeline's own fit says so
        task = _Task(pipeline, fold, rows_of, y, given)
        found = self._take(settings, task)
        end = len(pipeline.steps) - 1
        if found is not None and len(found.steps) < end:  # the others are this candidate's own
            found = self._fit(end, found, task)
            if found is not None:
                found.known.close()
        if found is None:
            if task.states and random_state() != task.states[0]:
                set_random_state(task.states[0])  # the pipeline's own fit draws them again
            return None
        pipeline.steps = [*found.steps, pipeline.steps[-1]]
        prefix = f"{last_name}__"
        own = {n.removeprefix(prefix): v for n, v in own.items()}

        def rows() -> Any:
            return for_model(last, found.rows)

        if found.drew or fit_model is None or not fit_model(last, rows, y, own):
            last.fit(rows(), y, **own)
        return found.known

    def _take(self, settings: list[Setting], task: _Task) -> FittedSteps | None:
        """Return the fitted steps of the first of some settings; the others are of fewer steps."""
        first, *shorter = settings

        name = f"{first[0]}_{first[1]}_{task.fold}"

        def fitted() -> FittedSteps | None:
            if (told := self._exchange.get(name)) is not None:
                steps, rows, seen = told
                known = KnownRows(Pipeline(steps), self.room, self.one_set)
                return FittedSteps(steps, rows, known, seen, False, True)
            before, began = None, time.perf_counter()
            if shorter:
                before = self._take(shorter, task)
                if before is None:
                    return None
            found = self._fit(first[0], before, task)
            return self._tell(name, found, time.perf_counter() - began)

        with self._lock:
            new = _Place(self.room, self.uses[first])
            place = self._places.setdefault((first, task.fold), new)
        return place.take(fitted, task.y)

    def _tell(self, name, found: FittedSteps | None, seconds: float) -> FittedSteps | None:
        """Let other workers have what took long."""
        if found is None or found.drew or not self._exchange.folder:
            return found
        told = found.steps, found.rows, found.y
        n_bytes = held_bytes(told)
        if n_bytes is None or not self._exchange.pays(seconds, n_bytes):
            return found
        return replace(found, told=self._exchange.put(name, told))

    def _fit(self, end: int, before: FittedSteps | None, task: _Task) -> FittedSteps | None:
        """Fit the steps up to some on the rows that those before return; None if one fails."""
        pipeline, y = task.pipeline, task.y
        some = pipeline.steps[0 if before is None else len(before.steps) : end]
        # A last step that does nothing lets the others be cached in the pipeline's memory.
        steps = [(name, clone(step, safe=False)) for name, step in some]
        steps.append((pipeline.steps[-1][0], "passthrough"))
        head = Pipeline(steps, memory=pipeline.memory)
        rows = task.rows_of() if before is None else for_model(head, before.rows)
        params = _of_steps(task.fit_params, [name for name, _ in some])
        state = random_state()
        task.states.append(state)
        try:
            rows = head.fit_transform(rows, y, **params)
        except Exception as error:
            if from_signal(error):
                raise
            return None  # the pipeline's own fit will raise its own error
        known = KnownRows(head[:-1], self.room, self.one_set, before.known if before else None)
        drew = random_state() != state or (before is not None and before.drew)
        return FittedSteps(known.steps, rows, known, y, drew)


@dataclass(frozen=True)
class _Task:
    """A pipeline that is to be fitted in a fold; ``states`` are the generators' on the way."""

    pipeline: Pipeline
    fold: int
    rows_of: Callable[[], Any]
    y: Any
    fit_params: dict[str, Any]
    states: list[bytes] = field(default_factory=list)


class _Place:
    """Results of one fold's transformers of one setting, while they are kept."""

    def __init__(self, room: Room, uses: int):
        self._room, self._uses = room, uses
        self._lock = threading.Lock()
        self._served, self._own, self._taken = 0, False, 0
        self._kept: FittedSteps | None = None

    def take(self, fit: Callable[[], FittedSteps | None], y: Any) -> FittedSteps | None:
        """Return the fitted steps, those that are kept if they are; None: fit them yourself."""
        with self._lock:
            found = self._kept
            if self._own or (found is not None and not _same_target(found.y, y)):
                return None
            if found is None:
                found = fit()
                self._keep(found)
            self._served += 1
            if self._kept is not None and self._served >= self._uses:
                self._let_go(self._kept)
            return found

    def _keep(self, found: FittedSteps | None) -> None:
        n_bytes = None if found is None or found.drew else held_bytes((found.steps, found.rows))
        if n_bytes is not None and self._room.take(n_bytes):
            self._taken, self._kept = n_bytes, found
            return
        self._own = found is None or not found.told
        if found is not None:
            found.known.close()

    def _let_go(self, kept: FittedSteps) -> None:
        kept.known.close()
        self._room.give_back(self._taken)
        self._kept, self._served = None, 0


def _same_target(some: Any, other: Any) -> bool:
    """Whether two targets of the same rows are equal: one may be transformed at random."""
    return not isinstance(some, np.ndarray) or same_rows(some, other)


def can_share(estimator: Any) -> bool:
    """Whether candidates of an estimator may share what its transformers return."""
    if not of_pairs(estimator):
        return False
    *first, last = (step for _, step in estimator.steps)
    if not any(map(_transforms, first)) or not hasattr(last, "fit"):
        return False
    # Rows that transformers write into are seen by what scores them.
    return not (estimator.verbose or estimator.transform_input or overwrites(first))


def _transforms(step: Any) -> bool:
    return step is not None and not isinstance(step, str)


def of_pairs(estimator: Any) -> bool:
    """Whether it is a pipeline of more than a model, as far as the form of its steps goes."""
    if type(estimator) is not Pipeline or not isinstance(estimator.steps, list):
        return False
    pairs = all(isinstance(one, tuple) and len(one) == 2 for one in estimator.steps)
    return pairs and len(estimator.steps) > 1


def sharing_part(estimator: Any, params: dict[str, Any]) -> tuple[Pipeline, dict[str, Any]] | None:
    """Return the pipeline of an estimator whose transformers may be shared, and its parameters.

    The estimator itself, or a TransformedTargetRegressor's.
    """
    if can_share(estimator):
        return estimator, params
    if type(estimator) is not TransformedTargetRegressor or not can_share(estimator.regressor):
        return None
    # Other parameters than the regressor's change the target that all of its steps see.
    inside = "regressor__"
    own = {n if n.startswith(inside) else f"{inside}__{n}": value for n, value in params.items()}
    return estimator.regressor, {n.removeprefix(inside): value for n, value in own.items()}


def setting_of(pipeline: Pipeline, params: dict[str, Any], count: int) -> str:
    """Return a key of how a candidate sets the first steps of a pipeline, and the pipeline."""
    other = _of_steps(params, [name for name, _ in pipeline.steps[count:]])
    rest = {name: value for name, value in params.items() if name not in other}
    return candidate_key(rest) if rest else ""


def _of_steps(params: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the parameters that belong to some steps."""
    return {name: value for name, value in params.items() if name.partition("__")[0] in names}


def shared_settings(combinations: list) -> dict[Setting, int]:
    """Return the settings of transformers that are worth keeping, and how often each is used.

    Steps that several candidates share; of a pipeline's first steps those before
    several settings of the next ones.
    """
    candidates: Counter[Setting] = Counter()
    chains: list[tuple[int, list[Setting]]] = []
    for one in combinations:
        part = sharing_part(one.target.estimator, one.params)
        if one.holder is None and part is not None:
            pipeline, params = part
            weight = _EVER if one.all_axes else 1
            first = next(i for i, (_, step) in enumerate(pipeline.steps) if _transforms(step))
            counts = range(len(pipeline.steps) - 1, first, -1)
            chain = [(count, setting_of(pipeline, params, count)) for count in counts]
            chains.append((weight, chain))
            for setting in chain:
                candidates[setting] += weight
    uses: Counter[Setting] = Counter()
    known: set[tuple[Setting, Setting]] = set()
    for weight, chain in chains:
        longer, above = 1, None
        for setting in chain:
            if candidates[setting] > longer:
                if above is None:
                    uses[setting] += weight
                elif (above, setting) not in known:
                    uses[setting] += 1
                    known.add((above, setting))
                above = setting
            longer = candidates[setting]
    return dict(uses)


def note_shared(plan: list[dict[str, Any]], combinations: list, uses: dict[Setting, int]) -> None:
    """Say in the plan which values that are enumerated share their transformers' fits."""
    names: set[str] = set()
    for one in combinations:
        part = sharing_part(one.target.estimator, one.params)
        if part is not None:
            pipeline, params = part
            count = len(pipeline.steps) - 1
            if (count, setting_of(pipeline, params, count)) in uses:
                names.update(one.params)
    for row in plan:
        if row["role"] == "enumerated" and row["parameter"] in names:
            row["reason"] += "; transformers that draw no random numbers are fitted once a fold"


def _of_worker(token: str, uses: dict[Setting, int], one_set: bool, folder: str) -> SharedSteps:
    """Return a worker's state of a search."""
    global _in_worker
    with _worker_lock:
        if _in_worker is None or _in_worker[0] != token:
            shared = SharedSteps(uses, _MOST_OF_WORKER)
            shared._token, shared.one_set = token, one_set
            shared._exchange = Exchange(folder)
            _in_worker = token, shared
        return _in_worker[1]
