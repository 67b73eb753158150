"""The points of intervals that the scorer judges, besides the one that the search finds.

Where the loss that is searched only stands for the score, or the models cannot be solved jointly,
the scorer judges points from end to end of the intervals, and then points between the best one and
those next to it. A score that counts rows has a flat top; of its points the middle is taken.
Own fits of one interval are judged in two parts: every other point first, and then those between,
but not where both neighbours are much worse than the best one in every fold, or alike and worse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from skbamm.data.matrices import FoldData
from skbamm.effort import Meter
from skbamm.search.own_fits.coordinate_paths import CoordinatePaths
from skbamm.search.scan import (
    SCAN,
    even_grid,
    from_end_to_end,
    is_close,
    is_hopeless,
    is_within,
    vertex,
)
from skbamm.solvers.base import FoldSolver
from skbamm.space import Combination, SearchAxis, named_values
from skbamm.starts.line_search import parabola


@dataclass(eq=False)
class Explored:
    """The candidates of one combination that has intervals.

    Attributes
    ----------
    combination : Combination
    axes : tuple of Axis
        As they were searched.
    solver : FoldSolver or None
        None if the estimator's own fits are used.
    points : list of list of float
        The x of each candidate.
    stages : list of str
        The origin of each: "refined" is the result of the search, "start" its starting point,
        "scan" a point from end to end, "finer" one between; "neighbour" and "profile" lie around
        the first.
    rounds : int
        Number of rounds of points in between.
    vertex : bool
        Whether the last of these is where the parabola through the best three is highest.
    waiting : list of float or None
        The point that the search found, if it is to be solved together with points in between.
    folds : list of FoldData, or None
        Each split's rows as the transformers make them, whatever the values of the intervals.
    paths : CoordinatePaths or None
        Points at which own fits are judged, if these are used because they are faster.
    models : list of Tensor of shape (K, m, p), or None
        Models of the solved candidates, as starting points for others.
    meter : Meter or None
        Time in which they may be searched before own fits are faster.
    jagged : bool
        Whether own fits stop anywhere, so that their scores are jagged.
    between : list of list of float
        Points from end to end that wait for the scores of those on either side.
    """

    combination: Combination
    axes: tuple[SearchAxis, ...]
    solver: FoldSolver | None = None
    points: list[list[float]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    rounds: int = 0
    vertex: bool = False
    waiting: list[float] | None = None
    folds: list[FoldData] | None = None
    paths: CoordinatePaths | None = None
    models: list[Tensor] = field(default_factory=list)
    meter: Meter | None = None
    jagged: bool = False
    between: list[list[float]] = field(default_factory=list)

    def add(self, points: list[list[float]], stage: str) -> int:
        """Add candidates; return how many there were before."""
        self.points += points
        self.stages += [stage] * len(points)
        return len(self.points) - len(points)

    def keep(self, which: list[bool]) -> None:
        """Drop the other candidates."""
        self.points = [x for x, kept in zip(self.points, which, strict=True) if kept]
        self.stages = [stage for stage, kept in zip(self.stages, which, strict=True) if kept]

    def params(self, first: int = 0) -> list[dict[str, Any]]:
        """Return the parameters of the candidates from the ``first`` on."""
        return [
            {**self.combination.params, **named_values(self.axes, x)} for x in self.points[first:]
        ]

    def scan(
        self,
        worth: float,
        each: int | None = None,
        gap: float = 0.0,
        highs: list[float] | None = None,
    ) -> None:
        """Add points from end to end for models that are solved jointly.

        ``worth`` is the effect of one row on a score that counts rows, else 0. ``each`` is the
        number of points of each interval, if all are to have as many. A point nearer than ``gap``
        spacings to a known one of a single interval is left out. ``highs`` are upper ends in x, if
        they are not those of the intervals.
        """
        known = list(self.points)
        if each is None:
            points = from_end_to_end(self.axes, self._count(SCAN.spacing, worth), highs)
        else:
            points = even_grid(self.axes, [each] * len(self.axes), highs)
        least = max(gap * (points[1][0] - points[0][0]), SCAN.apart / 2)
        self.add([x for x in points if not any(is_within(x, y, least) for y in known)], "scan")
        self.vertex = len(self.axes) == 1 and not worth
        self.rounds = SCAN.rounds

    def scan_own(
        self, many: bool, worth: float, in_parts: bool = False, nearly_free: bool = False
    ) -> None:
        """Add points from end to end for the estimator's own fits.

        ``many`` tells that a rule for the refit chooses from them; ``worth`` as for ``scan``. With
        ``in_parts`` points between others wait until these are scored. Of two intervals there are
        more points if most of them are ``nearly_free``.
        """
        count = SCAN.own if many else self._count(SCAN.own_spacing, worth)
        if self.jagged:
            count = max(count, SCAN.jagged)
        self.points, self.stages, self.solver, self.waiting = [], [], None, None
        points = from_end_to_end(self.axes, count)
        if nearly_free and len(self.axes) == 2:
            points = even_grid(self.axes, [SCAN.each] * 2)
        if in_parts and not self.jagged and len(self.axes) == 1 and len(points) >= SCAN.in_parts:
            self.between = points[1:-1:2]
            points = [x for x in points if x not in self.between]
        self.add(points, "scan")
        self.vertex = len(self.axes) <= 2 and not (worth or self.jagged)
        self.rounds = SCAN.own_rounds if many else int(worth <= SCAN.few)
        if self.vertex and (many or len(self.axes) == 2):
            self.rounds += len(self.axes)

    def add_grid(self, counts: list[int]) -> None:
        """Add a grid of equally spaced values of each interval."""
        self.add(even_grid(self.axes, counts), "scan")

    def take(self, points: list[list[float]]) -> None:
        """Let own fits be judged at these points only, of which the first was found to be best."""
        self.points, self.stages, self.solver, self.waiting = [], [], None, None
        for stage, some in (("refined", points[:1]), ("scan", points[1:])):
            self.add([x for x in some if not any(is_close(x, y) for y in self.points)], stage)

    def _count(self, spacing: float, worth: float) -> int:
        """Return how many points are so far apart where a score counts many rows, else the most."""
        low, high = self.axes[0].bounds()
        if not 0 < worth <= SCAN.few or self.combination.line_axis is not None:
            return SCAN.most  # a score is flat along a penalty only
        return min(max(math.ceil((high - low) / spacing) + 1, SCAN.fewest), SCAN.most)

    def add_waiting_between(self, scores: np.ndarray, worth: float) -> None:
        """Add the points that wait, but those that are hopeless: see ``is_hopeless``.

        Parameters
        ----------
        scores : ndarray of shape (n, K)
            Scores of the candidates so far in each fold.
        worth : float
            The effect of one row on a score of all rows.
        """
        places = np.array(self.points[: len(scores)])[:, 0]
        best = scores[np.nan_to_num(scores.mean(1), nan=-np.inf).argmax()]
        for point in self.between:
            before, after = places < point[0], places > point[0]
            if before.any() and after.any():
                left = scores[np.where(before, places, -np.inf).argmax()]
                right = scores[np.where(after, places, np.inf).argmin()]
                if is_hopeless(best, left, right, worth):
                    continue
            self.add([point], "scan")
        self.between = []

    def add_between(self, best: int, scores: np.ndarray, worth: float) -> None:
        """Add points half way from a candidate to the nearest on either side, for each axis.

        Not between points with equal scores.

        Parameters
        ----------
        best : int
        scores : ndarray of shape (n,)
            Scores of the candidates so far.
        worth : float
            Difference of scores that says nothing.
        """
        self.rounds -= 1
        if self.vertex and self.rounds < len(self.axes):
            self._add_vertex(best, scores, worth)
            return
        here, found = self.points[best], []
        for i in range(len(here)):
            places = sorted({point[i] for point in self.points})
            at = places.index(here[i])
            for other in (*places[max(at - 1, 0) : at], *places[at + 1 : at + 2]):
                beside = [*here[:i], other, *here[i + 1 :]]
                known = self.points.index(beside) if beside in self.points else len(scores)
                alike = known < len(scores) and abs(scores[known] - scores[best]) <= worth
                if abs(other - here[i]) >= 2 * SCAN.apart and not alike:
                    found.append([*here[:i], (here[i] + other) / 2, *here[i + 1 :]])
        self.add(
            [x for x in found if not any(is_close(x, other) for other in self.points)], "finer"
        )

    def _add_vertex(self, best: int, scores: np.ndarray, worth: float) -> None:
        """Add where the parabola through the best and its neighbours is highest, if smooth."""
        if worth:
            return
        if len(self.axes) == 2:
            self._add_vertex_of_two(best, scores)
            return
        curve = sorted(zip((x[0] for x in self.points), (-scores).tolist(), strict=False))
        at = [place for place, _ in curve].index(self.points[best][0])
        known = parabola(curve[max(at - 1, 0) : at + 2])
        if known is not None and not any(is_close([known[0]], other) for other in self.points):
            self.add([[known[0]]], "finer")

    def _add_vertex_of_two(self, best: int, scores: np.ndarray) -> None:
        """Do it for two intervals, not farther than the scan is spaced; half so after a failure."""
        stages = zip(self.points, self.stages, strict=True)
        scanned = np.array([x for x, stage in stages if stage == "scan"])
        spacing = np.array([np.diff(np.unique(places)).min() for places in scanned.T])
        if self.rounds == 0 and best < len(scores) - 1:
            spacing = spacing / 2
        found = vertex(np.array(self.points[: len(scores)]), scores, best, spacing)
        if found is None:
            return
        low, high = np.transpose([axis.bounds() for axis in self.axes])
        place = found.clip(low, high).tolist()
        if not any(is_within(place, other, SCAN.apart) for other in self.points):
            self.add([place], "finer")

    def add_waiting(self) -> None:
        """Add the result of the search, if it is to be solved together with others."""
        if self.waiting is not None:
            self.add([self.waiting], "refined")
            self.waiting = None

    def nearest(self, first: int) -> list[Tensor] | None:
        """Return the models nearest to each candidate from the ``first`` on; None of none."""
        if not self.models or first == len(self.points):
            return None
        known, new = np.array(self.points[: len(self.models)]), np.array(self.points[first:])
        apart = np.abs(new[:, None] - known[None]).sum(2)
        return [self.models[i] for i in apart.argmin(1)]

    def middle_of_top(self, scores: np.ndarray, worth: float) -> int:
        """Return the candidate to take: the middle one of those that score like the best.

        For one interval these are the neighbours around the best; the middle one is
        the nearest to half way between the outermost.

        Parameters
        ----------
        scores : ndarray of shape (n,)
            Higher is better.
        worth : float
            Difference of scores that says nothing.
        """
        scores = np.nan_to_num(scores, nan=-np.inf)
        best, points = int(scores.argmax()), np.array(self.points[: len(scores)])
        if not np.isfinite(scores[best]):
            return best
        rounding = 1e-12 * np.abs(scores[np.isfinite(scores)]).max()
        ties = scores >= scores[best] - worth - rounding
        if points.shape[1] == 1:
            order = np.argsort(points[:, 0], kind="stable")
            ties = _run(ties[order], int(np.flatnonzero(order == best)[0]))[np.argsort(order)]
        tied = np.flatnonzero(ties)
        middle = (points[tied].min(0) + points[tied].max(0)) / 2
        away = np.abs(points[tied] - middle).sum(1)
        nearest = tied[away <= away.min() + 1e-9]  # of two as near, the one that scores more
        return int(nearest[scores[nearest].argmax()])


def _run(mask: np.ndarray, inside: int) -> np.ndarray:
    """Return the part of a mask that is true without a gap around a place where it is."""
    gaps = np.flatnonzero(~mask)
    first = gaps[gaps < inside].max(initial=-1) + 1
    end = gaps[gaps > inside].min(initial=len(mask))
    return (np.arange(len(mask)) >= first) & (np.arange(len(mask)) < end)
