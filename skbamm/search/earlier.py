"""The state of a fitted search from which ``resume`` continues.

The next fit starts at the best values, and scores them again. Rows of the table stay where they are
what the next fit would find if data, splits, estimator and scorer are the same. A hash decides,
since a fitted search holds no data.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.stats import rankdata
from sklearn.exceptions import NotFittedError

from skbamm._sklearn_compat import num_samples, safe_indexing
from skbamm.data.array_inputs import is_foreign, to_numpy
from skbamm.search.keys import candidate_key
from skbamm.space import Combination

STAGE = "resumed"
_ROWS = 1000  # of X that are hashed, in addition to the sum of all numbers


class Earlier:
    """The results of a fitted search.

    Parameters
    ----------
    search : BAMMSearchCV

    Attributes
    ----------
    best : dict or None
        The best values; None without a best candidate (several scores and no refit).
    results : dict
        ``cv_results_``.
    """

    def __init__(self, search: Any):
        if "cv_results_" not in vars(search):
            raise NotFittedError(
                f"This {type(search).__name__} instance is not fitted yet. resume continues a "
                "fitted search: call 'fit' first."
            )
        self.best: dict[str, Any] | None = vars(search).get("best_params_")
        self.results = search.cv_results_
        self._seen = search._seen
        self._inside = False  # whether the best values are in the intervals of the next fit
        self._before = 0  # rows of the joined table that are earlier ones

    def check(self, X: Any) -> None:
        """Raise an error if X has another number of features."""
        before, now = self._seen[0], n_features(X)
        if before != now and None not in (before, now):
            raise ValueError(
                f"resume needs the data of fit: X has {now} features, but the search was "
                f"fitted to {before}."
            )

    def is_of(self, seen: tuple[int | None, str]) -> bool:
        """Whether a fit to these data and splits would give the same rows."""
        return seen == self._seen and bool(seen[1])

    def is_known(self, params: dict[str, Any]) -> bool:
        """Whether a candidate need not be scored: an earlier row has it, and it is not the best."""
        key = candidate_key(params)
        best = None if self.best is None else candidate_key(self.best)
        return key != best and key in {candidate_key(one) for one in self.results["params"]}

    def place(self, combination: Combination, axes: tuple[Any, ...]) -> list[float] | None:
        """Return the x of the best values, moved into the intervals; None for another combination.

        Vectors have their own start.
        """
        best = self.best
        if best is None or combination.holder is not None or not axes:
            return None
        rest = {name: value for name, value in best.items() if name not in {a.name for a in axes}}
        if candidate_key(rest) != candidate_key(combination.params):
            return None
        values: list[Any] = [best.get(axis.name) for axis in axes]
        if not all(isinstance(value, Real) for value in values):
            return None
        found, self._inside = [], True
        for axis, value in zip(axes, map(float, values), strict=True):
            inside = min(max(value, axis.low), axis.high)
            self._inside &= inside == value
            x = float(axis.place(torch.tensor(inside, dtype=torch.float64)))
            low, high = axis.bounds()
            found.append(min(max(x, low), high))
        return found

    def join(self, results: dict[str, Any], listed: list[dict[str, Any]]) -> None:
        """Put the earlier rows into a table, in place, if its scores are of the same kind.

        Parameters
        ----------
        results : dict
            ``cv_results_`` of the candidates that were scored now.
        listed : list of dict
            The candidates of a list, in whose order the rows are to be; empty for intervals, where
            earlier rows stand before the others, if the best of them was in the intervals.
        """
        own = self.results
        now = {candidate_key(one) for one in results["params"]}
        places = {candidate_key(one): i for i, one in enumerate(listed)}
        if self._inside and self.best is not None:
            now.add(candidate_key(self.best))  # up to the last digit
        known = [candidate_key(one) for one in own["params"]]
        kept = [
            i for i, key in enumerate(known) if key not in now and (key in places or self._inside)
        ]
        if not kept or _scores(own) != _scores(results):
            return
        n = len(results["params"])
        params = [own["params"][i] for i in kept] + results["params"]
        rows = np.arange(len(params))
        if listed:
            rows = np.argsort([places[candidate_key(one)] for one in params], kind="stable")
        else:
            self._before = len(kept)
        for name in dict.fromkeys([*own, *results]):
            if name != "params":
                column = _joined(_column(own, name, kept), _column(results, name, range(n)))
                results[name] = [column[i] for i in rows] if name == "stage" else column[rows]
        results["params"] = [params[i] for i in rows]
        for name in [name for name in results if name.startswith("rank_test_")]:
            results[name] = _ranks(results[f"mean_test_{name.removeprefix('rank_test_')}"])

    def scored_now(self, results: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the rows of a joined table that were scored now, and how many are before them."""
        n = self._before
        return {name: column[n:] for name, column in results.items()}, n


def n_features(X: Any) -> int | None:
    """Return how many columns X has, if it says so."""
    shape: Any = getattr(X, "shape", ())
    return int(shape[1]) if len(shape) == 2 else None


def seen_by(
    fitting: Any, weights: Any, X: Any, y: Any, splits: list, params: Any
) -> tuple[int | None, str]:
    """Return the number of features, and a hash of all that a row of the results depends on.

    The hash is "" where the data cannot be read, which is not for us to complain of.

    Parameters
    ----------
    fitting : Fitting
        With the user's estimator and scoring.
    weights : SampleWeights or None
    X, y : array-like
    splits : list of (train, test)
    params : list
        What was routed to the estimator and to the scorer, and whether training rows are scored.
    """
    try:
        known = {
            "X": _of_rows(X),
            "y": None if y is None else _in_numpy(y),
            "splits": [(len(train), int(np.sum(train)), test) for train, test in splits],
            "params": params,
            "scoring": fitting.scoring,
            "estimator": fitting.estimator,
            "weights": repr(weights),
        }
    except Exception:  # of arrays of any library
        return n_features(X), ""
    return n_features(X), candidate_key(known)


def _of_rows(X: Any) -> tuple[Any, ...]:
    n = num_samples(X)
    some = safe_indexing(X, np.unique(np.linspace(0, n - 1, min(n, _ROWS)).astype(int)))
    if sp.issparse(some):
        some = [some.data, some.indices, some.indptr]
    elif hasattr(some, "shape"):
        some = _in_numpy(some)
    return type(X).__name__, getattr(X, "shape", n), _sum(X), some


def _in_numpy(array: Any) -> np.ndarray:
    return to_numpy(array) if is_foreign(array) else np.asarray(array)


def _sum(X: Any) -> int:
    """Return the sum of the bits of an array of numbers, which any change changes."""
    values = X.data if sp.issparse(X) else X
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        return 0
    words = {4: np.uint32, 8: np.uint64}.get(values.dtype.itemsize)
    if words is None or not (values.flags.c_contiguous or values.flags.f_contiguous):
        return 0
    return int(values.ravel(order="K").view(words).sum(dtype=np.uint64))


def _scores(results: dict[str, Any]) -> set[str]:
    return {name for name in results if not name.startswith("param") and name != "stage"}


def _column(results: dict[str, Any], name: str, rows: Any) -> Any:
    """Return rows of a column, or the placeholder of rows without it."""
    rows = list(rows)
    if name in results:
        return [results[name][i] for i in rows] if name == "stage" else results[name][rows]
    return ["grid"] * len(rows) if name == "stage" else np.ma.masked_all(len(rows), dtype=object)


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, list):
        return one + other
    if not isinstance(one, np.ma.MaskedArray):
        return np.concatenate([one, other])
    if object in (one.dtype, other.dtype):
        one, other = one.astype(object), other.astype(object)
    return np.ma.concatenate([one, other])


def _ranks(means: np.ndarray) -> np.ndarray:
    """Return ranks as scikit-learn has them: the least of ties, and those without a score last."""
    if np.isnan(means).all():
        return np.ones(len(means), dtype=np.int32)
    known = np.nan_to_num(means, nan=np.nanmin(means) - 1)
    return rankdata(-known, method="min").astype(np.int32)
