"""Second moments of the folds are the naive ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import FoldWeights, FoldwiseRows, fold_moments, pooled_moments
from tests.folds.naive import N, NaiveWeights, dense
from tests.folds.test_foldwise import folds
from tests.folds.test_rows import data
from tests.problems import rows_of


def check(X, target, splits, options, fit_intercept):
    rows = rows_of(X, target, FoldWeights(len(target), splits, **options), fit_intercept)
    train, validation, centre, target_centre = fold_moments(rows)
    K, d = len(splits), X.shape[1]
    assert centre.shape == (K, d)
    naive = NaiveWeights(len(target), splits, **options).normalised()
    full, T = dense(X, fit_intercept), np.asarray(target).reshape(len(target), -1)
    assert target_centre.shape == (K, T.shape[1])
    T = T - target_centre[0].numpy()  # all folds share the rows
    for moments, weights in zip((train, validation), naive, strict=True):
        for k in range(K):
            centred, w = full.copy(), weights[:, k]
            centred[:, :d] -= centre[k].numpy()
            close = {"rtol": 1e-10, "atol": 1e-12 * np.abs(full).max() ** 2}
            weighted = centred * w[:, None]
            np.testing.assert_allclose(moments.gram[k], weighted.T @ centred, **close)
            np.testing.assert_allclose(moments.cross[k], T.T @ weighted, **close)
            np.testing.assert_allclose(moments.square[k], w @ T**2, **close)
    return centre, target_centre


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_moments_are_naive_ones(splits, options, kind, fit_intercept):
    X, target = data()
    X = sp.csr_array(X * (X > 0)) if kind == "sparse" else X
    check(X, target, splits, options, fit_intercept)


def test_several_targets(splits):
    X, target = data()
    check(X, np.column_stack([target, target**2, X[:, 0]]), splits, {}, True)


def test_moments_at_the_best_intercept_are_those_of_centred_columns(splits):
    X, target = data()
    weights = FoldWeights(len(target), splits)
    train, *_ = fold_moments(rows_of(X, target, weights))
    w = NaiveWeights(len(target), splits).normalised()[0]
    own = train.without_last
    for k in range(len(splits)):
        centred = X - w[:, k] @ X
        T = target - w[:, k] @ target
        weighted = centred * w[:, [k]]
        np.testing.assert_allclose(own.gram[k], weighted.T @ centred, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(own.cross[k, 0], T @ weighted, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(own.square[k, 0], w[:, k] @ T**2, rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_any_number_type_is_summed_in_double(splits, dtype):
    X, target = data()
    check((3 * X).astype(dtype), target, splits, {}, True)


def test_chunks_add_up():
    X, target = data(20_001, 3)
    folds = np.array_split(np.random.default_rng(0).permutation(len(X)), 3)
    splits = [(np.setdiff1d(np.arange(len(X)), fold), fold) for fold in folds]
    check(X, target, splits, {}, True)


def test_large_means_cost_no_digits():
    X, target = data()
    splits = [(np.arange(20), np.arange(20, N)), (np.arange(20, N), np.arange(20))]
    far = X + 1e8
    centre, _ = check(far, target + 1e8, splits, {}, True)
    train, _, _, _ = fold_moments(rows_of(far, target, FoldWeights(N, splits)))
    about = far[:20] - centre[0].numpy()
    np.testing.assert_allclose(train.gram[0, :-1, :-1], about.T @ about / 20, rtol=1e-12)


def test_without_an_intercept_nothing_is_centred():
    X, target = data()
    rows = rows_of(X, target, FoldWeights(N, [(np.arange(N), np.arange(0))]), False)
    *_, centre, target_centre = fold_moments(rows)
    assert not centre.any() and not target_centre.any()


def test_training_by_subtraction_equals_training_by_sums():
    # Where folds part the rows, training moments are differences; a row that is tested twice
    # forbids that, and must not change the other folds' training moments.
    X, target = data()
    parts = np.array_split(np.arange(N), 3)
    splits = [(np.setdiff1d(np.arange(N), part), part) for part in parts]
    more = [*splits, (np.arange(10), np.arange(10, N))]
    weight = np.random.default_rng(0).uniform(0.5, 2, N)
    options = {"fit_weight": weight, "score_weight": None}
    quick, *_ = fold_moments(rows_of(X, target, FoldWeights(N, splits, **options)))
    slow, *_ = fold_moments(rows_of(X, target, FoldWeights(N, more, **options)))
    for name in ("gram", "cross", "square"):
        torch.testing.assert_close(getattr(quick, name), getattr(slow, name)[:3])


def test_foldwise_rows_keep_each_folds_own_moments():
    parts = folds()
    train, validation, *centres = fold_moments(FoldwiseRows(parts))
    for k, part in enumerate(parts):
        own_train, own_validation, *own_centres = fold_moments(part)
        assert torch.equal(train.gram[k], own_train.gram[0])
        assert torch.equal(validation.cross[k], own_validation.cross[0])
        for centre, own_centre in zip(centres, own_centres, strict=True):
            assert torch.equal(centre[k], own_centre[0])


def test_folds_that_part_the_rows_tell_the_moments_of_all():
    X, target = np.random.default_rng(0).normal(2, 1, (30, 3)), np.arange(30.0)
    parts = np.array_split(np.random.default_rng(1).permutation(30), 4)
    splits = [(np.setdiff1d(np.arange(30), part), part) for part in parts]
    weight = np.linspace(0.5, 2, 30)
    for given in ({}, {"fit_weight": weight, "score_weight": weight}):
        weights = FoldWeights(30, splits, **given)
        (pooled, same, *_) = pooled_moments(fold_moments(rows_of(X, target, weights)), weights)
        all_rows = FoldWeights(30, [(np.arange(30), np.arange(0))], **given)
        whole, *_ = fold_moments(rows_of(X, target, all_rows))
        assert same is pooled
        # About the same centre: that of all rows.
        for name in ("gram", "cross", "square"):
            torch.testing.assert_close(
                getattr(pooled, name), getattr(whole, name), rtol=1e-12, atol=1e-12
            )


@pytest.mark.parametrize("given", [{"fit_weight": np.linspace(0.5, 2, 30)}, {}])
def test_folds_that_do_not_tell_the_moments_of_all_say_so(given):
    X, target = np.random.default_rng(0).normal(2, 1, (30, 3)), np.arange(30.0)
    splits = [(np.arange(20), np.arange(20, 30)), (np.arange(10, 30), np.arange(10))]
    weights = FoldWeights(30, splits, **given)
    assert pooled_moments(fold_moments(rows_of(X, target, weights)), weights) is None
