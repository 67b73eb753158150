"""Steps from face to face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.columns import dot
from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import FaceMetric
from skbamm.effort import METER, face_seconds, spend


@dataclass(frozen=True)
class FollowSettings:
    """When steps from face to face end, and what goes before them.

    benchmarks/speed/lasso_path.py and benchmarks/speed/specialists.py measure their effect.

    Attributes
    ----------
    faces : int
        Most steps.
    little : float
        Gain, relative to the largest, that ends them.
    nothing : float
        The same relative to y's slope.
    nothing_curved : float
        The same where sizes are curved: a metric is of one point then, and what is left after a
        step on the same face is for the next step of y.
    together : int
        Coefficients up to which starts go together: calls cost more than the numbers.
    far : float
        Violation, see ``Face.violation``, above which a descent goes first.
    """

    faces: int = 30
    little: float = 1e-4
    nothing: float = 1e-14
    nothing_curved: float = 1e-9
    together: int = 64
    far: float = 0.03


FOLLOW = FollowSettings()


class Faces:
    """A metric that steps from face to face, on the one where the step begins.

    So the coefficients that should leave zero, or reach it, do so in one step of y. Large starts
    go one by one: weak penalties have large faces, and starts pass different numbers of them.

    Parameters
    ----------
    parts : list of list of int
        The starts that go together.
    metrics : list
        One a part: ``one`` maps a face to its metric, or to None where there is none,
        ``product`` a direction to the Hessian, penalty included, times the direction, and
        ``approach`` a face and y to a lower point of the model.
    first : list of FaceMetric
        Metrics of the faces where the steps begin.
    face : Face
        The face of all starts.
    """

    def __init__(self, parts: list[list[int]], metrics: list[Any], first: list[Any], face: Face):
        self.parts, self.metrics, self.first, self.face = parts, metrics, first, face

    @classmethod
    def of(cls, metric: Any, face: Face) -> Faces | None:
        """Return the metric on a face; None where one of the starts has none."""
        starts = list(range(len(face.free)))
        parts = [starts] if face.free.shape[-1] <= FOLLOW.together else [[s] for s in starts]
        metrics = [metric.select(part) for part in parts]
        first = []
        for part, one in zip(parts, metrics, strict=True):
            found = one.one(face.select(part))
            if found is None:
                return None
            first.append(found)
        return cls(parts, metrics, first, face)

    def on(self, face: Face) -> Faces:
        """Return the same on another face with the same free entries."""
        pairs = zip(self.parts, self.first, strict=True)
        first = [one.on(face.select(part)) for part, one in pairs]
        return Faces(self.parts, self.metrics, first, face)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve for the free coefficients."""
        pairs = zip(self.parts, self.first, strict=True)
        return torch.cat([one.solve(residuals[:, part]) for part, one in pairs], 1)

    def step(self, y: Tensor) -> Tensor:
        """Return the direction to where the steps end, by f's model in the metric."""
        return torch.cat([self._follow(i, y[part]) for i, part in enumerate(self.parts)])

    def _follow(self, i: int, y: Tensor) -> Tensor:
        begin = self.face.select(self.parts[i])
        at, face = y, begin
        most: Tensor | None = None
        metric: FaceMetric | None = self.first[i]
        if float(face.violation().max()) > FOLLOW.far:
            at = self.metrics[i].approach(face, y)
            most = dot(face.slope, y - at) if face.kinks.curved else None
            face = begin.moved(at, self.metrics[i].product(at - y))
            metric = self.metrics[i].one(face)
        for count in range(FOLLOW.faces):
            if metric is None:
                break
            if METER.get() is not None:
                spend(face_seconds(count))
            direction = metric.step(at)
            gain = dot(face.slope, direction)
            most = gain if most is None else torch.maximum(most, gain)
            least = FOLLOW.nothing_curved if face.kinks.curved else FOLLOW.nothing
            nothing = least * dot(face.gradient.abs(), at.abs())
            at = at - direction
            if bool((gain <= torch.maximum(FOLLOW.little * most, nothing)).all()):
                break
            face = begin.moved(at, self.metrics[i].product(at - y))
            metric = self.metrics[i].one(face)
        return y - at
