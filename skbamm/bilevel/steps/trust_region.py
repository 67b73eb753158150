"""A rule for the x-step with several hyperparameters: quasi-Newton steps that can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from skbamm.bilevel.steps.x_steps import EVEN, PathStep


@dataclass
class _Point:
    x: Tensor
    value: float
    grad: Tensor


@dataclass
class _Path:
    """The history of one start, and its quadratic model."""

    radius: float
    best: _Point | None = None
    bend: Tensor | None = None  # (h, h), positive definite
    proposal: Tensor | None = None
    near: list[_Point] = field(default_factory=list)  # the last points, for slopes that jump


class TrustRegionStep(PathStep):
    """Quasi-Newton steps inside a region that grows while the model predicts F well.

    The model's curvature is that of damped BFGS updates (Nocedal & Wright, "Numerical
    Optimization", 2006, sections 4.1 and 18.3), which also bear slopes that jump (Lewis &
    Overton, "Nonsmooth optimization via quasi-Newton methods", 2013). A point that is worse than
    the best is stepped back from. Coordinates that the projection held back last time, and whose
    slope still leads outwards, are left where they are.

    Parameters
    ----------
    first, longest : float
        Radius of the region, in units of x.
    bend : float, optional
        Approximate curvature of F at the start.
    project : callable, optional
        The projection that follows, (S, h) to (S, h): it shows what is held back from the first.
    kinks : bool, default=False
        Whether the slope of F may jump. At a minimum it then need not vanish: it is the solution
        if slopes seen no further than ``close`` average to nothing (Burke, Lewis & Overton, "A
        robust gradient sampling algorithm for nonsmooth, nonconvex optimization", 2005).
    """

    # Shares of the predicted fall that widen and narrow the region, and the least share of the
    # model's curvature along a step that an update keeps: algorithm 4.1 and procedure 18.2 there.
    good, poor, damp = 0.75, 0.25, 0.2
    close, memory = 3e-3, 10
    narrow = 1e-5  # radius below which the model cannot be right
    level = 2e-5  # share of F below which an average of slopes is nothing

    def __init__(
        self, first: float = 1.0, longest: float = 4.0, kinks: bool = False,
        bend: float | None = None, project: Callable[[Tensor], Tensor] | None = None,
    ):  # fmt: skip
        self.first, self.longest, self.kinks = first, longest, kinks
        self.bend, self.project = bend, project
        self.settled = False
        self._paths: dict[int, _Path] = {}

    def step(self, x, upper, grad, trusted):
        """Return the next x."""
        rows, values = x.double().cpu(), upper.tolist()
        slopes, go, after = grad.double().cpu(), trusted.tolist(), []
        for s, row in enumerate(rows):
            path = self._paths.setdefault(s, self._path(row))
            after.append(self._next(path, _Point(row, values[s], slopes[s])) if go[s] else row)
        return torch.stack(after).to(x)

    def lead(self, start):
        """Continue with this starting point only."""
        path = self._paths.get(start, _Path(self.first))
        path.proposal = None  # was not followed while there were several
        self._paths, self.settled = {0: path}, False

    def reset(self):
        """Keep the region and the curvature; forget values and slopes."""
        for path in self._paths.values():
            path.best, path.near = None, []
        self.settled = False

    def _path(self, x: Tensor) -> _Path:
        bend = None if self.bend is None else self.bend * torch.eye(len(x), dtype=x.dtype)
        return _Path(self.first, bend=bend)

    def _next(self, path: _Path, here: _Point) -> Tensor:
        held = torch.zeros_like(here.x, dtype=torch.bool)
        if path.proposal is not None:
            held = (path.proposal - here.x) * -here.grad > 0
        elif self.project is not None:
            pushed = here.x - torch.sign(here.grad) * self.close
            held = (self.project(pushed[None])[0] == here.x) & (here.grad != 0)
        if path.best is not None and not torch.equal(path.best.x, here.x):
            self._learn(path, here)
        if path.best is None or here.value <= path.best.value + EVEN * abs(path.best.value):
            path.best = here
        else:
            held &= path.best.x == here.x
        path.near = [p for p in path.near if not torch.equal(p.x, here.x)][1 - self.memory :]
        path.near.append(here)
        best, free = path.best, ~held
        alone = len(self._paths) == 1
        self.settled = self.kinks and alone and self._averages_to_nothing(path, free)
        if path.radius < self.narrow:
            # The model is wrong: some value was taken when y and v lagged. Restart.
            path.best, path.bend, path.radius = here, None, 0.1 * self.first
            best, free = here, torch.ones_like(held)
        step = torch.zeros_like(best.x)
        slope = best.grad[free]
        if bool(slope.any()):
            if path.bend is None:
                step[free] = -slope * (path.radius / slope.norm())
            else:
                step[free] = _least(slope, path.bend[free][:, free], path.radius)
        # A push shows, next time, whether the projection still holds what was held.
        step[~free] = -torch.sign(best.grad[~free]) * self.close
        path.proposal = best.x + step
        return path.proposal

    def _learn(self, path: _Path, here: _Point) -> None:
        """Update the curvature and the radius with the result of a step from the best point."""
        best = path.best
        assert best is not None
        step, change = here.x - best.x, here.grad - best.grad
        length = float(step.norm())
        bend = path.bend
        if bend is None:
            along = float(step @ change) / length**2
            if along <= 0:
                along = float(best.grad.norm()) / length
            bend = along * torch.eye(len(step), dtype=step.dtype)
        predicted = -float(best.grad @ step + 0.5 * step @ bend @ step)
        fall = best.value - here.value
        if fall < -EVEN * abs(best.value) or fall < self.poor * predicted:
            path.radius = (0.3 if fall < 0 else 0.5) * length
        elif fall > self.good * predicted and length > 0.8 * path.radius:
            path.radius = min(2 * path.radius, self.longest)
        image = bend @ step
        size = float(step @ image)
        along = float(step @ change)
        if along < self.damp * size:
            share = (1 - self.damp) * size / (size - along)
            change, along = share * change + (1 - share) * image, self.damp * size
        path.bend = bend - torch.outer(image, image) / size + torch.outer(change, change) / along

    def _averages_to_nothing(self, path: _Path, free: Tensor) -> bool:
        best = path.best
        assert best is not None
        around = [p.grad[free] for p in path.near if float((p.x - best.x).norm()) <= self.close]
        return float(_shortest(torch.stack(around)).norm()) <= self.level * abs(best.value)


def _least(slope: Tensor, bend: Tensor, radius: float) -> Tensor:
    """Minimiser of a convex quadratic model no further than ``radius``."""
    values, basis = torch.linalg.eigh(bend)
    values, along = values.clamp_min(1e-300), basis.T @ slope

    def at(shift: float) -> Tensor:
        return along / (values + shift)

    shift = 0.0
    if float(at(shift).norm()) > radius:
        low, high = 0.0, float(along.norm()) / radius
        for _ in range(50):
            shift = 0.5 * (low + high)
            low, high = (shift, high) if float(at(shift).norm()) > radius else (low, shift)
    return -(basis @ at(shift))


def _shortest(points: Tensor) -> Tensor:
    """Point of least norm in the convex hull of the rows of ``points`` (Frank & Wolfe, 1956)."""
    point = points[points.norm(dim=1).argmin()]
    for _ in range(100):
        towards = points[(points @ point).argmin()] - point
        gain = -float(point @ towards)
        if gain <= 1e-12 * float(point @ point):
            break
        point = point + min(1.0, gain / float(towards @ towards)) * towards
    return point
