"""A problem and rules of one's own: what the base classes ask for is enough."""

import pytest
import torch

from skbamm.bilevel import Directions, Problem, Schedule, minimize, solve, solve_lower
from skbamm.bilevel.metrics import Diagonal
from skbamm.bilevel.steps.secant import ColumnStep
from skbamm.bilevel.steps.x_steps import UpperStep

TARGETS = torch.tensor([1.0, 2.0], dtype=torch.float64)[None, :, None]  # one a fold


class Shifted(Problem):
    """``f = (y - x)^2``, twice the curvature of F; F is least where x is the mean of TARGETS."""

    second_order = True

    def __init__(self, starts):
        self.shape = (starts, 2)

    def start(self, x):
        return torch.zeros(*self.shape, 1, dtype=torch.float64)

    def directions(self, x, y, v, mu):
        upper, pull = (y - TARGETS) ** 2 / 2, y - TARGETS
        value, slope = self.lower(x, y)
        return Directions(
            upper=upper[..., 0], lower=value, grad_y=mu * pull + (1 - mu) * slope,
            residual_v=(mu + (1 - mu) * 2) * v - pull, upper_lag=(v * slope)[..., 0],
            grad_x=(1 - mu) * 2 * v,
        )  # fmt: skip

    def lower(self, x, y):
        return ((y - x[:, None]) ** 2)[..., 0], 2 * (y - x[:, None])

    def curvature(self, x, y, mu):
        return Diagonal(torch.full_like(y, mu + (1 - mu) * 2))

    def select(self, starts):
        return Shifted(len(starts))


class Full(ColumnStep):
    """The step that the metric asks for."""

    def step(self, point, gradient, direction, moved, risen=None, slopes=None):
        return point - direction


class Short(UpperStep):
    """A short gradient step where the hypergradient is trusted."""

    def step(self, x, upper, grad, trusted):
        return torch.where(trusted[:, None], x - 0.2 * grad, x)


@pytest.mark.parametrize("starts", [1, 3])
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("form", ["jacobi", "gauss-seidel"])
def test_five_methods_and_a_step_are_enough(starts, waits, form):
    x0 = torch.linspace(-1, 3, starts, dtype=torch.float64)[:, None]
    schedule = Schedule(lambda k: 0.0, Full(), Full(), Short(), waits)
    found = solve(Shifted(starts), x0, schedule=schedule, form=form, tol=1e-8, max_iter=200)
    assert float(found.x) == pytest.approx(1.5, abs=1e-6)
    assert found.success == (waits or starts == 1)  # all starts end alike: none is refined alone


def test_other_entries_take_it():
    x0 = torch.zeros(1, 1, dtype=torch.float64)
    assert float(minimize(Shifted(1), x0=x0, tol=1e-8).x) == pytest.approx(1.5, abs=1e-6)
    torch.testing.assert_close(
        solve_lower(Shifted(1), x0 + 3).y, torch.full((1, 2, 1), 3.0).double()
    )


def test_what_is_missing_is_named():
    class Nothing(Problem):
        pass

    with pytest.raises(TypeError, match=r"curvature.*directions.*lower.*select.*start"):
        Nothing()
