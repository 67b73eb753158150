"""Which training rows are the nearest where several are equally far away."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skbamm.shared_fits.ties import known_alike, open_ties, padded
from tests.shared_fits.tables import check_same_table

DISTANCES = np.array([[0.0, 1.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0]])
INDICES = np.array([[0, 1, 2, 3], [0, 1, 2, 3]])


def test_ties_that_matter():
    different, same = np.array([0, 1, 0, 0]), np.array([0, 1, 1, 0])
    assert open_ties(DISTANCES, INDICES, 1, different).tolist() == []
    assert open_ties(DISTANCES, INDICES, 2, different).tolist() == [0, 1]
    # Of the second row nobody knows how many others are as far away.
    assert open_ties(DISTANCES, INDICES, 2, same).tolist() == [1]
    assert open_ties(DISTANCES, INDICES, 4, different).tolist() == []
    two = np.stack([same, different], 1)
    assert open_ties(DISTANCES, INDICES, 2, two).tolist() == [0, 1]


def test_searches_that_cannot_differ():
    alike = known_alike(DISTANCES, INDICES, DISTANCES, INDICES[:, [0, 2, 1, 3]])
    assert alike.tolist() == [[True, True, True, False], [True, False, False, False]]
    others = DISTANCES + np.array([[0, 0, 1e-15, 0], [0, 0, 0, 0]])
    assert known_alike(DISTANCES, INDICES, others, INDICES)[:, 0].tolist() == [False, True]
    swapped = INDICES[:, [1, 0, 2, 3]]
    assert not known_alike(DISTANCES, INDICES, DISTANCES, swapped).any()


def test_rows_are_padded():
    rows = padded(np.arange(70))
    assert len(rows) == 128
    assert rows[:70].tolist() == list(range(70))


def test_real_numbers_with_copies():
    """Rows that are in several classes, of numbers whose products are rounded."""
    rng = np.random.default_rng(0)
    some = rng.normal(size=(60, 23))
    rows = some[rng.integers(0, 60, 400)]
    labels = rng.integers(0, 3, 400)
    grid = {"n_neighbors": [1, 2, 5, 11, 30, 31], "weights": ["uniform", "distance"]}
    check_same_table(
        KNeighborsClassifier(), grid, rows, labels, scoring=["accuracy", "roc_auc_ovr"]
    )
    check_same_table(KNeighborsRegressor(), grid, rows, labels, return_train_score=True)
