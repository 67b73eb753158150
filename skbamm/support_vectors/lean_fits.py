"""Fits of libsvm on kernels of the same rows, which are checked once.

scikit-learn's checks of a fit take a millisecond; libsvm often takes less.
"""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from skbamm._sklearn_compat import (
    fit_machine,
    machine_predictions,
    machine_target,
    stopped_machine,
)

_CHECKED = {"assume_finite": True, "skip_parameter_validation": True}  # once is enough
_KINDS = (SVC, NuSVC, SVR, NuSVR)
_STEPS = 20  # of libsvm, by which two fits are compared
_OF_ROWS = "n_features_in_"  # of a kernel, its number of rows


class LeanFits:
    """Fits on some training rows.

    The estimator's own fit and the parts of it that do the work must agree to the last digit, in a
    few steps at first; then these serve, else the estimator's own fits do.

    Parameters
    ----------
    y, fit_params
        As ``fit`` takes them.
    """

    def __init__(self, y: Any, fit_params: dict[str, Any]):
        self.y, self.fit_params = y, fit_params
        self._lean: bool | None = None  # not known yet
        self._targets: dict[str, tuple[np.ndarray, dict[str, Any]]] = {}
        self._lock = threading.Lock()
        weight = fit_params.get("sample_weight")
        self._weight = np.asarray([] if weight is None else weight, dtype=np.float64)

    def __reduce__(self):
        return LeanFits, (self.y, self.fit_params)

    def fit(self, model: Any, kernel: np.ndarray) -> dict[str, Any]:
        """Return the attributes that a fit of a model on a kernel (n, n) sets."""
        if not self._takes(model):
            return self._own(model, kernel)
        with self._lock:
            if self._lean is None:
                self._lean = self._agree(model, kernel)
        return self._quick(model, kernel) if self._lean else self._own(model, kernel)

    def _agree(self, model: Any, kernel: np.ndarray) -> bool:
        """Whether both ways to fit a model do the same in a few steps, which cost nothing."""
        brief = stopped_machine(model, _STEPS)
        try:
            return _same(self._own(brief, kernel), self._quick(brief, kernel))
        except ValueError:  # the fit itself will tell
            return False

    def _takes(self, model: Any) -> bool:
        plain = getattr(model, "probability", False) in (False, "deprecated")
        return type(model) in _KINDS and plain and set(self.fit_params) <= {"sample_weight"}

    def _own(self, model: Any, kernel: np.ndarray) -> dict[str, Any]:
        inner, given = _copy(model)
        with config_context(**_CHECKED):
            inner.fit(kernel, self.y, **self.fit_params)
        return _new(inner, given)

    def _quick(self, model: Any, kernel: np.ndarray) -> dict[str, Any]:
        inner, given = _copy(model)
        key = repr(getattr(model, "class_weight", None))
        if key not in self._targets:
            self._targets[key] = machine_target(inner, self.y)
        target, seen = self._targets[key]
        vars(inner).update(seen)
        fit_machine(inner, kernel, target, self._weight)
        return _new(inner, given)


def lean_predict(model: Any, kernel: np.ndarray) -> np.ndarray:
    """Return what a model of ``on_kernel`` predicts from a kernel (m, n)."""
    if type(model) not in _KINDS or getattr(model, "break_ties", False):
        with config_context(**_CHECKED):
            return model.predict(kernel)
    return machine_predictions(model, kernel)


def lean_responses(model: Any, kernel: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a model of ``on_kernel`` predicts, and decides if it classifies, by method."""
    found = {"predict": lean_predict(model, kernel)}
    if hasattr(model, "classes_"):
        with config_context(**_CHECKED):
            found["decision_function"] = model.decision_function(kernel)
    return found


def _copy(model: Any) -> tuple[Any, set[str]]:
    inner = copy.copy(model)
    inner.kernel = "precomputed"
    return inner, set(vars(inner))


def _new(inner: Any, given: set[str]) -> dict[str, Any]:
    return {name: v for name, v in vars(inner).items() if name not in given}


def _same(own: dict[str, Any], quick: dict[str, Any]) -> bool:
    """Whether two fits set the same attributes to the same values; one is of no use."""
    one = {name for name in own if name != _OF_ROWS}
    if one - {"_effective_probability"} != {*quick} - {"_effective_probability"}:
        return False
    return all(
        np.shape(own[name]) == np.shape(quick[name]) and np.array_equal(own[name], quick[name])
        for name in one & {*quick}
    )
