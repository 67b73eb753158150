"""A number among an estimator's parameters, and which values it may have."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hyperparameter:
    """A parameter of an estimator that an interval can be searched for.

    Attributes
    ----------
    name : str
    positive : bool
        Whether it must be above ``low``.
    high : float
        Largest value; a parameter that has one is searched in linear units by default.
    optional : bool
        Whether None is a value, too, which the solvers get as one that is not a number.
    low : float
        Least value.
    words : tuple of str
        Texts that are values, too, in lists.
    """

    name: str
    positive: bool = False
    high: float = inf
    optional: bool = False
    low: float = 0.0
    words: tuple[str, ...] = ()

    def valid(self, value: Any) -> bool:
        """Whether the solvers can take this value."""
        if value is None:
            return self.optional
        number = isinstance(value, (int, float, np.integer, np.floating))
        if not number or isinstance(value, bool) or not np.isfinite(value):
            return False
        return self.low <= value <= self.high if self.high < inf else value > self.low
