"""Features far from zero, constants, and folds in which there is nothing to be learned."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    MultiTaskElasticNet,
    QuantileRegressor,
    Ridge,
)
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV
from skbamm.data.centring import far_centre

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X @ RNG.normal(size=4) + 0.5 * RNG.normal(size=60)
CV = KFold(3)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}
YEAR, MILLISECONDS = 2000 + 1e-1 * X[:, 0], 1.7e12 + 1e4 * X[:, 0]


def with_first(column):
    return np.column_stack([column, X[:, 1:]])


def best(estimator, name, values, X, y, **settings):
    settings = {"scoring": "neg_mean_squared_error", "cv": CV, **settings}
    return BAMMSearchCV(estimator, {name: values}, **settings).fit(X, y)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("values", [(1e-3, 1e2), [1e-3, 1e-1, 10.0]])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (Ridge(), Y),
        (Lasso(**TIGHT), Y),
        (ElasticNet(**TIGHT), Y),
        (LogisticRegression(tol=1e-10, max_iter=1000), Y > 0),
    ],
)
def test_an_offset_is_the_intercepts(estimator, y, form, values):
    """A shift of a feature shifts no score."""
    name = "C" if hasattr(estimator, "C") else "alpha"
    scoring = "neg_log_loss" if name == "C" else "neg_mean_squared_error"
    near = best(estimator, name, values, with_first(1e4 * X[:, 0]), y, scoring=scoring)
    far = BAMMSearchCV(estimator, {name: values}, cv=CV, scoring=scoring, refit=False)
    far.fit(form(with_first(MILLISECONDS)), y)
    assert far.best_score_ == pytest.approx(near.best_score_, abs=2e-6)


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: make_pipeline(FunctionTransformer(), m)])
def test_models_of_far_features_are_told_in_the_users_units(wrap):
    far = with_first(YEAR)
    search = BAMMSearchCV(wrap(Ridge()), {"ridge__alpha": (1e-3, 1e2)} if wrap(1) != 1 else
                          {"alpha": (1e-3, 1e2)}, cv=CV).fit(far, Y)  # fmt: skip
    expected = cross_val_score(search.best_estimator_, far, Y, cv=CV)
    assert search.best_score_ == pytest.approx(expected.mean(), abs=1e-6)


def test_what_is_far():
    columns = [np.ones(60), np.zeros(60), X[:, 0], YEAR, 1e8 * X[:, 1], 5 + X[:, 2]]
    centre = far_centre(np.column_stack(columns))
    assert (centre != 0).tolist() == [True, False, False, True, False, False]
    assert far_centre(X) is None and far_centre(sp.csr_array(X)) is None
    # Where a sparse feature has a zero it is not far.
    assert far_centre(sp.csr_array(np.where(np.eye(60, 4), 0, 1e9))) is None
    assert far_centre(sp.csr_array(with_first(YEAR)))[0] == pytest.approx(YEAR.mean())


CASES = {
    "constant target": (X, np.full(60, 3.0)),
    "constant features": (np.ones((60, 4)), Y),
    "one constant feature": (with_first(np.ones(60)), Y),
    "a fold without features": (np.where(np.arange(60)[:, None] < 20, X, 1.0), Y),
    "a fold without a target": (X, np.where(np.arange(60) < 20, Y, 1.5)),
}


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("values", [(1e-3, 1e3), [1e-3, 1.0, 1e3]])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "estimator",
    [Lasso(**TIGHT), ElasticNet(**TIGHT), MultiTaskElasticNet(**TIGHT), Ridge(fit_intercept=True)],
)
def test_nothing_to_be_learned(estimator, case, values):
    X, y = CASES[case]
    y = np.stack([y, -y], 1) if isinstance(estimator, MultiTaskElasticNet) else y
    search = best(estimator, "alpha", values, X, y)
    scores = cross_val_score(search.best_estimator_, X, y, cv=CV, scoring="neg_mean_squared_error")
    assert search.best_score_ == pytest.approx(scores.mean(), abs=1e-6)
    assert search.converged_


def test_a_quantile_of_one_timestamp_takes_few_solves(monkeypatch):
    """Smoothed models of a feature that is all but the intercept ran into their limit."""
    from skbamm.bilevel import lower

    taken = []
    solve = lower.solve_lower.__globals__["_fall"]
    monkeypatch.setitem(
        lower.solve_lower.__globals__, "_fall", lambda *given: taken.append(1) or solve(*given)
    )
    t = np.linspace(1.7e12, 1.7e12 + 20_000, 24)[:, None]
    y = 0.002 * (t[:, 0] - t[0, 0]) + 5 + RNG.normal(0, 0.5, 24)
    search = BAMMSearchCV(QuantileRegressor(), {"alpha": (1e-3, 1e3)}, cv=KFold(4, shuffle=True))
    search.fit(t, y)
    assert search.best_score_ > 0.99 and len(taken) < 1000


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of its refit
def test_a_penalised_intercept_takes_no_shift():
    """Features of liblinear's models stay as they are, since its intercept is penalised."""
    y = (Y > 0).astype(int)
    model = LinearSVC(dual=False, tol=1e-10, max_iter=10_000)
    far = with_first(20 + X[:, 0])
    search = BAMMSearchCV(model, {"C": [0.01, 1.0]}, cv=CV).fit(far, y)
    expected = cross_val_score(search.best_estimator_, far, y, cv=CV)
    assert search.best_score_ == pytest.approx(expected.mean())
