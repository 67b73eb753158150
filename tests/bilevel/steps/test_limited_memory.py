"""Quasi-Newton steps of x, on functions whose minimum is known."""

import numpy as np
import pytest
import torch

from skbamm.bilevel.steps.limited_memory import LimitedMemoryStep, _product

YES = torch.ones(1, dtype=torch.bool)


def run(rule, function, start, steps, bounds=None):
    """Take steps; return all points, clipped to the bounds, with their values."""
    x, points, values = torch.tensor([start], dtype=torch.float64), [], []
    for _ in range(steps):
        at = x.detach().requires_grad_()
        value = function(at[0])
        (grad,) = torch.autograd.grad(value, at)
        points.append(x[0])
        values.append(value.item())
        x = rule.step(x, value.detach()[None], grad, YES)
        if bounds is not None:
            x = torch.clamp(x, *bounds)
    return torch.stack(points), np.array(values)


def quadratic(h, seed=0):
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(h, h)))
    A = torch.as_tensor(q * np.geomspace(0.1, 10, h) @ q.T)
    minimum = torch.as_tensor(rng.uniform(-2, 2, h))
    return (lambda x: (x - minimum) @ A @ (x - minimum) / 2 + 1), A, minimum


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("h", [2, 12])
def test_a_quadratic_is_minimised_whatever_its_scale(h, scale):
    function, _, minimum = quadratic(h)
    points, values = run(
        LimitedMemoryStep(), lambda x: scale * (function(x) - 1), [0.5] * h, 12 * h + 20
    )
    best = points[values.argmin()]
    torch.testing.assert_close(best, minimum, rtol=0, atol=1e-3)


def test_a_quadratic_in_a_box_has_the_solution_of_the_box():
    """Some coordinates end at bounds, one of which began there."""
    function, A, minimum = quadratic(8)
    low = minimum - torch.tensor([1, 1, -0.5, 1, 2, -0.3, 1, 1.0])
    high = low + 3
    start = torch.minimum(high, torch.maximum(low, torch.zeros(8).double()))
    start[0] = low[0]
    bounds = low, high
    points, values = run(LimitedMemoryStep(bounds), function, start.tolist(), 120, bounds)
    best = points[values.argmin()]
    slope = A @ (best - minimum)
    assert ((slope.abs() < 1e-3) | ((best == low) & (slope > 0))).all()
    assert (best == low).sum() >= 2 and (best == low).sum() < 8


def test_a_coordinate_leaves_its_bound_when_its_slope_turns():
    def function(x):
        return (x[0] - x[1]) ** 2 + 0.1 * (x[1] - 3) ** 2

    low = torch.tensor([0.0, -20.0]).double()
    bounds = low, low + 100
    points, values = run(LimitedMemoryStep(bounds), function, [0.0, -6.0], 60, bounds)
    torch.testing.assert_close(
        points[values.argmin()], torch.full((2,), 3.0).double(), rtol=0, atol=1e-2
    )


@pytest.mark.parametrize("h", [2, 6])
def test_a_curved_valley_is_followed_to_its_end(h):
    def function(x):
        return (10 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    points, values = run(LimitedMemoryStep(), function, [-1.0] * h, 60 * h)
    torch.testing.assert_close(points[values.argmin()], torch.ones(h).double(), rtol=0, atol=1e-3)


def test_steps_are_no_longer_than_they_may_be_and_grow_where_they_pay():
    points, _ = run(LimitedMemoryStep(first=0.5, longest=3.0), lambda x: x.sum(), [0.0, 0], 8)
    lengths = points.diff(dim=0).abs().amax(1)
    assert lengths[0] == pytest.approx(0.5)
    assert (lengths.diff() >= 0).all() and float(lengths[-1]) == pytest.approx(3.0)


def test_a_worse_point_is_stepped_back_from():
    rule, x = LimitedMemoryStep(first=1.0), torch.zeros(1, 2).double()
    there = rule.step(x, torch.ones(1), torch.tensor([[1.0, 0]]).double(), YES)
    torch.testing.assert_close(there, torch.tensor([[-1.0, 0]]).double())
    back = rule.step(there, 2 * torch.ones(1), torch.tensor([[-5.0, 0]]).double(), YES)
    assert -0.5 < float(back[0, 0]) < 0 and float(back[0, 1]) == 0
    # What is no better but for rounding is no worse.
    again = rule.step(back, (1 + 1e-12) * torch.ones(1), torch.tensor([[0.0, 1]]).double(), YES)
    assert float(again[0, 1]) < 0


def test_what_is_not_trusted_stays_and_starts_are_apart():
    rule, x = LimitedMemoryStep(), torch.zeros(2, 3).double()
    grad = torch.ones(2, 3).double()
    after = rule.step(x, torch.ones(2), grad, torch.tensor([True, False]))
    assert torch.equal(after[1], x[1]) and (after[0] < 0).all()
    after = rule.step(after, torch.ones(2), grad, torch.tensor([True, True]))
    assert (after[1] == -0.5).all()
    rule.lead(1)
    assert rule._paths.keys() == {0} and torch.equal(rule._paths[0].best[0], x[1])
    rule.reset()
    assert rule._paths[0].best is None


def test_where_all_is_held_by_bounds_nothing_moves():
    bounds = torch.zeros(2).double(), torch.ones(2).double()
    rule = LimitedMemoryStep(bounds)
    x = torch.tensor([[0.0, 1.0]]).double()
    after = rule.step(x, torch.ones(1), torch.tensor([[2.0, -1.0]]).double(), YES)
    assert torch.equal(after, x)


def test_the_product_is_that_of_the_inverse_curvature_along_the_steps():
    """With a pair for each direction, of a quadratic, it is the inverse itself."""
    _, A, _ = quadratic(4)
    values, vectors = torch.linalg.eigh(A)
    pairs = [(step, A @ step) for step in vectors.T]
    slope = torch.arange(1.0, 5).double()
    torch.testing.assert_close(_product(pairs, slope), torch.linalg.solve(A, slope))
    step, change = pairs[0]
    torch.testing.assert_close(_product(pairs[:1], change), step)
    assert torch.equal(_product([], slope), slope) and len(values) == 4
