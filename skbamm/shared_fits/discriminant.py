"""Discriminant analysis: the covariances of classes, or their axes, are found once."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator, clone
from sklearn.covariance import empirical_covariance
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import validate_data

from skbamm._sklearn_compat import fit_axes
from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits.base import NotShared, SharedFits, fitted, take_fitted

_SHRINKAGE = Hyperparameter("shrinkage", high=1.0, optional=True, words=("auto",))
_MOST = 1 << 25  # numbers of all classes' covariances: 256 MiB


class _Recorder(BaseEstimator):
    """A covariance estimator that stores its results for each class."""

    def __init__(self):
        self.found = []

    def fit(self, X, y=None):
        """Keep the covariance of some rows."""
        self.covariance_ = empirical_covariance(X)
        self.found.append(self.covariance_)
        return self


@dataclass(eq=False)
class Covariances:
    """The state that a linear discriminant analysis shares for all amounts of shrinkage.

    Attributes
    ----------
    model : LinearDiscriminantAnalysis
        Without shrinkage.
    each : ndarray of shape (n_classes, n_features, n_features)
        Empirical covariances of the classes.
    means : ndarray of shape (n_classes,)
        Means of their diagonals.
    """

    model: Any
    each: np.ndarray
    means: np.ndarray

    def within(self, shrinkage: float) -> np.ndarray:
        """Return the covariance within classes, to the last digit as a fit has it."""
        p = self.each.shape[1]
        some = (1.0 - shrinkage) * self.each
        some.reshape(len(some), -1)[:, :: p + 1] += (shrinkage * self.means)[:, None]
        found = np.zeros((p, p))
        for prior, one in zip(self.model.priors_, some, strict=True):
            found += prior * one
        return found


class SharedCovariances(SharedFits):
    """All values of ``shrinkage`` of the solver "lsqr" share the covariances of the classes."""

    estimator_types = (LinearDiscriminantAnalysis,)
    parameters = ("shrinkage",)
    answers = ("decision_function",)
    intervals = (_SHRINKAGE,)

    def judges(self, estimator):
        """Return the shrinkage, unless there is none."""
        if estimator.solver not in ("lsqr", "eigen"):
            return (), "solver='svd' has no shrinkage; solver='lsqr' and 'eigen' have"
        if estimator.covariance_estimator is not None:
            return (), "covariance_estimator replaces shrinkage"
        return self.intervals, ""

    def mismatch(self, estimator):
        """Return why it has no fixed amount of shrinkage."""
        if estimator.solver != "lsqr":
            return f"solver={estimator.solver!r} decomposes different matrices for each shrinkage"
        if estimator.covariance_estimator is not None:
            return "covariance_estimator replaces shrinkage"
        plain = estimator.shrinkage is None or isinstance(estimator.shrinkage, Real)
        return "" if plain else f"shrinkage={estimator.shrinkage!r} is estimated by each fit"

    def begin(self, models, X, y, fit_params):
        """Fit without shrinkage, and keep the covariance of each class."""
        recorder = _Recorder()
        model = clone(models[0]).set_params(shrinkage=None, covariance_estimator=recorder)
        # A clone of the recorder would keep what nobody sees.
        model.covariance_estimator = recorder
        fitted(model, X, y, fit_params)
        each = np.stack([np.atleast_2d(one) for one in recorder.found])
        if each.size > _MOST:
            raise NotShared("too many features and classes")
        model.set_params(covariance_estimator=None)
        means = np.array([np.trace(one) / one.shape[0] for one in each])
        return Covariances(model, each, means)

    def serve(self, state, model):
        """Give a model the coefficients of its shrinkage."""
        take_fitted(model, state.model)
        model.covariance_ = state.within(0.0 if model.shrinkage is None else model.shrinkage)
        means = model.means_
        coef = linalg.lstsq(model.covariance_, means.T)[0].T
        intercept = -0.5 * np.diag(np.dot(means, coef.T)) + np.log(model.priors_)
        if len(model.classes_) == 2:
            coef = np.asarray(coef[1:] - coef[:1], dtype=means.dtype)
            intercept = np.asarray(intercept[1:] - intercept[:1], dtype=means.dtype)
        model.coef_, model.intercept_ = coef, intercept

    def precompute(self, state, model, X):
        """Return the rows, checked."""
        return validate_data(state.model, X, accept_sparse="csr", reset=False)

    def answer(self, state, model, name, known, X, own, **options):
        """Return the scores of the classes."""
        scores = safe_sparse_dot(known, model.coef_.T, dense_output=True) + model.intercept_
        return scores.ravel() if scores.shape[1] == 1 else scores


@dataclass(eq=False)
class Axes:
    """A fitted model, and the variances along each class's axes without regularisation."""

    model: Any
    variances: list[np.ndarray]


class SharedAxes(SharedFits):
    """All values of ``reg_param`` share the principal axes of the classes."""

    estimator_types = (QuadraticDiscriminantAnalysis,)
    parameters = ("reg_param",)
    intervals = (Hyperparameter("reg_param", high=1.0),)

    def judges(self, estimator):
        """Return the one of the two amounts of regularisation that the solver has."""
        if getattr(estimator, "solver", "svd") == "svd":
            return self.intervals, "shrinkage is of solver='eigen'"
        return (_SHRINKAGE,), "reg_param is of solver='svd'"

    def mismatch(self, estimator):
        """Return why its axes depend on more than the rows."""
        if getattr(estimator, "solver", "") != "svd":  # which there is from 1.8 on
            return "only solver='svd' has axes that do not depend on reg_param"
        return "covariance_ is of each reg_param" * bool(estimator.store_covariance)

    def begin(self, models, X, y, fit_params):
        """Fit the most regularised model, whose axes are those of all."""
        model = clone(max(models, key=lambda one: one.reg_param))
        return Axes(model, fit_axes(model, X, y, fit_params))

    def serve(self, state, model):
        """Regularise the variances."""
        amount = model.reg_param
        scalings = [(1 - amount) * one + amount for one in state.variances]
        if any((one <= model.tol).any() for one in scalings):
            raise NotShared("a class has fewer dimensions")
        take_fitted(model, state.model)
        model.scalings_ = scalings
