"""A model of all rows from the second moments of the folds that part them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skbamm.folds import pooled_moments
from skbamm.glm import LeastSquaresProblem
from skbamm.search.penalties import Penalties

_EXACT = 1e-11  # of the target's products with features, what a solution may leave of them


def pooled_fit(solver: Any, estimator: Any) -> np.ndarray | None:
    """Return an estimator's coefficients (m, p) on all rows of a JointSolver, or None.

    None is where the folds' moments do not tell them, or not to rounding.
    """
    pooled = None
    if solver.row_weights is None and solver.task.transformed is None and solver.moments:
        pooled = pooled_moments(solver.moments, solver.weights)
    if pooled is None:
        return None
    own = Penalties(solver.twin, estimator, solver.task, solver.device)
    rows = solver.shared_rows(solver.weights_on_all_rows(), torch.float64)
    one = not any(np.ndim(value) for value in own.values.values())  # for all outputs
    if not one or own.absolute((), rows) is not None:
        return None
    problem = LeastSquaresProblem(
        rows, own.strength((), rows), 1, moments=pooled, mean_loss=solver.twin.mean_loss
    )
    x = torch.empty(1, 0, dtype=torch.float64, device=solver.device)
    (y,) = problem.curvature(x, problem.start(x), 0.0).solve(pooled[0].cross[None, None])
    left = problem.lower(x, y)[1].abs().amax()
    if not left <= _EXACT * pooled[0].cross.abs().amax():
        return None  # of a matrix that is all but singular the estimator may know more
    return problem.coefficients(y)[0, 0].cpu().numpy()
