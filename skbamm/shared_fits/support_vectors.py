"""Support vector machines: fits share what their kernels are functions of, and the kernels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from sklearn.utils.validation import validate_data

from skbamm.hyperparameter import Hyperparameter
from skbamm.shared_fits.base import NotShared, SharedFits
from skbamm.support_vectors import (
    FAR_ROWS,
    MOST_ROUNDING,
    SVMKernel,
    on_kernel,
    own_gamma,
    svm_kernel,
    take_kernel_fit,
)
from skbamm.support_vectors.hyperparameters import EPSILON, NU, OF_KERNELS, C, of_its_kernel
from skbamm.support_vectors.lean_fits import LeanFits, lean_predict

_CHECKED = {"assume_finite": True, "skip_parameter_validation": True}  # once is enough
# Numbers of rows that are multiplied for a kernel, up to which checks take longer than kernels do;
# what an entry takes beside them. Measured by benchmarks/everyday/svm.py, on iris and wine.
_MANY, _ENTRY = 150_000, 8
_MOST = 1 << 25  # numbers of all kernels of a fold: 256 MiB
_TIMES = 2  # fits of a kernel, in the mean, above which computing it in full is faster


@dataclass(eq=False)
class Kernels:
    """Training rows, and kernels of them.

    Attributes
    ----------
    rows : ndarray or CSR matrix of shape (n, d)
    fits : LeanFits
        Fits on kernels of these rows.
    features : dict of str -> object
        Attributes by which a fit remembers its features.
    bases : dict of type -> ndarray
        What the kernels of a kind are functions of.
    matrices : dict
        The kernels that were used so far.
    unbounded : dict
        For settings that differ in C only, the last fit whose coefficients stay below it.
    """

    rows: Any
    fits: LeanFits
    features: dict[str, Any]
    bases: dict[Any, np.ndarray] = field(default_factory=dict)
    matrices: dict[Any, np.ndarray] = field(default_factory=dict)
    unbounded: dict[Any, Any] = field(default_factory=dict)

    def of(self, model: Any) -> tuple[np.ndarray, float]:
        """Return the kernel (n, n) of a model, and its gamma."""
        kernel, numbers = setting(model, self.rows)
        key = kernel_key(model, numbers)
        if key not in self.matrices:
            self.matrices[key] = kernel.values(self.base(kernel), numbers)
        return self.matrices[key], numbers.get("gamma", 0.0)

    def base(self, kernel: SVMKernel) -> np.ndarray:
        """Return the base of a kernel of the rows."""
        kind = base_kind(kernel)
        if kind not in self.bases:
            self.bases[kind] = kernel.base(self.rows)
        return self.bases[kind]


class SharedKernels(SharedFits):
    """All kernels and penalties share the distances, or inner products, of the rows.

    Each candidate has its own fit, by libsvm on the kernel of the rows. Where no coefficient
    reaches its bound, and raising C has changed no step of a fit, C has no further effect.
    """

    estimator_types: tuple[type, ...] = (SVC,)
    parameters: tuple[str, ...] = (
        "C", "kernel", "gamma", "degree", "coef0", "tol", "shrinking", "class_weight",
        "probability", "max_iter", "decision_function_shape", "break_ties",
    )  # fmt: skip
    told = "fits of {} share their kernels in each fold, unless rows are very many"
    answers: tuple[str, ...] = (
        "predict",
        "decision_function",
        "predict_proba",
        "predict_log_proba",
    )
    intervals: tuple[Hyperparameter, ...] = (C, *OF_KERNELS)

    def mismatch(self, estimator):
        """Return why not: a kernel that is given is shared already."""
        if svm_kernel(estimator) is None or estimator.kernel == "precomputed":
            return "its kernel is a callable"
        return ""

    def judges(self, estimator):
        """Return its own parameters and those of its kernel."""
        if svm_kernel(estimator) is None:
            return (), "its kernel is a callable"
        own = [one for one in self.intervals if one not in OF_KERNELS]
        return (*own, *of_its_kernel(estimator)), f"kernel={estimator.kernel!r} has no other"

    def begin(self, models, X, y, fit_params):
        """Take up the rows."""
        weight = fit_params.get("sample_weight")
        if weight is not None and not np.all(np.asarray(weight) > 0):
            raise NotShared("libsvm counts its support vectors among the rows that have a weight")
        seen = clone(models[0])
        rows = self._checked(seen, X, y)
        n, d = rows.shape
        found = [setting(model, rows) for model in models]
        if any(kernel.rounding(rows, numbers) > MOST_ROUNDING for kernel, numbers in found):
            raise NotShared(FAR_ROWS)
        settings = [numbers for _, numbers in found]
        kernels = {kernel_key(m, numbers) for m, numbers in zip(models, settings, strict=True)}
        if n * n * len(kernels) > _MOST:
            raise NotShared("the kernels of so many rows are too large to keep")
        if n * n * (d + _ENTRY) > _MANY and len(models) < _TIMES * len(kernels):
            raise NotShared("own fits compute the needed parts of the kernels faster")
        features = {n: v for n, v in vars(seen).items() if n.endswith("_in_")}
        state = Kernels(rows, LeanFits(y, fit_params), features)
        for model in models:  # so that what they take is known
            kernel = svm_kernel(model)
            assert kernel is not None
            state.base(kernel)
        return state

    def _checked(self, model: Any, X: Any, y: Any) -> Any:
        """Return the rows as a fit of ``model``, which remembers their features, takes them."""
        options = {"dtype": np.float64, "order": "C", "accept_large_sparse": False}
        return validate_data(model, X, y, accept_sparse="csr", **options)[0]

    def serve(self, state, model):
        """Fit a candidate on its kernel."""
        matrix, gamma = state.of(model)
        key = self._key(model)
        known = state.unbounded.get(key)
        if known is None or not known.same or not known.C <= model.C:
            known = _Fit(state.fits.fit(model, matrix), model.C, known)
            if key is not None and not known.bounded:
                state.unbounded[key] = known
        take_kernel_fit(model, dict(known.fitted), state.rows, gamma)
        vars(model).update(state.features)

    def view(self, model):
        """Return the parameters of the kernel; "scale" is that of the training rows."""
        return model.kernel, model.gamma, model.degree, model.coef0

    def precompute(self, state, model, X):
        """Return the kernel of some rows to the training rows."""
        rows = validate_data(
            clone(model), X, dtype=np.float64, order="C", accept_sparse="csr",
            accept_large_sparse=False,
        )  # fmt: skip
        kernel, numbers = setting(model, state.rows)
        if sp.issparse(rows) != sp.issparse(state.rows):
            raise NotShared("the rows are of another kind")
        return kernel.values(kernel.base(rows, state.rows), numbers)

    def answer(self, state, model, name, known, X, own, **options):
        """Return the result of the model's own method, from the kernel."""
        plain = on_kernel(own(), known.shape[1])
        if name == "predict":
            return lean_predict(plain, known)
        with config_context(**_CHECKED):
            return getattr(plain, name)(known)

    def _key(self, model: Any) -> Any:
        """Return a key of settings that differ in C only; None if all differ."""
        if not hasattr(model, "C") or self._weighted(model):
            return None
        return tuple((name, str(v)) for name, v in sorted(vars(model).items()) if name != "C")

    def _weighted(self, model: Any) -> bool:
        return getattr(model, "class_weight", None) is not None


class SharedNuKernels(SharedKernels):
    """The same of NuSVC."""

    estimator_types = (NuSVC,)
    parameters = ("nu", *SharedKernels.parameters[1:])
    intervals = (NU, *OF_KERNELS)


class SharedRegressionKernels(SharedKernels):
    """The same of SVR."""

    estimator_types = (SVR,)
    parameters: tuple[str, ...] = (
        "C", "epsilon", "kernel", "gamma", "degree", "coef0", "tol", "shrinking", "max_iter",
    )  # fmt: skip
    answers: tuple[str, ...] = ("predict",)
    intervals: tuple[Hyperparameter, ...] = (C, EPSILON, *OF_KERNELS)


class SharedNuRegressionKernels(SharedRegressionKernels):
    """The same of NuSVR."""

    estimator_types = (NuSVR,)
    parameters = ("nu", *(n for n in SharedRegressionKernels.parameters if n != "epsilon"))
    intervals: tuple[Hyperparameter, ...] = (C, NU, *OF_KERNELS)

    def _key(self, model):
        """Return None: nu ties the coefficients to C."""
        return None


class SharedOneClassKernels(SharedNuRegressionKernels):
    """The same of OneClassSVM, whose fits see no target: only a scorer has any use for y."""

    estimator_types = (OneClassSVM,)
    parameters = tuple(n for n in SharedNuRegressionKernels.parameters if n != "C")
    answers = ("predict", "decision_function", "score_samples")
    intervals = (NU, *OF_KERNELS)

    def _checked(self, model, X, y):
        options = {"dtype": np.float64, "order": "C", "accept_large_sparse": False}
        return validate_data(model, X, accept_sparse="csr", **options)


class _Fit:
    """A fit, and whether a larger C would change it.

    A fit with a larger C takes the same steps until a coefficient would pass the smaller one. So
    where two fits are the same to the last digit, no step of either came to the smaller C.
    """

    def __init__(self, found: dict[str, Any], C: float, before: _Fit | None):
        self.fitted, self.C = found, C
        coef = found["_dual_coef_"]
        self.bounded = bool((np.abs(coef) >= C).any())
        self.same = before is not None and before.C < C and self._equals(before)
        if self.same:
            self.C = before.C  # type: ignore[union-attr]

    def _equals(self, other: _Fit) -> bool:
        mine, its = self.fitted, other.fitted
        return np.array_equal(mine["_dual_coef_"], its["_dual_coef_"]) and np.array_equal(
            mine["_num_iter"], its["_num_iter"]
        )


def setting(model: Any, rows: Any) -> tuple[SVMKernel, dict[str, float]]:
    """Return a model's kernel and the values of its parameters for some training rows."""
    kernel = svm_kernel(model)
    assert kernel is not None  # else there is a mismatch
    numbers = {name: float(getattr(model, name)) for name in kernel.parameters if name != "gamma"}
    if "gamma" in kernel.parameters:
        numbers["gamma"] = own_gamma(model, rows)
    return kernel, numbers


def kernel_key(model: Any, numbers: dict[str, float]) -> Any:
    """Return a key of the kernel of given rows."""
    degree = model.degree if model.kernel == "poly" else None
    return model.kernel, degree, tuple(sorted(numbers.items()))


def base_kind(kernel: SVMKernel) -> Any:
    """Return a key of the base that a kernel is a function of."""
    return type(kernel).base
