"""Training weights times a factor, and visits that know whose rows they see."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import FoldWeights, FoldwiseRows
from tests.folds import naive
from tests.folds.conftest import SPLITS
from tests.folds.naive import N, NaiveWeights
from tests.folds.test_rows import D, coefficients, data
from tests.problems import rows_of


def factor_of(n, columns=None, seed=0):
    """Small integers, some of them zero: as a vector, or with one column a fold."""
    shape = (n,) if columns is None else (n, columns)
    return torch.as_tensor(np.random.default_rng(seed).integers(0, 4, shape).astype(float))


def by_fold(factor, K):
    return factor[:, None].expand(-1, K) if factor.ndim == 1 else factor


@pytest.fixture(params=[False, True], ids=["vector", "matrix"])
def wide(request):
    """Whether the factor has one column a fold."""
    return request.param


@pytest.fixture
def factor(wide, splits):
    """A factor of N rows for the splits."""
    return factor_of(N, len(splits) if wide else None)


# The weights


def test_chunks_are_multiplied(splits, options, factor):
    weights = FoldWeights(N, splits, **options)
    train, validation = weights.chunk(0, N, torch.float64)
    got = weights.reweighted(factor).chunk(0, N, torch.float64)
    torch.testing.assert_close(got[0], train * by_fold(factor, len(splits)))
    assert torch.equal(got[1], validation)


def test_parts_of_the_rows_get_their_own_factors(splits, options, factor):
    weights = FoldWeights(N, splits, **options).reweighted(factor)
    parts = [weights.chunk(a, min(a + 10, N), torch.float64)[0] for a in range(0, N, 10)]
    torch.testing.assert_close(torch.cat(parts), weights.chunk(0, N, torch.float64)[0])


def test_what_weights_are_divided_by_stays(splits, options, factor):
    weights = FoldWeights(N, splits, **options)
    other = weights.reweighted(factor)
    assert torch.equal(other.train_total, weights.train_total)
    assert torch.equal(other.validation_total, weights.validation_total)


@pytest.mark.parametrize("name", SPLITS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_vector_of_integers_is_a_factor_of_the_users_weights(name, weighted):
    own = np.random.default_rng(2).uniform(0.5, 2, N) if weighted else np.ones(N)
    factor = factor_of(N)
    got = FoldWeights(N, SPLITS[name], fit_weight=own).reweighted(factor)
    expected = NaiveWeights(N, SPLITS[name], fit_weight=own * factor.numpy()).train
    total = NaiveWeights(N, SPLITS[name], fit_weight=own).train.sum(0)
    np.testing.assert_allclose(got.chunk(0, N, torch.float64)[0], expected / total, rtol=1e-13)


def test_nonzero_lists_multiplied_weights(splits, options, factor):
    plain = NaiveWeights(N, splits, **options)
    weights = FoldWeights(N, splits, **options).reweighted(factor)
    wanted = plain.train * by_fold(factor, len(splits)).numpy()
    for part, expected in (("train", wanted), ("validation", plain.validation)):
        for k in range(len(splits)):
            index, weight = weights.nonzero(k, part)
            full = np.zeros(N)
            full[index] = 1.0 if weight is None else weight
            np.testing.assert_allclose(full, expected[:, k], rtol=1e-13)


def test_a_fold_alone_keeps_its_factor(splits, options, factor):
    weights = FoldWeights(N, splits, **options).reweighted(factor)
    whole = weights.chunk(0, N, torch.float64)
    for k in range(len(splits)):
        one = weights.fold(k)
        for got, expected in zip(one.chunk(0, N, torch.float64), whole, strict=True):
            assert torch.equal(got, expected[:, k : k + 1])
        got, expected = one.nonzero(0, "train"), weights.nonzero(k, "train")
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_some_rows_take_their_factors_along(splits, options, factor):
    rows = np.array([5, 1, 30, 12, 21, 40])
    weights = FoldWeights(N, splits, **options).reweighted(factor)
    some = weights.take(rows)
    expected = NaiveWeights(N, splits, **options).train * by_fold(factor, len(splits)).numpy()
    expected = expected[rows]
    np.testing.assert_allclose(some.train_total, expected.sum(0), rtol=1e-13)
    total = np.where(expected.sum(0) > 0, expected.sum(0), 1)
    got = some.chunk(0, len(rows), torch.float64)[0]
    np.testing.assert_allclose(got, expected / total, rtol=1e-13)


def test_folds_with_a_factor_are_not_complementary(wide):
    weights = FoldWeights(N, SPLITS["kfold"])
    assert weights.complementary()
    assert not weights.reweighted(factor_of(N, 3 if wide else None)).complementary()


def test_the_weights_themselves_are_left_as_they_are(splits, options, factor):
    weights, before = FoldWeights(N, splits, **options), factor.clone()
    expected = weights.chunk(0, N, torch.float64)
    weights.reweighted(factor).chunk(0, N, torch.float64)
    got = weights.chunk(0, N, torch.float64)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    assert torch.equal(factor, before)


def test_factors_multiply():
    weights, one, other = FoldWeights(N, SPLITS["kfold"]), factor_of(N), factor_of(N, 3, 1)
    got = weights.reweighted(one).reweighted(other).chunk(0, N, torch.float64)[0]
    expected = weights.chunk(0, N, torch.float64)[0] * one[:, None] * other
    torch.testing.assert_close(got, expected)


# The rows

FORMS = {"dense": np.asarray, "sparse": lambda X: sp.csr_array(X * (X > 0))}


@pytest.fixture(params=FORMS)
def rows(request):
    """Rows that three folds share."""
    X, target = data()
    return rows_of(FORMS[request.param](X), target, FoldWeights(N, SPLITS["shuffled"]))


@pytest.fixture(params=FORMS)
def foldwise(request):
    """Rows of three folds, each with features and an order of its own, and their places."""
    make, parts, places = FORMS[request.param], [], []
    for k, split in enumerate(SPLITS["shuffled"]):
        X, target = data(seed=k)
        order = np.random.default_rng(k).permutation(N)
        local = tuple(order.argsort()[part] for part in split)
        parts.append(rows_of(make(X[order]), target[order], FoldWeights(N, [local])))
        places.append(torch.as_tensor(order))
    return FoldwiseRows(parts, places)


def test_passes_over_reweighted_rows_are_those_of_other_weights(rows):
    factor = factor_of(N)
    other = FoldWeights(N, SPLITS["shuffled"], fit_weight=factor.numpy())
    scale = (other.train_total / rows.train_total)[:, None, None]
    expected = rows_of(rows.X, rows.target, other)
    got, y = rows.reweighted(factor), coefficients(2, 2, 3, 1, D + 1)

    def function(z, chunk):
        return [chunk.train[:, None] * z[0].sin()], [chunk.train * z[-1][:, 0]]

    products, sums = got.sweep(y, function)
    expected_products, expected_sums = expected.sweep(y, function)
    torch.testing.assert_close(products, expected_products * scale)
    torch.testing.assert_close(sums[0], expected_sums[0] * scale[:, 0, 0])
    assert torch.equal(got.train_total, rows.train_total)
    gram = got.gram(y[:1], function, False, N)
    torch.testing.assert_close(gram, expected.gram(y[:1], function, False, N) * scale[..., None])
    torch.testing.assert_close(
        got.diagonal(y[:1], function), torch.diagonal(gram, dim1=-2, dim2=-1)
    )


def test_each_fold_has_its_own_column(rows):
    factor, y = factor_of(N, 3), coefficients(1, 2, 3, 1, D + 1)

    def function(z, chunk):
        return [chunk.train[:, None] * z[0].sin()], []

    products = rows.reweighted(factor).sweep(y, function)[0]
    for k in range(3):
        alone = rows.reweighted(factor[:, k].clone()).sweep(y, function)[0]
        torch.testing.assert_close(products[:, :, k], alone[:, :, k])


def test_no_copy_is_made_of_the_matrix(rows):
    other = rows.reweighted(factor_of(N))
    assert other.X is rows.X and other.target is rows.target


def test_foldwise_rows_find_their_factors(foldwise, wide):
    factor = factor_of(N, 3 if wide else None)
    other = foldwise.reweighted(factor)
    assert torch.equal(other.train_total, foldwise.train_total)
    weights = FoldWeights(N, SPLITS["shuffled"]).reweighted(factor)
    expected = weights.chunk(0, N, torch.float64)[0]
    torch.testing.assert_close(seen_by(other)[1], expected)
    # The rows themselves are left as they are.
    torch.testing.assert_close(
        seen_by(foldwise)[1], FoldWeights(N, SPLITS["shuffled"]).chunk(0, N, torch.float64)[0]
    )


# Visits


def seen_by(rows, S=1):
    """Return predictors (n, S, K, m) and training weights (n, K) by place, and coefficients."""
    y = coefficients(2, S, rows.n_folds, 2, rows.n_coefficients)
    z = torch.full((2, N, S, rows.n_folds, 2), torch.nan, dtype=torch.float64)
    train = torch.full((N, rows.n_folds), torch.nan, dtype=torch.float64)

    def keep(predictors, chunk):
        folds = train[0, chunk.folds].shape[0]
        for i, part in enumerate(predictors):
            z[i, chunk.rows, :, chunk.folds] = part.view(-1, 2, S, folds).permute(0, 2, 3, 1)
        train[chunk.rows, chunk.folds] = chunk.train[:, :folds]

    assert rows.visit(y, keep) is None
    return z, train, y


def placed(X, place=None):
    """Return X with a column of ones, in the order of the user's rows."""
    X = torch.as_tensor(naive.dense(X, True))
    return X if place is None else X[place.argsort()]


@pytest.mark.parametrize("S", [1, 3])
def test_visits_see_the_predictors_of_all_rows(rows, S):
    z, train, y = seen_by(rows, S)
    expected = torch.einsum("np,rskmp->rnskm", placed(rows.X), y)
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(train, rows.weights.chunk(0, N, torch.float64)[0])


@pytest.mark.parametrize("S", [1, 3])
def test_visits_of_foldwise_rows_say_whose_they_are(foldwise, S):
    z, train, y = seen_by(foldwise, S)
    for k, (part, place) in enumerate(zip(foldwise.folds, foldwise.places, strict=True)):
        expected = torch.einsum("np,rsmp->rnsm", placed(part.X, place), y[:, :, k])
        torch.testing.assert_close(z[:, :, :, k], expected)
    expected = FoldWeights(N, SPLITS["shuffled"]).chunk(0, N, torch.float64)[0]
    torch.testing.assert_close(train, expected)


def test_sweeps_of_foldwise_rows_say_whose_they_are_too(foldwise):
    seen = torch.zeros(N, 3)

    def function(z, chunk):
        seen[chunk.rows, chunk.folds] += 1
        return [z[0]], []

    foldwise.sweep(coefficients(1, 1, 3, 1, D + 1), function)
    assert bool((seen == 1).all())


def test_chunks_of_many_rows_are_each_visited_once():
    n = 20_001
    X, target = data(n, 3)
    for make in FORMS.values():
        rows = rows_of(make(X), target, FoldWeights(n, [(np.arange(9), np.arange(9, n))]))
        y = coefficients(1, 1, 1, 1, 4)
        z = torch.zeros(n, dtype=torch.float64)

        def keep(predictors, chunk, z=z):
            z[chunk.rows] += predictors[0][:, 0, 0]
            assert len(chunk.target) == len(chunk.train) == len(predictors[0])

        rows.visit(y, keep)
        torch.testing.assert_close(z, placed(rows.X) @ y[0, 0, 0, 0])
