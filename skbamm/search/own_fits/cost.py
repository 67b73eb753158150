"""The expected cost of an estimator's own fits, to compare a joint solve with.

Iterations of one own fit are counted, and each costs what its solver does with the data.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skbamm._sklearn_compat import safe_indexing
from skbamm.data.callbacks import without_callbacks
from skbamm.faults import from_signal
from skbamm.models import last_step
from skbamm.search.own_fits.prices import SECONDS, Size, own_fit_seconds
from skbamm.search.transforms.known_rows import for_model


class Probe(NamedTuple):
    """One value, whose own fit may be timed.

    Attributes
    ----------
    estimator : estimator
        With the value set.
    keep : callable or None
        Takes a fold, its model that was fitted without a warning or a random draw, and the wall
        seconds of that fit.
    """

    estimator: Any
    keep: Callable[[int, Any, float], None] | None = None


class OwnCost:
    """The cost of own fits of some values, estimated the better the more it matters.

    Parameters
    ----------
    joint : LinearSolver
    probes : sequence of Probe
        The value in the middle; then, if they may be fitted, those at the ends.
    y : array-like
        The user's.
    fits : int
        How many own fits there would be.
    """

    def __init__(self, joint: Any, probes: Sequence[Probe], y: Any, fits: int):
        self.joint, self.probes, self.y, self.fits = joint, probes, y, fits
        self._train, self._outputs = np.asarray(joint.data.splits[0][0]), joint.task.loss.n_outputs
        data = None if joint.folds is None else joint.folds[joint.used[0]]
        if data is None:
            self._size = Size.of(joint.data.matrix)
        else:
            self._size = Size(data.shape, data.entries, sp.issparse(data.sample))
        self._share = len(self._train) / self._size.shape[0]
        self._data = data
        self._known: list[_Fitted | None] = []

    def _seconds(self, n_iter: float) -> float | None:
        model = self.joint.twin.model(last_step(self.probes[0].estimator))
        one = own_fit_seconds(model, self._size, self._outputs, n_iter)
        return None if one is None else self.fits * max(self._share * one, SECONDS.fit)

    @property
    def least(self) -> float | None:
        """Seconds that they take at least; None if nothing is known of them."""
        return self._seconds(SECONDS.least_steps)

    @property
    def further(self) -> bool:
        """Whether a closer look at the ends is worth their fits: these are a small part of all."""
        return len(self.probes) > 1 and self.fits >= SECONDS.many_fits

    def measured(self, ends: bool = False) -> float | None:
        """Return the seconds that they take about, by the iterations of one of them.

        With ``ends`` there are three, and the trapezoidal rule gives the mean, which counts if it
        is less: a few fits of many iterations are no reason to take long.
        """
        wanted = self.probes if ends else self.probes[:1]
        for probe in wanted[len(self._known) :]:
            self._known.append(self._fitted(probe))
        known = [fitted for fitted in self._known[: len(wanted)] if fitted is not None]
        if len(known) < len(wanted):
            return None  # the search, or the user's own fits, will find out why
        middle, others = known[0], known[1:]
        n_iter, took = middle
        if others:
            n_iter = min(n_iter, (n_iter + float(np.mean([one.n_iter for one in others]))) / 2)
            took = min(took, (took + float(np.mean([one.seconds for one in others]))) / 2)
        seconds = self._seconds(n_iter)
        # If the cost of a model's iterations is unknown, it is measured.
        return self.fits * took if seconds is None else seconds

    def _fitted(self, probe: Probe) -> _Fitted | None:
        """Fit one fold, or return None if that fails."""
        joint, weight = self.joint, {}
        if joint.data.fit_weight is not None:
            weight = {"sample_weight": joint.data.fit_weight[self._train]}
        model = without_callbacks(clone(last_step(probe.estimator)))
        draws = np.random.get_state()  # noqa: NPY002
        wall, began = time.perf_counter(), time.process_time()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                X = joint.data.matrix[self._train] if self._data is None else self._data.training()
                X = for_model(model, X)
                model.fit(X, safe_indexing(self.y, self._train), **weight)
            except Exception as error:
                np.random.set_state(draws)  # noqa: NPY002
                if from_signal(error):
                    raise
                return None
        took, wall, X = time.process_time() - began, time.perf_counter() - wall, None
        now = np.random.get_state()  # noqa: NPY002
        if not all(np.array_equal(some, other) for some, other in zip(now, draws, strict=True)):
            np.random.set_state(draws)  # noqa: NPY002  # own fits draw what they would have drawn
        elif probe.keep is not None and not told:
            probe.keep(joint.used[0], model, wall)
        gc.collect(1)  # SciPy's optimisers refer to themselves, and so keep these rows
        return _Fitted(_iterations(joint.twin.fitted(model)), took)


class _Fitted(NamedTuple):
    """Iterations and CPU seconds of a fit."""

    n_iter: float
    seconds: float


def _iterations(fitted: Any) -> float:
    """Return the iterations of a fit; of models that were fitted one by one their mean."""
    each = getattr(fitted, "estimators_", [fitted])
    counts = [getattr(one, "n_iter_", None) for one in each]
    known = [float(np.mean(count)) for count in counts if count is not None]
    return max(float(np.mean(known)), 1.0) if known else float(SECONDS.least_steps)
