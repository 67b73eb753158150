"""Row weights as upper-level variables: hypergradients are slopes of F at exact fold models."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.autograd.functional import jacobian

from skbamm.bilevel import solve_lower
from skbamm.criteria import make_criterion
from skbamm.folds import FoldWeights, FoldwiseRows
from skbamm.glm.penalties import Squares
from skbamm.losses import HalfSquaredLoss, LogisticLoss, MultinomialLoss
from skbamm.weights.problem import ClassMasses, WeightedGLMProblem
from skbamm.weights.weightings import FLOOR, FreeWeights, GroupWeights, ScoreWeights
from tests.problems import rows_of

N, D = 24, 3
SPLITS = [(np.arange(8, N), np.arange(8)), (np.delete(np.arange(N), np.s_[6:15]), np.arange(6, 15))]
QUALITY = torch.linspace(0.15, 0.95, N, dtype=torch.float64)[torch.randperm(
    N, generator=torch.Generator().manual_seed(0)
)]  # fmt: skip
SHARE = torch.linspace(1, 3, N, dtype=torch.float64)
SHARE = SHARE / SHARE.sum()
TRUSTED = torch.arange(N) % 8 == 5
NONE = torch.zeros(N, dtype=torch.bool)
GROUP = torch.arange(N) % 4
LABEL = torch.arange(N) % 5 % 3  # classes that have nothing to do with groups
MASS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
MASK = torch.tensor([1.0] * D + [0.0], dtype=torch.float64)

MODELS = {
    "multinomial": (MultinomialLoss(3), "expected_error"),
    "balanced": (MultinomialLoss(3), "balanced_expected_error"),
    "binary": (LogisticLoss(), "expected_error"),
    "log loss": (LogisticLoss(), "log_loss"),
    "squared": (HalfSquaredLoss(), "bounded_squared_error"),
    "r2": (HalfSquaredLoss(), "r2"),
}


def free(trusted=NONE):
    return FreeWeights(trusted)


def groups(trusted=NONE):
    return GroupWeights(GROUP, trusted)


def score(trusted=NONE):
    return ScoreWeights(torch.where(trusted, torch.inf, torch.logit(QUALITY)))


WEIGHTINGS = {"free": free, "groups": groups, "score": score}


@dataclass
class Solved:
    """A problem, its x, and the exact models and multipliers there."""

    problem: WeightedGLMProblem
    x: torch.Tensor
    y: torch.Tensor

    def multiplier(self):
        v, metric = torch.zeros_like(self.y), self.problem.curvature(self.x, self.y, 0.0)
        for _ in range(60):
            residual = self.problem.directions(self.x, self.y, v, 0.0).residual_v
            if float(residual.abs().max()) < 1e-11 * (1 + float(v.abs().max())):
                return v
            v = v - metric.solve(residual[None])[0]
        raise AssertionError("the multiplier was not found")

    def hypergradient(self):
        found = self.problem.directions(self.x, self.y, self.multiplier(), 0.0)
        return found.grad_x.sum(1)[0]


def data(name):
    """Return X, the target and the loss; the target has little to do with X."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D))
    loss, criterion = MODELS[name]
    noisy = X @ rng.normal(size=D) + rng.normal(size=N)
    classes = max(loss.n_outputs, 2)
    if isinstance(loss, HalfSquaredLoss):
        target = noisy
    else:
        target = noisy.argsort().argsort() * classes // N
    return X, target.astype(float), loss, criterion


def make(name="binary", weighting=None, *, form=np.asarray, share=SHARE, prior=0.4, **options):
    X, target, loss, criterion = data(name)
    weights = FoldWeights(N, SPLITS)
    if form == "foldwise":
        places, parts = [], []
        for k, split in enumerate(SPLITS):
            order = np.random.default_rng(k).permutation(N)
            local = [tuple(order.argsort()[part] for part in split)]
            parts.append(rows_of(X[order] + k, target[order], FoldWeights(N, local)))
            places.append(torch.as_tensor(order))
        rows = FoldwiseRows(parts, places)
    else:
        rows = rows_of(form(X), target, weights)
    end = torch.tensor([5.0], dtype=torch.float64)
    return WeightedGLMProblem(
        rows, loss, Squares(lambda x: torch.exp(-x[:, 0])[:, None, None] * MASK),
        weighting or free(),
        criterion=make_criterion(criterion, loss, torch.as_tensor(target), weights),
        bounds=(-end, end), prior=prior, classes=ClassMasses(share, LABEL, MASS), **options,
    )  # fmt: skip


def begin(problem, first=0.3):
    """Return the x that a search would begin at."""
    start = problem.weighting.start(QUALITY) + 0.03
    return torch.cat([torch.tensor([first], dtype=torch.float64), start])[None]


def solved(problem, x=None, near=None):
    x = begin(problem) if x is None else x
    found = solve_lower(problem, x, near, tol=1e-12)
    assert bool(found.converged.all())
    return Solved(problem, x, found.y)


def upper(problem, x, near=None):
    """Return F at the exact models."""
    y = solved(problem, x, near).y
    return float(problem.directions(x, y, torch.zeros_like(y), 0.0).upper.sum())


def check(problem, entries=None):
    """Hold the hypergradient against central differences of F."""
    at = solved(problem)
    found = at.hypergradient()
    if entries is None:
        entries = range(at.x.shape[1])
    expected, step = [], 2e-4
    for entry in entries:
        move = torch.zeros_like(at.x)
        move[0, entry] = step
        rise = upper(problem, at.x + move, at.y) - upper(problem, at.x - move, at.y)
        expected.append(rise / (2 * step))
    expected = torch.tensor(expected, dtype=torch.float64)
    scale = float(found.abs().max())
    torch.testing.assert_close(found[list(entries)], expected, rtol=1e-5, atol=1e-6 * scale)


SOME = [0, 1, 6, 12, 24]  # the penalty, and rows of one fold, of both, and of none


@pytest.mark.parametrize("name", MODELS)
def test_hypergradients_of_every_model(name):
    check(make(name), SOME)


@pytest.mark.parametrize("trusted", [NONE, TRUSTED], ids=["none trusted", "some trusted"])
@pytest.mark.parametrize("kind", ["groups", "score"])
@pytest.mark.parametrize("name", ["multinomial", "squared"])
def test_hypergradients_of_few_parameters(name, kind, trusted):
    check(make(name, WEIGHTINGS[kind](trusted)))


@pytest.mark.parametrize("kind", WEIGHTINGS)
@pytest.mark.parametrize("form", [lambda X: sp.csr_array(X * (X > 0)), "foldwise"])
def test_hypergradients_on_other_rows(form, kind):
    problem = make("multinomial", WEIGHTINGS[kind](), form=form)
    check(problem, SOME if kind == "free" else None)


@pytest.mark.parametrize(
    ("form", "mu"), [(np.asarray, 0.0), (np.asarray, 0.3), (sp.csr_array, 0.0), ("foldwise", 0.0)]
)
@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_hypergradients_away_from_the_solution(form, kind, mu):
    """At fixed y and v they are the slopes of F less the multiplier times the gradient of phi."""
    problem = make("log loss", WEIGHTINGS[kind](TRUSTED), form=form)
    x, generator = begin(problem), torch.Generator().manual_seed(0)
    y, v = torch.randn(2, *problem.y_shape, generator=generator, dtype=torch.float64)

    def lagrangian(x):
        found = problem.directions(x, y, v, mu)
        return float((found.upper - found.upper_lag).sum())

    expected = torch.empty_like(x[0])
    for entry, move in enumerate(1e-5 * torch.eye(len(expected), dtype=torch.float64)):
        expected[entry] = (lagrangian(x + move) - lagrangian(x - move)) / 2e-5
    found = problem.directions(x, y, v, mu).grad_x.sum(1)[0]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_hypergradients_of_even_shares_and_mean_losses():
    check(make(share=torch.full_like(SHARE, 1 / N)), SOME)
    check(make(mean_loss=True), SOME)


def test_the_hypergradient_of_a_row_that_is_never_trained_on_is_the_prior_and_the_mean():
    """Row 7 is validated on in both folds: its weight only takes some from others of its class."""
    problem = make(prior=0.0)
    assert not problem.plain.weights.chunk(7, 8, torch.float64)[0].any()
    found = solved(problem).hypergradient()[1:]
    w = problem.weights(begin(problem))
    # A factor of all weights of a class changes nothing, so the slopes along w cancel.
    for c in range(3):
        along = float(found[c == LABEL] @ w[c == LABEL])
        assert along == pytest.approx(0, abs=1e-10 * float(found.abs().max()))
    assert float(found[7]) != 0


def test_a_factor_of_each_class_changes_only_the_prior():
    problem, free_of_prior = make("multinomial"), make("multinomial", prior=0.0)
    x = begin(problem)
    smaller = x.clone()
    smaller[0, 1:] *= torch.tensor([0.4, 0.9, 0.2], dtype=torch.float64)[LABEL]
    one, other = solved(problem, x), solved(problem, smaller)
    torch.testing.assert_close(other.y, one.y, rtol=1e-8, atol=1e-9)
    assert upper(free_of_prior, smaller) == pytest.approx(upper(free_of_prior, x), rel=1e-9)
    lost = float(SHARE @ (x - smaller)[0, 1:])
    null = problem.criterion.null
    rise = upper(problem, smaller) - upper(problem, x)
    assert rise == pytest.approx(0.4 / null * lost, rel=1e-7)


def test_equal_weights_are_the_plain_models():
    problem = make("multinomial")
    x = torch.cat([torch.tensor([0.3]), torch.full((N,), 0.2)]).double()[None]
    plain = make("multinomial", GroupWeights(0 * GROUP, torch.ones_like(NONE)))
    alone = torch.tensor([[0.3, 0.7]], dtype=torch.float64)  # a group of trusted rows only
    torch.testing.assert_close(solved(problem, x).y, solved(plain, alone).y, rtol=1e-7, atol=1e-8)


def test_weights_are_those_of_fits_with_sample_weights():
    """The folds' models are stationary points of the weighted loss beside the penalty."""
    problem = make("squared", share=torch.full_like(SHARE, 1 / N))
    at = solved(problem)
    X, target, _, _ = data("squared")
    X = torch.cat([torch.as_tensor(X), torch.ones(N, 1)], 1)
    w = at.x[0, 1:].clone()
    for c, mass in enumerate(MASS):
        w[c == LABEL] *= mass * N / w[c == LABEL].sum()
    for k, (train, _) in enumerate(SPLITS):
        A = X[train].T @ (w[train, None] * X[train]) + torch.diag(torch.exp(-at.x[0, 0]) * MASK)
        b = X[train].T @ (w[train] * torch.as_tensor(target)[train])
        expected = torch.linalg.solve(A, b)
        torch.testing.assert_close(at.y[0, k, 0], expected, rtol=1e-8, atol=1e-9)


def test_moving_x_back_and_forth_leaves_no_trace():
    problem = make()
    x, y = begin(problem), solved(make()).y
    other = x.clone()
    other[0, 1:] = 0.9
    first = problem.lower(x, y)
    changed = problem.lower(other, y)
    again = problem.lower(x, y)
    assert not torch.equal(changed[1], first[1])
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    x[0, 1:] = 0.9  # in place
    torch.testing.assert_close(problem.lower(x, y)[1], changed[1], rtol=0, atol=0)


def test_the_user_rows_keep_their_weights():
    problem = make()
    before = problem.plain.weights.chunk(0, N, torch.float64)[0]
    solved(problem)
    assert torch.equal(problem.plain.weights.chunk(0, N, torch.float64)[0], before)


def test_projection_keeps_weights_in_their_bounds():
    problem = make(weighting=free(TRUSTED))
    x = torch.linspace(-9, 9, N + 1, dtype=torch.float64)[None]
    w = problem.weights(problem.project(x))
    assert float(w.min()) == pytest.approx(FLOOR) and float(w.max()) == 1
    assert bool((w[TRUSTED] == 1).all())
    assert problem.project(x)[0, 0] == -5


def test_one_row_a_group_is_a_weight_a_row():
    alone = GroupWeights(torch.arange(N), NONE)
    one, other = make("multinomial"), make("multinomial", alone)
    x = begin(one)
    torch.testing.assert_close(begin(other), x)
    torch.testing.assert_close(other.weights(x), one.weights(x), rtol=0, atol=0)
    found = [solved(problem, x).hypergradient() for problem in (one, other)]
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-12)


# Weightings


def parameters(weighting):
    """Return parameters within the bounds, away from the start."""
    low, high = weighting.bounds
    mix = torch.rand(len(low), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return low + (0.3 + 0.4 * mix) * (high - low)


@pytest.mark.parametrize("trusted", [NONE, TRUSTED], ids=["none trusted", "some trusted"])
@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_pull_is_the_transpose_of_the_derivative(kind, trusted):
    weighting = WEIGHTINGS[kind](trusted)
    t = parameters(weighting)
    generator = torch.Generator().manual_seed(1)
    gradient = torch.randn(3, N, generator=generator, dtype=torch.float64)
    derivative = jacobian(weighting.weights, t)  # (n, q)
    torch.testing.assert_close(weighting.pull(t, gradient), gradient @ derivative)


@pytest.mark.parametrize("trusted", [NONE, TRUSTED], ids=["none trusted", "some trusted"])
@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_weights_stay_between_the_floor_and_one(kind, trusted):
    weighting = WEIGHTINGS[kind](trusted)
    for t in (*weighting.bounds, parameters(weighting)):
        w = weighting.weights(t)
        assert w.shape == (N,) and w.dtype == torch.float64
        assert float(w.min()) >= FLOOR and float(w.max()) <= 1 + 1e-12
        inside = weighting.bounds[0].lt(weighting.bounds[1]).any()
        assert bool(inside) and bool((w[trusted] == 1).all())


@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_starts_are_within_their_bounds(kind):
    for quality in (QUALITY, torch.zeros_like(QUALITY), torch.ones_like(QUALITY)):
        weighting = WEIGHTINGS[kind](TRUSTED)
        t, (low, high) = weighting.start(quality), weighting.bounds
        assert t.shape == low.shape
        assert bool((low <= t).all()) and bool((t <= high).all())


@pytest.mark.parametrize("kind", ["free", "score"])
def test_rows_begin_with_their_quality(kind):
    weighting = WEIGHTINGS[kind](TRUSTED)
    w = weighting.weights(weighting.start(QUALITY))
    expected = torch.where(TRUSTED, 1.0, QUALITY)
    torch.testing.assert_close(w, expected, rtol=0, atol=FLOOR)


def test_groups_begin_with_their_mean_quality():
    t = groups().start(QUALITY)
    expected = torch.stack([QUALITY[g == GROUP].mean() for g in range(4)])
    torch.testing.assert_close(t, expected)


def test_groups_may_be_empty():
    weighting = GroupWeights(2 * GROUP, NONE)  # 1, 3 and 5 have no row
    t = weighting.start(QUALITY)
    assert t.shape == (7,) and bool(torch.isfinite(t).all())
    pulled = weighting.pull(t, torch.ones(2, N, dtype=torch.float64))
    assert pulled.tolist() == [[6.0, 0, 6, 0, 6, 0, 6]] * 2


def test_margins_of_any_size_have_slopes():
    weighting = ScoreWeights(torch.tensor([-1e300, -1e3, 0, 1e3, torch.inf]).double())
    for t in (*weighting.bounds, torch.zeros(2).double()):
        gradient = torch.eye(5, dtype=torch.float64)
        assert bool(torch.isfinite(weighting.pull(t, gradient)).all())
        assert bool(torch.isfinite(weighting.weights(t)).all())
