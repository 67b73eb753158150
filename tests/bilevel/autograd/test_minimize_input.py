"""`minimize`: what it takes, structures and batches, and clear errors before any work."""

from collections import namedtuple

import pytest
import torch

from skbamm.bilevel import Status, minimize
from tests.bilevel.autograd.test_minimize import ZERO, lower, run, upper
from tests.bilevel.test_loop import model
from tests.problems import onto_simplex, simplex_constrained, strongly_convex_quadratic

# Structures, callbacks, batches


def test_dicts_lists_and_named_tuples():
    Pair = namedtuple("Pair", ["tied", "free"])
    x0 = {"a": ZERO, "b": [torch.zeros((), dtype=torch.float64)]}
    y0 = Pair(torch.zeros(3, 1, dtype=torch.float64), (ZERO,))

    def upper(x, y):
        tied = ((y.tied - 1) ** 2).sum() + ((y.free[0] - x["a"]) ** 2).sum()
        return tied / 2 + (x["a"] ** 2).sum() / 2

    def lower(x, y):
        return ((y.tied[:2, 0] - x["a"]) ** 2).sum() / 2 + ((y.tied[2] - x["b"][0]) ** 2).sum() / 2

    seen = []
    result = minimize(upper, lower, x0, y0, callback=lambda k, x, value: seen.append(x))
    assert result.success
    torch.testing.assert_close(result.x["a"], ZERO + 0.5, rtol=0, atol=1e-5)
    assert float(result.x["b"][0]) == pytest.approx(1, abs=1e-5)
    assert isinstance(result.y, Pair) and isinstance(result.v, Pair)
    assert result.y.tied.shape == (3, 1)
    torch.testing.assert_close(result.y.free[0], result.x["a"], rtol=0, atol=1e-5)
    assert set(seen[0]) == {"a", "b"}
    assert not result.x["a"].requires_grad


def test_starts_are_not_changed():
    x0, y0, v0 = ZERO.clone(), ZERO.clone(), ZERO + 1
    minimize(upper, lower, x0, y0, v0=v0)
    assert not x0.any() and not y0.any() and bool((v0 == 1).all())


def test_where_it_ended_is_where_it_may_begin():
    known = strongly_convex_quadratic(6, identity=False)
    first = run(known)
    problem = known.problem
    again = minimize(problem._upper, problem._lower, first.x, first.y, v0=first.v)
    assert again.success and again.nit < first.nit / 3


def test_a_callback_ends_the_run():
    result = minimize(upper, lower, ZERO, ZERO, callback=lambda k, x, value: k == 1)
    assert result.status is Status.INTERRUPTED and result.nit == 2


def test_a_projection_of_dicts():
    known = simplex_constrained()
    problem = known.problem
    result = minimize(
        lambda x, y: problem._upper(x["w"], y), lambda x, y: problem._lower(x["w"], y),
        {"w": known.x0[0]}, problem._y0, projection=lambda x: {"w": onto_simplex(x["w"])},
    )  # fmt: skip
    assert result.success
    assert known.error(result.x["w"]) < 1e-6


@pytest.mark.parametrize("averaging", ["auto", 0.0])
def test_batches_are_taken_in_turns_and_claim_nothing(averaging):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(12, 2, generator=generator, dtype=torch.float64)
    noise -= noise.mean(0)
    seen = []

    def noisy(x, y, batch):
        seen.append(tuple(batch.tolist()))
        return ((y - 1 - 0.1 * batch) ** 2).sum() / 2 + (x**2).sum() / 2

    def below(x, y, batch):
        return ((y - x - 0.1 * batch) ** 2).sum() / 2

    result = minimize(
        noisy, below, ZERO, ZERO, batches=list(noise), averaging=averaging, max_iter=1500
    )
    assert result.status is Status.MAX_ITER and not result.success
    torch.testing.assert_close(result.x, ZERO + 0.5, rtol=0, atol=0.05)
    assert set(seen) == {tuple(row.tolist()) for row in noise}


def test_a_problem_may_stand_in_place_of_both():
    problem = model("logistic", starts=3)
    x0 = torch.tensor([[-3.0], [0.0], [3.0]], dtype=torch.float64)
    result = minimize(problem, x0=x0, tol=1e-5)
    assert result.success and result.x.shape == (1,)
    published = minimize(problem, x0=x0, schedule="strongly_convex", max_iter=3)
    assert published.status is Status.MAX_ITER


# Bad input


class Detached(torch.nn.Module):
    def forward(self, x, y):
        return upper(x, y).detach()


BAD_FUNCTIONS = {
    "vector": (lambda x, y: y, r"must return a scalar tensor, got \(2,\)"),
    "number": (lambda x, y: 1.0, "must return a scalar tensor, got float"),
    "infinite": (lambda x, y: (y / 0).sum(), "must be finite, got nan"),
    "no y": (lambda x, y: (x**2).sum(), "must depend on y"),
    "detached": (Detached(), "detached"),
    "infinite slope": (lambda x, y: y.abs().sqrt().sum(), "gradient in y of (upper|lower) must"),
}


@pytest.mark.parametrize("which", ["upper", "lower"])
@pytest.mark.parametrize("fault", BAD_FUNCTIONS)
def test_bad_functions(fault, which):
    function, message = BAD_FUNCTIONS[fault]
    functions = {"upper": upper, "lower": lower, which: function}
    with pytest.raises(ValueError, match=message) as error:
        minimize(functions["upper"], functions["lower"], ZERO, ZERO)
    assert which in str(error.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"x0": ZERO.to("meta")}, ValueError, "must be on one device, got meta and cpu"),
        ({"x0": None}, TypeError, "x0 must be a tensor or a nested dict.*got NoneType"),
        ({"y0": {"a": [1.0]}}, TypeError, r"y0\['a'\]\[0\] must be a tensor.*got float"),
        ({"x0": {}}, ValueError, "x0 has no tensor"),
        ({"x0": torch.zeros(2, dtype=torch.int64)}, ValueError, "x0 must be of a float dtype"),
        ({"y0": [ZERO, ZERO.float()]}, ValueError, "All tensors of y0 must have one dtype"),
        ({"x0": ZERO * torch.nan}, ValueError, "x0 must be finite"),
        ({"y0": ZERO / 0}, ValueError, "y0 must be finite"),
        ({"v0": ZERO / 0}, ValueError, "v0 must be finite"),
        ({"v0": torch.zeros(3)}, ValueError, "v0 must have the 2 entries of y0, got 3"),
        ({"averaging": "some"}, ValueError, "averaging must be 'auto'.*got 'some'"),
        ({"averaging": 1.0}, ValueError, r"averaging must be in \[0, 1\), got 1.0"),
        ({"averaging": None}, TypeError, "averaging must be.*got NoneType"),
        ({"schedule": "best"}, ValueError, "schedule must be a Schedule or one of.*got 'best'"),
        ({"preconditioner": "lu"}, ValueError, "preconditioner must be.*got 'lu'"),
        ({"form": "sor"}, ValueError, "form must be one of.*got 'sor'"),
        ({"batches": 3}, TypeError, "batches must be iterable, got int"),
        ({"batches": []}, ValueError, "batches must be a non-empty iterable"),
        ({"max_iter": 0}, ValueError, "max_iter must be a positive integer, got 0"),
        ({"tol": -1.0}, ValueError, "tol must be a non-negative number, got -1.0"),
        ({"callback": 1}, TypeError, "callback must be callable, got int"),
        ({"upper": 1}, TypeError, "upper must be callable, got int"),
        ({"lower": None}, TypeError, "lower must be callable, got NoneType"),
        ({"projection": lambda x: x[:1]}, ValueError, "projection.*structure of x0"),
    ],
)
def test_bad_arguments(options, error, message):
    arguments = {"upper": upper, "lower": lower, "x0": ZERO, "y0": ZERO, **options}
    with pytest.raises(error, match=message):
        minimize(**arguments)


def test_bad_starts_of_a_problem():
    with pytest.raises(ValueError, match=r"x0 must be a tensor of shape \(S, h\).*got \(1,\)"):
        minimize(model("ridge", starts=1), x0=torch.zeros(1))


@pytest.mark.parametrize("name", ["projection", "preconditioner", "batches"])
def test_a_problem_has_its_own(name):
    value = {"projection": torch.abs, "preconditioner": "newton", "batches": [1]}[name]
    with pytest.raises(ValueError, match=f"{name} is not allowed with a Problem"):
        minimize(model("ridge", starts=1), x0=ZERO[:1, None], **{name: value})
