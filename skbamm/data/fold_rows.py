"""The rows of all folds, where each fold has data of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from skbamm.data.matrices import make_rows, pad_features
from skbamm.data.placed import Placed
from skbamm.data.shared_columns import STACKED
from skbamm.folds import AffineRows, FoldWeights, FoldwiseRows, StackedRows
from skbamm.folds.pairs import PairCosts

_SPARSE, _LOOK = 0.15, 512  # share of entries up to which rows are sparse; rows that tell of it


def fold_rows(solver: Any, dtype: torch.dtype) -> AffineRows | FoldwiseRows | StackedRows:
    """Return the rows of a JointSolver's used folds in a working precision."""
    if solver.columns is not None:
        base = make_rows(
            solver.columns.placed, solver.task.target, solver.weights, solver.task.fit_intercept,
            dtype,
        )  # fmt: skip
        return AffineRows(base, solver.columns.maps(solver.used, solver.device))
    width = max(solver.folds[k].shape[1] for k in solver.used)
    if _can_be_stacked(solver, width):
        return _stacked(solver, width, dtype)
    return FoldwiseRows(
        [_fold(solver, k, width, dtype) for k in solver.used],
        [torch.as_tensor(_place(solver, k), device=solver.device) for k in solver.used],
    )


def _place(solver: Any, k: int) -> np.ndarray:
    """Where fold k's own rows stand in the user's data."""
    return np.concatenate([solver.folds[k].train, solver.folds[k].test])


def _can_be_stacked(solver: Any, width: int) -> bool:
    task = solver.task
    if len(solver.used) * len(task.target) * width > STACKED or task.transformed is not None:
        return False

    def once(k: int) -> bool:
        # A row that is trained on and tested on may have been transformed in two ways.
        place = _place(solver, k)
        return len(np.unique(place)) == len(place)

    dense = all(isinstance(solver.folds[k].matrix, np.ndarray) for k in solver.used)
    return dense and all(once(k) for k in solver.used)


def _stacked(solver: Any, width: int, dtype: torch.dtype) -> StackedRows:
    n = len(solver.task.target)
    X = np.zeros((len(solver.used), n, width))
    for part, k in zip(X, solver.used, strict=True):
        matrix = solver.folds[k].matrix
        part[_place(solver, k), : matrix.shape[1]] = matrix
    return StackedRows(
        torch.from_numpy(X).to(solver.device),
        torch.as_tensor(np.ascontiguousarray(solver.task.target), device=solver.device),
        solver.weights, solver.task.fit_intercept, dtype,
    )  # fmt: skip


def _stored(matrix: Any, device: Any) -> Any:
    """Return a fold's matrix in the layout whose products are the fastest.

    One-hot columns that a transformer returned as a dense matrix are mostly zeros.
    """
    if device.type != "cpu" or not isinstance(matrix, np.ndarray):
        return matrix
    some = matrix[:: max(1, len(matrix) // _LOOK)]
    if np.count_nonzero(some) > _SPARSE * some.size:
        return matrix
    sparse = sp.csr_array(matrix)
    costs = PairCosts.of(sparse, fit_intercept=True)
    return sparse if costs.pays and sparse.nnz <= _SPARSE * matrix.size else matrix


def _fold(solver: Any, k: int, width: int, dtype: torch.dtype):
    """Return the rows of one fold, in its own order."""
    data, place, task = solver.folds[k], _place(solver, k), solver.task
    n_train, n_test = len(data.train), len(data.test)

    def pick(values):
        return None if values is None else np.asarray(values)[place]

    class_weight = task.class_weight
    weights = FoldWeights(
        n_train + n_test,
        [(np.arange(n_train), np.arange(n_train, n_train + n_test))],
        fit_weight=pick(solver.fit_weight),
        score_weight=pick(solver.score_weight),
        row_class=pick(task.row_class),
        class_weight=None if class_weight is None else lambda rows: class_weight(place[rows]),
        device=solver.device,
    )
    if solver.row_weights is not None:
        factor = torch.as_tensor(solver.row_weights.folds[place, k], dtype=torch.float64)
        weights = weights.reweighted(factor.to(solver.device))
    matrix = Placed(pad_features(_stored(data.matrix, solver.device), width), solver.device)
    return make_rows(matrix, task.target_of(k)[place], weights, task.fit_intercept, dtype)
