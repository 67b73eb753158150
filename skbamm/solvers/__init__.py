"""Solvers of all folds of a model, one class a family."""

from skbamm.models import register_family
from skbamm.solvers.kernel import KernelSolver
from skbamm.solvers.linear import LinearSolver

__all__ = ["KernelSolver", "LinearSolver"]

register_family("linear", LinearSolver)
register_family("kernel", KernelSolver)
