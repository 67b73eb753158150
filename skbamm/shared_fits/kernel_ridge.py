"""KernelRidge: the kernels of the rows are computed once, where no twin solves it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.validation import validate_data

from skbamm._sklearn_compat import solve_kernel_ridge
from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits.base import NotShared, SharedFits, fitted

_CHECKED = {"assume_finite": True, "skip_parameter_validation": True}  # once is enough
_MOST = 1 << 25  # numbers of all kernels of a fold: 256 MiB
_FEW = 300  # rows whose equations are solved as soon as their kernel is known
_SPARSE = ("csr", "csc")
_ALPHA, _GAMMA = Hyperparameter("alpha", positive=True), Hyperparameter("gamma", positive=True)
_COEF0 = Hyperparameter("coef0", high=1e9)
_OF_KERNELS: dict[str, tuple[Hyperparameter, ...]] = {
    "rbf": (_GAMMA,), "laplacian": (_GAMMA,), "chi2": (_GAMMA,),
    "poly": (_GAMMA, _COEF0), "polynomial": (_GAMMA, _COEF0), "sigmoid": (_GAMMA, _COEF0),
    "linear": (), "cosine": (), "additive_chi2": (), "precomputed": (),
}  # fmt: skip


@dataclass(eq=False)
class KernelRows:
    """Training rows, and the kernels of them that were used so far."""

    rows: Any
    y: Any
    fit_params: dict[str, Any]
    features: dict[str, Any]
    matrices: dict[Any, np.ndarray] = field(default_factory=dict)


class SharedRidgeKernels(SharedFits):
    """All values of ``alpha`` share the kernel of the rows.

    Each candidate solves its own equations, as its own fit would. Intervals may be given of kernels
    that are indefinite, too, and so have no twin: "sigmoid" and "additive_chi2".
    """

    estimator_types = (KernelRidge,)
    parameters = ("alpha", "kernel", "gamma", "degree", "coef0")
    answers = ("predict",)
    told = "fits of {} share their kernels in each fold"
    intervals = (_ALPHA, _GAMMA, _COEF0)

    def judges(self, estimator):
        """Return those that the kernel has."""
        name = estimator.kernel
        if not isinstance(name, str) or name not in _OF_KERNELS:
            return (), ""
        return (_ALPHA, *_OF_KERNELS[name]), f"kernel={name!r} has no other"

    def mismatch(self, estimator):
        """Return why not: kernels that are given, or functions, are the user's."""
        name = estimator.kernel
        own = isinstance(name, str) and name in _OF_KERNELS and name != "precomputed"
        return "" if own else "its kernel is a callable"

    def nearly_free(self, n_rows):
        """Return ``alpha`` for few rows: of many, most of the work is to solve their equations."""
        return _ALPHA.name if n_rows <= _FEW else ""

    def begin(self, models, X, y, fit_params):
        """Take up the rows."""
        seen = clone(models[0])
        rows, y = validate_data(
            seen, X, y, accept_sparse=_SPARSE, multi_output=True, y_numeric=True
        )
        if rows.shape[0] ** 2 * len({self.view(model) for model in models}) > _MOST:
            raise NotShared("the kernels of so many rows are too large to keep")
        features = {n: v for n, v in vars(seen).items() if n.endswith("_in_")}
        return KernelRows(rows, y, fit_params, features)

    def serve(self, state, model):
        """Solve a candidate on its kernel."""
        key = self.view(model)
        if key not in state.matrices:
            state.matrices[key] = _kernel(model, state.rows)
        model.dual_coef_, model.X_fit_ = self._solved(state, model, state.matrices[key]), state.rows
        vars(model).update(state.features)

    def _solved(self, state: KernelRows, model: Any, kernel: np.ndarray) -> np.ndarray:
        """Return the coefficients of the rows, as the model's own fit computes them."""
        if state.fit_params:
            inner = copy.copy(model)
            inner.kernel = "precomputed"
            with config_context(**_CHECKED):
                return fitted(inner, kernel, state.y, state.fit_params).dual_coef_
        y = state.y.reshape(len(state.y), -1)
        found = solve_kernel_ridge(kernel, y, np.atleast_1d(model.alpha), copy=True)
        return found.reshape(state.y.shape)

    def view(self, model):
        """Return the parameters of the kernel."""
        return model.kernel, model.gamma, model.degree, model.coef0

    def precompute(self, state, model, X):
        """Return the kernel of some rows to the training rows."""
        rows = validate_data(model, X, accept_sparse=_SPARSE, reset=False)
        return _kernel(model, rows, state.rows)

    def answer(self, state, model, name, known, X, own, **options):
        """Return predictions."""
        return np.dot(known, model.dual_coef_)


def _kernel(model: Any, rows: Any, others: Any = None) -> np.ndarray:
    """Return a kernel as a fit computes it."""
    values = {"gamma": model.gamma, "degree": model.degree, "coef0": model.coef0}
    return pairwise_kernels(rows, others, metric=model.kernel, filter_params=True, **values)
