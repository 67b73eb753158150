"""Penalties of absolute values: solutions, hypergradients and metrics where f has kinks."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    SGDClassifier,
    SGDRegressor,
)

from skbamm.bilevel import solve_lower
from skbamm.bilevel.faces import Face
from skbamm.glm import curvature
from skbamm.glm.groups import GroupMatrix
from skbamm.glm.penalties import GroupNorms
from skbamm.glm.submatrix import Submatrix
from skbamm.glm.support import SupportMetric
from tests.glm.conftest import three_folds
from tests.pairs import pairwise
from tests.problems import (
    X_BINARY,
    X_MULTI,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    Y_TWO,
    log_values,
    model_problem,
    own_solutions,
)

X_WIDE, Y_WIDE = make_regression(60, 300, n_informative=8, noise=5.0, random_state=0)
Y_WIDE_TWO = np.column_stack([Y_WIDE, X_WIDE[:, 3] * 50 - Y_WIDE[::-1]])
TIGHT = {"tol": 1e-12, "max_iter": 1_000_000}
SAGA = LogisticRegression(solver="saga", tol=1e-9, max_iter=20_000, random_state=0)
MODELS = {
    "lasso": (Lasso(**TIGHT), X_REG, Y_REG, (0.01, 1.0, 20.0)),
    "elastic net": (ElasticNet(l1_ratio=0.7, **TIGHT), X_REG, Y_REG, (0.01, 0.3, 3.0)),
    "two outputs": (Lasso(**TIGHT), X_REG, Y_TWO, (0.5, 5.0)),
    "no intercept": (Lasso(fit_intercept=False, **TIGHT), X_REG, Y_REG, (1.0, 10.0)),
    "wide": (Lasso(**TIGHT), X_WIDE, Y_WIDE, (0.2, 2.0, 20.0)),
    "wide, both": (ElasticNet(l1_ratio=0.6, **TIGHT), X_WIDE, Y_WIDE, (0.1, 2.0)),
    "logistic": (clone(SAGA).set_params(l1_ratio=1.0), X_BINARY, Y_BINARY, (0.03, 0.1)),
    "logistic, both": (clone(SAGA).set_params(l1_ratio=0.4), X_BINARY, Y_BINARY, (0.03, 0.3)),
    "multi-task lasso": (MultiTaskLasso(**TIGHT), X_REG, Y_TWO, (0.5, 5.0, 20.0)),
    "multi-task, both": (MultiTaskElasticNet(l1_ratio=0.7, **TIGHT), X_REG, Y_TWO, (0.1, 2.0)),
    "multi-task, one": (MultiTaskElasticNet(**TIGHT), X_REG, Y_REG[:, None], (0.1, 2.0)),
    "multi-task, wide": (MultiTaskLasso(**TIGHT), X_WIDE, Y_WIDE_TWO, (2.0, 20.0)),
    "multi-task, no intercept": (
        MultiTaskLasso(fit_intercept=False, **TIGHT), X_REG, Y_TWO, (1.0, 10.0),
    ),
    "multinomial": (clone(SAGA).set_params(l1_ratio=1.0), X_MULTI, Y_MULTI, (0.03, 0.3)),
    "multinomial, both": (clone(SAGA).set_params(l1_ratio=0.4), X_MULTI, Y_MULTI, (0.03, 0.3)),
    "multinomial, no intercept": (
        clone(SAGA).set_params(l1_ratio=0.8, fit_intercept=False), X_MULTI, Y_MULTI, (0.1, 0.3),
    ),
}  # fmt: skip
SQUARED = [name for name, model in MODELS.items() if not hasattr(model[0], "C")]


def solved(problem, x, tol=1e-10):
    result = solve_lower(problem, x, tol=tol, max_iter=500)
    assert bool(result.converged.all())
    return problem.coefficients(result.y)


def agree(y, estimator, X, target, splits, name, values, **weight):
    """Compare coefficients (S, K, m, p) with scikit-learn's, and their zeros."""
    for s, value in enumerate(values):
        own = clone(estimator).set_params(**{name: value})
        slopes, intercepts = own_solutions(own, X, target, splits, **weight)
        scale = abs(slopes).max()
        d = slopes.shape[-1]
        np.testing.assert_allclose(y[s, ..., :d], slopes, rtol=1e-5, atol=1e-5 * scale)
        np.testing.assert_array_equal(y[s, ..., :d] == 0, slopes == 0)
        if estimator.fit_intercept:
            size = abs(intercepts).max() + scale
            np.testing.assert_allclose(y[s, ..., -1], intercepts, rtol=1e-5, atol=1e-5 * size)


def parts(name):
    estimator, X, y, values = MODELS[name]
    return estimator, X, y, three_folds(len(y)), values


def scales(estimator):
    return "C" if hasattr(estimator, "C") else "alpha"


@pytest.mark.parametrize("name", MODELS)
def test_solutions_are_scikit_learns(name):
    estimator, X, y, splits, values = parts(name)
    problem = model_problem(estimator, X, y, splits, starts=len(values), moments=name in SQUARED)
    got = solved(problem, log_values(*values))
    agree(got.numpy(), estimator, X, y, splits, scales(estimator), values)


# Sparse rows give matrices of free features as dense ones do: one model for each kind of matrix.
SPARSE = ["elastic net", "wide", "logistic", "multi-task, wide", "multinomial, no intercept"]


@pytest.mark.parametrize(
    ("name", "sparse"), [(name, False) for name in MODELS] + [(name, True) for name in SPARSE]
)
def test_features_that_are_free_are_enough(name, sparse, monkeypatch):
    """With many features Gram matrices are of the free ones only; passes, dense and sparse."""
    estimator, X, y, splits, values = parts(name)
    expected = solved(
        model_problem(estimator, X, y, splits, starts=len(values)), log_values(*values)
    )
    monkeypatch.setattr(curvature, "METRIC", replace(curvature.METRIC, most_features=5))
    X = sp.csr_array(X) if sparse else X
    problem = model_problem(estimator, X, y, splits, starts=len(values))
    x = log_values(*values)
    assert isinstance(problem.curvature(x, problem.start(x), 0.0), SupportMetric)
    got = solved(problem, x)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-7 * float(expected.abs().max()))


@pytest.mark.parametrize("name", ["elastic net", "multinomial, both"])
def test_where_too_many_are_free_conjugate_gradients_serve(name, monkeypatch):
    estimator, X, y, splits, _ = parts(name)
    x = log_values(0.1, 1.0)
    expected = solved(model_problem(estimator, X, y, splits, starts=2), x)
    monkeypatch.setattr(curvature, "METRIC", replace(curvature.METRIC, most_features=5))
    monkeypatch.setattr("skbamm.glm.support._MOST", 2)
    got = solved(model_problem(estimator, X, y, splits, starts=2), x, tol=1e-8)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize(
    "name", ["lasso", "elastic net", "multi-task, both", "multinomial", "multinomial, both"]
)
def test_weights_are_repeated_rows(name):
    estimator, X, y, splits, values = parts(name)
    times = np.random.default_rng(0).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    place = [np.flatnonzero(np.isin(rows, train)) for train, _ in splits]
    x = log_values(*values)
    options = {"starts": len(values), "moments": name in SQUARED}
    weighted = model_problem(estimator, X, y, splits, sample_weight=times.astype(float), **options)
    repeated = model_problem(estimator, X[rows], y[rows], [(p, p) for p in place], **options)
    got, expected = solved(weighted, x), solved(repeated, x)
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-8 * float(expected.abs().max()))


def upper_of_own(estimator, X, y, splits, **params):
    """Mean over the folds of scikit-learn's own half squared error, or log loss."""
    total = 0.0
    for train, test in splits:
        model = clone(estimator).set_params(**params).fit(X[train], y[train])
        if hasattr(model, "predict_proba"):
            p = model.predict_proba(X[test])[np.arange(len(test)), y[test]]
            total += -np.log(p).mean()
        else:
            total += 0.5 * np.mean((model.predict(X[test]) - y[test]) ** 2)
    return total / len(splits)


@pytest.mark.parametrize(
    "name",
    [
        "lasso", "elastic net", "logistic, both", "wide", "multinomial, both",
        "multinomial, no intercept", "multi-task lasso", "multi-task, both", "multi-task, one",
    ],
)  # fmt: skip
def test_hypergradients_are_those_of_scikit_learns_solutions(name):
    """Inside a face F is smooth; the support is the same on both sides of the difference."""
    estimator, X, y, splits, values = parts(name)
    criterion = "squared_error" if name in SQUARED else "log_loss"
    problem = model_problem(estimator, X, y, splits, criterion=criterion, moments=name in SQUARED)
    value, h = values[-1] * 1.02, 1e-4
    ratio = None if isinstance(estimator, Lasso | MultiTaskLasso) else estimator.l1_ratio
    x = log_values(value)
    if ratio is not None:
        x = torch.cat([x, torch.tensor([[ratio]], dtype=torch.float64)], 1)
    y_at = solve_lower(problem, x, tol=1e-13, max_iter=500).y
    # Few features: the metric is the Hessian.
    d = problem.directions(x, y_at, torch.zeros_like(y_at), 0.0)
    face = problem.face(x, y_at, d.grad_y)
    (v,) = problem.curvature(x, y_at, 0.0).within(face).solve(-d.residual_v[None])
    d = problem.directions(x, y_at, v, 0.0)
    assert float((d.residual_v * face.free).abs().max()) < 1e-6
    factor = float(problem.criterion.factor[0]) * len(splits)  # of half the error, or of the loss
    got = d.grad_x.sum((0, 1)) / factor

    def slope(make):
        low, high = (upper_of_own(estimator, X, y, splits, **make(sign * h)) for sign in (-1, 1))
        return (high - low) / (2 * h)

    scale = scales(estimator)
    expected = slope(lambda t: {scale: value * np.exp(t)})
    assert float(got[0]) == pytest.approx(expected, rel=1e-3)
    if ratio is not None:
        expected = slope(lambda t: {scale: value, "l1_ratio": ratio + t})
        assert float(got[1]) == pytest.approx(expected, rel=1e-3)


def test_an_empty_model_has_no_hypergradient():
    estimator, X, y, splits, _ = parts("lasso")
    problem = model_problem(estimator, X, y, splits, criterion="squared_error", moments=True)
    x = log_values(1e4)
    y_at = solved(problem, x)
    assert not bool((y_at[..., :-1] != 0).any())
    inner = solve_lower(problem, x).y
    assert float(problem.directions(x, inner, 0 * inner, 0.0).grad_x.abs().max()) == 0


JUMPS = {
    "squared hinge": (SGDClassifier("squared_hinge"), X_MULTI, Y_MULTI),
    "modified huber": (SGDClassifier("modified_huber"), X_MULTI, Y_MULTI),
    "beyond epsilon": (
        SGDRegressor("squared_epsilon_insensitive", epsilon=0.5), X_REG, Y_REG / Y_REG.std(),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "penalty", "value"), pairwise(JUMPS, ["l1", "elasticnet"], [1e-4, 1e-2])
)
def test_kinks_beside_a_hessian_that_jumps(name, penalty, value):
    """Line searches see the slope of both; what ends them is optimal."""
    estimator, X, y = JUMPS[name]
    estimator = clone(estimator).set_params(penalty=penalty, l1_ratio=0.5)
    problem = model_problem(estimator, X, y, three_folds(len(y)))
    assert problem.hessian_jumps and problem.kinks
    x = log_values(value)
    result = solve_lower(problem, x, tol=1e-9)
    assert bool(result.converged.all()) and result.nit < 50
    value, gradient = problem.lower(x, result.y)
    kink = problem.penalty_at(x).kink
    at_zero = (gradient.abs() - kink).clamp_min(0)
    residual = torch.where(result.y == 0, at_zero, gradient + kink * torch.sign(result.y))
    assert float(residual.abs().max()) < 1e-6


@st.composite
def faces(draw):
    """A positive definite matrix, a point with zeros, and a gradient without the penalty."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p, rank = draw(st.integers(1, 8)), draw(st.integers(1, 10))
    A = rng.normal(size=(rank, p))
    gram = torch.as_tensor(A.T @ A / rank + 0.1 * np.eye(p))
    y = torch.as_tensor(rng.normal(size=p) * (rng.uniform(size=p) < 0.6))
    smooth = torch.as_tensor(3 * rng.normal(size=p))
    kink = torch.as_tensor(rng.uniform(0.1, 2, size=p) * (rng.uniform(size=p) < 0.8))
    return gram, y, smooth, kink


@settings(deadline=None, max_examples=200)
@given(faces())
def test_a_step_lowers_the_model_and_never_raises_it(problem):
    gram, y, smooth, kink = problem

    def lift(t):
        return t[None, None, None]

    face = Face.at(lift(y), lift(smooth), lift(kink), 100)
    metric = Submatrix(lift(gram), torch.zeros_like(lift(y)), face)
    step = metric.step(lift(y))[0, 0, 0]

    def model(u):
        change = u - y
        return smooth @ change + 0.5 * change @ gram @ change + (kink * u.abs()).sum()

    size = float(face.slope.abs().max())
    gain = float(model(y) - model(y - step))
    assert gain >= -1e-9
    if size > 1e-6:
        assert gain > 0
    assert not bool(lift(step)[~face.free].any())


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 6))
def test_a_step_of_groups_lowers_the_model_with_their_norms(seed, m, p):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(8, p))
    gram = torch.as_tensor(A.T @ A / 8 + 0.1 * np.eye(p))
    y = torch.as_tensor(rng.normal(size=(m, p)) * (rng.uniform(size=p) < 0.6))
    smooth = torch.as_tensor(3 * rng.normal(size=(m, p)))
    kink = torch.as_tensor(rng.uniform(0.1, 2, size=(1, p)) * (rng.uniform(size=p) < 0.8))
    norms = GroupNorms(lambda x: x)
    face = Face.at(y[None, None], smooth[None, None], kink[None, None], 100, norms)
    none = torch.zeros(1, 1, 1, p, dtype=torch.float64)
    step = GroupMatrix(gram[None, None, None], none, face).step(y[None, None])[0, 0]

    def model(u):
        change = u - y
        curved = 0.5 * (change * (change @ gram)).sum()
        return (smooth * change).sum() + curved + (kink * u.norm(dim=0)).sum()

    gain = float(model(y) - model(y - step))
    assert gain >= -1e-9
    if float(face.slope.abs().max()) > 1e-6:
        assert gain > 0
    assert not bool(step[~face.free[0, 0]].any())


def test_what_a_step_puts_at_zero_is_there_exactly():
    """One coefficient whose optimum is zero, from a point that binary fractions cannot hold."""
    y = torch.tensor([[[[0.1]]]], dtype=torch.float64)
    face = Face.at(y, torch.full_like(y, -0.1), torch.ones_like(y), 100)
    metric = Submatrix(torch.full((1, 1, 1, 1, 1), 0.3, dtype=torch.float64), 0 * y, face)
    step = metric.step(y)
    assert float(y - step) == 0
    assert float(face.settle(y, y - 0.7 * step, step, torch.ones(1, 1, dtype=torch.bool))) == 0
    assert float(face.settle(y, y - 0.3 * step, step, torch.ones(1, 1, dtype=torch.bool))) > 0
