"""Reads ``param_grid``: which candidates are lists, which parameters are intervals."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skbamm.models import (
    FeatureMap,
    Hyperparameter,
    Twin,
    find_feature_map,
    find_twin,
    has_transformers,
    last_step,
    step_prefix,
    supported,
)
from skbamm.space.holding import Holder
from skbamm.space.interval import (
    Axis,
    Interval,
    as_interval,
    check_alone,
    check_no_text,
    make_axis,
    reversed_pair,
)
from skbamm.space.judged import judged_families, judged_parameters, why_not_judged
from skbamm.space.names import check_names
from skbamm.space.vector_axis import SearchAxis, VectorAxis, make_vector_axis
from skbamm.space.vectors import CLASS_WEIGHT, Vector

EACH_ALONE = "not differentiable; each value has its own joint solve"
_JUDGED = "the scorer judges values over the whole interval, then near the best"
_OWN_LISTS = "no values of its lists are solved jointly"


@dataclass(frozen=True)
class Target:
    """The model that a combination of the grid ends in.

    Attributes
    ----------
    estimator : estimator
        The user's estimator with the combination's parameters set.
    prefix : str
        What names of the model's parameters begin with, such as "" or "step__".
    twin : Twin or None
    reason : str
        Why the estimator has no twin.
    """

    estimator: Any
    prefix: str
    twin: Twin | None
    reason: str

    @property
    def pipeline(self) -> Any:
        """The pipeline with the model's transformers; None if there are none."""
        return next((p for p in (self.estimator, self._wrapped) if has_transformers(p)), None)

    @property
    def feature_map(self) -> FeatureMap | None:
        """That of the last transformer before the model."""
        return find_feature_map(self.pipeline.steps[-2][1]) if self.pipeline else None

    @property
    def map_name(self) -> str:
        """Name of the map's parameter in the grid; "" without a map."""
        if self.feature_map is None:
            return ""
        inside = "" if self.pipeline is self.estimator else step_prefix(self.estimator)
        outer = "" if self.pipeline is self.estimator else "regressor__"
        step = self.pipeline.steps[-2][0]
        return f"{inside}{outer}{step}__{self.feature_map.hyperparameter.name}"

    @property
    def loss_name(self) -> str:
        """Name of the loss's parameter in the grid; "" if none can be searched."""
        if self.twin is None or self.twin.loss_parameter is None:
            return ""
        return self.prefix + self.twin.loss_parameter.name

    @property
    def fit_prefix(self) -> str:
        """What names of fit parameters that reach the model begin with."""
        return step_prefix(self.estimator) + step_prefix(self._wrapped)

    @property
    def _wrapped(self) -> Any:
        return None if self.twin is None else self.twin.wrapped(last_step(self.estimator))

    @property
    def searchable(self) -> dict[str, Hyperparameter]:
        """What an interval can be searched for: what is tuned, and what map and loss have.

        Without a twin, what the scorer can judge.
        """
        if self.twin is None:
            return judged_parameters(self.estimator)
        found = self.tuned
        if self.twin.loss_parameter is not None:
            found = {self.loss_name: self.twin.loss_parameter, **found}
        if self.feature_map is None or self.why_no_map():
            return found
        return {self.map_name: self.feature_map.hyperparameter, **found}

    def why_no_map(self) -> str:
        """Why the map's parameter cannot be searched; "" if it can."""
        assert self.feature_map is not None
        if self.twin is None:
            return self.reason
        if self.twin.family != "linear":
            return "the model behind the feature map is not linear"
        step = self.pipeline.steps[-2][1]
        why = self.feature_map.mismatch(step)
        return f"{type(step).__name__}: {why}" if why else ""

    @property
    def takes_kernels(self) -> bool:
        """Whether the twin's model is given rows of a kernel."""
        return self.twin is not None and self.twin.takes_kernels(last_step(self.estimator))

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
    axes : tuple of Axis or VectorAxis
        In the order of the twin's hyperparameters; empty if nothing is searched.
    line_axis : Axis or None
        Of what the penalty does not see: the parameter of a feature map, or of the loss.
    holder : Holder or None
        Puts the values of a VectorAxis, if there is one, into estimators.
    """

    params: dict[str, Any]
    target: Target
    axes: tuple[SearchAxis, ...] = ()
    line_axis: Axis | None = None
    holder: Holder | None = None

    @property
    def all_axes(self) -> tuple[SearchAxis, ...]:
        """Those of the penalty, after that of the features or the loss."""
        return self.axes if self.line_axis is None else (self.line_axis, *self.axes)

    @property
    def is_judged(self) -> bool:
        """Whether its intervals have no derivative, and the scorer judges values of them."""
        return bool(self.axes) and self.target.twin is None


@dataclass
class Space:
    """The parsed ``param_grid``.

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
        return any(c.all_axes for c in self.combinations)


def read_grid(estimator: Any, param_grid: Any) -> Space:
    """Read and check ``param_grid``.

    Raises
    ------
    TypeError, ValueError
        scikit-learn's own for a bad grid; ours, which name the parameter, for a bad interval or
        one that nothing can search, or a name that the estimator does not have.
    """
    grids = param_grid if isinstance(param_grid, (list, tuple)) else [param_grid]
    if not all(isinstance(grid, dict) for grid in grids):
        ParameterGrid(param_grid)  # raises
    try:
        clone(estimator)
    except Exception:  # a class, or no estimator: scikit-learn's own fit says so
        return Space([])
    _tell_of_reversed_pairs(grids)
    combinations: list[Combination] = []
    plan: list[dict[str, Any]] = []
    for grid in grids:
        found = list(_read_one(estimator, grid))
        combinations += found
        plan += _plan_rows(grid, found)
    return Space(combinations, plan)


def _read_one(estimator, grid) -> Iterator[Combination]:
    """Yield the combinations of one dict of a grid."""
    vectors, intervals = _intervals_of(grid)
    listed = {name: grid[name] for name in grid if name not in {*intervals, *vectors}}
    for params in ParameterGrid(listed):
        target = _target(estimator, params, _varied(listed))
        _check_texts(target, params)
        if intervals or vectors:
            yield _searched(estimator, params, target, intervals, vectors)
            continue
        if target.twin is not None and not target.twin.solves_lists:
            target = replace(target, twin=None, reason=_OWN_LISTS)
        yield Combination(params, target)


def _intervals_of(grid: dict[str, Any]) -> tuple[dict[str, Vector], dict[str, Interval]]:
    """Return what a dict of a grid has besides lists of values: vectors, and intervals."""
    vectors = {name: value for name, value in grid.items() if isinstance(value, Vector)}
    if len(vectors) > 1:
        raise ValueError(f"Only one parameter may be a vector, got {list(vectors)}.")
    for name, value in grid.items():
        check_alone(name, value, (Interval, Vector))
    read = {name: as_interval(name, value) for name, value in grid.items() if name not in vectors}
    return vectors, {name: one for name, one in read.items() if one is not None}


def _check_texts(target: Target, params: dict[str, Any]) -> None:
    """Raise ValueError if a listed value is the text of a number that a solver would take."""
    for name in [name for name, value in params.items() if isinstance(value, str)]:
        one = target.searchable.get(name)
        if one is not None and params[name] not in one.words:
            check_no_text(name, params[name])


def _searched(
    estimator: Any,
    params: dict[str, Any],
    target: Target,
    intervals: dict[str, Interval],
    vectors: dict[str, Vector],
) -> Combination:
    """Return a combination with the axes of its intervals and its vector, all of them checked."""
    names = [*intervals, *vectors]
    target = _with_judged(target, names)
    found = target.searchable
    if (name := target.prefix + CLASS_WEIGHT) in vectors and target.twin is not None:
        found = {**found, name: Hyperparameter(CLASS_WEIGHT, positive=True)}
    for name in names:
        if name not in found:
            check_names(estimator, [*params, name], params)
            raise ValueError(_cannot_search(name, target))
    axes: dict[str, Any] = {}
    for name, one in found.items():
        if name in vectors:
            axes[name] = make_vector_axis(name, vectors[name], one)
        elif name in intervals:
            axes[name] = make_axis(name, intervals[name], one)
    line, holder = _take_line(axes, target, bool(vectors)), None
    for axis in axes.values():
        if isinstance(axis, VectorAxis):
            target, holder = _held(target, axis)
    return Combination(params, target, tuple(axes.values()), line, holder)


def _take_line(axes: dict[str, Any], target: Target, has_vector: bool) -> Axis | None:
    """Take the axis of a feature map or a loss out of the others; None if there is none."""
    lines = [axes.pop(n) for n in (target.map_name, target.loss_name) if n in axes]
    if len(lines) > 1:
        raise ValueError(
            f"Parameters {lines[0].name!r} and {lines[1].name!r} cannot both be searched over "
            "intervals. Use a list of values for one of them."
        )
    if has_vector and lines:
        raise ValueError(
            f"Parameter {lines[0].name!r} cannot be searched over an interval together with "
            "a vector. Use a list of values."
        )
    return lines[0] if lines else None


def _with_judged(target: Target, intervals: list[str]) -> Target:
    """Return the target without its twin if that cannot search all intervals, but a scorer can."""
    if target.twin is None or {*intervals} <= {*target.searchable}:
        return target
    if not {*intervals} <= {*judged_parameters(target.estimator)}:
        return target
    return replace(target, twin=None, reason="")


def _held(target: Target, axis: VectorAxis) -> tuple[Target, Holder]:
    """Return the target with an estimator that can have vectors, and what gives it some."""
    twin: Any = target.twin
    scales = axis.weighs_rows or axis.parameter == twin.hyperparameters[0].name
    if twin.family != "linear" or not scales:
        first = twin.hyperparameters[0].name
        raise ValueError(
            f"Parameter {axis.name!r} cannot be a vector: "
            + ("the model is not linear." if twin.family != "linear" else f"only {first!r} can be.")
        )
    holder = Holder(axis, target.prefix, twin.inverse)
    holder.check(target.estimator)
    estimator = holder.hold(target.estimator)
    twin, reason = find_twin(last_step(estimator))
    if twin is None:
        raise ValueError(f"Parameter {axis.name!r} cannot be a vector: {reason}.")
    return Target(estimator, target.prefix, twin, ""), holder


def _cannot_search(name: str, target: Target) -> str:
    why = target.why_no_map() if name == target.map_name else target.reason
    if target.twin is None:
        why = why_not_judged(target.estimator, name) or why
    if not why:
        only = ", ".join(map(repr, target.searchable))
        assert target.twin is not None  # else there is a reason
        model = target.twin.model(last_step(target.estimator))
        why = f"of {type(model).__name__} as it is set only {only} can be"
        if enables := target.twin.enables(name.removeprefix(target.prefix)):
            why += f" ({enables} allows it)"
    return (
        f"Parameter {name!r} cannot be searched over an interval: {why}. Use a list of values. "
        f"Intervals are supported for {supported()}. Those of {judged_families()}."
    )


def _tell_of_reversed_pairs(grids) -> None:
    """Warn that pairs of numbers in falling order are lists, and how an interval is written."""
    for name, value in (item for grid in grids for item in grid.items() if reversed_pair(item[1])):
        low, high = value[::-1]
        warnings.warn(
            f"Parameter {name!r}: {value!r} is a list of two values, as for GridSearchCV. An "
            f"interval has its lower end first: ({low!r}, {high!r}).",
            UserWarning,
            stacklevel=4,
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
        last = last_step(chosen)
        twin, reason = find_twin(last)
        prefix = step_prefix(chosen)
        if twin is not None:
            prefix += twin.inside
            if has_transformers(chosen) and has_transformers(twin.wrapped(last)):
                twin, reason = None, "there are transformers before and inside of it"
        if twin is not None:
            own = [name for name in twin.path_parameters if prefix + name in varied]
            if own:
                kind = type(last).__name__
                twin, reason = None, f"{kind}: {own[0]} affects its own fits only"
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith("Invalid parameter"):
            check_names(estimator, params, params)
        # Other bad parameters get scikit-learn's own error, when it fits.
        return Target(estimator, "", None, f"{type(error).__name__}: {error}")
    return Target(chosen, prefix, twin, reason)


def _plan_rows(grid, combinations) -> Iterator[dict[str, Any]]:
    for name in grid:
        axis = next((axis for c in combinations for axis in c.all_axes if axis.name == name), None)
        row = {"parameter": name, "role": "enumerated", "low": None, "high": None}
        row |= {"scale": None, "reason": ""}
        targets = [c.target for c in combinations]
        if axis is not None:
            row |= {"role": "searched", "low": axis.low, "high": axis.high, "scale": axis.scale}
            if any(c.is_judged for c in combinations):
                row["reason"] = _JUDGED
        elif targets and all(name in t.tuned for t in targets):
            row["role"] = "joint grid"
        else:
            row["reason"] = next((t.reason for t in targets if t.reason), EACH_ALONE)
        yield row
