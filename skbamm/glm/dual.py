"""A metric for more features than rows: the Hessian's inverse by a matrix of rows.

With rows X, their curvatures D and penalties L, ``(X' D X + L)^-1`` is, by Woodbury's identity
(Golub & Van Loan, "Matrix Computations", 2013, section 2.1.4)::

    L^-1 - L^-1 X' R M^-1 R X L^-1,    R = D^(1/2),    M = 1 + R X L^-1 X' R

so the matrix that is factored has as many rows as X, whatever the number of features. Where all
features have the same penalty, ``X L^-1 X'`` is a multiple of ``X X'``, which is computed once. The
intercept is eliminated beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.metrics import Cholesky
from skbamm.effort import factor_seconds, spend
from skbamm.folds import DenseRows, Rows, StackedRows
from skbamm.losses import PointwiseLoss


@dataclass(frozen=True)
class DualSettings:
    """When matrices of rows take the place of those of features.

    benchmarks/speed/growth.py measures their effect.

    Attributes
    ----------
    wide : int
        Features a row from which they are far cheaper.
    few_rows : int
        Rows up to which matrices of as many features are as soon made.
    many_rows : int
        Rows up to which the factors of each step cost less than products with the rows, which
        take their place; those of squares are made once.
    least : float
        Least penalty, relative to the largest curvature: a smaller one would leave no digits.
    entries : int
        Numbers in the matrices of all columns that are affordable.
    """

    wide: int = 4
    few_rows: int = 250
    many_rows: int = 300
    least: float = 1e-10
    entries: int = 1 << 25


DUAL = DualSettings()


def dual_pays(problem: Any, x: Tensor, mu: float) -> bool:
    """Whether the metric is possible, and cheaper than one of features, at any of these x."""
    rows, (S, K, m, _) = problem.rows, problem.y_shape
    if mu or problem.kinks or S * K * m * rows.n_rows**2 > DUAL.entries:
        return False
    if is_wide(rows, problem.loss.squared):
        return True
    return has_few_coordinates(rows, problem.loss) and _alike(_strength(problem, x))


def is_wide(rows: Rows, squared: bool) -> bool:
    """Whether matrices of rows are cheaper than those of features, whatever their penalties."""
    dense = type(rows) in (DenseRows, StackedRows)
    wide = dense and rows.n_features >= DUAL.wide * rows.n_rows
    return wide and (squared or rows.n_rows <= DUAL.many_rows)


def has_few_coordinates(rows: Rows, loss: PointwiseLoss) -> bool:
    """Whether matrices of rows are cheaper, if all features have the same penalty."""
    dense = type(rows) in (DenseRows, StackedRows) and not loss.couples_outputs
    return (
        dense and rows.n_features >= rows.n_rows and (DUAL.few_rows < rows.n_rows <= DUAL.many_rows)
    )


def _strength(problem: Any, x: Tensor) -> Tensor:
    """Return the penalties of the slopes, (S, K, m, d)."""
    return problem.penalty_at(x).curvature[..., : problem.rows.n_features]


def _alike(strength: Tensor) -> bool:
    """Whether all features have the same penalty."""
    return bool((strength == strength[..., :1]).all())


class DualMetric:
    """The inverse of the Hessian, or of its blocks of outputs.

    Parameters
    ----------
    problem : GLMProblem
        Its rows are dense and in one block.
    curvature : Tensor of shape (S, K, m, n)
        Weighted curvatures of the rows' losses; a weight of zero leaves a row out.
    x : Tensor of shape (S, h)
    """

    def __init__(self, problem: Any, curvature: Tensor, x: Tensor):
        self.problem, self.curvature, self.x = problem, curvature, x
        X = problem.rows.X.double()
        self._X = X if X.ndim == 3 else X[None]  # (1 or K, n, d)
        strength = _strength(problem, x)
        self._root = curvature.sqrt()
        if _alike(strength):
            products = problem.rows.products
            products = products if products.ndim == 3 else products[None]
            trace = (curvature * products.diagonal(dim1=-2, dim2=-1)[:, None]).sum(-1, keepdim=True)
            self._slopes = strength[..., :1].clamp_min(DUAL.least * trace)
            among = products[:, None] / self._slopes[..., None]
        else:
            largest = (curvature @ self._X**2).amax(-1, keepdim=True)
            self._slopes = strength.clamp_min(DUAL.least * largest)
            among = (self._X[:, None] / self._slopes[..., None, :]) @ self._X[:, None].mT
        matrix = self._root[..., None] * among * self._root[..., None, :]
        matrix.diagonal(dim1=-2, dim2=-1).add_(1.0)
        spend(factor_seconds(matrix[..., 0, 0].numel(), matrix.shape[-1]))
        self._factor = Cholesky(matrix)
        if problem.rows.fit_intercept:
            self._cross = self._pull(curvature)
            self._through = self._inverse(self._cross[None])[0]
            own = problem.penalty_at(x).curvature[..., -1]
            free = own + curvature.sum(-1)
            self._pivot = free - (self._cross * self._through).sum(-1)

    @classmethod
    def at_point(cls, problem: Any, x: Tensor, y: Tensor) -> DualMetric:
        """Return the metric at a point."""
        S, K, m, _ = problem.y_shape
        weights = problem.hessian_weights(x, y, 0.0)
        kept = torch.empty(problem.rows.n_rows, m, S * K, dtype=torch.float64, device=y.device)

        def keep(z, chunk):
            kept[chunk.rows] = weights(z, chunk)[0][0].double()

        problem.rows.visit(y[None], keep)
        return cls(problem, kept.unflatten(2, (S, K)).permute(2, 3, 1, 0), x)

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the inverse to residuals (r, S, K, m, p)."""
        if not self.problem.rows.fit_intercept:
            return self._inverse(residuals.double()).to(residuals.dtype)
        right = residuals.double()
        slopes = self._inverse(right[..., :-1])
        intercept = (right[..., -1] - (self._cross * slopes).sum(-1)) / self._pivot
        slopes = slopes - intercept[..., None] * self._through
        return torch.cat([slopes, intercept[..., None]], -1).to(residuals.dtype)

    def select(self, starts: list[int]) -> DualMetric:
        """Return the metric of these starts."""
        problem = self.problem.select(starts)
        return DualMetric(problem, self.curvature[starts], self.x[starts])

    def at(self, x: Tensor, y: Tensor) -> DualMetric:
        """Return the metric for another x; the curvatures stay."""
        if x.shape == self.x.shape and torch.equal(x, self.x):
            return self
        problem, curvature = self.problem, self.curvature
        if len(x) != len(curvature):
            problem = problem.select([0] * len(x))
            curvature = curvature[:1].expand(len(x), *curvature.shape[1:])
        return DualMetric(problem, curvature, x)

    def outworn(self, slow: bool) -> bool:
        """Return ``slow``."""
        return slow

    def _inverse(self, right: Tensor) -> Tensor:
        """Apply the inverse for the slopes alone, (r, S, K, m, d)."""
        first = right / self._slopes
        pulled = self._root * (first @ self._X.mT)
        back = self._root * self._factor.solve(pulled)
        return first - (back @ self._X) / self._slopes

    def _pull(self, rows: Tensor) -> Tensor:
        """Return ``X' rows``, (S, K, m, d)."""
        return rows @ self._X
