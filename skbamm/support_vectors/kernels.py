"""libsvm's kernels, as functions of what does not depend on their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics.pairwise import euclidean_distances, linear_kernel
from sklearn.utils.extmath import row_norms

Numbers = dict[str, float]
MOST_ROUNDING = 1e-6  # of a kernel's values; beyond, libsvm's own kernel makes another model
FAR_ROWS = "libsvm's own kernel loses its digits on columns so far from zero; scale them"


class SVMKernel:
    """A kernel of libsvm.

    Attributes
    ----------
    parameters : tuple of str
        What it depends on that can be searched.
    given : bool
        Whether rows are those of a kernel already, with a column for each row.
    """

    parameters: tuple[str, ...] = ()
    given: bool = False

    def base(self, X: Any, Z: Any = None) -> np.ndarray:
        """Return what the kernel of rows X (n, d) with rows Z (m, d), or X, is a function of."""
        found = linear_kernel(_double(X), None if Z is None else _double(Z))
        return np.ascontiguousarray(found)

    def values(self, base: np.ndarray, numbers: Numbers) -> np.ndarray:
        """Return the kernel, of the base's shape; ``numbers`` has its parameters."""
        return base

    def slope(self, base: np.ndarray, values: np.ndarray, numbers: Numbers, name: str):
        """Return the derivative of each of its ``values`` in a parameter."""
        raise NotImplementedError

    def rounding(self, X: Any, numbers: Numbers) -> float:
        """Return about what rounding changes the values by, as libsvm computes them."""
        return 0.0


class LinearKernel(SVMKernel):
    """``x'z``."""


class GivenKernel(SVMKernel):
    """Rows of a kernel to the training rows."""

    given = True

    def base(self, X, Z=None):
        """Return the kernel itself."""
        return np.asarray(X, dtype=np.float64)


class RadialKernel(SVMKernel):
    """``exp(-gamma |x - z|^2)``."""

    parameters = ("gamma",)

    def base(self, X, Z=None):
        """Return the squared distances."""
        X, Z = _double(X), None if Z is None else _double(Z)
        if not sp.issparse(X) and X.size:
            middle = X.mean(0)  # products of rows far from zero would lose digits
            X, Z = X - middle, None if Z is None else Z - middle
        return euclidean_distances(X, Z, squared=True)

    def values(self, base, numbers):
        """Return the kernel."""
        found = base * -numbers["gamma"]
        return np.exp(found, out=found)

    def slope(self, base, values, numbers, name):
        """Return the derivative in gamma."""
        return -base * values

    def rounding(self, X, numbers):
        """Return that of ``|x|^2 + |z|^2 - 2 x'z``, most of which cancels far from zero."""
        norms = row_norms(_double(X), squared=True)
        return float(np.finfo(np.float64).eps * numbers["gamma"] * norms.max(initial=0.0))


@dataclass(frozen=True)
class PolynomialKernel(SVMKernel):
    """``(gamma x'z + coef0)^degree``."""

    degree: int
    parameters = ("gamma", "coef0")

    def values(self, base, numbers):
        """Return the kernel."""
        return (numbers["gamma"] * base + numbers["coef0"]) ** self.degree

    def slope(self, base, values, numbers, name):
        """Return the derivative in gamma or coef0."""
        if not self.degree:
            return np.zeros_like(base)
        inner = numbers["gamma"] * base + numbers["coef0"]
        outer = self.degree * inner ** (self.degree - 1)
        return outer * base if name == "gamma" else outer


class SigmoidKernel(SVMKernel):
    """``tanh(gamma x'z + coef0)``."""

    parameters = ("gamma", "coef0")

    def values(self, base, numbers):
        """Return the kernel."""
        return np.tanh(numbers["gamma"] * base + numbers["coef0"])

    def slope(self, base, values, numbers, name):
        """Return the derivative in gamma or coef0."""
        outer = 1 - values**2
        return outer * base if name == "gamma" else outer


def svm_kernel(estimator: Any) -> SVMKernel | None:
    """Return the kernel of an estimator of ``sklearn.svm``; None of a function."""
    name = estimator.kernel
    if name == "poly":
        return PolynomialKernel(int(estimator.degree))
    kinds = {
        "rbf": RadialKernel, "linear": LinearKernel, "sigmoid": SigmoidKernel,
        "precomputed": GivenKernel,
    }  # fmt: skip
    return kinds[name]() if isinstance(name, str) and name in kinds else None


def own_gamma(estimator: Any, X: Any) -> float:
    """Return the gamma that a fit of an estimator on rows X (n, d) takes."""
    if estimator.gamma == "scale":
        if sp.issparse(X):
            variance = X.multiply(X).mean() - X.mean() ** 2
        else:
            variance = _double(X).var()
        return 1.0 / (X.shape[1] * variance) if variance != 0 else 1.0
    return 1.0 / X.shape[1] if estimator.gamma == "auto" else float(estimator.gamma)


def _double(X: Any) -> Any:
    return X.astype(np.float64) if sp.issparse(X) else np.asarray(X, dtype=np.float64)
