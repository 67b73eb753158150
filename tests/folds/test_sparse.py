"""Passes over a sparse matrix are those over the dense one."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import FoldWeights, FoldwiseRows, sparse
from tests.folds import naive
from tests.folds.conftest import SPLITS
from tests.folds.naive import N
from tests.folds.test_rows import check, coefficients, data
from tests.problems import rows_of


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


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_gram_matrix_of_frequent_features_is_a_part_of_that_of_all(fit_intercept, monkeypatch):
    monkeypatch.setattr(sparse, "_FREQUENT", 3)
    X, target = sparse_data()
    rows = rows_of(X, target, FoldWeights(N, SPLITS["kfold"]), fit_intercept=fit_intercept)
    y = coefficients(1, 2, 3, 2, 6 + fit_intercept)
    index, gram = rows.frequent_gram(y, naive.weight_function)
    seen = np.bincount(X.indices, minlength=6)
    assert sorted(seen[index[0, :3]]) == sorted(seen)[-3:]
    assert index.shape == (1, 3 + fit_intercept)
    whole = rows.gram(y, naive.weight_function, True, N)
    torch.testing.assert_close(gram, whole[..., index[0], :][..., index[0]])


def test_of_many_rows_some_tell_what_features_have_to_do_with_each_other(monkeypatch):
    monkeypatch.setattr(sparse, "_FREQUENT", 3)
    X, target = sparse_data(n=4000)
    splits = [(np.arange(0, 4000, 2), np.arange(1, 4000, 2))]
    rows = rows_of(X, target, FoldWeights(4000, splits))
    y = coefficients(1, 1, 1, 1, 7)
    index, gram = rows.frequent_gram(y, naive.weight_function)
    whole = rows.gram(y, naive.weight_function, True, 4000)[..., index[0], :][..., index[0]]
    scale = whole.diagonal(dim1=-2, dim2=-1).max()
    assert 0 < float((gram - whole).abs().max() / scale) < 0.2
    monkeypatch.setattr(sparse, "_COPIED", 0.0)  # their predictors are those among all
    again = rows.with_folds(rows.weights)
    _, same = again.frequent_gram(y, naive.weight_function)
    torch.testing.assert_close(same, gram, rtol=0.1, atol=0.1 * float(scale))
    assert again._most_frequent[1] is None


def test_folds_have_frequent_features_of_their_own(monkeypatch):
    monkeypatch.setattr(sparse, "_FREQUENT", 2)
    X, target = sparse_data()
    shuffled = X[:, [5, 3, 4, 2, 1, 0]]
    parts = [
        rows_of(one, target, FoldWeights(N, [split]))
        for one, split in zip((X, shuffled), SPLITS["kfold"], strict=False)
    ]
    y = coefficients(1, 1, 2, 1, 7)
    index, gram = FoldwiseRows(parts).frequent_gram(y, naive.weight_function)
    for k, rows in enumerate(parts):
        own, expected = rows.frequent_gram(y[:, :, [k]], naive.weight_function)
        torch.testing.assert_close(index[[k]], own)
        torch.testing.assert_close(gram[:, [k]], expected)
    dense = rows_of(X.toarray(), target, FoldWeights(N, SPLITS["kfold"][:1]))
    assert dense.frequent_gram(y[:, :, :1], naive.weight_function) is None
    mixed = FoldwiseRows([dense, parts[1]])
    assert mixed.frequent_gram(y, naive.weight_function) is None


def test_chunks_are_the_matrix_itself_and_precisions_share_indices():
    X = sp.random_array((40, 9), density=0.3, format="csr", rng=np.random.default_rng(0))
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    weights = FoldWeights(40, [(np.arange(20), np.arange(20, 40))])
    blocks = {}
    double, single = (
        sparse.SparseRows(X, torch.zeros(40), weights, True, dtype, blocks)
        for dtype in (torch.float64, torch.float32)
    )
    first, second = (rows._plain(0, 40) for rows in (double, single))
    assert first.X.values().data_ptr() == X.data.ctypes.data
    for a, b in ((first.X, second.X), (first.Xt, second.Xt)):
        assert a.col_indices().data_ptr() == b.col_indices().data_ptr()
        torch.testing.assert_close(a.values().float(), b.values())
    assert double._plain(0, 40) is first
    np.testing.assert_array_equal(sparse.count_entries(X), (X.toarray() != 0).sum(0))
