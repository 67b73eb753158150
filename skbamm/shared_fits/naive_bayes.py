"""Naive Bayes: classes are counted, or their means and variances taken, once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skbamm._sklearn_compat import safe_indexing, smooth_counts
from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits.base import NotShared, SharedFits, fitted, take_fitted

_MOST = 1 << 25  # log likelihoods that are kept: 256 MiB
_PART = 1 << 15  # numbers of a part of the rows, which stay in the processor's cache


class SharedCounts(SharedFits):
    """Counts of features and classes determine the model for every ``alpha`` and every prior."""

    estimator_types: tuple[type, ...] = (MultinomialNB, BernoulliNB, CategoricalNB)
    parameters: tuple[str, ...] = ("alpha", "force_alpha", "fit_prior", "class_prior")
    intervals = (Hyperparameter("alpha"),)

    def serve(self, state, model):
        """Smooth the counts."""
        take_fitted(model, state)
        smooth_counts(model)


class SharedComplementCounts(SharedCounts):
    """The same where weights may be normalised, too."""

    estimator_types = (ComplementNB,)
    parameters = (*SharedCounts.parameters, "norm")


@dataclass(eq=False)
class Moments:
    """Means and variances of classes, without smoothing.

    Attributes
    ----------
    model : GaussianNB
    most : float
        The largest variance of a feature.
    epsilons : list of float
        What the candidates add to the variances.
    """

    model: Any
    most: Any
    epsilons: list[Any]

    def variances(self, epsilon: Any) -> np.ndarray:
        """Return variances (n_classes, n_features) as a fit with some smoothing has them."""
        found = self.model.var_.copy()
        found += epsilon
        return found


@dataclass(eq=False)
class Likelihoods:
    """Quantities of some rows that candidates share, computed on first use.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_features)
    labels : ndarray of shape (n_epsilons, n_rows), or None
        Numbers of the likeliest classes.
    doubtful : ndarray of bool, the same
        Rows for which two classes are equally likely up to rounding.
    exact : ndarray of shape (n_epsilons, n_classes, n_rows), or None
        Log likelihoods of rows and classes, to the last digit.
    """

    rows: np.ndarray
    labels: Any = None
    doubtful: Any = None
    exact: Any = None


class SharedMoments(SharedFits):
    """Means and variances of classes determine the model for every ``var_smoothing``.

    Labels of all candidates come of one product of matrices. Probabilities are summed as
    scikit-learn sums them, so that equal rows keep equal scores, which matters to ranks.
    """

    estimator_types = (GaussianNB,)
    parameters = ("var_smoothing",)
    intervals = (Hyperparameter("var_smoothing"),)
    answers = ("predict", "predict_proba", "predict_log_proba")

    def begin(self, models, X, y, fit_params):
        """Fit without smoothing."""
        model = fitted(clone(models[0]).set_params(var_smoothing=0.0), X, y, fit_params)
        most = np.max(np.var(check_array(X), axis=0))
        if not np.isfinite(most):
            raise NotShared("a variance is too large for a number")
        return Moments(model, most, sorted({one.var_smoothing * most for one in models}))

    def serve(self, state, model):
        """Smooth the variances."""
        take_fitted(model, state.model)
        model.epsilon_ = model.var_smoothing * state.most
        model.var_ = state.variances(model.epsilon_)

    def precompute(self, state, model, X):
        """Take up some rows."""
        return Likelihoods(validate_data(state.model, X, reset=False))

    def answer(self, state, model, name, known, X, own, **options):
        """Return the likeliest classes, or probabilities."""
        at = state.epsilons.index(model.epsilon_)
        if name != "predict":
            if known.exact is None:
                known.exact = _exact(state, known.rows)
            likelihoods = known.exact[at].T
            logs = likelihoods - logsumexp(likelihoods, axis=1)[:, None]
            return logs if name == "predict_log_proba" else np.exp(logs)
        if known.labels is None:
            known.labels, known.doubtful = _likeliest(state, known.rows)
        found = model.classes_[known.labels[at]]
        rows = np.flatnonzero(known.doubtful[at])
        if rows.size:
            found[rows] = own().predict(safe_indexing(X, rows))
        return found


def _parts(rows: np.ndarray, width: int):
    step = max(1, _PART // width)
    for first in range(0, len(rows), step):
        yield slice(first, first + step)


def _exact(state: Moments, rows: np.ndarray) -> np.ndarray:
    """Return log likelihoods (n_epsilons, n_classes, n_rows) as GaussianNB computes them."""
    model = state.model
    shape = len(state.epsilons), len(model.classes_), len(rows)
    if math.prod(shape) > _MOST:
        raise NotShared("too many rows and classes")
    variances = [state.variances(one) for one in state.epsilons]
    constants = [[-0.5 * np.sum(np.log(2.0 * np.pi * v)) for v in some] for some in variances]
    found = np.empty(shape, dtype=np.result_type(model.theta_, rows))
    priors = np.log(model.class_prior_)
    for part in _parts(rows, rows.shape[1]):
        for c, mean in enumerate(model.theta_):
            squares = (rows[part] - mean) ** 2
            for i, some in enumerate(variances):
                sums = np.sum(squares / some[c], axis=1)
                found[i, c, part] = priors[c] + (constants[i][c] - 0.5 * sums)
    return found


def _likeliest(state: Moments, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of the likeliest classes (n_epsilons, n_rows), and which are in doubt."""
    model = state.model
    variances = np.stack([state.variances(one) for one in state.epsilons])
    n_epsilons, _, p = variances.shape
    labels = np.zeros((n_epsilons, len(rows)), dtype=np.intp)
    doubtful = np.empty(labels.shape, dtype=bool)
    rounding = 4 * (p + 10) * np.finfo(variances.dtype).eps  # of a sum of p terms, relative
    with np.errstate(all="ignore"):  # what is not finite is in doubt, and its own fit warns of it
        factors = -0.5 / variances
        logs, priors = 0.5 * np.log(2.0 * np.pi * variances), np.log(model.class_prior_)
        constants = priors - logs.sum(2)
        size = np.abs(constants).max() + np.abs(priors).max() + np.abs(logs).sum(2).max()
        for part in _parts(rows, max(n_epsilons, p)):
            some, likeliest = rows[part], labels[:, part]
            first = second = np.full(likeliest.shape, -np.inf)
            for c, mean in enumerate(model.theta_):
                found = factors[:, c] @ ((some - mean) ** 2).T
                found += constants[:, c, None]
                np.copyto(likeliest, c, where=found > first)
                second = np.maximum(second, np.minimum(first, found))
                first = np.maximum(first, found)
            # A log likelihood l has terms that add up to no more than size - l.
            least = first * (1 + rounding) - rounding * size
            doubtful[:, part] = ~(least > second * (1 - rounding) + rounding * size)
    return labels, doubtful
