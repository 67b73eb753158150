"""What BAMMSearchCV accepts and refuses: constructor, grids, intervals."""

import inspect
import re

import numpy as np
import pytest
import scipy.stats
from sklearn.base import clone
from sklearn.linear_model import LassoLars, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import has_fit_parameter

from skbamm import BAMMSearchCV, Interval
from tests.contract.comparison import (
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_REG,
    assert_same_failure,
    fit_both,
    logistic,
    outcome,
    roles,
)


def test_signature_extends_that_of_grid_search():
    ours = inspect.signature(BAMMSearchCV).parameters
    theirs = inspect.signature(GridSearchCV).parameters
    assert list(ours)[:2] == list(theirs)[:2] == ["estimator", "param_grid"]
    for name, parameter in theirs.items():
        assert ours[name].kind == parameter.kind, name
        assert ours[name].default is parameter.default or (
            ours[name].default == parameter.default
        ), name
    for name in set(ours) - set(theirs):
        assert ours[name].kind == inspect.Parameter.KEYWORD_ONLY, name


def test_fit_signature():
    ours, theirs = (inspect.signature(cls.fit).parameters for cls in (BAMMSearchCV, GridSearchCV))
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    assert not has_fit_parameter(BAMMSearchCV(Ridge(), {}), "sample_weight")


def test_constructor_only_stores(values):
    given = {
        "estimator": logistic(),
        "param_grid": {"C": values},
        "scoring": {"a": "accuracy"},
        "cv": KFold(3),
        "error_score": 0.25,
    }
    search = BAMMSearchCV(**given)
    for name, value in given.items():
        assert getattr(search, name) is value
    assert set(vars(search)) == set(inspect.signature(BAMMSearchCV).parameters)


def test_constructor_accepts_nonsense_until_fit():
    BAMMSearchCV(None, None, scoring=0, cv="five", refit=[], max_iter="many", device=3)


def test_fit_changes_no_parameter(values):
    search = BAMMSearchCV(logistic(), {"C": values}, cv=3)
    before = search.get_params(deep=False)
    estimator = dict(vars(search.estimator))
    search.fit(X_CLASS, Y_BINARY)
    after = search.get_params(deep=False)
    assert all(after[name] is before[name] for name in before)
    assert vars(search.estimator) == estimator
    assert search.param_grid == {"C": values}


def test_clone_and_nested_parameters(values):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    search = BAMMSearchCV(pipeline, {"logisticregression__C": values}, cv=3, max_iter=50)
    search.set_params(estimator__logisticregression__fit_intercept=False, tol=1e-3)
    search.fit(X_CLASS, Y_BINARY)
    copy = clone(search)
    assert not hasattr(copy, "cv_results_")
    assert not hasattr(copy, "search_plan_")
    params = copy.get_params()
    assert params["estimator__logisticregression__fit_intercept"] is False
    assert params["tol"] == 1e-3
    assert params["max_iter"] == 50
    assert params["param_grid"] == {"logisticregression__C": values}
    assert copy.estimator is not pipeline


def test_clone_keeps_an_interval():
    interval = Interval(1e-2, 1e2, scale="log")
    copy = clone(BAMMSearchCV(Ridge(), {"alpha": interval})).param_grid["alpha"]
    assert (copy.low, copy.high, copy.scale) == (1e-2, 1e2, "log")
    assert "0.01" in repr(copy)
    assert "Interval" in repr(BAMMSearchCV(Ridge(), {"alpha": interval}))


@pytest.mark.parametrize(
    "bad",
    [
        {"cv": 1},
        {"cv": "five"},
        {"cv": 2.5},
        {"scoring": "nonsense"},
        {"scoring": 3},
        {"refit": 2.5},
        {"refit": None},
        {"n_jobs": "two"},
        {"n_jobs": 1.5},
        {"verbose": "loud"},
        {"error_score": "ignore"},
        {"return_train_score": "yes"},
        {"pre_dispatch": None},
        {"estimator": "ridge"},
        {"estimator": LogisticRegression},
        {"estimator": StandardScaler},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:passing a class to None:FutureWarning")  # before 1.8
def test_bad_arguments_of_grid_search(bad, values):
    # As a list both get the same; the message is the same for an interval.
    grid = {"C": [0.1, 1.0]}

    def make(cls):
        return cls(**{"estimator": logistic(), "param_grid": grid, **bad})

    ((kind, message), *_) = assert_same_failure(make, lambda s: s.fit(X_CLASS, Y_BINARY))
    search = make(BAMMSearchCV).set_params(param_grid={"C": values})
    with pytest.raises(kind) as info:
        search.fit(X_CLASS, Y_BINARY)
    assert str(info.value).replace("BAMMSearchCV", "Search") == message


@pytest.mark.parametrize(
    "bad",
    [
        {"criterion": "nonsense"},
        {"criterion": 3},
        {"max_iter": 0},
        {"max_iter": "many"},
        {"tol": -1.0},
        {"tol": "tight"},
        {"max_time": -1.0},
        {"max_time": "1 h"},
        {"device": "nowhere"},
        {"device": 2.5},
        {"dtype": "complex64"},
        {"dtype": 3},
        {"random_state": "seed"},
    ],
    ids=str,
)
def test_bad_arguments_of_our_own(bad, values):
    (name,) = bad
    search = BAMMSearchCV(logistic(), {"C": values}, cv=3, **bad)
    with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
        search.fit(X_CLASS, Y_BINARY)
    assert not hasattr(search, "cv_results_")


def test_bad_arguments_come_before_any_work():
    class Untouched(KFold):
        def split(self, *args, **kwargs):
            raise AssertionError("the data was split")

    for bad in ({"criterion": "nonsense"}, {"max_iter": 0}, {"dtype": "complex64"}):
        search = BAMMSearchCV(logistic(), {"C": (1e-2, 1e2)}, cv=Untouched(), **bad)
        with pytest.raises(ValueError, match="parameter"):
            search.fit(X_CLASS, Y_BINARY)


@pytest.mark.parametrize(
    "grid",
    [
        0,
        None,
        "C",
        [{"C": [1.0]}, 0],
        {"C": 1},
        {"C": None},
        {"C": []},
        {"C": ()},
        {"C": "1,2,3"},
        {"C": np.ones((3, 2))},
        {"C": np.array([])},
        {"nope": [1.0, 2.0]},
        {"C": [1.0], "nope": [1.0]},
    ],
    ids=repr,
)
def test_bad_grids(grid):
    assert_same_failure(lambda cls: cls(logistic(), grid), lambda s: s.fit(X_CLASS, Y_BINARY))


def test_bad_grids_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    fit = {"call": lambda s: s.fit(X_CLASS, Y_BINARY)}
    assert_same_failure(lambda cls: cls(pipeline, {"logisticregression__nope": [1.0]}), **fit)
    for model, grid in (
        (pipeline, {"C": [1.0]}),
        (pipeline, {"nope__C": [1.0]}),
        (LogisticRegression(), {"logisticregression__C": [1.0]}),
    ):
        ((_, expected),) = outcome(GridSearchCV(model, grid), **fit)
        ((kind, told),) = outcome(BAMMSearchCV(model, grid), **fit)
        assert kind is ValueError and told.startswith(f"{expected} Did you mean ")


@pytest.mark.parametrize("bounds", [(10, 1), (1.0, 1.0), (10.0, 1.0)], ids=str)
def test_reversed_bounds_suggest_a_list(bounds):
    with pytest.raises(ValueError, match="use a list for a grid"):
        BAMMSearchCV(logistic(), {"C": Interval(*bounds)}).fit(X_CLASS, Y_BINARY)


def test_reversed_bounds_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), Ridge())
    with pytest.warns(UserWarning, match=r"lower end first: \(1, 10\)"):
        search = BAMMSearchCV(pipeline, {"ridge__alpha": (10, 1)}).fit(X_REG, Y_REG)
    assert search.cv_results_["params"] == [{"ridge__alpha": 10}, {"ridge__alpha": 1}]


@pytest.mark.parametrize(
    "bounds",
    [
        (np.nan, 1.0),
        (1.0, np.nan),
        (1.0, np.inf),
        (-np.inf, 1.0),
        (0.0, 1.0, "log"),
        (-1.0, 1.0, "log"),
        (-1.0, 1.0, "linear"),
        (-2.0, -1.0),
        (1.0, 2.0, "cubic"),
        (1.0, 2.0, None),
        ("a", "b"),
        (1.0, "b"),
        (None, 1.0),
        (1.0, 1j),
        ([1.0], [2.0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("estimator, name", [(LogisticRegression(), "C"), (Ridge(), "alpha")])
def test_bad_intervals(bounds, estimator, name):
    with pytest.raises((ValueError, TypeError)):
        BAMMSearchCV(estimator, {name: Interval(*bounds)}).fit(X_CLASS, Y_BINARY)


@pytest.mark.parametrize("bounds", [(np.nan, 1.0), (1.0, np.inf), (-1.0, 1.0), (-2, -1)], ids=str)
def test_bad_tuples(bounds):
    with pytest.raises(ValueError):
        BAMMSearchCV(logistic(), {"C": bounds}).fit(X_CLASS, Y_BINARY)


class OwnLogistic(LogisticRegression):
    """A user's subclass may fit anything, so it is not ours to solve."""


@pytest.mark.parametrize(
    "estimator, name",
    [
        (DecisionTreeClassifier(), "max_depth"),
        (OneClassSVM(), "degree"),
        (OwnLogistic(), "C"),
        (LogisticRegression(), "tol"),
        (LassoLars(positive=True), "alpha"),
        (make_pipeline(StandardScaler(), OneClassSVM()), "oneclasssvm__tol"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "standardscaler__copy"),
    ],
    ids=["tree", "one-class", "subclass", "other-parameter", "positive", "pipeline", "scaler"],
)
@pytest.mark.parametrize(
    "interval",
    [Interval(1e-2, 1e2), scipy.stats.loguniform(1e-2, 1e2), (1e-2, 1e2)],
    ids=["Interval", "distribution", "tuple"],
)
def test_interval_where_it_cannot_be_searched(estimator, name, interval):
    """The error names the parameter and what could be searched instead."""
    with pytest.raises((ValueError, TypeError)) as info:
        BAMMSearchCV(estimator, {name: interval}).fit(X_CLASS, Y_BINARY)
    assert name in str(info.value)
    assert re.search(r"\b(LogisticRegression|Ridge|C|alpha)\b", str(info.value))


@pytest.mark.parametrize("name", ["nope", "logisticregression__C"])
def test_interval_on_an_unknown_parameter(name):
    with pytest.raises((ValueError, TypeError), match=name):
        BAMMSearchCV(LogisticRegression(), {name: Interval(1, 2)}).fit(X_CLASS, Y_BINARY)


def test_distributions():
    search = BAMMSearchCV(Ridge(), {"alpha": scipy.stats.loguniform(1e-2, 1e2)}).fit(X_REG, Y_REG)
    (row,) = search.search_plan_
    assert row["role"] == "searched"
    assert (row["low"], row["high"]) == pytest.approx((1e-2, 1e2))
    assert row["scale"] == "log"
    for bad in (scipy.stats.norm(), scipy.stats.expon(scale=2)):
        with pytest.raises((ValueError, TypeError), match=r"finite|support|bound"):
            BAMMSearchCV(Ridge(), {"alpha": bad}).fit(X_REG, Y_REG)


def test_plan_of_an_interval():
    tuple_, interval = (
        BAMMSearchCV(Ridge(), {"alpha": values}, cv=3).fit(X_REG, Y_REG)
        for values in ((1e-2, 1e2), Interval(1e-2, 1e2))
    )
    assert tuple_.search_plan_ == interval.search_plan_
    (row,) = tuple_.search_plan_
    assert set(row) == {"parameter", "role", "low", "high", "scale", "reason"}
    assert (row["parameter"], row["role"], row["reason"]) == ("alpha", "searched", "")
    assert (row["low"], row["high"], row["scale"]) == (1e-2, 1e2, "log")
    assert tuple_.best_params_ == interval.best_params_
    assert 1e-2 <= tuple_.best_params_["alpha"] <= 1e2


def test_linear_interval():
    space = {"alpha": Interval(0.5, 2.0, scale="linear")}
    search = BAMMSearchCV(Ridge(), space, cv=3).fit(X_REG, Y_REG)
    assert search.search_plan_[0]["scale"] == "linear"
    assert 0.5 <= search.best_params_["alpha"] <= 2.0


@pytest.mark.parametrize(
    "estimator, grid, role",
    [
        (logistic(), {"C": (0.1, 1.0, 10.0)}, "joint grid"),
        (logistic(), {"C": np.array([0.1, 1.0])}, "joint grid"),
        (logistic(), {"C": range(1, 4)}, "joint grid"),
        (logistic(), {"fit_intercept": (True, False)}, "enumerated"),
        (LogisticRegression(), {"max_iter": [500, 1000]}, "enumerated"),
        (DecisionTreeClassifier(random_state=0), {"max_depth": (2, 3, 4)}, "enumerated"),
        (SVC(), {"C": (0.1, 1.0, 10.0)}, "shared fits"),
    ],
    ids=str,
)
def test_sequences_that_are_grids(estimator, grid, role):
    """A tuple is an interval only as two numbers in rising order."""
    ours, theirs = fit_both(estimator, grid, X_CLASS, Y_BINARY, cv=3, scoring="accuracy")
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    assert set(roles(ours).values()) <= {role, "joint grid"}
    if role == "joint grid":
        assert set(roles(ours).values()) == {role}


def test_empty_grid_is_one_candidate_with_defaults():
    for estimator in (logistic(), DecisionTreeClassifier(random_state=0)):
        for grid in ({}, [{}]):
            ours, theirs = fit_both(estimator, grid, X_CLASS, Y_BINARY, cv=3)
            assert ours.cv_results_["params"] == theirs.cv_results_["params"] == [{}]
            assert ours.best_score_ == pytest.approx(theirs.best_score_)


@pytest.mark.parametrize(
    "estimator, grid",
    [
        (OwnLogistic(), {"C": [0.1, 1.0]}),
        (LassoLars(positive=True), {"alpha": [0.1, 1.0]}),
        (LinearRegression(), {"fit_intercept": [True, False]}),
    ],
    ids=str,
)
def test_other_estimators_are_enumerated_in_silence(estimator, grid, recwarn, capsys):
    search = BAMMSearchCV(estimator, grid, cv=3).fit(X_CLASS, Y_BINARY)
    assert set(roles(search).values()) == {"enumerated"}
    for row in search.search_plan_:
        assert row["reason"]
    assert not recwarn.list
    assert capsys.readouterr() == ("", "")
