"""`minimize`: known answers by every option, structures of tensors, and clear errors."""

import gc
from itertools import cycle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbamm.bilevel import Status, minimize, solve_lower, strongly_convex
from tests.bilevel.test_loop import CRITERIA, model
from tests.pairs import pairwise, turns
from tests.problems import (
    biased_by_averaging,
    logistic_penalty,
    merely_convex_counter_example,
    simplex_constrained,
    strongly_convex_quadratic,
)

CATALOGUE = {
    "strongly convex, identity": strongly_convex_quadratic,
    "strongly convex, random": lambda **kw: strongly_convex_quadratic(identity=False, **kw),
    "merely convex": merely_convex_counter_example,
    "biased by averaging": biased_by_averaging,
    "simplex": simplex_constrained,
    "logistic": logistic_penalty,
}
FLAT = ("merely convex", "biased by averaging")
SMALL = {
    **CATALOGUE,
    "strongly convex, identity": lambda: strongly_convex_quadratic(6),
    "strongly convex, random": lambda: strongly_convex_quadratic(6, identity=False),
    "merely convex": lambda: merely_convex_counter_example(6),
}
ZERO = torch.zeros(2, dtype=torch.float64)


def run(known, *, dtype=torch.float64, **options):
    """Run `minimize` on a known problem, in a precision."""
    problem = known.problem

    def as_dtype(function):
        return lambda x, y: function(x.double(), y.double()).to(dtype)

    options = {"projection": problem._projection, "max_iter": 2000, **options}
    return minimize(
        as_dtype(problem._upper), as_dtype(problem._lower),
        known.x0[0].to(dtype), problem._y0.to(dtype), **options,
    )  # fmt: skip


def error_of_y(known, y):
    return float((y.double() - known.y).norm() / known.y.norm())


def upper(x, y):
    return ((y - 1) ** 2).sum() / 2 + (x**2).sum() / 2


def lower(x, y):
    return ((y - x) ** 2).sum() / 2


# Known answers


@pytest.mark.parametrize(("name", "form"), turns(CATALOGUE, ["jacobi", "gauss-seidel"]))
def test_auto_finds_the_known_answer(name, form):
    known = CATALOGUE[name]()
    result = run(known, form=form)
    assert result.success and result.nit <= 2000
    assert known.error(result.x) < (1e-4 if name == "logistic" else 1e-6)
    assert error_of_y(known, result.y) < (1e-4 if name == "logistic" else 1e-6)
    assert (result.history["mu"][-1] > 0) == (name in FLAT)


@pytest.mark.parametrize("name", [n for n in CATALOGUE if n != "logistic"])
def test_single_precision(name):
    known = CATALOGUE[name]()
    result = run(known, dtype=torch.float32, tol=1e-4)
    assert result.success
    assert result.x.dtype == result.y.dtype == result.v.dtype == torch.float32
    assert known.error(result.x.double()) < 1e-4
    assert error_of_y(known, result.y) < 1e-4


METRICS = ["identity", "cg", "newton", "own"]
# The forms take turns, so that each problem has both and so has each metric.
FORMS = [
    (name, metric, ("jacobi", "gauss-seidel")[(i + j) % 2])
    for i, name in enumerate(SMALL)
    for j, metric in enumerate(METRICS)
]


@pytest.mark.parametrize(("name", "preconditioner", "form"), FORMS)
def test_every_metric_and_form(name, preconditioner, form):
    known = SMALL[name]()
    if preconditioner == "own":
        if name in FLAT:
            pytest.skip("the metric would have to know the weight")
        preconditioner = own_metric(known)
    result = run(known, preconditioner=preconditioner, form=form, max_iter=600, tol=1e-5)
    if preconditioner == "identity" and name in (*FLAT, "logistic"):
        # Plain gradients follow neither a vanishing weight nor collinear features, and the
        # status says so.
        assert not result.success
        return
    assert result.success
    assert max(result.kkt_residual) <= 1e-5
    assert known.error(result.x) < (1e-2 if name == "logistic" else 1e-4)


def own_metric(known):
    """The Hessian of f, as a user would give it."""

    def metric(x, y, residual):
        def f(y):
            return known.problem._lower(x, y)

        return torch.linalg.solve(torch.autograd.functional.hessian(f, y), residual)

    return metric


# Every pair of two options; the problems take turns.
OPTIONS = [
    (name, *options)
    for name, options in zip(
        cycle(SMALL),
        pairwise(
            ["strongly_convex", "merely_convex"],
            [None, "identity", "cg", "newton"],
            ["auto", 0.0, 0.2, lambda k: 0.5 / (k + 1)],
            ["jacobi", "gauss-seidel"],
        ),
        strict=False,
    )
]


@pytest.mark.parametrize(("name", "schedule", "preconditioner", "averaging", "form"), OPTIONS)
def test_every_option_with_a_published_schedule(name, schedule, preconditioner, averaging, form):
    known = SMALL[name]()
    options = {"averaging": averaging, "preconditioner": preconditioner, "form": form}
    result = run(known, schedule=schedule, max_iter=8, **options)
    assert result.status is Status.MAX_ITER and np.isfinite(result.fun)
    published = 0.0 if schedule == "strongly_convex" else 0.9
    first = {"auto": published, 0.0: 0.0, 0.2: 0.2}.get(averaging, 0.5)
    assert result.history["mu"][0] == first
    if name.startswith("strongly"):
        assert known.error(result.x) < known.error(known.x0[0])


def test_published_schedule_on_the_strongly_convex_problem():
    """7e-10 for identity matrices in an independent run, with the publication's lengths."""
    known, errors = strongly_convex_quadratic(), []
    run(
        known, schedule="strongly_convex", max_iter=2500, tol=0.0,
        callback=lambda k, x, value: errors.append(known.error(x)),
    )  # fmt: skip
    assert errors[-1] < 1e-4
    assert all(b < 0.6 * a for a, b in zip(errors[::500], errors[500::500], strict=False))


def test_published_schedule_on_random_matrices():
    known, errors = strongly_convex_quadratic(identity=False), []
    run(
        known, schedule="strongly_convex", max_iter=2500, tol=0.0,
        callback=lambda k, x, value: errors.append(known.error(x)),
    )  # fmt: skip
    assert errors[-1] < 1e-3
    assert all(b < 0.8 * a for a, b in zip(errors[::500], errors[500::500], strict=False))


def test_published_schedule_on_the_merely_convex_problem():
    known = merely_convex_counter_example()
    result = run(known, schedule="merely_convex", max_iter=3300)
    assert known.error(result.x) < 1e-3
    assert not result.success  # its weight vanishes too slowly for that


def test_constants_of_a_published_schedule():
    known = strongly_convex_quadratic(4)
    slow = run(known, schedule=strongly_convex(alpha=1e-6), max_iter=50)
    fast = run(known, schedule=strongly_convex(alpha=1e-2), max_iter=50)
    assert known.error(fast.x) < 0.9 * known.error(slow.x)


@pytest.mark.parametrize("mu", [0.1, 0.3])
def test_a_frozen_weight_goes_to_the_biased_value(mu):
    a, c = 1.0, 0.5
    result = run(biased_by_averaging(a, c), averaging=mu, tol=1e-8)
    biased = (1 - mu) ** 2 * a / (c + (1 - mu) ** 2)
    assert float(result.x) == pytest.approx(biased, abs=1e-6)
    assert abs(float(result.x) - a / (1 + c)) > 0.02


def test_without_a_weight_what_f_does_not_see_stays():
    known = biased_by_averaging()
    result = run(known, averaging=0.0)
    assert float(result.y[1]) == pytest.approx(2.0)
    assert known.error(result.x) > 0.1


@settings(max_examples=9, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 5),
    flat=st.integers(0, 2),
    scale=st.sampled_from([1e-2, 1.0, 1e2]),
    form=st.sampled_from(["jacobi", "gauss-seidel"]),
)
def test_success_means_solved(seed, n, flat, scale, form):
    """Random quadratics, with directions that f does not see, against a linear solve."""
    rng = np.random.default_rng(seed)
    B = torch.as_tensor(rng.normal(size=(n, n)))
    A = torch.as_tensor(scale * (np.eye(n) + 0.3 * np.diag(rng.uniform(size=n))))
    t, h = torch.as_tensor(rng.normal(size=n + flat)), torch.as_tensor(rng.normal(size=n))

    def upper(x, y):
        return ((y - t) ** 2).sum() / 2 + ((x - h) ** 2).sum() / 2 + y[n:].sum() * x[0]

    def lower(x, y):
        z = y[:n]
        return z @ A @ z / 2 - x @ B @ z

    y0 = torch.zeros(n + flat, dtype=torch.float64)
    result = minimize(upper, lower, 0 * h, y0, form=form, max_iter=3000)
    assert np.isfinite(result.fun)
    if not result.success:
        return
    assert max(result.kkt_residual) <= 1e-6
    # What f leaves free minimises F; the rest is linear in x.
    M = torch.linalg.solve(A, B.T)
    e = torch.zeros(n, dtype=torch.float64)
    e[0] = 1.0
    H = M.T @ M + torch.eye(n).double() - flat * torch.outer(e, e)
    if float(torch.linalg.eigvalsh(H).min()) < 0.05:
        return  # unbounded below, or nearly
    x = torch.linalg.solve(H, M.T @ t[:n] + h - e * t[n:].sum())
    assert float((result.x - x).norm()) < 1e-4 * (1 + float(x.norm()))


def test_the_hypergradient_of_the_logistic_problem_is_its_slope():
    """Against differences of exact solves, away from the solution."""
    problem = logistic_penalty(metric="newton").problem

    def solved(x):
        x = torch.tensor([[x]], dtype=torch.float64)
        return x, solve_lower(problem, x, tol=1e-14).y

    def exact(x):
        return float(problem.directions(*solved(x), 0 * solved(x)[1], 0.0).upper)

    for at in (-6.0, -1.0):
        x, y = solved(at)
        pull = problem.directions(x, y, 0 * y, 0.0).residual_v
        v = problem.curvature(x, y, 0.0).solve(-pull[None])[0]
        got = float(problem.directions(x, y, v, 0.0).grad_x)
        slope = (exact(at + 1e-4) - exact(at - 1e-4)) / 2e-4
        assert got == pytest.approx(slope, rel=1e-4)


def test_a_schedule_of_ones_own_may_be_used_again():
    schedule = strongly_convex(alpha=1e-2)
    runs = [
        run(strongly_convex_quadratic(4), schedule=schedule, averaging=averaging, max_iter=30)
        for averaging in (0.2, "auto", "auto")
    ]
    assert torch.equal(runs[1].x, runs[2].x)
    assert runs[1].history["mu"][0] == 0.0  # the schedule's own


def test_a_batch_whose_residuals_vanish_claims_nothing():
    y = ZERO + 0.5
    one = torch.ones((), dtype=torch.float64)
    result = minimize(
        lambda x, y, scale: scale * upper(x, y), lambda x, y, scale: scale * lower(x, y),
        y, y, v0=y - 1, batches=[one], averaging=0.0, max_iter=5,
    )  # fmt: skip
    assert max(result.kkt_residual) == 0.0
    assert result.status is Status.MAX_ITER


# Cost


def live_tensors():
    gc.collect()
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


@pytest.mark.parametrize("preconditioner", ["identity", "cg", "newton"])
def test_neither_graph_nor_memory_grows_with_the_iterations(preconditioner):
    counts = []

    def callback(k, x, value):
        if k in (20, 120):
            counts.append(live_tensors())

    known = strongly_convex_quadratic(10, identity=False)
    options = {"schedule": "strongly_convex", "preconditioner": preconditioner}
    run(known, max_iter=121, tol=0.0, callback=callback, **options)
    assert counts[1] <= counts[0] + 2


def test_evaluations_an_iteration():
    calls = {"upper": 0, "lower": 0}

    def count(name, function):
        def counted(x, y):
            calls[name] += 1
            return function(x, y)

        return counted

    def counted_run(**options):
        calls.update(upper=0, lower=0)
        functions = count("upper", upper), count("lower", lower)
        minimize(*functions, ZERO, ZERO, schedule="strongly_convex", tol=0.0, **options)
        return dict(calls)

    for form, each in (("jacobi", 1), ("gauss-seidel", 3)):
        few, many = (counted_run(form=form, max_iter=n) for n in (10, 30))
        assert {name: many[name] - few[name] for name in many} == {
            "upper": 20 * each,
            "lower": 20 * each,
        }


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["strongly convex, random", "merely convex"])
def test_a_gpu_finds_the_same(name):
    known = CATALOGUE[name]()
    expected = run(known)

    def moved(function):
        return lambda x, y: function(x.cpu(), y.cpu()).to(x.device)

    problem = known.problem
    result = minimize(
        moved(problem._upper), moved(problem._lower), known.x0[0].cuda(), problem._y0.cuda()
    )
    assert result.x.device.type == "cuda"
    torch.testing.assert_close(result.x.cpu(), expected.x, rtol=0, atol=1e-6)


# The models' hypergradients at convergence


@pytest.mark.parametrize("name", CRITERIA)
def test_at_convergence_the_loss_does_not_change_with_x(name):
    """By differences of exact solves: the hypergradient that vanished is the true one."""
    problem = model(name, starts=1, moments=name == "ridge")
    result = minimize(problem, x0=torch.zeros(1, 1, dtype=torch.float64), tol=1e-6)
    assert result.success

    def exact(x):
        y = solve_lower(problem, x[None], tol=1e-12, max_iter=1000).y
        return float(problem.directions(x[None], y, torch.zeros_like(y), 0.0).upper.sum())

    step = 1e-4
    slope = (exact(result.x + step) - exact(result.x - step)) / (2 * step)
    assert abs(slope) < 1e-5
