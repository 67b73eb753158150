"""What an estimator's own fits would take, to hold a joint solve against.

Iterations of one own fit are counted, and each costs what its solver does with the data. The unit
is that of effort.py: seconds of one core, the same on every machine.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skbamm._sklearn_compat import safe_indexing
from skbamm.data.callbacks import without_callbacks
from skbamm.faults import from_signal
from skbamm.models import last_step
from skbamm.models.base import PROXIMAL_NEWTON

_FIT = 1e-3  # a fit, whatever it does
_COPY = 4e-9  # an entry that is copied, checked and centred before it
_LOOKS = 2  # evaluations beside one an iteration
_LEAST_ITER = 5  # iterations that hardly any fit does without
# Seconds an iteration and number: of dense and sparse products, of predictors, of what goes
# through the rows one by one and through the coefficients one by one.
_DENSE, _DENSE_MANY, _SPARSE, _PREDICTOR = 4.5e-10, 2e-10, 1.5e-9, 8e-9
_ROW_BY_ROW, _STOCHASTIC, _COEFFICIENT, _PIVOT = 1.8e-9, 8e-9, 8e-10, 4e-5
_MANY = 8  # columns from which products are faster, each
_CALL = 1.3e-4  # an iteration, whatever the data
_MOST_OF_ALL_ROWS = 60  # iterations of dual coordinate descent
_MEMORY = 4e-8  # what L-BFGS does with each coefficient
_NEWTON = 5e-11  # a multiplication of a Hessian
_KERNEL_FACTOR, _KERNEL_ENTRY = 2e-11, 1.5e-8  # of kernel matrices
_RIDGE_ITER, _RIDGE_CALL, _SVD = 25, 3e-5, 10  # of conjugate gradients; times a Cholesky factor


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
    """Return what an own fit of so many iterations takes; None if nothing is known of it.

    Parameters
    ----------
    model : estimator
    size : Size
        Of the rows.
    outputs : int
        Predictors a row.
    n_iter : float
    """
    (n, d), entries, sparse = size
    kind, solver = type(model).__name__, getattr(model, "solver", None)
    each = _SPARSE if sparse else _DENSE if outputs < _MANY else _DENSE_MANY
    passes = outputs * (2 * entries * each + n * _PREDICTOR + d * _MEMORY)
    fit = _FIT + entries * _COPY
    if getattr(model, "loss", "") in ("hinge", "epsilon_insensitive"):
        n_iter = min(n_iter, _MOST_OF_ALL_ROWS)  # beyond, most rows rest
    if kind.startswith("LinearSV") or solver == "liblinear":
        return fit + n_iter * entries * outputs * _ROW_BY_ROW
    if kind.startswith("SGD") or solver in ("sag", "saga"):
        dense = n * d if solver in ("sag", "saga") and not sparse else entries
        return fit + n_iter * (dense * outputs * _STOCHASTIC + n * outputs * _PREDICTOR)
    if kind in ("Lasso", "ElasticNet", "MultiTaskLasso", "MultiTaskElasticNet"):
        return fit + n_iter * entries * outputs * _COEFFICIENT
    if kind in ("Ridge", "RidgeClassifier") and (sparse or solver in ("sparse_cg", "lsqr")):
        return fit + outputs * _RIDGE_ITER * (_RIDGE_CALL + 2 * entries * each)
    if kind in ("Ridge", "RidgeClassifier"):
        small, large = sorted((n, d))
        factor = (large * small**2 + small**3 / 3) * _NEWTON
        return fit + factor * (_SVD if solver == "svd" else 1)
    if kind == "KernelRidge":
        return fit + n**2 * (n * _KERNEL_FACTOR + _KERNEL_ENTRY)
    if kind == "QuantileRegressor":
        return fit + n_iter * (_PIVOT + 2 * entries * _SPARSE)
    if solver == "lbfgs" or kind == "HuberRegressor":
        return fit + n_iter * _CALL + (n_iter + _LOOKS) * passes
    if solver in ("newton-cg", "newton-cholesky", *PROXIMAL_NEWTON):
        whole = solver in ("newton-cholesky", "newton-cd-gram")
        hessian = n * d**2 * _NEWTON if whole else 10 * passes
        return fit + n_iter * (_CALL + passes + outputs * hessian)
    return None


class OwnCost:
    """What own fits of some values would take, known better the more it matters.

    Parameters
    ----------
    joint : LinearSolver
    estimator : estimator
        With one of the values set.
    y : array-like
        The user's.
    fits : int
        How many own fits there would be.
    """

    def __init__(self, joint: Any, estimator: Any, y: Any, fits: int):
        self.joint, self.y, self.fits = joint, y, fits
        self.last = last_step(estimator)
        self._train, self._outputs = np.asarray(joint.data.splits[0][0]), joint.task.loss.n_outputs
        data = None if joint.folds is None else joint.folds[joint.used[0]]
        if data is None:
            self._size = Size.of(joint.data.matrix)
        else:
            self._size = Size(data.shape, data.entries, sp.issparse(data.sample))
        self._share = len(self._train) / self._size.shape[0]
        self._data = data

    def _seconds(self, n_iter: float) -> float | None:
        model = self.joint.twin.model(self.last)
        one = own_fit_seconds(model, self._size, self._outputs, n_iter)
        return None if one is None else self.fits * max(self._share * one, _FIT)

    @property
    def least(self) -> float | None:
        """Seconds that they take at least; None if nothing is known of them."""
        return self._seconds(_LEAST_ITER)

    def measured(self) -> float | None:
        """Return the seconds that they take about, by the iterations of one of them."""
        joint, weight = self.joint, {}
        if joint.data.fit_weight is not None:
            weight = {"sample_weight": joint.data.fit_weight[self._train]}
        fitted = without_callbacks(clone(self.last))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                X = joint.data.matrix[self._train] if self._data is None else self._data.training()
                fitted.fit(X, safe_indexing(self.y, self._train), **weight)
            except Exception as error:
                if from_signal(error):
                    raise
                return None  # the search, or the user's own fits, will find out why
        return self._seconds(_iterations(joint.twin.fitted(fitted)))


def _iterations(fitted: Any) -> float:
    """Return the iterations of a fit; of models that were fitted one by one their mean."""
    each = getattr(fitted, "estimators_", [fitted])
    counts = [getattr(one, "n_iter_", None) for one in each]
    known = [float(np.mean(count)) for count in counts if count is not None]
    return max(float(np.mean(known)), 1.0) if known else float(_LEAST_ITER)
