"""Searches of penalties with absolute values, and of two hyperparameters at once."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine, make_classification
from sklearn.linear_model import ElasticNet, Lasso, LassoCV, LassoLars, LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV, Interval
from skbamm.glm.submatrix import Submatrix
from tests.truth import (
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    least_loss,
    search_over,
)

MSE = "neg_mean_squared_error"
X, Y = load_diabetes(return_X_y=True)
X = X / X.std(0)
CV = KFold(4, shuffle=True, random_state=0)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}


@pytest.mark.parametrize("interval", [(1e-3, 1e1), (1e-3, 1e6), (1e-1, 1e2), (5.0, 1e3)])
def test_lasso_is_as_good_as_its_path_from_any_interval(interval):
    """Also where most of the interval means empty models, whose hypergradient is zero."""
    search = search_over(Lasso(**TIGHT), {"alpha": interval}, X, Y, scoring=MSE, cv=CV)
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV, scoring=MSE, atol=1e-4)
    alphas = np.geomspace(interval[0], min(interval[1], 50.0), 100)
    path = LassoCV(cv=CV, alphas=alphas, **TIGHT).fit(X, Y)
    assert search.converged_
    assert -search.best_score_ <= path.mse_path_.mean(1).min() * (1 + 1e-4)
    assert interval[0] <= search.best_params_["alpha"] <= interval[1]


def test_noise_is_answered_by_an_empty_model_or_nearly():
    y = np.random.default_rng(0).normal(size=len(Y))
    search = search_over(Lasso(**TIGHT), {"alpha": (1e-4, 1e2)}, X, y, scoring=MSE, cv=CV)
    null = np.mean([np.mean((y[test] - y[train].mean()) ** 2) for train, test in CV.split(X)])
    assert -search.best_score_ <= null * 1.005


@pytest.mark.parametrize("ratio", [(0.0, 1.0), (0.2, 0.9)])
def test_both_parameters_of_an_elastic_net(ratio):
    grid = {"alpha": (1e-3, 1e2), "l1_ratio": ratio}
    search = search_over(ElasticNet(**TIGHT), grid, X, Y, scoring=MSE, cv=CV)
    assert [row["role"] for row in search.search_plan_] == ["searched", "searched"]
    assert_true(search, X, Y, cv=CV, scoring=MSE, atol=1e-3)
    values = {"alpha": np.geomspace(1e-3, 1e2, 10), "l1_ratio": np.linspace(*ratio, 10)[1:]}
    own = GridSearchCV(ElasticNet(max_iter=100_000), values, scoring=MSE, cv=CV).fit(X, Y)
    assert -search.best_score_ <= -own.best_score_ * (1 + 1e-3)
    assert set(search.history_) >= {"alpha", "l1_ratio"}
    assert all(type(value) is float for value in search.best_params_.values())


def test_a_list_beside_an_interval():
    grid = {"alpha": (1e-3, 1e2), "l1_ratio": [0.2, 0.9]}
    search = search_over(ElasticNet(**TIGHT), grid, X, Y, scoring=MSE, cv=CV)
    assert set(search.cv_results_["param_l1_ratio"]) == {0.2, 0.9}
    for ratio in (0.2, 0.9):
        least = least_loss(
            ElasticNet(l1_ratio=ratio, **TIGHT), "alpha", np.geomspace(1e-3, 1e2, 25), X, Y,
            scoring=MSE, cv=CV,
        )  # fmt: skip
        mine = search.cv_results_["mean_test_score"][search.cv_results_["param_l1_ratio"] == ratio]
        assert -mine.max() <= least * (1 + 1e-4)


def test_lists_give_the_table_of_a_grid_search():
    grid = {"alpha": [0.01, 1.0, 30.0], "l1_ratio": [0.1, 0.5, 1.0]}
    model = make_pipeline(StandardScaler(), ElasticNet(**TIGHT))
    grid = {f"elasticnet__{name}": values for name, values in grid.items()}
    ours = search_over(model, grid, X, Y, scoring=MSE, cv=CV)
    own = GridSearchCV(model, grid, scoring=MSE, cv=CV).fit(X, Y)
    assert {row["role"] for row in ours.search_plan_} == {"joint grid"}
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"], rtol=1e-7
    )
    assert ours.best_params_ == own.best_params_


def test_more_features_than_rows():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(40, 200))
    y = wide[:, :4] @ np.array([3.0, -2.0, 2.0, 1.0]) + rng.normal(size=40)
    search = search_over(Lasso(**TIGHT), {"alpha": (1e-2, 1e1)}, wide, y, scoring=MSE, cv=CV)
    path = LassoCV(cv=CV, alphas=np.geomspace(1e-2, 1e1, 100), **TIGHT).fit(wide, y)
    assert -search.best_score_ <= path.mse_path_.mean(1).min() * 1.005


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_logistic_regression_with_an_l1_penalty():
    data, labels = load_breast_cancer(return_X_y=True)
    data, labels = StandardScaler().fit_transform(data)[::3], labels[::3]
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    model = LogisticRegression(solver="saga", l1_ratio=1.0, tol=1e-6, max_iter=3000)
    search = search_over(model, {"C": (1e-2, 1e1)}, data, labels, scoring=LOSS, cv=cv)
    assert_served(search, "searched")
    own = GridSearchCV(model, {"C": np.geomspace(1e-2, 1e1, 5)}, scoring=LOSS, cv=cv)
    assert -search.best_score_ <= -own.fit(data, labels).best_score_ * (1 + 1e-4)


WINE, KINDS = load_wine(return_X_y=True)
WINE = StandardScaler().fit_transform(WINE)[::2]
KINDS = np.array(["red", "rosé", "white"])[KINDS[::2]]
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
SAGA = LogisticRegression(solver="saga", l1_ratio=1.0, tol=1e-8, max_iter=50_000, random_state=0)


@pytest.mark.parametrize("settings", [{"class_weight": "balanced"}, {"fit_intercept": False}])
def test_classes_that_share_a_softmax_with_an_l1_penalty(settings):
    model = clone(SAGA).set_params(**settings)
    search = search_over(model, {"C": (1e-2, 1e1)}, WINE, KINDS, scoring=LOSS, cv=FOLDS)
    assert_served(search, "searched")
    assert search.converged_
    assert_true(search, WINE, KINDS, cv=FOLDS, scoring=LOSS, atol=1e-4)
    least = least_loss(model, "C", np.geomspace(1e-2, 1e1, 10), WINE, KINDS, scoring=LOSS, cv=FOLDS)
    assert -search.best_score_ <= least * (1 + 1e-4)


# On a crease of F, where kinks of several folds are close, the last digits take long.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_both_parameters_of_several_classes():
    grid = {"C": (1e-2, 1e1), "l1_ratio": (0.0, 1.0)}
    X = WINE[:, 4:12]  # the best ratio is inside of the interval
    search = search_over(SAGA, grid, X, KINDS, scoring=LOSS, cv=FOLDS)
    assert [row["role"] for row in search.search_plan_] == ["searched", "searched"]
    values = {"C": list(np.geomspace(1e-2, 1e1, 5)), "l1_ratio": [0.1, 0.4, 0.7, 1.0]}
    table = search_over(SAGA, values, X, KINDS, scoring=LOSS, cv=FOLDS, refit=False)
    assert {row["role"] for row in table.search_plan_} == {"joint grid"}
    assert search.best_score_ >= table.cv_results_["mean_test_score"].max() - 1e-4


@pytest.mark.parametrize("sparse", [False, True])
def test_lists_of_several_classes_give_the_table_of_a_grid_search(sparse):
    data = sp.csr_array(WINE * (abs(WINE) > 0.5)) if sparse else WINE
    grid = {"C": [0.05, 0.5], "l1_ratio": [0.0, 0.3, 1.0]}
    assert_grid_search_agrees(SAGA, grid, data, KINDS, scoring=LOSS, cv=FOLDS, atol=1e-5)


def test_several_classes_behind_a_transformer():
    model = make_pipeline(StandardScaler(), SAGA)
    grid = {"logisticregression__C": [0.05, 1.0]}
    assert_grid_search_agrees(model, grid, WINE, KINDS, scoring=LOSS, cv=FOLDS, atol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "grid", "message"),
    [
        (
            LogisticRegression(),
            {"l1_ratio": (0.0, 1.0)},
            r"'l1_ratio' cannot be searched .*only 'C' can be \(solver='saga' allows it\)",
        ),
        (LassoLars(positive=True), {"alpha": (0.1, 1.0)}, "with positive=True the path may end"),
        (ElasticNet(), {"l1_ratio": (0.5, 1.5)}, "must end at 1 or less, got high=1.5"),
        (ElasticNet(), {"max_iter": (10.5, 20.5)}, "max_iter"),
    ],
)
def test_what_cannot_be_searched_is_named(estimator, grid, message):
    grid = {name: Interval(*value) for name, value in grid.items()}
    with pytest.raises(ValueError, match=message):
        BAMMSearchCV(estimator, grid).fit(X, Y > 150)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_many_more_features_than_rows(classes, form, monkeypatch):
    """Coordinate descent goes first: by faces alone, each would be some features from the last."""
    made = []
    first = Submatrix.__init__
    monkeypatch.setattr(
        Submatrix, "__init__", lambda self, *args: (made.append(1), first(self, *args))[1]
    )
    X, y = make_classification(60, 400, n_informative=15, n_classes=classes, random_state=1)
    X[np.abs(X) < 0.5] = 0
    options = {"scoring": "neg_log_loss", "cv": 3}
    search = BAMMSearchCV(SAGA, {"C": [0.1, 0.3, 2.0]}, refit=False, **options).fit(form(X), y)
    assert search.search_plan_[0]["role"] == "joint grid"
    assert classes > 2 or len(made) < 70  # 94 without the descent
    own = clone(SAGA).set_params(C=0.1, tol=1e-7)
    losses = cross_val_score(own, X, y, **options)
    found = [search.cv_results_[f"split{k}_test_score"][0] for k in range(3)]
    np.testing.assert_allclose(found, losses, rtol=1e-5)
