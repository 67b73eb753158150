"""Losses with a tolerance know how their gradient moves with it."""

import pytest
import torch

from skbamm.losses import (
    ConcomitantHuberLoss,
    EpsilonInsensitiveLoss,
    HuberLoss,
    SquaredEpsilonInsensitiveLoss,
)

LOSSES = [
    HuberLoss(0.7),
    SquaredEpsilonInsensitiveLoss(0.7),
    EpsilonInsensitiveLoss(0.7, 0.3),
    ConcomitantHuberLoss(1.2),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_slopes_in_the_parameter(loss):
    z = torch.linspace(-2.03, 2.01, 40, dtype=torch.float64)[:, None, None]
    target, step = torch.zeros(40, 1, 1, dtype=torch.float64), 1e-6
    above, below = (
        loss.with_parameter(loss.epsilon + side * step).evaluate(z, target)[1] for side in (1, -1)
    )
    slope, _ = loss.parameter_slopes(z, target)
    torch.testing.assert_close(slope, (above - below) / (2 * step), rtol=0, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_another_tolerance_leaves_the_loss_as_it_is(loss):
    other = loss.with_parameter(2.5)
    assert (other.epsilon, type(other)) == (2.5, type(loss)) and loss.epsilon != 2.5
    assert getattr(other, "width", None) == getattr(loss, "width", None)
