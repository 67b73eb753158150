"""Solvers and parameters of scikit-learn 1.10, on estimators of this version that have them."""

from numbers import Real

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils._param_validation import Interval, StrOptions

from skbamm import BAMMSearchCV, register_model
from skbamm.models import find_twin
from skbamm.models.base import ALPHA, L1_RATIO, PROXIMAL_NEWTON
from skbamm.models.registry import _TWINS

CV = KFold(3, shuffle=True, random_state=0)
LABELS = load_breast_cancer(return_X_y=True)
X, Y = load_diabetes(return_X_y=True)
X = X[:150] / X.std(0)
TARGETS = {"poisson": np.round(Y[:150] / 40), "gamma": Y[:150], "tweedie": Y[:150]}


def later(kind):
    """Return a class with the later version's parameters; its minimum is found by L-BFGS-B."""

    class Later(kind):
        _parameter_constraints = {
            **kind._parameter_constraints,
            "l1_ratio": [Interval(Real, 0, 1, closed="both")],
            "solver": [StrOptions({"lbfgs", *PROXIMAL_NEWTON})],
        }

        def __init__(self, *, alpha=1.0, l1_ratio=0.0, solver="newton-cd", fit_intercept=True,
                     max_iter=1000, warm_start=False, tol=1e-4, verbose=0, power=1.5,
                     link="auto"):  # fmt: skip
            self.alpha, self.l1_ratio, self.solver = alpha, l1_ratio, solver
            self.fit_intercept, self.max_iter, self.warm_start = fit_intercept, max_iter, warm_start
            self.tol, self.verbose, self.power, self.link = tol, verbose, power, link

        def fit(self, X, y, sample_weight=None):
            self._base_loss, d = self._get_loss(), X.shape[1]
            self.n_features_in_ = d

            def objective(both):
                """Coefficients are what two vectors that are not negative differ by."""
                w = both[:d] - both[d : 2 * d]
                raw = X @ w + both[-1]
                loss, gradient = self._base_loss.loss_gradient(y, raw)
                slope = X.T @ gradient / len(y) + self.alpha * (1 - self.l1_ratio) * w
                absolute = self.alpha * self.l1_ratio
                value = loss.mean() + absolute * both[:-1].sum()
                value += 0.5 * self.alpha * (1 - self.l1_ratio) * w @ w
                down = np.concatenate([slope + absolute, absolute - slope, [gradient.mean()]])
                return value, down

            start = np.zeros(2 * d + 1)
            start[-1] = np.log(y.mean())
            ends = [(0, None)] * (2 * d) + [(None, None)]
            options = {"maxiter": 20000, "maxfun": 50000, "ftol": 0, "gtol": 1e-9, "maxcor": 40}
            both = start
            for _ in range(5):  # a line search may end far from the minimum
                both = minimize(
                    objective, both, jac=True, bounds=ends, method="L-BFGS-B", options=options
                ).x
            self.coef_, self.intercept_ = both[:d] - both[d : 2 * d], both[-1]
            self.n_iter_ = 1
            return self

    return Later


@pytest.fixture(params=["poisson", "gamma", "tweedie"])
def model(request):
    """An estimator as a later version has it, registered, and its target."""
    kinds = {"poisson": PoissonRegressor, "gamma": GammaRegressor, "tweedie": TweedieRegressor}
    kind = kinds[request.param]
    known, _ = find_twin(kind())
    made = later(kind)

    class LaterTwin(type(known)):
        estimator_type = made
        hyperparameters = (ALPHA, L1_RATIO)

    register_model(LaterTwin())
    yield made(), TARGETS[request.param]
    del _TWINS[made]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_lists_of_generalised_linear_models_with_absolute_values_are_solved(model, ratio):
    estimator, y = model
    estimator.set_params(l1_ratio=ratio, tol=1e-8)
    grid = {"alpha": [0.01, 0.1]}
    want = GridSearchCV(estimator, grid, cv=CV).fit(X, y)
    ours = BAMMSearchCV(estimator, grid, cv=CV).fit(X, y)
    assert ours.search_plan_[0]["role"] == "joint grid"
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], want.cv_results_["mean_test_score"], atol=1e-5
    )


def test_the_ratio_of_absolute_values_is_searched(model):
    estimator, y = model
    both = {"alpha": (1e-3, 1.0), "l1_ratio": (0.0, 1.0)}
    search = BAMMSearchCV(estimator, both, cv=CV).fit(X, y)
    assert {row["role"] for row in search.search_plan_} == {"searched"}
    few = GridSearchCV(estimator, {"alpha": [0.01, 0.1], "l1_ratio": [0.0, 1.0]}, cv=CV).fit(X, y)
    assert search.best_score_ >= few.best_score_ - 1e-4
    with pytest.raises(ValueError, match="newton-cd"):
        BAMMSearchCV(estimator.set_params(solver="lbfgs"), both, cv=CV).fit(X, y)


def test_a_solver_that_is_not_installed_is_not_taken():
    model = LogisticRegression(solver="newton-cd", l1_ratio=0.5)
    twin, reason = find_twin(model)
    installed = "newton-cd" in str(LogisticRegression._parameter_constraints["solver"])
    assert (twin is not None) == installed
    assert installed or "solver='newton-cd' is not one of" in reason


def test_a_later_logistic_regression_takes_any_ratio(monkeypatch):
    known = LogisticRegression._parameter_constraints["solver"]
    solvers = StrOptions({*known[0].options, *PROXIMAL_NEWTON})
    monkeypatch.setitem(LogisticRegression._parameter_constraints, "solver", [solvers])
    for solver in PROXIMAL_NEWTON:
        twin, reason = find_twin(LogisticRegression(solver=solver, l1_ratio=0.5))
        assert reason == ""
        assert [one.name for one in twin.tunes(LogisticRegression(solver=solver))] == [
            "C", "l1_ratio",
        ]  # fmt: skip
