"""What is searched: reads ``param_grid`` and maps it to and from the solver's variables."""

from skbamm.space.grid import Combination, Space, Target, read_grid
from skbamm.space.interval import Axis, Interval

__all__ = ["Axis", "Combination", "Interval", "Space", "Target", "read_grid"]
