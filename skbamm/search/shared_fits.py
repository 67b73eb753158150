"""Candidates of a list that share one fit in each fold.

The first of them that is fitted in a fold has what all of them share computed; the others take
what their own fits would have given them. What they answer for the rows that are scored is shared
too: rows are known again, as those of transformers are.
"""

from __future__ import annotations

import copy
import functools
import os
import threading
import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone

from skbamm.faults import from_signal
from skbamm.models import last_step, step_prefix
from skbamm.search.keys import candidate_key
from skbamm.search.transforms.known_rows import same_rows
from skbamm.search.transforms.room import Room, held_bytes
from skbamm.search.transforms.shared_steps import can_share
from skbamm.shared_fits import NotShared, SharedFits, find_shared_fits, fitted
from skbamm.space import Combination

_SETS = 2  # of rows that are kept: those of the test, and of the training for its scores
_SHARE_OF_MEMORY, _LEAST = 0.25, 1 << 30  # limit of the fits of all groups and folds


@dataclass(eq=False)
class SharedGroup:
    """Candidates that differ only in parameters for which one fit suffices.

    Attributes
    ----------
    family : SharedFits
    models : list of estimator
        The candidates' models, not fitted.
    names : set of str
        The parameters that differ among them, by their names in the grid.
    alone : bool
        Whether the models are in no pipeline.
    """

    family: SharedFits
    alone: bool
    models: list[Any] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class SharedLists:
    """The groups of a list's candidates, and what each group shares in each fold.

    Parameters
    ----------
    combinations : list of Combination
    """

    def __init__(self, combinations: list):
        self.groups: dict[str, SharedGroup] = {}  # by the candidate
        self.reasons: dict[str, str] = {}  # why a parameter's values do not share, by its name
        self.one_set = False
        self.covers_all = bool(combinations)
        self._judged: dict[str, str] = {}  # intervals whose values share fits, and how
        self._left = False  # whether every candidate has its own fit
        self._places: dict[tuple[int, int], _Place] = {}
        self._room = Room(_most_bytes())
        self._lock = threading.Lock()
        self._find([(one, one.params) for one in combinations if not one.all_axes])
        for one in (one for one in combinations if one.all_axes):
            self._expect(one)

    def __reduce__(self):
        return SharedLists, ([],)  # workers have processes of their own

    def __bool__(self):
        """Whether candidates share fits, or those of intervals may be going to."""
        return not self._left and (bool(self.groups) or bool(self._judged))

    def add(
        self, combination: Combination, candidates: list[dict[str, Any]], own: bool = False
    ) -> None:
        """Let candidates of intervals share fits among them, if the scorer judges these.

        ``own`` tells that they are left to own fits, although there is a twin.
        """
        if (self._judged or own) and not self._left:
            self._find([(combination, params) for params in candidates], own)

    def is_nearly_free(self, combination: Combination, n_rows: int) -> bool:
        """Whether own fits for intervals share all but a small part of their work."""
        low = {axis.name: axis.low for axis in combination.all_axes}
        family, _, prefix = _family(combination, {**combination.params, **low}, own=True)
        if family is None or self._left:
            return False
        return prefix + family.nearly_free(n_rows) in low

    def leave(self, plan: list[dict[str, Any]], why: str) -> None:
        """Leave every candidate to its own fit, and say why in the plan."""
        self.groups.clear()
        self._left = True
        for row in plan:
            if row["role"] == "shared fits":
                more = row["reason"].partition("; ")[2]
                row.update(role="enumerated", reason="; ".join(filter(None, [why, more])))
            elif row["parameter"] in self._judged:
                row["reason"] = f"{why}; {row['reason'].partition('; ')[2]}"

    def begin_again(self) -> None:
        """Drop what is shared: all candidates are going to be fitted anew."""
        with self._lock:
            for place in self._places.values():
                place.close()
            self._places.clear()

    def fit(
        self, key: str, fold: int | None, model: Any, rows_of: Callable[[], Any], y: Any,
        fit_params: dict[str, Any],
    ) -> bool:  # fmt: skip
        """Fit a candidate's model in place; return whether that could be done.

        Parameters
        ----------
        key : str
            The candidate's.
        fold : int or None
        model : estimator
        rows_of : callable
            Returns the rows to train on.
        y, fit_params
            As its ``fit`` takes them.
        """
        group = self.groups.get(key)
        if group is None or fold is None:
            return False
        with self._lock:
            name = id(group), fold
            place = self._places.setdefault(name, _Place(group, self.one_set, self._room))
            place.asked += 1
            last = place.asked == len(group.models)
            if last:
                del self._places[name]  # models keep what they need
        done = place.fit(model, rows_of, y, fit_params)
        if last:
            place.close()
        return done

    def _expect(self, combination: Combination) -> None:
        """Note that the scorer will judge values of intervals, if these can share fits."""
        low = {axis.name: axis.low for axis in combination.all_axes}
        family, _, prefix = _family(combination, {**combination.params, **low})
        if family is None or not combination.is_judged:
            self.covers_all = False
            return
        told = family.told.format(type(last_step(combination.target.estimator)).__name__)
        self._judged |= {n: told for n in low if n.removeprefix(prefix) in family.parameters}

    def _find(
        self, candidates: list[tuple[Combination, dict[str, Any]]], own: bool = False
    ) -> None:
        found: dict[str, tuple[SharedGroup, list[str], list[dict[str, Any]]]] = {}
        for one, given in candidates:
            family, why, prefix = _family(one, given, own)
            if family is None:
                self.covers_all = False
                self._note(why, given)
                continue
            names = [prefix + name for name in family.parameters]
            rest = {name: value for name, value in given.items() if name not in names}
            group, keys, params = found.setdefault(
                candidate_key(rest), (SharedGroup(family, alone=not prefix), [], [])
            )
            group.models.append(_model(one, given))
            keys.append(candidate_key(given))
            params.append({name: given[name] for name in names if name in given})
        for group, keys, params in found.values():
            if len(group.models) < 2:
                self.covers_all = False
                continue
            self.groups.update(dict.fromkeys(keys, group))
            group.names = {name for one in params for name in one}

    def _note(self, why: str, params: dict[str, Any]) -> None:
        if why:
            self.reasons.update(dict.fromkeys(params, why))

    def note(self, plan: list[dict[str, Any]]) -> None:
        """Say in the plan which values share fits, and why others do not."""
        names = {name: group for group in self.groups.values() for name in group.names}
        for row in plan:
            if row["role"] == "searched" and (told := self._judged.get(row["parameter"])):
                row["reason"] = f"{told}; {row['reason']}"
            if row["role"] != "enumerated":
                continue
            if row["parameter"] in names:
                group = names[row["parameter"]]
                more = row["reason"].partition("; ")[2]  # of transformers
                reason = group.family.told.format(type(group.models[0]).__name__)
                row.update(role="shared fits", reason="; ".join(filter(None, [reason, more])))
            elif why := self.reasons.get(row["parameter"]):
                row["reason"] = "; ".join(filter(None, [why, row["reason"].partition("; ")[2]]))


def _model(combination: Combination, params: dict[str, Any]) -> Any:
    """Return a candidate's model, not fitted."""
    estimator = combination.target.estimator
    model, prefix = last_step(estimator), step_prefix(estimator)
    names = [axis.name for axis in combination.all_axes if axis.name.startswith(prefix)]
    if not names:
        return model
    return clone(model).set_params(**{name.removeprefix(prefix): params[name] for name in names})


def _family(
    combination: Combination, params: dict[str, Any], own: bool = False
) -> tuple[SharedFits | None, str, str]:
    """Return the family of a candidate's model, or why it has none, and its prefix.

    ``own`` tells that the candidate is left to own fits.
    """
    estimator = combination.target.estimator
    alone, prefix = last_step(estimator) is estimator, step_prefix(estimator)
    searched = combination.all_axes and not (combination.is_judged or own)
    if combination.holder is not None or searched:
        return None, "", prefix
    if not alone and not can_share(estimator):
        return None, "", prefix
    if combination.target.twin is not None and not own:
        return None, "", prefix
    try:
        model = _model(combination, params)
        if not hasattr(model, "_parameter_constraints"):
            return None, "", prefix
        model._validate_params()
        family, why = find_shared_fits(model)
    except ValueError:  # its own fit says so
        return None, "", prefix
    return family, why, prefix


class _Place:
    """The state that a group shares in one fold."""

    def __init__(self, group: SharedGroup, one_set: bool, room: Room):
        self.group, self.one_set, self.asked = group, one_set, 0
        self._room, self._taken = room, 0
        self._lock = threading.Lock()
        self._begun, self._state, self._failed = False, None, False
        # Distances of rows to themselves may depend on that these are one object, as they are where
        # a model is scored on its training rows.
        self._trained: Any = None
        self._known: dict[Hashable, list[tuple[Any, Any]]] = {}

    def fit(self, model: Any, rows_of: Callable[[], Any], y: Any, fit_params: dict) -> bool:
        """Fit a model of the group in place; return whether that could be done."""
        family = self.group.family
        try:
            with self._lock:
                if self._failed:
                    return False
                if not self._begun:
                    self._begun = self._failed = True
                    rows = rows_of()
                    if self.group.alone and not self.one_set:
                        self._trained = rows
                    self._state = family.begin(self.group.models, rows, y, fit_params)
                    self._failed = not self._has_room()
                family.serve(self._state, model)
        except NotShared:
            return False
        except Exception as error:
            if from_signal(error):
                raise
            fitted(model, rows_of(), y, fit_params)  # which raises its own error
            _warn(error)
            return True
        for name in family.answers:
            if hasattr(type(model), name):
                vars(model)[name] = Answer(model, name, self)
        return True

    def _has_room(self) -> bool:
        """Whether further candidates may share fits, or all have own fits."""
        n_bytes = held_bytes(self._state) or 0  # of the user's objects: not known
        fits = self._room.take(n_bytes)
        self._taken = n_bytes if fits else 0
        return fits

    def close(self) -> None:
        """Make room: the last candidate is served."""
        self._room.give_back(self._taken)
        self._taken = 0

    def answer(self, model: Any, name: str, X: Any, options: dict[str, Any]) -> Any:
        """Return the result of a model's method, with precomputed results of the rows."""
        family = self.group.family
        if self._trained is not None and same_rows(self._trained, X):
            X = self._trained

        def own() -> Any:
            plain = copy.copy(model)
            for one in family.answers:
                vars(plain).pop(one, None)
            return plain

        try:
            known = self._precomputed(family, model, X)
            return family.answer(self._state, model, name, known, X, own, **options)
        except Exception as error:
            if from_signal(error):
                raise
            found = getattr(own(), name)(X, **options)  # which raises its own error
            _warn(error)
            return found

    def _precomputed(self, family: SharedFits, model: Any, X: Any) -> Any:
        with self._lock:
            sets = self._known.setdefault(family.view(model), [])
            known = next((k for rows, k in sets if self.one_set or same_rows(rows, X)), None)
            if known is None:
                known = family.precompute(self._state, model, X)
                del sets[: len(sets) - _SETS + 1]
                sets.append((None if self.one_set else X, known))
            return known


def _most_bytes() -> int:
    """Return the bytes that shared fits may take: a quarter of the machine's, or 1 GiB."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        return _LEAST
    return max(_LEAST, int(_SHARE_OF_MEMORY * memory))


def _warn(error: Exception) -> None:
    """Warn of an error that the estimator itself does not make: a fault of this package."""
    warnings.warn(
        f"Fits could not be shared ({type(error).__name__}: {error}); scikit-learn's own are used.",
        RuntimeWarning,
        stacklevel=2,
    )


class Answer:
    """A model's method that reuses results for rows that other candidates predicted.

    Parameters
    ----------
    model : estimator
    name : str
        The method's.
    place : _Place, optional
        Without it, it is the model's own method.
    """

    def __init__(self, model: Any, name: str, place: _Place | None = None):
        functools.update_wrapper(self, getattr(type(model), name))
        self._model, self._name, self._place = model, name, place

    def __call__(self, X: Any = None, *arguments: Any, **options: Any) -> Any:
        """Call the method."""
        place = self._place
        if place is None or X is None or arguments or not place.group.family.takes(
            self._name, options
        ):  # fmt: skip
            return getattr(type(self._model), self._name)(self._model, X, *arguments, **options)
        return place.answer(self._model, self._name, X, options)

    def __reduce__(self):
        return Answer, (self._model, self._name)
