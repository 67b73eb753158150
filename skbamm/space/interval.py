"""Intervals of hyperparameters, and how they map to the solver's variable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.models import Hyperparameter

_LINEAR_WIDTH = 10.0
_LONGEST = 16  # list of evenly spaced values whose numbers are NumPy's


class Interval:
    """An interval to search, in place of a list of values.

    Parameters
    ----------
    low, high : float
        Ends of the interval, in the units of the estimator's parameter.
    scale : {"auto", "log", "linear"}, default="auto"
        Unit in which steps are taken; "auto" is "log" if ``low > 0``.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not finite or not in order, if ``low <= 0`` with
        a "log" scale, or if the parameter cannot be searched for this estimator.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, Interval
    >>> search = BAMMSearchCV(Ridge(), {"alpha": Interval(1e-3, 1e3, scale="log")})
    """

    def __init__(self, low: float, high: float, scale: str = "auto"):
        self.low, self.high, self.scale = low, high, scale

    def __repr__(self):
        return f"Interval({self.low!r}, {self.high!r}, scale={self.scale!r})"

    def __eq__(self, other):
        return isinstance(other, Interval) and vars(self) == vars(other)

    def __hash__(self):
        return hash((self.low, self.high, self.scale))


@dataclass(frozen=True)
class Axis:
    """An interval that was checked, with its map to and from the solver's variable x.

    Attributes
    ----------
    name : str
        Parameter name, as in the grid.
    low, high : float
        In the parameter's units.
    scale : {"log", "linear", "plain"}
        x is the natural logarithm of the value, or its place between the ends from 0 to 10, so
        that a step of one is a moderate one in either scale; or, for values that are given and
        not searched, the value itself.
    """

    name: str
    low: float
    high: float
    scale: str

    size = 1  # entries of x

    @property
    def parameter(self) -> str:
        """Name of the parameter, without the steps of a pipeline."""
        return self.name.rpartition("__")[2]

    def bounds(self) -> tuple[float, float]:
        """Return the ends in units of x."""
        if self.scale == "log":
            return math.log(self.low), math.log(self.high)
        return 0.0, _LINEAR_WIDTH

    def spaced(self, count: int) -> list[float]:
        """Return x at evenly spaced places from end to end."""
        return np.linspace(*self.bounds(), count).tolist()

    def value(self, x: Tensor) -> Tensor:
        """Map x to the parameter's value."""
        if self.scale == "log":
            return torch.exp(x)
        if self.scale == "plain":
            return x
        return self.low + (self.high - self.low) / _LINEAR_WIDTH * x

    def place(self, value: Tensor) -> Tensor:
        """Map the parameter's value to x."""
        if self.scale == "log":
            return torch.log(value)
        if self.scale == "plain":
            return value
        return (value - self.low) * (_LINEAR_WIDTH / (self.high - self.low))

    def named(self, x: list[float]) -> float:
        """Return the value of its part of x."""
        return self.number(*x)

    def number(self, x: float) -> float:
        """Map one x to a value inside the interval, also after rounding.

        A place of an evenly spaced list has the value that NumPy gives it, to the last digit: a fit
        that stops anywhere scores as in a grid of that list.
        """
        start, end = self.bounds()
        if x <= start or x >= end:
            return float(self.low if x <= start else self.high)
        if (listed := _listed_values(self).get(x)) is not None:
            return listed
        value = float(self.value(torch.tensor(x, dtype=torch.float64)))
        return min(max(value, float(self.low)), float(self.high))


@lru_cache(maxsize=64)
def _listed_values(axis: Axis) -> dict[float, float]:
    """Return NumPy's value of each place of short evenly spaced lists."""
    found: dict[float, float] = {}
    spacing = np.geomspace if axis.scale == "log" else np.linspace
    for count in range(_LONGEST, 2, -1):  # of a place of several lists, the shortest one's
        values = spacing(axis.low, axis.high, count).tolist()
        found.update(zip(axis.spaced(count)[1:-1], values[1:-1], strict=True))
    return found


def named_values(axes: tuple[Any, ...], x: list[float]) -> dict[str, Any]:
    """Return what x means by the names of axes: numbers, and arrays or dicts of vectors."""
    found: dict[str, Any] = {}
    begin = 0
    for axis in axes:
        found[axis.name] = axis.named(x[begin : begin + axis.size])
        begin += axis.size
    return found


def as_interval(name: str, value: Any) -> Interval | None:
    """Return what an entry of a grid says of an interval; None if it is a list of values.

    Raises
    ------
    ValueError
        If a distribution has infinite support, or whole numbers only.
    """
    if isinstance(value, Interval):
        return value
    if hasattr(value, "freeze") and hasattr(value, "support"):
        raise ValueError(
            f"The distribution for parameter {name!r} must be frozen, as loguniform(1e-4, 1e4) is; "
            f"got {getattr(value, 'name', value)} without its ends."
        )
    if _is_pair(value) and not value[0] >= value[1]:
        return Interval(*value)
    if hasattr(value, "support") and hasattr(value, "pmf") and not hasattr(value, "pdf"):
        raise ValueError(
            f"The distribution for parameter {name!r} must be continuous, got one of whole "
            "numbers. Use a list of values."
        )
    if hasattr(value, "support") and hasattr(value, "pdf"):
        low, high = (float(end) for end in value.support())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(
                f"The distribution for parameter {name!r} must have finite support, "
                f"got ({low}, {high})."
            )
        kind = getattr(getattr(value, "dist", None), "name", "")
        return Interval(low, high, "log" if kind in ("loguniform", "reciprocal") else "auto")
    return _as_choice(name, value)


def check_alone(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Raise ValueError if a list of values has an interval, or another of these kinds, in it."""
    for one in value if isinstance(value, list | tuple) else ():
        if isinstance(one, kinds) or (hasattr(one, "support") and hasattr(one, "pdf")):
            raise ValueError(
                f"The values of parameter {name!r} have an interval among them, got {one!r}. Give "
                f"it alone, as {{{name!r}: {one!r}}}, and other values in a further dict of "
                "param_grid."
            )


def _as_choice(name: str, value: Any) -> Interval | None:
    """Return the interval of a choice of a number, as skrub and Optuna have them."""
    low: Any
    high: Any
    low, high, log = (getattr(value, part, None) for part in ("low", "high", "log"))
    if not (_is_real(low) and _is_real(high) and isinstance(log, bool)):
        return None
    if isinstance(value, Sequence):  # a few numbers between the ends
        return None
    if getattr(value, "to_int", False) or getattr(value, "step", None) is not None:
        raise ValueError(
            f"The choice for parameter {name!r} must be of any number between its ends, got "
            f"{value!r}. Use a list of values."
        )
    return Interval(low, high, "log" if log else "linear")


def reversed_pair(value: Any) -> bool:
    """Whether an entry of a grid is two numbers in falling order, as a tuple."""
    return _is_pair(value) and value[0] > value[1]


def check_no_text(name: str, value: Any) -> None:
    """Raise ValueError if a value of a parameter that is a number is the text of one."""
    if isinstance(value, str) and _is_numeric(value):
        raise ValueError(
            f"The values of parameter {name!r} must be numbers, got the text "
            f"{str(value)!r}; write {value.strip()}."
        )


def make_axis(name: str, interval: Interval, hyperparameter: Hyperparameter) -> Axis:
    """Check an interval.

    Parameters
    ----------
    name : str
    interval : Interval
    hyperparameter : Hyperparameter

    Raises
    ------
    ValueError
        That names the parameter and what was got.
    """
    low, high, scale = interval.low, interval.high, interval.scale
    where = f"parameter {name!r}"
    if scale not in ("auto", "log", "linear"):
        raise ValueError(
            f"The scale of the interval for {where} must be 'auto', 'log' or 'linear', "
            f"got {scale!r}."
        )
    if not (_is_real(low) and _is_real(high)):
        raise ValueError(f"The ends of the interval for {where} must be numbers, got {interval}.")
    if not (_is_finite(low) and _is_finite(high)):
        raise ValueError(f"The ends of the interval for {where} must be finite, got {interval}.")
    if low >= high:
        raise ValueError(
            f"The interval for {where} must have low < high, got ({low!r}, {high!r}); "
            "use a list for a grid of values."
        )
    least = hyperparameter.low
    if low < least or (hyperparameter.positive and low == least):
        bound = f"above {least:g}" if hyperparameter.positive else f"{least:g} or more"
        raise ValueError(f"The interval for {where} must begin at {bound}, got low={low!r}.")
    if high > hyperparameter.high:
        raise ValueError(
            f"The interval for {where} must end at {hyperparameter.high:g} or less, "
            f"got high={high!r}."
        )
    if scale == "log" and low <= 0:
        raise ValueError(f"A log scale needs low > 0, got low={low!r} for {where}.")
    if scale == "auto":
        scale = "log" if low > 0 and math.isinf(hyperparameter.high) else "linear"
    return Axis(name, float(low), float(high), scale)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_real, value))


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_finite(end: Any) -> bool:
    try:
        return math.isfinite(end)
    except OverflowError:  # an int that is too large for a float
        return False


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
