"""Searches a parameter of a feature map, or of the loss, together with the model's penalty.

For each value of that parameter g the features, or the losses, are others, so the penalty is
searched by a ``LinearSolver`` of its own; the least F of that is a function of g alone. Since F is
stationary in the penalty where that search ended, the slope of this function is F's own in g (the
envelope theorem), through the features and through the models, by one multiplier and one pass. So
a search along a line is enough. One loop over both variables would transform the rows as often as
it takes steps, and that is most of the work of a feature map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status, solve_lower
from skbamm.effort import map_seconds
from skbamm.glm import multiplier
from skbamm.models import NotApplicable
from skbamm.solvers.base import FoldSolver, Quest
from skbamm.solvers.cost import metric_seconds
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.nested_parameters import Line
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.solvers.tolerances import TOL
from skbamm.space import Axis, SearchAxis
from skbamm.starts.line_search import Point, next_place, scan_places
from skbamm.starts.subsample import Beginning

_SCAN, _MORE = 5, 12  # points to begin with, and more at most
_KEPT = 3  # values whose solvers are kept, and with them their features


@dataclass(frozen=True)
class Places:
    """Values of a feature map's parameter that a search takes, measured on 100 to 4,000 rows.

    Attributes
    ----------
    places : int
        Of a search.
    judged : int
        More that the scorer judges, each with features of its own.
    slopes : int
        At which slopes are taken.
    slope : float
        Times the features that those with their slopes take.
    slope_solves : float
        Times a solve that a slope takes.
    searched : float
        Times a solve that a search of the penalty takes, begun near another.
    squares : float
        Times a Gram matrix that a solve of squares takes.
    own, own_of_two : int
        Values for which own fits need features, alone and beside those of a penalty.
    """

    places: int = 8
    judged: int = 11
    slopes: int = 3
    slope: float = 2.5
    slope_solves: float = 2.0
    searched: float = 2.0
    squares: float = 3.0
    own: int = 9
    own_of_two: int = 5


PLACES = Places()


class NestedSolver(FoldSolver):
    """One combination's model over all folds, for all values of a parameter.

    Parameters
    ----------
    axis : Axis
        The parameter's.
    line : Line
    searches : bool
        Whether a penalty is searched for each value.
    """

    def __init__(self, axis: Axis, line: Line, searches: bool):
        self.axis, self.line, self.searches = axis, line, searches
        self._joints: dict[float, LinearSolver] = {}
        self._scan = scan_places(*axis.bounds(), _SCAN)
        self.first = first = self.at(self._scan[0])
        super().__init__(first.twin, first.data)
        self.dtype = first.dtype
        if not line.same_features:
            self.given_folds = None  # they depend on the parameter

    def at(self, place: float) -> LinearSolver:
        """Return the solver for a place on the axis."""
        if place not in self._joints:
            for old in list(self._joints)[: 1 - _KEPT]:
                del self._joints[old]
            self._joints[place] = self.line.at(self.axis.number(place))
        return self._joints[place]

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Raise NotApplicable: each value of a list has its own solver."""
        raise NotApplicable("the values of a list are solved one by one")

    def begin(self, quest: Quest) -> Beginning:
        """Scan the axis; ``near`` is ignored."""
        line = _Search(self, quest)
        quest.kept["line"] = line
        try:
            for place in self._scan:
                line.add(place)
                if line.late:
                    break
            start = line.best
        except KeyboardInterrupt:
            if not line.points:
                raise
            start, line.ended = line.points[0], Status.INTERRUPTED
        quest.criterion = line.criterion
        at = torch.tensor([line.x(start)], dtype=torch.float64)
        found = None if line.ended is None else line.result(line.ended)
        return Beginning(at, None, None, at, found)

    def loop(self, quest: Quest, first: Beginning) -> BilevelResult:
        """Try places around the best of the scan."""
        line = quest.kept["line"]
        try:
            status = self._refine(line)
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        quest.criterion = line.criterion
        return line.result(line.ended or status)

    def _refine(self, line: _Search) -> Status:
        """Try places around the best of a scan; return why no more."""
        for _ in range(_MORE):
            if line.late or line.best.value == torch.inf:
                return Status.DIVERGED
            line.take_slope()
            further = next_place(line.points, *self.axis.bounds())
            if further is None:
                return line.status
            line.add(further)
        return Status.MAX_ITER

    def polish(
        self,
        axes: tuple[SearchAxis, ...],
        x: list[list[float]],
        y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FoldSolutions:
        """Solve these x in all folds, in float64."""
        parts = []
        for place, *rest in x:
            joint = self.at(place)
            one = joint.polish(axes[1:], [rest], None)
            parts.append(replace(one, solvers=[joint]))
        return FoldSolutions.join(parts)

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return row s in the k-th used fold, as the bank keeps it."""
        return solutions.solvers[s].solution(solutions, s, k, features)

    @property
    def uncertain(self) -> bool:  # type: ignore[override]
        """See ``FoldSolver``."""
        return self.first.uncertain

    @property
    def unbounded(self) -> bool:  # type: ignore[override]
        """See ``FoldSolver``."""
        return self.line.same_features and self.first.unbounded

    def search_values(self, axes: tuple[SearchAxis, ...], judged: bool) -> int:
        """See ``FoldSolver.search_values``."""
        if not self.line.same_features:
            return PLACES.places + (PLACES.judged if judged else 0)
        return self.first.search_values((), judged)

    def foreseen(self, values: int, listed: bool) -> float | None:
        """See ``FoldSolver.foreseen``; each value of the parameter has its own search."""
        if self.line.same_features:
            one = self.first.foreseen(values, listed)
            return None if one is None else PLACES.places * one
        solve = self.first.foreseen(1, listed=True)
        if solve is None:
            solve = PLACES.squares * metric_seconds(self.first, 1)
        solves = values * (PLACES.searched if self.searches else 1.0)
        solves += PLACES.slopes * PLACES.slope_solves
        maps = values + PLACES.slopes * PLACES.slope
        return solves * solve + maps * self._map_seconds

    @property
    def _map_seconds(self) -> float:
        """The cost of one value's features in all folds."""
        rows = self.first.rows(torch.float64)
        return len(self.used) * map_seconds(len(self.task.target), rows.n_features)

    @property
    def own_maps(self) -> float:
        """See ``FoldSolver``."""
        if self.line.same_features:
            return 0.0
        return (PLACES.own_of_two if self.searches else PLACES.own) * self._map_seconds

    def slope(self, place: float, axes: tuple[Axis, ...], x: list[float], criterion) -> float:
        """Return the slope of F along the axis, at a penalty x."""
        joint = self.at(place)
        problem = joint.glm(axes, joint.rows(torch.float64), 1, criterion=criterion)
        at = torch.tensor([x], dtype=torch.float64, device=joint.device)
        y = solve_lower(problem, at, tol=TOL.slope).y
        v = multiplier(problem, at, y)
        upper = problem.directions(at, y, v, 0.0).upper
        slope = self.line.slope(joint, problem, y, v, upper)
        moving = torch.tensor(place, dtype=torch.float64, requires_grad=True)
        (unit,) = torch.autograd.grad(self.axis.value(moving), moving)
        return slope * float(unit)


class _Search:
    """The least F over the penalty, as a function of the place on the axis."""

    def __init__(self, solver: NestedSolver, quest: Quest):
        self.solver, self.quest, self.axes = solver, quest, quest.axes[1:]
        self.points: list[Point] = []
        self.criterion: Any = None
        self.ended: Status | None = None
        self._history: dict[str, list] = {
            name: [] for name in ("seconds", "upper", "kkt_residual", "x")
        }

    @property
    def best(self) -> Point:
        return min(self.points, key=lambda p: p.value)

    @property
    def late(self) -> bool:
        """Whether the user's time or patience has ended, and note it in ``ended``."""
        if self.ended is None and self.quest.left == 0.0:
            self.ended = Status.MAX_TIME
        return self.ended is not None

    @property
    def status(self) -> Status:
        """The status of the best point's own search."""
        found = self.best.found
        return Status.CONVERGED if found is None else found.status

    def x(self, point: Point) -> list[float]:
        """Return the place and the penalty there."""
        return [point.place, *([] if point.found is None else point.found.x.tolist())]

    def add(self, place: float) -> None:
        """Search the penalty for a place."""
        self.points.append(self._searched(place) if self.axes else self._valued(place))
        best = self.best
        residual = 0.0 if best.found is None else max(best.found.kkt_residual)
        self._history["seconds"].append(self.quest.spent)
        self._history["upper"].append(best.value)
        self._history["kkt_residual"].append(residual)
        self._history["x"].append(torch.tensor(self.x(best), dtype=torch.float64))

    def take_slope(self) -> None:
        """Find the slope of the best point."""
        best = self.best
        if best.slope is None:
            place, *x = self.x(best)
            best.slope = self.solver.slope(place, self.axes, x, self.criterion)

    def result(self, status: Status) -> BilevelResult:
        """Return the best point."""
        best, none = self.best, torch.empty(0, dtype=torch.float64)
        residual = (0.0, 0.0, 0.0) if best.found is None else best.found.kkt_residual
        return BilevelResult(
            torch.tensor(self.x(best), dtype=torch.float64), none, none, best.value, 0,
            residual, status, len(self.points), self._history,
        )  # fmt: skip

    def _searched(self, place) -> Point:
        joint = self.solver.at(place)
        known = [p for p in self.points if p.value < torch.inf]
        near = None
        if known:
            found = min(known, key=lambda p: abs(p.place - place)).found
            x, models = found.x[None], self.solver.line.same_features
            y, v = (t[None] if models else None for t in (found.y, found.v))
            near = Beginning(x, y, v, x)
        quest = self.quest
        found, self.criterion, _ = joint.search(
            self.axes, quest.choice, upper_loss=quest.upper_loss, near=near,
            max_iter=quest.max_iter, tol=quest.tol, max_time=quest.left,
        )  # fmt: skip
        if found.status is Status.INTERRUPTED:
            self.ended = found.status
        return Point(place, _finite(found.fun), None, found)

    def _valued(self, place) -> Point:
        """Return F for the estimator's own penalty."""
        joint = self.solver.at(place)
        self.criterion = joint.criterion(self.quest.choice, self.quest.upper_loss)
        problem = joint.glm((), joint.rows(torch.float64), 1, criterion=self.criterion)
        x = torch.empty(1, 0, dtype=torch.float64, device=joint.device)
        y = solve_lower(problem, x, tol=TOL.slope).y
        upper = problem.directions(x, y, torch.zeros_like(y), 0.0).upper.sum()
        return Point(place, _finite(float(upper)))


def _finite(value: float) -> float:
    return value if value == value else torch.inf
