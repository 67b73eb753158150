"""Losses of validation rows only: torch's values, and gradients that are those of the value."""

import numpy as np
import pytest
import torch
from torch.autograd import grad
from torch.nn.functional import one_hot

from skbamm.losses import (
    BalancedLoss,
    BrierLoss,
    HalfSquaredLoss,
    Inverse,
    InverseLoss,
    LogisticLoss,
    LogLinkLoss,
    MultinomialLoss,
    NormalisedLogisticLoss,
    PinballLoss,
    behind_inverse,
)
from tests.losses.conftest import COLUMNS, Case, N
from tests.problems import torch_logistic, torch_multinomial

FACTOR = torch.tensor([0.4, 2.5, 1.7], dtype=torch.float64)
WIDTH = 0.1


def labels(target):
    return target.long()


def pinball(level, percentage=False):
    def reference(z, target):
        t = target.reshape(N, -1, 1).to(z.dtype)
        r = (z - t) / t.abs() if percentage else z - t
        root = (r**2 + WIDTH**2).sqrt()
        return (torch.where(r < 0, -level * r, (1 - level) * r) + (root - r.abs()) / 2).sum(1)

    return reference


def brier(z, target):
    if z.shape[1] == 1:
        return (torch.sigmoid(z[:, 0]) - target[:, None]) ** 2
    hot = one_hot(target.long(), z.shape[1])[:, :, None]
    return ((torch.softmax(z, 1) - hot) ** 2).sum(1)


def normalised(z, target):
    p = torch.sigmoid(z)
    own = (p * one_hot(target.long(), 3)[:, :, None]).sum(1)
    return -(own / p.sum(1)).log()


def cubic(z, target):
    mean = z[:, 0] ** 3 + z[:, 0] * WIDTH**2
    return (mean - target[:, None] ** 3) ** 2 / 2


def balanced(reference):
    return lambda z, target: FACTOR.to(z.dtype)[target.long()][:, None] * reference(z, target)


def _cases():
    two, three = torch.arange(N) % 2, torch.arange(N) % 3
    numbers, pairs = torch.linspace(-3, 3.5, N), torch.linspace(-3, 3, 2 * N).view(N, 2)
    yield "absolute", PinballLoss(1, WIDTH), pinball(0.5), numbers
    yield "pinball", PinballLoss(1, WIDTH, 0.9), pinball(0.9), numbers
    yield "pinball, two outputs", PinballLoss(2, WIDTH, 0.2), pinball(0.2), pairs
    percentage = PinballLoss(1, WIDTH, percentage=True)
    yield "percentage", percentage, pinball(0.5, True), numbers
    yield "brier", BrierLoss(1), brier, two
    yield "brier, three classes", BrierLoss(3), brier, three
    loss = BalancedLoss(LogisticLoss(), FACTOR, labels)
    yield "balanced", loss, balanced(torch_logistic), two
    loss = BalancedLoss(MultinomialLoss(3), FACTOR, labels)
    yield "balanced, three classes", loss, balanced(torch_multinomial), three
    loss = LogLinkLoss(HalfSquaredLoss())
    yield "normalised", NormalisedLogisticLoss(3), normalised, three
    # Of a cubic the smoothed inverse is exact.
    loss = InverseLoss(HalfSquaredLoss(), lambda v: v**3, WIDTH, (-9.0, 9.0))
    yield "inverse", loss, cubic, numbers
    yield (
        "link and inverse",
        behind_inverse(
            LogLinkLoss(HalfSquaredLoss()), Inverse(lambda v: 3 * v, WIDTH, (-9.0, 9.0))
        ),
        lambda z, t: 9 * (z[:, 0].exp() - t[:, None]) ** 2 / 2,
        numbers,
    )
    loss = LogLinkLoss(HalfSquaredLoss())
    yield "log link", loss, lambda z, t: (z[:, 0].exp() - t[:, None]) ** 2 / 2, numbers


@pytest.fixture(params=_cases(), ids=lambda case: case[0])
def case(request):
    """Every loss that is for the upper level only, or that wraps another."""
    _, loss, reference, target = request.param
    return Case(loss, reference, target.double())


def test_value_is_that_of_torch(case):
    z = case.predictors()
    value, _, _ = case.loss.evaluate(z, case.loss.targets(case.target))
    assert value.shape == (N, COLUMNS)
    torch.testing.assert_close(value, case.reference(z, case.target), rtol=1e-12, atol=1e-13)


def test_gradient_is_that_of_the_value(case):
    z = case.predictors().requires_grad_()
    (expected,) = grad(case.reference(z, case.target).sum(), z)
    _, gradient, product = case.loss.evaluate(z.detach(), case.loss.targets(case.target))
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-13)
    assert product is None


def test_a_hessian_is_refused_or_right(case):
    z, u = case.predictors().requires_grad_(), case.predictors(seed=1)
    targets = case.loss.targets(case.target)
    if not isinstance(case.loss, BalancedLoss):
        with pytest.raises(NotImplementedError, match="cannot be a lower-level loss"):
            case.loss.evaluate(z, targets, u)
        return
    (gradient,) = grad(case.reference(z, case.target).sum(), z, create_graph=True)
    (expected,) = grad((gradient * u).sum(), z)
    product = case.loss.evaluate(z.detach(), targets, u)[2]
    torch.testing.assert_close(product, expected, rtol=1e-11, atol=1e-13)


def test_arguments_are_left_as_they_are(case):
    z, targets = case.predictors(), case.loss.targets(case.target)
    before = z.clone(), targets.clone()
    case.loss.evaluate(z, targets)
    assert all(torch.equal(a, b) for a, b in zip(before, (z, targets), strict=True))


def test_single_precision_stays_single(case):
    z, target = case.predictors().float(), case.target.float()
    value, gradient, _ = case.loss.evaluate(z, case.loss.targets(target))
    assert value.dtype == gradient.dtype == torch.float32
    expected = case.reference(z.double(), case.target).float()
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_extreme_predictors_give_finite_values(case, dtype):
    scale = 1e3 if case.loss.__class__ is not LogLinkLoss else 30.0
    z = (scale * case.predictors().sign()).to(dtype)
    parts = case.loss.evaluate(z, case.loss.targets(case.target.to(dtype)))[:2]
    assert all(bool(torch.isfinite(part).all()) for part in parts)


@pytest.mark.parametrize("level", [0.1, 0.5])
def test_smoothing_adds_the_width_at_most(level):
    error = torch.tensor([0.0, 1e-3, -0.1, 0.1, 3.0, -50.0], dtype=torch.float64)
    loss = PinballLoss(1, WIDTH, level)
    value = loss.evaluate(error[:, None, None], loss.targets(0 * error))[0][:, 0]
    more = value - torch.where(error < 0, -level * error, (1 - level) * error)
    assert bool((more > 0).all()) and float(more[0]) == pytest.approx(WIDTH / 2)
    assert float(more[4]) < WIDTH**2 / 3 and float(more[5]) < WIDTH**2 / 50


def test_a_target_of_zero_has_a_finite_percentage():
    loss = PinballLoss(1, WIDTH, percentage=True)
    z = torch.ones(1, 1, 1, dtype=torch.float64)
    parts = loss.evaluate(z, loss.targets(torch.zeros(1).double()))[:2]
    assert all(bool(torch.isfinite(part).all()) for part in parts)


def test_brier_of_log_odds_is_half_that_of_two_classes():
    target = (torch.arange(N) % 2).double()
    z = Case(BrierLoss(1), None, target).predictors()
    one, two = BrierLoss(1), BrierLoss(2)
    value, gradient, _ = one.evaluate(z, one.targets(target))
    both = torch.cat([torch.zeros_like(z), z], 1)
    expected, slopes, _ = two.evaluate(both, two.targets(target))
    torch.testing.assert_close(2 * value, expected)
    torch.testing.assert_close(2 * gradient, slopes[:, 1:])


def test_an_inverse_goes_on_as_a_straight_line_where_it_is_not_finite():
    loss = InverseLoss(HalfSquaredLoss(), np.sqrt, 1e-3, (1.0, 4.0))
    z = torch.tensor([0.5, 2.0, -3.0], dtype=torch.float64).reshape(3, 1, 1)
    value, gradient, _ = loss.evaluate(z, torch.zeros(3, 1, 1, dtype=torch.float64))
    slope = 0.5 / 1.001**0.5
    mean = torch.tensor([0.5**0.5, 2**0.5, 1.001**0.5 - slope * 4.001], dtype=torch.float64)
    slopes = torch.tensor([0.5 / 0.5**0.5, 0.5 / 2**0.5, slope], dtype=torch.float64)
    torch.testing.assert_close(value[:, 0], mean**2 / 2, rtol=1e-5, atol=0)
    torch.testing.assert_close(gradient[:, 0, 0], mean * slopes, rtol=1e-5, atol=0)
