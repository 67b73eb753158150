"""Metrics for the y- and v-steps. Changing the metric does not change the method."""

from __future__ import annotations

import copy
from math import inf

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import Curvature, Directions, FaceMetric

_SOLVED = 1e-6  # relative slope below which kinks cannot stop a step


def precondition(
    metric: Curvature, face: Face | None, y: Tensor, d: Directions, solved: bool
) -> tuple[Tensor, Tensor]:
    """Return the steps of y and v: their residuals in a metric.

    With kinks, the step of y takes them into account, unless y is ``solved``.
    """
    if face is None and isinstance(metric, Identity):
        return d.grad_y, d.residual_v
    both = torch.stack([d.grad_y, d.residual_v])
    if face is None:
        p_y, p_v = metric.solve(both)
        return p_y, p_v
    inside = metric.within(face)
    if solved and float(face.violation().max()) <= _SOLVED:
        p_y, p_v = inside.solve(both)
        return p_y, p_v
    return inside.step(y), inside.solve(both[1:])[0]


class Masked:
    """A metric between two projections on the entries that are free.

    Parameters
    ----------
    inner : Curvature
    face : Face
    """

    def __init__(self, inner: Curvature, face: Face):
        self.inner, self.face = inner, face

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the inner metric."""
        return self.inner.solve(residuals * self.face.free) * self.face.free

    def select(self, starts):
        """Return the metric of these starts."""
        return Masked(self.inner.select(starts), self.face.select(starts))

    def step(self, y: Tensor) -> Tensor:
        """Return the direction to where no entry has crossed a kink."""
        after = y - self.solve(self.face.slope[None])[0]
        return y - torch.where(self.face.side * after < 0, 0.0, after)


class Metric(Curvature):
    """Base class of metrics: one that is kept for other points until residuals fall slowly."""

    def within(self, face: Face) -> FaceMetric:
        """See ``Curvature.within``: the metric between two projections on the face."""
        return Masked(self, face)

    def at(self, x: Tensor, y: Tensor) -> Curvature:
        """See ``Curvature.at``."""
        return self

    def outworn(self, slow: bool) -> bool:
        """See ``Curvature.outworn``."""
        return slow


class Identity(Metric):
    """The plain gradient steps of the publication."""

    def solve(self, residuals: Tensor) -> Tensor:
        """Return the residuals."""
        return residuals

    def select(self, starts):
        """Return itself: nothing is kept a start."""
        return self

    def outworn(self, slow):
        """Return False: the metric does not depend on the point."""
        return False


class Diagonal(Metric):
    """Division by a diagonal of the shape (S, K, ...) of y."""

    def __init__(self, diagonal: Tensor):
        self.diagonal = diagonal

    def solve(self, residuals: Tensor) -> Tensor:
        """Divide by the diagonal."""
        return residuals / self.diagonal

    def select(self, starts):
        """Return the metric of these starts."""
        return Diagonal(self.diagonal[starts])

    def at(self, x, y):
        """Return itself, once for each start."""
        if len(x) == len(self.diagonal):
            return self
        return Diagonal(self.diagonal.expand(len(x), *self.diagonal.shape[1:]))


class DiagonalAndBlock(Metric):
    """Division by a diagonal, and the inverse of a matrix of some of the entries.

    Parameters
    ----------
    diagonal : Tensor of shape (S, K, ..., p)
    index : Tensor of int of shape (1 or K, f)
        Which of the p entries.
    block : Tensor of shape (S, 1 or K, ..., f, f)
    """

    def __init__(self, diagonal: Tensor, index: Tensor, block: Tensor):
        self.diagonal, self.index, self.block = Diagonal(diagonal), index, Cholesky(block)

    def solve(self, residuals: Tensor) -> Tensor:
        """Divide, and solve for the entries of the matrix."""
        lead, f = residuals.shape[:-1], self.index.shape[-1]
        index = self.index.view(1, 1, -1, *[1] * (len(lead) - 3), f).expand(*lead, f)
        some = self.block.solve(torch.gather(residuals, -1, index))
        return self.diagonal.solve(residuals).scatter_(-1, index, some)

    def for_folds(self, starts: int, count: int) -> DiagonalAndBlock | None:
        """Return the metric for ``count`` other folds.

        It is None if these folds do not share the matrix, or the number of starts differs.
        """
        diagonal = self.diagonal.diagonal
        if self.block.factor.shape[1] > 1 or len(diagonal) != starts:
            return None
        mean = diagonal.mean(1, keepdim=True)
        other = copy.copy(self)
        other.diagonal = Diagonal(mean.expand(len(mean), count, *mean.shape[2:]))
        return other

    def select(self, starts):
        """Return the metric of these starts."""
        other = copy.copy(self)
        other.diagonal, other.block = self.diagonal.select(starts), self.block.select(starts)
        return other

    def at(self, x, y):
        """Return itself, once for each start."""
        here = len(self.diagonal.diagonal)
        return self if len(x) == here else self.select([0] * len(x))


class Cholesky(Metric):
    """A dense positive definite matrix for the last axis of y, shared by axes of length one.

    Parameters
    ----------
    matrices : Tensor of shape (S, K or 1, ..., p, p)
        Symmetric; scaled to a unit diagonal before it is factored in float64, so that features
        of very different scales do no harm. Where it is not numerically positive definite a
        multiple of the identity is added.
    """

    def __init__(self, matrices: Tensor):
        matrices = matrices.double()
        diagonal = torch.diagonal(matrices, dim1=-2, dim2=-1)
        tiny = torch.finfo(torch.float64).tiny
        usable = diagonal > tiny  # a feature of zeros that is not penalised stays where it is
        self.scale = torch.where(usable, diagonal.clamp_min(tiny).rsqrt(), 0.0)
        scaled = matrices * self.scale[..., :, None] * self.scale[..., None, :]
        scaled.diagonal(dim1=-2, dim2=-1)[~usable] = 1.0
        self.factor = cholesky_factor(scaled)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve with the factor, in float64."""
        scale, factor = self.scale, self.factor
        right = residuals.double() * scale
        r, _, K = residuals.shape[:3]
        if factor.shape[1] == 1 and K > 1:  # the folds are right-hand sides too
            right = right.movedim((0, 2), (-2, -1)).flatten(-2)
            solved = torch.cholesky_solve(right, factor[:, 0]).unflatten(-1, (r, K))
            solved = solved.movedim((-2, -1), (0, 2))
        else:
            right = right.movedim(0, -1)
            solved = torch.cholesky_solve(right, factor).movedim(-1, 0)
        return (solved * scale).to(residuals.dtype)

    def select(self, starts):
        """Return the metric of these starts."""
        chosen = object.__new__(Cholesky)
        chosen.scale, chosen.factor = self.scale[starts], self.factor[starts]
        return chosen


def cholesky_factor(matrices: Tensor) -> Tensor:
    """Cholesky factors; what is not positive definite gets a multiple of the identity."""
    factor, info = torch.linalg.cholesky_ex(matrices)
    shift = 1e-14
    while bool((info != 0).any()) and shift < 1:
        shift *= 100
        shifted = matrices.clone()
        shifted.diagonal(dim1=-2, dim2=-1).add_(shift * (info != 0).double()[..., None])
        factor, info = torch.linalg.cholesky_ex(shifted)
    return factor


class ConjugateGradient(Metric):
    """Preconditioned conjugate gradients, few steps, on all right-hand sides at once.

    Starts whose right-hand sides are solved are left out of further steps, which get cheaper.

    Parameters
    ----------
    product : callable
        Maps directions (r, S, K, ...) to Hessian times direction, of the same shape; has the
        methods ``select`` and ``at`` of a metric, too, and ``within``.
    inner : Curvature
        Preconditioner.
    steps : int
        At most so many.
    tol, loosest : float
        Fall of the residual, in the inner metric, that is enough: that size itself, between
        these bounds. Far from the solution, where the Hessian will change anyway, a rough
        direction suffices (Dembo, Eisenstat & Steihaug, "Inexact Newton methods", 1982).
    ahead : float, default=0
        A column whose residual is by this factor smaller than the largest gets one step only:
        the others will need more iterations anyway.
    price : float, default=inf
        Cost of a new preconditioner in steps.

    Attributes
    ----------
    none : float
        Curvature, in units of rounding of the largest, that counts as zero.
    leave : float
        Share of unsolved starts below which dropping the solved ones is worth the copies.
    """

    none, leave = 4.0, 0.8

    def __init__(
        self, product, inner: Curvature, steps: int, tol=0.0, loosest=None, ahead: float = 0.0,
        price: float = inf,
    ):  # fmt: skip
        self.product, self.inner, self.steps = product, inner, steps
        self.tol, self.ahead = tol, ahead
        self.loosest = tol if loosest is None else loosest
        self.wear = _Wear(price)

    def solve(self, residuals: Tensor) -> Tensor:
        """Return the last iterate from zero."""
        product, inner = self.product, self.inner
        # Those of large models take more memory than the rows: they are changed in place, but for
        # the caller's.
        r, p, out = residuals, inner.solve(residuals), None
        solution, alive = torch.zeros_like(r), list(range(residuals.shape[1]))
        rho = _dots(r, p)
        enough = self._enough(rho)
        first, taken = rho, 1
        size, top = rho, torch.zeros_like(rho)  # of p in the inner metric; largest curvature yet
        eps = self.none * torch.finfo(r.dtype).eps
        for step in range(self.steps):
            q = product(p)
            curvature = _dots(p, q)
            top = torch.maximum(top, (curvature / size).nan_to_num(0.0, 0.0, 0.0))
            # Along a direction that the matrix does not see no step would be long enough.
            alpha = torch.where(curvature > eps * top * size, rho / curvature, 0.0)
            solution.addcmul_(_each(alpha, p), p)
            if step + 1 == self.steps:
                break
            mine = step > 0
            r = torch.addcmul(r, _each(alpha, q), q, value=-1, out=r if mine else None)
            del q
            z = inner.solve(r)
            rho, last, taken = _dots(r, z), rho, step + 1
            beta = torch.where(last > 0, rho / last, 0.0)
            p = torch.addcmul(z, _each(beta, p), p, out=p if mine else None)
            size = rho + beta**2 * size
            del z
            solved = ((rho <= enough) | ~torch.isfinite(rho)).all(2).all(0)
            keep = torch.nonzero(~solved).flatten().tolist()
            if not keep:
                break
            if len(keep) <= self.leave * len(alive):
                out = torch.empty_like(residuals) if out is None else out
                out[:, alive] = solution
                alive = [alive[i] for i in keep]
                product, inner = product.select(keep), inner.select(keep)
                r, p, solution = r[:, keep], p[:, keep], solution[:, keep]
                rho, enough, first = rho[:, keep], enough[:, keep], first[:, keep]
                size, top = size[:, keep], top[:, keep]
        self.wear.note(taken, first, rho)
        if out is None:
            return solution
        out[:, alive] = solution
        return out

    def _enough(self, rho: Tensor) -> Tensor:
        """Return the squared residuals that are enough, given the first ones (r, S, K)."""
        enough = rho * rho.clamp(self.tol**2, self.loosest**2)
        return torch.maximum(enough, self.ahead**2 * rho.amax((1, 2), keepdim=True))

    def within(self, face):
        """Return the metric of these entries: products with their rows and columns only."""
        inner = Masked(self.inner, face)
        return Masked(self._with(self.product.within(face.free), inner), face)

    def select(self, starts):
        """Return the metric of these starts."""
        return self._with(self.product.select(starts), self.inner.select(starts))

    def at(self, x, y):
        """Return the metric for another point."""
        return self._with(self.product.at(x, y), self.inner.at(x, y))

    def outworn(self, slow):
        """Whether ageing has cost more steps than a new preconditioner would.

        The products are exact at the point: slowly falling residuals are not the metric's fault.
        """
        return self.wear.lost > self.wear.price

    def anew(self, product, inner: Curvature) -> ConjugateGradient:
        """Return the same with another matrix and a new preconditioner."""
        other = self._with(product, inner)
        other.wear = _Wear(self.wear.price)
        return other

    def _with(self, product, inner):
        other = copy.copy(self)
        other.product, other.inner = product, inner
        return other


class _Wear:
    """Counts the steps that conjugate gradients have lost since their preconditioner was new."""

    def __init__(self, price: float):
        self.price, self.lost = price, 0.0
        self._rate: float | None = None  # logarithm that the slowest residual fell by a step

    def note(self, steps: int, first: Tensor, last: Tensor) -> None:
        """Note squared residuals before and after some steps."""
        if self.price == inf:
            return
        fall = 0.5 * torch.log(first / last)
        fell = float(fall[torch.isfinite(fall)].min()) if bool(torch.isfinite(fall).any()) else 0.0
        if self._rate is None:
            self._rate = max(fell, 0.0) / steps
        elif self._rate > 0:
            self.lost += max(steps - max(fell, 0.0) / self._rate, 0.0)


def _dots(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of the columns of several right-hand sides, (r, S, K)."""
    return (a * b).flatten(3).sum(-1).double()


def _each(factor: Tensor, direction: Tensor) -> Tensor:
    """Reshape a factor (r, S, K) so that it broadcasts against directions."""
    return factor.to(direction.dtype).reshape(*factor.shape, *[1] * (direction.ndim - 3))
