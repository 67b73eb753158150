"""Huber's loss."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import SGDRegressor

from skbamm.losses import HalfSquaredLoss, HuberLoss


def test_values_by_hand():
    loss = HuberLoss(1.0)
    z = torch.tensor([0.5, -1.0, 3.0, -4.0], dtype=torch.float64)[:, None, None]
    target = torch.zeros(4, dtype=torch.float64)
    value, gradient, product = loss.evaluate(z, loss.targets(target), torch.ones_like(z))
    assert value.flatten().tolist() == [0.125, 0.5, 2.5, 3.5]
    assert gradient.flatten().tolist() == [0.5, -1.0, 1.0, -1.0]
    assert product.flatten().tolist() == [1.0, 1.0, 0.0, 0.0]


def test_small_errors_are_squared():
    loss, half = HuberLoss(10.0), HalfSquaredLoss()
    z = torch.linspace(-2, 2, 5).double()[:, None, None]
    target = torch.zeros(5, dtype=torch.float64)
    for got, expected in zip(
        loss.evaluate(z, loss.targets(target), z), half.evaluate(z, half.targets(target), z),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("epsilon", [0.1, 2.0])
def test_it_is_the_one_that_scikit_learn_descends(epsilon):
    own = SGDRegressor("huber", epsilon=epsilon)._get_loss_function("huber")
    loss, target = HuberLoss(epsilon), torch.zeros(9, dtype=torch.float64)
    z = torch.linspace(-4, 4, 9).double()
    value, gradient, _ = loss.evaluate(z[:, None, None], loss.targets(target))
    expected = np.empty(9), np.empty(9)
    own.loss_gradient(target.numpy(), z.numpy(), None, *expected, 1)
    np.testing.assert_allclose(value.flatten(), expected[0], rtol=1e-14)
    np.testing.assert_allclose(gradient.flatten(), expected[1], rtol=1e-14)
