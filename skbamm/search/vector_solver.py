"""Solves a linear model's folds with a vector of penalties: one a feature, or group of them."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status
from skbamm.criteria import Choice, Criterion
from skbamm.search.joint import JointSolver
from skbamm.search.shrinkage_path import Part, PathSearch, Shrinkage, evaluate
from skbamm.search.vector_entries import known_axis
from skbamm.space import VectorAxis


class VectorSolver:
    """One combination's linear model over all folds.

    All entries begin at the best single value; see shrinkage_path.py for what follows. Other
    parameters are searched together with that single value, and kept.

    Parameters
    ----------
    make : callable
        Maps splits to the JointSolver of their rows.
    axes : tuple of Axis or VectorAxis
        One of them a vector.
    X : array-like
        The user's.
    splits : list of (train, test)
    """

    def __init__(self, make: Any, axes: tuple[Any, ...], X: Any, splits: list):
        self.make, self.X, self.splits = make, X, splits
        self.joint: JointSolver = make(splits)
        joint = self.joint
        self.twin, self.task, self.used = joint.twin, joint.task, joint.used
        self.folds, self.device, self.dtype = joint.folds, joint.device, joint.dtype
        self.axes = tuple(
            known_axis(axis, X, joint.folds, joint.used) if isinstance(axis, VectorAxis) else axis
            for axis in axes
        )
        self.shrinkage: Shrinkage | None = None

    @property
    def vector(self) -> VectorAxis:
        """The axis that is a vector."""
        return next(axis for axis in self.axes if isinstance(axis, VectorAxis))

    def search(
        self,
        axes: tuple[Any, ...],
        criterion: str | Choice,
        *,
        max_iter: int,
        tol: float,
        max_time: float | None,
        upper_loss: Any = None,
        begin: Any = None,
    ) -> tuple[BilevelResult, Criterion, list[float]]:
        """Search; see ``JointSolver.search``. Where it began is one value for all."""
        began = time.perf_counter()
        joint, axis = self.joint, self.vector
        scalars = tuple(a.one() if isinstance(a, VectorAxis) else a for a in self.axes)
        one, chosen, _ = joint.search(
            scalars, criterion, max_iter=max_iter, tol=tol, max_time=max_time
        )
        place = self.axes.index(axis)
        start = one.x[place].double().expand(axis.size).clone()
        begin = self._whole(one.x, start).tolist()
        if one.status is Status.DIVERGED:
            return one, chosen, begin
        for i, other in enumerate(scalars):
            if i != place:
                joint.penalties.values[other.parameter] = other.number(float(one.x[i]))
        rows = len(set().union(*(test.tolist() for _, test in joint.splits)))
        full = Part(joint, axis, chosen, one, start, rows)
        deadline = math.inf if max_time is None else began + max_time
        search = PathSearch(self.make, self.X, joint.splits, full, criterion, chosen, tol, deadline)
        vector = start
        if axis.shrinkage:
            self.shrinkage = search.follow()
            vector = self.shrinkage.x[self.shrinkage.chosen]
        else:
            search.without_shrinkage(max_iter)
            vector = full.x[0]
        upper, y = evaluate(joint, axis, chosen, vector[None], full.y)
        history = self._history(one, search.history)
        late = search.status is not Status.CONVERGED
        result = BilevelResult(
            self._whole(one.x, vector.cpu()), y[0], torch.zeros_like(y[0]), upper, 0,
            one.kkt_residual, search.status if late else one.status,
            one.nit + len(search.history["upper"]), history,
        )  # fmt: skip
        return result, chosen, begin

    def polish(self, axes: Any, x: list[list[float]], y: Tensor | None):
        """Solve these x in all folds; see ``JointSolver.polish``."""
        own: Any = self.axes
        return self.joint.polish(own, x, y)

    def solution(self, solutions, s: int, k: int, features: Any):
        """See ``JointSolver.solution``."""
        return self.joint.solution(solutions, s, k, features)

    def all_rows(self, *arguments):
        """See ``JointSolver.all_rows``."""
        return self.joint.all_rows(*arguments)

    def _whole(self, one: Tensor, vector: Tensor) -> Tensor:
        """Return x of all axes, given that of one value for all, and the vector."""
        one = one.double().cpu()
        parts = [
            vector.cpu() if isinstance(axis, VectorAxis) else one[i : i + 1]
            for i, axis in enumerate(self.axes)
        ]
        return torch.cat(parts)

    def _history(self, one: BilevelResult, more: dict[str, list]) -> dict[str, list]:
        """Join the history of one value for all with that of the vector."""
        place, size = self.axes.index(self.vector), self.vector.size
        first = [self._whole(x, x[place].double().expand(size)) for x in one.history["x"]]
        then = [self._whole(one.x, x) for x in more["x"]]
        offset = one.history["seconds"][-1]
        return {
            "seconds": one.history["seconds"] + [offset + t for t in more["seconds"]],
            "upper": one.history["upper"] + more["upper"],
            "kkt_residual": one.history["kkt_residual"] + more["kkt_residual"],
            "x": first + then,
        }
