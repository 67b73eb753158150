"""Generalised linear models whose loss has a scale in every column.

The scale s is a variable of the lower level, like the coefficients y, but it is minimised out:
f(y) = min over s of g(y, s) is convex where g is, and smooth. By the envelope theorem its
gradient is that of g at the least s, and its Hessian is::

    g_yy - g_ys g_sy / g_ss

Likewise, the gradient changes with a parameter of the loss, by ``g_yp - g_ys g_sp / g_ss``.
There is no constraint s > 0, and methods for coefficients apply unchanged. Where
models fit most rows exactly the least scale is zero, and f has kinks: so scales are held above the
loss's ``width``, where they do not move with y.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions
from skbamm.folds import Kept
from skbamm.glm.curvature import GramMetric
from skbamm.glm.problem import GLMProblem
from skbamm.losses import ScaledLoss

# Share of what the scale takes from the Hessian. Where all rows but those beyond epsilon are fitted
# all but exactly, f is linear along their errors: the whole would leave nothing, or less.
_TAKEN = 0.999


class ProfiledProblem(GLMProblem):
    """A generalised linear model with a scale in every column; parameters are ``GLMProblem``'s.

    Its loss is a ``ScaledLoss``.
    """

    loss: ScaledLoss

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._weights: Kept | None = None  # training weights of the rows
        self._last: tuple[Tensor, _AtScale] | None = None

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """See ``GLMProblem.directions``."""
        at = self.at_scale(y)
        d = at.directions(x, y, v, mu)
        return replace(d, residual_v=d.residual_v - (1 - mu) * at.coupled(y, v))

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See ``GLMProblem.lower``."""
        return self.at_scale(y).lower(x, y)

    def parameter_slope(self, y: Tensor) -> Tensor:
        """See ``GLMProblem.parameter_slope``; the scale moves with the parameter, too."""
        return self.at_scale(y).parameter_slope(y)

    def hessian_product(self, x, y, p, mu, kept=None):
        """See ``GLMProblem.hessian_product``."""
        at = self.at_scale(y)
        return at.hessian_product(x, y, p, mu, kept) - (1 - mu) * at.coupled(y, p)

    def hessian_weights(self, x: Tensor, y: Tensor, mu: float):
        """See ``GLMProblem.hessian_weights``; the contribution of the scale is left out."""
        return self.at_scale(y).hessian_weights(x, y, mu)

    def keep_curvature(self, y: Tensor) -> Kept | None:
        """See ``GLMProblem.keep_curvature``."""
        return self.at_scale(y).keep_curvature(y)

    def curvature(self, x: Tensor, y: Tensor, mu: float):
        """See ``GLMProblem.curvature``."""
        metric = super().curvature(x, y, mu)
        if not isinstance(metric, GramMetric):
            return metric
        cross, own = self.at_scale(y).coupling(y)
        taken = cross[..., :, None] * cross[..., None, :] / own[..., None, None, None]
        return GramMetric(self, metric.gram - (1 - mu) * _TAKEN * taken, x, mu)

    def lost(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return how much scales that are held may cost f, and f, (S, K)."""
        lost = torch.where(self.at_scale(y).held, 0.5 * self.loss.width, 0.0)
        return lost, self.lower(x, y)[0] if bool(lost.any()) else torch.ones_like(lost)

    def at_scale(self, y: Tensor) -> _AtScale:
        """Return the problem with the scales fixed at their least values for y."""
        known = self._last
        if known is not None and known[0] is y and known[1].loss is self.loss:
            return known[1]
        if self._weights is None:
            self._weights = self.rows.keep(y[None, :1], lambda z, chunk: chunk.train[:, None])
        errors = self.rows.keep(y[None], lambda z, chunk: z - self.loss.targets(chunk.target))
        parts = zip(errors, self._weights, strict=True)
        scale = torch.cat([self.loss.least_scale(e[:, 0], w[:, 0]) for e, w in parts], 1)
        held = scale <= self.loss.width
        fixed = _AtScale(
            self.rows, self.loss, self.penalty, len(y),
            criterion=self.criterion, metric_rows=self.metric_rows, mean_loss=self.mean_loss,
        )  # fmt: skip
        if known is not None:  # the penalty stays where x does
            fixed._at_last = known[1]._at_last
        fixed.scale, fixed.held = scale.clamp_min(self.loss.width), held
        self._last = y, fixed
        return fixed


class _AtScale(GLMProblem):
    """The same with scales (S, K) that are given."""

    loss: ScaledLoss
    scale: Tensor
    held: Tensor  # columns whose scale would be less, and so does not move with y
    _coupling: tuple[Tensor, Tensor] | None = None

    def row_loss(self, chunk):
        """See ``GLMProblem.row_loss``."""
        return self.loss.at(self.scale[:, chunk.folds].flatten())

    def _may_vanish(self, x):
        """Beyond a scale that is held there may be all rows."""
        return bool(self.held.any())

    def coupling(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``g_ys``, of the shape of y, and ``g_ss``, (S, K)."""
        if self._coupling is None:

            def function(z, chunk):
                loss = self.row_loss(chunk)
                cross, own = loss.scale_slopes(z[0], loss.targets(chunk.target))
                return [chunk.train[:, None] * cross], [chunk.train * own]

            products, (own,) = self.rows.sweep(y[None], function)
            cross = torch.where(self.held[..., None, None], 0.0, products[0])
            self._coupling = cross, own.clamp_min(torch.finfo(own.dtype).tiny)
        return self._coupling

    def parameter_slope(self, y: Tensor) -> Tensor:
        """See ``GLMProblem.parameter_slope``."""

        def function(z, chunk):
            loss: Any = self.row_loss(chunk)
            slope, of_scale = loss.parameter_slopes(z[0], loss.targets(chunk.target))
            return [chunk.train[:, None] * slope], [chunk.train * of_scale]

        products, (of_scale,) = self.rows.sweep(y[None], function)
        cross, own = self.coupling(y)
        return products[0] - cross * (of_scale / own)[..., None, None]

    def coupled(self, y: Tensor, p: Tensor) -> Tensor:
        """Return ``g_ys g_sy p / g_ss`` for directions p (..., S, K, m, p)."""
        cross, own = self.coupling(y)
        share = (cross * p.double()).sum((-2, -1)) / own
        return (cross * share[..., None, None]).to(p.dtype)
