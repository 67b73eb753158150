"""Metrics near the Hessian of a generalised linear model.

Few features: the Cholesky factor of the weighted Gram matrix plus the penalty, a fold its own
where that is cheap, else shared by the folds and taken from enough of the rows. Several outputs
add what the blocks of the classes leave out by two steps of conjugate gradients, and Hessians
that jump, what those of the folds have of their own. Many features: of few rows a matrix of rows
(dual.py), else conjugate gradients in the metric of the diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.metrics import (
    Cholesky,
    ConjugateGradient,
    Diagonal,
    DiagonalAndBlock,
    Masked,
)
from skbamm.bilevel.problem import Curvature
from skbamm.effort import METER, factor_seconds, pass_seconds, solve_seconds, spend
from skbamm.folds import Kept, Rows, map_in_threads
from skbamm.glm.dual import DualMetric, dual_pays
from skbamm.glm.follow import Faces
from skbamm.glm.joint import JointMetric, joint_pays, see_shifts
from skbamm.glm.support import JointSupport, SupportMetric


@dataclass(frozen=True)
class MetricSettings:
    """When a metric is made of which matrices, and how far its iterations go.

    Seconds are counted ones, see ``skbamm.effort``. benchmarks/speed/specialists.py and
    benchmarks/speed/growth.py measure their effect.

    Attributes
    ----------
    most_features : int
        Features up to which a factor of all is affordable.
    own_seconds : float
        Cost of matrices up to which every fold has its own.
    own_seconds_of_few : float
        The same where rows are few.
    few_rows : int
        Rows a feature below which the folds' matrices differ.
    own_entries : int
        Numbers in the factors of all columns, where few rows count and the Hessian jumps.
    shared_rows : int
        Rows a feature that a matrix is made of at least which folds share.
    shared_passes : int
        Passes that such a matrix may take.
    cg_rows : int
        Rows a feature, where conjugate gradients put right what few rows leave out.
    cg_passes : int
        Passes that their matrix may take.
    cg_steps : int
        Most steps of conjugate gradients.
    cg_tol : float
        Residual that ends them, relative to the first.
    cg_loosest : float
        The same while y is far from the minimum.
    cg_ahead : float
        Residual to which they continue if the last step may end the iterations.
    block_passes : float
        Passes that a matrix of frequent features takes.
    sparse : int
        Entries for each that is stored, above which features are sparse.
    saved_passes : int
        Passes that matrices of all features save conjugate gradients.
    threads_from : int
        Coefficients from which outputs are factored in threads.
    near : float
        Relative distance of starts that share a Gram matrix where folds do.
    """

    most_features: int = 1500
    own_seconds: float = 0.025
    own_seconds_of_few: float = 0.1
    few_rows: int = 50
    own_entries: int = 1 << 25
    shared_rows: int = 100
    shared_passes: int = 4
    cg_rows: int = 20
    cg_passes: int = 2
    cg_steps: int = 100
    cg_tol: float = 0.05
    cg_loosest: float = 0.3
    cg_ahead: float = 1e-4
    block_passes: float = 4.0
    sparse: int = 4
    saved_passes: int = 20
    threads_from: int = 256
    near: float = 0.1


METRIC = MetricSettings()


def hessian_metric(problem, x: Tensor, y: Tensor, mu: float):
    """Return a metric for ``problem`` (a GLMProblem) near ``(x, y)``."""
    if problem.kinks:
        if problem.loss.couples_outputs:
            return JointSupport(problem, x, y, mu, _columns(problem, mu), _dense_metric)
        # No more than the rows can be free at a solution.
        if problem.y_shape[-1] > min(METRIC.most_features, problem.rows.n_rows):
            return SupportMetric(
                problem, x, y, mu, problem.hessian_weights(x, y, mu), _dense_metric
            )
    return _dense_metric(problem, x, y, mu)


def _columns(problem, mu: float):
    """Return the columns of the losses' Hessian, as ``Rows.joint_gram`` takes them."""
    loss, upper = problem.loss, problem.criterion.loss if mu else None

    def columns(z, chunk):
        W, V = chunk.train[:, None], chunk.validation[:, None]
        found, curvature = [], loss.curvature(z[0], chunk.target)
        for output in range(loss.n_outputs):
            unit = torch.zeros_like(z[0])
            unit[:, output] = 1
            out = W * loss.hessian(curvature, unit)
            if upper is not None:
                above = upper.hessian(upper.curvature(z[0], chunk.target), unit)
                out.mul_(1 - mu).add_(V * above, alpha=mu)
            found.append(out)
        return found, []

    return columns


def _dense_metric(problem, x: Tensor, y: Tensor, mu: float):
    """Return a metric of all coefficients."""
    loss = problem.loss
    n, p = problem.rows.n_rows, problem.y_shape[-1]
    if p >= n and dual_pays(problem, x, mu):
        dual = DualMetric.at_point(problem, x, y)
        return _conjugate(problem, x, y, mu, dual, 1.0) if loss.couples_outputs else dual
    S, K, m, _ = problem.y_shape
    if loss.couples_outputs and not problem.kinks and joint_pays(n, m * p):
        return _joint_metric(problem, x, y, mu)
    large = p > METRIC.most_features  # matrices of all features are out of the question
    share = not large and problem.folds_share
    if (
        problem.hessian_jumps
        and n < METRIC.few_rows * p
        and S * K * m * p * p <= METRIC.own_entries
    ):
        share = False  # the few rows with weight differ between folds
    conjugate = loss.couples_outputs or large or (share and problem.hessian_jumps)
    rows = problem.metric_rows if conjugate else problem.rows
    if large or (loss.couples_outputs and matrices_are_dear(rows, S, m)):
        weights = problem.hessian_weights(x, y, mu)
        strength = (1 - mu) * problem.penalty_at(x).curvature
        diagonal = rows.diagonal(y[None], weights) + strength
        diagonal = diagonal.clamp_min(1e-12 * diagonal.max()).to(y.dtype)
        frequent = rows.frequent_gram(y[None], weights)
        if frequent is None:
            return _conjugate(problem, x, y, mu, Diagonal(diagonal), 1.0)
        index, block = frequent
        block.diagonal(dim1=-2, dim2=-1).add_(_gathered(strength, index, block.shape[1]))
        inner = DiagonalAndBlock(diagonal, index, block)
        return _conjugate(problem, x, y, mu, inner, METRIC.block_passes)
    limit = gram_rows(rows.n_rows, p, K, conjugate) if share else rows.n_rows
    chosen, of_start = _representatives(y, share)
    weights = problem.hessian_weights(x, y[chosen], mu)
    gram = rows.gram(y[None, chosen], weights, share, limit)[of_start]
    metric = GramMetric(problem, gram, x, mu)
    if not conjugate:
        return metric
    used = min(limit, rows.n_rows)
    price = gram.shape[1] * p * (used + p) / (2 * rows.n_rows * K) * len(chosen) / S
    return _conjugate(problem, x, y, mu, metric, price)


def _joint_metric(problem, x: Tensor, y: Tensor, mu: float) -> Gauge:
    """Return the metric of the whole Hessian, which several outputs share."""
    _, _, m, p = problem.y_shape
    entries = torch.arange(m * p, device=y.device)
    chosen, of_start = _representatives(y, False)
    gram = problem.rows.joint_gram(y[None, chosen], _columns(problem, mu), entries, 0)
    if problem.rows.fit_intercept:
        see_shifts(gram, entries[p - 1 :: p])
    if of_start != chosen:
        gram = gram[of_start]
    return Gauge(JointMetric(problem, gram, x, mu))


def matrices_are_dear(rows: Rows, starts: int, outputs: int) -> bool:
    """Whether matrices of all features cost more passes than they save conjugate gradients.

    With sparse features, a diagonal and the matrix of frequent ones may be as good.
    """
    p, one = rows.n_coefficients, rows.matrices[0]
    if one.entries * METRIC.sparse > one.n_rows * one.n_features:
        return False
    seconds = rows.gram_seconds(starts * outputs, rows.n_rows)
    seconds += factor_seconds(starts * outputs, p)
    shape, columns = (one.n_rows, one.n_features), starts * outputs * rows.n_folds
    return seconds > METRIC.saved_passes * pass_seconds(shape, one.entries, columns, rows.dtype)


def shares_gram(rows: Rows, columns: int) -> bool:
    """Whether the folds share Gram matrices, where each column would have its own.

    Where rows are few the folds' matrices differ, and own ones take fewer iterations. With no more
    rows than features, each row that a fold leaves out is a direction that its matrix has not.
    """
    if rows.n_rows <= rows.n_features:
        return False
    seconds = rows.gram_seconds(columns, rows.n_rows)
    few = rows.n_rows < METRIC.few_rows * rows.n_coefficients
    return seconds > (METRIC.own_seconds_of_few if few else METRIC.own_seconds)


def gram_rows(rows: int, p: int, folds: int, conjugate: bool = False) -> int:
    """Return how many rows a Gram matrix that folds share is made of.

    The matrix costs about as much as a few passes, but has enough rows to be accurate. Fewer rows
    suffice where conjugate gradients correct its errors.
    """
    least, passes = METRIC.shared_rows, METRIC.shared_passes
    if conjugate:
        least, passes = METRIC.cg_rows, METRIC.cg_passes
    return max(least * p, int(rows * 2 * folds * passes / p))


def _gathered(strength: Tensor, index: Tensor, folds: int) -> Tensor:
    """Return the strengths (S, K, 1 or m, p) of some entries, broadcast to the matrices' folds."""
    own = [part[..., index[k % len(index)]] for k, part in enumerate(strength.unbind(1))]
    some = torch.stack(own, 1)
    return some if folds == some.shape[1] else some.mean(1, keepdim=True)


def _representatives(y: Tensor, share: bool) -> tuple[list[int], list[int]]:
    """Return which starts get their own Gram matrix, and which one each start uses.

    Starts at the same point share one; where the folds share one, starts near each other do.
    """
    if len(y) == 1:  # nothing to wait for a device for
        return [0], [0]
    flat = y.flatten(1)
    apart = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    size = (METRIC.near if share else 0.0) * torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    close = (apart <= size).tolist()
    chosen: list[int] = []
    of_start: list[int] = []
    for s in range(len(y)):
        near = [i for i, c in enumerate(chosen) if close[s][c]]
        if not near:
            chosen.append(s)
        of_start.append(near[0] if near else len(chosen) - 1)
    return chosen, of_start


class GramMetric:
    """Weighted Gram matrices plus the penalty, factored.

    Parameters
    ----------
    problem : GLMProblem
        For the penalty.
    gram : Tensor of shape (S, K or 1, m, p, p)
    x : Tensor of shape (S, h)
    mu : float
    """

    def __init__(self, problem, gram: Tensor, x: Tensor, mu: float):
        self.problem, self.gram, self.mu, self.x = problem, gram, mu, x
        self.strength = (1 - mu) * problem.penalty_at(x).curvature
        mean = self.strength.mean(1, keepdim=True) if gram.shape[1] == 1 else self.strength
        self._mean = mean.expand(*gram.shape[:-1])
        self._factors: list[Cholesky] | None = None
        self._faces: Faces | None = None
        self._descent: Callable[[Face, Tensor], Tensor] | None = None

    @property
    def factors(self) -> list[Cholesky]:
        """Factors of all coefficients, of several outputs one each where they are large."""
        if self._factors is None:
            full = self._with_strength()
            width = 1 if full.shape[-1] >= METRIC.threads_from else full.shape[2]
            if METER.get() is not None:
                spend(factor_seconds(full[..., 0, 0].numel(), full.shape[-1]))
            if width == full.shape[2]:
                self._factors = [Cholesky(full)]
            else:
                self._factors = map_in_threads(Cholesky, full.split(width, 2), full.device)
        return self._factors

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve with the factors."""
        factors = self.factors
        if METER.get() is not None:
            spend(solve_seconds(residuals[..., 0].numel(), residuals.shape[-1]))
        if len(factors) == 1:
            return factors[0].solve(residuals)
        parts = list(zip(factors, residuals.split(1, 3), strict=True))
        solved = map_in_threads(lambda part: part[0].solve(part[1]), parts, residuals.device)
        return torch.cat(solved, 3)

    def within(self, face):
        """Return the metric of a face: the inverse of its rows and columns."""
        if self._faces is not None and torch.equal(self._faces.face.free, face.free):
            self._faces = self._faces.on(face)
        else:
            self._faces = Faces.of(self, face)
        return self._faces

    def one(self, face):
        """Return the metric that stays on a face."""
        return self.problem.penalty.kinked.face_metric(self.gram, self._mean, face)

    def approach(self, face, y: Tensor) -> Tensor:
        """Return a point nearer to the minimum of the model, where one is found soon."""
        if self._descent is None:
            self._descent = self.problem.penalty.kinked.descent(self.gram, self._mean)
        return y if self._descent is None else self._descent(face, y)

    def _with_strength(self) -> Tensor:
        full = self.gram.clone()
        full.diagonal(dim1=-2, dim2=-1).add_(self._mean)
        return full

    def product(self, direction):
        """Return the matrices, not their inverses, times a direction."""
        exact = direction.double()
        if self.gram.shape[2] == 1 and exact.shape[2] > 1:  # the outputs share each matrix
            product = exact @ self.gram[:, :, 0]
        else:
            product = (self.gram @ exact[..., None])[..., 0]
        product = product + self._mean * exact
        return product.to(direction.dtype)

    def select(self, starts):
        """Return the metric of these starts."""
        chosen = object.__new__(GramMetric)
        chosen.__dict__.update(self.__dict__)
        if starts == list(range(len(self.gram))):  # nothing to copy
            chosen._faces = None
            return chosen
        chosen.gram, chosen.strength = self.gram[starts], self.strength[starts]
        chosen.x = self.x[starts]
        chosen._mean, chosen._faces = self._mean[starts], None
        if len(starts) < len(self.gram):
            chosen._descent = None
        if self._factors is not None:
            chosen._factors = [factor.select(starts) for factor in self._factors]
        return chosen

    def at(self, x: Tensor, y: Tensor):
        """Return the metric for another x; the Gram matrices stay."""
        if x is self.x:
            return self
        strength = (1 - self.mu) * self.problem.penalty_at(x).curvature
        if torch.equal(strength, self.strength):  # x is more than the penalty
            return self
        gram = self.gram
        if len(x) != len(gram):
            gram = gram[:1].expand(len(x), *gram.shape[1:])
        return GramMetric(self.problem, gram, x, self.mu)

    def outworn(self, slow):
        """Return ``slow``."""
        return slow


def of_like_rows(metric: Curvature | None, problem, x: Tensor, y: Any) -> Curvature | None:
    """Return a metric adapted to a problem of similar rows, or None if it cannot be adapted.

    If the problem has other folds, they use the mean over the metric's folds.
    """
    if isinstance(metric, ConjugateGradient):
        inner = of_like_rows(metric.inner, problem, x, y)
        return inner and metric.anew(HessianProduct(problem, x, y, metric.product.mu), inner)
    if isinstance(metric, Gauge):
        inner = of_like_rows(metric.inner, problem, x, y)
        return inner and Gauge(inner, metric.slopes)
    if isinstance(metric, DiagonalAndBlock):
        return metric.for_folds(*problem.shape)
    if not isinstance(metric, GramMetric) or len(metric.gram) != len(x):
        return None
    gram = metric.gram
    if gram.shape[1] != problem.shape[1]:
        gram = gram.mean(1, keepdim=True)
    return GramMetric(problem, gram, x, metric.mu)


def gram_of(metric: Curvature | None) -> Tensor | None:
    """Return the Gram matrices (S, K or 1, m, p, p) that a metric is made of, if it is."""
    while isinstance(metric, ConjugateGradient | Gauge):
        metric = metric.inner
    return metric.gram if isinstance(metric, GramMetric) else None


def metric_of_gram(problem, gram: Tensor, x: Tensor, y: Tensor) -> ConjugateGradient:
    """Return conjugate gradients that known Gram matrices precondition, at mu = 0."""
    return _conjugate(problem, x, y, 0.0, GramMetric(problem, gram, x, 0.0), 1.0)


class Gauge:
    """Keeps directions free of the shift of all classes that a softmax does not see.

    Parameters
    ----------
    inner : Curvature
    slopes : bool, default=True
        Whether slopes are centred, too. Absolute values make their median zero instead, without
        help.
    """

    def __init__(self, inner, slopes=True):
        self.inner, self.slopes = inner, slopes

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the inner metric between two projections, so that it stays symmetric."""
        return self._centred(self.inner.solve(self._centred(residuals)))

    def _centred(self, t: Tensor) -> Tensor:
        if self.slopes:
            return t - t.mean(-2, keepdim=True)
        t = t.clone()
        t[..., -1] -= t[..., -1].mean(-1, keepdim=True)
        return t

    def within(self, face):
        """Return the metric of a face."""
        return Masked(self, face)

    def select(self, starts):
        """Return the metric of these starts."""
        return Gauge(self.inner.select(starts), self.slopes)

    def at(self, x, y):
        """Return the metric for another point."""
        return Gauge(self.inner.at(x, y), self.slopes)

    def outworn(self, slow):
        """Return the inner metric's answer."""
        return self.inner.outworn(slow)


def _conjugate(problem, x, y, mu, inner, price):
    kinks = problem.kinks
    if problem.loss.couples_outputs and not (kinks and not problem.rows.fit_intercept):
        inner = Gauge(inner, slopes=not kinks)
    product = HessianProduct(problem, x, y, mu)
    return ConjugateGradient(
        product, inner, METRIC.cg_steps, METRIC.cg_tol, METRIC.cg_loosest, METRIC.cg_ahead, price
    )


class HessianProduct:
    """The Hessian of phi at a point, as a map of directions (r, S, K, m, p)."""

    def __init__(
        self, problem, x: Tensor, y: Tensor, mu: float, kept: Kept | None = None, free=None
    ):
        self.problem, self.x, self.y, self.mu, self.kept = problem, x, y, mu, kept
        self.free = free

    def __call__(self, directions: Tensor) -> Tensor:
        """Return the Hessian times the directions."""
        if self.kept is None and self.mu == 0:
            self.kept = self.problem.keep_curvature(self.y)
        product = self.problem.hessian_product(self.x, self.y, directions, self.mu, self.kept)
        return product if self.free is None else product * self.free

    def within(self, free):
        """Return the map of these coefficients' rows and columns; directions have no others."""
        return HessianProduct(self.problem, self.x, self.y, self.mu, self.kept, free)

    def select(self, starts):
        """Return the map of these starts."""
        kept = None
        if self.kept is not None:  # the rows are innermost, and must remain so
            kept = [part.permute(1, 2, 3, 0)[:, starts].permute(3, 0, 1, 2) for part in self.kept]
        problem = self.problem.select(starts)
        free = None if self.free is None else self.free[starts]
        return HessianProduct(problem, self.x[starts], self.y[starts], self.mu, kept, free)

    def at(self, x, y):
        """Return the map at another point."""
        problem = self.problem
        if len(x) != problem.shape[0]:
            problem = problem.select([0] * len(x))
        return HessianProduct(problem, x, y.to(problem.rows.dtype), self.mu)
