"""KNeighborsClassifier and KNeighborsRegressor: the most neighbours of each row are found once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skbamm._sklearn_compat import openmp_threads, safe_indexing
from skbamm.shared_fits.base import NotShared, SharedFits, fitted, take_fitted
from skbamm.shared_fits.ties import known_alike, open_ties, padded

_EXACT_INTEGERS = 2.0**53
_MORE = 8  # neighbours beyond the largest number, to find where ties end
_ON_Y = 1024  # rows up to which threads share the training rows, not these
# Distances of a pair of rows that are computed without a product of matrices, whose rounding
# depends on what other rows are there.
_PAIRWISE = frozenset({"manhattan", "l1", "cityblock", "chebyshev", "minkowski", "precomputed"})


@dataclass(eq=False)
class NearestRows:
    """A fitted model, and the numbers of neighbours that candidates use.

    Attributes
    ----------
    model : estimator
    counts : list of int
        No more than there are training rows.
    most : int
        The number of neighbours to look for.
    integers : bool
        Whether all features are integers, so small that distances have no rounding errors.
    """

    model: Any
    counts: list[int]
    most: int
    integers: bool


@dataclass(eq=False)
class Neighbours:
    """The neighbours of some rows, the nearest first.

    Attributes
    ----------
    distances, indices : ndarray of shape (n_rows, most)
    apart : bool
        Whether the neighbours of a row are independent of the other rows of a query.
    blocks : bool
        Whether they depend on them by the rounding of distances only.
    open : dict of int -> ndarray
        The rows of which several sets of so many rows are the nearest, with different targets.
    few : (ndarray, ndarray), or None
        The rows of a query, and the numbers of neighbours for which they may be queried alone.
    settled : dict of int -> (ndarray, ndarray)
        So many neighbours, as scikit-learn finds them.
    """

    distances: np.ndarray
    indices: np.ndarray
    apart: bool
    blocks: bool
    open: dict[int, np.ndarray]
    few: tuple[np.ndarray, np.ndarray] | None = None
    settled: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


class SharedNeighbours(SharedFits):
    """The neighbours for the largest ``n_neighbors`` include those for smaller values.

    Among training rows at equal distance, scikit-learn takes some into the last places, which
    ones depends on ``n_neighbors``. If their targets differ, its own query is used.
    """

    estimator_types = (KNeighborsRegressor,)
    parameters = ("n_neighbors", "weights")
    answers: tuple[str, ...] = ("kneighbors",)

    def mismatch(self, estimator):
        """Return why not: True is a number of neighbours, but no place in an array."""
        return "n_neighbors is a bool" if isinstance(estimator.n_neighbors, bool) else ""

    def begin(self, models, X, y, fit_params):
        """Fit the model of the fewest neighbours: "auto" has no tree for very many."""
        if fit_params:
            raise NotShared("fit parameters")
        fewest = min(models, key=lambda model: model.n_neighbors)
        model = fitted(clone(fewest), X, y, {})
        n_rows = model.n_samples_fit_
        counts = sorted({one.n_neighbors for one in models if one.n_neighbors <= n_rows})
        most = min(max(counts, default=1) + _MORE, n_rows)
        return NearestRows(model, counts, most, _are_integers(model._fit_X))

    def serve(self, state, model):
        """Give a model the training rows, unless its own fit would treat them differently."""
        n_rows, k = state.model.n_samples_fit_, model.n_neighbors
        no_tree = model.algorithm == "auto" and k >= n_rows // 2
        if k > n_rows or (no_tree and state.model._fit_method != "brute"):
            raise NotShared("too many neighbours")
        take_fitted(model, state.model)

    def precompute(self, state, model, X):
        """Return the neighbours of rows."""
        nearest = state.model
        metric, rows = nearest.effective_metric_, nearest._fit_X
        distances, indices = nearest.kneighbors(X, n_neighbors=state.most)
        trees = nearest._fit_method in ("kd_tree", "ball_tree")
        sparse = [sp.issparse(one) for one in (X, rows)]
        integers = state.integers and _are_integers(X)
        exact = metric in _PAIRWISE or callable(metric) or (
            metric == "euclidean" and (integers or all(sparse))
        )  # fmt: skip
        # Else few rows and many are shared among threads in other ways.
        on_y = min(_ON_Y, nearest.n_samples_fit_)
        alike = len(distances) <= on_y or openmp_threads() == 1
        return Neighbours(
            distances,
            indices,
            apart=trees or (exact and alike),
            blocks=metric == "euclidean" and not any(sparse) and alike,
            open={k: open_ties(distances, indices, k, nearest._y) for k in state.counts},
        )

    def takes(self, name, options):
        """Whether these are neighbours of rows, at most as many as the model's own."""
        return name != "kneighbors" or set(options) <= {"return_distance"}

    def answer(self, state, model, name, known, X, own: Callable, **options):
        """Return the nearest of the neighbours."""
        found = self.nearest(state, model, known, X, own)
        return found if options.get("return_distance", True) else found[1]

    def nearest(
        self, state: NearestRows, model: Any, known: Neighbours, X: Any, own: Callable
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and indices (n_rows, n_neighbors)."""
        k = model.n_neighbors
        rows = known.open[k]
        if k in known.settled:
            return known.settled[k]
        distances, indices = known.distances[:, :k], known.indices[:, :k]
        if not rows.size:
            return distances, indices
        few = rows if known.apart else self._few(state, known, k, X, own)
        if few is None:
            distances, indices = own().kneighbors(X)
        else:
            distances, indices = distances.copy(), indices.copy()
            found = own().kneighbors(
                safe_indexing(X, few if known.apart else self._padded(state, few))
            )
            places = np.searchsorted(few, rows)
            distances[rows], indices[rows] = (one[places] for one in found)
        known.settled[k] = distances, indices
        return distances, indices

    def _few(self, state, known, k, X, own) -> np.ndarray | None:
        """Return rows with open ties that may be queried alone; None to query all rows."""
        if not known.blocks:
            return None
        if known.few is None:
            rows = np.unique(np.concatenate(list(known.open.values())))
            some = own().kneighbors(
                safe_indexing(X, self._padded(state, rows)), n_neighbors=state.most
            )
            some = [one[: len(rows)] for one in some]
            known.few = rows, known_alike(known.distances[rows], known.indices[rows], *some)
        rows, alike = known.few
        return rows if alike[np.searchsorted(rows, known.open[k]), k - 1].all() else None

    def _padded(self, state: NearestRows, rows: np.ndarray) -> np.ndarray:
        """Return rows in whole blocks, unless threads would share so many in another way."""
        whole = padded(rows)
        return whole if len(whole) <= min(_ON_Y, state.model.n_samples_fit_) else rows


class SharedVotes(SharedNeighbours):
    """The same for a classifier, whose neighbours' votes are counted for all rows at once."""

    estimator_types = (KNeighborsClassifier,)
    answers = ("kneighbors", "predict", "predict_proba")

    def answer(self, state, model, name, known, X, own, **options):
        """Return the nearest of the neighbours, or their votes."""
        counted = not model.outputs_2d_ and model.weights in ("uniform", "distance")
        if name == "kneighbors":
            return super().answer(state, model, name, known, X, own, **options)
        if not counted:
            # Its own method calls kneighbors, except where it has a path without neighbours.
            method = getattr(type(model), name)
            return method(model, X)
        k, rows = model.n_neighbors, np.empty(0, dtype=np.intp)
        if self._counts_by_itself(state, model):
            if not np.array_equal(model.classes_, np.arange(len(model.classes_))):
                return getattr(own(), name)(X)  # before 1.9 it takes no other labels
            rows = known.open[k]
            distances, indices = known.distances[:, :k], known.indices[:, :k]
        else:
            distances, indices = self.nearest(state, model, known, X, own)
        if rows.size and not known.apart:
            return getattr(own(), name)(X)
        labels = state.model._y[indices]
        weights = _weights(distances) if model.weights == "distance" else None
        count = _count_one_by_one if name == "predict_proba" else _count_each_class
        votes = count(labels, weights, len(model.classes_))
        if name == "predict_proba":
            found = votes / votes.sum(axis=1)[:, None]
        else:
            found = model.classes_[votes.argmax(axis=1)]
        if rows.size:
            found[rows] = getattr(own(), name)(safe_indexing(X, rows))
        return found

    def _counts_by_itself(self, state: NearestRows, model: Any) -> bool:
        """Whether scikit-learn may count votes without asking for neighbours, ties in its way."""
        metric = state.model.effective_metric_
        brute = state.model._fit_method == "brute"
        return brute and model.weights == "uniform" and metric != "euclidean"


def _weights(distances: np.ndarray) -> np.ndarray:
    """Return inverse distances; where there are rows at no distance, only these count."""
    with np.errstate(divide="ignore"):
        weights = 1.0 / distances
    infinite = np.isinf(weights)
    some = infinite.any(axis=1)
    weights[some] = infinite[some]
    return weights


def _count_one_by_one(labels, weights, n_classes):
    """Return the votes for each class, added up from the nearest on, as predict_proba does."""
    n_rows = len(labels)
    places = labels + n_classes * np.arange(n_rows)[:, None]
    given = None if weights is None else weights.ravel()
    votes = np.bincount(places.ravel(), given, minlength=n_rows * n_classes)
    return votes.reshape(n_rows, n_classes).astype(float)


def _count_each_class(labels, weights, n_classes):
    """Return the votes for each class, each class by itself, as predict does."""
    if weights is None:
        return _count_one_by_one(labels, None, n_classes)
    weights = weights.astype(float)
    return np.stack([np.sum((labels == c) * weights, axis=1) for c in range(n_classes)], axis=1)


def _are_integers(X: Any) -> bool:
    """Whether distances of such rows are exact: integers whose squares add up to few digits."""
    if sp.issparse(X) or not hasattr(X, "dtype") or X.dtype.kind not in "iufb" or not X.size:
        return False
    values = np.asarray(X)
    most = float(np.abs(values).max())
    return 4.0 * most**2 * values.shape[1] < _EXACT_INTEGERS and bool(
        (values == np.rint(values)).all()
    )
