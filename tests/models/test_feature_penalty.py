"""`FeaturePenalty` as searches see it: its model's objective with a factor for each feature."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LassoLars,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, FeaturePenalty
from skbamm.models import find_twin
from tests.shrinkage.vectors import COUNT, REGRESSION, THREE, TIGHT, TWO
from tests.truth import (
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    roles,
    search_over,
)

CV = KFold(3, shuffle=True, random_state=0)
LOGISTIC = LogisticRegression(tol=1e-10, max_iter=10_000)
MODELS = {
    "ridge": (Ridge(), REGRESSION, [1.0, 30.0], None),
    "ridge classifier": (RidgeClassifier(), THREE, [1.0, 30.0], None),
    "logistic": (LOGISTIC, TWO, [0.1, 3.0], LOSS),
    "multinomial": (LOGISTIC, THREE, [0.1, 3.0], LOSS),
    "lasso": (Lasso(**TIGHT), REGRESSION, [0.01, 0.1], None),
    "elastic net": (ElasticNet(l1_ratio=0.6, **TIGHT), REGRESSION, [0.01, 0.1], None),
    "poisson": (PoissonRegressor(tol=1e-10, max_iter=10_000), COUNT, [0.1, 3.0], None),
    "svc": (LinearSVC(dual=False, tol=1e-10, max_iter=10**6), TWO, [0.03, 1.0], None),
}


def factors(X):
    return np.geomspace(0.2, 5, X.shape[1])


def grid_of(model, values):
    return {f"estimator__{'C' if hasattr(model, 'C') else 'alpha'}": values}


@pytest.mark.parametrize("name", MODELS)
def test_lists_are_scored_as_by_grid_search(name):
    model, (X, y), values, scoring = MODELS[name]
    estimator = FeaturePenalty(model, factors(X))
    ours = assert_grid_search_agrees(
        estimator, grid_of(model, values), X, y, cv=CV, scoring=scoring, atol=1e-5
    )
    own = clone(ours.best_estimator_).fit(X, y)
    scale = abs(own.coef_).max()
    np.testing.assert_allclose(ours.best_estimator_.coef_, own.coef_, rtol=0, atol=1e-4 * scale)
    np.testing.assert_array_equal(ours.best_estimator_.penalty_factor_, factors(X))


@pytest.mark.parametrize("name", ["ridge", "multinomial", "lasso"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_intervals_are_searched(name, form):
    model, (X, y), (low, high), scoring = MODELS[name]
    model = clone(model).set_params(tol=1e-12)
    X = form(np.where(np.abs(X) > 0.3, X, 0))
    estimator = FeaturePenalty(model, factors(X))
    search = search_over(
        estimator, grid_of(model, (low / 10, high * 10)), X, y, cv=CV, scoring=scoring
    )
    assert_served(search, "searched")
    assert_true(search, X, y, cv=CV, scoring=scoring, atol=1e-5)
    listed = search_over(
        estimator, grid_of(model, [low / 3, low, high, 3 * high]), X, y, cv=CV, scoring=scoring
    )
    assert search.best_score_ >= listed.best_score_ - 1e-4 * abs(listed.best_score_)


@pytest.mark.parametrize("factor", [None, np.ones(6)], ids=["none", "ones"])
def test_ones_change_nothing(factor):
    X, y = REGRESSION
    search = search_over(FeaturePenalty(Ridge(), factor), {"estimator__alpha": (0.1, 1e3)}, X, y)
    plain = search_over(Ridge(), {"alpha": (0.1, 1e3)}, X, y)
    assert search.best_score_ == pytest.approx(plain.best_score_, rel=1e-6)
    assert search.best_params_["estimator__alpha"] == pytest.approx(
        plain.best_params_["alpha"], rel=1e-3
    )


@pytest.mark.parametrize(
    "place",
    [
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: TransformedTargetRegressor(model, func=np.arcsinh, inverse_func=np.sinh),
        lambda model: FeaturePenalty(make_pipeline(StandardScaler(), model.estimator), factors(X3)),
    ],
    ids=["pipeline", "transformed target", "around a pipeline"],
)
def test_in_and_around_other_estimators(place):
    X, y = REGRESSION
    model = place(FeaturePenalty(Ridge(), factors(X)))
    (name,) = [n for n in model.get_params() if n.endswith("alpha")]
    ours = assert_grid_search_agrees(model, {name: [1.0, 30.0]}, X, y, cv=CV)
    np.testing.assert_allclose(ours.predict(X), clone(ours.best_estimator_).fit(X, y).predict(X))


X3 = REGRESSION[0]


def test_weights_of_rows():
    X, y = REGRESSION
    w = np.linspace(0.1, 3, len(y))
    estimator = FeaturePenalty(Ridge(), factors(X))
    grid = {"estimator__alpha": [1.0, 30.0]}
    assert_grid_search_agrees(estimator, grid, X, y, {"sample_weight": w}, cv=CV)


def test_factors_by_name_are_left_to_own_fits():
    X, y = REGRESSION
    frame = pd.DataFrame(X, columns=list("abcdef"))
    columns = ColumnTransformer([("ab", StandardScaler(), ["a", "b"])], remainder="passthrough")
    for estimator, name in (
        (FeaturePenalty(Ridge(), {"a": 3.0}), "estimator__alpha"),
        (FeaturePenalty(make_pipeline(columns, Ridge()), {"ab": 3}), "estimator__ridge__alpha"),
    ):
        ours = assert_grid_search_agrees(estimator, {name: [1.0]}, frame, y, cv=CV, served=False)
        assert roles(ours) == {name: "enumerated"}
        assert "penalty_factor is given by names" in ours.search_plan_[0]["reason"]


@pytest.mark.parametrize(
    ("factor", "why"),
    [
        ([1, 1, 1, 1, 1, 0], "penalty_factor is not positive"),
        ([1, 1, 1, 1, 1, -2], "penalty_factor is not positive"),
        ([1, 1, 1, 1, 1, np.nan], "penalty_factor is not positive"),
        ([1, 1, 1, 1, 1, np.inf], "penalty_factor drops features"),
        ([1, 1, 1], "penalty_factor has not one entry for each feature"),
    ],
    ids=str,
)
def test_what_its_own_fit_refuses_is_left_to_it(factor, why):
    """Without a word about how models are solved together."""
    X, y = REGRESSION
    search = BAMMSearchCV(FeaturePenalty(Ridge(), factor), {"estimator__alpha": [1.0, 2.0]}, cv=CV)
    if np.isinf(factor).any():
        search.fit(X, y)
        assert search.best_estimator_.coef_[-1] == 0
        assert why in search.search_plan_[0]["reason"]
    else:
        with pytest.raises(ValueError, match=r"(?s)All the 6 fits failed.*penalty_factor must"):
            search.fit(X, y)


def test_an_own_fit_begins_where_the_last_one_ended():
    X, y = TWO
    model = FeaturePenalty(LogisticRegression(warm_start=True, tol=1e-8), factors(X)).fit(X, y)
    first, coef = int(model.estimator_.n_iter_[0]), model.coef_.copy()
    model.fit(X, y)
    assert first > 3 and int(model.estimator_.n_iter_[0]) <= 1
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-4, atol=1e-6)
    model.set_params(penalty_factor=3 * factors(X)).fit(X, y)
    anew = FeaturePenalty(LogisticRegression(tol=1e-8), 3 * factors(X)).fit(X, y)
    np.testing.assert_allclose(model.coef_, anew.coef_, rtol=1e-3, atol=1e-5)
    # Other features, or a feature that was dropped, begin as they can.
    model.set_params(penalty_factor=None).fit(X[:, :3], y)
    assert model.coef_.shape == (1, 3)
    model.set_params(penalty_factor=[1, np.inf, 1]).fit(X[:, :3], y)
    assert model.coef_[0, 1] == 0
    model.set_params(penalty_factor=None).fit(X[:, :3], y)
    again = LogisticRegression(tol=1e-8).fit(X[:, :3], y)
    np.testing.assert_allclose(model.coef_, again.coef_, rtol=1e-3, atol=1e-5)


def test_a_refit_begins_at_the_folds_solutions_and_keeps_the_users_setting():
    X, y = TWO
    for warm in (False, True):
        model = LogisticRegression(tol=1e-8, warm_start=warm)
        search = search_over(
            FeaturePenalty(model, factors(X)), {"estimator__C": (1e-3, 1e2)}, X, y, cv=CV,
            scoring=LOSS,
        )  # fmt: skip
        best = search.best_estimator_
        assert best.estimator.warm_start is warm and best.estimator_.warm_start is warm
        cold = clone(best).fit(X, y)
        assert best.estimator_.n_iter_[0] < cold.estimator_.n_iter_[0]
        np.testing.assert_allclose(best.coef_, cold.coef_, rtol=1e-3, atol=1e-5)


def test_where_there_is_no_twin():
    for estimator, why in (
        (FeaturePenalty(LassoLars(positive=True)), "positive=True"),
        (FeaturePenalty(FeaturePenalty(Ridge())), "FeaturePenalty is not a linear model"),
    ):
        twin, reason = find_twin(estimator)
        assert twin is None and why in reason
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_twin(FeaturePenalty(Ridge(), np.ones(3)))[0].inside == "estimator__"
