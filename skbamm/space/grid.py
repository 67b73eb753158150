"""Reads ``param_grid``: which candidates are lists, which parameters are intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skbamm.models import Twin, find_twin, supported
from skbamm.space.interval import Axis, as_interval, make_axis


@dataclass(frozen=True)
class Target:
    """The model that a combination of the grid ends in.

    Attributes
    ----------
    estimator : estimator
        The user's estimator with the combination's parameters set.
    prefix : str
        What parameter names of its last step begin with: "" or "step__".
    twin : Twin or None
    reason : str
        Why there is no twin.
    """

    estimator: Any
    prefix: str
    twin: Twin | None
    reason: str

    @property
    def tuned(self) -> str | None:
        """Name, in the grid, of the parameter that the twin tunes."""
        return None if self.twin is None else self.prefix + self.twin.hyperparameter


@dataclass(frozen=True)
class Combination:
    """One setting of all listed parameters, with the interval to be searched under it.

    Attributes
    ----------
    params : dict
        Values of the listed parameters, the tuned one included if it is listed.
    target : Target
    axis : Axis or None
    """

    params: dict[str, Any]
    target: Target
    axis: Axis | None


@dataclass
class Space:
    """What ``param_grid`` asks for.

    Attributes
    ----------
    combinations : list of Combination
        In ``ParameterGrid`` order.
    plan : list of dict
        One row a parameter: parameter, role, low, high, scale, reason.
    """

    combinations: list[Combination]
    plan: list[dict[str, Any]] = field(default_factory=list)

    @property
    def continuous(self) -> bool:
        """Whether any parameter is an interval."""
        return any(c.axis is not None for c in self.combinations)


def read_grid(estimator: Any, param_grid: Any) -> Space:
    """Read and check ``param_grid``.

    Raises
    ------
    TypeError, ValueError
        scikit-learn's own for a bad grid; ours, which name the parameter, for a bad interval or
        one that nothing can search.
    """
    grids = param_grid if isinstance(param_grid, (list, tuple)) else [param_grid]
    if not all(isinstance(grid, dict) for grid in grids):
        ParameterGrid(param_grid)  # raises
    combinations: list[Combination] = []
    plan: list[dict[str, Any]] = []
    for grid in grids:
        found = list(_read_one(estimator, grid))
        combinations += found
        plan += _plan_rows(grid, found)
    return Space(combinations, plan)


def _read_one(estimator, grid) -> Iterator[Combination]:
    explicit: dict[str, Any] = {}
    tuples: dict[str, Any] = {}
    listed: dict[str, Any] = {}
    for name, value in grid.items():
        interval = as_interval(name, value)
        if interval is None:
            listed[name] = value
        else:
            (tuples if isinstance(value, tuple) else explicit)[name] = interval
    if not explicit and not tuples:
        ParameterGrid(grid)
        for params in ParameterGrid(grid):
            yield Combination(params, _target(estimator, params), None)
        return
    # A tuple is an interval only on what a twin tunes, and the twin may depend on the lists.
    base = _target(estimator, next(iter(ParameterGrid(listed)), {}))
    for name in [n for n in tuples if n != base.tuned]:
        listed[name] = grid[name]
        del tuples[name]
    intervals = {**explicit, **tuples}
    for params in ParameterGrid(listed):
        target = _target(estimator, params)
        axis = None
        for name, interval in intervals.items():
            if name != target.tuned:
                raise ValueError(_cannot_search(name, target))
            assert target.twin is not None  # it names what is tuned
            axis = make_axis(name, interval, target.twin.positive)
        yield Combination(params, target, axis)


def _cannot_search(name: str, target: Target) -> str:
    why = target.reason
    if not why:
        why = f"of {type(_last_step(target.estimator)).__name__} only {target.tuned!r} can be"
    return (
        f"Parameter {name!r} cannot be searched over an interval: {why}. Use a list of values. "
        f"Intervals are supported for {supported()}."
    )


def _target(estimator, params) -> Target:
    """Find the twin of what these parameters make of the estimator."""
    try:
        # As scikit-learn does before it sets them: a value may itself be an estimator.
        chosen = clone(estimator).set_params(**clone(params, safe=False))
        last, prefix = _last_step(chosen), ""
        if last is not chosen:
            prefix = f"{chosen.steps[-1][0]}__"
        twin, reason = find_twin(last)
    except Exception as error:  # bad parameters get scikit-learn's own error, when it fits
        return Target(estimator, "", None, f"{type(error).__name__}: {error}")
    return Target(chosen, prefix, twin, reason)


def _last_step(estimator):
    from sklearn.pipeline import Pipeline

    if type(estimator) is Pipeline:
        return estimator.steps[-1][1]
    return estimator


def _plan_rows(grid, combinations) -> Iterator[dict[str, Any]]:
    for name in grid:
        axis = next((c.axis for c in combinations if c.axis and c.axis.name == name), None)
        row = {"parameter": name, "role": "enumerated", "low": None, "high": None}
        row |= {"scale": None, "reason": ""}
        targets = [c.target for c in combinations]
        if axis is not None:
            row |= {"role": "searched", "low": axis.low, "high": axis.high, "scale": axis.scale}
        elif targets and all(t.tuned == name for t in targets):
            row["role"] = "joint grid"
        else:
            row["reason"] = next((t.reason for t in targets if t.reason), "") or (
                "not differentiable; every value gets a joint solve of its own"
            )
        yield row
