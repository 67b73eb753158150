"""Passes over a dense matrix are the naive products."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import FoldWeights
from tests.folds import naive
from tests.folds.conftest import SPLITS
from tests.folds.naive import N, NaiveWeights
from tests.problems import rows_of

D = 4


def coefficients(r, S, K, m, p, seed=0):
    shape = (r, S, K, m, p)
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


def data(n=N, d=D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n)


def check(X, target, splits, options, *, fit_intercept=True, S=2, m=3, rows=None, rtol=1e-11):
    """Compare sweep, gram and diagonal with naive products."""
    given = FoldWeights(len(target), splits, **options)
    expected_weights = NaiveWeights(len(target), splits, **options)
    rows = rows_of(X, target, given, fit_intercept) if rows is None else rows
    X = torch.as_tensor(naive.dense(X, fit_intercept))
    y = coefficients(2, S, len(splits), m, X.shape[1])
    assert rows.n_coefficients == X.shape[1]
    close = {"rtol": rtol, "atol": rtol}
    got, sums = rows.sweep(y, naive.row_function)
    expected, expected_sums = naive.sweep(X, target, expected_weights, y, naive.row_function)
    torch.testing.assert_close(got, expected, **close)
    torch.testing.assert_close(list(sums), expected_sums, **close)
    y = y[:1]
    for share in (False, True):
        got = rows.gram(y, naive.weight_function, share, len(target))
        expected = naive.gram(X, target, expected_weights, y, naive.weight_function, share)
        torch.testing.assert_close(got, expected, **close)
    expected = naive.joint_gram(X, target, expected_weights, y, naive.columns_function)
    check_joint(rows, y, expected, close)
    got = rows.diagonal(y, naive.weight_function)
    expected = naive.gram(X, target, expected_weights, y, naive.weight_function)
    torch.testing.assert_close(got, torch.diagonal(expected, dim1=-2, dim2=-1), **close)


def check_joint(rows, y, expected, close):
    """Compare columns of some entries with those of the whole matrix."""
    size = expected.shape[-1]
    known, new = torch.arange(0, size, 3), torch.arange(1, size, 3)
    for first, other in ((known[:0], torch.arange(size)), (known, new), (new, known), (new, new)):
        entries = torch.cat([first, other])
        got = rows.joint_gram(y, naive.columns_function, entries, len(first))
        torch.testing.assert_close(got, expected[..., entries, :][..., other], **close)


def check_kept(rows):
    """What is kept of the predictors serves a pass as the predictors themselves do."""
    y = coefficients(2, 3, rows.n_folds, 2, rows.n_coefficients)
    kept = rows.keep(y[:1], lambda z, chunk: torch.tanh(z))

    def plain(z, chunk):
        return [chunk.train[:, None] * torch.tanh(z[0]) * z[1]], []

    def from_kept(z, chunk):
        return [chunk.train[:, None] * chunk.kept * z[0]], []

    expected = rows.sweep(y, plain)[0]
    torch.testing.assert_close(rows.sweep(y[1:], from_kept, kept)[0], expected)
    chosen = [part[:, :, [2, 0]] for part in kept]
    got = rows.sweep(y[1:, [2, 0]], from_kept, chosen)[0]
    torch.testing.assert_close(got, expected[:, [2, 0]])


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_what_is_kept_serves_later_passes(splits, fit_intercept):
    X, target = data()
    check_kept(rows_of(X, target, FoldWeights(N, splits), fit_intercept))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_products_are_naive_ones(splits, options, fit_intercept):
    check(*data(), splits, options, fit_intercept=fit_intercept)


@pytest.mark.parametrize(("S", "m"), [(1, 1), (1, 3), (4, 1), (3, 2)])
def test_any_number_of_starts_and_outputs(S, m):
    check(*data(), SPLITS["shuffled"], {}, S=S, m=m)


def test_one_column_and_one_feature():
    check(*data(d=1), SPLITS["one fold"], {}, S=1, m=1)


@pytest.mark.parametrize("n", [8192, 8193, 20_001])
def test_chunks_add_up_to_one_product(n):
    rng = np.random.default_rng(0)
    splits = [(np.arange(0, n, 2), np.arange(1, n, 2)), (np.arange(n // 2), np.arange(n // 2, n))]
    check(*data(n, 3), splits, {"fit_weight": rng.uniform(size=n)}, m=1)


@pytest.mark.parametrize("kind", ["int64", "int8", "bool", "float32"])
def test_any_number_type(kind):
    X, target = data()
    check((4 * X).astype(kind), target, SPLITS["kfold"], {})


def test_memory_layouts_give_the_same():
    X, target = data(2 * N, 2 * D)
    part = X[::2, ::2]
    assert not part.flags.c_contiguous and not part.flags.f_contiguous
    for layout in (part, np.asfortranarray(part), X.T.copy().T[::2, ::2]):
        check(layout, target[:N], SPLITS["kfold"], {})


def test_rows_are_neither_copied_nor_changed():
    X, target = data()
    before = X.copy()
    rows = rows_of(X, target, FoldWeights(N, SPLITS["kfold"]))
    assert rows.X.data_ptr() == X.ctypes.data
    rows.sweep(coefficients(2, 1, 3, 1, D + 1), naive.row_function)
    np.testing.assert_array_equal(X, before)


def test_single_precision_adds_up_in_double():
    X, target = data(100_001, 3)
    splits = [(np.arange(50_000), np.arange(50_000, 100_001))]
    weights = FoldWeights(len(X), splits)
    y = coefficients(2, 2, 1, 1, 4)
    rows = rows_of(X, target, weights, dtype=torch.float32)
    products, sums = rows.sweep(y.float(), naive.row_function)
    assert products.dtype == torch.float64 and sums[0].dtype == torch.float64
    exact, exact_sums = rows_of(X, target, weights).sweep(y, naive.row_function)
    torch.testing.assert_close(products, exact, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(list(sums), list(exact_sums), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [5_000, 60_000])
def test_a_gram_of_fewer_rows_is_near_that_of_all(n):
    X, target = data(n, 3)
    rows = rows_of(X, target, FoldWeights(n, [(np.arange(n), np.arange(0, n, 3))]))
    y = coefficients(1, 1, 1, 1, 4)
    full = rows.gram(y, naive.weight_function, True, n)
    fewer = rows.gram(y, naive.weight_function, True, n // 4)
    assert float((fewer - full).norm() / full.norm()) < 0.15


def test_a_gram_of_fewer_rows_has_rows_of_every_part():
    """Sorted rows, such as those of a file with one class after another, do no harm."""
    n = 5_000
    X, target = data(n, 3)
    X[:, 0] = 10.0 * (np.arange(n) // (n // 5))
    rows = rows_of(X, target, FoldWeights(n, [(np.arange(n), np.arange(0, n, 3))]))
    y = torch.zeros(1, 1, 1, 1, 4, dtype=torch.float64)
    full, fewer = (rows.gram(y, naive.weight_function, True, limit) for limit in (n, n // 40))
    assert float((fewer - full).norm() / full.norm()) < 0.05
    assert torch.equal(fewer, rows.gram(y, naive.weight_function, True, n // 40))


def test_a_sample_has_the_weights_that_its_rows_have_now():
    n = 4_000
    X, target = data(n, 3)
    rows = rows_of(X, target, FoldWeights(n, [(np.arange(n), np.arange(0, n, 3))]))
    y = coefficients(1, 1, 1, 1, 4)

    def sampled(rows, limit=1_000):
        return rows.gram(y, naive.weight_function, True, limit)

    plain = sampled(rows)
    twice = rows.reweighted(torch.full((n,), 2.0, dtype=torch.float64))
    other = rows.with_folds(FoldWeights(n, [(np.arange(n // 2), np.arange(n // 2, n))]))
    fresh = rows_of(X, target, other.weights)
    # Weights of a sample sum to one again; those of folds that see fewer rows are others.
    torch.testing.assert_close(sampled(twice), plain)
    torch.testing.assert_close(sampled(other), sampled(fresh))
    assert not torch.allclose(sampled(other), plain)
    torch.testing.assert_close(sampled(rows), plain)
    assert not torch.allclose(sampled(rows, 500), plain)


def test_what_is_written_in_the_predictors_place_is_what_goes_back():
    X, target = data()
    y = coefficients(2, 2, 3, 1, D + 1)

    def plain(z, chunk):
        return [chunk.train[:, None] * z[1], chunk.train[:, None] * z[0] ** 2], []

    def in_place(z, chunk):
        square = z[0] ** 2
        torch.mul(chunk.train[:, None], z[1], out=z[0])
        torch.mul(chunk.train[:, None], square, out=z[1])
        return [z[0], z[1]], []

    def in_other_places(z, chunk):
        return [z[1].mul_(chunk.train[:, None]), z[0].square_().mul_(chunk.train[:, None])], []

    for matrix in (X, sp.csr_array(X)):
        rows = rows_of(matrix, target, FoldWeights(N, SPLITS["kfold"]))
        expected = rows.sweep(y, plain)[0]
        for function in (in_place, in_other_places):
            torch.testing.assert_close(rows.sweep(y, function)[0], expected)


@pytest.mark.parametrize("S, m", [(1, 1), (2, 3)])
def test_rows_lie_innermost(S, m):
    """What is done with predictors runs along the rows, of which there are always many."""
    X, target = data()
    rows = rows_of(X, target, FoldWeights(N, SPLITS["kfold"]))
    seen = []

    def function(z, chunk):
        seen.extend([*z, chunk.train, chunk.validation])
        return naive.row_function(z, chunk)

    rows.sweep(coefficients(2, S, 3, m, D + 1), function)
    assert seen and all(part.stride(0) == 1 for part in seen)


def test_train_total_is_that_of_the_weights():
    weights = FoldWeights(N, SPLITS["kfold"], fit_weight=np.arange(N, dtype=float))
    rows = rows_of(*data(), weights)
    assert torch.equal(rows.train_total, weights.train_total)
    assert (rows.n_rows, rows.n_folds) == (N, 3)
