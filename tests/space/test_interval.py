"""Intervals: what they may be, and their map to and from the solver's variable."""

import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats

from skbamm import Interval
from skbamm.models import Hyperparameter
from skbamm.space import Axis
from skbamm.space.interval import as_interval, make_axis


def axis(low, high, scale="auto", positive=False):
    return make_axis("C", Interval(low, high, scale), Hyperparameter("C", positive))


@pytest.mark.parametrize(
    ("low", "high", "scale", "expected"),
    [
        (1e-3, 1e3, "auto", "log"),
        (0, 1, "auto", "linear"),
        (1e-3, 1e3, "linear", "linear"),
        (1e-3, 1e3, "log", "log"),
        (1, 2, "auto", "log"),
    ],
)
def test_scales(low, high, scale, expected):
    found = axis(low, high, scale)
    assert found == Axis("C", float(low), float(high), expected)
    assert isinstance(found.low, float) and isinstance(found.high, float)


@pytest.mark.parametrize("found", [axis(1e-4, 1e4), axis(0.0, 5.0), axis(2, 3, "linear")], ids=repr)
def test_bounds_are_mapped_to_the_ends(found):
    low, high = found.bounds()
    assert low < high
    assert (found.number(low), found.number(high)) == pytest.approx((found.low, found.high))


def test_the_middle_of_a_log_scale_is_the_geometric_mean():
    found = axis(1e-4, 1e2)
    assert found.number(sum(found.bounds()) / 2) == pytest.approx(0.1)
    assert axis(0, 20).number(5.0) == 10.0


def test_log_bounds_are_natural_logarithms():
    assert axis(1e-4, 1e2).bounds() == (math.log(1e-4), math.log(1e2))
    assert axis(0, 3).bounds() == (0.0, 10.0)


def test_values_are_differentiable():
    for found, slope in ((axis(1e-4, 1e4), 1.0), (axis(0, 20), 2.0)):
        x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        found.value(x).sum().backward()
        assert x.grad.tolist() == [slope] * 3


@pytest.mark.parametrize("ends", [(0.1, 0.3), (1e-4, 1e4), (0.0, 0.7), (1 / 3, 1e17)])
@pytest.mark.parametrize("scale", ["auto", "linear"])
def test_rounding_never_leaves_the_interval(ends, scale):
    found = axis(*ends, scale)
    low, high = found.bounds()
    for x in (low, high, np.nextafter(low, -9), np.nextafter(high, 99), low - 1, high + 1):
        value = found.number(float(x))
        assert found.low <= value <= found.high
        assert type(value) is float


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (
            Interval(1, 2, "cubic"),
            "The scale of the interval for parameter 'C' must be 'auto', 'log' or 'linear', "
            "got 'cubic'.",
        ),
        (
            Interval("1", 2),
            "The ends of the interval for parameter 'C' must be numbers, "
            "got Interval('1', 2, scale='auto').",
        ),
        (
            Interval(True, 2),
            "The ends of the interval for parameter 'C' must be numbers, "
            "got Interval(True, 2, scale='auto').",
        ),
        (
            Interval(1, None),
            "The ends of the interval for parameter 'C' must be numbers, "
            "got Interval(1, None, scale='auto').",
        ),
        (
            Interval(1, math.inf),
            "The ends of the interval for parameter 'C' must be finite, "
            "got Interval(1, inf, scale='auto').",
        ),
        (
            Interval(1, 10**400),
            "The ends of the interval for parameter 'C' must be finite, "
            f"got Interval(1, {10**400}, scale='auto').",
        ),
        (
            Interval(math.nan, 1),
            "The ends of the interval for parameter 'C' must be finite, "
            "got Interval(nan, 1, scale='auto').",
        ),
        (
            Interval(2, 1),
            "The interval for parameter 'C' must have low < high, got (2, 1); "
            "use a list for a grid of values.",
        ),
        (
            Interval(1.0, 1.0),
            "The interval for parameter 'C' must have low < high, got (1.0, 1.0); "
            "use a list for a grid of values.",
        ),
        (Interval(0, 1, "log"), "A log scale needs low > 0, got low=0 for parameter 'C'."),
        (Interval(-1, 1), "The interval for parameter 'C' must begin at 0 or more, got low=-1."),
    ],
)
def test_bad_intervals_are_named(interval, message):
    with pytest.raises(ValueError) as error:
        make_axis("C", interval, Hyperparameter("C"))
    assert str(error.value) == message


@pytest.mark.parametrize("low", [0, -1])
def test_a_positive_parameter_needs_a_positive_interval(low):
    message = f"The interval for parameter 'C' must begin at above 0, got low={low}."
    with pytest.raises(ValueError) as error:
        make_axis("C", Interval(low, 1), Hyperparameter("C", positive=True))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Interval(1, 2, "linear"), Interval(1, 2, "linear")),
        ((1, 2), Interval(1, 2)),
        ((np.float32(1), np.int64(2)), Interval(1.0, 2)),
        (stats.uniform(1, 3), Interval(1.0, 4.0)),
        (stats.uniform(0, 1), Interval(0.0, 1.0)),
        (stats.loguniform(1e-3, 1e3), Interval(1e-3, 1e3, "log")),
        (stats.beta(2, 3), Interval(0.0, 1.0)),
    ],
)
def test_what_is_an_interval(value, expected):
    found = as_interval("C", value)
    assert found.scale == expected.scale
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    "value",
    [[1, 2], (1, 2, 3), (1,), (), ("a", "b"), (1, "b"), (True, False), np.array([1, 2]), "ab"],
    ids=repr,
)
def test_what_is_a_list(value):
    assert as_interval("C", value) is None


@pytest.mark.parametrize("value", [stats.norm(), stats.expon(), stats.lognorm(1)])
def test_a_distribution_needs_finite_support(value):
    message = r"The distribution for parameter 'C' must have finite support, got \(.*inf\)\."
    with pytest.raises(ValueError, match=message):
        as_interval("C", value)


def test_intervals_compare_print_and_pickle():
    one = Interval(1e-3, 1.0, scale="log")
    assert one == Interval(1e-3, 1.0, "log") and hash(one) == hash(Interval(1e-3, 1.0, "log"))
    assert one != Interval(1e-3, 1.0) and one != (1e-3, 1.0)
    assert repr(one) == "Interval(0.001, 1.0, scale='log')"
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_bad_interval_can_be_made_and_is_refused_when_used():
    # As scikit-learn's estimators check their parameters in fit, not before.
    assert Interval(3, 1).low == 3


RATIO = Hyperparameter("l1_ratio", high=1.0)


def test_a_parameter_with_a_largest_value_is_linear_by_default():
    assert make_axis("l1_ratio", Interval(0.1, 1), RATIO).scale == "linear"
    assert make_axis("l1_ratio", Interval(0.1, 1, "log"), RATIO).scale == "log"


def test_an_interval_ends_at_the_largest_value():
    with pytest.raises(ValueError, match=r"'enet__l1_ratio' must end at 1 or less, got high=1\.5"):
        make_axis("enet__l1_ratio", Interval(0, 1.5), RATIO)


@pytest.mark.parametrize(
    "found", [axis(1e-4, 1e4), axis(0, 20), Axis("C", 0, 1, "plain")], ids=repr
)
def test_places_are_where_the_values_come_from(found):
    values = torch.tensor([0.3, 1.0, 7.0], dtype=torch.float64)
    torch.testing.assert_close(found.value(found.place(values)), values)


def test_the_parameter_is_the_last_part_of_the_name():
    assert Axis("scaler__model__C", 1, 2, "log").parameter == "C"


@pytest.mark.parametrize("count", [5, 9, 12])
@pytest.mark.parametrize(
    ("low", "high", "scale", "spacing"),
    [
        (1e-3, 20.0, "log", np.geomspace),
        (1e-4, 1e4, "log", np.geomspace),
        (0.1, 0.7, "linear", np.linspace),
    ],
)
def test_evenly_spaced_values_are_those_of_a_list_to_the_last_digit(
    low, high, scale, spacing, count
):
    axis = Axis("alpha", low, high, scale)

    got = [axis.number(x) for x in axis.spaced(count)]

    assert got == spacing(low, high, count).tolist()
    nudged = [axis.number(x * (1 + 1e-9) + 1e-9) for x in axis.spaced(count)[1:-1]]
    np.testing.assert_allclose(nudged, got[1:-1], rtol=1e-6)
    assert (np.diff(got) > 0).all()
