"""What a search makes of param_grid."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LassoLars, LogisticRegression, Ridge
from sklearn.model_selection import ParameterGrid
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from skbamm import Interval
from skbamm.models import supported
from skbamm.space import Axis, read_grid
from skbamm.space.judged import judged_families

C_AXIS = Axis("C", 1e-3, 1e3, "log")


def params(space):
    return [combination.params for combination in space.combinations]


def plan(space):
    """Return the plan's rows by parameter."""
    assert all(
        list(row) == ["parameter", "role", "low", "high", "scale", "reason"] for row in space.plan
    )
    return {row["parameter"]: row for row in space.plan}


# Lists


@pytest.mark.parametrize(
    "grid",
    [
        {"C": [0.1, 1.0]},
        {"tol": [1e-3, 1e-4], "C": [1, 2, 3]},
        [{"C": [1]}, {"fit_intercept": [True, False], "C": [2]}],
        {},
        [{}],
        [{"C": [1]}, {}],
        {"C": np.array([0.1, 1.0])},
        {"C": (1, 2, 3)},
        {"tol": ("a", "b"), "C": [1]},
    ],
    ids=repr,
)
def test_lists_are_candidates_in_scikit_learns_order(grid):
    space = read_grid(LogisticRegression(), grid)
    assert params(space) == list(ParameterGrid(grid))
    assert not space.continuous
    assert all(not combination.axes for combination in space.combinations)


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (LogisticRegression(), {"C": (1.0, 0.1)}),
        (LogisticRegression(), {"tol": (1e-3, 1e-4), "C": [1]}),
        (LassoLars(positive=True), {"alpha": (10, 1)}),
        (DecisionTreeClassifier(), [{"max_depth": [1]}, {"max_depth": (10, 2)}]),
        (Pipeline([("clf", SVC())]), {"clf__C": (np.float64(1e3), 1)}),
    ],
    ids=str,
)
def test_a_pair_in_falling_order_is_a_list_and_told(estimator, grid):
    with pytest.warns(UserWarning, match="An interval has its lower end first") as told:
        space = read_grid(estimator, grid)
    assert len(told) == 1
    assert params(space) == list(ParameterGrid(grid)) and not space.continuous


@pytest.mark.parametrize(
    "values",
    [(True, False), (1, True), ((1, 1), (1, 2)), (1.0, 1.0), (1.0,), (None, 1.0), ("l1", "l2"), ()],
    ids=str,
)
def test_other_tuples_are_lists_as_scikit_learn_has_it(values):
    grid = {"min_samples_leaf": values}
    if not values:
        with pytest.raises(ValueError, match="non-empty"):
            read_grid(DecisionTreeClassifier(), grid)
        return
    assert params(read_grid(DecisionTreeClassifier(), grid)) == list(ParameterGrid(grid))


# Intervals


@pytest.mark.parametrize(
    ("value", "axis"),
    [
        ((1e-3, 1e3), C_AXIS),
        (Interval(1e-3, 1e3), C_AXIS),
        (Interval(1, 3, "linear"), Axis("C", 1.0, 3.0, "linear")),
        (stats.loguniform(1e-3, 1e3), C_AXIS),
        (stats.uniform(1, 3), Axis("C", 1.0, 4.0, "log")),
    ],
)
def test_an_interval_is_one_combination(value, axis):
    space = read_grid(LogisticRegression(), {"C": value})
    (combination,) = space.combinations
    assert combination.params == {}
    (found,) = combination.axes
    assert (found.name, found.scale) == (axis.name, axis.scale)
    assert found.bounds() == pytest.approx(axis.bounds())
    assert space.continuous


def test_ridge_may_begin_at_zero():
    (combination,) = read_grid(Ridge(), {"alpha": (0, 10)}).combinations
    assert combination.axes == (Axis("alpha", 0.0, 10.0, "linear"),)


def test_lists_beside_an_interval_get_a_search_each():
    grid = {"class_weight": [None, "balanced"], "C": (1e-3, 1e3), "fit_intercept": [True, False]}
    space = read_grid(LogisticRegression(), grid)
    listed = {name: value for name, value in grid.items() if name != "C"}
    assert params(space) == list(ParameterGrid(listed))
    for combination in space.combinations:
        assert combination.axes == (C_AXIS,)
        for name, value in combination.params.items():
            assert combination.target.estimator.get_params()[name] == value


def test_a_list_of_grids_is_a_union():
    grid = [{"C": (1e-3, 1e3)}, {"C": [1, 2]}, {"l1_ratio": [1], "C": [3]}]
    space = read_grid(LogisticRegression(), grid)
    assert params(space) == [{}, {"C": 1}, {"C": 2}, {"C": 3, "l1_ratio": 1}]
    assert [c.axes for c in space.combinations] == [(C_AXIS,), (), (), ()]
    assert [c.target.twin is None for c in space.combinations] == [False, False, False, True]
    assert [(row["parameter"], row["role"]) for row in space.plan] == [
        ("C", "searched"),
        ("C", "joint grid"),
        ("l1_ratio", "enumerated"),
        ("C", "enumerated"),
    ]


# Pipelines


def pipeline(last):
    return Pipeline([("scale", StandardScaler()), ("model", last)])


def test_the_last_step_is_tuned():
    space = read_grid(
        pipeline(LogisticRegression()),
        {"model__C": (1e-3, 1e3), "scale__with_mean": (True, False)},
    )
    assert params(space) == [{"scale__with_mean": True}, {"scale__with_mean": False}]
    for combination in space.combinations:
        assert combination.target.prefix == "model__"
        assert list(combination.target.tuned) == [a.name for a in combination.axes] == ["model__C"]


def test_the_name_of_the_last_step_is_what_the_user_called_it():
    space = read_grid(make_pipeline(MinMaxScaler(), Ridge()), {"ridge__alpha": [1.0, 2.0]})
    assert {tuple(combination.target.tuned) for combination in space.combinations} == {
        ("ridge__alpha",)
    }


def test_a_step_may_be_exchanged():
    grid = {"model": [Ridge(), GaussianProcessRegressor()], "model__alpha": [1.0]}
    space = read_grid(pipeline(Ridge()), grid)
    assert [type(c.target.twin).__name__ for c in space.combinations] == ["RidgeTwin", "NoneType"]
    assert (
        space.combinations[1].target.reason == "GaussianProcessRegressor has no differentiable twin"
    )


def test_an_exchanged_step_that_has_no_twin_cannot_be_searched():
    grid = {"model": [Ridge(), GaussianProcessRegressor()], "model__alpha": Interval(0.1, 1)}
    with pytest.raises(ValueError, match="GaussianProcessRegressor has no differentiable twin"):
        read_grid(pipeline(Ridge()), grid)


def test_values_that_are_estimators_are_not_changed():
    inner = Ridge(alpha=5.0)
    read_grid(pipeline(GaussianProcessRegressor()), {"model": [inner], "model__alpha": [1.0]})
    assert inner.alpha == 5.0


def test_subclasses_of_pipeline_are_not_looked_into():
    class Mine(Pipeline):
        pass

    space = read_grid(Mine([("model", Ridge())]), {"model__alpha": [1.0]})
    assert space.combinations[0].target.twin is None


def test_the_users_estimator_is_not_changed():
    estimator = pipeline(Ridge(alpha=3.0))
    read_grid(estimator, {"model__alpha": [1.0, 2.0], "scale__with_mean": [False]})
    assert estimator.get_params()["model__alpha"] == 3.0
    assert estimator.get_params()["scale__with_mean"]


# The plan


def test_the_plan_of_an_interval():
    assert plan(read_grid(LogisticRegression(), {"C": (1e-3, 1e3)})) == {
        "C": {
            "parameter": "C",
            "role": "searched",
            "low": 1e-3,
            "high": 1e3,
            "scale": "log",
            "reason": "",
        }
    }


def test_the_plan_of_a_joint_grid_and_of_what_is_enumerated_beside_it():
    rows = plan(read_grid(Ridge(), {"alpha": [1, 2], "fit_intercept": [True, False]}))
    assert rows["alpha"]["role"] == "joint grid" and rows["alpha"]["reason"] == ""
    assert rows["fit_intercept"]["role"] == "enumerated"
    assert rows["fit_intercept"]["reason"].startswith("not differentiable")
    assert rows["fit_intercept"]["low"] is rows["fit_intercept"]["scale"] is None


def test_the_plan_says_why_all_is_enumerated():
    rows = plan(read_grid(DecisionTreeClassifier(), {"max_depth": [1, 2]}))
    assert rows["max_depth"]["role"] == "enumerated"
    assert rows["max_depth"]["reason"] == "DecisionTreeClassifier has no differentiable twin"
    rows = plan(read_grid(LassoLars(positive=True), {"alpha": [1, 2]}))
    assert rows["alpha"]["role"] == "enumerated"
    assert rows["alpha"]["reason"] == "LassoLars: with positive=True the path may end before alpha"


def test_the_plan_has_a_row_a_parameter_a_grid():
    grid = [{"alpha": [1]}, {"alpha": (0.1, 1), "tol": [1e-3]}]
    space = read_grid(Ridge(), grid)
    assert [row["parameter"] for row in space.plan] == ["alpha", "alpha", "tol"]


# Errors


@pytest.mark.parametrize(
    ("estimator", "grid", "name", "why"),
    [
        (
            OneClassSVM(),
            {"tol": Interval(0.1, 0.2)},
            "tol",
            "of OneClassSVM as it is set only 'nu' and 'gamma' can be (kernel='rbf' has no other)",
        ),
        (
            make_pipeline(PCA(), LinearDiscriminantAnalysis()),
            {"lineardiscriminantanalysis__shrinkage": (0.0, 0.5)},
            "lineardiscriminantanalysis__shrinkage",
            "of LinearDiscriminantAnalysis as it is set nothing can be (solver='svd' has no "
            "shrinkage; solver='lsqr' and 'eigen' have)",
        ),
        (SVC(), {"tol": (1e-4, 1e-2)}, "tol", "of SVC as it is set only 'C', 'gamma' can be"),
        (
            DecisionTreeClassifier(),
            {"max_depth": (2, 10)},
            "max_depth",
            "DecisionTreeClassifier has no differentiable twin",
        ),
        (
            LassoLars(positive=True),
            {"alpha": (1, 2)},
            "alpha",
            "LassoLars: with positive=True the path may end before alpha",
        ),
        (
            LogisticRegression(),
            {"tol": (1e-4, 1e-3), "C": [1.0]},
            "tol",
            "of LogisticRegression as it is set only 'C' can be",
        ),
        (
            GaussianNB(),
            {"priors": stats.uniform(1, 2)},
            "priors",
            "of GaussianNB as it is set only 'var_smoothing' can be",
        ),
        (
            LogisticRegression(l1_ratio=1),
            {"C": Interval(1, 2)},
            "C",
            "LogisticRegression: solver='lbfgs' has no L1 penalty; use solver='saga'",
        ),
        (Ridge(), {"tol": Interval(1, 2)}, "tol", "of Ridge as it is set only 'alpha' can be"),
        (
            make_pipeline(PCA(), Ridge()),
            {"pca__n_components": Interval(1, 2)},
            "pca__n_components",
            "of Ridge as it is set only 'ridge__alpha' can be",
        ),
        (
            TransformedTargetRegressor(GaussianProcessRegressor()),
            {"regressor__alpha": Interval(1, 2)},
            "regressor__alpha",
            "TransformedTargetRegressor: GaussianProcessRegressor has no differentiable twin",
        ),
        (
            LogisticRegression(solver="liblinear"),
            {"C": (1, 2), "l1_ratio": [0, 0.5]},
            "C",
            "LogisticRegression: solver='liblinear' has no l1_ratio=0.5; use solver='saga'",
        ),
    ],
)
def test_what_cannot_be_searched_is_named_with_the_reason(estimator, grid, name, why):
    with pytest.raises(ValueError) as error:
        read_grid(estimator, grid)
    assert str(error.value) == (
        f"Parameter {name!r} cannot be searched over an interval: {why}. Use a list of values. "
        f"Intervals are supported for {supported()}. Those of {judged_families()}."
    )


@pytest.mark.parametrize("grid", [{"C": Interval(2, 1)}, {"C": Interval(1, 2, "x")}, {"C": (0, 1)}])
def test_bad_intervals_are_refused(grid):
    with pytest.raises(ValueError, match="parameter 'C'"):
        read_grid(LogisticRegression(), grid)


def test_a_discrete_distribution_is_no_interval():
    """Its values are whole numbers; an interval would try others."""
    with pytest.raises((TypeError, ValueError), match="'C'"):
        read_grid(LogisticRegression(), {"C": stats.randint(1, 10)})


def test_infinite_support_is_refused():
    with pytest.raises(ValueError, match="'C' must have finite support"):
        read_grid(LogisticRegression(), {"C": stats.expon()})


@pytest.mark.parametrize(
    "grid",
    [
        0,
        "C",
        [{"C": [1]}, 3],
        {"C": 1.0},
        {"C": []},
        {"C": "ab"},
        {"C": np.ones((2, 2))},
        {"C": {1: 2}},
        [[{"C": [1]}]],
    ],
    ids=repr,
)
def test_bad_grids_get_scikit_learns_errors(grid):
    with pytest.raises((TypeError, ValueError)) as expected:
        ParameterGrid(grid)
    with pytest.raises(type(expected.value)) as found:
        read_grid(LogisticRegression(), grid)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("bad", [3.0, [], "ab"])
def test_bad_lists_beside_an_interval_get_them_too(bad):
    with pytest.raises((TypeError, ValueError)) as expected:
        ParameterGrid({"tol": bad})
    with pytest.raises(type(expected.value)) as found:
        read_grid(LogisticRegression(), {"tol": bad, "C": (1, 2)})
    assert str(found.value) == str(expected.value)


def test_numbers_given_as_text_are_named():
    for values in (["0.1", 1.0], ("0.1", "10"), Interval(0.1, "1e3"), np.array(["1", "2"])):
        with pytest.raises(ValueError, match=r"parameter 'C' must be numbers, got .*'1?0?\.?1"):
            read_grid(LogisticRegression(), {"C": values})
    for grid in ({"gamma": ["scale", "auto", 0.1]}, {"gamma": ["scale", 0.1], "C": (0.1, 1.0)}):
        read_grid(SVC(), grid)  # texts may be values there
    with pytest.raises(ValueError, match=r"parameter 'gamma' must be numbers"):
        read_grid(SVC(), {"gamma": ["scale", "0.1"]})


@pytest.mark.parametrize(
    ("estimator", "grid", "meant"),
    [
        (Ridge(), {"aplha": [1.0], "alpha": [1.0]}, "'alpha'"),
        (LogisticRegression(), {"c": [1.0]}, "'C'"),
        (LogisticRegression(), {"c": (0.1, 1.0)}, "'C'"),
        (pipeline(Ridge()), {"alpha": (0.1, 1.0)}, "'model__alpha'"),
        (pipeline(Ridge()), {"ridge__alpha": [1.0]}, "'model__alpha'"),
        (pipeline(Ridge()), {"modle__alhpa": [1.0]}, "'model__alpha'"),
        (pipeline(Ridge()), {"model": [SVC()], "model__alpha": [1.0]}, ""),
        (pipeline(Ridge()), {"model": [LassoLars()], "model__esp": [1.0]}, "'model__eps'"),
        (Ridge(), {"zzz": Interval(1, 2)}, ""),
    ],
    ids=str,
)
def test_unknown_names_get_scikit_learns_error_and_what_is_near(estimator, grid, meant):
    listed = {n: [1] if isinstance(v, (tuple, Interval)) else v for n, v in grid.items()}
    with pytest.raises(ValueError) as expected:
        for one in ParameterGrid(listed):
            clone(estimator).set_params(**one)
    with pytest.raises(ValueError) as found:
        read_grid(estimator, grid)
    told = str(found.value)
    assert told.startswith(str(expected.value))
    assert told.removeprefix(str(expected.value)).startswith(f" Did you mean {meant}") == bool(
        meant
    )
