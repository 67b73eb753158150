"""positive=True of Ridge, Lasso and ElasticNet: searched like the models without it."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Lasso, LassoLars, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from skbamm.models import find_twin
from tests.problems import X_BINARY, X_REG, Y_BINARY, Y_REG, Y_TWO

CV = KFold(4, shuffle=True, random_state=0)
TIGHT = {"positive": True, "tol": 1e-10, "max_iter": 100_000}
MODELS = {
    "ridge": (Ridge(**TIGHT), (0.01, 1e3)),
    "lasso": (Lasso(**TIGHT), (0.01, 50.0)),
    "elastic net": (ElasticNet(l1_ratio=0.5, **TIGHT), (1e-4, 10.0)),
}
WEIGHT = np.random.default_rng(0).uniform(0.5, 2, len(Y_REG))
RNG = np.random.default_rng(1)
X_SPARSE = sp.random(400, 60, 0.1, format="csr", random_state=0)
Y_SPARSE = X_SPARSE @ np.abs(RNG.normal(size=60)) + 0.3 * RNG.normal(size=400)


def searched(estimator, space, X, y, **fit_params):
    """Return a search of an interval, and its F at other values by own fits."""
    search = BAMMSearchCV(estimator, space, cv=CV, random_state=0).fit(X, y, **fit_params)
    assert {row["role"] for row in search.search_plan_} == {"searched"}
    ((name, value),) = search.best_params_.items()
    values = [value, 0.5 * value, 2 * value]
    own = GridSearchCV(estimator, {name: values}, cv=CV).fit(X, y, **fit_params)
    return search, own.cv_results_["mean_test_score"]


def agrees(search, scores):
    """What is reported is the own fits' score, and no neighbour's is better."""
    assert search.best_score_ == pytest.approx(scores[0], abs=1e-6)
    assert search.best_score_ > max(scores) - 1e-5


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_intervals(name, weighted):
    model, ends = MODELS[name]
    weight = {"sample_weight": WEIGHT} if weighted else {}
    search, scores = searched(model, {"alpha": ends}, X_REG, Y_REG, **weight)
    agrees(search, scores)
    best = search.best_estimator_
    own = clone(best).fit(X_REG, Y_REG, **weight)
    assert (best.coef_ >= 0).all() and (best.coef_ == 0).any()
    np.testing.assert_allclose(best.coef_, own.coef_, atol=1e-4 * own.coef_.max())
    assert vars(best).keys() == vars(own).keys()


@pytest.mark.parametrize("name", MODELS)
def test_sparse_intervals(name):
    model, (low, high) = MODELS[name]
    agrees(*searched(model, {"alpha": (1e-3 * low, high)}, X_SPARSE, Y_SPARSE))


def test_an_interval_of_both():
    space = {"alpha": (1e-3, 10.0), "l1_ratio": (0.1, 1.0)}
    search = BAMMSearchCV(ElasticNet(**TIGHT), space, cv=CV, random_state=0).fit(X_REG, Y_REG)
    own = GridSearchCV(ElasticNet(**TIGHT), {k: [v] for k, v in search.best_params_.items()}, cv=CV)
    assert search.best_score_ == pytest.approx(own.fit(X_REG, Y_REG).best_score_, abs=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_lists(name, sparse, monkeypatch):
    """Solved jointly, however soon own fits would be."""
    monkeypatch.setattr("skbamm.solvers.linear.foreseen_seconds", lambda *_: None)
    model, _ = MODELS[name]
    X, y = (X_SPARSE, Y_SPARSE) if sparse else (X_REG, Y_REG)
    grid = {"alpha": [0.01, 0.1, 1.0]}
    search = BAMMSearchCV(model, grid, cv=CV).fit(X, y)
    own = GridSearchCV(model, grid, cv=CV).fit(X, y)
    assert search.search_plan_[0]["role"] == "joint grid"
    for column in ("mean_test_score", "split3_test_score"):
        np.testing.assert_allclose(search.cv_results_[column], own.cv_results_[column], atol=2e-6)


@pytest.mark.parametrize(
    ("model", "space", "y"),
    [
        (make_pipeline(StandardScaler(), Ridge(**TIGHT)), {"ridge__alpha": (0.01, 1e3)}, Y_REG),
        (make_pipeline(StandardScaler(), Lasso(**TIGHT)), {"lasso__alpha": (0.01, 50.0)}, Y_REG),
        (MultiOutputRegressor(Lasso(**TIGHT)), {"estimator__alpha": (0.01, 50.0)}, Y_TWO),
        (Ridge(**TIGHT), {"alpha": (0.1, 1e3)}, Y_TWO),
    ],
    ids=["ridge in a pipeline", "lasso in a pipeline", "a lasso each", "ridge of two"],
)
def test_around_and_of_several(model, space, y):
    agrees(*searched(model, space, X_REG, y))


def test_of_classes():
    model, space = RidgeClassifier(positive=True, tol=1e-8), {"alpha": (0.1, 1e3)}
    search = BAMMSearchCV(model, space, cv=CV, random_state=0).fit(X_BINARY, Y_BINARY)
    own = GridSearchCV(model, {"alpha": [search.best_params_["alpha"]]}, cv=CV)
    assert search.best_score_ == pytest.approx(own.fit(X_BINARY, Y_BINARY).best_score_)
    assert search.best_estimator_.solver_ == "lbfgs"


def test_what_is_left_to_own_fits():
    assert "the path may end" in find_twin(LassoLars(positive=True))[1]
    assert (
        "is not supported with positive=True" in find_twin(Ridge(positive=True, solver="saga"))[1]
    )
