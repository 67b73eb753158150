"""The model that was scored is the model that the user gets."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    HuberRegressor,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale

from skbamm import BAMMSearchCV, register_model
from skbamm.models import Factors, LinearTwin, Task, numeric_target, registry

CV = KFold(4, shuffle=True, random_state=0)


def far():
    """A year as a feature, whose offset stops some fits at once."""
    rng = np.random.default_rng(0)
    days = np.sort(rng.integers(0, 700, 60)).astype(float)
    return (2020 + days / 365)[:, None], 0.02 * days + 5 + rng.normal(0, 1, 60)


def labels_far():
    X, y = make_classification(200, 5, n_informative=3, n_redundant=0, random_state=0)
    return X * [1, 10, 100, 1000, 1e4] + [0, 0, 0, 1e4, 1e5], y


UNSCALED = load_diabetes(return_X_y=True, scaled=False)


@pytest.mark.parametrize(
    ("model", "data", "grid"),
    [
        (HuberRegressor(), far(), {"alpha": (1e-3, 1e3)}),
        (HuberRegressor(), far(), {"alpha": [1e-3, 1e-1]}),
        (SGDRegressor(random_state=0), UNSCALED, {"alpha": (1e-6, 1e1)}),
        (SGDRegressor(loss="huber", random_state=0), UNSCALED, {"alpha": [1e-6, 1e1]}),
        (SGDClassifier(loss="log_loss", random_state=0), labels_far(), {"alpha": [1e-6, 1e-3]}),
        (
            make_pipeline(FunctionTransformer(), HuberRegressor()),
            far(),
            {"huberregressor__alpha": (1e-3, 1e3)},
        ),
    ],
    ids=["huber", "huber list", "sgd", "sgd huber", "sgd labels", "pipeline"],
)
def test_a_fit_that_ends_far_from_the_minimum_is_replaced_and_told(model, data, grid):
    X, y = data
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search = BAMMSearchCV(model, grid, cv=CV).fit(X, y)
    assert search.best_estimator_.score(X, y) > search.best_score_ - 0.1
    assert search.refit_adopted_
    assert sum("best_estimator_ has the minimum" in str(w.message) for w in told) == 1
    assert search.best_estimator_.predict(X[:3]).shape == (3,)


@pytest.mark.parametrize(
    ("model", "X", "y", "name"),
    [
        (HuberRegressor(), *load_diabetes(return_X_y=True), "alpha"),
        (SGDClassifier(loss="log_loss", random_state=0), *load_iris(return_X_y=True), "alpha"),
        (LogisticRegression(solver="liblinear"), *labels_far(), "C"),
        (Ridge(), *load_diabetes(return_X_y=True), "alpha"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_a_fit_that_ends_near_the_minimum_stays(model, X, y, name):
    search = BAMMSearchCV(model, {name: [1e-2, 1e-1]}, cv=CV).fit(scale(X), y)
    assert not search.refit_adopted_
    own = GridSearchCV(model, {name: [search.best_params_[name]]}, cv=CV).fit(scale(X), y)
    np.testing.assert_allclose(
        search.best_estimator_.coef_, own.best_estimator_.coef_, rtol=1e-6, atol=1e-9
    )


class HalfRidge(RegressorMixin, BaseEstimator):
    """Ridge with half its penalty."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        model = Ridge(self.alpha / 2).fit(X, y)
        self.coef_, self.intercept_ = model.coef_, model.intercept_
        return self

    def predict(self, X):
        return X @ self.coef_ + self.intercept_


class HalfRidgeTwin(LinearTwin):
    """Its twin, with a penalty of a scale that may be wrong."""

    estimator_type = HalfRidge
    times = 0.5

    def mismatch(self, estimator):
        return ""

    def task(self, estimator, y, weight, sparse):
        from skbamm.losses import HalfSquaredLoss

        return Task(
            target=numeric_target(y, vector=True),
            loss=HalfSquaredLoss(1),
            fit_intercept=True,
            criterion="r2",
            criteria=("r2", "squared_error"),
        )

    def penalty(self, values):
        return Factors(self.times * values["alpha"])

    def export(self, estimator, task, coef, intercept):
        estimator.coef_, estimator.intercept_ = coef[0], intercept[0]


@pytest.mark.parametrize("scaled", [False, True], ids=["bare", "pipeline"])
@pytest.mark.parametrize("grid", [(1e-3, 1e3), [0.1, 1.0, 10.0]], ids=["interval", "list"])
def test_a_twin_that_is_another_models_is_refused(monkeypatch, scaled, grid):
    monkeypatch.setattr(registry, "_TWINS", dict(registry._TWINS))
    X, y = load_diabetes(return_X_y=True)
    model, name = HalfRidge(), "alpha"
    if scaled:
        model, name = make_pipeline(StandardScaler(), model), "halfridge__alpha"
    twin = HalfRidgeTwin()
    register_model(twin)
    search = BAMMSearchCV(model, {name: grid}, cv=CV).fit(X, y)
    want = GridSearchCV(model, {name: [search.best_params_[name]]}, cv=CV).fit(X, y)
    assert search.best_score_ == pytest.approx(want.best_score_, abs=1e-9)
    twin.times = 50.0
    with pytest.raises(
        ValueError, match=r"HalfRidgeTwin, .* does not minimise what HalfRidge does"
    ):
        BAMMSearchCV(model, {name: grid}, cv=CV).fit(X, y)


def test_a_list_is_solved_whole_or_not_at_all():
    X, y = make_classification(60, 8, n_classes=3, n_informative=3, random_state=0)
    model = LogisticRegression(solver="saga", random_state=0, tol=1e-2)
    grid = {"C": [1e-2, 1e4], "l1_ratio": [0.5, 1]}
    ours = BAMMSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(X, y)
    want = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(X, y)
    key = "mean_test_score"
    np.testing.assert_array_equal(ours.cv_results_[key], want.cv_results_[key])
    assert not ours.converged_
    assert {row["role"] for row in ours.search_plan_} == {"enumerated"}
    assert "the whole list uses own fits" in ours.search_plan_[0]["reason"]


def test_without_a_warning_a_search_has_not_adopted():
    X, y = load_diabetes(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        search = BAMMSearchCV(HuberRegressor(), {"alpha": (1e-3, 1e3)}, cv=CV).fit(scale(X), y)
    assert search.refit_adopted_ is False


@pytest.mark.parametrize(
    ("options", "told"), [({"tol": 0.5}, "tol=0.5"), ({"max_iter": 2}, "max_iter=2"), ({}, "")]
)
@pytest.mark.parametrize("grid", [(1e-2, 1e2), [0.1, 10.0]], ids=["interval", "list"])
def test_own_fits_that_are_asked_to_be_loose_are_told(options, told, grid):
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(**options))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = BAMMSearchCV(
            model, {"logisticregression__C": grid}, cv=CV, scoring="neg_log_loss"
        ).fit(X, y)
    found = [str(w.message) for w in caught if "stop short of the minimum" in str(w.message)]
    assert len(found) == bool(told)
    assert told in "".join(found) and told in search.search_plan_[0]["reason"]


def test_features_far_from_zero_are_no_other_features_to_own_fits():
    """What is centred inside of the solvers is compared with own fits in the user's units."""
    X, y = far()
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e3)}, cv=CV).fit(X, y)
    assert not search.refit_adopted_
    monkey = HuberRegressor(alpha=1e-3, max_iter=10_000, tol=1e-10)
    pipe = make_pipeline(StandardScaler(), monkey)
    search = BAMMSearchCV(pipe, {"huberregressor__alpha": [1e-3]}, cv=CV).fit(X, y)
    assert not search.refit_adopted_
