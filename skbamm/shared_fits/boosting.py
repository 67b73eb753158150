"""Gradient boosting: the stages of the longest fit hold those of shorter ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

from skbamm._sklearn_compat import num_samples, staged_raw, with_raw
from skbamm.shared_fits.base import NotShared, SharedFits, fitted, is_reproducible, take_fitted

_RANDOM = "random_state is neither a number nor a generator, so every fit differs"
_STOPS = "early stopping depends on the number of iterations"


@dataclass(eq=False)
class Stages:
    """A model of the most stages.

    Attributes
    ----------
    model : estimator
    counts : set of int
        Numbers of stages of the candidates.
    """

    model: Any
    counts: set[int]


class _SharedStages(SharedFits):
    """The common part of both kinds of boosting."""

    answers: tuple[str, ...] = ("predict", "predict_proba", "decision_function")

    def begin(self, models, X, y, fit_params):
        """Fit the most stages."""
        (name,) = self.parameters
        counts = {getattr(model, name) for model in models}
        widest = clone(models[0]).set_params(**{name: max(counts)})
        return Stages(fitted(widest, X, y, fit_params), counts)

    def precompute(self, state, model, X):
        """Return sums over the first stages, by their number."""
        stages = enumerate(staged_raw(state.model, X), 1)
        return {i: raw for i, raw in stages if i in state.counts}

    def answer(self, state, model, name, known, X, own: Callable, **options):
        """Return the result of a model's own method from the sum."""
        (count,) = self.parameters
        plain = with_raw(own(), known[getattr(model, count)])
        return getattr(plain, name)(X)


class SharedStages(_SharedStages):
    """GradientBoosting, whose random numbers are drawn stage by stage."""

    estimator_types = (GradientBoostingClassifier, GradientBoostingRegressor)
    parameters = ("n_estimators",)

    def mismatch(self, estimator):
        """Every fit must draw the same numbers, and stop at no other stage than the last."""
        init = estimator.init
        drawn = hasattr(init, "random_state") and not is_reproducible(init)
        if drawn or not is_reproducible(estimator):
            return _RANDOM
        return "" if estimator.n_iter_no_change is None else _STOPS

    def begin(self, models, X, y, fit_params):
        """Fit the most stages, without a function of the user's that may stop them."""
        if "monitor" in fit_params:
            raise NotShared("a monitor")
        return super().begin(models, X, y, fit_params)

    def serve(self, state, model):
        """Give a model its first stages, and what was noted of them."""
        take_fitted(model, state.model)
        count = model.n_estimators
        model.n_estimators_ = count
        for name in ("estimators_", "train_score_", "oob_improvement_", "oob_scores_"):
            if hasattr(state.model, name):
                setattr(model, name, getattr(state.model, name)[:count])
        if hasattr(model, "oob_scores_"):
            model.oob_score_ = model.oob_scores_[-1]


class SharedHistograms(_SharedStages):
    """HistGradientBoosting, which draws random numbers of many rows or of some features only."""

    estimator_types = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    parameters = ("max_iter",)
    stops_from = 10_001  # rows, with early_stopping="auto"
    draws_from = 200_001  # rows: it finds its bins from 200,000 of them

    def mismatch(self, estimator):
        """No fit may stop early; features that are drawn must be the same."""
        if estimator.early_stopping is True:
            return _STOPS
        draws = getattr(estimator, "max_features", 1.0) < 1.0  # from 1.4 on
        return _RANDOM if draws and not is_reproducible(estimator) else ""

    def begin(self, models, X, y, fit_params):
        """Fit the most stages, if no fit stops early with so many rows."""
        n_rows, first = num_samples(X), models[0]
        if first.early_stopping == "auto" and n_rows >= self.stops_from:
            raise NotShared(_STOPS)
        if n_rows >= self.draws_from and not is_reproducible(first):
            raise NotShared(_RANDOM)
        return super().begin(models, X, y, fit_params)

    def serve(self, state, model):
        """Give a model its first stages."""
        take_fitted(model, state.model)
        model._predictors = state.model._predictors[: model.max_iter]
