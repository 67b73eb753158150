"""Splits of every kind, and weights made of them."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit

from tests.folds.naive import N, NaiveWeights


def bootstrap(n, times, seed=0):
    """Training rows drawn with repeats, tested on those left out."""
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, n, n) for _ in range(times)]
    return [(rows, np.setdiff1d(np.arange(n), rows)) for rows in drawn]


def masks(n):
    """The folds of a KFold as boolean masks."""
    splits = []
    for train, test in KFold(2).split(np.zeros(n)):
        parts = np.zeros((2, n), dtype=bool)
        parts[0, train] = parts[1, test] = True
        splits.append((parts[0], parts[1]))
    return splits


SPLITS = {
    "kfold": list(KFold(3).split(np.zeros(N))),
    "shuffled": list(KFold(3, shuffle=True, random_state=0).split(np.zeros(N))),
    "overlapping": list(ShuffleSplit(3, test_size=0.4, random_state=0).split(np.zeros(N))),
    "time series": list(TimeSeriesSplit(3).split(np.zeros(N))),
    "bootstrap": bootstrap(N, 3),
    "masks": masks(N),
    "one fold": [(np.arange(20), np.arange(20, N))],
    "counted from the end": [(np.arange(-N, -10), np.arange(-10, 0))],
    "repeated test rows": [(np.arange(20), np.array([20, 20, 20, 25]))],
}


@pytest.fixture(params=SPLITS)
def splits(request):
    """Splits of every kind of N rows."""
    return SPLITS[request.param]


@pytest.fixture(params=["plain", "weighted", "balanced", "balanced and weighted"])
def options(request):
    """Weights of training and validation, as keywords of FoldWeights."""
    rng = np.random.default_rng(1)
    found = {}
    if "weighted" in request.param:
        found["fit_weight"] = rng.integers(0, 4, N).astype(float)
        found["score_weight"] = rng.uniform(0.1, 2, N)
    if "balanced" in request.param:
        found |= NaiveWeights.balanced_options(rng.integers(0, 3, N))
    return found
