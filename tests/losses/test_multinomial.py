"""Log loss of a target with several classes."""

import torch

from skbamm.losses import LogisticLoss, MultinomialLoss


def test_a_common_shift_is_not_seen():
    loss, target = MultinomialLoss(3), torch.tensor([0.0, 2.0]).double()
    z = torch.tensor([[0.3, -1.0, 2.0], [1.0, 0.0, -2.0]]).double()[:, :, None]
    shifted = loss.evaluate(z + 500, loss.targets(target), torch.ones_like(z))
    plain = loss.evaluate(z, loss.targets(target), torch.ones_like(z))
    for a, b in zip(shifted, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(plain[2], torch.zeros_like(z), rtol=0, atol=1e-15)


def test_two_classes_are_the_logistic_loss():
    target = torch.tensor([0.0, 1.0, 1.0]).double()
    z = torch.tensor([0.4, -2.0, 3.0]).double()[:, None, None]
    binary, several = LogisticLoss(), MultinomialLoss(2)
    both = torch.cat([torch.zeros_like(z), z], 1)
    value, gradient, _ = several.evaluate(both, several.targets(target))
    expected, slope, _ = binary.evaluate(z, binary.targets(target))
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:, 1:], slope)


def test_a_class_that_no_row_has_keeps_its_output():
    loss = MultinomialLoss(4)
    targets = loss.targets(torch.tensor([0.0, 1.0]).double())
    assert targets.shape == (2, 4, 1)
    assert targets.sum(1).flatten().tolist() == [1.0, 1.0]
