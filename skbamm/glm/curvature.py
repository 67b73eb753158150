"""Metrics near the Hessian of a generalised linear model.

Few features: the Cholesky factor of the weighted Gram matrix plus the penalty, a fold its own
where that is cheap, else shared by the folds and taken from enough of the rows. Several outputs
add what the blocks of the classes leave out by two steps of conjugate gradients. Many features:
conjugate gradients in the metric of the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.metrics import Cholesky, ConjugateGradient, Diagonal

_DENSE_LIMIT = 1500  # features up to which a p x p factor is affordable
_OWN_FACTORS = 5e8  # multiplications up to which every fold gets a factor of its own
_CG_STEPS, _CG_TOL = 20, 0.1


def hessian_metric(problem, x: Tensor, y: Tensor, mu: float):
    """Return a metric for ``problem`` (a GLMProblem) near ``(x, y)``."""
    rows, loss = problem.rows, problem.loss
    S, K, m, p = problem.y_shape
    strength = (1 - mu) * problem.mean_strength(x)
    upper = problem.criterion.loss if mu else None

    def weights(z, chunk):
        W = chunk.train[:, None, None, :, None]
        out = (1 - mu) * W * loss.diagonal(z)
        if upper is not None:
            out = out + mu * chunk.validation[:, None, None, :, None] * upper.diagonal(z)
        return out, ()

    if p > _DENSE_LIMIT:
        diagonal = rows.diagonal(y[None], weights) + strength
        inner = Diagonal(diagonal.clamp_min(1e-12 * diagonal.max()).to(y.dtype))
        return _conjugate(problem, x, y, mu, inner)
    share = S * K * m * rows.n_rows * p * p > _OWN_FACTORS
    # As many rows as make a factor cost about what a pass does, but enough for its accuracy.
    limit = max(100 * p, int(rows.n_rows * 8 * K / p)) if share else rows.n_rows
    same = bool((y == y[:1]).all())  # every start at the same point, as in the beginning
    gram = rows.gram(y[None, :1] if same else y[None], weights, share, limit)
    diagonal = strength.mean(1, keepdim=True) if share and gram.shape[1] == 1 else strength
    factor = Cholesky(gram + torch.diag_embed(diagonal.expand(S, gram.shape[1], *diagonal.shape[2:])))
    if not loss.couples_outputs:
        return factor
    return _conjugate(problem, x, y, mu, Gauge(factor))


class Gauge:
    """Keeps directions free of the shift of all classes that a softmax does not see."""

    def __init__(self, inner):
        self.inner = inner

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the inner metric between two projections, so that it stays symmetric."""
        return _centred(self.inner.solve(_centred(residuals)))

    def select(self, starts):
        """Return the metric of these starts."""
        return Gauge(self.inner.select(starts))


def _centred(t: Tensor) -> Tensor:
    return t - t.mean(-2, keepdim=True)


def _conjugate(problem, x, y, mu, inner):
    if problem.loss.couples_outputs and not isinstance(inner, Gauge):
        inner = Gauge(inner)
    return ConjugateGradient(HessianProduct(problem, x, y, mu), inner, _CG_STEPS, _CG_TOL)


@dataclass(frozen=True)
class HessianProduct:
    """The Hessian of phi at a point, as a map of directions (r, S, K, m, p)."""

    problem: object
    x: Tensor
    y: Tensor
    mu: float

    def __call__(self, directions: Tensor) -> Tensor:
        return self.problem.hessian_product(self.x, self.y, directions, self.mu)

    def select(self, starts):
        """Return the map of these starts."""
        return HessianProduct(self.problem.select(starts), self.x[starts], self.y[starts], self.mu)
