"""Units of targets and features change numbers, and nothing else."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    MultiTaskLasso,
    PoissonRegressor,
    Ridge,
    SGDRegressor,
)
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR

from skbamm import BAMMSearchCV

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = X @ RNG.normal(size=5) + RNG.normal(size=60)
CV = KFold(3)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}
UNITS = [1e-10, 1e10]

# An estimator of a unit, its parameter, and the power of the unit that the parameter has.
MODELS = {
    "ridge": (lambda unit: Ridge(), "alpha", 0),
    "kernel ridge": (lambda unit: KernelRidge(kernel="rbf", gamma=0.1), "alpha", 0),
    "lasso": (lambda unit: Lasso(**TIGHT), "alpha", 1),
    "multi-task": (lambda unit: MultiTaskLasso(**TIGHT), "alpha", 1),
    "huber": (lambda unit: HuberRegressor(), "alpha", -1),
    "svr": (
        lambda unit: LinearSVR(
            loss="squared_epsilon_insensitive", epsilon=0.1 * unit, dual=False, **TIGHT
        ),
        "C",
        0,
    ),
    "sgd": (lambda unit: SGDRegressor(random_state=0), "alpha", 0),
    "poisson": (lambda unit: PoissonRegressor(**TIGHT), "alpha", 1),
    "transformed": (
        lambda unit: TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
        "regressor__alpha",
        0,
    ),
}  # fmt: skip


def target(name):
    if name == "poisson":
        return np.exp(Y)
    return np.stack([Y, Y**2], 1) if name == "multi-task" else Y


def found(name, unit, form, y=None):
    """Return the best value in the unit of one, and the best score, over the same values."""
    make, parameter, power = MODELS[name]
    low, high = 1e-3 * unit**power, 1e2 * unit**power
    values = np.geomspace(low, high, 4) if form == "list" else (low, high)
    y = unit * target(name) if y is None else y
    search = BAMMSearchCV(make(unit), {parameter: values}, cv=CV)
    search.fit(X, y)
    return search.best_params_[parameter] / unit**power, search.best_score_, search.converged_


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of own refits
@pytest.mark.parametrize("form", ["list", "interval"])
@pytest.mark.parametrize("name", MODELS)
def test_units_of_targets(name, form):
    value, score, converged = found(name, 1.0, form)
    for unit in UNITS:
        scaled, same, too = found(name, unit, form)
        assert scaled == pytest.approx(value, rel=1e-3)
        assert same == pytest.approx(score, abs=1e-7)
        assert too is converged


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("estimator", "values"),
    [
        (Ridge(), (1e-3, 1e3)),
        (Ridge(fit_intercept=False), [0.1, 1.0, 10.0]),
        (KernelRidge(kernel="rbf", gamma=0.1), (1e-3, 1e2)),
    ],
)
def test_scores_of_small_and_large_targets_are_true(estimator, values, unit):
    from sklearn.model_selection import cross_val_score

    scoring = "neg_mean_squared_error"
    search = BAMMSearchCV(estimator, {"alpha": values}, cv=CV, scoring=scoring).fit(X, unit * Y)
    best = clone(search.best_estimator_)
    expected = cross_val_score(best, X, unit * Y, cv=CV, scoring=scoring).mean()
    assert search.best_score_ == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("estimator", [Ridge(), Lasso(**TIGHT), ElasticNet(**TIGHT)])
def test_columns_of_1e_minus_8_and_1e8_beside_others(estimator):
    """The interval is no worse than values from end to end of it."""
    scaled = X * np.array([1e-8, 1e8, 1.0, 1.0, 1.0])
    grid = np.geomspace(1e-3, 1e3, 9)
    interval = BAMMSearchCV(estimator, {"alpha": (1e-3, 1e3)}, cv=CV).fit(scaled, Y)
    listed = BAMMSearchCV(estimator, {"alpha": grid}, cv=CV).fit(scaled, Y)
    assert interval.best_score_ >= listed.best_score_ - 1e-3


def test_a_unit_of_all_features_is_one_of_the_penalty():
    y = (Y > 0).astype(int)
    plain = LogisticRegression(tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    search = BAMMSearchCV(plain, {"C": (1e-3, 1e3)}, cv=CV, scoring="neg_log_loss").fit(X, y)
    for unit in (1e-6, 1e6):
        bounds = tuple(end / unit**2 for end in (1e-3, 1e3))
        scaled = BAMMSearchCV(plain, {"C": bounds}, cv=CV, scoring="neg_log_loss")
        assert scaled.fit(unit * X, y).best_score_ == pytest.approx(search.best_score_, abs=1e-6)
