"""Support vector machines: kernels, what their fits consist of, and their hypergradients."""

from skbamm.support_vectors.hypergradient import hypergradient
from skbamm.support_vectors.kernel_fits import on_kernel, take_kernel_fit
from skbamm.support_vectors.kernels import FAR_ROWS, MOST_ROUNDING, SVMKernel, own_gamma, svm_kernel
from skbamm.support_vectors.machines import Bounds, Machine, machines_of, with_edges
from skbamm.support_vectors.margins import pair_log_loss

__all__ = [
    "FAR_ROWS",
    "MOST_ROUNDING",
    "Bounds",
    "Machine",
    "SVMKernel",
    "hypergradient",
    "machines_of",
    "on_kernel",
    "own_gamma",
    "pair_log_loss",
    "svm_kernel",
    "take_kernel_fit",
    "with_edges",
]
