"""The metric of many features of which few have coefficients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import FaceMetric
from skbamm.glm.follow import Faces
from skbamm.glm.submatrix import Submatrix

_MOST = 1000  # features that may be free in any column


class SupportMetric:
    """Gram matrices of the features that are free somewhere, plus the penalty.

    Parameters
    ----------
    problem : GLMProblem
    x, y : Tensor
        The point.
    mu : float
    weights : callable
        What the Gram matrices are weighted by, as ``Rows.gram`` takes it.
    dense : Curvature
        The metric where more than some features are free.
    """

    def __init__(self, problem: Any, x: Tensor, y: Tensor, mu: float, weights, dense: Any):
        self.problem, self.x, self.y, self.mu = problem, x, y, mu
        self.weights, self.dense = weights, dense
        self._index = torch.empty(0, dtype=torch.int64, device=y.device)
        self._gram: Tensor | None = None

    def within(self, face: Face) -> FaceMetric:
        """Return the metric of a face."""
        self._cover(face)  # for all starts at once, so that they are kept
        return Faces.of(self, face) or self.dense.within(face)

    def product(self, direction: Tensor) -> Tensor:
        """Return the Hessian times a direction."""
        point, direction = self.y.to(direction.dtype), direction[None]
        return self.problem.hessian_product(self.x, point, direction, self.mu)[0]

    def one(self, face: Face) -> Columns | None:
        """Return the metric that stays on a face; None if that is of too many features."""
        if not self._cover(face):
            return None
        index, strength = self._index, (1 - self.mu) * self.problem.mean_strength(self.x)
        assert self._gram is not None
        return Columns(Submatrix(self._gram, strength[..., index], face.entries(index)), index)

    def _cover(self, face: Face) -> bool:
        """Make Gram matrices of all that is free, if that is not too much."""
        free = face.free.flatten(0, 2).any(0)
        if int(free.sum()) > _MOST:
            return False
        if not bool(torch.isin(torch.nonzero(free).flatten(), self._index).all()):
            used = free | (self.y != 0).flatten(0, 2).any(0)
            if self.problem.rows.fit_intercept:
                used[-1] = True
            self._index = torch.nonzero(used).flatten()
            rows = self.problem.rows.features(self._index)
            self._gram = rows.gram(self.y[None][..., self._index], self.weights, False, rows.n_rows)
        return True

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the metric without a face."""
        return self.dense.solve(residuals)

    def select(self, starts):
        """Return the metric of these starts."""
        y = self.y[starts]
        problem = self.problem.select(starts)
        chosen = SupportMetric(
            problem, self.x[starts], y, self.mu, self.weights, self.dense.select(starts)
        )
        if self._gram is not None:
            chosen._index, chosen._gram = self._index, self._gram[starts]
        return chosen

    def at(self, x, y):
        """Return the metric for another point; the Gram matrices stay until others are needed."""
        problem, gram = self.problem, self._gram
        if len(x) != problem.shape[0]:
            problem = problem.select([0] * len(x))
            gram = None if gram is None else gram[:1].expand(len(x), *gram.shape[1:])
        y = y.to(problem.rows.dtype)
        other = SupportMetric(problem, x, y, self.mu, self.weights, self.dense.at(x, y))
        other._index, other._gram = self._index, gram
        return other

    def outworn(self, slow):
        """Return ``slow``."""
        return slow


class Columns:
    """A face's metric of some features only, outside of which nothing is free.

    Parameters
    ----------
    inner : FaceMetric
    index : Tensor of int
        These features, and the intercept.
    """

    def __init__(self, inner: Submatrix, index: Tensor):
        self.inner, self.index = inner, index

    def on(self, face: Face) -> Columns:
        """Return the metric of another face with the same free entries."""
        return Columns(self.inner.on(face.entries(self.index)), self.index)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve for the free coefficients; zero for the others."""
        out = torch.zeros_like(residuals)
        out[..., self.index] = self.inner.solve(residuals[..., self.index])
        return out

    def step(self, y: Tensor) -> Tensor:
        """See ``Submatrix.step``."""
        out = torch.zeros_like(y)
        out[..., self.index] = self.inner.step(y[..., self.index])
        return out
