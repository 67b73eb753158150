"""Losses that are smoothed at their kinks, and what tells that they are smoothed little enough."""

import pytest
import torch

from skbamm.losses import EpsilonInsensitiveLoss, HingeLoss

LOSSES = [HingeLoss(width=0.5), EpsilonInsensitiveLoss(0.4, 0.5)]


def exact(loss, z, target):
    """Return the loss without smoothing, (n, C)."""
    if isinstance(loss, HingeLoss):
        return (1 - target * z).clamp_min(0)[:, 0]
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
