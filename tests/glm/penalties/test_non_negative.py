"""Coefficients that may not be negative: solutions, faces and hypergradients."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from skbamm.bilevel import solve_lower
from skbamm.glm import LeastSquaresProblem, curvature, multiplier
from skbamm.glm.penalties import NonNegative
from tests.glm.conftest import three_folds
from tests.problems import X_REG, Y_REG, Y_TWO, log_values, model_problem, own_solutions

X_WIDE, Y_WIDE = make_regression(60, 150, n_informative=20, noise=5.0, random_state=0)
X_ALIKE = np.column_stack([X_REG, -X_REG[:, :3], np.logspace(-3, 3, 3) * X_REG[:, 3:6]])
TIGHT = {"positive": True, "tol": 1e-12, "max_iter": 1_000_000}
WEIGHT = np.random.default_rng(0).uniform(0.5, 2, len(Y_REG))
MODELS = {
    "lasso": (Lasso(**TIGHT), X_REG, Y_REG, (0.01, 1.0, 20.0)),
    "elastic net": (ElasticNet(l1_ratio=0.6, **TIGHT), X_REG, Y_REG, (0.01, 0.3, 3.0)),
    "two outputs": (Lasso(**TIGHT), X_REG, Y_TWO, (0.5, 5.0)),
    "no intercept": (Lasso(fit_intercept=False, **TIGHT), X_REG, Y_REG, (1.0, 10.0)),
    "wide": (ElasticNet(l1_ratio=0.9, **TIGHT), X_WIDE, Y_WIDE, (0.2, 2.0)),
    "opposite, scales": (ElasticNet(l1_ratio=0.3, **TIGHT), X_ALIKE, Y_REG, (0.03, 0.3)),
    "ridge": (Ridge(positive=True), X_REG, Y_REG, (0.1, 10.0, 1e3)),
    "ridge, two outputs": (Ridge(positive=True), X_REG, Y_TWO, (0.1, 1e3)),
    "ridge, no intercept": (Ridge(positive=True, fit_intercept=False), X_REG, Y_REG, (0.1, 1e3)),
    "ridge, wide": (Ridge(positive=True), X_WIDE, Y_WIDE, (0.1, 10.0)),
}


def exact(estimator, X, y, splits, weight):
    """Return slopes (K, m, d): scikit-learn's, of Ridge those of an active-set method.

    L-BFGS ends where the objective no longer falls, a hundredth from the coefficients.
    """
    if not isinstance(estimator, Ridge):
        given = {} if weight is None else {"sample_weight": weight}
        return own_solutions(clone(estimator), X, y, splits, **given)[0]
    found, d = [], X.shape[1]
    for train, _ in splits:
        root = np.ones(len(train)) if weight is None else np.sqrt(weight[train])
        A, targets = X[train], y[train].reshape(len(train), -1)
        if estimator.fit_intercept:
            A, targets = (t - np.average(t, axis=0, weights=root**2) for t in (A, targets))
        A = np.vstack([root[:, None] * A, estimator.alpha**0.5 * np.eye(d)])
        sides = [np.r_[root * target, np.zeros(d)] for target in targets.T]
        found.append([nnls(A, side, maxiter=10_000)[0] for side in sides])
    return np.array(found)


def agree(name, *, weight=None, form=np.asarray, moments=False):
    """Compare coefficients, and their zeros."""
    estimator, X, y, values = MODELS[name]
    splits = three_folds(len(y))
    problem = model_problem(
        estimator, form(X), y, splits, sample_weight=weight, starts=len(values), moments=moments
    )
    result = solve_lower(problem, log_values(*values), tol=1e-10, max_iter=300)
    assert bool(result.converged.all())
    got = problem.coefficients(result.y).numpy()[..., : X.shape[1]]
    for s, value in enumerate(values):
        slopes = exact(clone(estimator).set_params(alpha=value), X, y, splits, weight)
        np.testing.assert_allclose(got[s], slopes, rtol=1e-6, atol=1e-7 * slopes.max())
        np.testing.assert_array_equal(got[s] > 0, slopes > 0)


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_solutions_are_exact(name, moments):
    agree(name, moments=moments)


@pytest.mark.parametrize("name", ["lasso", "elastic net", "ridge"])
@pytest.mark.parametrize("moments", [True, False])
def test_with_sample_weights(name, moments):
    agree(name, weight=WEIGHT, moments=moments)


@pytest.mark.parametrize("name", ["lasso", "ridge, wide"])
def test_sparse(name):
    agree(name, form=sp.csr_array)


@pytest.mark.parametrize("name", ["opposite, scales", "ridge, wide"])
def test_steps_from_face_to_face_are_enough(name, monkeypatch):
    """Coordinate descent is for the CPU; without it all steps begin at zero."""
    monkeypatch.setattr(NonNegative, "descent", lambda *_: None)
    monkeypatch.setattr(LeastSquaresProblem, "descend", lambda self, x, y, tol: y)
    agree(name, moments=True)


@pytest.mark.parametrize("name", ["elastic net", "wide", "ridge", "ridge, wide"])
def test_features_that_are_free_are_enough(name, monkeypatch):
    monkeypatch.setattr(curvature, "METRIC", replace(curvature.METRIC, most_features=3))
    agree(name, form=sp.csr_array)


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize(("name", "value"), [("lasso", 0.5), ("elastic net", 0.1), ("ridge", 3.0)])
def test_hypergradients_are_slopes(name, value, moments):
    """Of F at solutions, between the values at which a coefficient reaches zero."""
    estimator, X, y, _ = MODELS[name]
    problem = model_problem(
        estimator, X, y, three_folds(len(y)), criterion="squared_error", moments=moments
    )

    def solved(x):
        return solve_lower(problem, x, tol=1e-12).y

    x, step = log_values(value), 1e-4
    found = solved(x)
    v = multiplier(problem, x, found)
    assert bool((found[..., :-1] == 0).any()) and not bool(v[found == 0].any())
    slope = float(problem.directions(x, found, v, 0.0).grad_x.sum())
    after, before = (float(problem.upper(solved(x + d)).sum()) for d in (step, -step))
    assert slope == pytest.approx((after - before) / (2 * step), rel=1e-5)


def test_a_step_beyond_zero_ends_there():
    """Steps may be longer than full ones: what would be negative is put to zero."""
    estimator, X, y, _ = MODELS["ridge"]
    problem = model_problem(estimator, X, y, three_folds(len(y)))
    x = log_values(1.0)
    at = torch.ones(problem.y_shape, dtype=torch.float64)
    face = problem.face(x, at, torch.ones_like(at))
    after = face.settle(at, at - 3, torch.full_like(at, 0.5), None)
    assert not bool(after[..., :-1].any()) and bool((after[..., -1] == -2).all())
    assert float(problem.lower(x, after)[0].min()) < torch.inf
    assert bool((problem.lower(x, at - 3)[0] == torch.inf).all())
