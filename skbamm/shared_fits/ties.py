"""Ties of training rows at equal distance, which scikit-learn resolves.

It depends on the number of neighbours, on the order of computations and on nothing else. So few
rows can be queried alone if their distances are bitwise equal.
"""

from __future__ import annotations

import numpy as np

BLOCK = 64  # rows that matrix products process together on common processors


def open_ties(distances: np.ndarray, indices: np.ndarray, k: int, y: np.ndarray) -> np.ndarray:
    """Return the rows of which several sets of k rows are the nearest, with different targets.

    Parameters
    ----------
    distances, indices : ndarray of shape (n_rows, most)
        The nearest first; ``most`` is larger than k, or these are all of the training rows.
    k : int
    y : ndarray of shape (n_training_rows,) or (n_training_rows, n_outputs)
    """
    if k == distances.shape[1]:
        return np.empty(0, dtype=np.intp)
    rows = np.flatnonzero(distances[:, k - 1] == distances[:, k])
    if not rows.size:
        return rows
    tied = distances[rows] == distances[rows, k - 1][:, None]
    targets = np.asarray(y)[indices[rows]]
    same = targets == targets[:, k - 1][:, None]
    if same.ndim == 3:
        same = same.all(axis=2)
    # Those beyond the last that is known may be as far away, too.
    ends = distances[rows, -1] > distances[rows, k - 1]
    return rows[~((same | ~tied).all(axis=1) & ends)]


def known_alike(
    distances: np.ndarray, indices: np.ndarray, others: np.ndarray, other_indices: np.ndarray
) -> np.ndarray:
    """Return, for each row and number of neighbours, whether two searches cannot differ in it.

    Parameters
    ----------
    distances, indices : ndarray of shape (n_rows, most)
        Of one search, the nearest first.
    others, other_indices : ndarray of shape (n_rows, most)
        Of another.

    Returns
    -------
    ndarray of shape (n_rows, most)
        For k neighbours in column k - 1: all at this distance have the same distances, and those
        that are farther away are so in both.
    """
    last = distances[:, -1:]
    alike = (distances == others).all(axis=1)
    alike &= (_by_index(distances, indices, last) == _by_index(others, other_indices, last)).all(
        (1, 2)
    )
    return alike[:, None] & (distances < last)


def _by_index(distances: np.ndarray, indices: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return pairs of an index and a distance in order, with the same for all at the last one."""
    inside = distances < last
    numbers = np.where(inside, indices, -1)
    order = np.argsort(numbers, axis=1, kind="stable")
    kept = np.where(inside, distances, -1.0)
    pairs = numbers.astype(float), kept
    return np.stack([np.take_along_axis(one, order, 1) for one in pairs], axis=2)


def padded(rows: np.ndarray) -> np.ndarray:
    """Return rows with some of them once more, so that none is at the edge of a block."""
    return np.resize(rows, -(-len(rows) // BLOCK) * BLOCK)
