"""The metric of many coefficients of which few are not zero."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import FaceMetric
from skbamm.glm.follow import FOLLOW, Faces
from skbamm.glm.joint import see_shifts

_MOST = 1000  # entries that may be free in any column
# Rounds of coordinate descent, and entries that may leave zero in each: one a row, but no fewer.
_ROUNDS, _LEAST = 4, 50


class SupportMetric:
    """Gram matrices of the features that are free somewhere, plus the penalty.

    Parameters
    ----------
    problem : GLMProblem
    x, y : Tensor
        The point.
    mu : float
    weights : callable
        The weights of the Gram matrices, as ``Rows.gram`` takes them.
    dense : callable
        Maps ``(problem, x, y, mu)`` to the metric where more than some features are free.
    """

    joint = False  # whether a matrix is of all outputs together

    def __init__(
        self, problem: Any, x: Tensor, y: Tensor, mu: float, weights: Callable, dense: Callable
    ):
        self.problem, self.x, self.y, self.mu = problem, x, y, mu
        self.weights, self._make_dense = weights, dense
        self._dense: Any = None
        self._index = torch.empty(0, dtype=torch.int64, device=y.device)
        self._gram: Tensor | None = None

    @property
    def dense(self):
        """The metric where more than some features are free, made when it is needed first."""
        if self._dense is None:
            self._dense = self._make_dense(self.problem, self.x, self.y, self.mu)
        return self._dense

    def within(self, face: Face) -> FaceMetric:
        """Return the metric of a face."""
        self._cover(face.free)  # for all starts at once, so that they are kept
        return Faces.of(self, face) or self.dense.within(face)

    def product(self, direction: Tensor) -> Tensor:
        """Return the Hessian times a direction."""
        point, direction = self.y.to(direction.dtype), direction[None]
        return self.problem.hessian_product(self.x, point, direction, self.mu)[0]

    def approach(self, face: Face, y: Tensor) -> Tensor:
        """Return a point nearer to the minimum of the model.

        Coordinate descent on the entries that are most likely to leave zero goes on with others
        until the steps from face to face have little left to do.
        """
        kinked = self.problem.penalty.kinked
        if not kinked.separable or y.device.type != "cpu":
            return y
        at, here = y, face
        for _ in range(_ROUNDS):
            if not self._cover(here.free | self._likely(here, at)):
                break
            gram, squares, take = self._parts()
            descent = kinked.descent(gram, squares)
            if descent is None:
                break
            found = take.put(at, descent(here.map(take), take(at)))
            if torch.equal(found, at):
                break
            at = found
            here = face.moved(at, self.product(at - y))
            if float(here.violation().max()) <= FOLLOW.far:
                break
        return at

    def one(self, face: Face) -> Columns | None:
        """Return the metric that stays on a face; None if that is of too many features."""
        if not self._cover(face.free):
            return None
        gram, squares, take = self._parts()
        return Columns(self.problem.penalty.kinked.face_metric(gram, squares, face.map(take)), take)

    def _parts(self) -> tuple[Tensor, Tensor, Entries]:
        """Return the Gram matrices that there are, the penalty's squares, and their entries."""
        strength = (1 - self.mu) * self.problem.penalty_at(self.x).curvature
        take = Entries(self._index, self.joint)
        assert self._gram is not None
        return self._gram, take(strength.expand_as(self.y)), take

    def _cover(self, chosen: Tensor) -> bool:
        """Make Gram matrices of the entries that are chosen, if these are not too many."""
        free = self._somewhere(chosen)
        free[0] |= not bool(free.any())  # a matrix has one row at least
        if int(free.sum()) > _MOST:
            return False
        if not bool(torch.isin(torch.nonzero(free).flatten(), self._index).all()):
            self._grow(free | self._somewhere(self.y != 0))
        return True

    def _somewhere(self, chosen: Tensor) -> Tensor:
        """Return which entries are chosen in some column, in one dimension."""
        return chosen.flatten(0, 2).any(0)

    def _likely(self, face: Face, y: Tensor) -> Tensor:
        """Return the entries at zero that may leave it: their slopes are among the largest."""
        slope = face.kinks.sizes(face.kinks.at_zero(face.gradient, face.kink.expand_as(y)))
        slope = torch.where((y == 0) & (face.jump > 0), slope, 0.0)
        steepest = self._largest(slope)
        count = min(max(_LEAST, face.most), _MOST // 2, steepest.numel())
        return (slope > 0) & (steepest >= steepest.flatten().topk(count).values[-1])

    def _largest(self, sizes: Tensor) -> Tensor:
        """Return the largest of each entry's sizes in any column."""
        return sizes.amax((0, 1, 2))

    def _grow(self, used: Tensor) -> None:
        """Make the matrices of what is used."""
        self._index = torch.nonzero(used).flatten()
        rows = self.problem.rows.features(self._index)
        point = self.y[None][..., self._index]
        self._gram = rows.gram(point, self.weights, False, rows.n_rows)

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the metric without a face."""
        return self.dense.solve(residuals)

    def select(self, starts):
        """Return the metric of these starts."""
        chosen = copy.copy(self)
        chosen.problem, chosen.x, chosen.y = (
            self.problem.select(starts),
            self.x[starts],
            self.y[starts],
        )
        chosen._dense = self._dense and self._dense.select(starts)
        chosen._gram = None if self._gram is None else self._gram[starts]
        return chosen

    def at(self, x, y):
        """Return the metric for another point; the Gram matrices stay until others are needed."""
        other = copy.copy(self)
        if len(x) != self.problem.shape[0]:
            other.problem = self.problem.select([0] * len(x))
            if self._gram is not None:
                other._gram = self._gram[:1].expand(len(x), *self._gram.shape[1:])
        other.x, other.y = x, y.to(self.problem.rows.dtype)
        other._dense = self._dense and self._dense.at(other.x, other.y)
        return other

    def outworn(self, slow):
        """Return ``slow``."""
        return slow


class JointSupport(SupportMetric):
    """The same where the Hessian couples the outputs: its rows and columns that are free.

    ``weights`` are the columns of the loss's Hessian, as ``Rows.joint_gram`` takes them.
    """

    joint = True

    def _somewhere(self, chosen):
        return chosen.flatten(2).flatten(0, 1).any(0)

    def _largest(self, sizes):
        return sizes.amax((0, 1))

    def _grow(self, used):
        p, known = self.y.shape[-1], len(self._index)
        used[self._index] = False  # these have their columns
        self._index = torch.cat([self._index, torch.nonzero(used).flatten()])
        features, place = torch.unique(self._index % p, return_inverse=True)
        rows, point = self.problem.rows.features(features), self.y[None][..., features]
        entries = self._index // p * len(features) + place
        new = rows.joint_gram(point, self.weights, entries, known)
        if self._gram is None:
            self._gram = new[:, :, None]
            self._see_shifts(self._gram)
            return
        below = new[:, :, None, :known].mT
        left = torch.cat([self._gram, below], -2)
        self._index, order = torch.sort(self._index)
        self._gram = torch.cat([left, new[:, :, None]], -1)[..., order, :][..., order]

    def _see_shifts(self, gram: Tensor) -> None:
        """See ``see_shifts``; the intercepts are free, and in the matrices from the beginning."""
        if self.problem.rows.fit_intercept:
            p = self.y.shape[-1]
            see_shifts(gram, torch.nonzero(self._index % p == p - 1).flatten())


class Entries:
    """Takes some entries of tensors of the shape of y, (S, K, m, p).

    Parameters
    ----------
    index : Tensor of int
        Places on the last axis or, if ``joint``, on the last two taken as one.
    joint : bool
    """

    def __init__(self, index: Tensor, joint: bool):
        self.index, self.joint = index, joint

    def __call__(self, t: Tensor) -> Tensor:
        """Return the entries, (..., m or 1, f)."""
        return self._flat(t)[..., self.index]

    def put(self, like: Tensor, values: Tensor) -> Tensor:
        """Return a tensor like another one with these entries, and zero elsewhere."""
        out = like.new_zeros(like.shape)  # in rows, so that it can be seen as flat
        self._flat(out)[..., self.index] = values
        return out

    def _flat(self, t: Tensor) -> Tensor:
        return t.flatten(-2)[..., None, :] if self.joint else t


class Columns:
    """A face's metric of some entries only, outside of which nothing is free.

    Parameters
    ----------
    inner : FaceMetric
    take : Entries
    """

    def __init__(self, inner: Any, take: Entries):
        self.inner, self.take = inner, take

    def on(self, face: Face) -> Columns:
        """Return the metric of another face with the same free entries."""
        return Columns(self.inner.on(face.map(self.take)), self.take)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve for the free coefficients; zero for the others."""
        return self.take.put(residuals, self.inner.solve(self.take(residuals)))

    def step(self, y: Tensor) -> Tensor:
        """See ``Submatrix.step``."""
        return self.take.put(y, self.inner.step(self.take(y)))
