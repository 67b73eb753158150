"""Any two functions, differentiated by torch."""

import pytest
import torch

from skbamm.bilevel import AutogradProblem, solve
from tests.problems import strongly_convex_quadratic

METRICS = ["identity", "cg", "newton"]


def cubic(metric="newton", **options):
    """Functions with mixed third derivatives, and their parts by hand at x, y."""
    return AutogradProblem(
        upper=lambda x, y: (y**3).sum() + (x * y).sum(),
        lower=lambda x, y: (torch.exp(x) * y**2).sum() / 2 + (y**4).sum(),
        y0=torch.tensor([0.3, -0.2], dtype=torch.float64),
        metric=metric,
        **options,
    )


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
def test_directions_are_those_by_hand(mu):
    x, y, v = torch.tensor([[0.5, -1.0], [0.7, 0.2], [1.5, -0.4]], dtype=torch.float64)
    found = cubic().directions(x[None], y[None, None], v[None, None], mu)
    upper, lower = (y**3).sum() + (x * y).sum(), (x.exp() * y**2).sum() / 2 + (y**4).sum()
    upper_y, upper_x = 3 * y**2 + x, y
    lower_y = x.exp() * y + 4 * y**3
    hessian = mu * 6 * y + (1 - mu) * (x.exp() + 12 * y**2)
    cross = mu + (1 - mu) * x.exp() * y
    expected = {
        "upper": upper.view(1, 1),
        "lower": lower.view(1, 1),
        "grad_y": (mu * upper_y + (1 - mu) * lower_y)[None, None],
        "residual_v": (hessian * v - upper_y)[None, None],
        "grad_x": (upper_x - cross * v)[None, None],
    }
    for name, value in expected.items():
        torch.testing.assert_close(getattr(found, name), value)
        assert not getattr(found, name).requires_grad


def test_lower_is_f_and_its_gradient():
    x, y = torch.tensor([[0.5, -1.0], [0.7, 0.2]], dtype=torch.float64)
    value, gradient = cubic().lower(x[None], y[None, None])
    torch.testing.assert_close(value, ((x.exp() * y**2).sum() / 2 + (y**4).sum()).view(1, 1))
    torch.testing.assert_close(gradient, (x.exp() * y + 4 * y**3)[None, None])


@pytest.mark.parametrize("mu", [0.0, 0.4])
def test_newton_and_full_conjugate_gradients_are_the_inverse_hessian(mu):
    x, y = torch.tensor([[[0.5, -1.0]], [[0.7, 0.2]]], dtype=torch.float64)
    hessian = (mu * 6 * y + (1 - mu) * (x.exp() + 12 * y**2))[0]
    residual = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], dtype=torch.float64)[:, None, None]
    for metric in ("newton", "cg"):
        problem = cubic(metric, cg_steps=2)
        solved = problem.curvature(x, y[None], mu).solve(residual)
        torch.testing.assert_close(solved, residual / hessian, rtol=1e-9, atol=1e-12)


def test_functions_may_ignore_an_argument():
    problem = AutogradProblem(
        upper=lambda x, y: (y**2).sum(), lower=lambda x, y: ((y - 1) ** 2).sum(), y0=torch.ones(1)
    )
    found = problem.directions(torch.ones(1, 1), torch.ones(1, 1, 1), torch.ones(1, 1, 1), 0.0)
    assert found.grad_x.tolist() == [[[0.0]]]
    assert found.residual_v.tolist() == [[[0.0]]]  # H = 2, grad F = 2
    constant = AutogradProblem(
        upper=lambda x, y: torch.tensor(3.0), lower=lambda x, y: y.sum(), y0=torch.ones(1)
    )
    found = constant.directions(torch.ones(1, 1), torch.ones(1, 1, 1), torch.ones(1, 1, 1), 0.0)
    assert found.upper.item() == 3 and found.residual_v.item() == 0


def test_y0_is_neither_shared_nor_changed():
    y0 = torch.zeros(2, dtype=torch.float64)
    problem = AutogradProblem(
        lambda x, y: (y**2).sum(), lambda x, y: ((y - x) ** 2).sum(), y0, metric="newton"
    )
    start = problem.start(torch.ones(1, 2))
    assert start.shape == (1, 1, 2)
    start += 1
    solve(problem, torch.ones(1, 2, dtype=torch.float64), max_iter=5)
    assert not y0.any()


def test_projection_is_applied():
    problem = cubic(projection=lambda x: x.clamp(0, 1))
    assert problem.project(torch.tensor([[-1.0, 2.0]])).tolist() == [[0.0, 1.0]]
    assert cubic().project(torch.tensor([[-1.0, 2.0]])).tolist() == [[-1.0, 2.0]]


def test_there_is_one_start():
    problem = cubic()
    assert problem.shape == (1, 1)
    assert problem.select([0]).shape == (1, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_finds_the_same(metric):
    known = strongly_convex_quadratic(5, identity=False, metric=metric)
    result = solve(known.problem, known.x0, max_iter=400, tol=1e-5)
    assert known.excess(result.x) < 0.01


@pytest.mark.parametrize("metric", METRICS)
def test_functions_that_hold_parameters_leave_no_graph(metric):
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    problem = AutogradProblem(
        upper=lambda x, y: (weight * (y - 1) ** 2).sum(),
        lower=lambda x, y: (weight * (y - x) ** 2).sum() / 2,
        y0=torch.zeros(1, dtype=torch.float64),
        metric=metric,
    )
    result = solve(problem, torch.zeros(1, 1, dtype=torch.float64), max_iter=30)
    parts = [result.x, result.y, result.v, *result.history["x"]]
    assert not any(part.requires_grad for part in parts)
    assert weight.grad is None


def test_metric_is_checked():
    with pytest.raises(ValueError, match="metric must be 'identity', 'cg' or 'newton', got 'lu'"):
        cubic("lu")


@pytest.mark.parametrize(
    ("value", "got"), [(torch.zeros(2), r"\(2,\)"), (1.0, "float"), (None, "NoneType")]
)
@pytest.mark.parametrize("name", ["upper", "lower"])
def test_functions_must_return_a_scalar_tensor(name, value, got):
    functions = {"upper": lambda x, y: y.sum(), "lower": lambda x, y: y.sum()}
    functions[name] = lambda x, y: value
    problem = AutogradProblem(**functions, y0=torch.zeros(1))
    with pytest.raises(ValueError, match=rf"{name}\(x, y\) must return a scalar tensor, got {got}"):
        solve(problem, torch.zeros(1, 1))
