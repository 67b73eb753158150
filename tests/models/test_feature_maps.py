"""Feature maps: their slopes are those of scikit-learn's transformers."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.differentiate import derivative
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.preprocessing import StandardScaler

from skbamm.models import find_feature_map
from tests.models.conftest import X

MAPS = {
    "nystroem": Nystroem(random_state=0, n_components=12),
    "laplacian": Nystroem(kernel="laplacian", random_state=0, n_components=12),
    "sampler": RBFSampler(random_state=0, n_components=12),
}


@pytest.mark.parametrize("transformer", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("gamma", [0.03, 1.0])
def test_slopes_are_those_of_the_features(transformer, form, gamma):
    train, rows = form(X[:40]), form(X)

    def entry(g, i, j):
        return clone(transformer).set_params(gamma=float(g)).fit(train).transform(rows)[i, j]

    fitted = clone(transformer).set_params(gamma=gamma).fit(train)
    slope = find_feature_map(transformer).slope(fitted, rows)
    assert slope.shape == (60, 12)
    for i, j in [(0, 0), (3, 7), (50, 2), (59, 11)]:
        expected = derivative(
            np.vectorize(lambda g, i=i, j=j: entry(g, i, j)), gamma, initial_step=0.1 * gamma
        ).df
        assert slope[i, j] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_equal_landmarks_leave_slopes_finite():
    fitted = Nystroem(gamma=0.5, random_state=0, n_components=20).fit(np.repeat(X[:10], 2, axis=0))
    assert np.isfinite(find_feature_map(fitted).slope(fitted, X)).all()


@pytest.mark.parametrize(
    ("transformer", "why"),
    [
        (RBFSampler(), "random_state must be an integer"),
        (Nystroem(random_state=np.random.RandomState(0)), "random_state must be an integer"),
        (Nystroem(kernel="poly", random_state=0), "kernel='poly' is not"),
        (Nystroem(random_state=np.int64(3)), ""),
    ],
)
def test_mismatches(transformer, why):
    assert why in find_feature_map(transformer).mismatch(transformer)
    assert bool(why) == bool(find_feature_map(transformer).mismatch(transformer))


def test_other_transformers_have_none():
    assert find_feature_map(StandardScaler()) is None
