"""LeastSquaresProblem is GLMProblem with half the squared loss, in other coordinates."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from torch.autograd import grad

from skbamm.bilevel import solve_lower
from tests.glm.conftest import three_folds
from tests.glm.test_problem import Explicit, check_solutions
from tests.problems import ESTIMATORS, X_REG, Y_REG, Y_TWO, log_values, model_problem

SQUARED = [name for name in ESTIMATORS if "ridge" in name or "two" in name]


@pytest.fixture(params=SQUARED)
def squared(request):
    estimator, X, y = ESTIMATORS[request.param]
    return clone(estimator), X, y, three_folds(len(y))


def both(estimator, X, y, splits, **options):
    """Return the problem by moments and by passes."""
    return [
        model_problem(estimator, X, y, splits, moments=moments, **options)
        for moments in (True, False)
    ]


def random_point(problem, x, seed):
    shape = problem.start(x).shape
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("criterion", ["squared_error", "root_mean_squared_error"])
def test_directions_agree(squared, criterion, sparse, fit_intercept):
    estimator, X, y, splits = squared
    X = sp.csr_array(X * (np.abs(X) > 0.3)) if sparse else X
    estimator.set_params(fit_intercept=fit_intercept, solver="sparse_cg")
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    options = {"criterion": criterion, "starts": 2, "sample_weight": weight}
    moments, passes = both(estimator, X, y, splits, **options)
    x = log_values(0.1, 10)
    at, v = random_point(moments, x, 1).requires_grad_(), random_point(moments, x, 2)
    none = torch.zeros_like(v)
    there = moments.coefficients(at)
    v_there = moments.coefficients(v) - moments.coefficients(none)

    def back(gradient):
        # Gradients go the other way than points: by the transpose of the change of coordinates.
        return grad(there, at, gradient, retain_graph=True)[0]

    here, same = at.detach(), there.detach()
    ours = moments.directions(x, here, v, 0.0)
    theirs = passes.directions(x, same, v_there, 0.0)
    our_pull = moments.directions(x, here, none, 0.0).residual_v
    their_pull = back(passes.directions(x, same, none, 0.0).residual_v)
    # A column's multiplier may carry a factor, which its hypergradient takes back.
    factor = column_dot(our_pull, their_pull) / column_dot(their_pull, their_pull)
    scale = float(theirs.grad_y.abs().max())
    close = {"rtol": 1e-8, "atol": 1e-9 * scale}
    torch.testing.assert_close(ours.upper, theirs.upper, rtol=1e-9, atol=0)
    torch.testing.assert_close(ours.lower, theirs.lower, rtol=1e-9, atol=0)
    torch.testing.assert_close(ours.grad_y, back(theirs.grad_y), **close)
    torch.testing.assert_close(our_pull, factor[..., None, None] * their_pull, **close)
    product = back(theirs.residual_v) - their_pull
    torch.testing.assert_close(ours.residual_v - our_pull, product, **close)
    grad_x = ours.grad_x * factor[..., None]
    torch.testing.assert_close(grad_x, theirs.grad_x, rtol=1e-8, atol=1e-12)


def column_dot(a, b):
    return (a * b).flatten(2).sum(-1)


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("mu", [0.0, 0.3])
@pytest.mark.parametrize("name", ["squared", "root", "r2"])
def test_the_two_are_one_formula_without_an_intercept(name, mu, moments):
    e = Explicit(name, False, moments)
    reference = Explicit(name, False)
    found = e.problem.directions(e.x, e.y, e.v, mu)
    expected = reference.problem.directions(e.x, e.y, e.v, mu)
    torch.testing.assert_close(found.upper, expected.upper, rtol=1e-9, atol=0)
    torch.testing.assert_close(found.lower, expected.lower, rtol=1e-9, atol=0)


def test_lower_is_phi_without_averaging(squared):
    estimator, X, y, splits = squared
    problem = model_problem(estimator, X, y, splits, criterion="r2", starts=2, moments=True)
    x = log_values(0.1, 10)
    at = random_point(problem, x, 0)
    value, gradient = problem.lower(x, at)
    found = problem.directions(x, at, at, 0.0)
    torch.testing.assert_close(value, found.lower)
    torch.testing.assert_close(gradient, found.grad_y)


def test_solutions_agree(squared):
    estimator, X, y, splits = squared
    x = log_values(1e-2, 1.0, 1e2)
    moments, passes = both(estimator, X, y, splits, starts=3)
    ours, theirs = (p.coefficients(solve_lower(p, x, tol=1e-12).y) for p in (moments, passes))
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-8 * float(theirs.abs().max()))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_solutions_are_scikit_learns(squared, fit_intercept, weighted):
    estimator, X, y, splits = squared
    weight = np.random.default_rng(0).uniform(0.2, 3, len(y)) if weighted else None
    estimator.set_params(fit_intercept=fit_intercept)
    values = [1e-3, 1.0, 1e3]
    check_solutions(estimator, X, y, splits, values, sample_weight=weight, moments=True, rtol=1e-8)


def test_one_step_solves_it(squared):
    estimator, X, y, splits = squared
    problem = model_problem(estimator, X, y, splits, moments=True)
    x = log_values(1.0)
    # The metric is the Hessian: one step solves, and the second iteration finds that out.
    result = solve_lower(problem, x, tol=1e-8)
    assert bool(result.converged.all()) and result.nit <= 2


@pytest.mark.parametrize("mu", [0.0, 0.3])
@pytest.mark.parametrize("criterion", ["squared_error", "r2"])
def test_the_metric_is_the_inverse_hessian(criterion, mu):
    estimator = ESTIMATORS["two outputs"][0]
    problem = model_problem(
        estimator, X_REG, Y_TWO, three_folds(len(X_REG)), criterion=criterion, moments=True
    )
    x = log_values(1.0)
    zero = torch.zeros_like(problem.start(x))
    v = random_point(problem, x, 3)
    product = problem.directions(x, zero, v, mu).residual_v
    product = product - problem.directions(x, zero, zero, mu).residual_v
    solved = problem.curvature(x, zero, mu).solve(product[None])[0]
    torch.testing.assert_close(solved, v, rtol=1e-7, atol=1e-8)


def test_several_outputs_of_r2_have_scales_of_their_own():
    # One output of huge and one of tiny variance count the same in R2.
    target = np.column_stack([1e6 * Y_REG, 1e-6 * Y_TWO[:, 1]])
    splits = three_folds(len(target))
    problem = model_problem(
        ESTIMATORS["two outputs"][0], X_REG, target, splits, criterion="r2", moments=True
    )
    x = log_values(1.0)
    y = solve_lower(problem, x).y
    far = y.clone()
    far[:, :, 1] = 0
    change = (
        problem.directions(x, far, 0 * y, 0.0).upper - problem.directions(x, y, 0 * y, 0.0).upper
    )
    assert float(change.min()) > 0.05


def test_moments_are_kept_between_problems():
    estimator, X, y = ESTIMATORS["ridge"]
    problem = model_problem(estimator, X, y, three_folds(len(y)), starts=3, moments=True)
    assert problem.select([1]).moments is problem.moments
    assert problem.select([1]).shape == (1, 3)
