"""The splits that row weights are learned on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

from skbamm._sklearn_compat import num_samples

_FOLDS = 5
_PARTITIONS: dict[type, Any] = {  # that draw rows at random, and partitions like them
    KFold: KFold,
    StratifiedKFold: StratifiedKFold,
    ShuffleSplit: KFold,
    StratifiedShuffleSplit: StratifiedKFold,
}
MANY = 20_000  # rows that are learned from without such pains
_REPEATS = 3  # partitions that the final weights are learned with, where the splits are ours


def inner_splits(splits: list, k: int) -> list:
    """Split fold k's training rows by the other folds, so that its test rows stay unseen."""
    train = np.unique(splits[k][0])
    inner = []
    for j, (other, _) in enumerate(splits):
        kept = np.intersect1d(train, other)
        out = np.setdiff1d(train, other)
        if j != k and len(kept) and len(out):
            inner.append((kept, out))
    if len(inner) > 1 and len(np.unique(np.concatenate([out for _, out in inner]))) == len(train):
        return inner
    # They do not hold out every row, so not every row could be judged.
    halves = KFold(min(5, len(train)), shuffle=True, random_state=0)
    return [(train[a], train[b]) for a, b in halves.split(train)]


def more_partitions(cv: Any, X: Any, y: Any) -> list[list]:
    """Return further partitions of the kind of ``cv``, if rows may be split at random.

    They reduce the influence of random splits when rows are few.
    """
    kind = _PARTITIONS.get(type(cv))
    if kind is None or num_samples(X) >= MANY:
        return []
    n_splits = cv.n_splits if kind is type(cv) else _FOLDS
    return [
        [tuple(split) for split in kind(n_splits, shuffle=True, random_state=r).split(X, y)]
        for r in range(_REPEATS - 1)
    ]


def trusted_splits(cv: Any, splits: list, y: Any, trusted: np.ndarray) -> tuple[list, list]:
    """Return splits that test on trusted rows only, and the same with all rows held out.

    If the splitter does not depend on the rows' positions, trusted and other rows are split
    separately, so that each fold has its share of both.
    """
    if type(cv) in (KFold, StratifiedKFold):
        y = np.asarray(y)
        parts = []
        for rows in (np.flatnonzero(trusted), np.flatnonzero(~trusted)):
            parts.append([rows[test] for _, test in cv.split(rows, y[rows])])
        held_out = [np.sort(np.concatenate(pair)) for pair in zip(*parts, strict=True)]
        everything = np.arange(len(trusted))
        splits = [(np.setdiff1d(everything, out), out) for out in held_out]
    tested = [(train, test[trusted[test]]) for train, test in splits]
    empty = [k for k, (_, test) in enumerate(tested) if not len(test)]
    if empty:
        raise ValueError(f"SampleWeights: the test rows of splits {empty} have no trusted row.")
    return tested, splits
