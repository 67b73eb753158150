"""How well what a search found is known: attributes that it publishes, and a warning."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from skbamm.refit_rules import differ_only_in, one_standard_error, rule_of, standard_error
from skbamm.search.edges import warn_at_edges
from skbamm.space import Space


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
