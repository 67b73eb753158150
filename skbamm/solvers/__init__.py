"""Solvers of all folds of a model, one class a family."""

from skbamm.models import register_family
from skbamm.solvers.kernel import KernelSolver
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.support_vectors import SupportVectorSolver

__all__ = ["KernelSolver", "LinearSolver", "SupportVectorSolver"]

register_family("linear", LinearSolver)
register_family("kernel", KernelSolver)
register_family("support vectors", SupportVectorSolver)
