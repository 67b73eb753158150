"""Generalised linear models with closed-form derivatives, over all folds at once."""

from skbamm.glm.curvature import of_like_rows
from skbamm.glm.feature_slope import feature_slope, multiplier, parameter_slope
from skbamm.glm.least_squares import LeastSquaresProblem
from skbamm.glm.narrowing import solve_narrowing
from skbamm.glm.null_loss import null_loss
from skbamm.glm.penalised import MeanLoss, PenalisedProblem, penalty_divisor
from skbamm.glm.problem import GLMProblem
from skbamm.glm.profiled import ProfiledProblem

__all__ = [
    "GLMProblem",
    "LeastSquaresProblem",
    "MeanLoss",
    "PenalisedProblem",
    "ProfiledProblem",
    "feature_slope",
    "glm_problem",
    "multiplier",
    "null_loss",
    "of_like_rows",
    "parameter_slope",
    "penalty_divisor",
    "solve_narrowing",
]


def glm_problem(rows, loss, *args, **options) -> GLMProblem:
    """Return the problem of a loss; its parameters are those of ``GLMProblem``."""
    kind = ProfiledProblem if loss.has_scale else GLMProblem
    return kind(rows, loss, *args, **options)
