"""Models of a vector of penalties are scikit-learn's own fits of ``FeaturePenalty``."""

import pickle
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, FeaturePenalty, PerFeature, PerGroup
from tests.shrinkage.vectors import (
    COUNT,
    REGRESSION,
    THREE,
    TIGHT,
    TWO,
    name_of,
    quick,
    with_values,
)
from tests.truth import LOSS, assert_served, assert_true, assert_true_but_for_a_row, fold_scores

ERROR = "neg_mean_squared_error"
CV = KFold(2, shuffle=True, random_state=0)
LOGISTIC = LogisticRegression(tol=1e-10, max_iter=10_000)
MODELS = {
    "ridge": (Ridge(), REGRESSION, (1e-2, 1e3), ERROR),
    "ridge classifier": (RidgeClassifier(), THREE, (1e-2, 1e3), None),
    "logistic": (LOGISTIC, TWO, (1e-3, 1e2), LOSS),
    "multinomial": (LOGISTIC, THREE, (1e-3, 1e2), LOSS),
    "lasso": (Lasso(**TIGHT), REGRESSION, (1e-4, 1.0), ERROR),
    "elastic net": (ElasticNet(l1_ratio=0.6, **TIGHT), REGRESSION, (1e-4, 1.0), ERROR),
    "poisson": (PoissonRegressor(tol=1e-10, max_iter=10_000), COUNT, (1e-3, 1e2), None),
    "svc": (LinearSVC(dual=False, tol=1e-10, max_iter=10**6), TWO, (1e-3, 1e2), None),
}


@pytest.fixture(scope="module", autouse=True)
def _few_points():
    with quick():
        yield


def search_of(model, ends, X, y, vector=PerFeature, fit_params=None, **settings):
    """Search a vector that is not drawn together, far enough to have values that differ."""
    name, _ = name_of(model)
    tol = 1e-3 if isinstance(model, LinearSVC) else 1e-4  # the slopes of its F jump
    settings = {"cv": CV, "tol": tol, **settings}
    grid = {name: vector(*ends, shrinkage=False)}
    return BAMMSearchCV(model, grid, **settings).fit(X, y, **(fit_params or {}))


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_best_estimator(name):
    model, data, ends, scoring = MODELS[name]
    search = search_of(model, ends, *data, scoring=scoring)
    assert_served(search, "searched")
    best = search.best_estimator_
    values = search.best_params_[name_of(model)[0]]
    assert type(best) is FeaturePenalty and type(best.estimator) is type(model)
    assert values.shape == (data[0].shape[1],) and np.ptp(values) > 0.1 * values.mean()
    assert (values >= ends[0]).all() and (values <= ends[1]).all()
    expected = with_values(model, values)
    np.testing.assert_allclose(best.penalty_factor, expected.penalty_factor, rtol=1e-12)
    np.testing.assert_allclose(
        best.coef_, expected.fit(*data).coef_, rtol=1e-4, atol=1e-4 * abs(best.coef_).max()
    )
    if name == "svc":
        assert_true_but_for_a_row(search, *data, cv=CV)
    else:
        assert_true(search, *data, cv=CV, scoring=scoring, atol=1e-5)


def test_each_fold_has_its_own_fit_of_the_vector():
    """Coefficients, not scores alone."""
    coefs = []

    def scorer(estimator, X, y):
        coefs.append((estimator.coef_.copy(), estimator.intercept_, len(y)))
        return estimator.score(X, y)

    X, y = REGRESSION
    cv = list(CV.split(X))
    search = search_of(Ridge(), (1e-2, 1e3), X, y, scoring=scorer, cv=cv)
    best = clone(search.best_estimator_)
    for train, _ in cv:
        own = best.fit(X[train], y[train])
        assert any(
            np.allclose(own.coef_, coef, rtol=1e-6) and np.isclose(own.intercept_, intercept)
            for coef, intercept, _ in coefs
        )


def test_nothing_is_fitted_but_the_last_model(own_fits):
    """And that twice: there is a warm start of ridge regression neither in scikit-learn."""
    search_of(Ridge(), (1e-2, 1e3), *REGRESSION)
    assert own_fits == {"Ridge": 1}


def ridge_error(x, X, y, splits):
    """Return the mean squared error of ridge regressions with penalties exp(x)."""
    losses = []
    for train, test in splits:
        mean, centre = X[train].mean(0), y[train].mean()
        A, b = X[train] - mean, y[train] - centre
        w = np.linalg.solve(A.T @ A + np.diag(np.exp(x)), A.T @ b)
        losses.append(np.mean(((X[test] - mean) @ w + centre - y[test]) ** 2))
    return float(np.mean(losses))


def test_without_shrinkage_it_is_a_minimum_as_scipy_finds_it():
    X, y = REGRESSION
    splits, ends = list(KFold(4, shuffle=True, random_state=1).split(X)), (1e-2, 1e4)
    search = search_of(Ridge(), ends, X, y, cv=splits, scoring=ERROR)
    one = BAMMSearchCV(Ridge(), {"alpha": ends}, cv=splits, scoring=ERROR).fit(X, y)
    start = np.full(X.shape[1], np.log(one.best_params_["alpha"]))
    scipys = minimize(
        ridge_error, start, (X, y, splits), "L-BFGS-B", bounds=[tuple(np.log(ends))] * len(start)
    )
    found = ridge_error(np.log(search.best_params_["alpha"]), X, y, splits)
    assert found == pytest.approx(-search.best_score_, rel=1e-8)
    assert found <= scipys.fun * (1 + 1e-4)
    assert search.best_score_ >= one.best_score_
    assert not search.shrinkage_.keys() - {"parameter", "names", "left"}
    upper = search.history_["criterion"]
    assert upper[-1] == pytest.approx(found, rel=1e-4) and upper[-1] < upper[0]
    assert search.history_["alpha"].shape == (len(upper), X.shape[1])
    assert (np.diff(search.history_["seconds"]) >= 0).all()
    assert (search.cv_results_["stage"] == ["refined", "start"]).all()
    first = search.cv_results_["params"][1]["alpha"]
    np.testing.assert_allclose(first, one.best_params_["alpha"], rtol=1e-2)
    assert len(set(first)) == 1


@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_sparse_is_dense(name):
    model, (X, y), ends, scoring = MODELS[name]
    X = np.where(np.abs(X) > 0.5, X, 0)
    dense = search_of(model, ends, X, y, scoring=scoring)
    sparse = search_of(model, ends, sp.csr_array(X), y, scoring=scoring)
    key = name_of(model)[0]
    np.testing.assert_allclose(sparse.best_score_, dense.best_score_, rtol=1e-4)
    np.testing.assert_allclose(
        np.log(sparse.best_params_[key]), np.log(dense.best_params_[key]), atol=0.05
    )


def test_weights_are_repeated_rows():
    X, y = REGRESSION
    w = np.arange(len(y)) % 2 + 1
    rows = np.repeat(np.arange(len(y)), w)
    cv = list(CV.split(X))
    twice = [tuple(np.flatnonzero(np.isin(rows, part)) for part in split) for split in cv]
    options = {"scoring": ERROR, "tol": 1e-6}
    weighted = search_of(
        Ridge(), (1e-2, 1e3), X, y, fit_params={"sample_weight": w}, cv=cv, **options
    )
    repeated = search_of(Ridge(), (1e-2, 1e3), X[rows], y[rows], cv=twice, **options)
    np.testing.assert_allclose(fold_scores(weighted), fold_scores(repeated), rtol=1e-4)
    np.testing.assert_allclose(
        np.log(weighted.best_params_["alpha"]), np.log(repeated.best_params_["alpha"]), atol=0.02
    )
    for (train, test), score in zip(cv, fold_scores(weighted), strict=True):
        own = clone(weighted.best_estimator_).fit(X[train], y[train], sample_weight=w[train])
        error = mean_squared_error(y[test], own.predict(X[test]), sample_weight=w[test])
        assert score == pytest.approx(-error, rel=1e-8)


def test_order_of_features_and_names_of_groups():
    X, y = REGRESSION
    order = np.random.default_rng(0).permutation(X.shape[1])

    def values(X, groups=None):
        kind = PerFeature if groups is None else partial(PerGroup, groups=groups)
        return search_of(Ridge(), (1e-2, 1e3), X, y, kind, tol=1e-5).best_params_["alpha"]

    def same(got, expected):
        np.testing.assert_allclose(np.log(got), np.log(expected), atol=0.02)

    each = values(X)
    same(values(X[:, order], np.arange(6) * 2), each[order])  # a group a feature
    labels = np.array([7, 3, 7, 5, 3, 7])  # values are in the order of 7, 3, 5
    three = values(X, labels)
    where = {name: np.flatnonzero(labels[order] == name) for name in (5, 7, 3)}
    same(values(X[:, order], where), three[[2, 0, 1]])
    assert np.ptp(np.log(three)) > 0.1


def test_one_group_is_one_value():
    X, y = REGRESSION
    one = BAMMSearchCV(Ridge(), {"alpha": (1e-2, 1e3)}, cv=CV, scoring=ERROR, tol=1e-6).fit(X, y)
    for shrinkage in (False, True):
        vector = PerGroup(1e-2, 1e3, np.zeros(6), shrinkage=shrinkage)
        search = BAMMSearchCV(Ridge(), {"alpha": vector}, cv=CV, scoring=ERROR, tol=1e-5)
        search.fit(X, y)
        if not shrinkage:
            np.testing.assert_allclose(
                search.best_params_["alpha"], [one.best_params_["alpha"]], rtol=0.02
            )
        assert search.best_score_ == pytest.approx(one.best_score_, rel=1e-3)


def test_another_parameter_is_searched_with_one_value_for_all():
    X, y = REGRESSION
    grid = {"alpha": PerFeature(1e-4, 1.0, shrinkage=False), "l1_ratio": (0.1, 0.9)}
    model = ElasticNet(**TIGHT)
    search = BAMMSearchCV(model, grid, cv=CV, scoring=ERROR, max_iter=20)
    with pytest.warns(ConvergenceWarning, match="over 'alpha' and 'l1_ratio' stopped early"):
        search.fit(X, y)
    assert not search.converged_
    assert 0.1 <= search.best_params_["l1_ratio"] <= 0.9
    assert search.best_params_["alpha"].shape == (6,)
    assert search.best_estimator_.estimator.l1_ratio == search.best_params_["l1_ratio"]
    assert_true(search, X, y, cv=CV, scoring=ERROR, atol=1e-5)


def test_lists_beside_a_vector_have_vectors_of_their_own():
    X, y = THREE
    grid = {"C": PerFeature(1e-3, 1e2, shrinkage=False), "fit_intercept": [True, False]}
    search = BAMMSearchCV(LOGISTIC, grid, cv=CV, scoring=LOSS, tol=1e-3).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert_true(search, X, y, cv=CV, scoring=LOSS, atol=1e-5)
    copied = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copied.predict(X), search.predict(X))
    assert not hasattr(clone(search), "best_params_") and clone(search).param_grid == grid
