"""The splits that row weights are learned on never show a model the rows that it judges."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold

from skbamm.search.weighing.partitions import MANY, inner_splits, more_partitions


@pytest.mark.parametrize("n, folds, expected", [(50, 5, 4), (50, 2, 5)])
def test_inner_splits_part_the_training_rows(n, folds, expected):
    splits = list(KFold(folds).split(np.zeros(n)))
    for k, (train, _) in enumerate(splits):
        inner = inner_splits(splits, k)
        assert len(inner) == expected
        for kept, out in inner:
            np.testing.assert_array_equal(np.sort(np.concatenate([kept, out])), train)
        held_out = np.concatenate([out for _, out in inner])
        np.testing.assert_array_equal(np.sort(held_out), train)


def test_folds_that_overlap_are_not_put_together():
    splits = list(ShuffleSplit(30, test_size=0.4, random_state=0).split(np.zeros(100)))
    train = splits[0][0]
    for kept, out in inner_splits(splits, 0):
        assert not np.intersect1d(kept, out).size
        assert np.isin(kept, train).all() and np.isin(out, train).all()


def test_few_rows_are_parted_more_than_once():
    few, many = np.zeros(100), np.zeros(MANY)
    assert len(more_partitions(StratifiedKFold(4), few, np.arange(100) % 2)) == 2
    assert more_partitions(StratifiedKFold(4), many, np.arange(MANY) % 2) == []
