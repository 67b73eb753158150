"""Rules for the x-step: the published one, spectral steps, and bracketing of a single x."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

EVEN = 1e-9  # share of F below which a difference of values is rounding of the models


class UpperStep:
    """Proposes the next x.

    A rule knows, for each start, whether y and v follow x closely enough for the hypergradient to
    be trusted, and moves x only then. Without that test half-fitted models, which generalise as
    if stopped early, lead x astray.

    Attributes
    ----------
    kinks : bool
        Whether the slope of F may jump.
    steady : bool
        Whether steps are so short that y and v can be extrapolated linearly.
    precise : float
        Change of the hypergradient in one step of y and v, relative to its size, with which it is
        used although y and v do not follow yet.
    settled : bool
        Whether the point is the solution although the slope there has not vanished.
    """

    kinks: bool = False
    steady: bool = False
    precise: float = 1e-4
    settled: bool = False

    def begin(self, kinks: bool) -> Self:
        """Return a copy for one run, which changes it and leaves the original as it is.

        The copy keeps the history. ``kinks`` says whether F has kinks.
        """
        other = copy.copy(self)
        other.kinks = self.kinks or kinks
        return other

    def step(self, x: Tensor, upper: Tensor, grad: Tensor, trusted: Tensor) -> Tensor:
        """Return the next x, of shape (S, h), before projection.

        ``upper`` (S,) is F and ``grad`` (S, h) its hypergradient, of use where ``trusted`` (S,).
        """
        raise NotImplementedError

    def lead(self, start: int) -> None:
        """Continue with this starting point only."""

    def jump(self, rough: Sequence[Sequence[float]]) -> float | None:
        """Return the next point after ``lead`` if what other starts saw suggests one, else None.

        ``rough`` are (x, F, slope) of starts that y and v do not follow yet.
        """
        return None

    def reset(self) -> None:
        """Forget values and slopes: the problem is another one now."""


class PathStep(UpperStep):
    """A rule that remembers where each start has been."""

    _paths: dict[int, Any]

    def begin(self, kinks: bool) -> Self:
        """See ``UpperStep.begin``."""
        other = super().begin(kinks)
        other._paths = copy.deepcopy(self._paths)
        return other


class ScheduledStep(UpperStep):
    """``x - alpha(k) * grad``: the published rule, which waits for nothing."""

    def __init__(self, alpha):
        self.alpha, self.k = alpha, 0

    def step(self, x, upper, grad, trusted):
        """Return the next x."""
        length = self.alpha(self.k)
        self.k += 1
        return x - length * grad


class SpectralStep(PathStep):
    """Gradient steps whose length is the inverse curvature along the last one.

    The length is that of Barzilai & Borwein, "Two-point step size gradient methods", 1988; a
    point that is worse than the last few is stepped back from (Birgin, Martinez & Raydan,
    "Nonmonotone spectral projected gradient methods on convex sets", 2000). With the projection
    that follows, any convex set will do.

    Parameters
    ----------
    first : float, default=1
        Length of the first step, in the largest coordinate.
    """

    memory, shorter, longest = 10, 0.25, 1e10
    slack = 0.02  # share of F that F at a trusted point may be wrong by

    def __init__(self, first: float = 1.0):
        self.first = first
        self._paths: dict[int, _Path] = {}

    def step(self, x, upper, grad, trusted):
        """Return the next x."""
        rows = []
        for s in range(len(x)):
            path = self._paths.setdefault(s, _Path())
            rows.append(self._next(path, x[s], float(upper[s]), grad[s]) if trusted[s] else x[s])
        return torch.stack(rows)

    def _next(self, path: _Path, x: Tensor, value: float, grad: Tensor) -> Tensor:
        if path.point is not None and path.values:
            worst = max(path.values)
            if value > worst + self.slack * abs(worst):
                path.length *= self.shorter
                return path.point - path.length * path.grad
        if path.point is None:
            path.length = self.first / max(float(grad.abs().max()), 1e-300)
        elif not path.fresh:
            step, change = x - path.point, grad - path.grad
            bend, size = float(step @ change), float(step @ step)
            if size > 0:
                path.length = size / bend if bend > 0 else 4 * path.length
            path.length = min(path.length, self.longest)
        path.point, path.grad, path.fresh = x, grad, False
        path.values = [*path.values, value][-self.memory :]
        return x - path.length * grad

    def lead(self, start):
        """Continue with this starting point only."""
        self._paths = {0: self._paths.get(start, _Path())}

    def reset(self):
        """Keep the lengths; compare neither values nor gradients with older ones."""
        for path in self._paths.values():
            path.values = []
            path.fresh = True


class _Path:
    """The history of one start."""

    def __init__(self):
        self.point: Tensor | None = None
        self.grad: Tensor
        self.length = 0.0
        self.values: list[float] = []
        self.fresh = False  # whether the last gradient is of another problem


class ScalarStep(UpperStep):
    """A safeguarded second-order step for a single hyperparameter.

    Points where the hypergradient was trusted bracket the minimum between a falling and a
    rising side; the next point is the minimiser of the cubic through both ends and slopes.
    Until there is a bracket, steps grow downhill. All starts look at the same function of one
    variable, so that each uses the values of the others.

    Parameters
    ----------
    first : float, default=1
        Length of the first step downhill.
    kinks : bool, default=False
        Whether the slope of F may jump, as it does where the models' supports change. At a
        minimum it then need not vanish: the solution is a bracket as narrow as ``close``, or one
        whose slopes promise no more than ``level``, a share of F. (Without kinks they must promise
        ``nothing``, and be no further apart than ``narrow``.)
    bend : float, optional
        Approximate curvature of F at the start, which bounds the first step.
    """

    longest, narrow, close, level, nothing = 2.0, 1e-4, 1e-3, 5e-5, 1e-7
    steady = True  # steps are never so long that y and v would not go about straight on

    def __init__(self, first: float = 1.0, kinks: bool = False, bend: float | None = None):
        self.first, self.kinks, self.bend = first, kinks, bend
        self.settled = False  # whether the solution is such a bracket
        self.seen: list[list[tuple[float, float, float]]] = []  # a start: (x, F, slope)
        self._last: tuple[float, float] | None = None  # width of a bracket, slope at its best end
        self._bend = 0.0  # curvature of F, where two slopes gave it
        self._slow = False  # whether the last bracket was hardly narrower

    def begin(self, kinks):
        """See ``UpperStep.begin``."""
        other = super().begin(kinks)
        other.seen = [list(points) for points in self.seen]
        return other

    def step(self, x, upper, grad, trusted):
        """Return the next x."""
        starts = x.shape[0]
        if not self.seen:
            self.seen = [[] for _ in range(starts)]
        rows = torch.cat([x, upper[:, None], grad, trusted[:, None]], 1).double().tolist()
        proposal = [row[0] for row in rows]
        for s, (point, value, slope, ok) in enumerate(rows):
            if ok:
                self.seen[s] = [p for p in self.seen[s] if p[0] != point]
                self.seen[s].append((point, value, slope))
                proposal[s] = self._next(self.seen[s])
        return torch.tensor(proposal, dtype=x.dtype, device=x.device)[:, None]

    def lead(self, start):
        """Continue with this starting point, with the values of the others."""
        if not self.seen:
            return
        self._last, self.settled = None, False
        own = self.seen[start]
        others = [seen for s, points in enumerate(self.seen) if s != start for seen in points]
        self.seen = [others + own]

    def reset(self):
        """Forget all points."""
        self.seen = [[] for _ in self.seen]
        self._last, self.settled = None, False

    def jump(self, rough: Sequence[Sequence[float]] = ()) -> float:
        """Return the next point after ``lead``: what several starts saw may bracket the minimum.

        F of the ``rough`` ones will rise further, so they bound the minimum, but they are not
        remembered.
        """
        seen = self.seen[0]
        least = min(value for _, value, _ in seen)
        bounds = [(point, value, slope) for point, value, slope in rough if value > least]
        if not bounds:
            return self._next(seen)
        known = self._last, self.settled
        place = self._next([*bounds, *seen])
        self._last, self.settled = known
        return place

    def _next(self, seen: list[tuple[float, float, float]]) -> float:
        best = min(range(len(seen)), key=lambda i: seen[i][1])
        here = seen[best] if len(seen) > 1 and seen[best][1] < seen[-1][1] else seen[-1]
        falling = [p for p in seen if p[2] < 0 and p[0] <= here[0]]
        rising = [p for p in seen if p[2] > 0 and p[0] >= here[0]]
        if here[2] < 0:
            rising = [p for p in seen if p[0] > here[0] and (p[2] > 0 or p[1] >= here[1])]
        elif here[2] > 0:
            falling = [p for p in seen if p[0] < here[0] and (p[2] < 0 or p[1] >= here[1])]
        else:
            return here[0]
        if falling and rising:
            left = max(falling, key=lambda p: p[0])
            right = min(rising, key=lambda p: p[0])
            width = right[0] - left[0]
            little = self.level * abs(here[1])
            if self.kinks and (width <= self.close or _promise(left, right) <= little):
                self.settled = True
                return here[0]
            if width > self.narrow:
                # If neither the bracket nor the slope becomes small, the function is not a cubic.
                size, last = abs(here[2]), self._last
                slow = last is not None and width > 0.7 * last[0] and size > 0.3 * last[1]
                self._last = width, size
                again, self._slow = self._slow, slow
                if not slow:
                    return _cubic_minimiser(left, right)
                if again:
                    return 0.5 * (left[0] + right[0])
                return _across(seen, here, left, right)
            # The ends cannot both be right, since the slope has not vanished: one was taken when y
            # and v lagged. Restart from the last point, unless the expected gain is too small.
            away = [p for p in seen if abs(p[0] - here[0]) > self.narrow]
            if away:
                beside = min(away, key=lambda p: abs(p[0] - here[0]))
                self._bend = (here[2] - beside[2]) / (here[0] - beside[0])
            if here[2] ** 2 <= 2 * self._bend * self.nothing * abs(here[1]):
                self.settled = True
                return here[0]
            seen[:] = [seen[-1]]
            return here[0] + (-self.first if here[2] > 0 else self.first) * 0.1
        return self._outward(seen, here)

    def _outward(self, seen, here) -> float:
        """Go downhill from ``here`` where nothing bounds the minimum yet."""
        side = -1.0 if here[2] > 0 else 1.0
        behind = [p for p in seen if (p[0] - here[0]) * side < 0]
        if not behind:
            enough = math.inf if self.bend is None else 1.1 * abs(here[2]) / self.bend
            return here[0] + side * min(self.first, enough)
        last = min(behind, key=lambda p: abs(p[0] - here[0]))
        step = min(2 * abs(here[0] - last[0]), self.longest)
        bend = (here[2] - last[2]) / (here[0] - last[0])
        if bend > 0:  # the slope is flattening: the secant says where it vanishes
            step = min(max(1.1 * abs(here[2] / bend), 0.1 * step), self.longest)
        return here[0] + side * step


def _across(seen: list[tuple], here: tuple, left: tuple, right: tuple) -> float:
    """Return a point beyond the minimum as other slopes on this side of a bracket tell it.

    It is where the parabola through the slopes at both ends and at the nearest other point
    vanishes, or else twice as far as where the secant on this side does (Alefeld, Potra & Shi,
    "Algorithm 748: enclosing zeros of continuous functions", 1995); at most the middle.
    """
    middle = 0.5 * (left[0] + right[0])
    beside = [p for p in seen if (p[2] > 0) == (here[2] > 0) and p[0] != here[0]]
    if not beside:
        return middle
    next_to = min(beside, key=lambda p: abs(p[0] - here[0]))
    bend = (next_to[2] - here[2]) / (next_to[0] - here[0])
    place = _root(here, right if here is left else left, next_to)
    if place is None:
        if bend <= 0:
            return middle
        place = here[0] - 2 * here[2] / bend
    return max(place, middle) if here[2] > 0 else min(place, middle)


def _root(a: tuple, b: tuple, c: tuple) -> float | None:
    """Return the only root between a and b of the parabola through three slopes, if there is."""
    if c[0] == b[0]:
        return None
    first, second = (b[2] - a[2]) / (b[0] - a[0]), (c[2] - a[2]) / (c[0] - a[0])
    bent = (second - first) / (c[0] - b[0])
    # slope(a + t) = a[2] + t * (first + bent * (t - (b - a)))
    width = b[0] - a[0]
    linear = first - bent * width
    inside = linear * linear - 4 * bent * a[2]
    if inside < 0:
        return None
    both = -0.5 * (linear + math.copysign(math.sqrt(inside), linear))
    roots = [both / bent] if bent else []
    roots += [a[2] / both] if both else []
    found = [a[0] + t for t in roots if 0 < t / width < 1]
    return found[0] if len(found) == 1 else None


def _promise(left: tuple, right: tuple) -> float:
    """How much lower than both ends of a bracket a convex F may be: where its tangents meet.

    Infinite where F cannot be convex.
    """
    (a, fa, da), (b, fb, db) = left, right
    if not da < 0 < db:
        return math.inf
    step = (fb - fa - db * (b - a)) / (da - db)
    return min(fa, fb) - (fa + da * step) if 0 <= step <= b - a else math.inf


def _cubic_minimiser(left: tuple, right: tuple) -> float:
    """Minimiser of the cubic with these values and slopes, kept inside the bracket."""
    (a, fa, da), (b, fb, db) = left, right
    width = b - a
    if width <= 0:
        return a
    if da < 0 < db:
        mean = da + db - 3 * (fb - fa) / width
        root = max(mean * mean - da * db, 0.0) ** 0.5
        point = b - width * (db + root - mean) / (db - da + 2 * root)
        margin = 0.01 * width
    else:  # one end is only known to be higher, not to slope back
        point, margin = 0.5 * (a + b), 0.1 * width
    return min(max(point, a + margin), b - margin)
