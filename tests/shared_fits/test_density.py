"""Densities of one tree give the table of GridSearchCV."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from tests.shared_fits.tables import check_same_table

X, _ = load_iris(return_X_y=True)


def test_bandwidths_and_kernels():
    grid = {"bandwidth": [0.2, 0.5, 1.0], "kernel": ["gaussian", "exponential"]}
    check_same_table(KernelDensity(), grid, X)
    weights = {"sample_weight": np.linspace(0.1, 2, len(X))}
    more = grid | {"rtol": [0.0, 1e-3], "leaf_size": [10, 40]}
    shared = ["bandwidth", "kernel", "rtol"]
    check_same_table(KernelDensity(), more, X, shared=shared, fit_params=weights)
    model = make_pipeline(StandardScaler(), KernelDensity())
    check_same_table(model, {"kerneldensity__bandwidth": [0.2, 0.5, 1.0]}, X, n_jobs=2)


def test_rules_beside_numbers():
    grid = {"bandwidth": ["scott", 0.3, 0.5, "silverman", -1.0]}
    search = check_same_table(KernelDensity(), grid, X)
    assert search.search_plan_[0]["role"] == "shared fits"


def test_a_message_names_the_users_estimator():
    search = BAMMSearchCV(KernelDensity(), {"bandwidth": [0.3, 1.0]}, cv=3)
    with pytest.warns(UserWarning, match=r"KernelDensity\.score does not support sample_weight"):
        search.fit(X, sample_weight=np.ones(len(X)))
