"""Losses of one class against all others: values by hand, and class weights."""

import pytest
import torch
from sklearn.linear_model import SGDClassifier

from skbamm.losses import (
    LogisticLoss,
    ModifiedHuberLoss,
    OneVsRestLogisticLoss,
    SquaredHingeLoss,
)

KINDS = [OneVsRestLogisticLoss, ModifiedHuberLoss, SquaredHingeLoss]


def test_modified_huber_by_hand():
    z = torch.tensor([0.5, 0.5, 1.0, 3.0, -3.0], dtype=torch.float64)[:, None, None]
    target = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    loss = ModifiedHuberLoss()
    value, gradient, product = loss.evaluate(z, loss.targets(target), torch.ones_like(z))
    assert value.flatten().tolist() == [0.25, 2.25, 0.0, 0.0, 12.0]
    assert gradient.flatten().tolist() == [-1.0, 3.0, 0.0, 0.0, -4.0]
    assert product.flatten().tolist() == [2.0, 2.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["modified_huber", "squared_hinge"])
def test_they_are_those_that_scikit_learn_descends(name):
    kind = {"modified_huber": ModifiedHuberLoss, "squared_hinge": SquaredHingeLoss}[name]
    own, loss = SGDClassifier(name)._get_loss_function(name), kind()
    z = torch.linspace(-3, 3, 13).double()
    for label, sign in ((0.0, -1.0), (1.0, 1.0)):
        target = torch.full((13,), label, dtype=torch.float64)
        value, gradient, _ = loss.evaluate(z[:, None, None], loss.targets(target))
        assert value.flatten().tolist() == [own.py_loss(float(p), sign) for p in z]
        assert gradient.flatten().tolist() == [own.py_dloss(float(p), sign) for p in z]


def test_one_output_is_the_log_loss_of_two_classes():
    one, plain = OneVsRestLogisticLoss(), LogisticLoss()
    z = torch.linspace(-40, 40, 8).double()[:, None, None]
    target = (torch.arange(8) % 2).double()
    for got, expected in zip(
        one.evaluate(z, one.targets(target), z), plain.evaluate(z, plain.targets(target), z),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_losses_of_their_own(kind):
    target = (torch.arange(6) % 3).double()
    z = torch.linspace(-2, 2, 18).double().view(6, 3, 1)
    several, one = kind(3), kind()
    value, gradient, product = several.evaluate(z, several.targets(target), z)
    parts = [
        one.evaluate(z[:, [j]], one.targets((target == j).double()), z[:, [j]]) for j in range(3)
    ]
    torch.testing.assert_close(value, sum(part[0] for part in parts))
    torch.testing.assert_close(gradient, torch.cat([part[1] for part in parts], 1))
    torch.testing.assert_close(product, torch.cat([part[2] for part in parts], 1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_factor_counts_in_the_output_of_its_class_only(kind):
    factor = torch.tensor([0.5, 3.0, 1.0], dtype=torch.float64)
    plain, weighted, one = kind(3), kind(3, factor), kind()
    target = (torch.arange(6) % 3).double()
    z = torch.linspace(-2, 2, 18).double().view(6, 3, 1)
    share = torch.where(plain.targets(target) > 0, factor[:, None], 1.0)
    _, gradient, product = plain.evaluate(z, plain.targets(target), torch.ones_like(z))
    value, got, got_product = weighted.evaluate(z, weighted.targets(target), torch.ones_like(z))
    torch.testing.assert_close(got, share * gradient)
    torch.testing.assert_close(got_product, share * product)
    torch.testing.assert_close(weighted.curvature(z, target), got_product)
    alone = [one.evaluate(z[:, [j]], one.targets((target == j).double()))[0] for j in range(3)]
    torch.testing.assert_close(value, (share[:, :, 0] * torch.cat(alone, 1)).sum(1, keepdim=True))
