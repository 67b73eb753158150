"""KernelRidge."""

from __future__ import annotations

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from skbamm.criteria import ABSOLUTE, BOUNDED_SQUARED, SQUARED
from skbamm.kernels.kernel import Cosine, Exponential, Linear, Polynomial, Precomputed
from skbamm.losses import HalfSquaredLoss
from skbamm.models.base import Hyperparameter, KernelTwin, Task, numeric_target

_ALPHA = Hyperparameter("alpha", positive=True)  # without it the kernel may be singular
_GAMMA = Hyperparameter("gamma", positive=True, optional=True)
_GIVEN_GAMMA = Hyperparameter("gamma", positive=True)  # the chi-squared kernel has no default
_DISTANCES = {"rbf": "euclidean", "laplacian": "city block", "chi2": "chi squared"}
_WITHOUT_GAMMA = {"linear": Linear, "cosine": Cosine, "precomputed": Precomputed}
_NAMES = "'rbf', 'laplacian', 'chi2', 'poly', 'linear', 'cosine' or 'precomputed'"


class KernelRidgeTwin(KernelTwin):
    """``sum of squared errors + alpha c'Kc`` with predictions ``K c``, without an intercept."""

    estimator_type = KernelRidge
    hyperparameters = (_ALPHA, _GAMMA)

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        name = estimator.kernel
        if isinstance(name, str) and name in (*_DISTANCES, *_WITHOUT_GAMMA):
            return ""
        if name not in ("poly", "polynomial"):
            told = repr(name) if isinstance(name, str) else "a function"
            return f"kernel={told} is not one of {_NAMES}"
        if estimator.degree != int(estimator.degree) or estimator.degree < 1:
            return f"degree={estimator.degree!r} is not a whole number"
        if estimator.coef0 < 0:
            return f"coef0={estimator.coef0!r} makes the kernel indefinite"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y)
        outputs = 1 if target.ndim == 1 else target.shape[1]
        return Task(
            target=target,
            loss=HalfSquaredLoss(outputs),
            fit_intercept=False,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE, *(BOUNDED_SQUARED if outputs == 1 else ())),
        )

    def kernel(self, estimator):
        """See ``KernelTwin.kernel``."""
        if estimator.kernel in ("poly", "polynomial"):
            return Polynomial(int(estimator.degree), float(estimator.coef0))
        if estimator.kernel in _WITHOUT_GAMMA:
            return _WITHOUT_GAMMA[estimator.kernel]()
        return Exponential(_DISTANCES[estimator.kernel])

    def tunes(self, estimator):
        """See ``Twin.tunes``."""
        if estimator.kernel == "chi2":
            return _ALPHA, _GIVEN_GAMMA
        return self.hyperparameters if self.kernel(estimator).has_gamma else (_ALPHA,)

    def enables(self, name):
        """See ``Twin.enables``."""
        return "kernel='rbf', 'laplacian', 'chi2' or 'poly'" if name == "gamma" else ""

    def export(self, estimator, task, dual_coef, rows):
        """See ``KernelTwin.export``."""
        columns = dual_coef.T
        estimator.dual_coef_ = columns[:, 0] if task.target.ndim == 1 else columns
        estimator.dual_coef_ = np.ascontiguousarray(estimator.dual_coef_)
        estimator.X_fit_ = rows
