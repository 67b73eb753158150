"""Steps from face to face."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.columns import dot
from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import FaceMetric

_FACES = 30  # steps at most
_LITTLE, _NOTHING = 1e-4, 1e-14  # what ends them: the share of the largest gain, or of y's slope
# Where sizes are curved a metric is of one point, and a step on the same face soon the last: what
# is left after it is for the next step of y.
_CURVED = 1e-9
_TOGETHER = 64  # coefficients up to which starts go together: the calls cost more than the numbers
_FAR = 0.03  # slopes beside the kinks from which other steps go first


class Faces:
    """A metric that steps from face to face, on the one where the step begins.

    So the coefficients that should leave zero, or go there, do so in one step of y. Starts go
    their own ways, unless they are small: faces of weak penalties are large, and their number
    differs.

    Parameters
    ----------
    parts : list of list of int
        The starts that go together.
    metrics : list
        One a part: ``one`` maps a face to its metric, or to None where there is none,
        ``product`` a direction to the Hessian, penalty included, times the direction, and
        ``approach`` a face and y to a lower point of the model.
    first : list of FaceMetric
        Of the faces where the steps begin.
    face : Face
        Of all starts.
    """

    def __init__(self, parts: list[list[int]], metrics: list[Any], first: list[Any], face: Face):
        self.parts, self.metrics, self.first, self.face = parts, metrics, first, face

    @classmethod
    def of(cls, metric: Any, face: Face) -> Faces | None:
        """Return the metric on a face; None where one of the starts has none."""
        starts = list(range(len(face.free)))
        parts = [starts] if face.free.shape[-1] <= _TOGETHER else [[s] for s in starts]
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
        if float(face.violation().max()) > _FAR:
            at = self.metrics[i].approach(face, y)
            most = dot(face.slope, y - at) if face.kinks.curved else None
            face = begin.moved(at, self.metrics[i].product(at - y))
            metric = self.metrics[i].one(face)
        for _ in range(_FACES):
            if metric is None:
                break
            direction = metric.step(at)
            gain = dot(face.slope, direction)
            most = gain if most is None else torch.maximum(most, gain)
            least = _CURVED if face.kinks.curved else _NOTHING
            nothing = least * dot(face.gradient.abs(), at.abs())
            at = at - direction
            if bool((gain <= torch.maximum(_LITTLE * most, nothing)).all()):
                break
            face = begin.moved(at, self.metrics[i].product(at - y))
            metric = self.metrics[i].one(face)
        return y - at
