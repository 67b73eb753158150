"""Huber models that fit most rows exactly: their scale would vanish, and f would have kinks."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.linear_model import HuberRegressor
from sklearn.model_selection import KFold

from skbamm import BAMMSearchCV
from skbamm.glm import solve_narrowing
from skbamm.losses import ConcomitantHuberLoss
from tests.problems import log_values, model_problem

SPLITS = list(KFold(2).split(np.zeros(120)))


def data(p, unit=1.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, p))
    return X, unit * (X[:, :4].sum(1) + 0.5 * rng.normal(size=120))


def least_absolute(X, y):
    """Return the least mean absolute error of a linear model with an intercept."""
    n, p = X.shape
    rows = np.column_stack([X, np.ones(n)])
    eye = np.eye(n)
    cost = np.r_[np.zeros(p + 1), np.full(2 * n, 1 / n)]
    bounds = [(None, None)] * (p + 1) + [(0, None)] * (2 * n)
    return linprog(cost, A_eq=np.hstack([rows, eye, -eye]), b_eq=y, bounds=bounds).fun


@pytest.mark.parametrize("unit", [1.0, 1e-6])
@pytest.mark.parametrize("p", [20, 50])
def test_absolute_errors_are_left(p, unit):
    """With as many rows fitted exactly as a vertex has, epsilon times them is least."""
    X, y = data(p, unit)
    model = HuberRegressor(epsilon=1.05)
    problem = model_problem(model, X, y, SPLITS)
    assert problem.loss.width > 0
    found = solve_narrowing(problem, log_values(1e-5 / unit), tol=1e-8)
    assert bool(found.converged.all())
    for k, (train, _) in enumerate(SPLITS):
        coef = found.y[0, k, 0].numpy()
        errors = np.abs(X[train] @ coef[:-1] + coef[-1] - y[train]).mean()
        assert errors == pytest.approx(unit * least_absolute(X[train], y[train] / unit), rel=1e-5)


def test_a_scale_that_is_held_does_not_move():
    X, y = data(50)
    problem = model_problem(HuberRegressor(epsilon=1.05), X, y, SPLITS)
    problem.loss = ConcomitantHuberLoss(1.05, width=10.0)
    at = problem.at_scale(problem.start(log_values(1.0)))
    cross, _ = at.coupling(problem.start(log_values(1.0)))
    assert bool(at.held.all()) and float(cross.abs().max()) == 0.0
    torch.testing.assert_close(at.scale, torch.full_like(at.scale, 10.0))
    lost, value = problem.lost(log_values(1.0), problem.start(log_values(1.0)))
    assert bool((lost == 5.0).all()) and bool((value >= lost).all())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("unit", [1.0, 1e-4])
def test_an_interval_is_no_worse_than_a_list(unit):
    X, y = data(20, unit)
    model, grid = HuberRegressor(epsilon=1.05), np.geomspace(1e-3, 20.0, 6) / unit
    interval = BAMMSearchCV(model, {"alpha": (grid[0], grid[-1])}, cv=KFold(2), refit=False)
    listed = BAMMSearchCV(model, {"alpha": grid}, cv=KFold(2), refit=False).fit(X, y)
    assert interval.fit(X, y).best_score_ >= listed.best_score_ - 2e-3
