"""Finds a starting point on an interval from a subset of many rows.

The best strength of a penalty, relative to the sum of the losses, hardly depends on how many rows
there are; so a search on some rows, from several starting points, costs little and ends close to
where that on all rows will.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from skbamm.bilevel import BilevelResult, solve, solve_lower
from skbamm.bilevel.problem import Curvature
from skbamm.bilevel.result import Status
from skbamm.bilevel.steps.x_steps import UpperStep
from skbamm.folds import Rows, draw_rows
from skbamm.glm.penalised import PenalisedProblem

_ROWS = 16384  # or _PER_FEATURE for each feature: enough for a start
_PER_FEATURE = 20
_MORE = 3  # largest factor by which rows of several outputs are more informative
_BESIDE = 0.02  # of the distance of the outermost starting points: as good as between them
_WORTH = 3  # times as many rows there must be
_TOL, _ROUGH = 1e-3, 1e-2  # of the search on some rows: its optimum is another one anyway
_MODELS_TOL = 1e-2  # decrement of models of some rows, where no search on them is of use


def enough_rows(rows: Rows, outputs: int = 1) -> int:
    """Return how many rows suffice for a start; with several outputs fewer are needed."""
    return max(_ROWS // min(outputs, _MORE), _PER_FEATURE * rows.n_coefficients)


def some_rows(rows: Rows, outputs: int = 1) -> Rows | None:
    """Return a sufficient subset of the rows, or None if there are not many more."""
    enough = enough_rows(rows, outputs)
    if rows.n_rows < _WORTH * enough:
        return None
    return rows.take(draw_rows(rows.n_rows, enough))


@dataclass
class Beginning:
    """The beginning of a search on all rows.

    Attributes
    ----------
    x : Tensor of shape (S, h)
    y, v : Tensor of shape (S, K, m, p), or None
        Models and multipliers of some rows.
    start : Tensor of shape (S, h)
        The starting point that each of these came from.
    found : BilevelResult or None
        The result of a search on some rows.
    curvature : Curvature or None
        A metric near x and y, if that of some rows will do for all.
    bend : float or None
        The second derivative of F in the first coordinate of x, if it is known.
    ends : bool, default=True
        Whether ends of the interval may be better.
    left : list of Tensor of shape (h,)
        Starting points that are looked at in the end, unless the search has passed them.
    step : float, default=1.0
        Length of the first step of x.
    rule : UpperStep or None
        The rule of x's steps, if it has learned something already.
    """

    x: Tensor
    y: Tensor | None
    v: Tensor | None
    start: Tensor
    found: BilevelResult | None = None
    curvature: Curvature | None = None
    bend: float | None = None
    ends: bool = True
    left: list[Tensor] = field(default_factory=list)
    step: float = 1.0
    rule: UpperStep | None = None

    @property
    def ended(self) -> bool:
        """Whether it was stopped by a time limit or by the user."""
        found = self.found
        return found is not None and found.status in (Status.INTERRUPTED, Status.MAX_TIME)


def screen(
    problem: Callable[[Rows, int], PenalisedProblem],
    few: Rows | None,
    starts: Tensor,
    ends: Tensor,
    begin: list[float] | None,
    max_iter: int,
    max_time: float | None,
    rough: bool = False,
) -> Beginning:
    """Search some rows.

    Beyond all starting points there may be a plain where the models hardly differ, and some
    rows are not representative: all rows are then searched from all starting points.

    Parameters
    ----------
    problem : callable
        Maps rows and a number of starts to a problem.
    few : Rows or None
        As ``some_rows`` returned them.
    starts : Tensor of shape (S, h)
    ends : Tensor of shape (S', h)
        These and others that are left out at first.
    begin : list of float, or None
        A point of x that replaces the starting points on some rows.
    max_iter, max_time
        As for ``solve``.
    rough : bool
        Whether to be content with the neighbourhood of the optimum.
    """
    if few is None:
        return Beginning(starts, None, None, starts)
    x0 = starts if begin is None else starts.new_tensor([begin])
    tol = _ROUGH if rough else _TOL
    found = solve(
        problem(few, len(x0)), x0, max_iter=max_iter, tol=tol, max_time=max_time, finish=0
    )
    one = Beginning(found.x[None], found.y[None], found.v[None], x0[[found.start]], found)
    low, high = ends.amin(0), ends.amax(0)
    beside = _BESIDE * (high - low)
    if one.ended or bool(((low - beside <= found.x) & (found.x <= high + beside)).all()):
        return one
    y = solve_lower(problem(few, len(ends)), ends, tol=_MODELS_TOL).y
    return Beginning(ends, y, None, ends, found)
