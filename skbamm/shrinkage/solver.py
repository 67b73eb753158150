"""Solves a linear model's folds with a vector of values: one a feature, a group or a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status
from skbamm.clock import Clock
from skbamm.models import NotApplicable
from skbamm.shrinkage.entries import known_axis
from skbamm.shrinkage.parts import Part, as_set, evaluate
from skbamm.shrinkage.path import PathSearch, Shrinkage
from skbamm.shrinkage.prior import share_left
from skbamm.solvers.base import FoldSolver, Quest
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.space import SearchAxis, VectorAxis
from skbamm.starts.subsample import Beginning


class VectorSolver(FoldSolver):
    """One combination's linear model over all folds.

    All entries begin at the best single value, weights of classes at one; see path.py
    for what follows. Other parameters are searched together with that single value, and kept.

    Parameters
    ----------
    make : callable
        Maps splits, and perhaps parameters of the estimator, to the LinearSolver of their rows.
    axes : tuple of Axis or VectorAxis
        One of them a vector.
    X : array-like
        The user's.
    splits : list of (train, test)
    clock : Clock
    """

    def __init__(
        self,
        make: Callable[..., LinearSolver],
        axes: tuple[SearchAxis, ...],
        X: Any,
        splits: list,
        clock: Clock,
    ):
        self.clock = clock
        self.make, self.X, self.splits = make, X, splits
        self.joint: LinearSolver = make(splits)
        joint = self.joint
        super().__init__(joint.twin, joint.data)
        self.dtype = joint.dtype
        self.axes: tuple[SearchAxis, ...] = tuple(
            known_axis(axis, X, joint.folds, joint.used, joint.task)
            if isinstance(axis, VectorAxis)
            else axis
            for axis in axes
        )
        self.shrinkage: Shrinkage | None = None
        self.left: Tensor | None = None  # of each entry, what the penalties found let through

    @property
    def vector(self) -> VectorAxis:
        """The axis that is a vector."""
        return next(axis for axis in self.axes if isinstance(axis, VectorAxis))

    @property
    def _scalars(self) -> tuple[Any, ...]:
        """The axes of a search with one value for all entries."""
        axis = self.vector
        return tuple(
            axis.one() if other is axis else other
            for other in self.axes
            if other is not axis or not axis.weighs_rows
        )

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Vectors are not listed."""
        raise NotApplicable("a list of vectors is left to own fits")

    def begin(self, quest: Quest) -> Beginning:
        """Search one value for all entries."""
        joint, axis, scalars = self.joint, self.vector, self._scalars
        if scalars:
            one, quest.criterion, _ = joint.search(
                scalars, quest.choice, max_iter=quest.max_iter, tol=quest.tol,
                max_time=quest.max_time,
            )  # fmt: skip
        else:
            one = as_set(joint, axis, quest.criterion)
        known = dict(zip([a.name for a in scalars], one.x.double().tolist(), strict=True))
        vector = torch.full((axis.size,), known.get(axis.name, 0.0), dtype=torch.float64)
        vector = vector.clamp(*axis.bounds())
        quest.kept.update(one=one, known=known, vector=vector)
        start = self._whole(known, vector)[None]
        return Beginning(start, None, None, start)

    def loop(self, quest: Quest, first: Beginning) -> BilevelResult:
        """Search the vector from that value on."""
        joint, axis, clock = self.joint, self.vector, self.clock
        one, known, start = (quest.kept[name] for name in ("one", "known", "vector"))
        scalars, chosen = self._scalars, quest.criterion
        if one.status is Status.DIVERGED:
            return one
        for other in scalars:
            if other.name != axis.name:
                joint.penalties.values[other.parameter] = other.number(known[other.name])
        splits = joint.data.splits
        rows = len(set().union(*(test.tolist() for _, test in splits)))
        full = Part(joint, axis, chosen, one, start, rows)
        if one.status is Status.INTERRUPTED:
            clock.interrupt()
        search = PathSearch(self.make, self.X, splits, full, quest.choice, chosen, quest.tol, clock)
        vector = start
        with clock.kept():
            if axis.shrinkage:
                search.follow()
            else:
                search.without_shrinkage(quest.max_iter)
        if not axis.shrinkage:
            vector = full.x[0]
        elif search.path.x:
            self.shrinkage = search.path
            vector = search.path.x[search.path.chosen]
        upper, y = evaluate(joint, axis, chosen, vector[None], full.y)
        self.left = share_left(full.problem, vector[None].to(y.device), y, axis)
        status = Status.INTERRUPTED if clock.interrupted else search.status
        return BilevelResult(
            self._whole(known, vector.cpu()), y[0], torch.zeros_like(y[0]), upper, 0,
            one.kkt_residual, one.status if status is Status.CONVERGED else status,
            one.nit + len(search.history["upper"]),
            self._history(one, scalars, known, search.history),
        )  # fmt: skip

    def polish(
        self,
        axes: tuple[SearchAxis, ...],
        x: list[list[float]],
        y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FoldSolutions:
        """Solve these x in all folds; see ``FoldSolver.polish``."""
        axis = self.vector
        if not axis.weighs_rows:
            return self.joint.polish(self.axes, x, y)
        place = self.axes.index(axis)
        others: tuple[SearchAxis, ...] = tuple(other for other in self.axes if other is not axis)
        parts = []
        for point in x:
            weights = axis.values(point[place : place + axis.size])
            joint = self.make(self.splits, **{axis.name: weights})
            rest = point[:place] + point[place + axis.size :]
            parts.append(replace(joint.polish(others, [rest], None), solvers=[joint]))
        return FoldSolutions.join(parts)

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """See ``FoldSolver.solution``."""
        joint = solutions.solvers[s] if solutions.solvers else self.joint
        return joint.solution(solutions, s, k, features)

    def _whole(self, known: dict[str, float], vector: Tensor) -> Tensor:
        """Return x of all axes, given what is known of the others, and the vector."""
        parts = [
            vector.double() if isinstance(axis, VectorAxis)
            else torch.tensor([known[axis.name]], dtype=torch.float64)
            for axis in self.axes
        ]  # fmt: skip
        return torch.cat(parts)

    def _history(
        self,
        one: BilevelResult,
        scalars: tuple[Any, ...],
        found: dict[str, float],
        more: dict[str, list],
    ) -> dict[str, list]:
        """Join the history of one value for all with that of the vector."""
        first, axis = [], self.vector
        for x in one.history["x"]:
            known = dict(zip([a.name for a in scalars], x.double().tolist(), strict=True))
            vector = torch.full((axis.size,), known.get(axis.name, 0.0), dtype=torch.float64)
            first.append(self._whole(known, vector.clamp(*axis.bounds())))
        offset = one.history["seconds"][-1] if one.history["seconds"] else 0.0
        return {
            "seconds": one.history["seconds"] + [offset + t for t in more["seconds"]],
            "upper": one.history["upper"] + more["upper"],
            "kkt_residual": one.history["kkt_residual"] + more["kkt_residual"],
            "x": first + [self._whole(found, x) for x in more["x"]],
        }
