"""The rivals of sl-BAMM: right where f is strongly convex, wrong where it is merely convex."""

import pytest
import torch

from skbamm.bilevel import minimize
from tests.problems import merely_convex_counter_example, strongly_convex_quadratic
from tests.rivals import (
    bda,
    implicit_cg,
    implicit_neumann,
    reverse_mode,
    truncated_reverse_mode,
)

UNROLLED = {"RHG": (reverse_mode, {}), "BDA": (bda, {"mix": 0.5})}
TRUNCATED = {"T-RHG": (truncated_reverse_mode, {"last": 30})}
IMPLICIT = {
    "CG": (implicit_cg, {"linear_steps": 30}),
    "Neumann": (implicit_neumann, {"linear_steps": 30}),
}
ALL = UNROLLED | TRUNCATED | IMPLICIT
LOOPS = {"inner_steps": 60, "inner_lr": 0.5, "outer_lr": 0.4}


def named(*methods):
    """Run a test with each of these methods."""
    pairs = {name: pair for part in methods for name, pair in part.items()}
    return pytest.mark.parametrize(("method", "own"), pairs.values(), ids=pairs.keys())


def functions(known):
    """Return F, f and where to begin, as flat tensors."""
    problem = known.problem
    return problem._upper, problem._lower, known.x0[0], problem.start(known.x0)[0, 0]


class Moves:
    """A callback that notes how far x went in each iteration."""

    def __init__(self, x0):
        self.x, self.lengths = x0, []

    def __call__(self, k, x, y):
        self.lengths.append(float((x - self.x).norm()))
        self.x = x


# Hypergradients of functions that are not quadratic; x and y have different sizes

MIXED = torch.tensor([[1.0, -0.5], [0.3, 0.8], [-0.2, 0.4]], dtype=torch.float64)
X = torch.tensor([0.3, -0.7], dtype=torch.float64)
Y = torch.tensor([0.2, 0.9, -0.4], dtype=torch.float64)


def upper(x, y):
    return ((y - 1) ** 2).sum() / 2 + (x.sin() * y[:2]).sum()


def lower(x, y):
    return ((y - MIXED @ x) ** 2).sum() / 2 + (y**4).sum() / 20 + y.cosh().sum() / 10


def hypergradient(method, y0=Y, **options):
    """Return minus the first step of x, of length 1."""
    return X - method(upper, lower, X, y0, steps=1, outer_lr=1.0, inner_lr=0.4, **options)[0]


def differences(method, **options):
    """Return central differences of F at the y where the inner loop ends."""

    def value(x):
        _, y = method(upper, lower, x, Y, steps=1, outer_lr=0.0, inner_lr=0.4, **options)
        return float(upper(x, y))

    step = 1e-5 * torch.eye(2, dtype=torch.float64)
    return torch.tensor([(value(X + e) - value(X - e)) / 2e-5 for e in step], dtype=torch.float64)


@named(UNROLLED)
@pytest.mark.parametrize("inner_steps", [1, 7])
def test_unrolling_differentiates_the_inner_loop(method, own, inner_steps):
    options = {**own, "inner_steps": inner_steps}
    expected = differences(method, **options)
    torch.testing.assert_close(hypergradient(method, **options), expected, rtol=1e-7, atol=1e-9)


def test_truncation_forgets_how_the_inner_loop_began():
    _, y = reverse_mode(upper, lower, X, Y, steps=1, outer_lr=0.0, inner_lr=0.4, inner_steps=3)
    expected = hypergradient(reverse_mode, y0=y, inner_steps=4)
    found = hypergradient(truncated_reverse_mode, inner_steps=7, last=4)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, hypergradient(reverse_mode, inner_steps=7), rtol=1e-3)


@named(IMPLICIT)
def test_implicit_differentiation_at_the_solution(method, own):
    expected = differences(reverse_mode, inner_steps=80)
    found = hypergradient(method, **own, inner_steps=80)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


def test_at_the_solution_a_short_neumann_series_is_truncated_reverse_mode():
    found = hypergradient(implicit_neumann, inner_steps=80, linear_steps=3)
    expected = hypergradient(truncated_reverse_mode, inner_steps=80, last=3)
    torch.testing.assert_close(found, expected)


def test_mixing_nothing_is_reverse_mode():
    found = hypergradient(bda, inner_steps=5, mix=0.0)
    assert torch.equal(found, hypergradient(reverse_mode, inner_steps=5))


# Whole runs


@named(ALL)
def test_strongly_convex(method, own):
    known = strongly_convex_quadratic(10, identity=False)
    x, y = method(*functions(known), steps=40, **LOOPS, **own)
    # BDA's last inner step still has F in it, with a weight of .5 / 60.
    tol = 0.02 if method is bda else 1e-5
    assert known.error(x) < tol
    assert float((y - known.y).norm() / known.y.norm()) < tol
    assert known.error(x) > 1e-3 or method is not bda


@named({"RHG": UNROLLED["RHG"]}, TRUNCATED, IMPLICIT)
@pytest.mark.parametrize("warm_start", [True, False])
def test_merely_convex_rests_where_f_left_y(method, own, warm_start):
    known = merely_convex_counter_example(5)
    F, f, x0, y0 = functions(known)
    moves = Moves(x0)
    x, y = method(F, f, x0, y0, steps=80, warm_start=warm_start, callback=moves, **LOOPS, **own)
    assert moves.lengths[-1] < 1e-12
    assert known.error(x) > 0.1
    # They minimise F at the y2 that f does not see and therefore never moves: y2 = .01.
    assert torch.equal(y[5:], y0[5:])
    torch.testing.assert_close(x, torch.full_like(x, (1 + 0.01) / 2), rtol=1e-4, atol=0.0)


def test_merely_convex_bda_needs_to_go_on_from_its_last_y():
    known = merely_convex_counter_example(5)
    F, f, x0, y0 = functions(known)
    warm, y = bda(F, f, x0, y0, steps=60, **LOOPS)
    assert known.error(warm) < 1e-4
    assert float((y - known.y).norm() / known.y.norm()) < 1e-4
    moves = Moves(x0)
    restarted, _ = bda(F, f, x0, y0, steps=60, warm_start=False, callback=moves, **LOOPS)
    # The weights of F add up to no more than mix log T, so one inner loop leaves y2 on its way.
    assert moves.lengths[-1] < 1e-12
    assert 0.05 < known.error(restarted) < 0.1


def test_merely_convex_ours():
    known = merely_convex_counter_example(5)
    result = minimize(*functions(known))
    assert result.success
    assert known.error(result.x) < 1e-4
    assert float((result.y - known.y).norm() / known.y.norm()) < 1e-4


# The loop they share


def test_a_callback_ends_the_run():
    seen = []

    def callback(k, x, y):
        seen.append((k, x, y))
        return k == 2

    x, y = reverse_mode(upper, lower, X, Y, steps=9, callback=callback, **LOOPS)
    assert [k for k, _, _ in seen] == [0, 1, 2]
    assert x is seen[-1][1]
    assert y is seen[-1][2]


def test_warm_starts_go_on_from_the_last_y():
    options = LOOPS | {"inner_steps": 1}
    kept = []

    def callback(k, x, y):
        kept.append((x, y))

    for warm_start in (True, False):
        reverse_mode(
            upper, lower, X, Y, steps=2, warm_start=warm_start, callback=callback, **options
        )
    (x, first), (_, warm), _, (_, cold) = kept
    for found, begin in ((warm, first), (cold, Y)):
        _, expected = reverse_mode(upper, lower, x, begin, steps=1, **options)
        assert torch.equal(found, expected)
