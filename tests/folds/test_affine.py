"""Rows that folds share but for scales and shifts: as rows that each fold has of its own."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skbamm.folds import AffineRows, FeatureMaps, FoldWeights, StackedRows, fold_moments
from tests.folds import naive
from tests.folds.naive import N
from tests.folds.test_rows import D, check_kept, coefficients, data
from tests.problems import rows_of

SPLITS = [(np.arange(25), np.arange(25, N)), (np.arange(10, N), np.arange(10))]


def pair(make, fit_intercept=True, more=False):
    """Return affine rows, and the same with a matrix a fold."""
    X, target = data()
    X = np.where(X > 0.3, X, 0.0)
    rng = np.random.default_rng(0)
    scale = torch.as_tensor(rng.uniform(0.2, 3, (2, D)))
    shift = torch.as_tensor(rng.normal(size=(2, D))) * float(fit_intercept)
    scale[1, 2] = shift[1, 2] = 0.0  # a feature that the second fold has not
    weights = FoldWeights(N, SPLITS)
    own = torch.as_tensor(X)[None] * scale[:, None] + shift[:, None]
    maps = FeatureMaps.of(scale, shift)
    if more:  # two columns that are parts of features
        extra = np.where(rng.random((N, 2)) < 0.3, 1.0, 0.0)
        maps = FeatureMaps(scale, shift, torch.tensor([2, 0]), torch.as_tensor(rng.random((2, 2))))
        own[..., [2, 0]] += torch.as_tensor(extra) * maps.factor[:, None]
        X = np.hstack([X, extra])
    rows = AffineRows(rows_of(make(X), target, weights, fit_intercept), maps)
    other = StackedRows(own, torch.as_tensor(target), weights, fit_intercept, torch.float64)
    return rows, other


EACH = pytest.mark.parametrize("make", [lambda X: X, sp.csr_array])
BOTH = pytest.mark.parametrize("fit_intercept", [True, False])
MORE = pytest.mark.parametrize("more", [True, False])


@BOTH
@EACH
@MORE
def test_all_is_as_if_every_fold_had_its_features(make, fit_intercept, more):
    rows, other = pair(make, fit_intercept, more)
    y = coefficients(2, 3, 2, 2, D + fit_intercept)
    close = torch.testing.assert_close
    both = rows.sweep(y, naive.row_function), other.sweep(y, naive.row_function)
    for got, one in zip(*both, strict=True):
        close(got, one)
    close(
        rows.gram(y[:1], naive.weight_function, False, N),
        other.gram(y[:1], naive.weight_function, False, N),
    )
    if not more:
        close(
            rows.diagonal(y[:1], naive.weight_function),
            other.diagonal(y[:1], naive.weight_function),
        )
    whole = torch.arange(2 * (D + fit_intercept))
    for entries, known in ((whole[1:], 3), (whole, 0)):
        close(
            rows.joint_gram(y[:1], naive.columns_function, entries, known),
            other.joint_gram(y[:1], naive.columns_function, entries, known),
        )


@EACH
@MORE
def test_what_is_kept_serves_later_passes(make, more):
    check_kept(pair(make, more=more)[0])


@BOTH
@EACH
@MORE
def test_second_moments_are_those_of_the_features(make, fit_intercept, more):
    """About whatever centre: taken back to zero they are the same."""
    rows, other = pair(make, fit_intercept, more)
    for got, one in zip(_about_zero(rows), _about_zero(other), strict=True):
        torch.testing.assert_close(got, one)


def _about_zero(rows):
    train, validation, centre, target_centre = fold_moments(rows)
    found = []
    for moments in (train, validation):
        gram, cross = moments.gram.clone(), moments.cross.clone()
        if rows.fit_intercept:
            K, p = gram.shape[:2]
            back = torch.eye(p, dtype=torch.float64).repeat(K, 1, 1)
            back[:, :-1, -1] = centre
            cross = cross + target_centre[..., None] * gram[:, -1:]
            gram, cross = back @ gram @ back.mT, cross @ back.mT
        found += [gram, cross]
    return found


@EACH
def test_a_gram_that_is_shared_is_mapped_for_every_fold(make):
    """Where the folds' maps are the same it is the mean of theirs."""
    rows, _ = pair(make)
    maps = (rows.maps.scale, rows.maps.shift)
    same = FeatureMaps.of(*(part[:1].expand(2, -1) for part in maps))
    rows = AffineRows(rows.base, same)
    y = coefficients(1, 3, 1, 2, D + 1).expand(1, 3, 2, 2, D + 1)
    shared = rows.gram(y, naive.weight_function, True, N)
    own = rows.gram(y, naive.weight_function, False, N)
    torch.testing.assert_close(shared, own.mean(1, keepdim=True).expand_as(own))


@EACH
@MORE
def test_some_rows_and_some_features(make, more):
    rows, other = pair(make, more=more)
    chosen, index = np.array([1, 4, 9, 12, 30]), torch.tensor([0, 2, D])
    y = coefficients(1, 3, 2, 2, 3)
    some, same = (one.take(chosen).features(index) for one in (rows, other))
    both = some.sweep(y, naive.row_function), same.sweep(y, naive.row_function)
    for got, one in zip(*both, strict=True):
        torch.testing.assert_close(got, one)
    factor = torch.linspace(0.5, 2, N, dtype=torch.float64)
    y = coefficients(1, 3, 2, 2, D + 1)
    got, one = (part.reweighted(factor).sweep(y, naive.row_function) for part in (rows, other))
    torch.testing.assert_close(got[0], one[0])
