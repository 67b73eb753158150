"""Passes solved models through scikit-learn's search.

``BaseSearchCV.fit`` clones an estimator, sets its parameters, fits it on each fold and scores
it. Here that estimator is a stand-in for the user's: its fit looks up the solution of its
parameters and fold, or runs the user's own fit without one.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skbamm.data.far_rows import with_rows_at_home
from skbamm.models import last_step
from skbamm.search.bank import Bank, own_fit
from skbamm.search.keys import OWN_SCORE, candidate_key
from skbamm.search.transforms.shared_steps import SharedSteps, of_pairs, sharing_part

_CONTEXT = "_parent_callback_ctx"  # where scikit-learn stores the callback context
_CONSTANT = (str, bytes, int, float, complex, type(None), np.generic)
_NAMED: dict[tuple[str, str], type[StandIn]] = {}
FOLD = "_skbamm_fold"  # fit parameter that holds the rows of the fold


class StandIn:
    """Delegates to the user's estimator, except for fits that the bank holds.

    Parameters
    ----------
    estimator : estimator
        The user's, or a clone.
    bank : Bank
        Shared by all clones.
    users : bool
        Whether it is the user's.
    """

    known_scores: dict[str, float] = {}
    known_responses: dict[str, Any] = {}
    seconds = 0.0  # that the fit took before it was asked for

    def __init__(self, estimator: Any, bank: Bank, users: bool = False):
        self.estimator, self.bank, self._users = estimator, bank, users
        self.params: dict[str, Any] = {}
        self._known_rows: Any = None  # rows of this fold that need not be transformed again
        # Transformers that a fit will replace need no copies: the clones of a clone of the user's
        # own have its transformers in common, until one of them is to have its own.
        self._lends = self._borrows = self._fitted = False

    @property  # type: ignore[misc]
    def __class__(self):
        # Scorers may check the type: isinstance(stand_in, Pipeline) must hold.
        return type(self.estimator)

    def __reduce__(self):
        return _restore, (self.estimator, self.bank, self.params, self._borrows)

    def __sklearn_clone__(self):
        if self.bank.idle:
            return clone(self.estimator)
        if not self._lends or self._fitted:
            made = stand_in_for(clone(self.estimator), self.bank)
            made._lends = self._users and of_pairs(self.estimator)
            return made
        return self._with_last(partial(clone, safe=False))

    def for_fold(self):
        """Return another one of the same parameters, to be fitted once: sooner than a clone.

        Where the model is in a pipeline that borrows its transformers, or stands alone, and its
        parameters are values that cannot change, it is copied as it is.
        """
        last = last_step(self.estimator)
        if not all(isinstance(value, _CONSTANT) for value in vars(last).values()):
            made = clone(self)
        elif last is self.estimator:
            made = stand_in_for(copy.copy(last), self.bank)
        elif self._borrows:
            made = self._with_last(copy.copy)
        else:
            made = clone(self)
        made.params = self.params
        return made

    def _with_last(self, copied):
        """Return a stand-in that borrows the transformers, and has the last step copied."""
        *first, (name, last) = self.estimator.steps
        pipeline = Pipeline.__new__(Pipeline)
        vars(pipeline).update(vars(self.estimator))
        pipeline.steps = [*first, (name, copied(last))]
        made = stand_in_for(pipeline, self.bank)
        made._borrows = True
        return made

    def __sklearn_is_fitted__(self):
        try:
            check_is_fitted(self.estimator)
        except NotFittedError:
            return False
        return True

    def __sklearn_tags__(self):
        return get_tags(self.estimator)

    def __repr__(self):
        return repr(self.estimator)

    def __getattr__(self, name):
        if name == "estimator" or name.startswith("__"):
            raise AttributeError(name)
        if name == "score" and OWN_SCORE in self.known_scores:
            return lambda *_, **__: self.known_scores[OWN_SCORE]
        found, known = getattr(self.estimator, name), vars(self).get("_known_rows")
        if known is not None:
            found = known.response(self.estimator, name, found)
        return with_rows_at_home(found) if self.bank.far and callable(found) else found

    def get_params(self, deep=True):
        """Return the user's estimator's parameters."""
        return self.estimator.get_params(deep)

    def whole(self):
        """Return the estimator with every part its own."""
        if self._borrows:
            before, self.estimator = vars(self.estimator), clone(self.estimator)
            self._borrows = False
            if _CONTEXT in before:
                vars(self.estimator)[_CONTEXT] = before[_CONTEXT]
        return self.estimator

    def own_fit(self, fold, X, y, fit_params):
        """Run the estimator's own fit."""
        own_fit(self.whole(), X, y, fit_params)

    def set_params(self, **params):
        """Set them, and remember which candidate this is."""
        holder = self.bank.holders.get(candidate_key(params)) if self.bank.holders else None
        prefix = f"{self.estimator.steps[-1][0]}__" if self._borrows else ""
        if holder is None and prefix and all(name.startswith(prefix) for name in params):
            own = {name.removeprefix(prefix): value for name, value in params.items()}
            self.estimator.steps[-1][1].set_params(**own)
        else:
            vector = "" if holder is None else holder.axis.name
            self.whole().set_params(**{n: v for n, v in params.items() if n != vector})
            if holder is not None:
                self.estimator = holder.hold(self.estimator, params[vector])
        self.params = params
        return self

    def fit(self, X, y=None, **fit_params):
        """Take the solution of this candidate and fold, or fit."""
        if self.bank.replay is not None:
            fitted = next(self.bank.replay)
            self.estimator, self._known_rows = fitted.estimator, fitted._known_rows
            self.known_scores, self.known_responses = fitted.known_scores, {}
            return self
        place = fit_params.pop(FOLD, None)
        if self._fitted:  # a scorer fits again: what others have in common stays as it is
            self.estimator, self._borrows = clone(self.estimator), False
        self._fitted = True
        own = vars(self)
        if _CONTEXT in own:
            vars(self.estimator)[_CONTEXT] = own[_CONTEXT]
        try:
            self._known_rows = self.bank.fit(self, place, X, y, fit_params)
        finally:
            vars(self.estimator).pop(_CONTEXT, None)
        return self


class PipelineStandIn(StandIn):
    """A stand-in whose steps can be counted and taken out, as scorers may."""

    def __len__(self):
        return len(self.estimator)

    def __getitem__(self, index):
        return self.estimator[index]


class TargetStandIn(StandIn):
    """A stand-in for a TransformedTargetRegressor, whose pipeline may contain another stand-in."""

    def own_fit(self, fold, X, y, fit_params):
        """Run the estimator's own fit, in which the transformers of its pipeline may be shared."""
        part = sharing_part(self.estimator, self.params)
        if part is None or fold is None or not self.bank.shared.uses:
            super().own_fit(fold, X, y, fit_params)
            return
        pipeline, params = part
        inside: Any = InsideBank(self.bank.shared, params, fold)
        self.estimator.regressor = stand_in_for(pipeline, inside)
        try:
            super().own_fit(fold, X, y, fit_params)
        finally:
            self.estimator.regressor = pipeline


class InsideBank:
    """Fits the pipeline in a TransformedTargetRegressor; the arguments are SharedSteps.fit's."""

    holders: dict = {}
    idle = far = False
    replay = None

    def __init__(self, shared: SharedSteps, params: dict[str, Any], fold: int):
        self.shared, self.params, self.fold = shared, params, fold

    def fit(self, stand_in, place, X, y, fit_params):
        """Fit the pipeline, and return what its transformers are known to return."""
        pipeline = stand_in.whole()
        known = self.shared.fit(pipeline, self.params, self.fold, lambda: X, y, fit_params)
        if known is None:
            own_fit(pipeline, X, y, fit_params)
        return known


def users_own(estimator: Any) -> Any:
    """Return the estimator that a stand-in replaces; any other estimator itself."""
    return estimator.estimator if issubclass(type(estimator), StandIn) else estimator


def stand_in_for(estimator: Any, bank: Bank, users: bool = False) -> StandIn:
    """Return a stand-in of the kind that ``estimator`` needs."""
    kind: type[StandIn] = StandIn
    if isinstance(estimator, Pipeline):
        kind = PipelineStandIn
    elif type(estimator) is TransformedTargetRegressor:
        kind = TargetStandIn
    if users:  # scikit-learn's messages name the type of the user's estimator
        kind = _named(kind, type(estimator).__name__)
    return kind(estimator, bank, users)


def _named(kind: type[StandIn], name: str) -> type[StandIn]:
    """Return the kind under another name."""
    if (kind.__name__, name) not in _NAMED:
        _NAMED[kind.__name__, name] = type(name, (kind,), {})
    return _NAMED[kind.__name__, name]


def _restore(estimator, bank, params, borrows):
    stand_in = stand_in_for(estimator, bank)
    stand_in.params, stand_in._borrows = params, borrows
    return stand_in


class FrozenSplits:
    """Splits that were drawn once, whatever the splitter's random state.

    Parameters
    ----------
    cv : splitter
        The user's; still queried for its number of splits, so that a splitter which contradicts
        itself is detected.
    splits : list of (train, test)
    """

    def __init__(self, cv: Any, splits: list):
        self.cv, self.splits = cv, splits

    def __reduce__(self):
        # scikit-learn sends its caller, and so this, to the workers with every task.
        return _no_splits, (type(self), self.cv)

    def split(self, X=None, y=None, **params):
        """Return the splits."""
        return iter(self.splits)

    def get_n_splits(self, X=None, y=None, **params):
        """Return the number of splits of the user's splitter."""
        return self.cv.get_n_splits(X, y, **params)


def _no_splits(kind, cv):
    frozen = object.__new__(kind)
    frozen.cv, frozen.splits = cv, []
    return frozen


class ScoringSplits(FrozenSplits):
    """The same test rows, and in place of the training rows two that spell the fold's number.

    A solved model needs no training rows, and copying them would cost more than all else.
    """

    @classmethod
    def of(cls, frozen: FrozenSplits, n_rows: int) -> ScoringSplits:
        """Return those of splits of so many rows."""
        splits = enumerate(frozen.splits)
        coded = [(np.array([k % n_rows, k // n_rows]), test) for k, (_, test) in splits]
        return cls(frozen.cv, coded)
