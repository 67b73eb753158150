"""F of one hyperparameter may have two minima: starting points on both sides of one tell of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import HuberRegressor, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR

from skbamm import BAMMSearchCV, EdgeWarning
from skbamm.starts import multistart
from tests.truth import assert_served, search_over

X, Y = load_diabetes(return_X_y=True)
CV = KFold(5, shuffle=True, random_state=0)


STARTS = torch.tensor([[-3.0], [0.0], [2.0]])
ENDS = torch.tensor([-5.0]).double(), torch.tensor([4.0]).double()


def screened(function, slope, places):
    return [(torch.tensor([t]), function(t), torch.tensor([slope(t)])) for t in places]


def two(t):  # minima at -1 and, lower, at 1.1
    return (t + 1) ** 2 * (t - 1.1) ** 2 - 0.1 * t + 1


def two_slope(t):
    return 2 * (t + 1) * (t - 1.1) * (2 * t - 0.1) - 0.1


@pytest.mark.parametrize(
    ("function", "slope", "found", "expected"),
    [
        (two, two_slope, -1.0, (0.7, 1.5)),
        (two, two_slope, 1.1, None),  # the other one is higher
        (lambda t: 1 + (t + 1) ** 2, lambda t: 2 * (t + 1), -1.0, None),
        (lambda t: 2 - 1 / (1 + np.exp(t)), lambda t: np.exp(t) / (1 + np.exp(t)) ** 2, -2.5, None),
    ],
    ids=["two minima", "the lower was found", "one", "a step"],
)
def test_another_minimum_is_promised(function, slope, found, expected):
    points = screened(function, slope, (-3.0, -1.4, -0.8, 0.6, 2.0))
    result = SimpleNamespace(x=torch.tensor([found]), fun=function(found))
    place = multistart.other_basin(points[::-1], result, ENDS, STARTS)
    if expected is None:
        assert place is None
    else:
        assert expected[0] < float(place) < expected[1]


def test_several_hyperparameters_are_left_alone():
    point = (torch.zeros(2), 1.0, torch.zeros(2))
    result = SimpleNamespace(x=torch.zeros(2), fun=2.0)
    assert multistart.other_basin([point, point], result, ENDS, STARTS) is None
    assert multistart.other_basin([], result, ENDS, STARTS) is None


@pytest.mark.parametrize(("found", "end"), [(-4.0, -5.0), (3.8, 4.0), (3.96, None), (-5.0, None)])
def test_beyond_all_points_the_end_is_looked_at(found, end):
    points = screened(two, two_slope, (-3.0, 0.0, 2.0))
    found = torch.tensor([found], dtype=torch.float64)
    place = multistart.other_basin(points, SimpleNamespace(x=found, fun=0.9), ENDS, STARTS)
    assert place is None if end is None else float(place) == end


def test_the_lower_minimum_is_found():
    """Of five starting points the best is beside the higher one."""
    model = make_pipeline(StandardScaler(), HuberRegressor(epsilon=1.75, max_iter=1000))
    name, ends = "huberregressor__alpha", (1e-4, 1e4)
    search = search_over(model, {name: ends}, X, Y, cv=CV, scoring="r2")
    assert_served(search, "searched")
    assert search.converged_
    settings = {"cv": CV, "scoring": "r2", "refit": False}
    listed = search_over(model, {name: np.geomspace(*ends, 20)}, X, Y, **settings)
    assert search.best_score_ >= listed.best_score_ - 1e-4
    assert search.best_params_[name] > 0.3
    assert (np.diff(search.history_["seconds"]) > 0).all()
    assert len(search.history_["criterion"]) == search.n_iter_


def test_one_minimum_is_searched_once(monkeypatch):
    runs = []
    own = multistart.solve
    monkeypatch.setattr(multistart, "solve", lambda *a, **k: runs.append(1) or own(*a, **k))
    monkeypatch.setattr(multistart, "solve_lower", None)
    search_over(Ridge(), {"alpha": (1e-4, 1e4)}, X / X.std(0), Y, cv=CV)
    assert len(runs) == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_an_end_that_f_falls_towards_is_looked_at():
    """A penalised intercept beside years: F has a minimum inside, and a lower value at an end."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X @ rng.normal(size=4) + 0.5 * rng.normal(size=60)
    X[:, 0] = 2000 + 10 * X[:, 0]
    model = LinearSVR(loss="squared_epsilon_insensitive", dual=False, tol=1e-10, max_iter=100_000)
    settings = {"cv": KFold(3), "refit": False}
    interval = BAMMSearchCV(model, {"C": (1e-3, 1e2)}, **settings).fit(X, y)
    listed = BAMMSearchCV(model, {"C": np.geomspace(1e-3, 1e2, 5)}, **settings).fit(X, y)
    assert interval.best_score_ >= listed.best_score_ - 1e-4


@pytest.mark.parametrize(("end", "passed"), [(1.0, True), (-1.0, False)])
def test_starts_that_were_left_are_looked_at_unless_they_were_passed(end, passed):
    start, left = torch.tensor([-2.0]), torch.tensor([0.0])
    assert multistart._passed(start, left, torch.tensor([end]).double()) == passed


@pytest.mark.parametrize("low", [1e-300, 1e-100, 1e-30])
def test_a_long_plateau_hides_no_minimum(low):
    """Far from its minimum F is flat to the last digit, and its slope zero."""
    rows, target = 20 * X[:100], Y[:100]
    with pytest.warns(EdgeWarning):
        search = BAMMSearchCV(Ridge(), {"alpha": (low, 1.0)}).fit(rows, target)
    assert search.best_params_ == {"alpha": 1.0}
