"""Half the squared error."""

import torch

from skbamm.losses import HalfSquaredLoss


def test_values_by_hand():
    loss = HalfSquaredLoss(2)
    target = torch.tensor([[1.0, -1.0]]).double()
    z = torch.tensor([[[3.0], [2.0]]]).double()
    value, gradient, product = loss.evaluate(z, loss.targets(target), 5 * torch.ones_like(z))
    assert value.item() == 0.5 * (4 + 9)
    assert gradient.flatten().tolist() == [2.0, 3.0]
    assert product.flatten().tolist() == [5.0, 5.0]


def test_a_vector_is_one_output():
    assert HalfSquaredLoss().targets(torch.zeros(4)).shape == (4, 1, 1)
