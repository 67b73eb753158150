"""The point that a run is at: x, y, v and the metric of their steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import Curvature, Problem


@dataclass
class Point:
    """The current points of a run's starts.

    Attributes
    ----------
    starts : list of int
        Their numbers.
    x, at : Tensor of shape (S, h)
        x on the CPU, where it is decided, and on the device of y.
    y, v : Tensor of shape (S, K, ...)
    curvature : Curvature or None
        The metric of the steps of y and v; None where a new one is due.
    moved : Tensor of bool of shape (S,)
        Starts whose x moved with the last step.
    """

    starts: list[int]
    x: Tensor
    at: Tensor
    y: Tensor
    v: Tensor
    curvature: Curvature | None
    moved: Tensor

    @classmethod
    def begin(
        cls,
        problem: Problem,
        x0: Tensor,
        y0: Tensor | None,
        v0: Tensor | None,
        curvature: Curvature | None,
    ) -> Point:
        """Return the initial points of a run."""
        x = problem.project(x0.cpu())
        at = x.to(x0.device)
        y = problem.start(at) if y0 is None else y0
        v = torch.zeros_like(y) if v0 is None else v0
        still = torch.zeros(len(x), dtype=torch.bool)
        return cls(list(range(len(x))), x, at, y, v, curvature, still)

    def go_to(self, x: Tensor, y: Tensor, v: Tensor) -> None:
        """Set x, y and v, and the metric for them."""
        if bool(self.moved.any()):
            self.x, self.at = x, x.to(self.at.device, non_blocking=True)
        self.y, self.v = y, v
        if self.curvature is not None:
            self.curvature = self.curvature.at(self.at, y)

    def select(self, s: int) -> Point:
        """Return the s-th start alone."""
        metric = None if self.curvature is None else self.curvature.select([s])
        x, at, y, v = (part[[s]] for part in (self.x, self.at, self.y, self.v))
        return Point([self.starts[s]], x, at, y, v, metric, self.moved[[s]])
