"""The metric of few rows is the inverse of the Hessian, and leads to scikit-learn's solutions."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import skbamm.glm.dual as dual
from skbamm import BAMMSearchCV
from skbamm.bilevel import solve_lower
from skbamm.glm.dual import DualMetric, DualSettings, dual_pays
from tests.problems import model_problem, own_solutions

CV = KFold(3, shuffle=True, random_state=0)
X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(PolynomialFeatures(2).fit_transform(X[::9])[:, 1:])
Y = Y[::9]  # 20 rows, 104 features
MODELS = {
    "two classes": (LogisticRegression, (Y == 1).astype(int)),
    "three classes": (LogisticRegression, Y),
    "least squares": (Ridge, load_diabetes(return_X_y=True)[1][: len(Y)] / 100),
}


def problem_of(name, intercept, starts=1):
    kind, y = MODELS[name]
    options = {} if kind is Ridge else {"tol": 1e-12, "max_iter": 10_000}
    model = kind(fit_intercept=intercept, **options)
    splits = list(CV.split(X))
    return model_problem(model, X, y, splits, starts=starts), model, y, splits


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_inverse_of_each_block(name, intercept):
    problem, *_ = problem_of(name, intercept, starts=2)
    x = torch.tensor([[-0.5], [1.0]], dtype=torch.float64)
    rng = np.random.default_rng(0)
    y = torch.as_tensor(0.1 * rng.normal(size=problem.y_shape))
    assert dual_pays(problem, x, 0.0)
    weights = problem.hessian_weights(x, y, 0.0)
    gram = problem.rows.gram(y[None], weights, False, problem.rows.n_rows)
    full = gram + torch.diag_embed(problem.penalty_at(x).curvature.expand(gram.shape[:-1]))
    metric = DualMetric.at_point(problem, x, y)
    right = torch.as_tensor(rng.normal(size=(3, *problem.y_shape)))
    expected = torch.linalg.solve(full.expand(3, *full.shape), right[..., None])[..., 0]
    torch.testing.assert_close(metric.solve(right), expected, rtol=1e-8, atol=1e-10)
    again = metric.at(x + 1.0, y).at(x, y)
    torch.testing.assert_close(again.solve(right), expected, rtol=1e-8, atol=1e-10)
    one = metric.select([1]).solve(right[:, 1:])
    torch.testing.assert_close(one, expected[:, 1:], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_solutions_are_scikit_learns(name, intercept):
    problem, model, y, splits = problem_of(name, intercept)
    found = solve_lower(problem, torch.zeros(1, 1, dtype=torch.float64), tol=1e-12).y[0]
    slopes, intercepts = own_solutions(model, X, y, splits)
    d = X.shape[1]
    np.testing.assert_allclose(found[..., :d], slopes, rtol=1e-5, atol=1e-7)
    if intercept:
        np.testing.assert_allclose(found[..., d], intercepts, rtol=1e-5, atol=1e-6)


def test_it_is_for_more_features_than_rows_and_penalties_of_squares():
    problem, *_ = problem_of("two classes", True)
    x = torch.zeros(1, 1, dtype=torch.float64)
    assert not dual_pays(problem, x, 0.5)
    narrow = model_problem(LogisticRegression(), X[:, :12], MODELS["two classes"][1],
                           list(CV.split(X)))  # fmt: skip
    assert not dual_pays(narrow, x, 0.0)
    kinked = model_problem(
        LogisticRegression(l1_ratio=1.0, solver="saga"), X, MODELS["two classes"][1],
        list(CV.split(X)),
    )  # fmt: skip
    assert not dual_pays(kinked, x, 0.0)


def test_a_search_finds_what_second_moments_find(monkeypatch):
    y = MODELS["least squares"][1]
    grid, options = {"alpha": (1e-2, 1e4)}, {"cv": CV, "scoring": "neg_mean_squared_error"}
    monkeypatch.setattr("skbamm.data.row_space._MOST_ROWS", 0)
    wide = BAMMSearchCV(Ridge(), grid, **options).fit(X, y)
    monkeypatch.setattr("skbamm.glm.dual.DUAL", DualSettings(wide=10**9))
    moments = BAMMSearchCV(Ridge(), grid, **options).fit(X, y)
    assert wide.best_score_ == pytest.approx(moments.best_score_, rel=1e-5)
    assert wide.best_params_["alpha"] == pytest.approx(moments.best_params_["alpha"], rel=1e-2)


def test_one_matrix_of_products_serves_penalties_that_are_alike(monkeypatch):
    problem, *_ = problem_of("two classes", True, starts=2)
    x = torch.tensor([[-0.5], [1.0]], dtype=torch.float64)
    y = torch.zeros(problem.y_shape, dtype=torch.float64)
    right = torch.as_tensor(np.random.default_rng(0).normal(size=(3, *problem.y_shape)))
    alike = DualMetric.at_point(problem, x, y).solve(right)
    monkeypatch.setattr(dual, "_alike", lambda strength: False)
    each = DualMetric.at_point(problem, x, y).solve(right)
    torch.testing.assert_close(alike, each, rtol=1e-9, atol=1e-12)
