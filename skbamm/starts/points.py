"""Starting points, and the region of x where all models are empty."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.glm.penalties import Penalty, Total
from skbamm.space import Axis

_HUGE = 1e30  # a strength at which any model is empty


@dataclass(frozen=True)
class PointSettings:
    """Positions of starting points and of the points of paths, in x.

    benchmarks/scores/accuracy.py and benchmarks/speed/lasso_path.py measure their effect.

    Attributes
    ----------
    others : int
        Points of every interval but the first.
    farthest : float
        Distance up to which a neighbouring point shows where F falls: eight decades.
    spacing : float
        Distance of the points of a path.
    kinked_spacing : float
        The same where the loss has kinks.
    fewest : int
        Fewest points of a path.
    most : int
        Most points of a path.
    away : tuple[float, ...]
        Distances of a profile's points from the best: about a tenth of the value at first.
    below : float
        Share of the strength at which the last coefficient vanishes, where paths begin.
    """

    others: int = 3
    farthest: float = 18.0
    spacing: float = 0.6
    kinked_spacing: float = 1.2
    fewest: int = 6
    most: int = 24
    away: tuple[float, ...] = (
        0.1,
        0.2,
        0.3,
        0.45,
        0.65,
        0.9,
        1.2,
        1.6,
        2.1,
        2.8,
        3.7,
        5.0,
        7.0,
        10.0,
    )
    below: float = 0.999


POINTS = PointSettings()


def starting_points(
    axes: tuple[Axis, ...], count: int, leave: bool | None = None
) -> list[list[float]]:
    """Return points inside the intervals: ``count`` of the first, for each few of the others.

    Of a very wide first interval there are more, since F is flat far from its minimum.
    The highest of the first is left out if ``leave``, the lowest if that is false: the weakest
    penalty, where it takes many passes; from strong ones x continues while F decreases.
    """
    low, high = axes[0].bounds()
    count = max(count, int((high - low) / POINTS.farthest))
    first = np.linspace(low, high, count + 2)[1:-1]
    if leave is not None:
        first = first[:-1] if leave else first[1:]
    # The middles of as many equal parts.
    rest = [np.linspace(*axis.bounds(), 2 * POINTS.others + 1)[1::2] for axis in axes[1:]]
    return [[float(x), *map(float, others)] for others in product(*rest) for x in first]


def paths(axes: tuple[Axis, ...], limit: EmptyLimit, kinked: bool = False) -> list[Tensor]:
    """Return points (T, h) from the strongest penalty to the weakest, a few of such paths.

    They begin where the last coefficient vanishes, or at the end of the interval; the first of
    the paths is that of the upper ends of the other intervals. Points of a ``kinked`` loss, which
    take longer to solve, are further apart.
    """
    spacing = POINTS.kinked_spacing if kinked else POINTS.spacing
    rest = [np.linspace(*axis.bounds(), POINTS.others + 1)[:0:-1] for axis in axes[1:]]
    found = []
    for others in product(*rest):
        ends = torch.tensor([[end, *others] for end in axes[0].bounds()], dtype=torch.float64)
        low, high = limit(ends.to(limit.slopes.device))[:, 0].tolist()
        count = min(max(int((high - low) / spacing) + 2, POINTS.fewest), POINTS.most)
        first = np.linspace(low, high, count)
        points = [[x, *others] for x in (first if limit.inverse else first[::-1])]
        found.append(torch.tensor(points, dtype=torch.float64, device=limit.slopes.device))
    return found


def profile(axes: tuple[Axis, ...], best: list[float]) -> list[list[float]]:
    """Return points on both sides of the best one, from close to it to the interval's ends.

    Each differs from the best in one of the coordinates.
    """
    points = []
    for i, axis in enumerate(axes):
        low, high = axis.bounds()
        places = {low, high, *(best[i] + d for away in POINTS.away for d in (-away, away))}
        for place in sorted(places):
            if low <= place <= high and abs(place - best[i]) >= POINTS.away[0] / 2:
                points.append([*best[:i], place, *best[i + 1 :]])
    return points


def empty_slopes(problem, kinked: Penalty, shares: Tensor) -> Tensor:
    """Return the least strength of kinks at which each fold's model is empty, (K,).

    Parameters
    ----------
    problem : Problem
        A problem of one start and no hyperparameters.
    kinked : Penalty
        The part of its penalty that has kinks.
    shares : Tensor of shape (p,)
        Strengths of the coefficients relative to that of a slope: 0 for a free intercept, which
        empty models have, too.
    """
    x = torch.empty(1, 0, dtype=torch.float64, device=problem.rows.device)
    smooth = [part for part in problem.penalty.parts if not part.has_kinks]
    strongest = kinked.with_strength(lambda x: shares[None, None, None] * _HUGE)
    empty = problem.with_penalty(Total(*smooth, strongest))
    _, gradient = problem.lower(x, solve_lower(empty, x, tol=1e-6).y)
    relative = torch.where(shares > 0, gradient.double() / shares, 0.0)
    return kinked.emptied_by(relative).amax((0, 2, 3))


class EmptyLimit:
    """Keeps x where the model of one fold at least has coefficients.

    Beyond it F is constant: its hypergradient is zero and would look like a solution.

    Parameters
    ----------
    axis : Axis
        The first, whose parameter scales the penalty.
    inverse : bool
        Whether the penalty falls with it.
    strength : callable
        Maps x to the strengths of the kinks, (S, 1, 1, p).
    per_fold : Tensor of shape (K, 1, 1)
        Their divisors in f.
    slopes : Tensor of shape (K,)
        See ``empty_slopes``.
    """

    def __init__(self, axis: Axis, inverse: bool, strength, per_fold, slopes: Tensor):
        self.axis, self.inverse, self.strength = axis, inverse, strength
        self.per_fold, self.slopes = per_fold, slopes

    def __call__(self, x: Tensor) -> Tensor:
        """Project x of shape (S, h)."""
        home, x = x.device, x.to(self.slopes.device)
        with torch.no_grad():
            factor = (self.strength(x.double()[:, None]) / self.per_fold)[..., 0, 0]  # of a slope
        room = (POINTS.below * self.slopes / factor).amax(
            1
        )  # what the penalty may be multiplied by
        too_far = (room < 1) & (room > 0)
        value = self.axis.value(x[:, 0].double())
        value = value / room if self.inverse else value * room
        low, high = self.axis.bounds()
        place = self.axis.place(value).clamp(low, high).to(x.dtype)
        first = torch.where(too_far, place, x[:, 0])
        return torch.cat([first[:, None], x[:, 1:]], 1).to(home)
