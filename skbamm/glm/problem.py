"""Generalised linear models as a bi-level problem: everything in closed form, in one pass.

For start s and fold k, with row weights W and V that sum to one over the rows of a fold::

    f_sk = sum_i W_ik l(z_i, t_i) + P(w, x_s) / N_k
    F_s  = 1/K sum_k phi_k(sum_i V_ik l_up(z_i, t_i)),      z = X w + b

x scales the penalty P, never the loss: so the hypergradient is accurate also where the models are
not yet. The intercept is free of a penalty, unless the strengths say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions
from skbamm.criteria import Criterion
from skbamm.folds import Chunk, Kept, Rows
from skbamm.glm.curvature import hessian_metric, shares_gram
from skbamm.glm.null_loss import null_loss
from skbamm.glm.penalised import MeanLoss, PenalisedProblem
from skbamm.glm.penalties import Penalty
from skbamm.losses import PointwiseLoss

_LEAST = 0.005  # share of a parabola that is above the loss in what steps are made with
_KEEP = 1 << 26  # bytes that may be kept of the predictors for a Hessian


class GLMProblem(PenalisedProblem):
    """A penalised generalised linear model over S starts and K folds.

    Parameters
    ----------
    rows : Rows
    loss : PointwiseLoss
    penalty : Penalty
    starts : int
        S.
    criterion : Criterion, optional
        Not needed to solve the lower level only.
    bounds : tuple of Tensor, optional
        Lower and upper bounds of x, each of shape (h,).
    metric_rows : Rows, optional
        The same rows in the precision in which iterative metrics are good enough.
    mean_loss, limit
        As for ``PenalisedProblem``.
    """

    def __init__(
        self,
        rows: Rows,
        loss: PointwiseLoss,
        penalty: Penalty,
        starts: int,
        *,
        criterion: Criterion | None = None,
        bounds: tuple[Tensor, Tensor] | None = None,
        metric_rows: Rows | None = None,
        mean_loss: MeanLoss = False,
        limit: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__(penalty, rows, bounds, mean_loss, limit)
        self.rows, self.loss = rows, loss
        self.metric_rows = rows if metric_rows is None else metric_rows
        self.hessian_jumps, self.smoothed = loss.hessian_jumps, loss.smoothed
        self.criterion = None if criterion is None else criterion.by_fold()
        self.shape = (starts, rows.n_folds)
        self.y_shape = (starts, rows.n_folds, loss.n_outputs, rows.n_coefficients)
        self._seen = _Seen()

    @cached_property
    def folds_share(self) -> bool:
        """Whether the folds of a start share Gram matrices: see ``shares_gram``."""
        starts, folds, outputs, _ = self.y_shape
        return shares_gram(self.rows, starts * folds * outputs)

    @property
    def lower_floor(self) -> Tensor:
        """The loss of the best constant, (K,): see ``Problem``."""
        if self._seen.floor is None:
            self._seen.floor = null_loss(self).cpu()
        return self._seen.floor

    def start(self, x: Tensor) -> Tensor:
        """Return zero coefficients, and the initial intercept of the loss."""
        y = torch.zeros(self.y_shape, dtype=self.rows.dtype, device=self.rows.device)
        if self.rows.fit_intercept:
            y[..., -1] = self.loss.start(self.rows.target_mean)
        return y

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Return gradient, multiplier residual and hypergradient from one pass over the rows."""
        same, room = self.criterion.loss is self.loss, None if mu else self._room(y)
        judge: Any = None if same else self.criterion.evaluator(self.rows, y)

        def function(z, chunk):
            loss, W, V = self.row_loss(chunk), chunk.train[:, None], chunk.validation[:, None]
            t = loss.targets(chunk.target)
            value, gradient, product = loss.evaluate(z[0], t, z[1])
            if chunk.kept is not None:
                chunk.kept.copy_(loss.curvature_of(gradient, z[0], chunk.target))
            if same:
                up, up_gradient, up_product = value, gradient, product
            else:
                up, up_gradient, up_product = judge(z[0], chunk, z[1] if mu else None)
            assert product is not None
            if not mu:  # a loss may return the predictors themselves: these are last
                second = torch.mul(W, product, out=z[1]).addcmul_(V, up_gradient, value=-1)
                first = torch.mul(W, gradient, out=z[0])
                return [first, second], [chunk.train * value, chunk.validation * up]
            assert up_product is not None
            pull, bent = V * up_gradient, V * up_product
            first, second = torch.mul(W, gradient, out=z[0]), torch.mul(W, product, out=z[1])
            first.mul_(1 - mu).add_(pull, alpha=mu)
            second.mul_(1 - mu).add_(bent, alpha=mu).sub_(pull)
            return [first, second], [chunk.train * value, chunk.validation * up]

        products, (lower, average) = self.rows.sweep(torch.stack([y, v]), function, room)
        return self.with_penalty_of(x, y, v, mu, average, lower, *products)

    def upper(self, y: Tensor) -> Tensor:
        """Return the folds' shares of F, (S, K), from half a pass."""
        judge = self.criterion.evaluator(self.rows, y)

        def function(z, chunk):
            return [], [chunk.validation * judge(z[0], chunk, None)[0]]

        _, (average,) = self.rows.sweep(y[None], function)
        return self.criterion.shares(average)

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f and its gradient."""

        def function(z, chunk):
            loss = self.row_loss(chunk)
            value, gradient, _ = loss.evaluate(z[0], loss.targets(chunk.target))
            if chunk.kept is not None:
                chunk.kept.copy_(loss.curvature_of(gradient, z[0], chunk.target))
            return [torch.mul(chunk.train[:, None], gradient, out=z[0])], [chunk.train * value]

        products, (value,) = self.rows.sweep(y[None], function, self._room(y))
        y64, penalty = y.double(), self.penalty_at(x)
        gradient = products[0] + penalty.curvature * y64
        return value + penalty.value(y64), gradient.to(y.dtype)

    def lost(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the duality gap of a smoothed loss, and the objective, (S, K)."""

        def function(z, chunk):
            loss: Any = self.row_loss(chunk)
            gap = loss.gap(z[0], loss.targets(chunk.target))
            return [torch.zeros_like(z[0])], [chunk.train * gap]

        _, (gap,) = self.rows.sweep(y[None], function)
        value, gradient = self.lower(x, y)
        face = self.face(x, y, gradient)
        if face is not None:
            size, slope = y.double().abs(), face.slope.double().abs()
            leaving = torch.where(size > 0, 0.0, slope).flatten(2).amax(-1)
            gap = gap + (slope * size).sum((2, 3)) + leaving * size.sum((2, 3))
        return gap, value

    def parameter_slope(self, y: Tensor) -> Tensor:
        """Return the derivative of f's gradient in the loss's parameter, (S, K, m, p)."""

        def function(z, chunk):
            loss: Any = self.row_loss(chunk)
            slope, _ = loss.parameter_slopes(z[0], loss.targets(chunk.target))
            return [chunk.train[:, None] * slope], []

        products, _ = self.rows.sweep(y[None], function)
        return products[0]

    def hessian_product(
        self, x: Tensor, y: Tensor, p: Tensor, mu: float, kept: Kept | None = None
    ) -> Tensor:
        """Return ``H_phi p`` for directions p of shape (r, S, K, m, p).

        Results of ``keep_curvature`` at y save a third of the work.
        """
        upper = self.criterion.loss if mu else None

        def function(z, chunk):
            loss = self.row_loss(chunk)
            W, V = chunk.train[:, None], chunk.validation[:, None]
            if chunk.kept is not None:
                return [torch.mul(W, loss.hessian(chunk.kept, u), out=u) for u in z], []
            curvature = loss.curvature(z[0], chunk.target)
            out = [W * loss.hessian(curvature, direction) for direction in z[1:]]
            if upper is not None:
                curvature = upper.curvature(z[0], chunk.target)
                for part, direction in zip(out, z[1:], strict=True):
                    part.mul_(1 - mu).add_(V * upper.hessian(curvature, direction), alpha=mu)
            return out, []

        directions = p if kept is not None else torch.cat([y[None], p])
        products, _ = self.metric_rows.sweep(directions, function, kept)
        squares = (1 - mu) * self.penalty_at(x).curvature
        return (squares.to(p.dtype) * p).add_(products)

    def keep_curvature(self, y: Tensor) -> Kept | None:
        """Return what products with the Hessian of f at y need, unless it takes much memory."""
        rows, seen = self.metric_rows, self._seen
        if seen.y is y and seen.loss is self.loss:
            return seen.kept
        if self._too_large(y):
            return None
        seen.asked = True
        return rows.keep(y[None], lambda z, chunk: self.row_loss(chunk).curvature(z, chunk.target))

    def _room(self, y: Tensor) -> Kept | None:
        """Return storage for the same, for a pass over y that is needed anyway."""
        seen = self._seen
        if not seen.asked or self._too_large(y):
            return None
        seen.y, seen.loss, seen.kept = y, self.loss, self.metric_rows.room(y[None])
        return seen.kept

    def _too_large(self, y: Tensor) -> bool:
        rows = self.metric_rows
        return rows.n_rows * y[..., 0].numel() * rows.dtype.itemsize > _KEEP

    def hessian_weights(self, x: Tensor, y: Tensor, mu: float):
        """Return the row function of the weights in phi's Gram matrices, at y of any starts.

        A Hessian that jumps may vanish, and where a penalty has no squares nothing else is curved:
        then a step would have no length. So the matrices see a little of what is ahead.
        """
        upper = self.criterion.loss if mu else None
        may_vanish = self._may_vanish(x)

        def weights(z, chunk):
            loss = self.row_loss(chunk)
            diagonal = loss.diagonal(loss.curvature(z[0], chunk.target))
            if may_vanish:
                ahead = loss.majorant(z[0], loss.targets(chunk.target))
                diagonal = torch.maximum(diagonal, _LEAST * ahead)
            out = chunk.train[:, None] * diagonal
            if upper is not None:
                above = upper.diagonal(upper.curvature(z[0], chunk.target))
                out.mul_(1 - mu).add_(chunk.validation[:, None] * above, alpha=mu)
            return [out], []

        return weights

    def _may_vanish(self, x: Tensor) -> bool:
        """Whether the Hessian is to see what is ahead."""
        kinks = self.loss.smoothed or self.kinks
        return self.hessian_jumps and kinks and not bool(self.penalty_at(x).curvature.all())

    def row_loss(self, chunk: Chunk) -> PointwiseLoss:
        """Return the loss of some rows, in the folds whose columns these are."""
        loss = self.loss
        return loss.of_folds(chunk.folds) if loss.differs_by_fold else loss

    def curvature(self, x: Tensor, y: Tensor, mu: float):
        """Return a metric near the Hessian; see ``hessian_metric``."""
        return hessian_metric(self, x, y, mu)

    def select(self, starts: list[int]) -> GLMProblem:
        """Return the problem of fewer starts."""
        some = type(self)(
            self.rows, self.loss, self.penalty, len(starts),
            criterion=self.criterion, bounds=self.bounds,
            metric_rows=self.metric_rows, mean_loss=self.mean_loss, limit=self.limit,
        )  # fmt: skip
        some._seen = self._seen
        return some


@dataclass
class _Seen:
    """What the last pass kept for products with the Hessian, once a metric has needed it.

    And the scale of f, which is the same for all starts.
    """

    asked: bool = False
    y: Tensor | None = None
    loss: PointwiseLoss | None = None
    kept: Kept | None = None
    floor: Tensor | None = None
