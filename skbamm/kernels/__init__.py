"""Kernel models as a bi-level problem."""

from skbamm.kernels.block import KernelBlock
from skbamm.kernels.kernel import Cosine, Exponential, Kernel, Linear, Polynomial, Precomputed
from skbamm.kernels.problem import KernelRidgeProblem

__all__ = [
    "Cosine",
    "Exponential",
    "Kernel",
    "KernelBlock",
    "KernelRidgeProblem",
    "Linear",
    "Polynomial",
    "Precomputed",
]
