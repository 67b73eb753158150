"""Losses that are smoothed at their kinks, and what tells that they are smoothed little enough."""

import pytest
import torch

from skbamm.losses import EpsilonInsensitiveLoss, HingeLoss, QuantileLoss

LOSSES = [HingeLoss(width=0.5), EpsilonInsensitiveLoss(0.4, 0.5), QuantileLoss(0.8, 0.5)]


def exact(loss, z, target):
    """Return the loss without smoothing, (n, C)."""
    if isinstance(loss, HingeLoss):
        return (1 - target * z).clamp_min(0)[:, 0]
    if isinstance(loss, QuantileLoss):
        return ((z - target).clamp_min(0) - loss.level * (z - target))[:, 0]
    return ((z - target).abs() - loss.epsilon).clamp_min(0)[:, 0]


@pytest.mark.parametrize("loss", LOSSES)
def test_smoothing_takes_half_the_width_at_most(loss):
    z = torch.linspace(-3, 3, 1001).double()[:, None, None]
    target = loss.targets(torch.ones(1001).double())
    for width in (0.5, 0.1, 1e-3):
        narrow = loss.narrowed(width)
        less = exact(loss, z, target) - narrow.evaluate(z, target)[0]
        assert float(less.min()) + 1e-15 >= 0 and float(less.max()) <= width / 2 + 1e-15
    assert loss.width == 0.5


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gap_is_that_of_the_tangent(loss):
    """By Fenchel and Young: what the exact loss is above its tangent of the smoothed slope."""
    z = torch.linspace(-3, 3, 301).double()[:, None, None]
    target = loss.targets(torch.ones(301).double())
    slope = loss.evaluate(z, target)[1]
    grid = torch.linspace(-30, 30, 60_001).double()
    line = slope[:, :, 0] * grid
    kinds = exact(loss, grid[:, None, None], target[:1])[:, 0]
    conjugate = (line - kinds).amax(1)
    expected = exact(loss, z, target)[:, 0] + conjugate - slope[:, 0, 0] * z[:, 0, 0]
    got = loss.gap(z, target)[:, 0]
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)
    assert float(got.min()) > -1e-15 and float(got.max()) <= loss.width / 4 + 1e-12


@pytest.mark.parametrize("loss", [HingeLoss(), QuantileLoss(0.5, 0.5), QuantileLoss(0.8, 0.5)])
def test_the_majorant_touches_the_exact_loss_and_is_nowhere_below(loss):
    loss = loss.narrowed(1e-9)
    z = torch.linspace(-3, 3, 60).double()[:, None, None]  # of no kink
    target = loss.targets(torch.ones(60).double())
    value, slope, _ = loss.evaluate(z, target)
    step = torch.linspace(-9, 9, 181).double()
    above = value[..., None] + slope * step + 0.5 * loss.majorant(z, target) * step**2
    other, _, _ = loss.evaluate((z + step).reshape(-1, 1, 1), target[:1])
    assert float((above[:, 0] - other.view(60, 181)).min()) > -1e-8
