"""The interface of families of estimators in which several candidates share one fit."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from skbamm.hyperparameter import Hyperparameter


class NotShared(Exception):
    """Raised where a candidate is to have its own fit after all."""


class SharedFits:
    """How candidates that differ in some parameters share one fit of an estimator.

    Each candidate must be, to rounding, what its own fit would be: what cannot be so is a mismatch,
    or raises ``NotShared``. A family holds no state of a search.

    Attributes
    ----------
    estimator_types : tuple of type
        The classes that it stands for; a subclass of these may do anything.
    parameters : tuple of str
        In which candidates may differ.
    answers : tuple of str
        Methods of a model that ``answer`` replaces where rows have been seen before.
    told : str
        The reason in the plan, with ``{}`` for the name of the class.
    intervals : tuple of Hyperparameter
        Numbers of which an interval may be given: the scorer judges values from end to end of it,
        and then values ever closer to the best.
    """

    estimator_types: tuple[type, ...] = ()
    parameters: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    told: str = "one fit of {} per fold is shared by all values"
    intervals: tuple[Hyperparameter, ...] = ()

    def mismatch(self, estimator: Any) -> str:
        """Return why candidates cannot share fits with this setting.

        Parameters
        ----------
        estimator : estimator
            One candidate, whose parameters are valid.

        Returns
        -------
        str
            "" if they can.
        """
        return ""

    def judges(self, estimator: Any) -> tuple[tuple[Hyperparameter, ...], str]:
        """Return which intervals may be given with an estimator's settings, and why not others.

        Parameters
        ----------
        estimator : estimator
            As the user set it, not fitted.

        Returns
        -------
        hyperparameters : tuple of Hyperparameter
            Those that may be given.
        reason : str
            Why others may not; "" if there is nothing to say.
        """
        return self.intervals, ""

    def nearly_free(self, n_rows: int) -> str:
        """Return a parameter whose values take next to no time once what they share is known.

        Parameters
        ----------
        n_rows : int
            Of all folds together.

        Returns
        -------
        str
            "" if there is none.
        """
        return ""

    def begin(self, models: list[Any], X: Any, y: Any, fit_params: dict[str, Any]) -> Any:
        """Fit what candidates share on some training rows.

        Parameters
        ----------
        models : list of estimator
            All candidates, not fitted.
        X : array-like of shape (n_samples, n_features)
            The training rows, as ``fit`` takes them.
        y : array-like or None
            Their target.
        fit_params : dict of str -> object
            Further arguments of ``fit``.

        Returns
        -------
        object
            The state that ``serve`` needs; by default the fitted result of ``widest``.
        """
        return fitted(self.widest(models), X, y, fit_params)

    def widest(self, models: list[Any]) -> Any:
        """Return a model, not fitted, whose fit has what every candidate needs."""
        return clone(models[0])

    def serve(self, state: Any, model: Any) -> None:
        """Give a model what its own fit would give it.

        Parameters
        ----------
        state : object
            What ``begin`` returned.
        model : estimator
            A candidate, not fitted.
        """
        take_fitted(model, state)

    def view(self, model: Any) -> Hashable:
        """Return a key that differs between candidates with different ``precompute``."""
        return ()

    def precompute(self, state: Any, model: Any, X: Any) -> Any:
        """Return what candidates with this model's view share of their answers for some rows."""

    def answer(
        self, state: Any, model: Any, name: str, known: Any, X: Any, own: Callable, **options: Any
    ) -> Any:
        """Return the result of a method for rows whose ``known`` was computed before.

        Parameters
        ----------
        state : object
            What ``begin`` returned.
        model : estimator
            As ``serve`` left it.
        name : str
            One of ``answers``.
        known : object
            What ``precompute`` returned.
        X : array-like
            The rows.
        own : callable
            Returns the model as ``serve`` left it, with nothing replaced.
        **options : dict
            Other arguments of the method.

        Returns
        -------
        object
            What the model's own method would return.
        """
        raise NotImplementedError

    def takes(self, name: str, options: dict[str, Any]) -> bool:
        """Whether ``answer`` knows a method's further arguments."""
        return not options


def fitted(model: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> Any:
    """Return a model after its fit."""
    if y is None:
        return model.fit(X, **fit_params)
    return model.fit(X, y, **fit_params)


def take_fitted(model: Any, source: Any) -> None:
    """Give a model the attributes that another one's fit has set."""
    given = source.get_params(deep=False)
    vars(model).update({name: v for name, v in vars(source).items() if name not in given})


def is_reproducible(estimator: Any) -> bool:
    """Whether every fit of clones of an estimator draws the same random numbers."""
    seed = estimator.random_state
    return isinstance(seed, (Integral, np.random.RandomState))
