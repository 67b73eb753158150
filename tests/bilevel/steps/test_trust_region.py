"""Steps of several hyperparameters, on functions whose minimum is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbamm.bilevel.steps.trust_region import TrustRegionStep, _least, _shortest
from tests.bilevel.steps.test_x_steps import YES, minimise


def bowl(minimum, curvature):
    return lambda x: (curvature * (x - minimum) ** 2).sum()


@pytest.mark.parametrize("h", [2, 10])
@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_a_bowl_is_minimised_whatever_its_scale(h, scale):
    minimum = torch.linspace(-2, 2, h).double()
    function = bowl(minimum, scale * torch.logspace(0, 1, h).double())
    found = minimise(TrustRegionStep(), function, [0.5] * h, 15 * h)
    torch.testing.assert_close(found, minimum, rtol=0, atol=1e-3)


def test_a_curved_valley_is_followed_to_its_end():
    def function(x):
        return 10 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    found = minimise(TrustRegionStep(), function, [-1.0, 1.0], 60)
    torch.testing.assert_close(found, torch.ones(2).double(), rtol=0, atol=1e-3)


def test_where_f_curves_downwards_steps_grow():
    def function(x):
        return -torch.exp(-(x**2).sum() / 8)

    found = minimise(TrustRegionStep(), function, [5.0, -4.0], 40)
    torch.testing.assert_close(found, torch.zeros(2).double(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("low, expected", [(-20.0, [1.0, 1.0]), (2.0, [2.0, 0.75])])
def test_a_bound_holds_one_coordinate_and_lets_the_other_go_on(low, expected):
    """With ``x0`` at 2, the least over ``x1`` is where ``x1 - 1 = -(x0 - 1) / 4``."""

    def function(x):
        a, b = x[0] - 1, x[1] - 1
        return a**2 + 2 * b**2 + a * b

    low = torch.tensor([low, -20.0]).double()
    found = minimise(TrustRegionStep(), function, [4.0, -3.0], 40, low)
    torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=0, atol=1e-3)


def test_what_is_on_its_bound_from_the_first_does_not_shorten_the_others_step():
    """The projection tells that the second coordinate can go no further up."""
    x = torch.tensor([[0.0, 1.0]]).double()
    slope = torch.tensor([[0.1, -5.0]]).double()
    value = torch.ones(1).double()

    def first(**known):
        return TrustRegionStep(0.5, bend=1.0, **known).step(x, value, slope, YES)[0].tolist()

    assert first(project=lambda x: x.clamp(-1, 1))[0] == pytest.approx(-0.1)
    assert first(project=lambda x: x.clamp(-1, 9)) == first()
    assert abs(first()[0]) < 0.02


def test_a_coordinate_leaves_its_bound_when_its_slope_turns():
    def function(x):
        return (x[0] - x[1]) ** 2 + 0.1 * (x[1] - 3) ** 2

    low = torch.tensor([0.0, -20.0]).double()
    found = minimise(TrustRegionStep(), function, [1.0, -6.0], 60, low)
    torch.testing.assert_close(found, torch.full((2,), 3.0).double(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("start", [[-3.0, 2.0], [4.0, 4.0], [0.3, -5.0]])
def test_where_slopes_jump_an_average_of_slopes_that_vanishes_is_the_end(start):
    """The kink runs across both coordinates; along it F is smooth."""
    rule = TrustRegionStep(kinks=True)
    rule.level = 2e-3

    def function(x):
        smooth = 1 + 0.1 * (x[0] - 2) ** 2 + 0.1 * (x[1] - 1) ** 2
        return (x[0] - 2 * x[1]).abs() + smooth

    found = minimise(rule, function, start, 80)
    assert rule.settled
    torch.testing.assert_close(found, torch.tensor([2.0, 1.0]).double(), rtol=0, atol=0.02)


def test_a_kink_away_from_the_minimum_is_not_the_end():
    """Slopes on both sides of the kink average to one along it."""
    rule = TrustRegionStep(kinks=True)

    def function(x):
        return (x[0] - 2 * x[1]).abs() + 0.3 * x[0]

    settled = []
    x = torch.tensor([[4.0, 2.1]]).double()
    for _ in range(30):
        at = x.clone().requires_grad_()
        value = function(at[0])
        (grad,) = torch.autograd.grad(value, at)
        x = rule.step(x, value.detach()[None], grad, YES)
        settled.append(rule.settled)
    assert not any(settled) and float(function(x[0])) < -1


def test_nothing_is_settled_while_there_are_several_starts():
    rule = TrustRegionStep(kinks=True)
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double()
    rule.step(x, torch.ones(2).double(), torch.zeros(2, 2).double(), YES.expand(2))
    assert not rule.settled


def test_a_rise_is_stepped_back_from_towards_the_best_point():
    rule = TrustRegionStep(first=1.0)
    x = torch.zeros(1, 2).double()
    grad = torch.tensor([[-1.0, 0.0]]).double()
    first = rule.step(x, torch.ones(1).double(), grad, YES)
    assert first.tolist() == [[1.0, 0.0]]
    second = rule.step(first, 2 * torch.ones(1).double(), -grad, YES)
    assert 0 < float(second[0, 0]) < 0.5


@given(st.integers(0, 10_000), st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_the_model_is_minimised_inside_the_region(seed, radius):
    rng = np.random.default_rng(seed)
    root = torch.tensor(rng.normal(size=(3, 3)))
    bend, slope = root @ root.T + 0.1 * torch.eye(3), torch.tensor(rng.normal(size=3))
    step = _least(slope, bend, radius)
    assert float(step.norm()) <= radius * (1 + 1e-6)

    def model(s):
        return slope @ s + 0.5 * s @ bend @ s

    for _ in range(50):
        other = torch.tensor(rng.normal(size=3))
        other = other / other.norm() * min(radius, float(other.norm()))
        assert model(step) <= model(other) + 1e-9


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_shortest_average_is_no_longer_than_any_other(seed):
    rng = np.random.default_rng(seed)
    points = torch.tensor(rng.normal(size=(4, 2)) + rng.normal(size=2))
    found = _shortest(points)
    shares = torch.tensor(rng.dirichlet(np.ones(4), size=200))
    assert float(found.norm()) <= float((shares @ points).norm(dim=1).min()) + 0.02


def test_opposite_slopes_average_to_nothing():
    assert float(_shortest(torch.tensor([[1.0, 1.0], [-2.0, -2.0]])).norm()) < 1e-9
