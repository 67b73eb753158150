"""Searches of penalties that are norms of all outputs' coefficients of a feature."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_linnerud
from sklearn.linear_model import MultiTaskElasticNet, MultiTaskLasso
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from tests.truth import assert_grid_search_agrees, assert_served, assert_true, search_over

MSE = "neg_mean_squared_error"
CV = KFold(4, shuffle=True, random_state=0)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def made_up(n=80, d=30, m=3, seed=0):
    """Outputs that depend on the same few features."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    coef = np.zeros((d, m))
    coef[:5] = rng.normal(size=(5, m))
    return X, X @ coef + 2 * rng.normal(size=(n, m))


DATA = {"made up": made_up(), "linnerud": load_linnerud(return_X_y=True), "wide": made_up(40, 60)}
X, Y = DATA["made up"]


@pytest.mark.parametrize(
    ("name", "scoring"),
    [("made up", "r2"), ("linnerud", MSE), ("linnerud", "neg_mean_absolute_error"), ("wide", MSE)],
)
def test_an_interval_is_as_good_as_a_grid(name, scoring):
    data, target = DATA[name]
    data, target = data / data.std(0), target / target.std(0)
    search = search_over(MultiTaskLasso(**TIGHT), {"alpha": (1e-3, 1e1)}, data, target,
                         scoring=scoring, cv=CV)  # fmt: skip
    assert_served(search, "searched")
    assert_true(search, data, target, cv=CV, scoring=scoring, atol=1e-4)
    grid = {"alpha": np.geomspace(1e-3, 1e1, 20)}
    own = GridSearchCV(MultiTaskLasso(**TIGHT), grid, scoring=scoring, cv=CV).fit(data, target)
    # What stands for an absolute error is smooth.
    slack = 1e-3 if "absolute" in scoring else 1e-4
    assert search.best_score_ >= own.best_score_ - slack * abs(own.best_score_)


def test_both_parameters():
    grid = {"alpha": (1e-3, 1e2), "l1_ratio": (0.1, 1.0)}
    search = search_over(MultiTaskElasticNet(**TIGHT), grid, X, Y, scoring=MSE, cv=CV)
    assert [row["role"] for row in search.search_plan_] == ["searched", "searched"]
    assert_true(search, X, Y, cv=CV, scoring=MSE, atol=1e-3)
    values = {"alpha": np.geomspace(1e-3, 1e2, 20), "l1_ratio": [0.1, 0.4, 0.7, 1.0]}
    own = GridSearchCV(MultiTaskElasticNet(**TIGHT), values, scoring=MSE, cv=CV).fit(X, Y)
    assert search.best_score_ >= own.best_score_ * (1 + 1e-3)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_lists_give_the_table_of_a_grid_search(fit_intercept):
    model = MultiTaskElasticNet(fit_intercept=fit_intercept, **TIGHT)
    grid = {"alpha": [0.01, 0.3, 5.0], "l1_ratio": [0.1, 0.5, 1.0]}
    assert_grid_search_agrees(model, grid, X, Y, scoring=MSE, cv=CV)
    model = make_pipeline(StandardScaler(), model)
    grid = {f"multitaskelasticnet__{name}": values for name, values in grid.items()}
    assert_grid_search_agrees(model, grid, X, Y, scoring=MSE, cv=CV)


def test_sparse_data_and_weights():
    weight = np.random.default_rng(0).integers(1, 4, len(X)).astype(float)
    data = sp.csr_array(X * (X > 0))
    grid, given = {"alpha": [0.05, 0.5]}, {"sample_weight": weight}
    model = MultiTaskLasso(**TIGHT)
    assert_grid_search_agrees(model, grid, data, Y, given, scoring=MSE, cv=CV)
    dense = search_over(model, {"alpha": (1e-2, 1e1)}, data.toarray(), Y, given, cv=CV)
    sparse = search_over(model, {"alpha": (1e-2, 1e1)}, data, Y, given, cv=CV)
    assert sparse.best_score_ == pytest.approx(dense.best_score_, rel=1e-6)


def test_a_fitted_model_is_scikit_learns():
    search = search_over(MultiTaskLasso(**TIGHT), {"alpha": (1e-3, 1e1)}, X, Y, cv=CV)
    own = MultiTaskLasso(**search.best_params_, **TIGHT).fit(X, Y)
    np.testing.assert_allclose(search.best_estimator_.coef_, own.coef_, atol=1e-6)
    assert set(vars(search.best_estimator_)) == set(vars(own))


@pytest.mark.parametrize(
    ("estimator", "grid", "data", "target", "message"),
    [
        (MultiTaskLasso(), {"alpha": (-1.0, 0.1)}, X, Y, "alpha"),
        (MultiTaskElasticNet(), {"l1_ratio": (0.5, 1.5)}, X, Y, "l1_ratio"),
        (MultiTaskElasticNet(l1_ratio=2.0), {"alpha": (0.1, 1.0)}, X, Y, "l1_ratio"),
        (MultiTaskLasso(), {"alpha": [0.1, 1.0]}, X, Y[:, 0], "mono-task"),
    ],
)
def test_what_is_wrong_is_named(estimator, grid, data, target, message):
    with pytest.raises((ValueError, TypeError), match=message):
        BAMMSearchCV(estimator, grid, error_score="raise").fit(data, target)
