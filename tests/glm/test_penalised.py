"""Strengths and their derivatives are kept for as long as x is the same."""

import pytest
import torch

from skbamm.glm import GLMProblem, penalised
from skbamm.glm.penalties import AbsoluteValues, Squares, Total
from tests.glm.test_problem import D, Explicit, K, S

P = D + 1


def by_feature(x):
    """A strength of each feature, none of the intercept, that every entry of x is part of."""
    steps = torch.linspace(0.5, 1.5, P, dtype=x.dtype)
    steps[-1] = 0.0
    return (torch.exp(x.sum(-1, keepdim=True)) * (steps + x[..., :1] ** 2 * (steps > 0)))[
        ..., None, :
    ]


STRENGTHS = {
    "features": (by_feature, None),
    "ratio": (
        lambda x: (torch.exp(x[..., :1]) * torch.sigmoid(x[..., -1:]))[..., None].expand(
            *x.shape[:-1], 1, P
        ),
        by_feature,
    ),
    "given": (lambda x: torch.ones(*x.shape[:-1], 1, P, dtype=x.dtype), None),
    "given squares": (lambda x: torch.ones(*x.shape[:-1], 1, P, dtype=x.dtype), by_feature),
}


def problem_of(name):
    """Return a problem of both levels, by a strength."""
    known = Explicit("logistic", True)
    strength, absolute = STRENGTHS[name]
    penalty = Squares(strength)
    if absolute is not None:
        penalty = Total(penalty, AbsoluteValues(absolute))
    return GLMProblem(known.rows, known.loss, penalty, S, criterion=known.criterion)


@pytest.mark.parametrize("h", [1, 2, 3])
@pytest.mark.parametrize("name", STRENGTHS)
def test_kept_derivatives_are_those_that_are_taken_anew(name, h, monkeypatch):
    problem = problem_of(name)
    torch.manual_seed(0)
    x = torch.randn(S, h, dtype=torch.float64)
    y, v = torch.randn(2, S, K, 1, P, dtype=torch.float64)
    upper = torch.ones(S, K, dtype=torch.float64)
    kept = problem.grad_x(x, y, v, 0.1, upper)
    again = problem.grad_x(x, 2 * y, v, 0.1, upper)  # the derivatives stay, the factors do not
    other = problem.grad_x(x + 1, y, v, 0.1, upper)
    monkeypatch.setattr(penalised, "_FEW", 0)
    anew = problem_of(name)
    torch.testing.assert_close(kept, anew.grad_x(x, y, v, 0.1, upper))
    torch.testing.assert_close(again, anew.grad_x(x, 2 * y, v, 0.1, upper))
    torch.testing.assert_close(other, anew.grad_x(x + 1, y, v, 0.1, upper))
    assert kept.shape == (S, K, h)


@pytest.mark.parametrize("h", [2, 5])
def test_strengths_are_evaluated_once_at_each_x(h):
    asked = []

    def strength(x):
        asked.append(x)
        return by_feature(x)

    known = Explicit("logistic", True)
    problem = GLMProblem(known.rows, known.loss, Squares(strength), S, criterion=known.criterion)
    torch.manual_seed(0)
    y, v = torch.randn(2, S, K, 1, P, dtype=torch.float64)
    for count in (1, 2):
        x = torch.randn(S, h, dtype=torch.float64)
        d = problem.directions(x, y, v, 0.0)
        problem.lower(x, y)
        problem.curvature(x.clone(), y, 0.0).at(x, y)
        problem.grad_x(x, y, 2 * v, 0.0, d.upper)
        assert len(asked) == count
