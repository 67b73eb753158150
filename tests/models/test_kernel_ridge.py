"""Which KernelRidge has a twin, and what it exports."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel

from skbamm.kernels import Cosine, Exponential, Linear, Polynomial, Precomputed
from skbamm.models import find_twin
from tests.models.conftest import TARGETS, X


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"kernel": "sigmoid"}, "kernel='sigmoid' is not one of 'rbf', 'laplacian'"),
        ({"kernel": ["linear"]}, "kernel=a function is not one of"),
        ({"kernel": rbf_kernel}, "kernel=a function is not one of"),
        ({"kernel": "poly", "degree": 1.5}, "degree=1.5 is not a whole number"),
        ({"kernel": "poly", "degree": 0}, "degree=0 is not a whole number"),
        ({"kernel": "polynomial", "coef0": -1}, "coef0=-1 makes the kernel indefinite"),
    ],
    ids=["sigmoid", "list", "function", "fraction", "zero", "coef0"],
)
def test_those_without_a_twin(params, reason):
    twin, found = find_twin(KernelRidge(**params))
    assert twin is None and found.startswith(f"KernelRidge: {reason}")


@pytest.mark.parametrize(
    ("params", "kernel", "tuned"),
    [
        ({"kernel": "rbf"}, Exponential(), ["alpha", "gamma"]),
        ({"kernel": "laplacian"}, Exponential("city block"), ["alpha", "gamma"]),
        ({"kernel": "chi2"}, Exponential("chi squared"), ["alpha", "gamma"]),
        ({"kernel": "poly", "degree": 2}, Polynomial(2, 1.0), ["alpha", "gamma"]),
        ({"kernel": "polynomial", "coef0": 0}, Polynomial(3, 0.0), ["alpha", "gamma"]),
        ({}, Linear(), ["alpha"]),
        ({"kernel": "cosine", "gamma": 2.0}, Cosine(), ["alpha"]),
        ({"kernel": "precomputed"}, Precomputed(), ["alpha"]),
    ],
    ids=str,
)
def test_kernels_and_what_is_tuned(params, kernel, tuned):
    estimator = KernelRidge(**params)
    twin, _ = find_twin(estimator)
    assert twin.kernel(estimator) == kernel
    assert [one.name for one in twin.tunes(estimator)] == tuned


def test_values():
    twin, _ = find_twin(KernelRidge())
    alpha, gamma = twin.hyperparameters
    assert alpha.valid(1) and not any(map(alpha.valid, (None, 0, -1, [1.0], "a", np.nan)))
    assert gamma.valid(None) and gamma.valid(0.1) and not gamma.valid(0.0)


@pytest.mark.parametrize("name", ["vector", "column", "two outputs", "integers"])
def test_export_gives_what_a_fit_gives(name):
    y = TARGETS[name]
    own = KernelRidge(kernel="rbf").fit(X, y)
    twin, _ = find_twin(own)
    task = twin.task(own, y, None, False)
    given = KernelRidge(kernel="rbf")
    twin.export(given, task.without_rows(), own.dual_coef_.reshape(len(y), -1).T, X)
    given.n_features_in_ = X.shape[1]
    assert vars(given).keys() == vars(own).keys()
    assert given.dual_coef_.shape == own.dual_coef_.shape
    np.testing.assert_array_equal(given.predict(X), own.predict(X))
