"""Metrics: whichever is taken, solutions are the same; and none fails on awkward data."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone

from skbamm.bilevel import Status, solve, solve_lower
from skbamm.bilevel.metrics import Cholesky
from skbamm.glm import curvature, joint
from skbamm.glm import problem as problem_module
from skbamm.models import find_twin
from tests.glm.conftest import three_folds
from tests.pairs import turns
from tests.problems import ESTIMATORS, X_MANY, Y_MANY, hessian, log_values, model_problem

METRICS = ["own factors", "shared factors", "conjugate gradients", "joint factors"]


@pytest.fixture(params=METRICS)
def metric(request, monkeypatch):
    """Every kind of metric, forced on problems of any size."""
    limits = {
        "own factors": (10**6, 1e30),
        "shared factors": (10**6, 0),
        "conjugate gradients": (0, 1e30),
        "joint factors": (10**6, 1e30),
    }
    dense_limit, own_factors = limits[request.param]
    settings = replace(
        curvature.METRIC, most_features=dense_limit, own_seconds=own_factors, few_rows=0
    )
    monkeypatch.setattr(curvature, "METRIC", settings)
    most = 10**6 if request.param == "joint factors" else 0
    monkeypatch.setattr(joint, "JOINT", replace(joint.JOINT, most=most))
    return request.param


@pytest.fixture
def many(single):
    """One model of each loss, the logistic one on rows enough that folds may share a factor."""
    estimator, X, y, splits = single
    if len(np.unique(y)) == 2:
        return estimator, X_MANY, Y_MANY, three_folds(len(Y_MANY))
    return estimator, X, y, splits


def own_criterion(estimator, y):
    """Return the name of the upper-level loss that "auto" means."""
    return find_twin(estimator)[0].task(estimator, y, None, False).criterion


def random_like(y, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).normal(size=y.shape))


@pytest.mark.parametrize("sparse", [False, True])
def test_solutions_do_not_depend_on_the_metric(many, metric, sparse, monkeypatch):
    estimator, X, y, splits = many
    if sparse:
        X = sp.csr_array(X * (X > 0))
        if "solver" in estimator.get_params():
            estimator.set_params(solver="auto" if hasattr(estimator, "alpha") else "lbfgs")
    x = log_values(0.1, 3.0)
    problem = model_problem(estimator, X, y, splits, starts=2)
    got = solve_lower(problem, x, tol=1e-11)
    assert bool(got.converged.all())
    monkeypatch.undo()
    expected = solve_lower(problem, x, tol=1e-11).y
    torch.testing.assert_close(got.y, expected, rtol=1e-6, atol=1e-7 * float(expected.abs().max()))


@pytest.mark.parametrize("kept", [True, False])
def test_products_with_the_hessian_are_its_own(single, kept, monkeypatch):
    """Whether or not what they need of the predictors is kept."""
    if not kept:
        monkeypatch.setattr(problem_module, "_KEEP", 0)
    estimator, X, y, splits = single
    problem = model_problem(estimator, X, y, splits, starts=2)
    x = log_values(0.1, 3.0)
    here, there = (0.1 * random_like(problem.start(x), seed) for seed in (0, 1))
    p = random_like(here, 2)[None]
    product = curvature.HessianProduct(problem, x, here, 0.0)
    for point in (here, there):
        above, below = (problem.lower(x, point + step * p[0])[1] for step in (1e-5, -1e-5))
        expected = ((above - below) / 2e-5)[None]
        product = product.at(x, point)
        for _ in range(2):  # the second time finds what the first has kept
            torch.testing.assert_close(product(p), expected, rtol=1e-6, atol=1e-7)
        assert (product.kept is not None) == kept
        torch.testing.assert_close(product.select([1])(p[:, [1]]), product(p)[:, [1]])


def test_a_metric_in_single_precision_finds_the_same_solution(many, metric):
    estimator, X, y, splits = many
    x = log_values(0.1, 3.0)
    problem = model_problem(estimator, X, y, splits, starts=2)
    expected = solve_lower(problem, x, tol=1e-10)
    single = model_problem(estimator, X, y, splits, starts=2, dtype=torch.float32)
    problem.metric_rows = single.rows
    got = solve_lower(problem, x, tol=1e-10)
    assert bool(got.converged.all())
    assert got.y.dtype == torch.float64
    torch.testing.assert_close(got.y, expected.y, rtol=1e-6, atol=1e-7)


def test_optima_do_not_depend_on_the_metric(many, metric, monkeypatch):
    estimator, X, y, splits = many
    criterion = own_criterion(estimator, y)
    x0 = log_values(0.01, 1.0, 30.0)
    bounds = (np.log(1e-4), np.log(1e4))
    problem = model_problem(estimator, X, y, splits, criterion=criterion, starts=3, bounds=bounds)
    got = solve(problem, x0)
    monkeypatch.undo()
    expected = solve(problem, x0)
    assert got.success and expected.success
    assert got.fun == pytest.approx(expected.fun, rel=1e-5)
    torch.testing.assert_close(got.x, expected.x, rtol=0, atol=0.1)


def test_every_metric_is_linear_symmetric_and_positive(single, metric):
    estimator, X, y, splits = single
    problem = model_problem(estimator, X, y, splits, starts=1)
    x = log_values(1.0)
    at = 0.1 * random_like(problem.start(x))
    solver = problem.curvature(x, at, 0.0)
    size = at[0, 0].numel()
    rights = torch.stack([random_like(at, seed) for seed in range(3)])
    solved = solver.solve(rights)
    assert solved.shape == rights.shape
    if problem.loss.couples_outputs:
        rights = rights - rights.mean(-2, keepdim=True)
    inner = (rights * solved).flatten(3).sum(-1)
    assert bool((inner > 0).all())
    if metric == "own factors" and not problem.loss.couples_outputs:
        basis = torch.eye(size, dtype=at.dtype).reshape(size, 1, 1, *at.shape[2:])
        matrix = solver.solve(basis.expand(size, *at.shape).clone()).flatten(3)
        matrix = matrix.permute(1, 2, 3, 0)
        product = matrix @ hessian(problem, x, at)
        eye = torch.eye(size, dtype=at.dtype).expand_as(product)
        torch.testing.assert_close(product, eye, rtol=0, atol=1e-7)


def test_several_outputs_reach_the_inverse_nearly(metric):
    estimator, X, y = ESTIMATORS["multinomial"]
    problem = model_problem(estimator, X, y, three_folds(len(y)), starts=2)
    x = log_values(0.1, 1.0)
    at = 0.1 * random_like(problem.start(x))
    v = random_like(at, 1)
    v = v - v.mean(-2, keepdim=True)  # the shift of all classes cannot be recovered
    product = problem.hessian_product(x, at, v[None], 0.0)
    solved = problem.curvature(x, at, 0.0).solve(product)[0]
    if metric == "joint factors":
        torch.testing.assert_close(solved, v, rtol=0, atol=1e-7)
    back = problem.hessian_product(x, at, (solved - v)[None], 0.0)[0]

    def energy(a, b):
        return (a * b).flatten(2).sum(-1)

    # The error in the norm of the Hessian: what a step leaves of the decrement.
    assert float((energy(solved - v, back) / energy(v, product[0])).max()) < 0.25


def test_chosen_starts_keep_their_metric(single, metric):
    estimator, X, y, splits = single
    problem = model_problem(estimator, X, y, splits, starts=3)
    x = log_values(0.01, 1.0, 10.0)
    at = 0.1 * random_like(problem.start(x))
    right = torch.stack([random_like(at, 1), random_like(at, 2)])
    whole = problem.curvature(x, at, 0.0)
    part = problem.select([2, 0])
    fresh = part.curvature(x[[2, 0]], at[[2, 0]], 0.0)
    close = {"rtol": 1e-6, "atol": 1e-9 * float(right.abs().max())}
    kept = whole.select([2, 0]).solve(right[:, [2, 0]])
    if metric == "own factors" and not problem.loss.couples_outputs:
        torch.testing.assert_close(kept, fresh.solve(right[:, [2, 0]]), **close)
        torch.testing.assert_close(kept, whole.solve(right)[:, [2, 0]], **close)
    assert bool(((kept * right[:, [2, 0]]).flatten(3).sum(-1) > 0).all())


def test_averaging_adds_the_upper_levels_curvature():
    estimator, X, y = ESTIMATORS["logistic"]
    problem = model_problem(estimator, X, y, three_folds(len(y)), criterion="log_loss")
    x, mu = log_values(1.0), 0.4
    at = 0.1 * random_like(problem.start(x))
    v = random_like(at, 1)
    product = problem.hessian_product(x, at, v[None], mu)
    solved = problem.curvature(x, at, mu).solve(product)[0]
    torch.testing.assert_close(solved, v, rtol=1e-6, atol=1e-8)


# Awkward data


def scales(X, y):
    X = X[:, :6].copy()
    X[:, 0] *= 1e8
    X[:, 1] *= 1e-8
    return X, y


def constant(X, y):
    X = X[:, :6].copy()
    X[:, 1], X[:, 2] = 7.0, 0.0
    return X, y


def twins(X, y):
    return np.column_stack([X[:, :4], X[:, :4]]), y


def short(X, y):
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.flatnonzero(y == c)[:8] for c in np.unique(y)[:8]])
    rows = np.sort(rows[:24])
    wide = np.column_stack([X[rows], rng.normal(size=(len(rows), 60))])
    return wide, y[rows]


def separable(X, y):
    return np.column_stack([X[:, :3], 10.0 * (y > np.median(y)), y / y.max()]), y


AWKWARD = [scales, constant, twins, short, separable]
PAIRS = turns(AWKWARD, METRICS)


@pytest.mark.parametrize(("awkward", "metric"), PAIRS, indirect=["metric"])
def test_awkward_data_give_finite_results(single, awkward, metric):
    check_finite(*single[:3], awkward, False)


@pytest.mark.parametrize("awkward", AWKWARD)
def test_awkward_data_give_finite_results_by_moments(awkward):
    check_finite(*ESTIMATORS["ridge"], awkward, True)


def check_finite(estimator, X, y, awkward, moments):
    X, y = awkward(X, y)
    splits = three_folds(len(y))
    criterion = "squared_error" if y.dtype == float else own_criterion(estimator, y)
    bounds = (np.log(1e-4), np.log(1e4))
    problem = model_problem(
        estimator, X, y, splits, criterion=criterion, starts=2, bounds=bounds, moments=moments
    )
    x = log_values(1e-4, 1e4)
    lower = solve_lower(problem, x)
    assert bool(torch.isfinite(lower.y).all()) and bool(torch.isfinite(lower.decrement).all())
    result = solve(problem, x / 2)
    assert result.status is not Status.DIVERGED
    for part in (result.x, result.y, result.v):
        assert bool(torch.isfinite(part).all())
    # Relative to the best constant prediction, which a penalised intercept may be far from.
    free = bool((problem.penalty_at(x).curvature[..., -1] == 0).all())
    assert np.isfinite(result.fun) and (result.fun < 2 or not free)


def test_a_poor_metric_is_no_reason_to_call_it_converged(single, metric):
    """A factor shared by folds of few rows is a poor metric: slow, but nothing is made up."""
    estimator, X, y, splits = single
    criterion = own_criterion(estimator, y)
    problem = model_problem(estimator, X, y, splits, criterion=criterion, starts=3)
    for tol in (1e-3, 1e-6):
        result = solve(problem, log_values(0.01, 1.0, 30.0), tol=tol)
        assert not result.success or max(result.kkt_residual) <= tol
        at = result.x[None]
        alone = problem.select([0])
        y_exact = solve_lower(alone, at, tol=1e-10, max_iter=1000).y
        exact = float(alone.directions(at, y_exact, 0 * y_exact, 0.0).upper.sum())
        # F is that of models which follow x to 5 %, to second order.
        assert result.fun == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_scales_of_features_are_no_excuse(name):
    """What a feature of scale 1e8 contributes to a solution is what it should be."""
    estimator, X, y = ESTIMATORS[name]
    X = X[:, :5].copy()
    X[:, 0] *= 1e8
    splits = three_folds(len(y))
    problem = model_problem(clone(estimator), X, y, splits)
    got = solve_lower(problem, log_values(1.0), tol=1e-10)
    assert bool(got.converged.all())
    # A penalty that such a feature does not feel: the same as none on that of scale 1.
    value, gradient = problem.lower(log_values(1.0), got.y)
    sizes = torch.as_tensor(np.append(X.std(0), 1.0))
    assert float((gradient / sizes).abs().max()) < 1e-7 * (1 + float(value.max()))


def test_a_penalty_that_stays_costs_no_new_factor(single, monkeypatch):
    """Weights of rows are upper-level variables that the penalty does not see."""
    estimator, X, y, splits = single
    problem = model_problem(estimator, X, y, splits, starts=1)
    at = 0.1 * random_like(problem.start(log_values(1.0)))
    metric = problem.curvature(log_values(1.0), at, 0.0)
    made = []
    for module in (curvature, joint):
        monkeypatch.setattr(
            module, "Cholesky", lambda matrix: made.append(matrix) or Cholesky(matrix)
        )
    metric.solve(at[None])
    made.clear()
    metric.at(log_values(1.0), 0.5 * at).solve(at[None])
    assert not made
    metric.at(log_values(2.0), at).solve(at[None])
    assert len(made) == 1


def test_large_outputs_are_factored_apart(monkeypatch):
    estimator, X, y = ESTIMATORS["multinomial"]
    problem = model_problem(estimator, X, y, three_folds(len(y)), starts=2)
    x = log_values(0.1, 1.0)
    monkeypatch.setattr(joint, "JOINT", replace(joint.JOINT, most=0))
    at = 0.1 * random_like(problem.start(x))
    right = torch.stack([random_like(at, 1), random_like(at, 2)])
    whole = problem.curvature(x, at, 0.0)
    monkeypatch.setattr(curvature, "METRIC", replace(curvature.METRIC, threads_from=1))
    apart = problem.curvature(x, at, 0.0)
    torch.testing.assert_close(apart.solve(right), whole.solve(right))
    torch.testing.assert_close(
        apart.select([1]).solve(right[:, [1]]), whole.select([1]).solve(right[:, [1]])
    )
