"""Published certainty of the best candidate, and warnings at ends of intervals."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
import torch

from skbamm.refit_rules import differ_only_in, one_standard_error, rule_of, standard_error
from skbamm.space import Axis, Space, VectorAxis

_CLOSE = 1e-3  # of x: relative difference of values on a logarithmic scale
_BEYOND = 1e-6  # relative distance beyond an end at which a value must be valid


class EdgeWarning(UserWarning):
    """The best value of a parameter is an end of the interval that was searched."""


def warn_at_edges(space: Space, best: dict[str, Any]) -> None:
    """Warn of the parameters whose best value is an end that could be moved."""
    for name, value in best.items():
        for combination in space.combinations:
            axis = next((axis for axis in combination.all_axes if axis.name == name), None)
            other = any(best.get(n, v) is not v for n, v in combination.params.items())
            if other or axis is None or (isinstance(axis, Axis) and np.ndim(value)):
                continue
            if isinstance(axis, VectorAxis):
                assert combination.holder is not None
                message = _vector_message(axis, value, combination.holder.inverse)
            else:
                message = _message(axis, float(value), combination.target.searchable[name])
            if message:
                warnings.warn(message, EdgeWarning, stacklevel=4)
            break


def _vector_message(axis: VectorAxis, value: Any, inverse: bool) -> str:
    """Return what to say where most values are at the weak end.

    A few may need no penalty; those at the other end are reported as dropped.
    """
    if np.ndim(value) == 0 and not isinstance(value, dict):
        return ""  # one value for all, which its own fits were left to find
    values = np.array(list(value.values()) if isinstance(value, dict) else value)
    for end, which, more in ((axis.low, "lower", "smaller"), (axis.high, "upper", "larger")):
        count = int((values == end).sum())
        if 2 * count > len(values) and (axis.weighs_rows or (which == "upper") is inverse):
            return (
                f"{count} of the {len(values)} best values of {axis.name} are the {which} end of "
                f"their interval [{axis.low:g}, {axis.high:g}]: {more} values may be better."
            )
    return ""


def _message(axis: Axis, value: float, hyperparameter: Any) -> str:
    x = float(axis.place(torch.tensor(value, dtype=torch.float64)))
    low, high = axis.bounds()
    # An end that no value can lie beyond needs no warning.
    if abs(x - low) <= _CLOSE and hyperparameter.valid(axis.low - _BEYOND * (abs(axis.low) or 1)):
        end, more = "lower", "smaller"
    elif abs(x - high) <= _CLOSE and hyperparameter.valid(axis.high * (1 + _BEYOND)):
        end, more = "upper", "larger"
    else:
        return ""
    return (
        f"The best {axis.name}={value:.6g} is the {end} end of its interval "
        f"[{axis.low:g}, {axis.high:g}]: {more} values may be better."
    )


def say_how_sure(search: Any, space: Space) -> None:
    """Publish how well the best score and parameters are known; warn at ends of intervals."""
    for name in ("best_score_standard_error_", "best_params_range_"):
        search.__dict__.pop(name, None)  # an earlier fit's
    rule, metric = rule_of(search.refit)
    unknown = callable(search.refit) and rule is None
    if unknown or (search.multimetric_ and not search.refit):
        return
    if isinstance(search.refit, str) and search.multimetric_:
        metric = search.refit
    results, index = search.cv_results_, search.best_index_
    mean = results[f"mean_test_{metric}"]
    if rule is not None:
        search.best_score_ = mean[index]
    search.best_score_standard_error_ = standard_error(results, index, metric)
    search.best_params_range_ = {}
    stage = np.asarray(results.get("stage", ["grid"] * len(mean)))
    profile = stage == "profile"  # around rows that are "refined"
    apart = profile | (stage == "start") & profile.any()
    top = int(np.where(apart, -np.inf, np.nan_to_num(mean, nan=-np.inf)).argmax())
    bar = mean[top] - standard_error(results, top, metric)
    for row in space.plan:
        name = row["parameter"]
        searched = row["role"] == "searched" and rule is one_standard_error
        tuned = row["role"] == "joint grid" or searched
        if not tuned or name not in results["params"][top]:
            continue
        rows = [i for i in differ_only_in(results, top, [name]) if i == top or mean[i] >= bar]
        rows = [i for i in rows if name in results["params"][i]]  # one may have the model's own
        within = [results["params"][i][name] for i in rows]
        if all(isinstance(value, Real) for value in within):  # not one value a target, nor None
            search.best_params_range_[name] = float(min(within)), float(max(within))
    if not callable(search.refit):
        warn_at_edges(space, search.best_params_)
