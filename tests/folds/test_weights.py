"""Folds as columns of row weights."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.model_selection import KFold

from skbamm.folds import FoldWeights
from tests.folds.conftest import SPLITS
from tests.folds.naive import N, NaiveWeights
from tests.problems import rows_of


def test_chunks_are_the_naive_weights(splits, options):
    expected = NaiveWeights(N, splits, **options)
    weights = FoldWeights(N, splits, **options)
    parts = [weights.chunk(a, min(a + 10, N), torch.float64) for a in range(0, N, 10)]
    for got, naive in zip(zip(*parts, strict=True), expected.normalised(), strict=True):
        np.testing.assert_allclose(torch.cat(got), naive, rtol=1e-13)


def test_totals_are_sums_of_the_weights(splits, options):
    expected = NaiveWeights(N, splits, **options)
    weights = FoldWeights(N, splits, **options)
    np.testing.assert_allclose(weights.train_total, expected.train.sum(0), rtol=1e-13)
    np.testing.assert_allclose(weights.validation_total, expected.validation.sum(0), rtol=1e-13)
    assert weights.train_total.dtype == torch.float64


def test_training_rows_are_counted_with_repeats_whatever_they_weigh(splits, options):
    weights = FoldWeights(N, splits, **options)
    expected = [len(np.arange(N)[train]) for train, _ in splits]
    assert weights.train_rows.tolist() == expected
    assert [float(weights.fold(k).train_rows) for k in range(len(splits))] == expected
    # A penalty goes by all rows, also where some of them stand for the rest.
    assert weights.take(np.arange(0, N, 2)).train_rows.tolist() == expected


def test_nonzero_lists_the_rows_of_a_fold(splits, options):
    expected = NaiveWeights(N, splits, **options)
    weights = FoldWeights(N, splits, **options)
    for part, naive in (("train", expected.train), ("validation", expected.validation)):
        for k in range(len(splits)):
            index, weight = weights.nonzero(k, part)
            full = np.zeros(N)
            full[index] = 1.0 if weight is None else weight
            np.testing.assert_allclose(full, naive[:, k], rtol=1e-13)


def test_a_fold_alone_is_a_column(splits, options):
    weights = FoldWeights(N, splits, **options)
    whole = weights.chunk(0, N, torch.float64)
    for k in range(len(splits)):
        one = weights.fold(k)
        assert one.n_folds == 1
        for got, expected in zip(one.chunk(0, N, torch.float64), whole, strict=True):
            assert torch.equal(got, expected[:, k : k + 1])
        assert torch.equal(one.train_total, weights.train_total[k : k + 1])
        assert torch.equal(one.validation_total, weights.validation_total[k : k + 1])


@pytest.mark.parametrize("name", SPLITS)
def test_complementary_folds_are_recognised(name):
    # Each row is tested once and trained on by all other folds; masks are those of a KFold.
    expected = name in ("kfold", "shuffled", "masks")
    assert FoldWeights(N, SPLITS[name]).complementary() == expected


def test_class_weights_differ_between_folds_so_they_are_not_complementary():
    options = NaiveWeights.balanced_options(np.arange(N) % 3)
    assert not FoldWeights(N, SPLITS["kfold"], **options).complementary()


def test_left_out_rows_carry_training_weights():
    fit_weight = np.arange(N, dtype=float)
    weights = FoldWeights(N, SPLITS["shuffled"], fit_weight=fit_weight)
    for k, (_, test) in enumerate(SPLITS["shuffled"]):
        index, weight = weights.left_out(k)
        assert index.tolist() == sorted(test)
        assert weight.tolist() == sorted(test)


@pytest.mark.parametrize(
    ("fit", "score", "same"),
    [(None, None, True), (1.0, 1.0, True), (1.0, 2.0, False), (1.0, None, False)],
)
def test_same_weights(fit, score, same):
    options = {
        name: None if value is None else np.full(N, value)
        for name, value in (("fit_weight", fit), ("score_weight", score))
    }
    assert FoldWeights(N, SPLITS["kfold"], **options).same_weights() == same


def test_a_row_may_be_drawn_more_often_than_a_byte_counts():
    train = np.concatenate([np.zeros(300, dtype=int), np.arange(1, 5)])
    weights = FoldWeights(N, [(train, np.arange(5, N))])
    assert weights.train_total.item() == 304
    column = weights.chunk(0, N, torch.float64)[0][:, 0]
    torch.testing.assert_close(column[0], torch.tensor(300 / 304).double(), check_dtype=False)


def test_a_fold_may_have_no_validation_rows():
    weights = FoldWeights(N, [(np.arange(N), np.arange(0))])
    assert weights.validation_total.item() == 0
    assert not weights.chunk(0, N, torch.float32)[1].any()


def test_rows_in_other_folds_are_what_rows_of_those_folds_are():
    X, target = np.random.default_rng(0).normal(size=(2, N, 3))
    first, other = (FoldWeights(N, SPLITS[name]) for name in ("kfold", "bootstrap"))
    y = torch.ones(1, 1, other.n_folds, 1, 4, dtype=torch.float64)
    for of in (lambda X: X, sp.csr_array):
        rows = rows_of(of(X), target[:, 0], first).with_folds(other)
        plain = rows_of(of(X), target[:, 0], other)
        torch.testing.assert_close(rows.train_total, plain.train_total)

        def function(z, chunk):
            return [chunk.train[:, None] * z[0]], [chunk.validation]

        for got, expected in zip(rows.sweep(y, function), plain.sweep(y, function), strict=True):
            torch.testing.assert_close(got, expected)


def test_chunks_come_in_the_precision_asked_for():
    weights = FoldWeights(N, list(KFold(3).split(np.zeros(N))), fit_weight=np.ones(N))
    assert {part.dtype for part in weights.chunk(0, 5, torch.float32)} == {torch.float32}


def test_the_users_weights_are_not_changed():
    given = np.arange(N, dtype=float)
    before = given.copy()
    weights = FoldWeights(N, SPLITS["kfold"], fit_weight=given, score_weight=given)
    weights.chunk(0, N, torch.float64)
    np.testing.assert_array_equal(given, before)


def test_columns_repeat_the_weights_of_a_chunk_once_a_start_and_are_kept():
    weights = FoldWeights(N, SPLITS["kfold"])
    got = weights.columns(2, 20, torch.float64, 3)
    for one, chunk in zip(got, weights.chunk(2, 20, torch.float64), strict=True):
        torch.testing.assert_close(one, chunk.repeat(1, 3))
        assert one.stride() == (1, 18)
    assert weights.columns(2, 20, torch.float64, 3)[0] is got[0]
    doubled = weights.reweighted(torch.full((N,), 2.0, dtype=torch.float64))
    torch.testing.assert_close(doubled.columns(2, 20, torch.float64, 3)[0], 2 * got[0])
