"""Time that is limited, and Ctrl-C, in every stage of every kind of search."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import ElasticNet, HuberRegressor, Lasso, LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skbamm import BAMMSearchCV, PerFeature, SampleWeights
from skbamm.clock import Clock
from skbamm.glm import GLMProblem, LeastSquaresProblem

CV = KFold(3, shuffle=True, random_state=0)
SEARCHES = {
    "interval": (LogisticRegression(), {"C": (1e-3, 1e3)}, {}),
    "path": (Lasso(), {"alpha": (1e-3, 1.0)}, {}),
    "two": (ElasticNet(), {"alpha": (1e-3, 1.0), "l1_ratio": (0.1, 0.9)}, {}),
    "line": (HuberRegressor(), {"alpha": (1e-3, 1e2), "epsilon": (1.1, 3.0)}, {}),
    "vector": (Ridge(), {"alpha": PerFeature(1e-3, 1e3)}, {}),
    "classes": (LogisticRegression(), {"C": PerFeature(1e-3, 1e3, shrinkage=False)}, {}),
    "weights": (LogisticRegression(), {"C": (1e-3, 1e2)}, {"sample_weights": SampleWeights()}),
    "outliers": (Ridge(), {"alpha": (1e-3, 1e2)}, {"sample_weights": SampleWeights("score")}),
    "list": (LogisticRegression(), {"C": np.logspace(-3, 3, 9)}, {}),
    "lists": (Ridge(), {"alpha": np.logspace(-3, 3, 9), "fit_intercept": [True, False]}, {}),
    "own fits": (DecisionTreeClassifier(random_state=0), {"max_depth": list(range(1, 9))}, {}),
}
FAMILIES = {"path", "two", "line", "vector", "outliers", "lists"}  # of regression


def search_of(name, **options):
    model, grid, more = SEARCHES[name]
    return BAMMSearchCV(model, grid, cv=CV, **more, **options)


@pytest.fixture
def data_of(binary, regression):
    return lambda name: regression if name in FAMILIES else binary


@pytest.mark.parametrize("name", SEARCHES)
def test_no_time_at_all(name, data_of):
    X, y = data_of(name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search = search_of(name, max_time=1e-9).fit(X, y)
    told = [str(w.message) for w in told if "stopped early" in str(w.message)]
    assert len(told) == 1
    assert "max_time=1e-09 seconds were used. The best found so far is used." in told[0]
    assert search.converged_ is False
    assert np.isfinite(search.best_score_)
    assert search.predict(X).shape == y.shape
    if name in ("list", "lists", "own fits"):
        assert len(search.cv_results_["params"]) == 1
    assert all(len(column) == len(search.cv_results_["params"])
               for column in search.cv_results_.values())  # fmt: skip


# Of both that learn weights, and of lists, one.
@pytest.mark.parametrize(
    "name", [name for name in SEARCHES if name not in ("classes", "outliers", "lists")]
)
def test_enough_time_changes_nothing(name, data_of):
    X, y = data_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free, limited = (search_of(name, max_time=t).fit(X, y) for t in (None, 1000))
    assert [list(params) for params in limited.cv_results_["params"]] == [
        list(params) for params in free.cv_results_["params"]
    ]
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(limited.cv_results_[key], free.cv_results_[key], rtol=1e-6)
    assert limited.converged_ == free.converged_


def press(monkeypatch, cls, name, n):
    """Press Ctrl-C in the n-th call of a method, and tell whether it was called so often."""
    own, calls = getattr(cls, name), []

    def method(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == n:
            raise KeyboardInterrupt
        return own(self, *args, **kwargs)

    monkeypatch.setattr(cls, name, method)
    return calls


CALLS = [("directions", 1), ("lower", 5), ("directions", 25), ("lower", 100)]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (name, CALLS[(i + j) % 4])
        for i, name in enumerate(name for name in SEARCHES if name != "own fits")
        for j in (0, 2)  # early, and late
    ],
)
def test_ctrl_c(name, call, data_of, monkeypatch):
    """What was found is kept, and told; or nothing was, and the interrupt is raised."""
    method, n = call
    X, y = data_of(name)
    squares = name in ("path", "two", "vector", "outliers", "lists")
    calls = press(monkeypatch, LeastSquaresProblem if squares else GLMProblem, method, n)
    search = search_of(name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            search.fit(X, y)
        except KeyboardInterrupt:
            assert len(calls) >= n
            assert not [own for own in vars(search) if own.startswith("_fit")]
            assert search.estimator is SEARCHES[name][0]
            return
    if len(calls) < n:
        return
    told = [str(w.message) for w in told if "interrupted by the user" in str(w.message)]
    assert len(told) == 1
    assert search.converged_ is False
    assert np.isfinite(search.best_score_)
    assert search.predict(X).shape == y.shape
    assert len(calls) < n + 400  # it ends soon


def test_ctrl_c_while_own_fits_are_scored(binary):
    """As in GridSearchCV, unless time is limited: then candidates are kept as they come."""
    fits = []

    def score(estimator, X, y):
        fits.append(1)
        if len(fits) == 8:
            raise KeyboardInterrupt
        return estimator.score(X, y)

    with pytest.raises(KeyboardInterrupt):
        search_of("own fits", scoring=score).fit(*binary)
    fits.clear()
    with pytest.warns(ConvergenceWarning, match="interrupted by the user"):
        search = search_of("own fits", scoring=score, max_time=1000).fit(*binary)
    assert search.cv_results_["params"] == [{"max_depth": 1}, {"max_depth": 2}]


def test_ctrl_c_while_solved_models_are_scored(binary):
    fits = []

    def score(estimator, X, y):
        fits.append(1)
        if len(fits) == 8:
            raise KeyboardInterrupt
        return estimator.score(X, y)

    with pytest.warns(ConvergenceWarning, match="interrupted by the user"):
        search = search_of("list", scoring=score).fit(*binary)
    assert len(search.cv_results_["params"]) == 9
    assert search.converged_ is False


@pytest.mark.parametrize("depths", [[-1, 2, 3], [2, -1, 3], [2, 3, -1]])
def test_candidates_that_fail_with_limited_time(depths, regression):
    model = DecisionTreeRegressor(random_state=0)
    search = BAMMSearchCV(model, {"max_depth": depths}, cv=CV, max_time=1000)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search.fit(*regression)
    assert [w.category for w in told].count(FitFailedWarning) == 1
    assert search.best_params_["max_depth"] > 0
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        BAMMSearchCV(model, {"max_depth": [-1, -2]}, cv=CV, max_time=1000).fit(*regression)


def test_a_clock():
    clock = Clock()
    assert (clock.left, clock.over, clock.reason) == (None, False, "")
    with clock.kept():
        raise KeyboardInterrupt
    assert (clock.left, clock.over, clock.interrupted) == (0.0, True, True)
    clock.end("the search over 'C'")
    clock.end("the scoring of candidates")
    with pytest.warns(ConvergenceWarning) as told:
        clock.tell()
    assert str(told[0].message) == (
        "The search over 'C' and the scoring of candidates stopped early: interrupted by the "
        "user. The best found so far is used."
    )
    late = Clock(1e-9)
    assert late.over and not late.interrupted and late.reason == "max_time=1e-09 seconds were used"


def test_ctrl_c_in_the_final_fit(binary, monkeypatch):
    """The solution that the fit began at serves: it is the model that was scored."""
    X, y = binary
    whole = search_of("list").fit(X, y)
    monkeypatch.setattr("skbamm.search.final_fit.warm_fit", interrupt)
    with pytest.warns(ConvergenceWarning, match="The final fit stopped early: interrupted"):
        search = search_of("list").fit(X, y)
    assert search.best_params_ == whole.best_params_
    np.testing.assert_allclose(search.decision_function(X), whole.decision_function(X), atol=1e-3)


def interrupt(*args):
    raise KeyboardInterrupt
