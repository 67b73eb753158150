"""Searches over SGDRegressor and SGDClassifier: intervals, lists, and what is left to own fits."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV, Interval
from tests.models.conftest import TARGETS, X
from tests.models.test_sgd import BINARY, MODELS, NUMBERS
from tests.truth import roles, search_over

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def test_what_has_no_twin_is_enumerated():
    search = search_over(
        SGDClassifier("perceptron"), {"alpha": [0.01, 0.1]}, X, TARGETS["binary"], cv=3
    )
    assert roles(search) == {"alpha": "enumerated"}
    assert "loss='perceptron' is minimised by zero" in search.search_plan_[0]["reason"]


def test_lists_of_what_changes_the_way_only_are_scored_by_own_fits():
    X, y = NUMBERS
    model = SGDRegressor(random_state=0, max_iter=3, tol=1e-3, n_iter_no_change=5)
    grid = {"alpha": [0.01, 0.1], "eta0": [1e-5, 1e-2]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours, theirs = search_over(model, grid, X, y, cv=3), GridSearchCV(model, grid, cv=3)
        theirs.fit(X, y)
    assert roles(ours) == {"alpha": "enumerated", "eta0": "enumerated"}
    assert ours.search_plan_[0]["reason"] == "SGDRegressor: eta0 affects its own fits only"
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )
    with pytest.raises(ValueError, match="eta0 affects its own fits only"):
        BAMMSearchCV(model, {**grid, "alpha": Interval(0.01, 0.1)}, cv=3).fit(X, y)
    # One value is a setting.
    one = search_over(model.set_params(max_iter=1000), {**grid, "eta0": [1e-2]}, X, y, cv=3)
    assert roles(one)["alpha"] == "joint grid"


@pytest.mark.parametrize("penalty", ["l2", "elasticnet"])
def test_lists_are_scored_as_those_of_logistic_regression(penalty):
    X, y = BINARY
    X, y = X[: len(y) // 3 * 3], y[: len(y) // 3 * 3]  # folds of the same size
    n, folds = len(y) // 3 * 2, KFold(3)
    alphas = np.array([1e-3, 1e-2, 1e-1])
    ours = search_over(
        SGDClassifier("log_loss", penalty=penalty, l1_ratio=0.0), {"alpha": alphas}, X, y,
        cv=folds, scoring="neg_log_loss",
    )  # fmt: skip
    assert roles(ours) == {"alpha": "joint grid"}
    own = LogisticRegression(tol=1e-10, max_iter=10_000)
    theirs = GridSearchCV(own, {"C": 1 / (n * alphas)}, cv=folds, scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-6
    )


# With hinges of separable classes v follows slowly, which takes 400 iterations.
@pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, (np.asarray, sp.csr_array)[i % 2])
        for i, name in enumerate(name for name in MODELS if name != "hinge, 3 classes")
    ],
)
def test_intervals_are_searched(name, form):
    estimator, X, y = MODELS[name]
    labels = isinstance(estimator, SGDClassifier)
    if labels:
        y = np.array(["red", "green", "blue"])[y]
    folds = FOLDS if labels else KFold(3, shuffle=True, random_state=0)
    scoring = None if labels else "neg_mean_squared_error"
    # The refit is the estimator's own fit; of sparse rows its intercept is slow.
    estimator = clone(estimator).set_params(random_state=0, learning_rate="adaptive")
    if estimator.loss == "log_loss":
        estimator.set_params(eta0=1.0)
    search = search_over(estimator, {"alpha": (1e-4, 1.0)}, form(X), y, cv=folds, scoring=scoring)
    grid = search_over(
        estimator, {"alpha": np.logspace(-4, 0, 9)}, form(X), y, cv=folds, scoring=scoring,
        refit=False,
    )  # fmt: skip
    assert roles(search) == {"alpha": "searched"} and roles(grid) == {"alpha": "joint grid"}
    slack = 0.015 if labels else 1e-3  # accuracy has no gradient
    assert search.best_score_ >= grid.best_score_ - slack
    assert not search.refit_adopted_
    fitted = clone(search.best_estimator_).fit(form(X), y)
    np.testing.assert_array_equal(search.best_estimator_.coef_, fitted.coef_)
    assert search.best_estimator_.n_iter_ == fitted.n_iter_ > 0
    np.testing.assert_array_equal(search.predict(form(X)), fitted.predict(form(X)))


def test_the_mixture_is_searched_with_the_penalty_in_a_pipeline():
    X, y = NUMBERS
    model = make_pipeline(StandardScaler(), SGDRegressor(penalty="elasticnet", random_state=0))
    grid = {"sgdregressor__alpha": (1e-4, 1.0), "sgdregressor__l1_ratio": (0.0, 1.0)}
    search = search_over(model, grid, X, y, cv=KFold(3))
    assert set(roles(search).values()) == {"searched"}
    listed = {"sgdregressor__alpha": np.logspace(-4, 0, 9), "sgdregressor__l1_ratio": [0.0, 0.5, 1]}
    assert search.best_score_ >= search_over(model, listed, X, y, cv=KFold(3)).best_score_ - 1e-4


def test_penalties_in_a_list_have_searches_of_their_own():
    X, y = NUMBERS
    grid = {"alpha": (1e-4, 1.0), "penalty": ["l2", "l1"]}
    search = search_over(SGDRegressor(random_state=0), grid, X, y, cv=KFold(3))
    assert roles(search) == {"alpha": "searched", "penalty": "enumerated"}
    assert set(search.cv_results_["param_penalty"]) == {"l1", "l2"}
    table = search.cv_results_
    best = dict.fromkeys(("l1", "l2"), -np.inf)
    for kind, score in zip(table["param_penalty"], table["mean_test_score"], strict=True):
        best[kind] = max(best[kind], score)
    for kind, score in best.items():
        alone = search_over(SGDRegressor(penalty=kind), {"alpha": (1e-4, 1.0)}, X, y, cv=KFold(3))
        assert score == pytest.approx(alone.best_score_, abs=1e-8)
