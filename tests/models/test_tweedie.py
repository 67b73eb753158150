"""Poisson, gamma and Tweedie regression: scikit-learn's solutions, jointly and by intervals."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.metrics import mean_tweedie_deviance, r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from skbamm.bilevel import solve_lower
from skbamm.models import find_twin
from tests.problems import exact_multiplier, log_values, model_problem

X, Y = load_diabetes(return_X_y=True)
X = X / X.std(0)
COUNTS = np.random.default_rng(0).poisson(Y / 40).astype(float)
CV = KFold(4, shuffle=True, random_state=0)
GRID = np.logspace(-4, 2, 7)
TIGHT = {"tol": 1e-8, "max_iter": 10_000, "solver": "newton-cholesky"}
MODELS = {
    "poisson": (PoissonRegressor(**TIGHT), COUNTS),
    "gamma": (GammaRegressor(**TIGHT), Y),
    "tweedie": (TweedieRegressor(power=1.5, **TIGHT), COUNTS),
    "tweedie, poisson": (TweedieRegressor(power=1, **TIGHT), COUNTS),
    "tweedie, gamma": (TweedieRegressor(power=2, link="log", **TIGHT), Y),
    # Gradients of squares of 300 have rounding errors of about 1e-9.
    "tweedie, normal": (TweedieRegressor(power=0, **{**TIGHT, "tol": 1e-6}), Y),
}


@pytest.fixture(params=MODELS)
def model(request):
    """An estimator, solved tightly, and a target for it."""
    estimator, y = MODELS[request.param]
    return clone(estimator), y


# Every pair of an intercept, a form and weights; models take turns, two of the four for each.
SETTINGS = [
    (True, np.asarray, False),
    (True, sp.csr_array, True),
    (False, np.asarray, True),
    (False, sp.csr_array, False),
]


@pytest.mark.parametrize(
    ("model", "setting"),
    [(name, SETTINGS[(i + j) % 4]) for i, name in enumerate(MODELS) for j in (0, 2)],
    indirect=["model"],
)
def test_lists_have_the_scores_of_grid_search(model, setting):
    (estimator, y), (fit_intercept, form, weighted) = model, setting
    estimator.set_params(fit_intercept=fit_intercept)
    data = form(np.where(np.abs(X) > 0.5, X, 0.0))
    fit = {"sample_weight": np.linspace(0.2, 2, len(y))} if weighted else {}
    grid = GridSearchCV(estimator, {"alpha": GRID}, cv=CV, error_score="raise")
    ours = BAMMSearchCV(estimator, {"alpha": GRID}, cv=CV, error_score="raise")
    grid.fit(data, y, **fit)
    ours.fit(data, y, **fit)
    assert ours.search_plan_[0]["role"] == "joint grid"
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"], rtol=1e-6,
        atol=1e-8,
    )  # fmt: skip
    assert ours.best_params_ == grid.best_params_
    best, theirs = ours.best_estimator_, grid.best_estimator_
    np.testing.assert_allclose(best.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)
    assert type(best.intercept_) is type(theirs.intercept_)


def test_intervals_beat_the_grid(model):
    estimator, y = model
    interval = BAMMSearchCV(estimator, {"alpha": (1e-4, 1e2)}, cv=CV).fit(X, y)
    grid = GridSearchCV(estimator, {"alpha": np.logspace(-4, 2, 25)}, cv=CV).fit(X, y)
    assert interval.converged_
    assert interval.best_score_ >= grid.best_score_ - 1e-3 * abs(grid.best_score_)
    # What is reported is the score of scikit-learn's own fits.
    again = GridSearchCV(estimator, {"alpha": [interval.best_params_["alpha"]]}, cv=CV).fit(X, y)
    assert interval.best_score_ == pytest.approx(again.best_score_, abs=1e-6)


@pytest.mark.parametrize("value", [1e-3, 0.1, 10.0])
def test_hypergradients_are_slopes_of_scikit_learns_loss(model, value):
    estimator, y = model
    splits = list(CV.split(X))
    criterion = "deviance" if estimator_power(estimator) else "r2"
    problem = model_problem(estimator, X, y, splits, criterion=criterion)
    x = log_values(value)
    y_exact = solve_lower(problem, x, tol=1e-12).y
    v = exact_multiplier(problem, x, y_exact)
    found = problem.directions(x, y_exact, v, 0.0)

    def loss(log_alpha):
        scores = []
        for train, test in splits:
            fitted = clone(estimator).set_params(alpha=float(np.exp(log_alpha)))
            predicted = fitted.fit(X[train], y[train]).predict(X[test])
            if criterion == "r2":
                scores.append(1 - r2_score(y[test], predicted))
            else:
                power = estimator_power(estimator)
                scores.append(mean_tweedie_deviance(y[test], predicted, power=power))
        return np.mean(scores)

    at, step = np.log(value), 1e-3
    assert float(found.upper.sum()) * problem.criterion.null == pytest.approx(loss(at), rel=1e-7)
    slope = (
        8 * (loss(at + step) - loss(at - step)) - loss(at + 2 * step) + loss(at - 2 * step)
    ) / (12 * step)
    got = float(found.grad_x.sum()) * problem.criterion.null
    assert got == pytest.approx(slope, rel=1e-4, abs=1e-9)


def estimator_power(estimator):
    """Return the power of the variance, by class or parameter."""
    powers = {PoissonRegressor: 1, GammaRegressor: 2}
    return powers.get(type(estimator), getattr(estimator, "power", None))


def test_in_a_pipeline():
    estimator = make_pipeline(StandardScaler(), PoissonRegressor(**TIGHT))
    grid = {"poissonregressor__alpha": GRID}
    ours = BAMMSearchCV(estimator, grid, cv=CV, scoring="neg_mean_poisson_deviance")
    theirs = GridSearchCV(estimator, grid, cv=CV, scoring="neg_mean_poisson_deviance")
    np.testing.assert_allclose(
        ours.fit(X, COUNTS).cv_results_["mean_test_score"],
        theirs.fit(X, COUNTS).cv_results_["mean_test_score"],
        rtol=1e-6,
    )


def test_adopted_models_are_own_fits(model):
    """The same attributes, of the same types."""
    estimator, y = model
    twin, _ = find_twin(estimator)
    fitted = clone(estimator).fit(X, y)
    adopted = clone(estimator)
    task = twin.task(adopted, y, None, False)
    twin.export(adopted, task, fitted.coef_[None].copy(), np.array([fitted.intercept_]))
    missing = {"n_features_in_", "feature_names_in_"}  # which the bank adds
    assert set(vars(fitted)) - missing == set(vars(adopted)) - missing
    for name in ("coef_", "intercept_", "n_iter_", "_base_loss"):
        assert type(getattr(adopted, name)) is type(getattr(fitted, name))
    adopted.n_features_in_ = X.shape[1]
    np.testing.assert_array_equal(adopted.predict(X), fitted.predict(X))
    assert adopted.score(X, y) == fitted.score(X, y)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (TweedieRegressor(power=3), "power=3 is not convex"),
        (TweedieRegressor(power=0, link="log"), "link='log' is not convex for power=0"),
        (TweedieRegressor(power=1.5, link="identity"), "link='identity' is not convex"),
    ],
)
def test_what_has_no_twin_says_so(estimator, reason):
    twin, found = find_twin(estimator)
    assert twin is None and reason in found


@pytest.mark.parametrize(
    ("estimator", "y"), [(PoissonRegressor(), COUNTS - 100), (GammaRegressor(), COUNTS)]
)
def test_targets_out_of_range_are_scikit_learns_to_refuse(estimator, y):
    search = BAMMSearchCV(estimator, {"alpha": [0.1, 1.0]}, cv=CV, error_score="raise")
    with pytest.raises(ValueError, match="out of the valid range"):
        search.fit(X, y)


def test_large_means_do_not_overflow():
    y = 1e6 * COUNTS
    model = PoissonRegressor(solver="newton-cholesky", max_iter=1000)
    search = BAMMSearchCV(model, {"alpha": (1e-3, 1e3)}, cv=CV).fit(X, y)
    assert search.converged_ and np.isfinite(search.best_score_)
