"""The hypergradient in a parameter of the features or of the loss, by the chain rule.

With the multiplier v of ``GLMProblem`` and features ``X(g)``, at the solution y::

    dF/dg = d/dg [ F(y, X(g)) - sum_k phi_k' v_k' grad_y f_k(y, X(g)) ]

since y solves the lower level whatever g is. The penalty does not see the features, nor F the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.folds import Rows
from skbamm.glm.problem import GLMProblem

_STEPS, _TOL = 50, 1e-6


def multiplier(problem: GLMProblem, x: Tensor, y: Tensor) -> Tensor:
    """Solve ``H_f v = grad_y F`` at a solution y, (S, K, m, p)."""
    metric = problem.curvature(x, y, 0.0)
    face = problem.face(x, y, problem.lower(x, y)[1])
    free = None
    if face is not None:  # v is zero where y stays at zero
        metric, free = metric.within(face), (y != 0).to(y.dtype)
    v = torch.zeros_like(y)
    pull = problem.directions(x, y, v, 0.0).residual_v  # minus the gradient of F
    residual = pull if free is None else pull * free
    first = float(residual.norm())
    for _ in range(_STEPS):
        if float(residual.norm()) <= _TOL * first:
            break
        v = v - metric.solve(residual[None])[0]
        if free is None:  # F's gradient need not be computed again
            residual = problem.hessian_product(x, y, v[None], 0.0)[0] + pull
        else:
            v = v * free
            residual = problem.directions(x, y, v, 0.0).residual_v * free
    return v


def feature_slope(problem: GLMProblem, both: Rows, y: Tensor, v: Tensor, upper: Tensor) -> float:
    """Return ``dF/dg``.

    Parameters
    ----------
    problem : GLMProblem
        Of one start.
    both : Rows
        The same rows with their features and, after them, the slopes of the features in g.
    y, v : Tensor of shape (1, K, m, p)
        Solution and multiplier.
    upper : Tensor of shape (1, K)
        Each fold's share of F at y.
    """
    criterion = problem.criterion
    d = both.n_features // 2
    at, along = _of_both(y, d, False), _of_both(v, d, False)
    moved = [_of_both(t, d, True) for t in (y, v)]
    judge = criterion.evaluator(both, at)
    slopes = criterion.slopes(upper)
    parts: dict[tuple[int, int], Tensor] = {}

    def collect(z, chunk):
        value, residual, dz, dresidual = z
        loss = problem.loss.of_folds(chunk.folds)
        t = loss.targets(chunk.target)
        _, gradient, product = loss.evaluate(value, t, residual)
        _, pull, _ = judge(value, chunk, None)
        direct = chunk.validation * (pull * dz).sum(1)
        through = chunk.train * (product * dz + gradient * dresidual).sum(1)
        first = int(torch.as_tensor(_first_row(chunk.rows)))
        total = ((direct - through).sum(0) * slopes[0, chunk.folds]).sum()
        parts[chunk.folds.start, first] = total

    both.visit(torch.stack([at, along, *moved]), collect)
    return float(sum(parts[key] for key in sorted(parts)))


def parameter_slope(problem: GLMProblem, y: Tensor, v: Tensor, upper: Tensor) -> float:
    """Return ``dF/dg`` for the parameter g of the problem's loss, a ``ParametricLoss``.

    ``y``, ``v`` and ``upper`` are as for ``feature_slope``.
    """
    share = (v.double() * problem.parameter_slope(y)).sum((2, 3))
    return -float((problem.criterion.slopes(upper) * share).sum())


def _of_both(t: Tensor, d: int, slopes: bool) -> Tensor:
    """Return coefficients of the features, or of their slopes, which are adjacent."""
    zeros = torch.zeros_like(t[..., :d])
    rest = t[..., d:]
    if slopes:
        return torch.cat([zeros, t[..., :d], torch.zeros_like(rest)], -1)
    return torch.cat([t[..., :d], zeros, rest], -1)


def _first_row(rows):
    return rows.start if isinstance(rows, slice) else rows[0]
