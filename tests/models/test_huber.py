"""HuberRegressor: scikit-learn's solutions, the scale included, jointly and by intervals."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.differentiate import derivative
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor
from sklearn.linear_model._huber import _huber_loss_and_gradient
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV, Interval
from skbamm.bilevel import solve_lower
from skbamm.models import NotApplicable, find_twin
from tests.models.conftest import TARGETS, X
from tests.problems import (
    X_REG,
    Y_REG,
    exact_multiplier,
    log_values,
    model_problem,
)
from tests.truth import assert_served, fold_scores, roles, search_over

FOLDS = KFold(4, shuffle=True, random_state=0)
WEIGHT = np.random.default_rng(1).uniform(0.1, 3, len(Y_REG))
MAE = "neg_mean_absolute_error"


def with_outliers(y, share=0.1, size=800.0):
    """Return y with some entries far too large."""
    far = np.random.default_rng(0).random(len(y)) < share
    return np.where(far, y + size, y)


Y = with_outliers(Y_REG)


def huber(**params):
    return HuberRegressor(**{"tol": 1e-10, "max_iter": 10_000, **params})


def own_fit(estimator, X, y, weight=None):
    """Return scikit-learn's own fit, its objective then minimised further by the same solver.

    One fit ends where the objective falls by less than 2e-9 a step, some 1e-4 from the solution.
    """
    model = clone(estimator).fit(X, y, sample_weight=weight)
    intercept = [model.intercept_] if model.fit_intercept else []
    weight = np.ones(len(y)) if weight is None else weight
    w = np.concatenate([model.coef_, intercept, [model.scale_]])
    for _ in range(5):
        w = minimize(
            _huber_loss_and_gradient, w, (X, y, model.epsilon, model.alpha, weight),
            method="L-BFGS-B", jac=True,
            options={"ftol": 0, "gtol": 1e-9, "maxiter": 10_000, "maxcor": 30},
        ).x  # fmt: skip
    model.coef_, model.scale_ = w[: X.shape[1]], w[-1]
    model.intercept_ = w[-2] if model.fit_intercept else 0.0
    return model


def solve(estimator, X, y, splits, values, weight=None):
    """Return the twin's problem and its solution."""
    problem = model_problem(estimator, X, y, splits, sample_weight=weight, starts=len(values))
    result = solve_lower(problem, log_values(*values), tol=1e-11)
    assert bool(result.converged.all())
    return problem, result.y


# What the twin stands for


def test_without_room_for_a_scale_there_is_no_twin():
    assert find_twin(huber()) == (find_twin(HuberRegressor())[0], "")
    estimator = huber(epsilon=1.0)
    assert "epsilon=1.0 leaves no scale" in find_twin(estimator)[1]
    listed = search_over(estimator, {"alpha": [0.1, 1.0]}, X, TARGETS["vector"], cv=3)
    assert roles(listed) == {"alpha": "enumerated"}
    with pytest.raises(ValueError, match=r"epsilon=1.0 leaves no scale"):
        search_over(estimator, {"alpha": Interval(0.1, 1.0)}, X, TARGETS["vector"], cv=3)


def test_what_cannot_be_searched_is_named():
    with pytest.raises(ValueError, match=r"'tol' cannot .*only 'epsilon', 'alpha' can be"):
        search_over(huber(), {"tol": Interval(1e-5, 1e-3)}, X, TARGETS["vector"], cv=3)
    with pytest.raises(ValueError, match="'epsilon' parameter of HuberRegressor must be"):
        search_over(
            huber(epsilon=0.5), {"alpha": [0.1]}, X, TARGETS["vector"], cv=3, error_score="raise"
        )


@pytest.mark.parametrize("y", [TARGETS["two outputs"], TARGETS["binary"], np.array([1, np.inf])])
def test_targets_that_are_left_to_scikit_learn(y):
    with pytest.raises(NotApplicable, match="not"):
        find_twin(huber())[0].task(huber(), y, None, False)


# Solutions


@pytest.mark.parametrize(
    ("epsilon", "weight", "form"),  # every pair of two of these
    [
        (1.05, None, np.asarray),
        (1.05, WEIGHT, sp.csr_array),
        (2.0, WEIGHT, np.asarray),
        (2.0, None, sp.csr_array),
    ],
    ids=["narrow, dense", "narrow, weights, csr", "wide, weights, dense", "wide, csr"],
)
def test_solutions_are_scikit_learns(epsilon, weight, form):
    rows = form(np.where(np.abs(X_REG) > 0.3, X_REG, 0.0))
    splits, values = list(FOLDS.split(rows)), [1e-3, 1.0, 100.0]
    problem, found = solve(huber(epsilon=epsilon), rows, Y, splits, values, weight)
    scale = problem.at_scale(found).scale
    for s, alpha in enumerate(values):
        for k, (train, _) in enumerate(splits):
            estimator = huber(epsilon=epsilon, alpha=alpha)
            own = own_fit(
                estimator, rows[train], Y[train], None if weight is None else weight[train]
            )
            got, size = found[s, k, 0].numpy(), np.abs(own.coef_).max()
            np.testing.assert_allclose(got[:-1], own.coef_, rtol=1e-5, atol=1e-5 * size)
            assert got[-1] == pytest.approx(own.intercept_, rel=1e-5)
            assert float(scale[s, k]) == pytest.approx(own.scale_, rel=1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("epsilon", [1.02, 1.35, 5.0])
@pytest.mark.parametrize("alpha", [1e-4, 10.0, 1e4])
def test_scikit_learns_gradient_vanishes_at_the_solution(alpha, epsilon, fit_intercept):
    estimator = huber(epsilon=epsilon, alpha=alpha, fit_intercept=fit_intercept)
    problem, found = solve(
        estimator, X_REG, Y, [(np.arange(len(Y)), np.arange(0))], [alpha], WEIGHT
    )
    w = np.append(found[0, 0, 0].numpy(), float(problem.at_scale(found).scale))
    value, gradient = _huber_loss_and_gradient(w, X_REG, Y, epsilon, alpha, WEIGHT)
    assert np.abs(gradient).max() < 1e-6
    f, _ = problem.lower(log_values(alpha), found)
    assert 2 * float(f) * WEIGHT.sum() == pytest.approx(value, rel=1e-10)
    # From here its own fit has nothing to do.
    if fit_intercept:
        model = estimator.set_params(warm_start=True, tol=1e-5)
        model.coef_, model.intercept_, model.scale_ = w[:-2], w[-2], w[-1]
        assert model.fit(X_REG, Y, sample_weight=WEIGHT).n_iter_ == 0


def test_weights_are_repeated_rows():
    counts = np.random.default_rng(0).integers(0, 4, len(Y))
    repeated = np.repeat(np.arange(len(Y)), counts)
    everything = [(np.arange(len(Y)), np.arange(0))]
    _, weighed = solve(huber(), X_REG, Y, everything, [0.1, 10.0], counts.astype(float))
    _, plain = solve(huber(), X_REG, Y, [(repeated, np.arange(0))], [0.1, 10.0])
    torch.testing.assert_close(weighed, plain, rtol=1e-8, atol=1e-8)


def test_hessians_are_slopes_of_gradients():
    """With what the scale takes away, which is much where outliers are on one side."""
    splits = list(FOLDS.split(X_REG))
    problem, y = solve(huber(), X_REG, Y, splits, [0.1, 100.0])
    x, step = log_values(0.1, 100.0), 1e-6
    p = torch.as_tensor(np.random.default_rng(0).normal(size=y.shape))
    ahead, behind = (problem.lower(x, y + d * p)[1] for d in (step, -step))
    product = problem.hessian_product(x, y, p[None], 0.0)[0]
    torch.testing.assert_close(product, (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-6)
    # The metric takes all but a thousandth of it.
    back, kept = (
        float((one.curvature(x, y, 0.0).solve(product[None])[0] - p).norm())
        for one in (problem, problem.at_scale(y))
    )
    assert back < 0.01 * kept
    fixed = problem.at_scale(y).hessian_product(x, y, p[None], 0.0)[0]
    assert float((fixed - product).norm()) > 0.01 * float(product.norm())


@pytest.mark.parametrize("value", [0.3, 30.0])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_hypergradients_are_slopes_of_scikit_learns_loss(value, weight):
    splits = list(KFold(3).split(X_REG))
    problem = model_problem(
        huber(), X_REG, Y, splits, criterion="squared_error", sample_weight=weight
    )
    x = log_values(value)
    y = solve_lower(problem, x, tol=1e-12).y
    found = problem.directions(x, y, exact_multiplier(problem, x, y), 0.0)

    def loss(log_alpha):
        losses = []
        for train, test in splits:
            fit, score = (None if weight is None else weight[rows] for rows in (train, test))
            model = own_fit(huber(alpha=float(np.exp(log_alpha))), X_REG[train], Y[train], fit)
            losses.append(
                mean_squared_error(Y[test], model.predict(X_REG[test]), sample_weight=score)
            )
        return float(np.mean(losses))

    null = problem.criterion.null
    assert float(found.upper.sum()) * null == pytest.approx(loss(np.log(value)), rel=1e-7)
    slope = derivative(np.vectorize(loss), np.log(value), initial_step=0.01, maxiter=1, order=2).df
    assert float(found.grad_x.sum()) * null == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("n", [300, 3000])
def test_many_features_and_many_rows_take_conjugate_gradients(n, monkeypatch):
    from skbamm.glm import curvature

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n, 20))
    y = with_outliers(rows @ rng.normal(size=20) + rng.normal(size=n), size=50.0)
    splits = list(FOLDS.split(rows))
    _, expected = solve(huber(), rows, y, splits, [0.1, 10.0])
    limits = (
        ("own_seconds", 0),
        ("own_seconds_of_few", 0),
        ("own_entries", 0),
        ("most_features", 10),
    )
    for name, value in limits:
        monkeypatch.setattr(curvature, "METRIC", replace(curvature.METRIC, **{name: value}))
        _, found = solve(huber(), rows, y, splits, [0.1, 10.0])
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


# Searches


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_lists_are_scored_as_solutions_are(form, fit_intercept):
    rows = form(np.where(np.abs(X_REG) > 0.3, X_REG, 0.0))
    estimator, grid = huber(fit_intercept=fit_intercept), {"alpha": np.logspace(-3, 3, 4)}
    settings = {"cv": FOLDS, "scoring": MAE}
    grid["epsilon"] = [1.2, 2.0]
    fit = {"sample_weight": WEIGHT}
    ours = search_over(estimator, grid, rows, Y, fit, **settings)
    theirs = GridSearchCV(estimator, grid, **settings).fit(rows, Y, **fit)
    assert roles(ours) == {"alpha": "joint grid", "epsilon": "enumerated"}
    got, expected = (s.cv_results_["mean_test_score"] for s in (ours, theirs))
    np.testing.assert_allclose(got, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("epsilon", "scoring"), [(1.05, MAE), (1.35, "r2"), (1.35, MAE), (5.0, "r2")]
)
def test_intervals_reach_a_grid(epsilon, scoring):
    y = with_outliers(Y_REG, 0.05, 400.0)
    estimator, settings = huber(epsilon=epsilon), {"cv": FOLDS, "scoring": scoring}
    search = search_over(estimator, {"alpha": (1e-3, 1e4)}, X_REG, y, **settings)
    assert_served(search, "searched")
    assert search.converged_ and type(search.best_params_["alpha"]) is float
    listed = search_over(
        estimator, {"alpha": np.logspace(-3, 4, 20)}, X_REG, y, refit=False, **settings
    )
    assert search.best_score_ >= listed.best_score_ - 1e-3 * abs(listed.best_score_)
    again = clone(search.best_estimator_).fit(X_REG, y)
    for name in ("coef_", "intercept_", "scale_", "outliers_", "n_iter_"):
        np.testing.assert_array_equal(getattr(search.best_estimator_, name), getattr(again, name))


def test_adopted_models_know_their_scale_and_outliers():
    found = {}

    def scorer(model, X_test, y_test):
        found[len(found)] = model.estimator
        return model.score(X_test, y_test)

    settings = {"cv": FOLDS, "scoring": scorer, "refit": False}
    for estimator, name in (
        (huber(), "alpha"),
        (make_pipeline(StandardScaler(), huber()), "huberregressor__alpha"),
    ):
        found.clear()
        search_over(estimator, {name: [1.0]}, X_REG, Y, {}, **settings)
        for model, (train, _) in zip(found.values(), FOLDS.split(X_REG), strict=True):
            own = clone(estimator).set_params(**{name: 1.0}).fit(X_REG[train], Y[train])
            last, own = (m[-1] if name != "alpha" else m for m in (model, own))
            assert last.n_iter_ == 0 < own.n_iter_
            assert last.scale_ == pytest.approx(own.scale_, rel=1e-4)
            assert np.mean(last.outliers_ != own.outliers_) < 0.01 and last.outliers_.sum() > 20


def test_in_a_pipeline():
    model = make_pipeline(StandardScaler(), huber())
    data = X_REG * np.arange(1, 11)
    grid = {"huberregressor__alpha": (1e-3, 1e4)}
    search = search_over(model, grid, data, Y, cv=FOLDS, scoring=MAE)
    assert_served(search, "searched")
    tight = search_over(
        model,
        {"huberregressor__alpha": [search.best_params_["huberregressor__alpha"]]},
        data,
        Y,
        cv=FOLDS,
        scoring=MAE,
    )
    np.testing.assert_allclose(fold_scores(search), fold_scores(tight), rtol=1e-6)


@pytest.mark.parametrize("alpha", [[1e-8, 1e-4, 1.0], (1e-8, 1.0)])
def test_perfect_fits_are_left_to_scikit_learn(alpha):
    """Their scale is zero, where the objective has a kink."""
    y = X @ np.arange(4.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the search, which says so
        search = BAMMSearchCV(huber(), {"alpha": alpha}, cv=3).fit(X, y)
        own = GridSearchCV(
            huber(), {"alpha": [p["alpha"] for p in search.cv_results_["params"]]}, cv=3
        )
        expected = own.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-9)
    assert search.best_score_ == pytest.approx(1)
