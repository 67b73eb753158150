"""QuantileRegressor: the linear program's minimum, by smoothing that vanishes."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import d2_pinball_score, make_scorer, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import EdgeWarning
from skbamm.bilevel import solve_lower
from skbamm.glm import solve_narrowing
from skbamm.models import find_twin
from skbamm.models.quantile import QuantileTwin
from tests import problems
from tests.models.test_sgd import multiplier_on_support
from tests.problems import log_values, model_problem
from tests.truth import assert_served, assert_true, roles, search_over

X_REG, Y_REG = problems.X_REG[::2], problems.Y_REG[::2]
FOLDS = KFold(3, shuffle=True, random_state=0)
WEIGHT = np.random.default_rng(1).uniform(0.1, 3, len(Y_REG))
VALUES = [1e-4, 0.02, 0.3, 100.0]  # of all features, some, few and none


def objective(estimator, coef, intercept, X, y, weight=None):
    loss = mean_pinball_loss(
        y, X @ coef + intercept, alpha=estimator.quantile, sample_weight=weight
    )
    return loss + estimator.alpha * np.abs(coef).sum()


def solve(estimator, X, y, splits, values, weight=None):
    """Return coefficients (S, K, p), of which none may be unsolved."""
    problem = model_problem(estimator, X, y, splits, sample_weight=weight)
    found = [solve_narrowing(problem, log_values(value)) for value in values]
    assert all(bool(result.converged.all()) for result in found)
    return np.stack([result.y[0, :, 0].numpy() for result in found])


@pytest.mark.parametrize(
    ("quantile", "weighted", "form"),
    [(0.5, False, np.asarray), (0.5, True, sp.csr_array), (0.9, True, np.asarray)],
)
def test_the_objective_is_that_of_the_linear_program(quantile, weighted, form):
    """Whose solutions are not unique; the least objective is."""
    X, weight = np.where(np.abs(X_REG) > 0.3, X_REG, 0.0), WEIGHT if weighted else None
    Y_REG = problems.Y_REG[::2] - problems.Y_REG.mean()  # rounding of which gaps do not feel
    estimator, splits = QuantileRegressor(quantile=quantile), list(FOLDS.split(X))[:1]
    found = solve(estimator, form(X), Y_REG, splits, VALUES, weight)
    for value, models in zip(VALUES, found, strict=True):
        for coef, (train, test) in zip(models, splits, strict=True):
            w = None if weight is None else weight[train]
            own = clone(estimator).set_params(alpha=value).fit(X[train], Y_REG[train], w)
            expected = objective(own, own.coef_, own.intercept_, X[train], Y_REG[train], w)
            got = objective(own, coef[:-1], coef[-1], X[train], Y_REG[train], w)
            assert got == pytest.approx(expected, rel=2e-8)
            ours, theirs = (
                mean_pinball_loss(Y_REG[test], z, alpha=quantile)
                for z in (X[test] @ coef[:-1] + coef[-1], own.predict(X[test]))
            )
            assert ours == pytest.approx(theirs, rel=2e-3)


def test_without_intercept():
    estimator = QuantileRegressor(quantile=0.3, alpha=0.1, fit_intercept=False)
    everything = [(np.arange(len(Y_REG)), np.arange(0))]
    own = clone(estimator).fit(X_REG, Y_REG)
    coef = solve(estimator, X_REG, Y_REG, everything, [0.1])[0, 0]
    expected = objective(own, own.coef_, 0.0, X_REG, Y_REG)
    assert objective(own, coef, 0.0, X_REG, Y_REG) == pytest.approx(expected, rel=2e-8)


def test_weights_are_repeated_rows():
    counts = np.random.default_rng(0).integers(0, 4, len(Y_REG))
    place, nothing = np.repeat(np.arange(len(Y_REG)), counts), np.arange(0)
    estimator = QuantileRegressor(quantile=0.7)
    weighed = solve(
        estimator, X_REG, Y_REG, [(np.arange(len(Y_REG)), nothing)], [0.05], 1.0 * counts
    )
    plain = solve(estimator, X_REG, Y_REG, [(place, nothing)], [0.05])
    np.testing.assert_allclose(weighed, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("quantile", [0.5, 0.8])
@pytest.mark.parametrize("criterion", ["pinball", "r2"])
def test_hypergradients_are_slopes_of_the_smoothed_problem(criterion, quantile):
    splits = list(FOLDS.split(X_REG))
    problem = model_problem(
        QuantileRegressor(quantile=quantile), X_REG, Y_REG, splits, criterion=criterion
    )

    def solved(at):
        return solve_lower(problem, at, tol=1e-11, max_iter=200).y

    def upper(log_value):
        at = torch.tensor([[log_value]], dtype=torch.float64)
        models = solved(at)
        return float(problem.directions(at, models, 0 * models, 0.0).upper.sum())

    at, step = np.log(0.0512), 1e-4
    x = log_values(0.0512)
    models = solved(x)
    v = multiplier_on_support(problem, x, models)
    slope = float(problem.directions(x, models, v, 0.0).grad_x.sum())
    expected = (upper(at + step) - upper(at - step)) / (2 * step)
    assert slope == pytest.approx(expected, rel=1e-3)


def pinball(quantile):
    return make_scorer(mean_pinball_loss, alpha=quantile, greater_is_better=False)


@pytest.mark.parametrize(("quantile", "form"), [(0.5, np.asarray), (0.75, sp.csr_array)])
def test_few_rows_are_scored_by_own_fits(quantile, form):
    estimator, scoring = QuantileRegressor(quantile=quantile), pinball(quantile)
    X, values = form(X_REG), {"alpha": np.geomspace(0.01, 0.2, 4)}
    settings = {"cv": FOLDS, "scoring": scoring}
    few = search_over(estimator, {"alpha": (0.01, 1.0)}, X, Y_REG, **settings)
    assert_served(few, "searched")
    assert_true(few, X, Y_REG, cv=FOLDS, scoring=scoring)
    grid = GridSearchCV(estimator, values, **settings).fit(X, Y_REG)
    # Models of so few rows change in steps with alpha, and their scores with them.
    assert few.best_score_ >= grid.best_score_ - 2e-3 * abs(grid.best_score_)
    (row,) = search_over(estimator, values, X, Y_REG, refit=False, **settings).search_plan_
    assert (
        row["role"] == "enumerated" and "own fits solve a loss with kinks fastest" in row["reason"]
    )
    np.testing.assert_array_equal(few.predict(X), few.best_estimator_.fit(X, Y_REG).predict(X))


def test_many_rows_are_solved_jointly(monkeypatch):
    estimator, X, values = QuantileRegressor(), X_REG, {"alpha": np.geomspace(0.01, 0.2, 3)}
    settings = {"cv": KFold(2), "scoring": pinball(0.5)}
    few = search_over(estimator, {"alpha": (0.01, 1.0)}, X, Y_REG, **settings)
    grid = GridSearchCV(estimator, values, **settings).fit(X, Y_REG)
    monkeypatch.setattr(QuantileTwin, "own_lists_below", 0)
    monkeypatch.setattr(QuantileTwin, "own_scores_below", 0)
    many = search_over(estimator, {"alpha": (0.01, 1.0)}, X, Y_REG, **settings)
    assert many.best_params_ == few.best_params_
    assert many.best_score_ == pytest.approx(few.best_score_, rel=1e-5)
    listed = search_over(estimator, values, X, Y_REG, refit=False, **settings)
    assert_served(listed, "joint grid")
    got, expected = (s.cv_results_["mean_test_score"] for s in (listed, grid))
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    again = clone(many.best_estimator_).fit(X, Y_REG)
    np.testing.assert_array_equal(again.coef_, many.best_estimator_.coef_)
    assert again.n_iter_ == many.best_estimator_.n_iter_ > 0


@pytest.mark.parametrize(
    ("scoring", "told"),
    [
        (None, "r2"),
        ("neg_mean_absolute_error", "absolute_error"),
        (make_scorer(d2_pinball_score, alpha=0.9), "pinball(alpha=0.9)"),
    ],
)
def test_scorers_have_criteria(scoring, told, capsys):
    model = make_pipeline(StandardScaler(), QuantileRegressor(quantile=0.9))
    grid = {"quantileregressor__alpha": (0.1, 0.5)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EdgeWarning)
        search = search_over(model, grid, X_REG, Y_REG, cv=FOLDS, scoring=scoring, verbose=1)
    assert_served(search, "searched")
    assert f"for the least {told}: 3 folds" in capsys.readouterr().out


def test_lists_of_solvers_are_compared_by_own_fits():
    grid = {"alpha": [0.1, 0.2], "solver": ["highs", "highs-ipm"]}
    search = search_over(QuantileRegressor(), grid, X_REG, Y_REG, cv=FOLDS)
    assert roles(search) == {"alpha": "enumerated", "solver": "enumerated"}
    assert search.search_plan_[0]["reason"].endswith("solver affects its own fits only")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_exported_models_have_the_attributes_of_fitted_ones(fit_intercept, dtype):
    X = X_REG.astype(dtype)
    model = QuantileRegressor(alpha=0.1, fit_intercept=fit_intercept)
    fitted = clone(model).fit(X, Y_REG)
    twin, _ = find_twin(model)
    coef, intercept = fitted.coef_[None].astype(dtype), np.array([fitted.intercept_], dtype)
    twin.export(model, twin.task(model, Y_REG, None, False).without_rows(), coef, intercept)
    model.n_features_in_ = X.shape[1]
    assert vars(model).keys() == vars(fitted).keys()
    for key, value in vars(fitted).items():
        assert type(vars(model)[key]) is type(value), key
    assert model.coef_.dtype == fitted.coef_.dtype and model.coef_.shape == fitted.coef_.shape
    np.testing.assert_allclose(model.predict(X), fitted.predict(X), rtol=1e-5)
