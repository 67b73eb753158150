"""The data of a search's display: candidates, scores, limits and the path."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor

from skbamm.refit_rules import rule_of

_WIDE = 50.0  # ratio of the largest to the smallest value from which on an axis is logarithmic


@dataclass
class SearchResults:
    """Candidates of a search in the parameters that vary among them.

    Attributes
    ----------
    names : list of str
        The parameters.
    values : list of list
        Of each candidate.
    scores : ndarray of shape (n_candidates, n_splits)
        Of the chosen metric.
    best : int
        The candidate that was taken.
    metric : str
        Name of the score.
    limits : dict of str -> (float, float)
        Of parameters that were searched over an interval.
    log : dict of str -> bool
        Whether a parameter's axis is logarithmic.
    path : dict of str -> ndarray
        Values of each iteration, and "seconds".
    label : str
        Label of the score axis.
    """

    names: list[str]
    values: list[list]
    scores: np.ndarray
    best: int
    metric: str
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    log: dict[str, bool] = field(default_factory=dict)
    path: dict[str, np.ndarray] = field(default_factory=dict)
    label: str = "score"

    @classmethod
    def of(cls, search: Any, metric: str | None = None) -> SearchResults:
        """Read a fitted search, of this package or of scikit-learn."""
        results, metric = search.cv_results_, metric or _metric(search)
        if f"mean_test_{metric}" not in results:
            known = sorted(n.removeprefix("mean_test_") for n in results if "mean_test_" in n)
            raise ValueError(f"metric must be one of {known}, got {metric!r}.")
        params = results["params"]
        plan = [row for row in getattr(search, "search_plan_", []) if row["role"] == "searched"]
        searched = {row["parameter"]: row for row in plan}
        names = [
            name
            for name in dict.fromkeys(name for one in params for name in one)
            if name in searched or len({repr(one.get(name)) for one in params}) > 1
        ]
        vectors = [n for n in names if _is_vector([one.get(n) for one in params], n in searched)]
        names = [name for name in names if name not in vectors]
        if not names:
            told = f"{vectors[0]!r} has a value for each entry" if vectors else "nothing varies"
            raise ValueError(f"there is no single value to show: {told} among the candidates.")
        values = [[one.get(name) for name in names] for one in params]
        scores = np.array(
            [results[f"split{k}_test_{metric}"] for k in range(search.n_splits_)], dtype=float
        ).T
        best = getattr(search, "best_index_", None)
        if best is None:
            best = int(np.nanargmax(results[f"mean_test_{metric}"]))
        found = cls(names, values, scores, int(best), metric)
        found.label = metric if metric != "score" else f"score ({_scorer_name(search)})"
        for j, name in enumerate(names):
            if name in searched and searched[name]["low"] is not None:
                found.limits[name] = searched[name]["low"], searched[name]["high"]
                found.log[name] = searched[name]["scale"] == "log"
            else:
                found.log[name] = _is_wide([one[j] for one in values])
        history = getattr(search, "history_", {})
        if all(name in history for name in names) and names:
            found.path = {name: np.asarray(history[name], dtype=float) for name in names}
            found.path["seconds"] = np.asarray(history["seconds"], dtype=float)
        return found

    def column(self, j: int) -> list:
        """Return the values of a parameter."""
        return [one[j] for one in self.values]

    def is_numeric(self, j: int) -> bool:
        """Whether all values of a parameter are numbers."""
        return all(isinstance(v, Real) and not isinstance(v, bool) for v in self.column(j))

    @property
    def mean(self) -> np.ndarray:
        """Mean score of each candidate."""
        return self.scores.mean(axis=1)

    @property
    def error(self) -> np.ndarray:
        """Standard error of each mean over the splits."""
        return self.scores.std(axis=1, ddof=1) / np.sqrt(self.scores.shape[1])


def curve_over(search: Any, X: Any, y: Any, n_values: int, metric: str | None) -> SearchResults:
    """Score values all over the intervals of a fitted search, jointly.

    Everything else is as in its best candidate. At most two parameters may have been searched.
    """
    found = SearchResults.of(search, metric)
    if not found.limits or len(found.limits) > 2:
        raise ValueError(
            "X: a curve is drawn over one or two intervals, and the search had "
            f"{len(found.limits)}; leave X out."
        )
    each = n_values if len(found.limits) == 1 else max(5, int(n_values**0.5) * 2)
    grid = {
        name: (np.geomspace if found.log[name] else np.linspace)(low, high, each)
        for name, (low, high) in found.limits.items()
    }
    best = search.cv_results_["params"][found.best]
    fixed = {name: value for name, value in best.items() if name not in grid}
    vector = getattr(search, "shrinkage_", {}).get("parameter")
    if vector in fixed:
        raise ValueError(
            f"X: no curve can be drawn beside {vector!r}, of which the search found a value for "
            "each entry; leave X out."
        )
    other = clone(search).set_params(
        estimator=clone(search.estimator).set_params(**clone(fixed, safe=False)),
        param_grid=grid,
        refit=False,
        verbose=0,
        max_time=None,
    )
    other.fit(X, y)
    return SearchResults.of(other, found.metric)


def _is_vector(values: list, searched: bool) -> bool:
    """Whether values have entries; dicts are weights of classes, but in a list they are listed."""
    return any(np.ndim(value) or (searched and isinstance(value, dict)) for value in values)


def _metric(search: Any) -> str:
    if not getattr(search, "multimetric_", False):
        return "score"
    if isinstance(search.refit, str):
        return search.refit
    rule, metric = rule_of(search.refit)
    if rule is not None:
        return metric
    raise ValueError(f"metric must be one of {sorted(search.scorer_)}: the search has several.")


def _scorer_name(search: Any) -> str:
    if isinstance(search.scoring, str):
        return search.scoring
    if search.scoring is not None:
        return getattr(search.scoring, "__name__", "own scorer")
    if is_classifier(search.estimator):
        return "accuracy"
    return "r2" if is_regressor(search.estimator) else "the estimator's own"


def _is_wide(values: list) -> bool:
    numbers = [float(v) for v in values if isinstance(v, Real)]
    return len(numbers) == len(values) and min(numbers) > 0 and max(numbers) >= _WIDE * min(numbers)
