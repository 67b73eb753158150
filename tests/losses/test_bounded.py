"""Losses of the upper level that bear wrong labels: torch's values, and how much a label costs."""

import math

import pytest
import torch
from torch.autograd import grad
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.nn.functional import one_hot

from skbamm.losses import BoundedSquaredLoss, ExpectedErrorLoss, NoisyLabelLoss, OutlierLoss
from tests.losses.conftest import COLUMNS, Case, N
from tests.problems import torch_logistic, torch_multinomial

NOISE = {
    2: torch.tensor([[0.9, 0.1], [0.35, 0.65]], dtype=torch.float64),
    3: torch.tensor([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.02, 0.4, 0.58]], dtype=torch.float64),
}
FACTOR = torch.tensor([0.4, 2.5, 1.7], dtype=torch.float64)
NARROW, WIDE, RATE = 0.5, 3.0, 0.2


def probabilities(z):
    """Return those of all classes, (n, classes, C)."""
    if z.shape[1] == 1:
        return torch.cat([torch.sigmoid(-z), torch.sigmoid(z)], 1)
    return torch.softmax(z, 1)


def of_label(values, target):
    """Pick the label's entry of each row: (n, classes, C) to (n, C)."""
    hot = one_hot(target.long(), values.shape[1])
    return (values * hot[:, :, None]).sum(1)


def expected_error(factor):
    def reference(z, target):
        value = 1 - of_label(probabilities(z), target)
        return value if factor is None else factor[target.long()][:, None].to(z.dtype) * value

    return reference


def noisy_label(noise):
    def reference(z, target):
        written = torch.einsum("nkc,kj->njc", probabilities(z), noise.to(z.dtype))
        return -torch.log(of_label(written, target))

    return reference


def bounded_squared(z, target):
    r = (z[:, 0] - target[:, None]) / 1.5
    return 0.5 * r**2 / (1 + r**2)


def outlier(z, target):
    """The log loss of a mixture of normals; the constant is that of the narrow one."""
    spread = torch.tensor([NARROW, WIDE], dtype=z.dtype)
    share = torch.tensor([1 - RATE, RATE], dtype=z.dtype)
    mixture = MixtureSameFamily(Categorical(share), Normal(0 * spread, spread))
    return -mixture.log_prob(z[:, 0] - target[:, None]) - math.log(NARROW * math.sqrt(2 * math.pi))


def _cases():
    two, three = torch.arange(N) % 2, torch.arange(N) % 3
    for name, factor in (("", None), (", weighted", FACTOR)):
        reference = expected_error(factor)
        yield f"expected error, one output{name}", ExpectedErrorLoss(1, factor), reference, two
        yield f"expected error{name}", ExpectedErrorLoss(3, factor), reference, three
    yield "noisy labels, one output", NoisyLabelLoss(1, NOISE[2]), noisy_label(NOISE[2]), two
    yield "noisy labels", NoisyLabelLoss(3, NOISE[3]), noisy_label(NOISE[3]), three
    numbers = torch.linspace(-3, 3, N)
    yield "bounded squared", BoundedSquaredLoss(1.5), bounded_squared, numbers
    yield "outliers", OutlierLoss(NARROW, WIDE, RATE), outlier, numbers


@pytest.fixture(params=_cases(), ids=lambda case: case[0])
def case(request):
    """Every bounded loss."""
    _, loss, reference, target = request.param
    return Case(loss, reference, target.double())


# What all of them keep of the protocol


@pytest.mark.parametrize("scale", [2.0, 30.0])
def test_value_is_that_of_torch(case, scale):
    z = case.predictors(scale)
    value, _, _ = case.loss.evaluate(z, case.loss.targets(case.target))
    assert value.shape == (N, COLUMNS)
    torch.testing.assert_close(value, case.reference(z, case.target), rtol=1e-12, atol=1e-13)


def test_gradient_is_that_of_the_value(case):
    z = case.predictors().requires_grad_()
    (expected,) = grad(case.reference(z, case.target).sum(), z)
    _, gradient, _ = case.loss.evaluate(z.detach(), case.loss.targets(case.target))
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-13)


def test_there_is_no_hessian(case):
    z, targets = case.predictors(), case.loss.targets(case.target)
    assert case.loss.evaluate(z, targets)[2] is None
    with pytest.raises(NotImplementedError, match="not convex"):
        case.loss.evaluate(z, targets, z)


def test_arguments_are_left_as_they_are(case):
    z, targets = case.predictors(), case.loss.targets(case.target)
    kept = [value for value in vars(case.loss).values() if torch.is_tensor(value)]
    before = [value.clone() for value in (z, targets, *kept)]
    case.loss.evaluate(z, targets)
    assert all(torch.equal(a, b) for a, b in zip(before, (z, targets, *kept), strict=True))


def test_single_precision_stays_single(case):
    z, target = case.predictors().float(), case.target.float()
    value, gradient, _ = case.loss.evaluate(z, case.loss.targets(target))
    assert value.dtype == gradient.dtype == torch.float32
    exact = z.double().requires_grad_()
    expected = case.reference(exact, case.target)
    torch.testing.assert_close(value, expected.detach().float(), rtol=1e-5, atol=1e-5)
    (slope,) = grad(expected.sum(), exact)
    torch.testing.assert_close(gradient, slope.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_extreme_predictors_give_finite_values(case, dtype):
    z = (1e3 * case.predictors().sign()).to(dtype)
    parts = case.loss.evaluate(z, case.loss.targets(case.target.to(dtype)))[:2]
    assert all(bool(torch.isfinite(part).all()) for part in parts)


# One log-odds is two classes


@pytest.mark.parametrize(
    "make",
    [
        lambda m: ExpectedErrorLoss(m),
        lambda m: ExpectedErrorLoss(m, FACTOR[:2]),
        lambda m: NoisyLabelLoss(m, NOISE[2]),
    ],
)
def test_one_output_is_a_softmax_of_two_classes(make):
    target = (torch.arange(N) % 2).double()
    z = Case(make(1), None, target).predictors()
    one, two = make(1), make(2)
    value, gradient, _ = one.evaluate(z, one.targets(target))
    halves = torch.cat([-z / 2, z / 2], 1)
    expected, slopes, _ = two.evaluate(halves, two.targets(target))
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
    of_log_odds = (slopes[:, 1:] - slopes[:, :1]) / 2
    torch.testing.assert_close(gradient, of_log_odds, rtol=1e-11, atol=1e-14)


# How much a label costs


@pytest.mark.parametrize("outputs", [1, 3])
def test_expected_error_is_an_error_rate(outputs):
    loss = ExpectedErrorLoss(outputs)
    target = torch.arange(N) % max(outputs, 2)
    z = Case(loss, None, target).predictors(100.0)
    value = loss.evaluate(z, loss.targets(target.double()))[0]
    assert float(value.min()) >= 0 and float(value.max()) <= 1
    # As sure a classifier as this does not draw its answer.
    wrong = probabilities(z).argmax(1) != target[:, None]
    torch.testing.assert_close(value.round(), wrong.double())


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_even_noise_only_shifts_and_scales_the_expected_error(outputs):
    classes, rate = max(outputs, 2), 0.3
    loss = ExpectedErrorLoss(outputs)
    true = torch.arange(N) % classes
    z = Case(loss, None, true).predictors()
    every = [loss.evaluate(z, loss.targets(torch.full((N,), float(k))))[0] for k in range(classes)]
    labels = torch.stack(every, 1)  # (n, classes, C)
    clean = of_label(labels, true)
    noisy = (1 - rate) * clean + rate / (classes - 1) * (labels.sum(1) - clean)
    slope = 1 - rate - rate / (classes - 1)
    torch.testing.assert_close(noisy, slope * clean + rate, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_bounded_squared_loss_levels_off_at_a_half(scale):
    loss = BoundedSquaredLoss(scale)
    z = scale * torch.tensor([0.0, 1e-3, -1.0, 1.0, 1e4], dtype=torch.float64)
    value = loss.evaluate(z[:, None, None], loss.targets(0 * z))[0][:, 0]
    # Half the squared error near zero, half of the bound at the scale.
    expected = torch.tensor([0.0, 0.5e-6, 0.25, 0.25, 0.5], dtype=torch.float64)
    torch.testing.assert_close(value, expected, rtol=2e-6, atol=0)
    assert float(value.max()) <= 0.5


@pytest.mark.parametrize("outputs", [1, 2])
def test_noisy_label_loss_is_no_more_than_its_noise_allows(outputs):
    loss = NoisyLabelLoss(outputs, NOISE[2])
    target = (torch.arange(N) % 2).double()
    value = loss.evaluate(Case(loss, None, target).predictors(1e3), loss.targets(target))[0]
    assert float(value.max()) <= -math.log(0.1) + 1e-12


@pytest.mark.parametrize("scale", [2.0, 1e3])
@pytest.mark.parametrize(("outputs", "reference"), [(1, torch_logistic), (3, torch_multinomial)])
def test_without_noise_it_is_the_log_loss(outputs, reference, scale):
    classes = max(outputs, 2)
    loss = NoisyLabelLoss(outputs, torch.eye(classes, dtype=torch.float64))
    target = (torch.arange(N) % classes).double()
    z = Case(loss, None, target).predictors(scale).requires_grad_()
    expected = reference(z, target)
    value, gradient, _ = loss.evaluate(z.detach(), loss.targets(target))
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-14)
    (slope,) = grad(expected.sum(), z)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-14)


def test_labels_that_say_nothing_have_no_slope():
    loss = NoisyLabelLoss(3, torch.full((3, 3), 1 / 3, dtype=torch.float64))
    target = (torch.arange(N) % 3).double()
    z = Case(loss, None, target).predictors()
    value, gradient, _ = loss.evaluate(z, loss.targets(target))
    torch.testing.assert_close(value, torch.full_like(value, math.log(3)))
    torch.testing.assert_close(gradient, torch.zeros_like(z), rtol=0, atol=1e-15)


def test_an_outlier_pulls_as_little_as_its_wide_spread():
    loss = OutlierLoss(NARROW, WIDE, RATE)
    z = torch.tensor([1e-3, 50.0, -50.0], dtype=torch.float64)
    gradient = loss.evaluate(z[:, None, None], loss.targets(0 * z))[1][:, 0, 0]
    torch.testing.assert_close(gradient[1:], z[1:] / WIDE**2, rtol=1e-9, atol=0)
    share = (1 - RATE) / (1 - RATE + RATE * NARROW / WIDE)
    near = z[:1] * (share / NARROW**2 + (1 - share) / WIDE**2)
    torch.testing.assert_close(gradient[:1], near, rtol=1e-4, atol=0)
