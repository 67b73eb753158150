"""Features far from zero, brought there before anything is solved.

With years, prices or timestamps next to features of size one, the second moments are
nearly those of the intercept, and their variation is lost in rounding. An intercept that no penalty
affects absorbs any shift of a feature, so models of shifted features are the same models.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from skbamm.data.far_rows import FarRows
from skbamm.folds.pairs import count_entries

_FAR = 1e3  # ratio of mean to spread above which a feature is centred
_LOOK = 4096  # rows from which means and spreads are estimated
_SMALL = 1 << 23  # entries of a matrix of which constant features, too, are brought to zero


def far_centre(matrix: Any) -> np.ndarray | None:
    """Return what to subtract from each feature, (d,), or None where none is far from zero.

    Sparse features that have zeros are never far: their spread is at least as large as theirs.
    """
    n, d = matrix.shape
    if n == 0:
        return None
    step = max(1, n // _LOOK)
    if not sp.issparse(matrix):
        centre = _centre(np.asarray(matrix[::step]), matrix.size)
        return centre if centre.any() else None
    centre = np.zeros(d, matrix.dtype)
    full = matrix.indices[matrix.indptr[0] : matrix.indptr[1]]
    full = np.flatnonzero(count_entries(matrix) == n) if len(full) else full
    if len(full):
        centre[full] = _centre(matrix[:, full][::step].toarray(), n * len(full))
    return centre if centre.any() else None


def _centre(sample: np.ndarray, size: int) -> np.ndarray:
    mean = sample.mean(0, dtype=np.float64)
    return far_means(mean, sample.std(0, dtype=np.float64), size).astype(sample.dtype)


def far_means(mean: np.ndarray, spread: np.ndarray, size: int) -> np.ndarray:
    """Return the means (..., d) of features that are far from zero, and zero for the others."""
    least = _FAR * spread
    if size > _SMALL:  # a copy for the sake of a column of ones would not be worth it
        least = np.where(least > 0, least, _FAR * spread.max(-1, initial=0.0)[..., None])
    return np.where(np.abs(mean) > least, mean, 0.0)


def less(matrix: Any, centre: np.ndarray) -> Any:
    """Return a matrix less a centre; of a sparse one only what is stored changes."""
    if isinstance(matrix, FarRows):
        return matrix.less(centre)
    if not sp.issparse(matrix):
        return matrix - centre
    data = matrix.data - centre[matrix.indices]
    return sp.csr_array((data, matrix.indices, matrix.indptr), matrix.shape)


def centre_folds(folds: list) -> tuple[list, list[np.ndarray | None]]:
    """Return the folds' data, each less its own centre, and these centres."""
    centres = [far_centre(fold.matrix) for fold in folds]
    moved = [
        fold if centre is None else replace(fold, matrix=less(fold.matrix, centre), plain=False)
        for fold, centre in zip(folds, centres, strict=True)
    ]
    return moved, centres


def shifted(coef: np.ndarray, centre: np.ndarray, sign: float) -> np.ndarray:
    """Return coefficients (m, p), the intercept last, for features less or plus a centre.

    With a sign of -1 those of features less the centre become those of the features.
    """
    moved = coef.astype(np.float64)
    moved[:, -1] += sign * (moved[:, : len(centre)] @ centre.astype(np.float64))
    return moved
