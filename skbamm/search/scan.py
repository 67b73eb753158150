"""How many points of intervals the scorer judges, where they lie, and which are hopeless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from skbamm.space import Axis, SearchAxis


@dataclass(frozen=True)
class Scan:
    """Numbers of points that the scorer judges, chosen by benchmarks/scores/held_out.py.

    Distances are in x: natural logarithms of a penalty.

    Attributes
    ----------
    spacing : float
        Distance of points where the score counts many rows and has a flat top: two decades.
    own_spacing : float
        The same for own fits, which no search goes with.
    fewest : int
        Points of one interval at least.
    most : int
        Points of one interval at most, and for other scores: as many as a coarse list has, so that
        none of these is better than what is chosen.
    few : float
        What one of few rows is worth to a score that counts them: then the top is not flat.
    jagged : int
        The same for own fits that stop anywhere.
    own : int
        Points of own fits from which a rule for the refit chooses.
    first : int
        Points of the widest of several intervals, of those in a log scale if there are any.
    others : int
        Points of the others.
    each : int
        Points of each of two intervals where a coarse grid decides.
    gap : float
        Least distance from a point that a search has tried, in spacings of points from end to end.
    few_numbers : int
        Different numbers of a target up to which it does, of support vector machines.
    few_rows : int
        Rows up to which it may.
    rounds : int
        Rounds of points between.
    own_rounds : int
        The same for own fits from which a rule chooses.
    apart : float
        Least distance of points: 10 % of a value.
    in_parts : int
        Points of own fits from which on every other one waits.
    folds : int
        Number of folds from which on they agree that a point is worse.
    rows : int
        By how many of a fold's rows it then has to be worse in each; less one, of all rows where
        the models on either side are alike.
    """

    spacing: float = 4.7
    own_spacing: float = 3.5
    fewest: int = 4
    most: int = 9
    few: float = 1e-3
    jagged: int = 12
    own: int = 15
    first: int = 5
    others: int = 3
    each: int = 5
    gap: float = 0.4
    few_numbers: int = 150
    few_rows: int = 1000
    rounds: int = 1
    own_rounds: int = 2
    apart: float = 0.1
    in_parts: int = 7
    folds: int = 3
    rows: int = 3


SCAN = Scan()


def is_hopeless(best: np.ndarray, left: np.ndarray, right: np.ndarray, worth: float) -> bool:
    """Whether no point between two others can be best.

    Both are worse than the best one in every fold, by more than the two differ and by some rows;
    or they score alike in every fold, as models do that change no more, and are worse by rows.
    """
    if len(best) < SCAN.folds:
        return False
    if (left == right).all():
        return bool(best.mean() - left.mean() > (SCAN.rows - 1) * worth)
    least = np.abs(left - right) + SCAN.rows * len(best) * worth
    return bool((best - np.maximum(left, right) > least).all())


def from_end_to_end(
    axes: Sequence[SearchAxis], alone: int, highs: list[float] | None = None
) -> list[list[float]]:
    """Return points of one interval, ``alone``, or of several."""
    if len(axes) == 1:
        return even_grid(axes, [alone], highs)
    counts = [SCAN.others] * len(axes)
    # A penalty, which differs by decades, matters more than a share of it.
    widths = [(axis.scale == "log", high - low) for axis in axes for low, high in [axis.bounds()]]
    counts[widths.index(max(widths))] = SCAN.first
    return even_grid(axes, counts, highs)


def even_grid(
    axes: Sequence[SearchAxis], counts: list[int], highs: list[float] | None = None
) -> list[list[float]]:
    """Return evenly spaced points, up to ``highs`` if these are not the ends."""
    places = []
    for i, (axis, count) in enumerate(zip(axes, counts, strict=True)):
        assert isinstance(axis, Axis)  # vectors are searched, not judged
        low, high = axis.bounds()
        if highs is None or highs[i] == high:
            places.append(axis.spaced(count))
        else:
            places.append(np.linspace(low, highs[i], count).tolist())
    return [list(point) for point in product(*places)]


def vertex(
    points: np.ndarray, scores: np.ndarray, best: int, spacing: np.ndarray
) -> np.ndarray | None:
    """Return where a quadratic function of two variables is highest, fitted around the best point.

    The nearer a score is to the best one, the more it counts. None if it has no maximum.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
    scores : ndarray of shape (n,)
    best : int
    spacing : ndarray of shape (2,)
        How far from the best one a point may be, and the vertex.
    """
    apart, lost = (points - points[best]) / spacing, scores[best] - scores
    near = np.isfinite(lost) & (np.abs(apart) < 1 + 1e-6).all(1)
    if near.sum() < 6:
        return None
    u, v = apart[near].T
    least = np.sort(lost[near])[:6].mean()
    if not least > 0:
        return None
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    root = np.sqrt(1 / (least + lost[near]))
    fit = np.linalg.lstsq(terms * root[:, None], -lost[near] * root, rcond=None)[0]
    hessian = np.array([[2 * fit[3], fit[4]], [fit[4], 2 * fit[5]]])
    if np.linalg.eigvalsh(hessian)[1] >= 0:
        return None
    at = np.linalg.solve(hessian, -fit[1:3])
    return points[best] + np.clip(at, -1, 1) * spacing


def has_few_numbers(target: np.ndarray) -> bool:
    """Whether a target's numbers are few, also since rows are repeated."""
    return len(target) <= SCAN.few_rows and len(np.unique(target)) <= SCAN.few_numbers


def is_close(a: list[float], b: list[float]) -> bool:
    """Whether two points are nearer than half of the least distance."""
    return is_within(a, b, SCAN.apart / 2)


def is_within(a: list[float], b: list[float], distance: float) -> bool:
    """Whether two points are nearer than a distance, in each of their parts."""
    return max(abs(i - j) for i, j in zip(a, b, strict=True)) < distance
