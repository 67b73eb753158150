"""What every loss keeps of the protocol: its derivatives are those of its value."""

import torch
from torch.autograd import grad


def test_value_is_that_of_torch(case):
    z = case.predictors()
    value, _, _ = case.loss.evaluate(z, case.loss.targets(case.target))
    torch.testing.assert_close(value, case.reference(z, case.target), rtol=1e-13, atol=1e-13)


def test_gradient_is_that_of_the_value(case):
    z = case.predictors().requires_grad_()
    (expected,) = grad(case.reference(z, case.target).sum(), z)
    _, gradient, _ = case.loss.evaluate(z.detach(), case.loss.targets(case.target))
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-13)


def test_product_is_the_hessian_times_the_direction(case):
    z, u = case.predictors().requires_grad_(), case.predictors(seed=1)
    (gradient,) = grad(case.reference(z, case.target).sum(), z, create_graph=True)
    (expected,) = grad((gradient * u).sum(), z)
    _, _, product = case.loss.evaluate(z.detach(), case.loss.targets(case.target), u)
    torch.testing.assert_close(product, expected, rtol=1e-12, atol=1e-13)


def test_diagonal_is_that_of_the_hessian(case):
    z = case.predictors()
    targets, expected = case.loss.targets(case.target), torch.empty_like(z)
    for output in range(case.loss.n_outputs):
        unit = torch.zeros_like(z)
        unit[:, output] = 1.0
        expected[:, output] = case.loss.evaluate(z, targets, unit)[2][:, output]
    torch.testing.assert_close(
        case.loss.diagonal(case.loss.curvature(z, case.target)), expected, rtol=1e-12, atol=1e-13
    )


def test_no_direction_no_product(case):
    assert case.loss.evaluate(case.predictors(), case.loss.targets(case.target))[2] is None


def test_arguments_are_left_as_they_are(case):
    z, u, targets = case.predictors(), case.predictors(seed=1), case.loss.targets(case.target)
    before = z.clone(), u.clone(), targets.clone()
    case.loss.evaluate(z, targets, u)
    case.loss.diagonal(case.loss.curvature(z, case.target))
    assert all(torch.equal(a, b) for a, b in zip(before, (z, u, targets), strict=True))


def test_single_precision_stays_single(case):
    z, target = case.predictors().float(), case.target.float()
    parts = case.loss.evaluate(z, case.loss.targets(target), torch.ones_like(z))
    assert {
        part.dtype for part in (*parts, case.loss.diagonal(case.loss.curvature(z, target)))
    } == {torch.float32}
    expected = case.reference(z.double(), case.target).float()
    torch.testing.assert_close(parts[0], expected, rtol=1e-5, atol=1e-5)


def test_only_the_softmax_couples_its_outputs(case):
    z = case.predictors()
    u = torch.zeros_like(z)
    u[:, 0] = 1.0
    product = case.loss.evaluate(z, case.loss.targets(case.target), u)[2]
    assert case.loss.couples_outputs == bool((product[:, 1:] != 0).any())


def test_extreme_predictors_give_finite_and_right_values(classifier):
    for dtype in (torch.float64, torch.float32):
        z = (1e3 * classifier.predictors().sign()).to(dtype)
        target = classifier.target.to(dtype)
        targets = classifier.loss.targets(target)
        parts = (
            *classifier.loss.evaluate(z, targets, z),
            classifier.loss.diagonal(classifier.loss.curvature(z, classifier.target)),
        )
        assert all(bool(torch.isfinite(part).all()) for part in parts)
        rounding = 1e3 * torch.finfo(dtype).eps
        expected = classifier.reference(z, target)
        torch.testing.assert_close(parts[0], expected, rtol=rounding, atol=rounding)
        assert bool((parts[0] >= 0).all())


def test_moderate_predictors_keep_small_losses(classifier):
    # exp(-35) = 6e-16 is lost beside 1 but not beside 0.
    label = classifier.target.long()
    # Of one class against all others, each output must say so.
    rest = 0.0 if classifier.loss.couples_outputs else -35.0
    z = torch.full((len(label), classifier.loss.n_outputs, 1), rest, dtype=torch.float64)
    if classifier.loss.n_outputs == 1:
        z[:, 0, 0] = 35.0 * (2 * label - 1)
    else:
        z[torch.arange(len(label)), label] = 35.0
    value = classifier.loss.evaluate(z, classifier.loss.targets(classifier.target))[0]
    assert bool((value >= 0).all()) and float(value.max()) < 1e-14
