"""Passes over a sparse matrix are those over the dense one."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import FoldWeights

from ..problems import rows_of
from . import naive
from .conftest import SPLITS
from .naive import N
from .test_rows import check, coefficients, data


def sparse_data(n=N, d=6, dtype=np.float64):
    """Rows of which some, and one feature, are empty."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, d)) * (rng.uniform(size=(n, d)) < 0.3)
    X[5:8], X[:, 2] = 0, 0
    return sp.csr_array(X.astype(dtype)), rng.normal(size=n)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_products_are_naive_ones(splits, options, fit_intercept):
    check(*sparse_data(), splits, options, fit_intercept=fit_intercept)


@pytest.mark.parametrize(("S", "m"), [(1, 1), (4, 1), (3, 2)])
def test_any_number_of_starts_and_outputs(S, m):
    check(*sparse_data(), SPLITS["shuffled"], {}, S=S, m=m)


def test_chunks_add_up_to_one_product():
    n = 270_000  # more than one chunk
    X = sp.random_array((n, 3), density=0.2, format="csr", rng=np.random.default_rng(0))
    target = np.linspace(-1, 1, n)
    check(X, target, [(np.arange(0, n, 2), np.arange(1, n, 2))], {}, S=1, m=1, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_any_number_type(dtype):
    X, target = sparse_data()
    check((3 * X).astype(dtype), target, SPLITS["kfold"], {})


def test_sixty_four_bit_indices_are_taken():
    X, target = sparse_data()
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    check(X, target, SPLITS["kfold"], {})


def test_stored_zeros_and_repeated_entries_mean_what_they_mean_to_scipy():
    entries = ([1.0, 2.0, 0.0, 4.0], ([0, 0, 1, 2], [1, 1, 0, 3]))
    X = sp.coo_array(entries, shape=(N, 4)).tocsr()
    check(X, data()[1], SPLITS["kfold"], {})


def test_single_precision_stays_near():
    X, target = sparse_data()
    weights = FoldWeights(N, SPLITS["kfold"])
    y = coefficients(2, 2, 3, 1, 7)
    single = rows_of(X, target, weights, dtype=torch.float32)
    got, _ = single.sweep(y.float(), naive.row_function)
    exact, _ = rows_of(X, target, weights).sweep(y, naive.row_function)
    torch.testing.assert_close(got.double(), exact, rtol=1e-4, atol=1e-5)


def test_the_users_matrix_is_not_changed():
    X, target = sparse_data()
    before = X.copy()
    rows = rows_of(X, target, FoldWeights(N, SPLITS["kfold"]))
    rows.diagonal(coefficients(1, 1, 3, 1, 7), naive.weight_function)
    rows.sweep(coefficients(2, 1, 3, 1, 7), naive.row_function)
    np.testing.assert_array_equal(X.data, before.data)
    np.testing.assert_array_equal(X.indices, before.indices)
