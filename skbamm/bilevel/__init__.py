"""sl-BAMM on any bi-level problem. Knows nothing of scikit-learn."""

from skbamm.bilevel.autograd.minimize import minimize
from skbamm.bilevel.autograd.problem import AutogradProblem
from skbamm.bilevel.loop import solve
from skbamm.bilevel.lower import LowerResult, solve_lower
from skbamm.bilevel.problem import Curvature, Directions, Problem
from skbamm.bilevel.result import BilevelResult, Status
from skbamm.bilevel.steps.schedules import Schedule, adaptive, merely_convex, strongly_convex

__all__ = [
    "AutogradProblem",
    "BilevelResult",
    "Curvature",
    "Directions",
    "LowerResult",
    "Problem",
    "Schedule",
    "Status",
    "adaptive",
    "merely_convex",
    "minimize",
    "solve",
    "solve_lower",
    "strongly_convex",
]
