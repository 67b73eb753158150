"""Step lengths of y: a secant step finds them whatever the scale of the metric."""

import pytest
import torch

from skbamm.bilevel.steps.secant import ConstantStep, SecantStep

S, K, P = 2, 3, 5
STILL = torch.zeros(S, dtype=torch.bool)


def quadratic():
    """Return Hessians (S, K, p), minimisers and starting points."""
    generator = torch.Generator().manual_seed(0)
    hessian = 1 + torch.rand(S, K, P, generator=generator).double()
    minimum, start = torch.randn(2, S, K, P, generator=generator).double()
    return hessian, minimum, start


def descend(control, scale, iterations, start=None):
    """Step in ``scale`` times the inverse of a metric near the Hessian; return the errors."""
    hessian, minimum, y = quadratic()
    y = y if start is None else start
    scale = torch.as_tensor(scale).double()
    metric = scale / 1.4  # about the inverse of the Hessian, times what it is wrong by
    first = (y - minimum).norm()
    for _ in range(iterations):
        gradient = hessian * (y - minimum)
        y = control.step(y, gradient, metric * gradient, STILL)
    return float((y - minimum).norm() / first)


def test_a_constant_step_is_one():
    _, _, y = quadratic()
    step = ConstantStep(0.25)
    assert torch.equal(step.step(y, y, 4 * torch.ones_like(y), STILL), y - 1)


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_a_metric_that_is_too_long_is_recovered_from(scale):
    assert descend(SecantStep(), scale, 40) < 1e-8


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_a_metric_that_is_too_short_is_recovered_from(scale):
    assert descend(SecantStep(longest=float("inf")), scale, 50) < 1e-8


def test_columns_have_lengths_of_their_own():
    scale = torch.logspace(-1, 1, S * K).view(S, K, 1)
    assert descend(SecantStep(longest=float("inf")), scale, 60) < 1e-7


def test_the_first_step_has_the_first_length():
    hessian, minimum, y = quadratic()
    gradient = hessian * (y - minimum)
    step = SecantStep(length=0.5)
    assert torch.equal(step.step(y, gradient, gradient, STILL), y - 0.5 * gradient)


def test_it_never_steps_further_than_the_longest():
    step, (hessian, minimum, y) = SecantStep(longest=1.0), quadratic()
    for _ in range(10):
        gradient = hessian * (y - minimum)
        direction = 1e-3 * gradient
        ahead = step.step(y, gradient, direction, STILL)
        assert bool(((ahead - y).abs() <= direction.abs() + 1e-12).all())
        y = ahead


def test_not_a_number_is_stepped_back_from():
    """A column whose gradient overflows goes back towards where it was last finite."""
    step, (hessian, minimum, y) = SecantStep(), quadratic()
    gradient = hessian * (y - minimum)
    ahead = step.step(y, gradient, gradient, STILL)
    broken = gradient.clone()
    broken[0, 1] = torch.nan
    back = step.step(ahead, broken, broken, STILL)
    assert bool(torch.isfinite(back).all())
    shorter = (back[0, 1] - y[0, 1]).norm() / (ahead[0, 1] - y[0, 1]).norm()
    assert 0 < float(shorter) < 0.5


def test_not_a_number_from_the_first_is_no_error():
    step, (hessian, minimum, y) = SecantStep(), quadratic()
    gradient = hessian * (y - minimum)
    gradient[0, 1] = torch.nan
    for _ in range(3):
        y = step.step(y, gradient, gradient, STILL)
        assert torch.equal(torch.isnan(y).any(-1), torch.isnan(gradient).any(-1))


def test_a_step_back_that_is_no_better_goes_back_to_where_it_came_from():
    step, (hessian, minimum, y) = SecantStep(), quadratic()
    gradient = hessian * (y - minimum)
    far = step.step(y, gradient, 3 * gradient, STILL)
    there = hessian * (far - minimum)
    back = step.step(far, there, 3 * there, STILL)
    assert bool(((back - minimum).norm(dim=-1) < (far - minimum).norm(dim=-1)).all())
    risen = torch.zeros(S, K, dtype=torch.bool)
    risen[0, 0] = True  # what went too far was better than this
    here = hessian * (back - minimum)
    after = step.step(back, here, here, STILL, risen)
    near = (after - far).norm(dim=-1) < (after - back).norm(dim=-1)
    assert torch.equal(near, risen)


def test_slopes_of_a_problem_that_changed_are_not_compared():
    step, (hessian, minimum, y) = SecantStep(), quadratic()
    gradient = hessian * (y - minimum)
    y = step.step(y, gradient, gradient, STILL)
    # The same point, but the gradient turned: no step back where x moved meanwhile.
    turned = -5 * gradient
    moved = torch.tensor([True, False])
    ahead = step.step(y, turned, turned, moved)
    assert torch.equal(ahead[0], y[0] - turned[0])
    assert not torch.equal(ahead[1], y[1] - turned[1])


def test_chosen_starts_keep_their_lengths():
    whole, part = SecantStep(), SecantStep()
    hessian, minimum, y = quadratic()
    z = y
    for k in range(6):
        gradient = hessian * (y - minimum)
        y = whole.step(y, gradient, 5 * gradient, STILL)
        rows = slice(None) if k < 3 else slice(1, 2)
        if k == 3:
            part.select([1])
            z = z[1:]
        gradient = hessian[rows] * (z - minimum[rows])
        z = part.step(z, gradient, 5 * gradient, STILL[rows])
    assert torch.equal(z, y[1:])


def test_reset_begins_with_the_first_length_again():
    step, (hessian, minimum, y) = SecantStep(), quadratic()
    for _ in range(3):
        gradient = hessian * (y - minimum)
        y = step.step(y, gradient, 10 * gradient, STILL)
    step.reset()
    gradient = hessian * (y - minimum)
    moved = torch.ones(S, dtype=torch.bool)
    assert torch.equal(step.step(y, gradient, gradient, moved), y - gradient)
