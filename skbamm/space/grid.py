"""Reads ``param_grid``: which candidates are lists, which parameters are intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skbamm.models import Hyperparameter, Twin, find_twin, supported
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
    def tuned(self) -> dict[str, Hyperparameter]:
        """What the twin can tune, by the name that it has in the grid."""
        if self.twin is None:
            return {}
        found = self.twin.tunes(last_step(self.estimator))
        return {self.prefix + one.name: one for one in found}


@dataclass(frozen=True)
class Combination:
    """One setting of all listed parameters, with the intervals to be searched under it.

    Attributes
    ----------
    params : dict
        Values of the listed parameters, tuned ones included if they are listed.
    target : Target
    axes : tuple of Axis
        In the order of the twin's hyperparameters; empty if nothing is searched.
    """

    params: dict[str, Any]
    target: Target
    axes: tuple[Axis, ...] = ()


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
        return any(c.axes for c in self.combinations)


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
            yield Combination(params, _target(estimator, params, _varied(grid)))
        return
    # A tuple is an interval only on what a twin tunes, and the twin may depend on the lists.
    base = _target(estimator, next(iter(ParameterGrid(listed)), {}))
    for name in [n for n in tuples if not _may_tune(base, n)]:
        listed[name] = grid[name]
        del tuples[name]
    intervals = {**explicit, **tuples}
    for params in ParameterGrid(listed):
        target = _target(estimator, params, _varied(listed))
        tuned = target.tuned
        for name in intervals:
            if name not in tuned:
                raise ValueError(_cannot_search(name, target))
        axes = [make_axis(n, intervals[n], tuned[n]) for n in tuned if n in intervals]
        yield Combination(params, target, tuple(axes))


def _may_tune(target: Target, name: str) -> bool:
    """Whether the twin tunes this parameter, if perhaps not as the estimator is set."""
    if target.twin is None:
        return False
    return name in [target.prefix + one.name for one in target.twin.hyperparameters]


def _cannot_search(name: str, target: Target) -> str:
    why = target.reason
    if not why:
        only = ", ".join(map(repr, target.tuned))
        why = f"of {type(last_step(target.estimator)).__name__} as it is set only {only} can be"
        assert target.twin is not None  # else there is a reason
        if enables := target.twin.enables(name.removeprefix(target.prefix)):
            why += f" ({enables} allows it)"
    return (
        f"Parameter {name!r} cannot be searched over an interval: {why}. Use a list of values. "
        f"Intervals are supported for {supported()}."
    )


def _varied(listed: dict[str, Any]) -> set[str]:
    """Return the parameters of which a grid that was checked lists more than one value."""
    return {name for name, values in listed.items() if len(values) > 1}


def _target(estimator, params, varied=frozenset()) -> Target:
    """Find the twin of what these parameters make of the estimator.

    There is none where the list compares what only the estimator's own fit depends on.
    """
    try:
        # As scikit-learn does before it sets them: a value may itself be an estimator.
        chosen = clone(estimator).set_params(**clone(params, safe=False))
        last, prefix = last_step(chosen), ""
        if last is not chosen:
            prefix = f"{chosen.steps[-1][0]}__"
        twin, reason = find_twin(last)
        if twin is not None:
            own = [name for name in twin.path_parameters if prefix + name in varied]
            if own:
                kind = type(last).__name__
                twin, reason = None, f"{kind}: {own[0]} matters to its own fits only"
    except Exception as error:  # bad parameters get scikit-learn's own error, when it fits
        return Target(estimator, "", None, f"{type(error).__name__}: {error}")
    return Target(chosen, prefix, twin, reason)


def last_step(estimator: Any) -> Any:
    """Return the model itself, out of a pipeline if it is in one."""
    from sklearn.pipeline import Pipeline

    if type(estimator) is Pipeline:
        return estimator.steps[-1][1]
    return estimator


def _plan_rows(grid, combinations) -> Iterator[dict[str, Any]]:
    for name in grid:
        axis = next((axis for c in combinations for axis in c.axes if axis.name == name), None)
        row = {"parameter": name, "role": "enumerated", "low": None, "high": None}
        row |= {"scale": None, "reason": ""}
        targets = [c.target for c in combinations]
        if axis is not None:
            row |= {"role": "searched", "low": axis.low, "high": axis.high, "scale": axis.scale}
        elif targets and all(name in t.tuned for t in targets):
            row["role"] = "joint grid"
        else:
            row["reason"] = next((t.reason for t in targets if t.reason), "") or (
                "not differentiable; every value gets a joint solve of its own"
            )
        yield row
