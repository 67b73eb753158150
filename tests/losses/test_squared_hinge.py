"""The squared hinge: values by hand, outputs, and class weights as liblinear has them."""

import torch

from skbamm.losses import SquaredHingeLoss
from tests.problems import torch_squared_hinge


def test_values_by_hand():
    z = torch.tensor([0.5, 0.5, 1.0, 3.0], dtype=torch.float64)[:, None, None]
    target = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    loss = SquaredHingeLoss()
    value, gradient, product = loss.evaluate(z, loss.targets(target), torch.ones_like(z))
    assert value.flatten().tolist() == [0.25, 2.25, 0.0, 0.0]
    assert gradient.flatten().tolist() == [-1.0, 3.0, 0.0, 0.0]
    assert product.flatten().tolist() == [2.0, 2.0, 0.0, 0.0]


def test_two_outputs_are_two_losses_of_opposite_labels():
    target = torch.tensor([0.0, 1.0, 1.0]).double()
    z = torch.tensor([0.4, -2.0, 3.0]).double()[:, None, None]
    one, two = SquaredHingeLoss(), SquaredHingeLoss(2)
    expected, slope, _ = one.evaluate(z, one.targets(target))
    value, gradient, _ = two.evaluate(torch.cat([-z, z], 1), two.targets(target))
    torch.testing.assert_close(value, 2 * expected)
    torch.testing.assert_close(gradient, torch.cat([-slope, slope], 1))


def test_a_factor_counts_in_the_output_of_its_class_only():
    factor = torch.tensor([0.5, 3.0, 1.0], dtype=torch.float64)
    plain, weighted = SquaredHingeLoss(3), SquaredHingeLoss(3, factor)
    target = (torch.arange(6) % 3).double()
    z = torch.linspace(-2, 2, 18).double().view(6, 3, 1)
    u = torch.ones_like(z)
    share = torch.where(plain.targets(target) > 0, factor[:, None], 1.0)
    _, gradient, product = plain.evaluate(z, plain.targets(target), u)
    value, got, got_product = weighted.evaluate(z, weighted.targets(target), u)
    torch.testing.assert_close(got, share * gradient)
    torch.testing.assert_close(got_product, share * product)
    torch.testing.assert_close(weighted.curvature(z, target), got_product)
    alone = torch.cat(
        [torch_squared_hinge(z[:, j : j + 1], (target == j).double()) for j in range(3)], 1
    )
    torch.testing.assert_close(value, (share[:, :, 0] * alone).sum(1, keepdim=True))
