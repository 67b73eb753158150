"""Generalised linear models with closed-form derivatives, over all folds at once."""

from skbamm.glm.feature_slope import feature_slope, multiplier
from skbamm.glm.least_squares import LeastSquaresProblem
from skbamm.glm.penalty import MeanLoss, penalty_divisor
from skbamm.glm.problem import GLMProblem

__all__ = [
    "GLMProblem",
    "LeastSquaresProblem",
    "MeanLoss",
    "feature_slope",
    "multiplier",
    "penalty_divisor",
]
