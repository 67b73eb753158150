"""Few rows that differ between the folds: in one batch as they are one by one."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from skbamm.data import folded
from skbamm.folds import FoldWeights, FoldwiseRows, StackedRows, fold_moments
from tests.folds import naive
from tests.folds.naive import N
from tests.folds.test_rows import D, check_kept, coefficients, data
from tests.problems import rows_of

SPLITS = [(np.arange(25), np.arange(25, N)), (np.arange(10, 40), np.arange(10))]
X = np.stack([data(seed=k)[0] for k in range(2)])
TARGET = data()[1]


def both(intercept=True):
    """The same rows, stacked and one fold after the other."""
    weights = FoldWeights(N, SPLITS)
    target = torch.as_tensor(TARGET)
    stacked = StackedRows(torch.as_tensor(X), target, weights, intercept, torch.float64)
    parts = [
        rows_of(X[k], TARGET, FoldWeights(N, [split]), fit_intercept=intercept)
        for k, split in enumerate(SPLITS)
    ]
    return stacked, FoldwiseRows(parts, [torch.arange(N)] * 2)


def assert_same(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("intercept", [True, False])
def test_all_products_are_those_of_the_folds(intercept):
    stacked, foldwise = both(intercept)
    y = coefficients(2, 3, 2, 2, D + intercept)
    products, sums = stacked.sweep(y, naive.row_function)
    expected, expected_sums = foldwise.sweep(y, naive.row_function)
    assert_same(products, expected)
    for one, other in zip(sums, expected_sums, strict=True):
        assert_same(one, other)
    entries = torch.arange(2 * (D + intercept))
    for share in (True, False):
        asked = y[:1], naive.weight_function, share, N
        assert_same(stacked.gram(*asked), foldwise.gram(*asked))
    for known in (3, 0):
        asked = y[:1], naive.columns_function, entries, known
        assert_same(stacked.joint_gram(*asked), foldwise.joint_gram(*asked))
    asked = y[:1], naive.weight_function
    assert_same(stacked.diagonal(*asked), foldwise.diagonal(*asked))


def test_some_rows_and_some_features_and_factors_are_those_of_the_folds():
    stacked, foldwise = both()
    chosen, factor = np.array([1, 4, 9, 12, 30, 31, N - 1]), torch.linspace(0.5, 2, N).double()
    index = torch.tensor([0, 2, D])
    for one, other, width in (
        (stacked.take(chosen), foldwise.take(chosen), D + 1),
        (stacked.features(index), foldwise.features(index), 3),
        (stacked.reweighted(factor), foldwise.reweighted(factor), D + 1),
    ):
        y = coefficients(2, 1, 2, 1, width)
        assert_same(one.sweep(y, naive.row_function)[0], other.sweep(y, naive.row_function)[0])
        assert_same(one.train_total, other.train_total)
        assert_same(one.train_rows, other.train_rows)


def test_shapes_and_totals_are_those_of_the_folds():
    stacked, foldwise = both()
    for name in ("n_rows", "n_folds", "n_features", "n_coefficients", "fit_intercept", "dtype"):
        assert getattr(stacked, name) == getattr(foldwise, name)
    assert stacked.target_mean == pytest.approx(foldwise.target_mean)
    check_kept(stacked)


def test_moments_are_those_of_the_folds():
    got, expected = (fold_moments(rows) for rows in both())
    for one, other in zip(got[:2], expected[:2], strict=True):
        for name in ("gram", "cross", "square"):
            assert_same(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("overlap", [False, True])
def test_a_row_that_is_trained_and_tested_on_may_be_two(overlap, monkeypatch):
    """Only folds that have each row once are stacked; scores are the same either way."""
    X, y = load_diabetes(return_X_y=True)
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    if overlap:
        splits = [(np.concatenate([train, test[:5]]), test) for train, test in splits]
    made = []

    def spy(*args):
        made.append(type(original(*args)))
        return original(*args)

    original = folded.FoldedData._make_rows
    monkeypatch.setattr(folded.FoldedData, "_make_rows", spy)
    model = make_pipeline(StandardScaler(), Ridge())
    search = BAMMSearchCV(model, {"ridge__alpha": (1e-2, 1e4)}, cv=splits)
    found = search.fit(X, y).best_score_
    assert set(made) == {FoldwiseRows if overlap else StackedRows}
    monkeypatch.setattr(folded, "STACKED", 0)
    assert search.fit(X, y).best_score_ == pytest.approx(found, rel=1e-9)
    assert made[-1] is FoldwiseRows
