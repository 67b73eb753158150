"""Gram matrices from pairs of non-zeros are those of the dense matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.effort import Costs, Meter, metered
from skbamm.folds import FoldWeights, pairs
from skbamm.folds.pairs import PairCosts, PairProducts
from tests.folds import naive
from tests.folds.conftest import SPLITS
from tests.folds.naive import N
from tests.folds.test_rows import check, coefficients
from tests.problems import rows_of

RNG = np.random.default_rng(0)


def one_hot(n, d, count):
    """Rows with one of each of some features' values."""
    codes = RNG.integers(d // count, size=(n, count)) + np.arange(count) * (d // count)
    entries = np.ones(n * count), (np.repeat(np.arange(n), count), codes.ravel())
    return sp.coo_array(entries, shape=(n, d)).tocsr()


def mixed(n=N, often=3, d=40):
    """Numbers first and last, one-hot columns between."""
    numbers = RNG.normal(size=(n, often))
    blocks = [sp.csr_array(numbers), one_hot(n, d, 4), sp.csr_array(numbers[:, :1] + 1)]
    return sp.csr_array(sp.hstack(blocks))


def repeated():
    """Entries that are stored twice, in no order, and a row and a feature without any."""
    X = sp.csr_array(
        (np.arange(1.0, 8), [3, 1, 1, 0, 5, 5, 3], [0, 3, 3, 7, *[7] * (N - 3)]), (N, 20)
    )
    assert not X.has_canonical_format
    return X


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "X",
    [mixed(), one_hot(N, 30, 3), repeated(), mixed().astype(np.float32), sp.csr_array((N, 9)),
     sp.csr_array(RNG.normal(size=(N, 4)))],
    ids=["mixed", "codes", "repeated", "single", "empty", "dense"],
)  # fmt: skip
def test_pairs_add_up_to_the_dense_products(X, fit_intercept):
    weights = torch.as_tensor(RNG.uniform(size=(3, N)))
    dense = X.toarray().astype(float)
    if fit_intercept:
        dense = np.hstack([dense, np.ones((N, 1))])
    costs = PairCosts.of(X, fit_intercept)
    got = PairProducts(X, fit_intercept, costs.often).gram(weights)
    for matrix, w in zip(got.numpy(), weights.numpy(), strict=True):
        np.testing.assert_allclose(matrix, (dense.T * w) @ dense, rtol=1e-12, atol=1e-12)


def test_pairs_serve_where_rows_are_sparse_and_only_there():
    assert PairCosts.of(mixed(2000, d=400), True).pays
    assert not PairCosts.of(sp.csr_array(RNG.normal(size=(200, 30))), True).pays


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_folds_share_rows_whose_pairs_serve(splits, options, fit_intercept, monkeypatch):
    monkeypatch.setattr(pairs, "COSTS", Costs(pair_call=0.0))
    X = mixed()
    assert PairCosts.of(X, fit_intercept).pays
    check(X, RNG.normal(size=N), splits, options, fit_intercept=fit_intercept)


def test_pairs_are_counted_as_what_they_take(monkeypatch):
    monkeypatch.setattr(pairs, "COSTS", Costs(pair_call=0.0))
    X, meter = mixed(), Meter(1e9)
    rows = rows_of(X, RNG.normal(size=N), FoldWeights(N, SPLITS["kfold"]))
    with metered(meter):
        rows.gram(coefficients(1, 1, 3, 1, X.shape[1] + 1), naive.weight_function, False, N)
    assert meter.spent >= 3 * PairCosts.of(X, True).seconds
