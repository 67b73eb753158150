"""The squared error beyond a tolerance."""

import torch

from skbamm.losses import HalfSquaredLoss, SquaredEpsilonInsensitiveLoss


def test_values_by_hand():
    loss = SquaredEpsilonInsensitiveLoss(1.0)
    z = torch.tensor([0.5, -0.5, 3.0, -4.0], dtype=torch.float64)[:, None, None]
    target = torch.zeros(4, dtype=torch.float64)
    value, gradient, product = loss.evaluate(z, loss.targets(target), torch.ones_like(z))
    assert value.flatten().tolist() == [0.0, 0.0, 4.0, 9.0]
    assert gradient.flatten().tolist() == [0.0, 0.0, 4.0, -6.0]
    assert product.flatten().tolist() == [0.0, 0.0, 2.0, 2.0]


def test_without_a_tolerance_it_is_the_squared_error():
    loss, half = SquaredEpsilonInsensitiveLoss(0.0), HalfSquaredLoss()
    z = torch.linspace(-2, 2, 5).double()[:, None, None]  # one of them is the target itself
    target = torch.zeros(5, dtype=torch.float64)
    for got, expected in zip(
        loss.evaluate(z, loss.targets(target), z), half.evaluate(z, half.targets(target), z),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(got, 2 * expected)
