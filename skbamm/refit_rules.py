"""Ready-made rules that choose the best candidate, for ``refit=``.

They read nothing but ``cv_results_``, so scikit-learn's own searches take them as well.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

# Whether a larger value regularises more, by what parameters are called in scikit-learn and beyond.
_STRONGER = {
    "alpha": True,
    "C": False,
    "l2_regularization": True,
    "reg_alpha": True,
    "reg_lambda": True,
    "reg_param": True,
    "shrinkage": True,
    "var_smoothing": True,
}
_EVEN = 1e-9  # relative difference up to which scores are equal


def one_standard_error(
    results: Mapping[str, Any], *, metric: str = "score", stronger: Mapping[str, bool] | None = None
) -> int:
    """Choose the most regularised candidate within one standard error of the best.

    The standard error is that of the best candidate's mean over the splits. Only candidates are
    compared that have the best one's values of all other parameters. With
    :class:`skbamm.BAMMSearchCV` an interval gets candidates on both sides of what was found, up
    to its ends (the "stage" of these rows is "profile").

    Parameters
    ----------
    results : dict
        ``cv_results_``.
    metric : str, default="score"
        Name of the metric where there are several.
    stronger : dict of str -> bool, optional
        Parameters that regularise, by their full names or without the steps' names, and whether
        larger values do so more. By default "alpha", "l2_regularization", "reg_alpha",
        "reg_lambda", "reg_param", "shrinkage" and "var_smoothing" (larger), and "C" (smaller).

    Returns
    -------
    int
        Index of the candidate.

    Raises
    ------
    ValueError
        If no parameter of the candidates is known to regularise.

    References
    ----------
    Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", 1984, section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> from skbamm import BAMMSearchCV, one_standard_error
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = BAMMSearchCV(Lasso(), {"alpha": (1e-4, 10)}, refit=one_standard_error).fit(X, y)
    >>> low, high = search.best_params_range_["alpha"]
    >>> search.best_params_["alpha"] == high
    True

    With other arguments:

    >>> from functools import partial
    >>> rule = partial(one_standard_error, metric="r2")
    """
    best = _best(results, metric)
    mean = np.asarray(results[f"mean_test_{metric}"], dtype=float)
    bar = mean[best] - standard_error(results, best, metric)
    return _strongest(results, best, mean, bar, stronger)


def most_regularised(
    results: Mapping[str, Any], *, metric: str = "score", stronger: Mapping[str, bool] | None = None
) -> int:
    """Choose the most regularised of the best candidates if several have the same score.

    scikit-learn takes the first of them. Scores are the same if they differ by less than a relative
    1e-9.

    Parameters
    ----------
    results : dict
        ``cv_results_``.
    metric : str, default="score"
        Name of the metric where there are several.
    stronger : dict of str -> bool, optional
        See :func:`one_standard_error`.

    Returns
    -------
    int
        Index of the candidate.

    Raises
    ------
    ValueError
        If no parameter of the candidates is known to regularise.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skbamm import BAMMSearchCV, most_regularised
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = {"alpha": [0.001, 0.01, 0.1]}  # as accurate as each other
    >>> BAMMSearchCV(RidgeClassifier(), grid, refit=most_regularised).fit(X, y).best_params_
    {'alpha': 0.1}
    """
    best = _best(results, metric)
    mean = np.asarray(results[f"mean_test_{metric}"], dtype=float)
    return _strongest(results, best, mean, mean[best] - _EVEN * abs(mean[best]), stronger)


def standard_error(results: Mapping[str, Any], index: int, metric: str = "score") -> float:
    """Return the standard error of a candidate's mean score over the splits; NaN of one split."""
    scores = np.array([results[name][index] for name in _split_names(results, metric)], dtype=float)
    if len(scores) < 2:
        return math.nan
    return float(scores.std(ddof=1) / math.sqrt(len(scores)))


def rule_of(refit: Any) -> tuple[Any, str]:
    """Return the rule that ``refit`` is, or None, and its metric."""
    rule = refit.func if isinstance(refit, functools.partial) else refit
    if rule not in (one_standard_error, most_regularised):
        return None, "score"
    keywords = refit.keywords if isinstance(refit, functools.partial) else {}
    return rule, keywords.get("metric", "score")


def differ_only_in(results: Mapping[str, Any], index: int, names: Iterable[str]) -> list[int]:
    """Return the candidates that have a candidate's values of all parameters but these."""
    names, given = set(names), results["params"]

    def rest(params):
        return {name: value for name, value in params.items() if name not in names}

    own = rest(given[index])
    return [i for i, params in enumerate(given) if _equal(rest(params), own)]


def _split_names(results, metric) -> list[str]:
    end = f"_test_{metric}"
    return [n for n in results if n.startswith("split") and n.endswith(end)]


def _best(results, metric) -> int:
    if f"mean_test_{metric}" not in results:
        known = sorted(n.removeprefix("mean_test_") for n in results if n.startswith("mean_test_"))
        raise ValueError(f"metric={metric!r} was not scored; the scores are {', '.join(known)}")
    mean = np.asarray(results[f"mean_test_{metric}"], dtype=float)
    return 0 if np.isnan(mean).all() else int(np.nanargmax(mean))


def _strongest(results, best, mean, bar, stronger) -> int:
    signs = _signs(results["params"][best], _STRONGER if stronger is None else stronger)
    if np.isnan(bar):
        return best

    def strength(i: int) -> tuple[float, float]:
        # Several parameters that regularise count by their ratios, vectors by their means.
        values = ((sign, results["params"][i][name]) for name, sign in signs.items())
        return sum(sign * _mean_log(value) for sign, value in values), mean[i]

    return max((i for i in differ_only_in(results, best, signs) if mean[i] >= bar), key=strength)


def _mean_log(value: Any) -> float:
    values = np.asarray(value, dtype=float)
    return float(np.log(values).mean()) if (values > 0).all() else -math.inf


def _signs(params, stronger) -> dict[str, int]:
    """Return the parameters that regularise, with 1 where larger values do more, else -1."""
    signs = {}
    for name in params:
        short = name.rpartition("__")[2]
        for known in (name, short):
            if known in stronger:
                signs[name] = 1 if stronger[known] else -1
                break
    if not signs:
        raise ValueError(
            f"no parameter is known to regularise, of {sorted(params)}: "
            "say stronger={name: whether larger values regularise more}"
        )
    return signs


def _equal(a: dict, b: dict) -> bool:
    if a.keys() != b.keys():
        return False
    return all(a[n] is b[n] or bool(np.all(a[n] == b[n])) for n in a)
