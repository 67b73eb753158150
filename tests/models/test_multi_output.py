"""MultiOutputRegressor around models of squared errors, and LassoLars alone and inside."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LassoLars,
    MultiTaskLasso,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import Interval, PerFeature, PerTarget
from skbamm.models import find_twin
from tests.pairs import turns
from tests.problems import X_REG, Y_REG
from tests.truth import (
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    fold_scores,
    roles,
    search_over,
)

X, Y = X_REG, np.column_stack([Y_REG, X_REG[:, 0] ** 2, X_REG[:, 1] - 2 * X_REG[:, 2]])
CV = KFold(3, shuffle=True, random_state=0)
WEIGHT = np.random.default_rng(0).uniform(0.2, 2, len(Y))
TIGHT = {"tol": 1e-10, "max_iter": 100_000}
MODELS = {
    "ridge": Ridge(tol=1e-10),
    "ridge through zero": Ridge(fit_intercept=False, tol=1e-10),
    "lasso": Lasso(**TIGHT),
    "elastic net": ElasticNet(l1_ratio=0.3, **TIGHT),
    "lars": LassoLars(),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MultiOutputRegressor(MODELS[request.param])


GRID = {"estimator__alpha": [0.01, 0.3, 10.0]}


@pytest.mark.parametrize(
    ("form", "weighted"),
    [(np.asarray, False), (sp.csr_array, True)],
    ids=["dense", "csr, weights"],
)
def test_lists_have_grid_searchs_table(model, form, weighted):
    if isinstance(model.estimator, LassoLars) and (weighted or form is sp.csr_array):
        pytest.skip("LassoLars takes neither")
    rows = form(np.where(np.abs(X) > 0.3, X, 0.0))
    params = {"sample_weight": WEIGHT} if weighted else {}
    ours = assert_grid_search_agrees(model, GRID, rows, Y, params, cv=CV, return_train_score=True)
    assert set(roles(ours).values()) == {"joint grid"}


@pytest.mark.parametrize("columns", [[0], [0, 1, 2]], ids=["one target", "three"])
def test_fold_models_are_those_of_own_fits(model, columns):
    rows, y, seen = pd.DataFrame(X).add_prefix("f"), Y[:, columns], []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    grid = {"estimator__alpha": [0.3]}
    search_over(model, grid, rows, y, scoring=scorer, cv=CV, refit=False)
    for scored, (train, _) in zip(seen, CV.split(X), strict=True):
        own = clone(model).set_params(estimator__alpha=0.3).fit(rows.iloc[train], y[train])
        assert set(vars(scored.estimator)) == set(vars(own))
        for ours, theirs in zip(scored.estimators_, own.estimators_, strict=True):
            assert set(vars(ours)) == set(vars(theirs))
            assert ours.coef_.shape == theirs.coef_.shape
            assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
            close = {"rtol": 1e-5, "atol": 1e-5 * np.abs(theirs.coef_).max()}
            np.testing.assert_allclose(ours.coef_, theirs.coef_, **close)
        assert scored.predict(rows).shape == own.predict(rows).shape
        np.testing.assert_allclose(scored.predict(rows), own.predict(rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "pipeline"), [*turns(MODELS, [False, True]), ("ridge", True)], indirect=["model"]
)
def test_intervals(model, pipeline):
    prefix = ""
    if pipeline:
        model, prefix = make_pipeline(StandardScaler(), model), "multioutputregressor__"
    search = search_over(model, {f"{prefix}estimator__alpha": (1e-3, 1e3)}, X, Y, cv=CV)
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV)
    values = np.geomspace(1e-3, 1e3, 9)
    own = GridSearchCV(model, {f"{prefix}estimator__alpha": values}, cv=CV).fit(X, Y)
    assert search.best_score_ >= own.best_score_ - 1e-3


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        (HuberRegressor(), "not a linear model of squared errors with one target"),
        (MultiTaskLasso(), "not a linear model of squared errors with one target"),
        (RidgeClassifier(), "not a linear model of squared errors with one target"),
        (LassoLars(positive=True), "with positive=True the path may end before alpha"),
        (LassoLars(jitter=0.1), "jitter adds noise to the target"),
    ],
    ids=str,
)
def test_others_are_refused_by_name(inner, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        search_over(MultiOutputRegressor(inner), {"estimator__alpha": Interval(0.1, 1)}, X, Y)


@pytest.mark.parametrize("vector", [PerTarget(0.1, 10.0), PerFeature(0.1, 10.0)], ids=str)
def test_vectors_are_refused(vector):
    with pytest.raises(ValueError, match="estimator__alpha"):
        search_over(MultiOutputRegressor(Ridge()), {"estimator__alpha": vector}, X, Y, cv=CV)


def test_a_vector_gets_the_estimators_own_error():
    with pytest.raises(ValueError, match="at least two dimensions"):
        search_over(MultiOutputRegressor(Ridge()), GRID, X, Y_REG, cv=CV, error_score="raise")


# LassoLars


@pytest.mark.parametrize("params", [{}, {"fit_intercept": False}, {"fit_path": False}], ids=str)
@pytest.mark.parametrize("y", [Y_REG, Y[:, :1], Y], ids=["vector", "column", "three targets"])
def test_lars_has_the_minimum_of_lasso(params, y):
    model, seen = LassoLars(**params), []

    def scorer(estimator, X, y):
        seen.append(estimator.estimator if hasattr(estimator, "bank") else estimator)
        return estimator.score(X, y)

    assert_grid_search_agrees(model, {"alpha": [0.01, 1.0, 30.0]}, X, y, cv=CV)
    search_over(model, {"alpha": [0.5]}, X, y, scoring=scorer, cv=CV, refit=False)
    for scored, (train, _) in zip(seen, CV.split(X), strict=True):
        own = clone(model).set_params(alpha=0.5).fit(X[train], y[train])
        assert set(vars(scored)) == set(vars(own))
        assert np.shape(scored.coef_) == np.shape(own.coef_)
        assert np.shape(scored.intercept_) == np.shape(own.intercept_)
        np.testing.assert_allclose(scored.coef_, own.coef_, atol=1e-6 * np.abs(own.coef_).max())
    search = search_over(model, {"alpha": (1e-3, 1e2)}, X, y, cv=CV)
    assert_served(search, "searched")
    assert_true(search, X, y, cv=CV)


@pytest.mark.filterwarnings("ignore:The final fit of LassoLars")
def test_a_path_that_ends_early_is_scored_by_own_fits():
    model = LassoLars(max_iter=3)
    assert find_twin(model)[0].reaches(np.eye(3)) and not find_twin(model)[0].reaches(
        np.ones((1, 4))
    )
    grid = {"alpha": [1e-3, 1.0]}
    ours = search_over(model, grid, X, Y_REG, cv=CV)
    theirs = GridSearchCV(model, grid, cv=CV).fit(X, Y_REG)
    np.testing.assert_allclose(fold_scores(ours), fold_scores(theirs), atol=1e-9)


def test_what_lars_does_not_take_is_left_to_it():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        search_over(
            LassoLars(), {"alpha": [1.0]}, sp.csr_array(X), Y_REG, cv=CV, error_score="raise"
        )
    with pytest.raises(TypeError, match="sample_weight"):
        search_over(
            LassoLars(), {"alpha": [1.0]}, X, Y_REG, {"sample_weight": WEIGHT}, cv=CV,
            error_score="raise",
        )  # fmt: skip
