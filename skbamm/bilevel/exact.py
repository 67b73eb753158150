"""The hypergradient where the lower level is solved exactly: a reference for checks."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.lower import solve_lower
from skbamm.bilevel.problem import Problem


def exact_hypergradient(problem: Problem, x: Tensor, tol: float = 1e-12) -> tuple[float, Tensor]:
    """Return F and its gradient in x where y solves the lower level.

    The multiplier solves a dense linear system, whose matrix is read column by column from
    ``problem.directions``; suitable for small problems only. Where penalties with kinks hold
    entries at zero, the multiplier is zero as well.

    Parameters
    ----------
    problem : Problem
        A problem of one start.
    x : Tensor of shape (1, h)
    tol : float, default=1e-12
        Tolerance of the lower level, as for ``solve_lower``.

    Returns
    -------
    upper : float
    gradient : Tensor of shape (h,)
    """
    y = solve_lower(problem, x, tol=tol).y
    zero = torch.zeros_like(y)
    at = problem.directions(x, y, zero, 0.0)
    pull = -at.residual_v
    columns = []
    for i in range(y[0, 0].numel()):
        unit = zero.flatten(2).clone()
        unit[..., i] = 1
        columns.append(problem.directions(x, y, unit.view_as(y), 0.0).residual_v + pull)
    matrix, right = torch.stack(columns, -1).flatten(2, -2), pull.flatten(2)
    if problem.kinks:
        used = (y != 0).flatten(2).to(y.dtype)
        matrix, right = matrix * used[..., None] * used[:, :, None], right * used
    # A softmax does not see a shift of all its outputs, so the matrix may be singular.
    v = (torch.linalg.pinv(matrix) @ right[..., None]).view_as(y)
    gradient = problem.directions(x, y, v, 0.0).grad_x.sum((0, 1))
    return float(at.upper.sum()), gradient
