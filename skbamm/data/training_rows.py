"""A fold's training rows as its linear model sees them."""

from __future__ import annotations

from typing import Any

import numpy as np


def training_rows(solver: Any, k: int, coef: np.ndarray):
    """Return predictions (n, m), targets and weights of the k-th used fold's training rows.

    Parameters
    ----------
    solver : JointSolver
    k : int
    coef : ndarray of shape (m, p)
        With the intercept last, if there is one.
    """
    task, fold = solver.task, solver.used[k]
    if solver.folds is None:
        X, place = solver.matrix, np.arange(len(task.target))[solver.splits[k][0]]
        rows = place
    else:
        X, place = solver.folds[fold].matrix, solver.folds[fold].train
        rows = slice(len(place))
    weight = np.ones(len(place)) if solver.fit_weight is None else solver.fit_weight[place]
    if solver.row_weights is not None:
        weight = weight * solver.row_weights.folds[place, fold]
    intercept = coef[:, -1] if task.fit_intercept else 0.0
    own = slice(X.shape[1]) if solver.folds is None else solver.folds[fold].columns
    # Products of all rows take no copy of some.
    predicted = (X @ coef[:, own].T)[rows] + intercept
    return predicted, task.target_of(fold)[place], weight
