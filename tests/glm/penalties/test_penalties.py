"""What every penalty promises: its parts follow from its value."""

import pytest
import torch
from torch.autograd import grad

from skbamm.bilevel.faces import Face
from skbamm.folds import FoldWeights
from skbamm.glm.penalised import PenaltyAt
from skbamm.glm.penalties import (
    AbsoluteValues,
    GroupNorms,
    NonNegative,
    Squares,
    Total,
    intercept_shares,
)
from tests.problems import X_REG, Y_REG, rows_of

S, K, M, P = 2, 3, 2, 5
ROWS = rows_of(X_REG[:30, : P - 1], Y_REG[:30], FoldWeights(30, [(range(20), range(20, 30))]))
STEPS = torch.linspace(0.5, 1.5, P, dtype=torch.float64)
FREE = torch.tensor([1.0] * (P - 1) + [0.0], dtype=torch.float64)


def strength(x):
    """Return strengths of (S, 1 or K, 1, P), none of the intercept."""
    return (torch.exp(x[..., :1]) * STEPS * FREE)[..., None, :]


PENALTIES = {
    kind.__name__: kind.of_rows(strength, ROWS)
    for kind in (Squares, AbsoluteValues, GroupNorms, NonNegative)
}
KINKED = [name for name, penalty in PENALTIES.items() if penalty.has_kinks]


@pytest.fixture(params=PENALTIES)
def penalty(request):
    return PENALTIES[request.param]


def points(penalty):
    """Return y that the penalty admits, away from its kinks."""
    torch.manual_seed(0)
    y = torch.randn(S, K, M, P, dtype=torch.float64)
    return penalty.admit(y.abs() + 0.1 if penalty.non_negative else y)


def strengths():
    return strength(torch.zeros(S, K, 1, dtype=torch.float64))


def test_sides_and_curvature_are_derivatives_of_the_value(penalty):
    t, y = strengths(), points(penalty).requires_grad_()
    value = penalty.value(t, y)
    (slope,) = grad(value.sum(), y, create_graph=True)
    torch.testing.assert_close(slope.detach(), (t * penalty.sides(y)).detach())
    v = torch.randn_like(y)
    product = torch.zeros_like(y)
    if slope.requires_grad:
        (product,) = grad((slope * v).sum(), y, allow_unused=True, materialize_grads=True)
    expected = penalty.curvature((t,)) * v + penalty.bend(t, y, v)
    torch.testing.assert_close(product, expected.detach())


def test_the_proximal_step_is_a_minimiser(penalty):
    t, y, step = strengths(), points(penalty) - 0.7, 0.4
    best = penalty.prox(t, y, step)
    assert torch.equal(penalty.admit(best), best)

    def value(w):
        return ((w - y) ** 2).sum((2, 3)) / (2 * step) + penalty.value(t, w)

    least = value(best)
    for scale in (1e-3, 0.1, 1.0):
        for seed in range(5):
            torch.manual_seed(seed)
            assert bool((value(best + scale * torch.randn_like(y)) > least).all())


@pytest.mark.parametrize("name", KINKED)
def test_the_strength_at_which_zero_is_optimal(name):
    """There the subgradient of least norm vanishes, and not at any less."""
    penalty, gradient = PENALTIES[name], torch.randn(S, K, M, P, dtype=torch.float64)
    enough = penalty.emptied_by(gradient)
    assert not bool(penalty.at_zero(gradient, enough * FREE)[..., :-1].abs().gt(1e-12).any())
    less = penalty.sizes(penalty.at_zero(gradient, 0.9 * enough * FREE))[..., :-1]
    torch.testing.assert_close(less, 0.1 * enough[..., :-1])


@pytest.mark.parametrize("name", KINKED)
def test_a_face_has_what_may_move(name):
    penalty, y = PENALTIES[name], points(PENALTIES[name])
    y[..., 0] = 0
    kink = strengths()
    gradient = torch.zeros_like(y)
    gradient[0, ..., 0] = -2 * kink[0, ..., 0]
    face = Face.at(y, gradient, kink, 100, penalty)
    assert bool(face.free[..., 1:].all())
    assert bool(face.free[0, ..., 0].all()) and not bool(face.free[1, ..., 0].any())
    expected = gradient + kink * penalty.sides(y)
    torch.testing.assert_close(face.slope[..., 1:], expected[..., 1:])
    assert bool((face.slope[0, ..., 0] < 0).all()) and not bool(face.slope[1, ..., 0].any())
    v = face.support(y, torch.ones_like(y))
    assert not bool(v[..., 0].any()) and bool(v[..., 1:].all())


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize("h", [1, 5])
def test_a_total_is_the_sum_of_its_parts(name, h):
    """With what moves with x: derivatives are kept of few entries, and taken anew of many."""
    total, divisor = Total(PENALTIES["Squares"], PENALTIES[name]), torch.arange(1.0, K + 1)
    x = torch.randn(S, h, dtype=torch.float64)
    at = PenaltyAt(total, x, divisor[:, None, None].double())
    y, v = points(PENALTIES[name]), torch.randn(S, K, M, P, dtype=torch.float64)
    t = strength(x[:, None]) / divisor[:, None, None]
    parts = [part.value(t, y) for part in total.parts]
    torch.testing.assert_close(at.value(y), sum(parts))
    torch.testing.assert_close(at.curvature, t)
    torch.testing.assert_close(at.kink, t)
    sides = sum(part.sides(y) for part in total.parts)
    factor = torch.full((S, K, 1, 1), -2.0, dtype=torch.float64)
    expected = torch.zeros(S, K, h, dtype=torch.float64)
    expected[..., 0] = (factor * t * sides * v).sum((2, 3))  # t is its own derivative
    torch.testing.assert_close(at.grad(y, v, factor), expected)
    first = at.slope(y, at.curvature * y, 0.0)
    torch.testing.assert_close(first, t * sides)


def test_one_part_may_have_kinks():
    with pytest.raises(ValueError, match="one may have kinks"):
        Total(PENALTIES["AbsoluteValues"], PENALTIES["GroupNorms"])


def test_a_penalty_of_another_x():
    total = Total(PENALTIES["Squares"], PENALTIES["AbsoluteValues"])
    other, x = total.of(lambda x: x[..., 1:]), torch.randn(S, 1, 2, dtype=torch.float64)
    for mine, theirs in zip(other.strengths(x), total.strengths(x[..., 1:]), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_shares_of_the_intercept():
    assert intercept_shares(ROWS, 0.25).tolist() == [1.0] * (P - 1) + [0.25]
