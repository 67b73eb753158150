"""Metrics solve what they say they solve, column by column."""

from types import SimpleNamespace

import pytest
import torch

from skbamm.bilevel.metrics import (
    Cholesky,
    ConjugateGradient,
    Diagonal,
    DiagonalAndBlock,
    Identity,
    precondition,
)

S, K, M, P = 3, 2, 2, 4


class Product:
    """Matrices (S, K, m, p, p) as a map of directions."""

    def __init__(self, matrices):
        self.matrices = matrices
        self.calls = 0

    def __call__(self, directions):
        self.calls += 1
        return (self.matrices @ directions[..., None])[..., 0]

    def select(self, starts):
        return Product(self.matrices[starts])

    def at(self, *where):
        return self


def matrices(generator, folds=K, condition=10.0):
    shape = (S, folds, M, P, P)
    q, _ = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64))
    return q * torch.logspace(0, torch.tensor(condition).log10().item(), P).double() @ q.mT


def residuals(generator, right_sides=2):
    return torch.randn(right_sides, S, K, M, P, generator=generator, dtype=torch.float64)


def exact(matrix, r):
    return torch.linalg.solve(matrix, r[..., None])[..., 0]


def test_identity_gives_back_what_it_gets(generator):
    r = residuals(generator)
    assert Identity().solve(r) is r
    assert Identity().select([0]).solve(r) is r


@pytest.mark.parametrize(
    "violation, solved, steps", [(0.0, True, 0), (0.0, False, 1), (1e-3, True, 1)]
)
def test_a_step_past_kinks_is_taken_unless_none_is_in_the_way(violation, solved, steps):
    taken = []

    class Inside(Identity):
        def within(self, face):
            return self

        def step(self, y):
            taken.append(y)
            return -y

    y, r = torch.ones(1, 1, 1, P), torch.arange(4.0).expand(1, 1, 1, P)
    face = SimpleNamespace(violation=lambda: torch.tensor([[violation]]))
    d = SimpleNamespace(grad_y=r, residual_v=2 * r)
    p_y, p_v = precondition(Inside(), face, y, d, solved)
    assert len(taken) == steps and torch.equal(p_v, 2 * r)
    assert torch.equal(p_y, -y if steps else r)


def test_diagonal_divides(generator):
    r, diagonal = residuals(generator), torch.rand(S, K, M, P, generator=generator).double() + 1
    metric = Diagonal(diagonal)
    assert torch.equal(metric.solve(r), r / diagonal)
    assert torch.equal(metric.select([2, 0]).solve(r[:, [2, 0]]), (r / diagonal)[:, [2, 0]])


@pytest.mark.parametrize("index", [[[1, 3]], [[1, 3], [0, 2]]], ids=["shared", "own"])
def test_a_diagonal_and_a_block_are_the_inverse_of_both(generator, index):
    index = torch.tensor(index)
    block = matrices(generator, len(index))[..., :2, :2]
    diagonal, r = torch.rand(S, K, M, P, generator=generator).double() + 1, residuals(generator)
    whole = torch.diag_embed(diagonal)
    for k in range(K):
        own = index[k % len(index)]
        whole[:, k, :, own[:, None], own] = block[:, k % len(index)]
    metric = DiagonalAndBlock(diagonal, index, block)
    torch.testing.assert_close(metric.solve(r), exact(whole, r))
    some = metric.select([2, 0])
    torch.testing.assert_close(some.solve(r[:, [2, 0]]), exact(whole[[2, 0]], r[:, [2, 0]]))
    assert metric.at(torch.zeros(S, 1), None) is metric
    spread = metric.select([1]).at(torch.zeros(2, 1), None)
    torch.testing.assert_close(spread.solve(r[:, :2]), exact(whole[[1, 1]], r[:, :2]))


@pytest.mark.parametrize("folds", [K, 1])
@pytest.mark.parametrize("right_sides", [1, 3])
def test_cholesky_solves_for_every_column(generator, folds, right_sides):
    matrix, r = matrices(generator, folds), residuals(generator, right_sides)
    metric = Cholesky(matrix)
    torch.testing.assert_close(metric.solve(r), exact(matrix, r), rtol=1e-10, atol=1e-12)
    chosen = metric.select([2, 0]).solve(r[:, [2, 0]])
    torch.testing.assert_close(chosen, metric.solve(r)[:, [2, 0]])


def test_cholesky_is_shared_by_outputs_of_length_one(generator):
    matrix, r = matrices(generator)[:, :, :1], residuals(generator)
    expected = exact(matrix, r)
    torch.testing.assert_close(Cholesky(matrix).solve(r), expected, rtol=1e-10, atol=1e-12)


def test_cholesky_bears_features_of_any_scale(generator):
    scale = torch.tensor([1e7, 1e-7, 1.0, 1e4]).double()
    plain, r = matrices(generator), residuals(generator)
    matrix = plain * scale[:, None] * scale
    solved = Cholesky(matrix).solve(r * scale)
    torch.testing.assert_close(solved * scale, exact(plain, r), rtol=1e-8, atol=1e-10)


def test_cholesky_leaves_out_a_feature_that_is_not_there(generator):
    matrix, r = matrices(generator), residuals(generator)
    matrix[..., 1, :], matrix[..., :, 1] = 0, 0
    solved = Cholesky(matrix).solve(r)
    assert bool(torch.isfinite(solved).all())
    assert not solved[..., 1].any()
    keep = [0, 2, 3]
    expected = exact(matrix[..., keep, :][..., keep], r[..., keep])
    torch.testing.assert_close(solved[..., keep], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["singular", "indefinite", "zero"])
def test_cholesky_makes_the_best_of_what_is_not_positive_definite(generator, kind):
    matrix, r = matrices(generator), residuals(generator)
    if kind == "singular":
        column = torch.randn(S, K, M, P, 1, generator=generator, dtype=torch.float64)
        matrix = column @ column.mT
    elif kind == "indefinite":
        matrix = matrix - 1.5 * torch.eye(P)
    else:
        matrix = 0 * matrix
    solved = Cholesky(matrix).solve(r)
    assert bool(torch.isfinite(solved).all())
    assert bool(((solved * r).flatten(2).sum(-1) >= 0).all())


def test_one_bad_column_does_not_spoil_the_others(generator):
    matrix, r = matrices(generator), residuals(generator)
    matrix[0, 0] = -torch.eye(P).double()
    solved = Cholesky(matrix).solve(r)
    torch.testing.assert_close(solved[:, 1:], exact(matrix, r)[:, 1:], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(solved[:, 0, 1], exact(matrix, r)[:, 0, 1], rtol=1e-9, atol=1e-11)


def test_cholesky_keeps_the_precision_of_the_residuals(generator):
    r = residuals(generator).float()
    assert Cholesky(matrices(generator)).solve(r).dtype == torch.float32


def test_conjugate_gradients_solve_in_as_many_steps_as_there_are_unknowns(generator):
    matrix, r = matrices(generator), residuals(generator)
    metric = ConjugateGradient(Product(matrix), Identity(), M * P)
    torch.testing.assert_close(metric.solve(r), exact(matrix, r), rtol=1e-7, atol=1e-9)


def test_conjugate_gradients_leave_what_they_are_given(generator):
    matrix, r = matrices(generator), residuals(generator)
    before = r.clone()
    for inner in (Identity(), Cholesky(matrix)):
        ConjugateGradient(Product(matrix), inner, 5).solve(r)
        assert torch.equal(r, before)


def test_the_exact_preconditioner_needs_one_step(generator):
    matrix, r = matrices(generator), residuals(generator)
    metric = ConjugateGradient(Product(matrix), Cholesky(matrix), 1)
    torch.testing.assert_close(metric.solve(r), exact(matrix, r), rtol=1e-9, atol=1e-11)


def test_every_step_brings_it_nearer(generator):
    matrix, r = matrices(generator, condition=1e4), residuals(generator)
    errors = []
    for steps in range(1, 6):
        error = ConjugateGradient(Product(matrix), Identity(), steps).solve(r) - exact(matrix, r)
        errors.append(float((error * Product(matrix)(error)).sum()))
    assert errors == sorted(errors, reverse=True)


def test_a_tolerance_saves_steps(generator):
    r = residuals(generator)
    product = Product(matrices(generator))
    exact_metric = Cholesky(product.matrices)
    ConjugateGradient(product, exact_metric, 20, 0.1).solve(r)
    assert product.calls == 1


def test_starts_that_are_solved_leave(generator):
    matrix, r = matrices(generator, condition=1e3), residuals(generator)
    matrix[0] = torch.eye(P).double()  # solved in one step
    widths = []

    class Watched(Product):
        def __call__(self, directions):
            widths.append(directions.shape[1])
            return super().__call__(directions)

        def select(self, starts):
            return Watched(self.matrices[starts])

    metric = ConjugateGradient(Watched(matrix), Identity(), M * P, 1e-8)
    torch.testing.assert_close(metric.solve(r), exact(matrix, r), rtol=1e-6, atol=1e-8)
    assert widths[0] == S and widths[-1] == S - 1


def test_small_residuals_are_solved_further_than_large_ones(generator):
    """The fall asked for is the residual's own size: quadratic convergence costs no more."""
    matrix, r = matrices(generator, condition=2.0), residuals(generator)
    steps = []
    for size in (1.0, 1e-4):
        product = Product(matrix)
        right = r * size / r.norm()
        solved = ConjugateGradient(product, Identity(), M * P, 1e-6, 0.3).solve(right)
        steps.append(product.calls)
        left = (right - product(solved)).norm() / right.norm()
        assert float(left) <= max(size, 1e-6) * 3
    assert steps[0] < steps[1]


def test_a_column_far_ahead_of_the_others_gets_one_step(generator):
    matrix, r = matrices(generator, condition=1e3), residuals(generator)
    matrix[0], r[:, 1:] = torch.eye(P).double(), 1e-6 * r[:, 1:]
    product = Product(matrix)
    rough = ConjugateGradient(product, Identity(), M * P, 1e-6, ahead=1e-3).solve(r)
    assert product.calls == 1
    full = ConjugateGradient(product, Identity(), M * P, 1e-6).solve(r)
    torch.testing.assert_close(full, exact(matrix, r), rtol=1e-4, atol=1e-10)
    assert not torch.allclose(rough, full, rtol=1e-2, atol=0)


def test_right_hand_sides_do_not_mix(generator):
    matrix, r = matrices(generator), residuals(generator)
    metric = ConjugateGradient(Product(matrix), Identity(), 2)
    together = metric.solve(r)
    for i in range(2):
        torch.testing.assert_close(metric.solve(r[i : i + 1]), together[i : i + 1])
    chosen = metric.select([1]).solve(r[:, [1]])
    torch.testing.assert_close(chosen, together[:, [1]])


def test_a_solved_column_stays_finite(generator):
    matrix, r = matrices(generator), residuals(generator)
    r[:, 0] = 0
    solved = ConjugateGradient(Product(matrix), Identity(), 30).solve(r)
    assert not solved[:, 0].any()
    assert bool(torch.isfinite(solved).all())


class Ageing(Product):
    """Matrices that move away from where they were, a little at every ``at``."""

    def __init__(self, matrices, drift):
        super().__init__(matrices)
        self.drift = drift

    def at(self, *where):
        return Ageing(self.matrices + self.drift, self.drift)


def steps_until_outworn(generator, price, drift, limit=40):
    """Return the solves and the steps until a new preconditioner is asked for."""
    matrix, r = matrices(generator), residuals(generator)
    diagonal = drift * torch.arange(1.0, P + 1).double().diag()
    metric = ConjugateGradient(Ageing(matrix, diagonal), Cholesky(matrix), M * P, 1e-3, price=price)
    steps = 0
    for solves in range(1, limit):
        metric.solve(r)
        steps += metric.product.calls
        assert not (solves == 1 and metric.outworn(True))
        if metric.outworn(False):
            return solves, steps
        metric = metric.at(None, None).select([0, 1, 2])
    return limit, steps


def test_a_new_preconditioner_is_asked_for_once_ageing_has_cost_its_price(generator):
    solves, steps = steps_until_outworn(generator, 6.0, 0.5)
    assert 1 < solves < 40
    assert 6.0 <= steps - solves < 6.0 + 2 * P  # new, one step a solve would do
    dear, _ = steps_until_outworn(generator, 20.0, 0.5)
    assert dear > solves


def test_a_preconditioner_that_does_not_age_is_kept(generator):
    assert steps_until_outworn(generator, 0.5, 0.0)[0] == 40
    assert steps_until_outworn(generator, float("inf"), 0.5)[0] == 40


def test_what_is_as_good_anywhere_is_never_outworn(generator):
    assert not Identity().outworn(True)
    for metric in (Diagonal(torch.ones(S, K, M, P)), Cholesky(matrices(generator))):
        assert metric.outworn(True) and not metric.outworn(False)
