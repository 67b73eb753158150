"""Penalties as objects, one file each: what problems, metrics and solvers need of them."""

from skbamm.glm.penalties.absolute_values import AbsoluteValues
from skbamm.glm.penalties.base import Penalty, Strength
from skbamm.glm.penalties.group_norms import GroupNorms
from skbamm.glm.penalties.intercept import intercept_shares
from skbamm.glm.penalties.non_negative import NonNegative
from skbamm.glm.penalties.squares import Squares
from skbamm.glm.penalties.total import Total

__all__ = [
    "AbsoluteValues",
    "GroupNorms",
    "NonNegative",
    "Penalty",
    "Squares",
    "Strength",
    "Total",
    "intercept_shares",
]
