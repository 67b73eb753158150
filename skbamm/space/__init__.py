"""What is searched: reads ``param_grid`` and maps it to and from the solver's variables."""

from skbamm.space.grid import EACH_ALONE, Combination, Space, Target, read_grid
from skbamm.space.holding import Holder
from skbamm.space.interval import Axis, Interval, named_values
from skbamm.space.vector_axis import SearchAxis, VectorAxis, group_columns
from skbamm.space.vectors import PerClass, PerFeature, PerGroup, PerTarget, UnfitVector

__all__ = [
    "EACH_ALONE",
    "Axis",
    "Combination",
    "Holder",
    "Interval",
    "PerClass",
    "PerFeature",
    "PerGroup",
    "PerTarget",
    "SearchAxis",
    "Space",
    "Target",
    "UnfitVector",
    "VectorAxis",
    "group_columns",
    "named_values",
    "read_grid",
]
