"""Kernel models as a bi-level problem."""

from skbamm.kernels.block import KernelBlock
from skbamm.kernels.kernel import Exponential, Kernel, Linear, Polynomial
from skbamm.kernels.problem import KernelRidgeProblem

__all__ = [
    "Exponential",
    "Kernel",
    "KernelBlock",
    "KernelRidgeProblem",
    "Linear",
    "Polynomial",
]
