"""A search of an interval finds the least cross-validated loss in it."""

import numpy as np
import pytest
import scipy.stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_classification
from sklearn.datasets import make_regression as make
from sklearn.preprocessing import StandardScaler

from skbamm import Interval
from tests.truth import (
    LOSS,
    assert_served,
    assert_true,
    least_loss,
    logistic,
    ridge,
    search_over,
)

MSE = "neg_mean_squared_error"
# In a linear scale an optimum decades below the upper end may take more than max_iter.
may_take_long = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def others(row, found):
    """Values over all of an interval, its ends included, and some near the one found."""
    low, high = row["low"], row["high"]
    # No penalty at all may have no one solution.
    whole = np.geomspace(low, high, 9) if row["scale"] == "log" else np.linspace(low, high, 10)[1:]
    near = found * np.array([0.7, 0.9, 1.1, 1.4])
    return np.concatenate([whole, near[(near > low) & (near < high)]])


def assert_least(estimator, name, interval, X, y, *, scoring, rtol=1e-4, **settings):
    """Assert that no value, far or near, has a loss less by 1e-4 of it, nor has the start.

    ``scoring`` is a loss with a minus, the very criterion of the search.
    """
    settings = {"scoring": scoring, **settings}
    search = search_over(estimator, {name: interval}, X, y, **settings)
    assert_served(search, "searched")
    (row,) = search.search_plan_
    values = others(row, search.best_params_[name])
    least = least_loss(estimator, name, values, X, y, **settings)
    assert_no_worse_than_its_start(search)
    assert -search.best_score_ <= least * (1 + rtol)
    assert row["low"] <= search.best_params_[name] <= row["high"]
    return search


@pytest.fixture(
    scope="module", params=["breast_cancer", "digits", "noise", "separable", "wide", "one feature"]
)
def classes(request):
    if request.param == "breast_cancer":
        X, y = load_breast_cancer(return_X_y=True)
    elif request.param == "digits":
        X, y = load_digits(n_class=3, return_X_y=True)
        X, y = X[::5, 16:40], y[::5]
    else:
        settings = {
            "noise": {"n_samples": 200, "n_features": 12, "flip_y": 0.8},
            "separable": {"n_samples": 80, "n_features": 10, "class_sep": 3.0, "flip_y": 0.0},
            "wide": {"n_samples": 60, "n_features": 120, "n_informative": 10},
            "one feature": {
                "n_samples": 90, "n_features": 1, "n_informative": 1, "n_redundant": 0,
                "n_clusters_per_class": 1, "flip_y": 0.2,
            },
        }  # fmt: skip
        X, y = make_classification(**settings[request.param], random_state=0)
    return StandardScaler().fit_transform(X), y


@pytest.mark.parametrize(
    "bounds", [(1e-4, 1e4), (1e-5, 1e-1), Interval(0.05, 5, "linear")], ids=str
)
def test_log_loss(bounds, classes):
    assert_least(logistic(tol=1e-6), "C", bounds, *classes, scoring=LOSS)


@pytest.fixture(scope="module", params=["diabetes", "noise-free", "noisy", "wide", "offset"])
def numbers(request):
    if request.param == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        return X * 10, y
    if request.param == "noise-free":
        return make(140, 30, noise=0.1, random_state=0)
    if request.param == "noisy":
        return make(100, 20, n_informative=3, noise=300.0, random_state=0)
    if request.param == "wide":
        return make(40, 90, n_informative=10, noise=20.0, random_state=0)
    X, y = make(80, 5, noise=50.0, random_state=0)
    return X + 100, y + 1e4


@pytest.mark.parametrize(
    "bounds", [(1e-4, 1e5), (1e-3, 1e-1), (1e2, 1e6), Interval(0, 100), (0, 1e4)], ids=str
)
def test_squared_error(bounds, numbers):
    assert_least(ridge(), "alpha", bounds, *numbers, scoring=MSE)


def test_root_of_squared_error(numbers):
    """Roots are averaged over the folds, not taken of the average."""
    assert_least(ridge(), "alpha", (1e-4, 1e5), *numbers, scoring="neg_root_mean_squared_error")


@pytest.mark.parametrize("bounds", [(1e-4, 1e5), Interval(0.0, 100)], ids=str)
def test_r2(bounds, numbers):
    search = search_over(ridge(), {"alpha": bounds}, *numbers)
    (row,) = search.search_plan_
    values = others(row, search.best_params_["alpha"])
    best = -least_loss(ridge(), "alpha", values, *numbers)
    assert search.best_score_ >= best - 1e-4 * (1 - best)


@pytest.mark.parametrize("seed", range(8))
def test_random_problems(seed):
    """Sizes, noise, units and intervals drawn at random, many with the optimum at an end."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(30, 180)), int(rng.integers(6, 60))
    low = rng.uniform(-4, 2)
    bounds = (10**low, 10 ** (low + rng.uniform(1, 6)))
    unit = 10 ** rng.uniform(-1, 1)
    if seed % 2:
        X, y = make(n, p, n_informative=5, noise=10 ** rng.uniform(0, 3), random_state=seed)
        assert_least(ridge(), "alpha", bounds, unit * X, y, scoring=MSE)
    else:
        X, y = make_classification(
            n, p, n_informative=4, n_redundant=0, n_classes=2 + seed % 4 // 2,
            n_clusters_per_class=1, flip_y=rng.uniform(0.05, 0.5), random_state=seed,
        )  # fmt: skip
        model = logistic(tol=1e-6)
        assert_least(model, "C", bounds, unit * X, y, scoring=LOSS)


@pytest.mark.parametrize("bounds, end", [((1e-6, 1e-4), 1e-4), ((1e4, 1e6), 1e4)], ids=str)
def test_the_optimum_is_an_end(bounds, end, binary):
    search = assert_least(logistic(), "C", bounds, *binary, scoring=LOSS)
    assert search.best_params_["C"] == pytest.approx(end, rel=1e-3)


def test_no_penalty_at_all_is_the_optimum():
    """Five features and no noise to speak of: alpha = 0 is the best there is."""
    X, y = make(100, 5, noise=0.01, random_state=0)
    search = search_over(ridge(), {"alpha": Interval(0, 10)}, X, y, scoring=MSE)
    free = least_loss(ridge(), "alpha", [0.0], X, y, scoring=MSE)
    assert search.best_params_["alpha"] <= 1e-3
    assert -search.best_score_ <= free * 1.001
    assert_true(search, X, y, cv=5, scoring=MSE)


def test_distributions_are_intervals(regression):
    tuple_, loguniform, uniform = (
        search_over(ridge(), {"alpha": values}, *regression, scoring=MSE)
        for values in ((1e-2, 1e3), scipy.stats.loguniform(1e-2, 1e3), scipy.stats.uniform(0, 1e3))
    )
    assert loguniform.best_params_["alpha"] == tuple_.best_params_["alpha"]
    assert [s.search_plan_[0]["scale"] for s in (tuple_, loguniform, uniform)] == [
        "log", "log", "linear",
    ]  # fmt: skip
    assert uniform.best_score_ == pytest.approx(tuple_.best_score_, rel=1e-4)


def test_flat_losses(regression):
    """Where the criterion does not depend on the penalty, any value is as good."""
    X, _ = regression
    zeros = np.zeros_like(X)
    y = np.arange(len(X)) % 7
    search = search_over(ridge(), {"alpha": (1e-2, 1e2)}, zeros, y, scoring=MSE)
    assert -search.best_score_ == pytest.approx(
        least_loss(ridge(), "alpha", [1.0], zeros, y, scoring=MSE)
    )


def assert_no_worse_than_its_start(search):
    table = search.cv_results_
    loss = dict(zip(table["stage"], -table["mean_test_score"], strict=True))
    assert loss["refined"] <= loss.get("start", np.inf) * (1 + 1e-9)
    assert search.best_index_ == list(table["stage"]).index("refined")


@may_take_long
def test_refining_c_in_twelve_decades_does_no_harm(classes):
    search = search_over(logistic(tol=1e-8), {"C": (1e-6, 1e6)}, *classes, scoring=LOSS)
    assert_no_worse_than_its_start(search)


def test_refining_alpha_in_twelve_decades_does_no_harm(numbers):
    search = search_over(ridge(), {"alpha": (1e-6, 1e6)}, *numbers, scoring=MSE)
    assert_no_worse_than_its_start(search)


@pytest.mark.parametrize("data", ["three", "regression"])
def test_history(data, request):
    X, y = request.getfixturevalue(data)
    model, name = (logistic(), "C") if data == "three" else (ridge(), "alpha")
    scoring = LOSS if data == "three" else MSE
    search = search_over(model, {name: (1e-3, 1e3)}, X, y, scoring=scoring)
    history = search.history_
    assert set(history) == {"seconds", "criterion", "kkt_residual", name}
    assert {len(values) for values in history.values()} == {search.n_iter_}
    assert all(values.dtype == float for values in history.values())
    assert np.isfinite(history["criterion"]).all()
    assert (history["criterion"] > 0).all()
    assert (history["kkt_residual"] >= 0).all()
    assert (np.diff(history["seconds"]) > 0).all()
    assert ((history[name] >= 1e-3) & (history[name] <= 1e3)).all()
    assert search.converged_ is True
    assert search.device_ == "cpu"
    # It ends in the units of the score, at the point that was refined.
    assert history["criterion"][-1] == pytest.approx(-search.best_score_, rel=1e-3)
    assert history[name][-1] == pytest.approx(search.best_params_[name], rel=0.05)


def test_nothing_searched(binary):
    search = search_over(logistic(), {"C": [0.1, 1.0]}, *binary)
    assert search.history_ == {}
    assert search.n_iter_ == 1
    assert search.converged_ is True
    assert search.device_ == "cpu"
