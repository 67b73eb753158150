"""Huber's loss with a scale of its own."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from skbamm.losses import ConcomitantHuberLoss


def total(loss, errors, weight, scale):
    """Return the weighted sum of the losses at a scale."""
    at = loss.at(torch.tensor([scale]))
    z = torch.as_tensor(errors)[:, None, None]
    value, _, _ = at.evaluate(z, torch.zeros_like(z))
    return float((torch.as_tensor(weight) * value[:, 0]).sum())


@pytest.mark.parametrize("n", [30, 20_000])
@pytest.mark.parametrize("epsilon", [1.01, 1.35, 10.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_scale_is_the_least(epsilon, weighted, n):
    rng = np.random.default_rng(0)
    errors = rng.standard_t(1.5, size=n)
    weight = rng.uniform(0, 3, n) if weighted else np.ones(n)
    loss = ConcomitantHuberLoss(epsilon)
    found = float(loss.least_scale(torch.as_tensor(errors), torch.as_tensor(weight)))
    # The condition for it: the mean of squares, cut off at epsilon, is one.
    cut = np.minimum((errors / found) ** 2, epsilon**2)
    assert np.average(cut, weights=weight) == pytest.approx(1, rel=1e-9)
    ends = 0.5 * found, 2 * found
    least = minimize_scalar(lambda s: total(loss, errors, weight, s), bounds=ends)
    assert total(loss, errors, weight, found) <= least.fun * (1 + 1e-12)


def test_each_column_has_its_own():
    errors = torch.as_tensor(np.random.default_rng(0).normal(size=(50, 2, 3)))
    weight = torch.as_tensor(np.random.default_rng(1).uniform(size=(50, 1, 3)))
    loss = ConcomitantHuberLoss(1.2)
    found = loss.least_scale(errors, weight)
    for s, k in np.ndindex(2, 3):
        alone = loss.least_scale(errors[:, s, k], weight[:, 0, k])
        assert float(found[s, k]) == pytest.approx(float(alone), rel=1e-12)


def test_a_perfect_fit_has_the_least_scale_there_is():
    loss = ConcomitantHuberLoss(1.35)
    assert 0 < float(loss.least_scale(torch.zeros(5), torch.ones(5))) < 1e-14
    # With most rows on the line and two off it, too.
    errors = torch.tensor([0.0] * 8 + [1.0, 2.0])
    assert 0 < float(loss.least_scale(errors, torch.ones(10))) < 1e-14


def test_slopes_in_epsilon():
    rng = np.random.default_rng(0)
    z, target = torch.as_tensor(rng.normal(size=(9, 1, 2))), torch.zeros(9, 1, 1).double()
    scale, step = torch.tensor([0.3, 0.8]).double(), 1e-6
    loss = ConcomitantHuberLoss(1.3)
    up, down = (loss.with_parameter(1.3 + d).at(scale) for d in (step, -step))
    gradient, of_scale = loss.at(scale).parameter_slopes(z, target)
    change = up.evaluate(z, target)[1] - down.evaluate(z, target)[1]
    torch.testing.assert_close(change / (2 * step), gradient, rtol=1e-6, atol=1e-8)

    def in_scale(one):
        values = [one.at(scale + d).evaluate(z, target)[0] for d in (1e-4, -1e-4)]
        return (values[0] - values[1]) / 2e-4

    change = (in_scale(up.with_parameter(1.31)) - in_scale(up.with_parameter(1.29))) / 0.02
    torch.testing.assert_close(change, of_scale, rtol=1e-3, atol=1e-6)
    assert 0 < int((gradient != 0).sum()) < gradient.numel()


def test_slopes_in_the_scale():
    rng = np.random.default_rng(0)
    z, target = torch.as_tensor(rng.normal(size=(9, 1, 2))), torch.zeros(9, 1, 1).double()
    scale, step = torch.tensor([0.6, 1.1]).double(), 1e-6
    loss = ConcomitantHuberLoss(1.3)
    up, down = (loss.at(scale + d).evaluate(z, target) for d in (step, -step))
    cross, own = loss.at(scale).scale_slopes(z, target)
    torch.testing.assert_close((up[1] - down[1]) / (2 * step), cross, rtol=1e-6, atol=1e-8)

    def first(s):
        above, below = (loss.at(s + d).evaluate(z, target)[0] for d in (1e-5, -1e-5))
        return (above - below) / 2e-5

    second = (first(scale + 1e-4) - first(scale - 1e-4)) / 2e-4
    torch.testing.assert_close(second, own, rtol=1e-4, atol=1e-4)
