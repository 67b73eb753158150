"""`FeaturePenalty`: each feature's optimality condition, and what an estimator must keep."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbamm import BAMMSearchCV, FeaturePenalty

X_REG, Y_REG = load_diabetes(return_X_y=True)
X_REG = X_REG / X_REG.std(0)
Y_REG = (Y_REG - Y_REG.mean()) / Y_REG.std()
X_CLASS, Y_CLASS = load_wine(return_X_y=True)
X_CLASS = StandardScaler().fit_transform(X_CLASS)
FACTOR = np.geomspace(0.05, 20, X_REG.shape[1])
FACTOR_CLASS = np.geomspace(20, 0.05, X_CLASS.shape[1])
TIGHT = {"tol": 1e-12, "max_iter": 100_000}


# Every feature's own optimality condition


def test_ridge_has_the_closed_form_solution():
    model = FeaturePenalty(Ridge(alpha=30), FACTOR).fit(X_REG, Y_REG)
    X, y = X_REG - X_REG.mean(0), Y_REG - Y_REG.mean()
    expected = np.linalg.solve(X.T @ X + 30 * np.diag(FACTOR), X.T @ y)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)
    assert model.intercept_ == pytest.approx(Y_REG.mean() - X_REG.mean(0) @ expected)


@pytest.mark.parametrize("y", [Y_CLASS, Y_CLASS == 1], ids=["multinomial", "binary"])
def test_logistic_regression_has_no_slope(y):
    C = 0.7
    base = LogisticRegression(C=C, tol=1e-10, max_iter=10_000)
    model = FeaturePenalty(base, FACTOR_CLASS).fit(X_CLASS, y)
    p = model.predict_proba(X_CLASS)
    hot = (y[:, None] == model.classes_).astype(float)
    if p.shape[1] == 2:
        p, hot = p[:, 1:], hot[:, 1:]
    slope = (p - hot).T @ X_CLASS + FACTOR_CLASS * model.coef_ / C
    np.testing.assert_allclose(slope, 0, atol=1e-5)


def l1_conditions(coef, residual_slope, alpha):
    """Hold the sub-gradient of ``alpha_j |w_j|`` against the slope of the rest."""
    active = coef != 0
    assert active.any() and not active.all()
    np.testing.assert_allclose(
        residual_slope[active], (alpha * np.sign(coef))[active], rtol=1e-5, atol=1e-8
    )
    assert (np.abs(residual_slope[~active]) <= alpha[~active] * (1 + 1e-6)).all()


def test_lasso_meets_the_conditions_of_weighted_norms():
    alpha = 0.05
    model = FeaturePenalty(Lasso(alpha=alpha, **TIGHT), FACTOR).fit(X_REG, Y_REG)
    slope = X_REG.T @ (Y_REG - model.predict(X_REG)) / len(Y_REG)
    l1_conditions(model.coef_, slope, alpha * FACTOR)


def test_elastic_net_weighs_squares_by_squared_factors():
    alpha, ratio = 0.1, 0.6
    base = ElasticNet(alpha=alpha, l1_ratio=ratio, **TIGHT)
    model = FeaturePenalty(base, FACTOR).fit(X_REG, Y_REG)
    slope = X_REG.T @ (Y_REG - model.predict(X_REG)) / len(Y_REG)
    slope = slope - alpha * (1 - ratio) * FACTOR**2 * model.coef_
    l1_conditions(model.coef_, slope, alpha * ratio * FACTOR)


@pytest.mark.parametrize(
    ("estimator", "X", "y"),
    [
        (Ridge(), X_REG, Y_REG),
        (Lasso(alpha=0.01, **TIGHT), X_REG, Y_REG),
        (LogisticRegression(tol=1e-10, max_iter=10_000), X_CLASS, Y_CLASS),
        (RidgeClassifier(), X_CLASS, Y_CLASS),
    ],
)
def test_infinity_drops_a_feature(estimator, X, y):
    factor = np.ones(X.shape[1])
    factor[2] = np.inf
    model = FeaturePenalty(estimator, factor).fit(X, y)
    rest = np.delete(np.arange(X.shape[1]), 2)
    without = clone(estimator).fit(X[:, rest], y)
    coef = np.atleast_2d(model.coef_)
    assert not coef[:, 2].any()
    np.testing.assert_allclose(coef[:, rest], np.atleast_2d(without.coef_), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("factor", [None, {}, np.ones(10)])
def test_ones_change_nothing(factor):
    model, plain = FeaturePenalty(Ridge(), factor).fit(X_REG, Y_REG), Ridge().fit(X_REG, Y_REG)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(X_REG), plain.predict(X_REG))
    assert model.score(X_REG, Y_REG) == plain.score(X_REG, Y_REG)


@settings(max_examples=30, deadline=None)
@given(
    log_factor=st.lists(st.floats(-3, 3), min_size=10, max_size=10),
    log_unit=st.floats(-3, 3),
    norm=st.sampled_from(["l1", "l2"]),
)
def test_a_common_factor_is_a_factor_of_alpha(log_factor, log_unit, norm):
    factor, unit = 10.0 ** np.array(log_factor), 10.0**log_unit
    make = Ridge if norm == "l2" else lambda alpha: Lasso(alpha=alpha / 100, **TIGHT)
    one = FeaturePenalty(make(alpha=1.0), factor * unit).fit(X_REG, Y_REG)
    other = FeaturePenalty(make(alpha=unit), factor).fit(X_REG, Y_REG)
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("estimator", [Ridge(), Lasso(alpha=0.01, **TIGHT)])
def test_sample_weights_are_repeated_rows(estimator):
    count = np.random.default_rng(0).integers(1, 4, len(Y_REG))
    weighted = FeaturePenalty(estimator, FACTOR).fit(X_REG, Y_REG, sample_weight=count)
    X, y = np.repeat(X_REG, count, 0), np.repeat(Y_REG, count)
    np.testing.assert_allclose(
        weighted.coef_, FeaturePenalty(estimator, FACTOR).fit(X, y).coef_, rtol=1e-6, atol=1e-8
    )
    score = weighted.score(X_REG, Y_REG, sample_weight=count)
    assert score == pytest.approx(weighted.score(X, y))


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.csr_matrix])
@pytest.mark.parametrize("make", [lambda: Ridge(tol=1e-12), lambda: Lasso(alpha=0.01, **TIGHT)])
def test_sparse_is_dense(form, make):
    X = np.where(np.abs(X_REG) > 0.7, X_REG, 0)
    dense = FeaturePenalty(make(), FACTOR).fit(X, Y_REG)
    sparse = FeaturePenalty(make(), FACTOR).fit(form(X), Y_REG)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(sparse.predict(form(X)), dense.predict(X), rtol=1e-5, atol=1e-6)


def test_several_targets():
    Y = np.column_stack([Y_REG, X_REG[:, 0] - Y_REG])
    both = FeaturePenalty(Ridge(), FACTOR).fit(X_REG, Y)
    one = FeaturePenalty(Ridge(), FACTOR).fit(X_REG, Y_REG)
    np.testing.assert_allclose(both.coef_[0], one.coef_, rtol=1e-9)


def test_data_are_left_as_they_are():
    X = X_REG.copy()
    FeaturePenalty(Ridge(), FACTOR).fit(X, Y_REG)
    np.testing.assert_array_equal(X, X_REG)


def test_single_precision_stays():
    model = FeaturePenalty(Ridge(), FACTOR).fit(X_REG.astype(np.float32), Y_REG)
    assert model.coef_.dtype == np.float32


# Which features


def test_mappings_of_columns():
    frame = pd.DataFrame(X_REG, columns=[f"f{i}" for i in range(10)])
    expected = np.ones(10)
    expected[[1, 2, 9]] = 7, 7, np.inf
    for factor in ({("f1", "f2"): 7, "f9": np.inf}, {1: 7, 2: 7.0, -1: np.inf}):
        model = FeaturePenalty(Ridge(), factor).fit(frame, Y_REG)
        np.testing.assert_array_equal(model.penalty_factor_, expected)
        assert list(model.feature_names_in_) == list(frame.columns)
        assert list(model.estimator_.feature_names_in_) == list(frame.columns)
        model.predict(frame)


def test_transformers_of_a_pipeline():
    """One group a block; each as wide as its own transformer makes it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": X_REG[:, 2], "b": X_REG[:, 3], "c": rng.choice(list("xyz"), 442)})
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["a", "b"]), ("kinds", OneHotEncoder(), ["c"])]
    )
    base = make_pipeline(columns, Ridge(alpha=5))
    model = FeaturePenalty(base, {"kinds": np.inf, "numbers": 2}).fit(frame, Y_REG)
    np.testing.assert_array_equal(model.penalty_factor_, [2, 2, *[np.inf] * 3])
    numbers = StandardScaler().fit_transform(frame[["a", "b"]])
    expected = Ridge(alpha=10).fit(numbers, Y_REG)
    np.testing.assert_allclose(model.coef_, [*expected.coef_, 0, 0, 0], rtol=1e-9)
    np.testing.assert_allclose(model.predict(frame), expected.predict(numbers), rtol=1e-9)
    np.testing.assert_array_equal(model.estimator_.predict(frame), model.predict(frame))
    assert list(model.feature_names_in_) == ["a", "b", "c"]


def test_a_pipeline_takes_weights_for_its_last_step():
    weight = np.linspace(0.1, 2, len(Y_REG))
    model = FeaturePenalty(make_pipeline(StandardScaler(), Ridge()), FACTOR)
    model.fit(X_REG, Y_REG, sample_weight=weight)
    alone = FeaturePenalty(Ridge(), FACTOR)
    alone.fit(StandardScaler().fit_transform(X_REG), Y_REG, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-12)


# An estimator like others


@parametrize_with_checks(
    [
        FeaturePenalty(Ridge()),
        FeaturePenalty(LogisticRegression()),
        FeaturePenalty(Lasso(alpha=0.01)),
        FeaturePenalty(make_pipeline(Normalizer(), Ridge())),
        FeaturePenalty(RidgeClassifier()),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


def test_clones_and_pickles():
    model = FeaturePenalty(Ridge(alpha=3), FACTOR).fit(X_REG, Y_REG)
    again = clone(model)
    assert not hasattr(again, "estimator_")
    np.testing.assert_array_equal(again.penalty_factor, FACTOR)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict(X_REG), model.predict(X_REG))


@pytest.mark.parametrize("search", [GridSearchCV, BAMMSearchCV])
def test_any_search_tunes_it(search):
    noise = np.random.default_rng(0).normal(size=(len(Y_REG), 10))
    X = np.column_stack([X_REG, noise])
    factors = [np.repeat([1.0, factor], 10) for factor in (0.01, 1.0, 100.0)]
    grid = {"penalty_factor": factors, "estimator__alpha": [1.0, 10.0]}
    found = search(FeaturePenalty(Ridge()), grid, cv=5).fit(X, Y_REG)
    assert found.best_params_["penalty_factor"][-1] == 100.0
    assert found.best_estimator_.coef_.shape == (20,)


def test_it_is_what_its_model_is():
    assert is_regressor(FeaturePenalty(Ridge()))
    assert is_classifier(FeaturePenalty(make_pipeline(StandardScaler(), LogisticRegression())))
    assert not hasattr(FeaturePenalty(Ridge()), "predict_proba")
    assert hasattr(FeaturePenalty(LogisticRegression()), "predict_proba")
    model = FeaturePenalty(LogisticRegression()).fit(X_CLASS, Y_CLASS)
    assert list(model.classes_) == [0, 1, 2]
    assert model.decision_function(X_CLASS).shape == model.predict_log_proba(X_CLASS).shape


# Bad input


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (np.ones(3), r"one entry for each of the 10 features, got shape \(3,\)"),
        (np.zeros(10), "penalty_factor must be positive, got 0.0"),
        (np.full(10, np.nan), "penalty_factor must be positive, got nan"),
        ({3: -1.0}, "penalty_factor must be positive, got -1.0"),
        ({10: 1.0}, "penalty_factor has 10, which is none of the 10 columns"),
        ({"age": 1.0}, "penalty_factor has 'age', which is none of the"),
        ({0: "large"}, r"penalty_factor\[0\] must be a number, got 'large'"),
    ],
)
def test_bad_factors(factor, message):
    with pytest.raises(ValueError, match=message):
        FeaturePenalty(Ridge(), factor).fit(X_REG, Y_REG)


def test_a_transformer_that_is_not_there():
    columns = ColumnTransformer([("numbers", StandardScaler(), [0, 1])])
    model = FeaturePenalty(make_pipeline(columns, Ridge()), {"texts": 2.0})
    with pytest.raises(
        ValueError, match=r"'texts', .* and no transformer of \['numbers', 'remainder'\]"
    ):
        model.fit(X_REG, Y_REG)


def test_other_models_must_say_what_they_penalise():
    with pytest.raises(ValueError, match=r"norm='auto' does not know .* LinearRegression"):
        FeaturePenalty(LinearRegression()).fit(X_REG, Y_REG)
    with pytest.raises(ValueError, match=r"norm must be one of .*, got 'l3'"):
        FeaturePenalty(Ridge(), norm="l3").fit(X_REG, Y_REG)
    with pytest.raises(ValueError, match=r"must have coef_ .* DecisionTreeRegressor has none"):
        FeaturePenalty(DecisionTreeRegressor(), norm="l2").fit(X_REG, Y_REG)
    model = FeaturePenalty(SGDClassifier(penalty="l1", random_state=0), FACTOR_CLASS)
    assert model.fit(X_CLASS, Y_CLASS).coef_.shape == (3, 13)


def test_before_it_is_fitted():
    with pytest.raises(NotFittedError):
        FeaturePenalty(Ridge()).predict(X_REG)
    with pytest.raises(NotFittedError):
        _ = FeaturePenalty(Ridge()).coef_


def test_weights_where_the_model_takes_none():
    class NoWeights(Lasso):
        def fit(self, X, y):
            return super().fit(X, y)

    with pytest.raises(TypeError, match=r"NoWeights\.fit does not accept sample_weight"):
        FeaturePenalty(NoWeights()).fit(X_REG, Y_REG, sample_weight=np.ones(len(Y_REG)))
