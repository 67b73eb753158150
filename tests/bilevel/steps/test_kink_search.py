"""Lower levels whose Hessian jumps: full Newton steps would go around in circles."""

import pytest
import torch
from torch.nn.functional import huber_loss

from skbamm.bilevel import Problem, solve_lower
from skbamm.bilevel.metrics import Diagonal
from skbamm.bilevel.steps.kink_search import KinkSearch

SLOPE = 1e-3


class Flanks(Problem):
    """``sum of Huber losses + SLOPE |y|^2 / 2``: Newton jumps from one flank to the other."""

    def __init__(self, *y0, hessian_jumps=True):
        self.y0, self.hessian_jumps = torch.tensor(y0, dtype=torch.float64), hessian_jumps
        self.shape = self.y0.shape[:2]

    def start(self, x):
        return self.y0.clone()

    def lower(self, x, y):
        value = huber_loss(y, 0 * y, reduction="none") + SLOPE * y**2 / 2
        return value.sum((2, 3)), y.clamp(-1, 1) + SLOPE * y

    def directions(self, x, y, v, mu):
        raise NotImplementedError

    def curvature(self, x, y, mu):
        return Diagonal((y.abs() <= 1).double() + SLOPE)

    def select(self, starts):
        return self


X = torch.zeros(2, 1, dtype=torch.float64)


@pytest.mark.parametrize("y0", [(2.0, -3.0, 0.1), (-50.0, 1.5, 700.0)])
def test_newton_does_not_run_in_circles(y0):
    """Two starts, one fold, two outputs whose steps need lengths of their own."""
    problem = Flanks([[y0, y0[::-1]]], [[(0.0, 0.0, 0.0), (0.5, -0.5, 9.0)]])
    result = solve_lower(problem, X, tol=1e-12, max_iter=25)
    assert bool(result.converged.all())
    torch.testing.assert_close(result.y, torch.zeros_like(result.y), rtol=0, atol=1e-10)


def one_step(begin, end):
    """Return what was told of a step of one coefficient, and of its end."""
    problem, x = Flanks([[[begin]]]), X[:1]
    point, end = problem.y0, torch.full_like(problem.y0, end)
    search = KinkSearch()
    assert search.nearer(problem, x, point, problem.lower(x, point)[1]) is None
    search.step(point, problem.lower(x, point)[1], point - end)
    return search, (problem, x, end, problem.lower(x, end)[1])


@pytest.mark.parametrize("end", [-1.0, -30.0, -1000.0])
def test_steps_end_where_f_is_least_along_them(end):
    search, arrived = one_step(2.0, end)
    assert abs(float(search.nearer(*arrived))) < 0.2


@pytest.mark.parametrize("end", [1.5, 0.5, 0.0, -0.05])
def test_steps_that_are_short_enough_are_left(end):
    search, arrived = one_step(2.0, end)
    assert search.nearer(*arrived) is None


def test_slopes_are_not_compared_where_x_has_moved():
    search, arrived = one_step(2.0, -1000.0)
    assert search.nearer(*arrived, torch.tensor([True])) is None


def test_a_diagonal_metric_of_one_start_serves_several():
    one = Diagonal(torch.ones(1, 2, 3))
    assert one.at(X, torch.zeros(2, 2, 3)).select([1]).diagonal.shape == (1, 2, 3)
