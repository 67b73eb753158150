"""`minimize`: clear errors, before any work."""

import pytest
import torch

from skbamm.bilevel import minimize

from .test_loop import model
from .test_minimize import ZERO, lower, upper


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
        ({"batches": []}, ValueError, "batches must be.*got none"),
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
    with pytest.raises(ValueError, match=f"{name} does not go with a Problem"):
        minimize(model("ridge", starts=1), x0=ZERO[:1, None], **{name: value})
