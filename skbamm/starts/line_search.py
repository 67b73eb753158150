"""Minimises a function of one variable whose slope may be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_GAIN, _CLOSE = 1e-4, 0.02  # relative gain that a further point must promise; distance
_MARGIN = 0.1  # of a bracket, next to its ends


@dataclass
class Point:
    """A point that was tried.

    Attributes
    ----------
    place, value : float
        Infinite values are those of points that were no good.
    slope : float or None
        The slope, if it was evaluated.
    found : object
        The result of the search there.
    """

    place: float
    value: float
    slope: float | None = None
    found: Any = None


def scan_places(low: float, high: float, count: int) -> list[float]:
    """Return initial places, from the middle outwards."""
    middle = (low + high) / 2
    return sorted(np.linspace(low, high, count + 2)[1:-1].tolist(), key=lambda t: abs(t - middle))


def parabola(points: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Return where the parabola through three points is least, and its second derivative.

    None if the value of the one in the middle is not below the others.
    """
    if len(points) < 3:
        return None
    (a, fa), (b, fb), (c, fc) = points
    if not max(fa, fc) < np.inf or not fb < min(fa, fc):
        return None
    left, right = (fb - fa) / (b - a), (fc - fb) / (c - b)
    bend = 2 * (right - left) / (c - a)
    return 0.5 * (a + b) - left / bend, bend


def next_place(points: list[Point], low: float, high: float) -> float | None:
    """Return where to look next; None where no other place promises to be better.

    That is where the cubic is least that has the value and the slope of the best point and the
    values of its neighbours. Without a neighbour on the side of the slope it is as far away as
    the points are apart.

    Parameters
    ----------
    points : list of Point
        Two at least; the best must have a slope.
    low, high : float
        Ends of the interval.
    """
    best = min(points, key=lambda p: p.value)
    assert best.slope is not None
    ahead = -np.sign(best.slope)
    end = high if ahead > 0 else low
    if ahead == 0 or best.place == end:
        return None
    apart = sorted((p for p in points if p is not best), key=lambda p: abs(p.place - best.place))
    before = [p for p in apart if (p.place - best.place) * ahead > 0]
    behind = [p for p in apart if (p.place - best.place) * ahead < 0]
    if not before:
        step = abs(apart[0].place - best.place)
        return end if abs(end - best.place) <= 1.5 * step else float(best.place + ahead * step)
    width = before[0].place - best.place
    share = _least(best, before[0], behind[0] if behind else None)
    gain = 0.5 * abs(best.slope * share * width)  # that of a parabola with its least value there
    if gain <= _GAIN * abs(best.value) or abs(share * width) <= _CLOSE:
        return None
    return float(best.place + share * width)


def _least(best: Point, other: Point, behind: Point | None) -> float:
    """Return where the value is least between two points, as a share of the way."""
    if not np.isfinite(other.value):
        return 0.5
    width = other.place - best.place
    assert best.slope is not None
    fall = best.slope * width  # predicted by the slope for a share of one; negative
    bend = other.value - best.value - fall
    share = -fall / (2 * bend)
    if behind is not None and np.isfinite(behind.value):
        at = (behind.place - best.place) / width
        other_bend = (behind.value - best.value - fall * at) / at**2
        twist = (bend - other_bend) / (1 - at)
        root = (bend - twist) ** 2 - 3 * twist * fall
        if root > 0 and bend - twist + np.sqrt(root) > 0:
            share = -fall / (bend - twist + np.sqrt(root))
    return float(min(max(share, _MARGIN), 1 - _MARGIN))
