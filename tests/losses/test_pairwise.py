"""Log loss of pairs is a mean over all pairs, weighted by the products of their rows' weights."""

import pytest
import torch
from torch.autograd import grad
from torch.nn.functional import softplus

from skbamm.losses import pairwise_logistic


def rows(n, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    z = 3 * torch.randn(n, generator=generator, dtype=dtype)
    positive = torch.rand(n, generator=generator) < 0.3
    return z, positive, 0.1 + torch.rand(n, generator=generator, dtype=dtype)


def every_pair(z, positive, weight):
    """The definition."""
    pairs = weight[positive][:, None] * weight[~positive][None]
    loss = softplus(z[~positive][None] - z[positive][:, None])
    return (pairs * loss).sum() / pairs.sum()


@pytest.mark.parametrize("n", [2, 5, 60, 500])
def test_value_and_gradient_are_those_of_all_pairs(n):
    z, positive, weight = rows(n)
    positive[0], positive[1] = True, False
    z.requires_grad_()
    expected = every_pair(z, positive, weight)
    (slope,) = grad(expected, z)
    value, gradient = pairwise_logistic(z.detach(), positive, weight)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-14)


def test_groups_of_many_rows_change_next_to_nothing():
    z, positive, weight = rows(4000)
    z.requires_grad_()
    expected = every_pair(z, positive, weight)
    (slope,) = grad(expected, z)
    value, gradient = pairwise_logistic(z.detach(), positive, weight)
    assert float(value) == pytest.approx(expected.item(), rel=1e-4)
    assert float((gradient - slope).norm() / slope.norm()) < 1e-2


def test_the_gradient_of_groups_is_that_of_their_value():
    z, positive, weight = rows(4000)
    _, gradient = pairwise_logistic(z, positive, weight)
    direction, step = torch.randn(4000, generator=torch.Generator().manual_seed(1)).double(), 1e-6
    ends = [pairwise_logistic(z + s * direction, positive, weight)[0] for s in (step, -step)]
    slope = float(ends[0] - ends[1]) / (2 * step)
    assert float(gradient @ direction) == pytest.approx(slope, rel=1e-3)


def test_a_common_shift_is_not_seen():
    z, positive, weight = rows(50)
    value, gradient = pairwise_logistic(z, positive, weight)
    assert float(pairwise_logistic(z + 7, positive, weight)[0]) == pytest.approx(float(value))
    assert abs(float(gradient.sum())) < 1e-14


@pytest.mark.parametrize("label", [True, False])
def test_a_class_alone_has_no_pairs(label):
    z, _, weight = rows(5)
    value, gradient = pairwise_logistic(z, torch.full((5,), label), weight)
    assert float(value) == 0 and not bool(gradient.any())
