"""The numbers of support vector machines that intervals may be given for."""

from __future__ import annotations

from typing import Any

from skbamm.hyperparameter import Hyperparameter
from skbamm.support_vectors.kernels import svm_kernel

C = Hyperparameter("C", positive=True)
EPSILON = Hyperparameter("epsilon", positive=True)
NU = Hyperparameter("nu", high=1.0)
OF_KERNELS = (
    Hyperparameter("gamma", positive=True, words=("scale", "auto")),
    Hyperparameter("coef0", high=1e9),
)


def of_its_kernel(estimator: Any) -> tuple[Hyperparameter, ...]:
    """Return those that the kernel of an estimator has; none of a function."""
    kernel = svm_kernel(estimator)
    known = () if kernel is None else kernel.parameters
    return tuple(one for one in OF_KERNELS if one.name in known)
