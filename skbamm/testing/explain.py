"""Explains a wrong twin of a linear model: which change of it gives the own fits' predictors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from skbamm.models import Factors
from skbamm.testing.case import Case

_OTHER = "check the loss, and that own fits are exact (own_params)"


def explain(
    case: Case, solver: Any, own: np.ndarray, weight: np.ndarray | None, apart: float
) -> str:
    """Return which change of the twin gives the predictors of own fits, if one is known."""
    if not case.linear:
        return _OTHER
    close = min(10.0, apart / 10)
    for words, variant in _variants(solver.twin, solver.task, len(case.splits[0][0])):
        try:
            ours = case.solve(weight, twin=variant).predictors()
        except (AssertionError, ValueError):
            continue
        if all(case.differ(a, b) <= close for a, b in zip(ours, own, strict=True)):
            return words
    return f"no other scale of the penalty and no other intercept explains it: {_OTHER}"


def _variants(twin: Any, made: Any, n: int) -> Iterator[tuple[str, Any]]:
    """Yield twins with another scale of the penalty or another intercept, each with a message."""
    scales = {"1/2": 0.5, "2": 2.0, "n": n, "1/n": 1 / n, "n/2": n / 2, "2/n": 2 / n}
    for name, times in scales.items():
        variant = copy.copy(twin)

        def penalty(values: Any, times: float = times) -> Factors:
            factors = (None if one is None else times * one for one in twin.penalty(values))
            return Factors(*factors)

        variant.penalty = penalty
        yield f"the scale of the penalty is wrong: {name} times it is the estimator's", variant
    intercepts: dict[str, dict[str, Any]] = {
        "no intercept": {"fit_intercept": False},
        "an intercept that is free": {"fit_intercept": True, "intercept_penalty": 0.0},
        "an intercept that is penalised": {"fit_intercept": True, "intercept_penalty": 1.0},
    }
    for name, change in intercepts.items():
        if all(getattr(made, key) == value for key, value in change.items()):
            continue  # the twin has it already
        variant = copy.copy(twin)

        def task(*given: Any, change: dict = change) -> Any:
            return replace(twin.task(*given), **change)

        variant.task = task
        yield f"the intercept is wrong: the estimator has {name}", variant
