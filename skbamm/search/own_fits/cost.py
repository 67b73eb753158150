"""The expected cost of an estimator's own fits, to compare a joint solve with.

Iterations of one own fit are counted, and each costs what its solver does with the data. The unit
is that of effort.py: seconds of one core, the same on every machine.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skbamm._sklearn_compat import safe_indexing
from skbamm.data.callbacks import without_callbacks
from skbamm.faults import from_signal
from skbamm.models import last_step
from skbamm.models.base import PROXIMAL_NEWTON
from skbamm.search.transforms.known_rows import for_model


@dataclass(frozen=True)
class Seconds:
    """The cost of an own fit in seconds of one core, measured by benchmarks/everyday/effort.py.

    Attributes
    ----------
    fit : float
        A fit, whatever it does.
    copy : float
        An entry that is copied, checked and centred before it.
    call : float
        An iteration, whatever the data.
    dense : float
        A multiplication of a dense product with few columns.
    dense_many : float
        The same with ``many_columns`` or more.
    sparse : float
        A multiplication of a sparse product.
    predictor : float
        Loss and slope of a predictor.
    memory : float
        Work of L-BFGS on a coefficient.
    row_by_row : float
        An entry that liblinear reads in an iteration.
    stochastic : float
        An entry that a stochastic gradient reads.
    coefficient : float
        An entry that coordinate descent reads.
    pivot : float
        A step of linear programming.
    newton : float
        A multiplication of a Hessian or a factor.
    kernel_factor : float
        A multiplication of a kernel's factor.
    kernel_entry : float
        An entry of a kernel.
    ridge_call : float
        An iteration of conjugate gradients.
    ridge_steps : int
        How many of them there are.
    svd : int
        Times a Cholesky factor, that a singular value decomposition takes.
    many_columns : int
        Columns from which dense products are faster.
    looks : int
        Evaluations in addition to one for each iteration.
    least_steps : int
        Iterations that hardly any fit does without.
    most_of_all_rows : int
        Iterations of dual coordinate descent over all rows; later most rows rest.
    many_fits : int
        Fits from which two more are a small part.
    """

    fit: float = 1e-3
    copy: float = 4e-9
    call: float = 1.3e-4
    dense: float = 4.5e-10
    dense_many: float = 2e-10
    sparse: float = 1.5e-9
    predictor: float = 8e-9
    memory: float = 4e-8
    row_by_row: float = 1.8e-9
    stochastic: float = 8e-9
    coefficient: float = 8e-10
    pivot: float = 4e-5
    newton: float = 5e-11
    kernel_factor: float = 2e-11
    kernel_entry: float = 1.5e-8
    ridge_call: float = 3e-5
    ridge_steps: int = 25
    svd: int = 10
    many_columns: int = 8
    looks: int = 2
    least_steps: int = 5
    most_of_all_rows: int = 60
    many_fits: int = 30


SECONDS = Seconds()


class Size(NamedTuple):
    """How large a matrix is.

    Attributes
    ----------
    shape : tuple of int
    entries : float
        That are stored.
    sparse : bool
    """

    shape: tuple[int, int]
    entries: float
    sparse: bool

    @classmethod
    def of(cls, matrix: Any) -> Size:
        """Return that of an ndarray or a CSR matrix."""
        sparse = sp.issparse(matrix)
        return cls(matrix.shape, matrix.nnz if sparse else matrix.size, sparse)


def own_fit_seconds(model: Any, size: Size, outputs: int, n_iter: float) -> float | None:
    """Return the cost of an own fit with so many iterations; None if unknown.

    Parameters
    ----------
    model : estimator
    size : Size
        The size of the rows.
    outputs : int
        Predictors a row.
    n_iter : float
    """
    (n, d), entries, sparse = size
    kind, solver = type(model).__name__, getattr(model, "solver", None)
    each = (
        SECONDS.sparse
        if sparse
        else SECONDS.dense
        if outputs < SECONDS.many_columns
        else SECONDS.dense_many
    )
    passes = outputs * (2 * entries * each + n * SECONDS.predictor + d * SECONDS.memory)
    fit = SECONDS.fit + entries * SECONDS.copy
    if getattr(model, "loss", "") in ("hinge", "epsilon_insensitive"):
        n_iter = min(n_iter, SECONDS.most_of_all_rows)  # beyond, most rows rest
    if kind.startswith("LinearSV") or solver == "liblinear":
        return fit + n_iter * entries * outputs * SECONDS.row_by_row
    if kind.startswith("SGD") or solver in ("sag", "saga"):
        dense = n * d if solver in ("sag", "saga") and not sparse else entries
        return fit + n_iter * (
            dense * outputs * SECONDS.stochastic + n * outputs * SECONDS.predictor
        )
    if kind in ("Lasso", "ElasticNet", "MultiTaskLasso", "MultiTaskElasticNet"):
        return fit + n_iter * entries * outputs * SECONDS.coefficient
    if kind in ("Ridge", "RidgeClassifier") and (sparse or solver in ("sparse_cg", "lsqr")):
        return fit + outputs * SECONDS.ridge_steps * (SECONDS.ridge_call + 2 * entries * each)
    if kind in ("Ridge", "RidgeClassifier"):
        small, large = sorted((n, d))
        factor = (large * small**2 + small**3 / 3) * SECONDS.newton
        return fit + factor * (SECONDS.svd if solver == "svd" else 1)
    if kind == "LassoLars":
        return fit + n_iter * (SECONDS.call + entries * outputs * SECONDS.dense)
    if kind == "KernelRidge":
        return fit + n**2 * (n * SECONDS.kernel_factor + SECONDS.kernel_entry)
    if kind == "QuantileRegressor":
        return fit + n_iter * (SECONDS.pivot + 2 * entries * SECONDS.sparse)
    if solver == "lbfgs" or kind == "HuberRegressor":
        return fit + n_iter * SECONDS.call + (n_iter + SECONDS.looks) * passes
    if solver in ("newton-cg", "newton-cholesky", *PROXIMAL_NEWTON):
        whole = solver in ("newton-cholesky", "newton-cd-gram")
        hessian = n * d**2 * SECONDS.newton if whole else 10 * passes
        return fit + n_iter * (SECONDS.call + passes + outputs * hessian)
    return None


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
