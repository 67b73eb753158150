"""Solving the lower level alone."""

import math

import pytest
import torch

from skbamm.bilevel import AutogradProblem, solve_lower
from tests.bilevel.conftest import Rescaled
from tests.glm.conftest import three_folds
from tests.problems import ESTIMATORS, log_values, model_problem, strongly_convex_quadratic


def quartic(metric="newton"):
    """``f = (y - x)^4 + (y - x)^2``, with its minimum at x."""
    return AutogradProblem(
        upper=lambda x, y: y.sum(),
        lower=lambda x, y: ((y - x) ** 4 + (y - x) ** 2).sum(),
        y0=torch.tensor([3.0, -2.0], dtype=torch.float64),
        metric=metric,
    )


X = torch.tensor([[1.0, 0.5]], dtype=torch.float64)


@pytest.mark.parametrize("metric", ["newton", "cg"])
def test_the_minimum_is_found(metric):
    result = solve_lower(quartic(metric), X, tol=1e-9, max_iter=500)
    assert bool(result.converged.all())
    torch.testing.assert_close(result.y[0], X, rtol=0, atol=1e-8)
    assert result.decrement.item() <= 1e-8
    assert result.gradient_norm.item() < 1e-7


def test_plain_gradients_serve_a_well_conditioned_problem():
    known = strongly_convex_quadratic(5, identity=False)
    result = solve_lower(known.problem, known.x[None], tol=1e-8, max_iter=300)
    assert bool(result.converged.all())
    torch.testing.assert_close(result.y[0, 0], known.y, rtol=0, atol=1e-7)


def model(starts=3, name="logistic"):
    estimator, X, y = ESTIMATORS[name]
    return model_problem(estimator, X, y, three_folds(len(y)), starts=starts)


def test_columns_are_solved_as_if_alone():
    """Starts finish at different times; none waits or is changed for another."""
    x = log_values(1e-3, 1.0, 100.0)
    together = solve_lower(model(), x, tol=1e-10)
    assert bool(together.converged.all())
    for s in range(3):
        alone = solve_lower(model(1), x[s : s + 1], tol=1e-10)
        torch.testing.assert_close(together.y[s], alone.y[0], rtol=1e-6, atol=1e-7)


def test_a_last_step_that_is_sure_is_taken_without_a_look(monkeypatch):
    """Where the metric is good each decrement is a small share of the one before."""
    from skbamm.bilevel import lower

    x, looks = log_values(1e-2, 1.0), []
    problem = model(2)
    own = type(problem).lower

    def look(self, *given):
        looks.append(1)
        return own(self, *given)

    monkeypatch.setattr(type(problem), "lower", look)
    found = solve_lower(problem, x, tol=1e-7)
    taken = len(looks)
    monkeypatch.setattr(lower, "LIMITS", lower.Limits(foreseen=0.0))
    looked = solve_lower(problem, x, tol=1e-7)
    assert bool(found.converged.all()) and bool(looked.converged.all())
    assert taken < len(looks) - taken
    exact = solve_lower(problem, x, tol=1e-12).y
    torch.testing.assert_close(found.y, exact, rtol=0, atol=1e-6)


def test_a_solution_is_recognised_at_once():
    x = log_values(1e-3, 1.0, 100.0)
    first = solve_lower(model(), x, tol=1e-9)
    again = solve_lower(model(), x, first.y, tol=1e-8)
    assert again.nit == 1 and bool(again.converged.all())
    assert torch.equal(again.y, first.y)


def test_where_it_begins_is_not_changed():
    x, y = log_values(1.0), 0.1 * torch.ones_like(model(1).start(log_values(1.0)))
    before = y.clone()
    solve_lower(model(1), x, y)
    assert torch.equal(y, before)


def test_too_few_iterations_give_the_best_so_far():
    problem, x = model(), log_values(1e-3, 1.0, 100.0)
    few, more = (solve_lower(problem, x, tol=1e-9, max_iter=n) for n in (2, 5))
    assert few.nit == 2 and not bool(few.converged.all())
    assert bool((more.decrement <= few.decrement).all())


def test_the_decrement_estimates_the_distance_from_the_minimum():
    problem, x = model(1), log_values(1.0)
    exact = problem.lower(x, solve_lower(problem, x, tol=1e-12).y)[0]
    rough = solve_lower(problem, x, tol=0, max_iter=8)
    gap = problem.lower(x, rough.y)[0] - exact
    torch.testing.assert_close(rough.decrement**2 / 2, gap, rtol=0.3, atol=0)


def test_a_bound_on_the_gradient_is_kept():
    problem, x = model(), log_values(1e-3, 1.0, 100.0)
    for bound in (1e-3, 1e-9):
        result = solve_lower(problem, x, tol=float("inf"), gradient_tol=bound)
        assert bool(result.converged.all())
        assert float(result.gradient_norm.max()) <= bound
        _, gradient = problem.lower(x, result.y)
        torch.testing.assert_close(result.gradient_norm, gradient.abs().amax((2, 3)))


def test_an_impossible_tolerance_ends_where_the_arithmetic_does():
    result = solve_lower(model(), log_values(1e-3, 1.0, 100.0), tol=0.0, max_iter=1000)
    assert result.nit < 100
    assert not bool(result.converged.any())
    assert float(result.decrement.max()) < 1e-10


@pytest.mark.parametrize("factor", [3.0, 0.3])
def test_a_metric_of_the_wrong_scale_is_recovered_from(factor):
    x = log_values(1e-3, 1.0, 100.0)
    expected = solve_lower(model(), x, tol=1e-10).y
    got = solve_lower(Rescaled(model(), factor), x, tol=1e-9, max_iter=200)
    assert bool(got.converged.all())
    torch.testing.assert_close(got.y, expected, rtol=1e-4, atol=1e-5)


def logistic_intercept(begin):
    """``f = log(1 + e^y) - y / 5``, with its minimum at ``-log(4)``."""

    def lower(x, y):
        return (torch.logaddexp(torch.zeros_like(y), y) - y / 5).sum()

    y0 = torch.tensor([begin], dtype=torch.float64)
    return AutogradProblem(lambda x, y: y.sum(), lower, y0, metric="newton")


@pytest.mark.parametrize("begin", [30.0, 60.0])
def test_beyond_the_minimum_a_vanished_curvature_is_no_convergence(begin):
    """From 30 a Newton step ends at -1e13, where the curvature is zero in floating point."""
    result = solve_lower(logistic_intercept(begin), torch.zeros(1, 1).double())
    assert bool(result.converged.all())
    assert result.y.item() == pytest.approx(-math.log(4), rel=1e-6)


def test_nor_is_it_at_the_first_point():
    """Here it vanishes where f is steep: only the gradient is left, and too few iterations."""
    result = solve_lower(logistic_intercept(800.0), torch.zeros(1, 1).double())
    assert not bool(result.converged.any())
    assert result.y.item() < 750  # on its way, if slowly


def test_nothing_keeps_a_graph():
    result = solve_lower(quartic(), X)
    parts = (result.y, result.decrement, result.gradient_norm)
    assert not any(part.requires_grad for part in parts)


class _Shrunk:
    """A problem whose f is in another unit, of which its floor tells."""

    hessian_jumps = False

    def __init__(self, problem, unit):
        self._problem, self._unit = problem, unit
        self.shape, self.lower_floor = problem.shape, torch.tensor(unit, dtype=torch.float64)

    def __getattr__(self, name):
        return getattr(self._problem, name)

    def lower(self, x, y):
        value, gradient = self._problem.lower(x, y)
        return self._unit * value, self._unit * gradient

    def select(self, starts):
        return _Shrunk(self._problem.select(starts), self._unit)


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_tolerances_have_the_unit_of_f(unit):
    """The metric stays that of the unit of one, so that steps are by the unit too long or short."""
    problem = AutogradProblem(
        upper=lambda x, y: (y**2).sum(),
        lower=lambda x, y: ((y - x) ** 4).sum() / 4 + ((y - x) ** 2).sum() / 2,
        y0=torch.zeros(2, dtype=torch.float64),
        metric=lambda x, y, residual: residual / unit,
    )
    x = torch.full((1, 1), 0.5, dtype=torch.float64)
    result = solve_lower(_Shrunk(problem, unit), x, tol=1e-6)
    assert bool(result.converged.all())
    torch.testing.assert_close(result.y, torch.full_like(result.y, 0.5), rtol=0, atol=1e-5)
