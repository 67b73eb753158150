"""A rule for the x-step with many hyperparameters: quasi-Newton steps of limited memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from skbamm.bilevel.steps.x_steps import EVEN, PathStep


@dataclass
class _Path:
    """The history of one start."""

    radius: float
    best: tuple[Tensor, float, Tensor] | None = None  # x, F and slope
    pairs: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # steps and changes of slope


class LimitedMemoryStep(PathStep):
    """L-BFGS steps inside a box and a region that grows while steps pay.

    The inverse curvature is that of the last steps (Nocedal, "Updating quasi-Newton matrices with
    limited storage", 1980); coordinates at an end of the box whose slope leads outwards stay
    there. A point that is worse than the best is stepped back from, and what its slope says about
    the curvature is kept. A step costs a few products of vectors, where ``TrustRegionStep``
    factors a matrix.

    Parameters
    ----------
    bounds : tuple of Tensor of shape (h,), optional
        The ends of x.
    first, longest : float
        Largest change of a coordinate in the first step, and in any.
    memory : int
        Steps that are remembered.
    """

    curved = 1e-8  # least cosine of a step and the change of slope: the root of rounding
    precise = 0.03  # a sum over many entries: what is left after the step is far less

    def __init__(
        self,
        bounds: tuple[Tensor, Tensor] | None = None,
        first: float = 0.5,
        longest: float = 4.0,
        memory: int = 10,
    ):
        self.bounds, self.first, self.longest, self.memory = bounds, first, longest, memory
        self._paths: dict[int, _Path] = {}

    def step(self, x, upper, grad, trusted):
        """Return the next x."""
        values, go, after = upper.tolist(), trusted.tolist(), []
        for s, row in enumerate(x.double()):
            path = self._paths.setdefault(s, _Path(self.first))
            after.append(self._next(path, row, values[s], grad[s].double()) if go[s] else row)
        return torch.stack(after).to(x)

    def lead(self, start):
        """Continue with this starting point only."""
        self._paths = {0: self._paths.get(start, _Path(self.first))}

    def reset(self):
        """Keep the curvature; forget values and slopes."""
        for path in self._paths.values():
            path.best = None

    def _next(self, path: _Path, x: Tensor, value: float, slope: Tensor) -> Tensor:
        if path.best is not None and not torch.equal(path.best[0], x):
            self._learn(path, x, value, slope)
        if path.best is None or value <= path.best[1] + EVEN * abs(path.best[1]):
            path.best = x, value, slope
        point, _, slope = path.best
        free = self._free(point, slope)
        slope = torch.where(free, slope, 0.0)
        step = torch.where(free, -_product(path.pairs, slope), 0.0)
        if not path.pairs or float(step @ slope) >= 0:
            path.pairs = []
            step = -slope * (path.radius / slope.abs().amax().clamp_min(1e-300))
        longest = float(step.abs().amax())
        if longest > path.radius:
            step = step * (path.radius / longest)
        return point + step

    def _learn(self, path: _Path, x: Tensor, value: float, slope: Tensor) -> None:
        """Record the result of a step from the best point, and adapt the length."""
        assert path.best is not None
        start, before, first = path.best
        step, change = x - start, slope - first
        length = float(step.abs().amax())
        if value > before + EVEN * abs(before):
            path.radius = 0.3 * length
        elif length > 0.8 * path.radius:
            path.radius = min(2.5 * path.radius, self.longest)
        if float(step @ change) > self.curved * float(step.norm() * change.norm()):
            path.pairs = [*path.pairs, (step, change)][-self.memory :]

    def _free(self, x: Tensor, slope: Tensor) -> Tensor:
        if self.bounds is None:
            return torch.ones_like(x, dtype=torch.bool)
        low, high = self.bounds
        return ~(((x <= low) & (slope > 0)) | ((x >= high) & (slope < 0)))


def _product(pairs: list[tuple[Tensor, Tensor]], slope: Tensor) -> Tensor:
    """Return the inverse of the curvature times a slope: the two loops of Nocedal, 1980."""
    if not pairs:
        return slope
    q, shares = slope.clone(), []
    for step, change in reversed(pairs):
        share = (step @ q) / (step @ change)
        q -= share * change
        shares.append(share)
    step, change = pairs[-1]
    q *= (step @ change) / (change @ change)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        q += (share - (change @ q) / (step @ change)) * step
    return q
