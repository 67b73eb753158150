"""GLMProblem: its closed forms are the derivatives of the formulas in its docstring."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.model_selection import KFold
from torch.autograd import grad

from skbamm.bilevel import solve_lower
from skbamm.criteria import make_criterion
from skbamm.folds import FoldWeights, FoldwiseRows
from skbamm.glm import GLMProblem, LeastSquaresProblem
from skbamm.glm.penalties import Squares
from skbamm.losses import HalfSquaredLoss, LogisticLoss, MultinomialLoss
from tests.problems import (
    ESTIMATORS,
    hessian,
    log_values,
    model_problem,
    own_solutions,
    rows_of,
    torch_logistic,
    torch_multinomial,
    torch_squared,
)

N, D, K, S = 30, 3, 2, 3
SPLITS = list(KFold(K, shuffle=True, random_state=0).split(np.zeros(N)))
LOSSES = {
    "logistic": (LogisticLoss(), torch_logistic, "log_loss"),
    "multinomial": (MultinomialLoss(3), torch_multinomial, "log_loss"),
    "squared": (HalfSquaredLoss(1), torch_squared, "squared_error"),
    "two outputs": (HalfSquaredLoss(2), torch_squared, "squared_error"),
    "root": (HalfSquaredLoss(1), torch_squared, "root_mean_squared_error"),
    "r2": (HalfSquaredLoss(1), torch_squared, "r2"),
}


CLASSIFIERS = [
    "ridge classifier, 2 classes",
    "ridge classifier, 3 classes",
    "logistic",
    "multinomial",
    "svc, 2 classes",
    "svc, 3 classes",
]


class Explicit:
    """One random problem, and its f and F of single columns written out for torch."""

    def __init__(self, name, fit_intercept, moments=False):
        self.loss, self.reference, criterion = LOSSES[name]
        rng = np.random.default_rng(0)
        m = self.loss.n_outputs
        X, target = rng.normal(size=(N, D)), rng.normal(size=(N, m))
        if "log" in criterion:
            target = rng.integers(0, max(m, 2), size=N).astype(float)
        elif m == 1:
            target = target[:, 0]
        weight = rng.uniform(0.5, 2, N)
        weights = FoldWeights(N, SPLITS, fit_weight=weight, score_weight=weight)
        self.rows = rows_of(X, target, weights, fit_intercept)
        self.X = torch.as_tensor(np.column_stack([X, np.ones(N)][: 1 + fit_intercept]))
        self.p = self.X.shape[1]
        self.target = torch.as_tensor(target)
        self.W, self.V = weights.chunk(0, N, torch.float64)
        self.total = weights.train_total
        mask = torch.ones(self.p, dtype=torch.float64)
        if fit_intercept:
            mask[-1] = 0.0

        def strength(x):
            # A vector penalty: each hyperparameter scales other features.
            groups = torch.arange(self.p) % 2
            return torch.exp(x)[..., groups][..., None, :] * mask

        self.strength = strength
        self.criterion = make_criterion(criterion, self.loss, self.target, weights)
        kind = LeastSquaresProblem if moments else GLMProblem
        losses = () if moments else (self.loss,)
        self.problem = kind(self.rows, *losses, Squares(strength), S, criterion=self.criterion)
        self.x = torch.as_tensor(rng.normal(size=(S, 2)))
        self.y, self.v = torch.as_tensor(rng.normal(size=(2, S, K, m, self.p)))

    def pointwise(self, y):
        return self.reference((self.X @ y.T)[:, :, None], self.target)[:, 0]

    def lower(self, s, k, x, y):
        strength = self.strength(x[None])[0]
        return (self.W[:, k] * self.pointwise(y)).sum() + (strength * y**2).sum() / (
            2 * self.total[k]
        )

    def average(self, k, y):
        return (self.V[:, k] * self.pointwise(y)).sum()

    def share(self, k, y):
        criterion = self.criterion.by_fold()
        return criterion.shares(self.average(k, y).expand(1, K))[0, k]


@pytest.fixture(params=[(name, ones) for name in LOSSES for ones in (True, False)], ids=str)
def explicit(request):
    return Explicit(*request.param)


def columns():
    return [(s, k) for s in range(S) for k in range(K)]


@pytest.mark.parametrize("mu", [0.0, 0.3])
def test_directions_are_derivatives(explicit, mu):
    """Against torch, column by column.

    A multiplier, and F inside phi, may carry a factor c of their column's own, as long as the
    hypergradient takes it back: here, the slope of F in the average of its loss.
    """
    e = explicit
    found = e.problem.directions(e.x, e.y, e.v, mu)
    close = {"rtol": 1e-9, "atol": 1e-10}
    for s, k in columns():
        x, y = e.x[s].clone().requires_grad_(), e.y[s, k].clone().requires_grad_()
        v = e.v[s, k]
        share, lower = e.share(k, y), e.lower(s, k, x, y)
        torch.testing.assert_close(found.upper[s, k], share.detach(), **close)
        torch.testing.assert_close(found.lower[s, k], lower.detach(), **close)
        (slope,) = grad(share, y, retain_graph=True)
        average = e.average(k, y)
        (pull,) = grad(average, y, retain_graph=True)
        factor = (slope * pull).sum() / (pull * pull).sum()
        torch.testing.assert_close(slope, factor * pull, **close)
        phi = mu * average + (1 - mu) * lower
        (gradient,) = grad(phi, y, create_graph=True)
        torch.testing.assert_close(found.grad_y[s, k], gradient.detach(), **close)
        cross, product = grad((gradient * v).sum(), [x, y])
        torch.testing.assert_close(found.residual_v[s, k], product - pull, **close)
        torch.testing.assert_close(found.grad_x[s, k], -factor * cross, **close)


def test_upper_is_that_of_directions(explicit):
    e = explicit
    found = e.problem.directions(e.x, e.y, e.v, 0.0).upper
    torch.testing.assert_close(e.problem.upper(e.y), found, rtol=1e-12, atol=1e-12)


def test_what_a_pass_keeps_for_products_is_what_they_would_make(explicit):
    e = explicit
    made = e.problem.keep_curvature(e.y)  # from now on passes keep it
    e.problem.directions(e.x, e.y, e.v, 0.0)
    for part, known in zip(e.problem.keep_curvature(e.y), made, strict=True):
        assert part is not known
        torch.testing.assert_close(part, known)
    other = e.y + 0.1
    e.problem.lower(e.x, other)
    fresh = e.problem.metric_rows.keep(
        other[None], lambda z, chunk: e.loss.curvature(z, chunk.target)
    )
    for part, known in zip(e.problem.keep_curvature(other), fresh, strict=True):
        torch.testing.assert_close(part, known)


def test_lower_is_phi_without_averaging(explicit):
    e = explicit
    value, gradient = e.problem.lower(e.x, e.y)
    found = e.problem.directions(e.x, e.y, e.v, 0.0)
    torch.testing.assert_close(value, found.lower, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, found.grad_y, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("mu", [0.0, 0.3])
def test_hessian_products_of_several_directions(explicit, mu):
    e = explicit
    directions = torch.stack([e.v, e.y, -2 * e.v])
    products = e.problem.hessian_product(e.x, e.y, directions, mu)
    for s, k in columns():
        y = e.y[s, k]

        def phi(y, s=s, k=k):
            return mu * e.average(k, y) + (1 - mu) * e.lower(s, k, e.x[s], y)

        matrix = torch.autograd.functional.hessian(phi, y).reshape(y.numel(), -1)
        for got, direction in zip(products[:, s, k], directions[:, s, k], strict=True):
            expected = (matrix @ direction.flatten()).view_as(got)
            torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-10)


def test_hypergradient_at_another_point_needs_no_pass(explicit):
    e = explicit
    found = e.problem.directions(e.x, e.y, e.v, 0.0)
    again = e.problem.grad_x(e.x, e.y, e.v, 0.0, found.upper)
    torch.testing.assert_close(again, found.grad_x)


def test_starts_that_are_selected_are_the_same_problem(explicit):
    e = explicit
    keep = [2, 0]
    whole = e.problem.directions(e.x, e.y, e.v, 0.0)
    part = e.problem.select(keep).directions(e.x[keep], e.y[keep], e.v[keep], 0.0)
    for name in ("upper", "lower", "grad_y", "residual_v", "grad_x"):
        torch.testing.assert_close(getattr(part, name), getattr(whole, name)[keep])


def test_x_is_clipped_to_its_bounds():
    estimator, X, y = ESTIMATORS["ridge"]
    problem = model_problem(estimator, X, y, [(np.arange(9), np.arange(9, 20))], bounds=(-1, 2))
    x = torch.tensor([[-5.0], [0.5], [3.0]], dtype=torch.float64)
    assert problem.project(x).flatten().tolist() == [-1.0, 0.5, 2.0]


def test_start_is_zero_in_the_working_precision():
    estimator, X, y = ESTIMATORS["multinomial"]
    splits = [(np.arange(len(y)), np.arange(0))]
    problem = model_problem(estimator, X, y, splits, starts=2, dtype=torch.float32)
    start = problem.start(torch.zeros(2, 1))
    assert start.shape == (2, 1, 3, X.shape[1] + 1) and start.dtype == torch.float32
    assert not start.any()


# Solutions against scikit-learn's own


def check_solutions(estimator, X, y, splits, values, *, sample_weight=None, rtol=1e-6, **options):
    """Hold solutions of several values against scikit-learn's own fits."""
    starts = len(values)
    problem = model_problem(
        estimator, X, y, splits, sample_weight=sample_weight, starts=starts, **options
    )
    result = solve_lower(problem, log_values(*values), tol=1e-11)
    assert bool(result.converged.all())
    coefficients = problem.coefficients(result.y)
    name = "C" if hasattr(estimator, "C") else "alpha"
    intercept = estimator.fit_intercept
    for s, value in enumerate(values):
        estimator.set_params(**{name: value})
        slopes, intercepts = own_solutions(estimator, X, y, splits, sample_weight)
        got = coefficients[s].numpy()
        found = got[..., :-1] if intercept else got
        assert np.linalg.norm(found - slopes) < rtol * np.linalg.norm(slopes)
        if intercept:
            scale = np.abs(intercepts).max() + np.abs(slopes).max()
            np.testing.assert_allclose(got[..., -1], intercepts, atol=rtol * scale)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solutions_are_scikit_learns(model, fit_intercept):
    estimator, X, y, splits = model
    check_solutions(estimator.set_params(fit_intercept=fit_intercept), X, y, splits, [0.1, 3.0])


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solutions_with_sample_weights(model, fit_intercept):
    estimator, X, y, splits = model
    weight = np.random.default_rng(0).uniform(0.2, 3, len(y))
    estimator.set_params(fit_intercept=fit_intercept)
    check_solutions(estimator, X, y, splits, [0.5], sample_weight=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("kind", ["balanced", "given"])
def test_solutions_with_class_weights(name, kind, weighted):
    estimator, X, y = ESTIMATORS[name]
    if (name, kind) == ("svc, 3 classes", "balanced"):
        pytest.skip("liblinear's weights of several classes would differ from fold to fold")
    class_weight = kind if kind == "balanced" else {0: 0.3, 1: 2.0}
    splits = list(KFold(3, shuffle=True, random_state=1).split(X))
    weight = np.random.default_rng(0).uniform(0.2, 3, len(y)) if weighted else None
    chosen = type(estimator)(**estimator.get_params() | {"class_weight": class_weight})
    check_solutions(chosen, X, y, splits, [0.5], sample_weight=weight)


def test_solutions_on_repeated_rows(single):
    estimator, X, y, _ = single
    rng = np.random.default_rng(0)
    splits = [(rng.integers(0, len(y), len(y)), np.arange(5)) for _ in range(2)]
    check_solutions(estimator, X, y, splits, [0.5])


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_solutions_are_the_dense_ones(single, fit_intercept):
    estimator, X, y, splits = single
    X = X * (X > 0.5)
    estimator.set_params(fit_intercept=fit_intercept)
    if "solver" in estimator.get_params():
        estimator.set_params(solver="sparse_cg" if hasattr(estimator, "alpha") else "lbfgs")
    dense, sparse = (
        model_problem(estimator, matrix, y, splits, starts=2) for matrix in (X, sp.csr_array(X))
    )
    x = log_values(0.1, 10)
    ours, expected = (solve_lower(problem, x, tol=1e-11).y for problem in (sparse, dense))
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-7 * float(expected.abs().max()))


def test_folds_with_matrices_of_their_own():
    """Each fold of a pipeline sees features of its own; its solution is scikit-learn's."""
    estimator, X, y = ESTIMATORS["logistic"]
    splits = list(KFold(2, shuffle=True, random_state=0).split(X))
    scales = [np.linspace(1, 3, X.shape[1]), np.linspace(2, 0.5, X.shape[1])]
    parts = [
        rows_of(X * scale, y, FoldWeights(len(y), [split]))
        for scale, split in zip(scales, splits, strict=True)
    ]
    mask = torch.ones(X.shape[1] + 1, dtype=torch.float64)
    mask[-1] = 0.0
    rows = FoldwiseRows(parts)
    problem = GLMProblem(rows, LogisticLoss(), Squares(lambda x: torch.exp(-x)[:, None] * mask), 1)
    result = solve_lower(problem, log_values(0.5), tol=1e-11)
    for k, (scale, split) in enumerate(zip(scales, splits, strict=True)):
        slopes, _ = own_solutions(estimator.set_params(C=0.5), X * scale, y, [split])
        np.testing.assert_allclose(result.y[0, k, :, :-1], slopes[0], rtol=1e-5, atol=1e-7)


def test_the_hessian_is_symmetric_and_positive(model):
    estimator, X, y, splits = model
    problem = model_problem(estimator, X, y, splits, starts=1)
    x = log_values(1.0)
    found = hessian(problem, x, 0.1 * torch.ones_like(problem.start(x)))
    torch.testing.assert_close(found, found.mT, rtol=1e-9, atol=1e-12)
    lowest = torch.linalg.eigvalsh(found)[..., 0]
    # A softmax with a free intercept is flat in one direction.
    assert bool((lowest > (-1e-10 if problem.loss.couples_outputs else 0)).all())
