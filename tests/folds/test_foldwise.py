"""Rows that differ between the folds: each fold's products are its own."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import FoldWeights, FoldwiseRows
from tests.folds import naive
from tests.folds.naive import N
from tests.folds.test_rows import D, check_kept, coefficients, data
from tests.problems import rows_of

SPLITS = [(np.arange(25), np.arange(25, N)), (np.arange(10, 40), np.arange(10))]


def folds(make=lambda X: X):
    """Return one set of rows a fold, each with a matrix of its own."""
    found = []
    for k, split in enumerate(SPLITS):
        X, target = data(seed=k)
        found.append(rows_of(make(X), target, FoldWeights(N, [split])))
    return found


@pytest.mark.parametrize("make", [lambda X: X, lambda X: sp.csr_array(X * (X > 0))])
def test_every_fold_sees_its_own_matrix(make):
    parts = folds(make)
    rows = FoldwiseRows(parts)
    y = coefficients(2, 3, 2, 2, D + 1)
    products, sums = rows.sweep(y, naive.row_function)
    gram = rows.gram(y[:1], naive.weight_function, False, N)
    entries = torch.arange(2 * (D + 1))
    joint = rows.joint_gram(y[:1], naive.columns_function, entries, 3)
    diagonal = rows.diagonal(y[:1], naive.weight_function)
    for k, part in enumerate(parts):
        own = y[:, :, k : k + 1]
        expected, expected_sums = part.sweep(own, naive.row_function)
        torch.testing.assert_close(products[:, :, k : k + 1], expected)
        for got, one in zip(sums, expected_sums, strict=True):
            torch.testing.assert_close(got[:, k : k + 1], one)
        one = part.gram(own[:1], naive.weight_function, False, N)
        torch.testing.assert_close(gram[:, k : k + 1], one)
        both = part.joint_gram(own[:1], naive.columns_function, entries, 3)
        torch.testing.assert_close(joint[:, k : k + 1], both)
        torch.testing.assert_close(
            diagonal[:, k : k + 1], torch.diagonal(one, dim1=-2, dim2=-1), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("make", [lambda X: X, lambda X: sp.csr_array(X * (X > 0))])
def test_what_is_kept_serves_later_passes(make):
    check_kept(FoldwiseRows(folds(make)))


def test_folds_never_share_a_gram():
    rows = FoldwiseRows(folds())
    y = coefficients(1, 1, 2, 1, D + 1)
    assert rows.gram(y, naive.weight_function, True, N).shape[1] == 2


def test_shape_and_totals_are_those_of_the_folds():
    rows = FoldwiseRows(folds())
    assert (rows.n_rows, rows.n_folds, rows.n_coefficients) == (N, 2, D + 1)
    assert rows.train_total.tolist() == [25.0, 30.0]
    assert rows.train_rows.tolist() == [25.0, 30.0]


@pytest.mark.parametrize("make", [lambda X: X, lambda X: sp.csr_array(X * (X > 0))])
def test_taken_rows_are_the_users_wherever_they_stand_in_a_fold(make):
    """Each fold has its rows in an order of its own; one of them lacks some rows altogether."""
    user, chosen = np.random.default_rng(0), np.array([1, 4, 9, 12, 30, 31, N - 1])
    factor = torch.as_tensor(user.uniform(0.5, 1.5, N))
    parts, expected, places, own_places = [], [], [], []
    for k, split in enumerate(SPLITS):
        X, target = data(seed=k)
        order = user.permutation(N)[: N - 5 * k]
        weights = FoldWeights(N, [split]).take(order)
        parts.append(rows_of(make(X)[order], target[order], weights))
        places.append(torch.as_tensor(order))
        own = order[np.isin(order, chosen)]
        kept = FoldWeights(N, [split]).take(own)
        expected.append(rows_of(make(X)[own], target[own], kept).reweighted(factor[own]))
        own_places.append(np.searchsorted(chosen, own))
    rows = FoldwiseRows(parts, places)
    assert rows.n_rows == 1 + max(int(place.max()) for place in places)
    some = rows.take(chosen)
    for place, own in zip(some.places, own_places, strict=True):
        np.testing.assert_array_equal(place, own)
    y = coefficients(2, 3, 2, 2, D + 1)
    products, _ = some.reweighted(factor[chosen]).sweep(y, naive.row_function)
    for k, part in enumerate(expected):
        one, _ = part.sweep(y[:, :, k : k + 1], naive.row_function)
        torch.testing.assert_close(products[:, :, k : k + 1], one)
