"""Lists beside intervals, and lists of grids."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from tests.truth import LOSS, assert_true, fold_scores, logistic, roles, search_over

SETTINGS = {"cv": StratifiedKFold(3), "scoring": LOSS}


def assert_rows_true(search, estimator, X, y):
    """Assert that every row of the table is what cross-validation gives its parameters."""
    for row, params in enumerate(search.cv_results_["params"]):
        expected = cross_val_score(estimator.set_params(**params), X, y, **SETTINGS)
        np.testing.assert_allclose(fold_scores(search, row), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("criterion", ["auto", "brier"])
def test_rows_for_each_combination(criterion, binary):
    """Where the criterion is not the scorer's own loss, that judges other points as well."""
    grid = {"fit_intercept": [True, False], "C": (1e-3, 1e3), "class_weight": [None, "balanced"]}
    search = search_over(logistic(), grid, *binary, criterion=criterion, **SETTINGS)
    stage = search.cv_results_["stage"]
    # The top of a parabola may be what the search found: then nothing is finer.
    assert set(stage) - {"finer"} == ({"refined"} if criterion == "auto" else {"refined", "scan"})
    first = stage != "finer"  # rows between those around the best one come last
    assert first[: first.sum()].all()
    table = {name: column[first] for name, column in search.cv_results_.items() if name != "params"}
    assert table["stage"][0] == "refined"
    which = (table["stage"] == "refined").cumsum() - 1
    combinations = [(True, None), (False, None), (True, "balanced"), (False, "balanced")]
    found = zip(table["param_fit_intercept"], table["param_class_weight"], strict=True)
    assert list(found) == [combinations[i] for i in which]
    assert roles(search) == {
        "fit_intercept": "enumerated", "C": "searched", "class_weight": "enumerated",
    }  # fmt: skip
    for row in search.search_plan_:
        assert (row["reason"] == "") == (row["parameter"] == "C")
    assert_rows_true(search, logistic(), *binary)
    assert_true(search, *binary, **SETTINGS)


def test_every_combination_has_a_search_of_its_own(binary):
    grid = {"fit_intercept": [True, False], "C": (1e-3, 1e3)}
    both = search_over(logistic(), grid, *binary, **SETTINGS)
    for i, fit_intercept in enumerate(grid["fit_intercept"]):
        model = logistic(fit_intercept=fit_intercept)
        alone = search_over(model, {"C": (1e-3, 1e3)}, *binary, **SETTINGS)
        assert both.cv_results_["param_C"][i] == alone.best_params_["C"]
        assert both.n_iter_ >= alone.n_iter_
    assert len(both.history_["C"]) == len(both.history_["seconds"]) > both.n_iter_
    assert (np.diff(both.history_["seconds"]) > 0).all()


def test_settings_of_a_transformer_beside_an_interval(binary):
    X, y = binary
    model = Pipeline([("scaler", StandardScaler()), ("model", logistic())])
    grid = {"scaler__with_mean": [True, False], "model__C": (1e-3, 1e3)}
    search = search_over(model, grid, X + 2, y, **SETTINGS)
    assert list(search.cv_results_["param_scaler__with_mean"]) == [True, False]
    assert_rows_true(search, model, X + 2, y)


def test_a_union_of_grids(binary):
    """An interval, a joint grid, and models that only scikit-learn can fit."""
    X, y = binary
    model = Pipeline([("scaler", StandardScaler()), ("model", logistic())])
    grid = [
        {"model__C": (1e-3, 1e3)},
        {"model__C": [0.1, 1.0], "scaler": ["passthrough"]},
        {"model": [DecisionTreeClassifier(random_state=0)], "model__max_depth": [1, 2]},
        {"model": [SVC()], "model__C": [1.0, 2.0]},
        {"model": [logistic(fit_intercept=False)], "model__C": (1e-3, 1e3)},
    ]
    search = search_over(model, grid, X, y, cv=SETTINGS["cv"], scoring="accuracy")
    table = search.cv_results_
    rows = zip(table["stage"], table["params"], strict=True)
    assert [p.get("model__C") for s, p in rows if s == "grid"] == [0.1, 1.0, None, None, 1.0, 2.0]
    (grid,) = np.flatnonzero(np.diff(table["stage"] == "grid"))[:2, None].T
    assert set(table["stage"][: grid[0] + 1]) == {"scan"}
    assert {"scan", "refined"} <= set(table["stage"][grid[1] + 1 :]) <= {"scan", "refined", "finer"}
    by_grid = [row["role"] for row in search.search_plan_ if row["parameter"] == "model__C"]
    assert by_grid == ["searched", "joint grid", "shared fits", "searched"]
    reasons = [
        row["reason"] for row in search.search_plan_ if row["parameter"] == "model__max_depth"
    ]
    assert "DecisionTreeClassifier" in reasons[0]
    for row, params in enumerate(table["params"]):
        expected = cross_val_score(
            Pipeline(model.steps).set_params(**params), X, y, cv=SETTINGS["cv"]
        )
        sizes = np.array([len(test) for _, test in SETTINGS["cv"].split(X, y)])
        assert (np.abs(fold_scores(search, row) - expected) <= 1 / sizes + 1e-12).all()


def test_an_interval_under_lists_that_the_twin_cannot_take(binary):
    """It is refused by name before any work, whichever combination it is."""
    grid = {"C": (1e-2, 1e2), "l1_ratio": [0, 1]}
    with pytest.raises(ValueError, match=r"'C' cannot be searched .*lbfgs.* Use a list"):
        search_over(LogisticRegression(), grid, *binary, **SETTINGS)


def test_a_joint_grid_with_values_that_only_scikit_learn_can_fit(regression):
    """No penalty at all is left to scikit-learn, the rest is not."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV

    grid = {"alpha": [0, 0.0, 1e-3, 1.0], "solver": ["auto", "lsqr"]}
    ours = search_over(Ridge(tol=1e-10), grid, *regression, cv=3)
    theirs = GridSearchCV(Ridge(tol=1e-10), grid, cv=3).fit(*regression)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-6
    )
