"""What is tried of intervals besides what the search finds, for the scorer to judge.

Where the loss that is searched only stands for the score, or the models cannot be solved jointly,
the scorer judges points from end to end of the intervals, and then points between the best one and
those next to it. A score that counts rows has a flat top; of its points the middle is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from skbamm.space import Combination, named_values
from skbamm.starts.line_search import parabola

# Points from end to end of one interval. Of a score that counts rows, with a flat top, they are two
# decades apart in x; of own fits, which no search goes with, closer. Of a score that is smooth they
# are so many that with the top of a parabola they are a coarse list. Where a rule for the refit
# chooses from own fits, there are more.
_SPACING, _OWN_SPACING, _FEWEST, _MOST, _OWN = 4.7, 3.5, 4, 8, 15
_FIRST, _OWN_FIRST, _OTHERS = 5, 4, 3  # of the first of several intervals, and of the others
_ROUNDS, _OWN_ROUNDS = 1, 2  # of points between
_APART = 0.1  # least distance of points in x, about 10 % of a value


@dataclass(eq=False)
class Explored:
    """The candidates of one combination that has intervals.

    Attributes
    ----------
    combination : Combination
    axes : tuple of Axis
        As they were searched.
    solver : FoldSolver or None
        None where the estimator's own fits serve.
    points : list of list of float
        The x of each candidate.
    stages : list of str
        How each came about: "refined" is what the search found, "start" where it began, "scan" a
        point from end to end, "finer" one between; "neighbour" and "profile" lie around the first.
    rounds : int
        How often points between may follow.
    vertex : bool
        Whether the last of these is where the parabola through the best three is highest.
    waiting : list of float or None
        What the search found, if it is to be solved beside points between.
    folds : list of FoldData, or None
        Each split's rows as the transformers make them, whatever the values of the intervals.
    paths : CoordinatePaths or None
        That tell where own fits are to be judged, if these serve because they are sooner.
    models : list of Tensor of shape (K, m, p), or None
        Of each candidate, as far as they are solved: where others may begin.
    """

    combination: Combination
    axes: tuple[Any, ...]
    solver: Any = None
    points: list[list[float]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    rounds: int = 0
    vertex: bool = False
    waiting: list[float] | None = None
    folds: Any = None
    paths: Any = None
    models: list[Any] = field(default_factory=list)

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

    def scan(self, flat: bool) -> None:
        """Add points from end to end for models that are solved jointly.

        ``flat`` tells whether the score counts rows.
        """
        known = list(self.points)
        points = _from_end_to_end(self.axes, self._count(_SPACING if flat else 0.0), _FIRST)
        self.add([x for x in points if not any(_close(x, other) for other in known)], "scan")
        self.vertex = len(self.axes) == 1 and not flat
        self.rounds = _ROUNDS

    def scan_own(self, many: bool, flat: bool) -> None:
        """Add points from end to end for the estimator's own fits.

        ``many`` tells that a rule for the refit chooses from them, ``flat`` whether the score
        counts rows.
        """
        alone = len(self.axes) == 1
        count = _OWN if many else self._count(_OWN_SPACING if flat else 0.0)
        self.points, self.stages, self.solver, self.waiting = [], [], None, None
        self.add(_from_end_to_end(self.axes, count, _FIRST if many else _OWN_FIRST), "scan")
        self.vertex = alone and not flat
        self.rounds = _OWN_ROUNDS + self.vertex if many else 1

    def take(self, points: list[list[float]]) -> None:
        """Let own fits be judged at these points only, of which the first was found to be best."""
        self.points, self.stages, self.solver, self.waiting = [], [], None, None
        for stage, some in (("refined", points[:1]), ("scan", points[1:])):
            self.add([x for x in some if not any(_close(x, y) for y in self.points)], stage)

    def _count(self, spacing: float) -> int:
        """Return how many points are so far apart, at most; without a spacing the most."""
        low, high = self.axes[0].bounds()
        if not spacing:
            return _MOST
        return min(max(math.ceil((high - low) / spacing) + 1, _FEWEST), _MOST)

    def add_between(self, best: int, scores: np.ndarray, worth: float) -> None:
        """Add points half way from a candidate to the nearest on either side, for each axis.

        Not between those that score alike.

        Parameters
        ----------
        best : int
        scores : ndarray of shape (n,)
            Of the candidates that were scored.
        worth : float
            Difference of scores that says nothing.
        """
        self.rounds -= 1
        if self.vertex and self.rounds == 0:
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
                if abs(other - here[i]) >= 2 * _APART and not alike:
                    found.append([*here[:i], (here[i] + other) / 2, *here[i + 1 :]])
        self.add([x for x in found if not any(_close(x, other) for other in self.points)], "finer")

    def _add_vertex(self, best: int, scores: np.ndarray, worth: float) -> None:
        """Add where the parabola through the best and its neighbours is highest, if smooth."""
        if worth:
            return
        curve = sorted(zip((x[0] for x in self.points), (-scores).tolist(), strict=False))
        at = [place for place, _ in curve].index(self.points[best][0])
        known = parabola(curve[max(at - 1, 0) : at + 2])
        if known is not None and not any(_close([known[0]], other) for other in self.points):
            self.add([[known[0]]], "finer")

    def add_waiting(self) -> None:
        """Add what the search found, if it waits to be solved beside others."""
        if self.waiting is not None:
            self.add([self.waiting], "refined")
            self.waiting = None

    def nearest(self, first: int) -> list[Any] | None:
        """Return the models nearest to each candidate from the ``first`` on; None of none."""
        if not self.models or first == len(self.points):
            return None
        known, new = np.array(self.points[: len(self.models)]), np.array(self.points[first:])
        apart = np.abs(new[:, None] - known[None]).sum(2)
        return [self.models[i] for i in apart.argmin(1)]

    def middle_of_top(self, scores: np.ndarray, worth: float) -> int:
        """Return the candidate to take: the middle one of those that score like the best.

        Of one interval these are the ones beside each other around the best; the middle one is
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
        ties = scores >= scores[best] - worth - 1e-12 * max(1.0, abs(scores[best]))
        if points.shape[1] == 1:
            order = np.argsort(points[:, 0], kind="stable")
            ties = _run(ties[order], int(np.flatnonzero(order == best)[0]))[np.argsort(order)]
        tied = np.flatnonzero(ties)
        middle = (points[tied].min(0) + points[tied].max(0)) / 2
        away = np.abs(points[tied] - middle).sum(1)
        nearest = tied[away <= away.min() + 1e-9]  # of two as near, the one that scores more
        return int(nearest[scores[nearest].argmax()])


def _from_end_to_end(axes, alone: int, first: int) -> list[list[float]]:
    """Return points of one interval, ``alone``, or of several, ``first`` of the first."""
    counts = [alone] if len(axes) == 1 else [first, *[_OTHERS] * (len(axes) - 1)]
    ends = [axis.bounds() for axis in axes]
    places = [
        np.linspace(low, high, count).tolist()
        for (low, high), count in zip(ends, counts, strict=True)
    ]
    return [list(point) for point in product(*places)]


def _close(a: list[float], b: list[float]) -> bool:
    return max(abs(i - j) for i, j in zip(a, b, strict=True)) < _APART / 2


def _run(mask: np.ndarray, inside: int) -> np.ndarray:
    """Return the part of a mask that is true without a gap around a place where it is."""
    gaps = np.flatnonzero(~mask)
    first = gaps[gaps < inside].max(initial=-1) + 1
    end = gaps[gaps > inside].min(initial=len(mask))
    return (np.arange(len(mask)) >= first) & (np.arange(len(mask)) < end)
