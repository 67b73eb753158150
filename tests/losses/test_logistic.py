"""Log loss of a binary target."""

import math

import torch

from skbamm.losses import LogisticLoss


def test_values_by_hand():
    z = torch.tensor([0.0, math.log(3)], dtype=torch.float64)[:, None, None]
    target = torch.tensor([1.0, 0.0], dtype=torch.float64)
    loss = LogisticLoss()
    value, gradient, product = loss.evaluate(z, loss.targets(target), torch.ones_like(z))
    expected = torch.tensor([math.log(2), math.log(4)], dtype=torch.float64)
    torch.testing.assert_close(value[:, 0], expected)
    torch.testing.assert_close(gradient.flatten(), torch.tensor([-0.5, 0.75]).double())
    torch.testing.assert_close(product.flatten(), torch.tensor([0.25, 0.1875]).double())


def test_a_wrong_certainty_costs_what_it_claims():
    z = torch.tensor([[[1e3]], [[-1e3]]], dtype=torch.float64)
    loss = LogisticLoss()
    value, gradient, _ = loss.evaluate(z, loss.targets(torch.tensor([0.0, 1.0]).double()))
    assert value.flatten().tolist() == [1e3, 1e3]
    assert gradient.flatten().tolist() == [1.0, -1.0]
