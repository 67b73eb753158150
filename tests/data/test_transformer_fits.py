"""Fits of transformers that several sets of splits share."""

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skbamm.data.transformer_fits import TransformerFits

X = np.random.default_rng(0).normal(size=(30, 4))
TRAIN, OTHER = np.arange(20), np.arange(10, 30)


def test_a_search_keeps_no_transformed_rows_by_itself():
    fits, steps = TransformerFits(X, None), make_pipeline(StandardScaler())
    first, rows = fits.fit("", steps, TRAIN)
    assert fits.fit("", steps, TRAIN)[0] is not first
    np.testing.assert_array_equal(rows, StandardScaler().fit_transform(X[TRAIN]))
    assert not fits._known


def test_what_was_used_last_is_kept_within_the_bound():
    steps, others = make_pipeline(StandardScaler()), make_pipeline(MinMaxScaler())
    fits = TransformerFits(X, None, room=2 * 80)
    first, rows = fits.fit("", steps, TRAIN)
    again, same = fits.fit("", steps, TRAIN)
    assert again is first
    assert same is rows
    assert fits.fit("another", steps, TRAIN)[0] is not first  # two are kept now
    assert fits.fit("", steps, TRAIN)[0] is first
    fits.fit("", steps, OTHER)  # takes the place of the one that was used longest ago
    assert fits.fit("", steps, TRAIN)[0] is first
    assert len(fits._known) == 2
    assert fits.fit("", others, TRAIN)[0] is not first  # other transformers by the same name
