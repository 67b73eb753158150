"""Follows a path of decreasing shrinkage, and chooses the point that is best on held-out rows.

For each of some outer splits its test rows are taken out of all other splits, out of training and
test rows alike; the path is followed on what is left, and scored on those test rows. (With them
left in the training parts of the other splits, their noise is in the values, and the score favours
little shrinkage: on targets of noise alone that cost .02 of R2.) What is returned are the
geometric means of the values that were found with each outer split left out, and with none.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from sklearn.model_selection import KFold
from torch import Tensor

from skbamm.bilevel import Status
from skbamm.clock import Clock
from skbamm.models import NotApplicable
from skbamm.shrinkage.entries import known_axis
from skbamm.shrinkage.parts import Check, Part, as_set
from skbamm.shrinkage.prior import (
    PATH,
    SHORT_PATH,
    Charge,
    columns_of,
    curvature_of_entries,
    noise_price,
    sizes_of_entries,
)
from skbamm.solvers.linear import LinearSolver
from skbamm.space import UnfitVector
from skbamm.starts.subsample import Beginning

# Numbers in X from which fewer splits are left out, and the path is short.
_LARGE, _HUGE = 1e6, 3e7
_OUTER = 5  # outer splits at most
_INNER = 5  # parts of the training rows where a split leaves none of the others
_WITHIN = 0.5  # standard errors of the best score that a stronger shrinkage may be behind
_ITERATIONS = 4  # for each move of x, at most


@dataclass(frozen=True)
class Effort:
    """How far a search goes.

    Attributes
    ----------
    path : tuple of (spread, freedom)
    moves : int
        Steps of x at each point: that they are few is part of the shrinkage.
    outer : int
        Outer splits.
    whole : bool, default=True
        Whether the path is followed on all splits, too, or the values found without the rows of
        the outer splits do.
    """

    path: tuple[tuple[float, float], ...]
    moves: int
    outer: int
    whole: bool = True

    @classmethod
    def for_size(cls, numbers: int, kinks: bool) -> Effort:
        """Return the path for an X of this size; penalties with kinks have no price."""
        if numbers > _HUGE:
            found = cls(SHORT_PATH, 6, 1, whole=False)
        else:
            found = cls(PATH, 8, 2 if numbers > _LARGE else _OUTER)
        if kinks:
            found = replace(found, path=tuple(point for point in found.path if not point[1]))
        return found


@dataclass
class Shrinkage:
    """The points of a path, the first of which is one value for all.

    Attributes
    ----------
    spread, freedom : list of float
        The factors a and b of shrinkage.py; a is infinite for one value.
    criterion : list of float
        F of all splits, relative to that of the best constant.
    score : list of ndarray
        The criterion on each outer split's test rows.
    x : list of Tensor of shape (q,)
    chosen : int
    """

    spread: list[float] = field(default_factory=list)
    freedom: list[float] = field(default_factory=list)
    criterion: list[float] = field(default_factory=list)
    score: list[np.ndarray] = field(default_factory=list)
    x: list[Tensor] = field(default_factory=list)
    chosen: int = 0

    def choose(self) -> None:
        """Choose the strongest shrinkage whose score is close to the best one's."""
        score = np.array(self.score)
        best = int(score.mean(1).argmin())
        behind, outer = score - score[best], score.shape[1]
        error = behind.std(1, ddof=1) / math.sqrt(outer) if outer > 1 else np.zeros(len(score))
        self.chosen = int(np.flatnonzero(behind.mean(1) <= _WITHIN * error)[0])


class PathSearch:
    """One search of a vector.

    Parameters
    ----------
    make : callable
        Maps splits to the LinearSolver of their rows.
    X : array-like
        The user's.
    splits : list of (train, test)
    full : Part
        The part with all splits.
    choice : str or Choice
        The criterion's.
    criterion : Criterion
        For all splits.
    tol : float
    clock : Clock

    Attributes
    ----------
    path : Shrinkage
        As far as it was followed, a point of it chosen once there is one.
    """

    def __init__(self, make, X, splits, full: Part, choice, criterion, tol, clock: Clock):
        self.make, self.X, self.splits, self.full = make, X, splits, full
        self.choice, self.criterion = choice, criterion
        self.tol, self.clock, self.path = tol, clock, Shrinkage()
        self.history: dict[str, list] = {"seconds": [], "upper": [], "kkt_residual": [], "x": []}
        self.status = Status.CONVERGED
        self._followed = full  # whose history is reported
        self._begin, self._one = full.x[0].clone(), full.x[:, :1].clone()
        self._began = time.perf_counter()

    @property
    def late(self) -> bool:
        """Whether the user's time or patience has ended."""
        if self.clock.over:
            self.status = Status.INTERRUPTED if self.clock.interrupted else Status.MAX_TIME
        return self.clock.over

    def without_shrinkage(self, max_iter: int) -> None:
        """Find the least F."""
        result = self._move(self.full, None, max_iter, _ITERATIONS * max_iter)
        self.status = result.status

    def follow(self) -> None:
        """Follow the path as far as time allows."""
        try:
            self._follow()
        finally:
            if self.path.x:
                self.path.choose()

    def _follow(self) -> None:
        joint = self.full.joint
        # A price on freedom is for penalties that are alone.
        kinks = self.full.problem.kinks or self.full.axis.weighs_rows
        effort = Effort.for_size(_numbers(joint), kinks)
        charge = self._charge()
        pairs: list[tuple[Part, Check]] = []
        for group in _outer_groups(self.splits, effort.outer):
            if self.late:
                return
            pair = self._outer(group)
            pairs += [] if pair is None else [pair]
        if self.late:
            return
        if not pairs:
            raise NotApplicable("no rows can be held out to choose the shrinkage")
        path, parts = self.path, [part for part, _ in pairs]
        if effort.whole:
            parts.insert(0, self.full)
        self._followed = parts[0]
        self._add(path, math.inf, 0.0, parts, pairs)
        for spread, freedom in effort.path:
            for part in parts:
                own = replace(
                    charge, unit=charge.unit / part.n_rows, spread=spread, freedom=freedom,
                    problem=part.problem, columns=columns_of(part.axis, part.x.device),
                )  # fmt: skip
                self._move(part, own, effort.moves, _ITERATIONS * effort.moves)
                if self.late:
                    break
            if self.late:
                break
            self._add(path, spread, freedom, parts, pairs)

    def _move(self, part: Part, charge: Charge | None, moves: int, max_iter: int):
        result = part.move(charge, moves, max_iter, self.tol, self.clock.left)
        if result.status is Status.INTERRUPTED:
            self.clock.interrupt()
        if part is self._followed:
            x = torch.stack(result.history["x"]).double().to(part.x.device)
            extra = torch.zeros(len(x)) if charge is None else charge(x).cpu()
            upper = torch.tensor(result.history["upper"]) - extra
            now = time.perf_counter() - self._began - result.history["seconds"][-1]
            self.history["seconds"] += [now + t for t in result.history["seconds"]]
            self.history["upper"] += upper.tolist()
            self.history["kkt_residual"] += result.history["kkt_residual"]
            self.history["x"] += list(x.cpu())
        return result

    def _charge(self) -> Charge:
        """Return the charge of all splits, but for the rows' number."""
        full = self.full
        return Charge(
            unit=noise_price(self.criterion, full.upper),
            spread=0.0,
            freedom=0.0,
            problem=full.problem,
            columns=columns_of(full.axis, full.x.device),
            curvature=torch.ones(full.axis.size, dtype=torch.float64)
            if full.axis.weighs_rows
            else curvature_of_entries(full.problem, full.x, full.y, full.axis),
            size=sizes_of_entries(full.axis, full.problem.rows).to(full.x.device),
        )

    def _outer(self, group: list[int]) -> tuple[Part, Check] | None:
        """Return what is left without the test rows of some splits, and these rows' check."""
        out = np.unique(np.concatenate([self.splits[k][1] for k in group]))
        train = np.setdiff1d(np.concatenate([self.splits[k][0] for k in group]), out)
        inner = []
        for k, (fit, test) in enumerate(self.splits):
            left = fit[~np.isin(fit, out)], test[~np.isin(test, out)]
            if k not in group and len(left[0]) and len(left[1]):
                inner.append(left)
        if len(inner) < 2 and len(train) >= _INNER:
            parts = KFold(_INNER, shuffle=True, random_state=0).split(train)
            inner = [(train[a], train[b]) for a, b in parts]
        if len(inner) < 2 or not len(out):
            return None
        axis = self.full.axis
        try:
            joint, check = self.make(inner), self.make([(train, out)])
            own = known_axis(axis, self.X, joint.folds, joint.used, joint.task)
            seen = known_axis(axis, self.X, check.folds, check.used, check.task)
        except (NotApplicable, UnfitVector):
            return None
        if not own.names == seen.names == axis.names:
            return None  # of fewer rows, transformers make other features
        joint.penalties.values.update(self.full.joint.penalties.values)
        check.penalties.values.update(self.full.joint.penalties.values)
        criterion = joint.criterion(self.choice)
        if axis.weighs_rows:
            found, start = as_set(joint, axis, criterion), self._begin
        else:
            found, criterion, _ = joint.search(
                (axis.one(),), self.choice, max_iter=100, tol=self.tol,
                max_time=self.clock.left, near=Beginning(self._one, None, None, self._one),
            )  # fmt: skip
            if found.status is Status.INTERRUPTED:
                self.clock.interrupt()
            if found.status is Status.DIVERGED:
                return None
            start = found.x.double().expand(axis.size).clone()
        rows = len(np.unique(np.concatenate([test for _, test in inner])))
        part = Part(joint, own, criterion, found, start, rows)
        return part, Check(check, seen, check.criterion(self.choice))

    def _add(self, path: Shrinkage, spread: float, freedom: float, parts, pairs: list) -> None:
        """Note a point that all parts have come to."""
        score = np.array([check.score(part.x) for part, check in pairs])
        x = torch.stack([part.x[0] for part in parts]).double().mean(0)
        criterion = self._followed.value(x[None])
        path.spread.append(spread)
        path.freedom.append(freedom)
        path.score.append(score)
        path.criterion.append(criterion)
        path.x.append(x)


def _numbers(joint: LinearSolver) -> int:
    """Return how many numbers X has."""
    sample = joint.data.matrix if joint.folds is None else joint.folds[joint.used[0]]
    return int(np.prod(sample.shape))


def _outer_groups(splits: list, count: int) -> list[list[int]]:
    """Return the splits whose test rows are left out together.

    Not all of a part, if that would leave too few rows: tests may overlap, or be repeated.
    """
    n_splits = len(splits)
    if count == 1 and n_splits > 1:
        return [[0]]
    if count < n_splits <= _OUTER:
        return [[k] for k in range(count)]
    rows = len(np.unique(np.concatenate([test for _, test in splits])))
    groups = []
    for first, *others in np.array_split(np.arange(n_splits), min(count, n_splits)):
        group = [int(first)]
        for k in others:
            out = np.concatenate([splits[j][1] for j in (*group, k)])
            if len(np.unique(out)) <= min(2 / count, 0.5) * rows:
                group.append(int(k))
        groups.append(group)
    return groups
