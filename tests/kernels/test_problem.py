"""Solutions of the folds are scikit-learn's own, and hypergradients the slopes of its loss."""

import numpy as np
import pytest
import torch
from scipy.differentiate import derivative
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import mean_squared_error, r2_score, root_mean_squared_error

from skbamm import BAMMSearchCV
from skbamm.bilevel import solve, solve_lower
from skbamm.kernels import metric
from tests.kernels.conftest import (
    ALPHA,
    BOOTSTRAP,
    FOLDS,
    GAMMA,
    KERNELS,
    WEIGHT,
    Y_TWO,
    X,
    Y,
    log_values,
    model_problem,
    own_model,
)

METRICS = {
    "squared_error": mean_squared_error,
    "root_mean_squared_error": root_mean_squared_error,
    "r2": lambda y, z, sample_weight: 1 - r2_score(y, z, sample_weight=sample_weight),
}


def dual_of_copies(dual, train):
    """What each copy of a row has of the dual coefficients (m, n)."""
    return dual[:, train] / np.bincount(train, minlength=dual.shape[1])[train]


@pytest.mark.parametrize("single", [True, False], ids=["one kernel", "a kernel a fold"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weights"])
@pytest.mark.parametrize("splits", [FOLDS, BOOTSTRAP], ids=["folds", "bootstrap"])
@pytest.mark.parametrize("y", [Y, Y_TWO], ids=["one output", "two outputs"])
@pytest.mark.parametrize("name", KERNELS)
def test_solutions_are_scikit_learns(name, y, splits, weight, single):
    estimator = KERNELS[name]
    problem = model_problem(estimator, y, splits, weight=weight, single=single)
    solved = solve_lower(problem, log_values(ALPHA, GAMMA), tol=1e-6)
    assert bool(solved.converged.all())
    dual = problem.dual_coefficients(solved.y)[0].numpy()
    for k, (train, _) in enumerate(splits):
        own = own_model(estimator, train, y, weight)
        expected = own.dual_coef_.reshape(len(train), -1).T
        found = dual_of_copies(dual[k], train)
        assert abs(found - expected).max() < 1e-6 * abs(expected).max()


@pytest.mark.parametrize("name", KERNELS)
def test_whole_weights_are_repeats(name):
    weighted = model_problem(KERNELS[name], weight=WEIGHT)
    often = [(np.repeat(train, WEIGHT[train].astype(int)), test) for train, test in FOLDS]
    repeated = model_problem(KERNELS[name], splits=often)
    x = log_values(ALPHA, GAMMA)
    first, second = (p.dual_coefficients(solve_lower(p, x).y) for p in (weighted, repeated))
    torch.testing.assert_close(first, second, rtol=1e-8, atol=1e-8)


def test_each_start_has_its_own_solution():
    x = torch.cat([log_values(ALPHA, GAMMA), log_values(3.0, 0.01), log_values(0.1, GAMMA)])
    together = model_problem(KERNELS["rbf"], starts=3)
    solved = solve_lower(together, x).y
    for s in range(3):
        alone = solve_lower(model_problem(KERNELS["rbf"]), x[[s]]).y
        torch.testing.assert_close(solved[[s]], alone)


def own_loss(estimator, y, criterion, weight, alpha, gamma):
    """Return the mean validation loss of scikit-learn's own fits."""
    losses = []
    for train, test in FOLDS:
        own = own_model(estimator, train, y, weight, alpha, gamma)
        score_weight = None if weight is None else weight[test]
        losses.append(METRICS[criterion](y[test], own.predict(X[test]), sample_weight=score_weight))
    return float(np.mean(losses))


def exact(problem, x):
    """Return the solution and its multiplier."""
    y = solve_lower(problem, x, tol=1e-10).y
    v = torch.zeros_like(y)
    for _ in range(3):
        residual = problem.directions(x, y, v, 0.0).residual_v
        v = v - problem.curvature(x, y, 0.0).solve(residual[None])[0]
    return y, v


# With several outputs, scikit-learn averages the roots; the criterion is one root.
TARGETS = [*((name, Y) for name in METRICS), ("squared_error", Y_TWO), ("r2", Y_TWO)]


@pytest.mark.parametrize(
    ("name", "criterion", "y", "weight"),
    [
        (name, criterion, y, WEIGHT if (i + j) % 2 else None)  # both with every kernel and target
        for i, name in enumerate(KERNELS)
        for j, (criterion, y) in enumerate(TARGETS)
        # The slope of a kernel is multiplied by that of a loss: each kernel has two of the losses.
        if i == 0 or (i - j) % len(TARGETS) < 2
    ],
)
def test_hypergradients(name, criterion, y, weight):
    estimator, values = KERNELS[name], (ALPHA, GAMMA)
    problem = model_problem(estimator, y, weight=weight, criterion=criterion)
    x = log_values(*values)
    solution, v = exact(problem, x)
    found = problem.directions(x, solution, v, 0.0)
    null = problem.criterion.null
    expected = own_loss(estimator, y, criterion, weight, *values)
    assert float(found.upper.sum()) * null == pytest.approx(expected, rel=1e-7)
    for i in range(2):

        def along(log_value, i=i):
            at = list(values)
            at[i] = float(np.exp(log_value))
            return own_loss(estimator, y, criterion, weight, *at)

        slope = derivative(np.vectorize(along), np.log(values[i]), initial_step=0.05, maxiter=3).df
        atol = 1e-9 * expected  # of the linear kernel's gamma
        assert float(found.grad_x[..., i].sum()) * null == pytest.approx(slope, rel=1e-3, abs=atol)
    ahead = problem.grad_x(x, solution, v, 0.0, found.upper)
    torch.testing.assert_close(ahead, found.grad_x)


def test_the_loop_ends_where_no_value_around_is_better():
    noise = np.random.default_rng(0).normal(size=len(Y))
    y = 100 * np.sin(2 * X[:, 0]) + 50 * X[:, 1] + 30 * noise  # neither linear nor without noise
    problem = model_problem(KERNELS["rbf"], y, criterion="squared_error")
    result = solve(problem, log_values(1.0, 0.1), tol=1e-5)
    assert result.success
    alpha, gamma = result.x.exp().tolist()
    least = own_loss(KERNELS["rbf"], y, "squared_error", None, alpha, gamma)
    assert result.fun * problem.criterion.null == pytest.approx(least, rel=1e-6)
    for around in [(1.1, 1), (0.9, 1), (1, 1.1), (1, 0.9)]:
        other = alpha * around[0], gamma * around[1]
        assert own_loss(KERNELS["rbf"], y, "squared_error", None, *other) >= least


def test_some_rows_are_a_problem_of_their_own():
    """The block of some rows is that made of them."""
    problem = model_problem(KERNELS["rbf"], weight=WEIGHT)
    (block,), rows = problem.blocks, np.arange(0, len(Y), 2)
    some = block.take(rows)
    assert some.shape == (3, len(rows))
    torch.testing.assert_close(some.base, block.base[::2, ::2])
    torch.testing.assert_close(some.root, block.root[:, ::2])
    torch.testing.assert_close(some.validation.sum(1), torch.ones(3, dtype=torch.float64))


def test_a_fold_that_loses_all_its_rows_takes_none():
    (block,) = model_problem(KERNELS["rbf"]).blocks
    assert block.take(FOLDS[0][0]) is None


def test_factors_are_kept_where_x_stays():
    problem = model_problem(KERNELS["rbf"], starts=2)
    x = torch.cat([log_values(ALPHA, GAMMA), log_values(1.0, GAMMA)])
    y = problem.start(x)
    metric = problem.curvature(x, y, 0.0)
    first = metric.solve(torch.ones_like(y)[None] * problem.blocks[0].root[:, None])
    moved = x.clone()
    moved[1] += 0.5
    assert metric.at(x, y) is metric
    other = metric.at(moved, y)
    assert other._factors[0] is metric._factors[0] and other._factors[1] is None
    assert other.select([0]).solve(first[:, [0]]).shape == first[:, [0]].shape


def test_averaging_is_refused():
    problem = model_problem(KERNELS["rbf"], criterion="r2")
    x = log_values(ALPHA, GAMMA)
    y = problem.start(x)
    with pytest.raises(ValueError, match="no averaging"):
        problem.directions(x, y, y, 0.1)


def test_values_of_a_list_are_factored_once(monkeypatch):
    """Also where gamma is not given, which as a number is not one."""
    made, plain = [], metric.cholesky_factor
    monkeypatch.setattr(metric, "cholesky_factor", lambda some: made.append(1) or plain(some))
    search = BAMMSearchCV(KernelRidge(kernel="rbf"), {"alpha": [0.1, 1.0, 10.0]}, cv=3).fit(X, Y)
    assert search.search_plan_[0]["role"] == "joint grid"
    assert len(made) == 3 * 3
