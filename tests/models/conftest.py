"""Estimators with twins, and data for them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import (
    HuberRegressor,
    LogisticRegression,
    MultiTaskElasticNet,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
TARGETS = {
    "vector": X @ RNG.normal(size=4) + RNG.normal(size=60),
    "column": RNG.normal(size=(60, 1)),
    "two outputs": RNG.normal(size=(60, 2)),
    "integers": RNG.integers(0, 9, 60),
    "binary": np.resize(["no", "yes"], 60),
    "three classes": np.resize([3, 7, 11], 60),
}

# Every kind of estimator with every kind of target it takes.
CASES = [
    *((Ridge, name) for name in ("vector", "column", "two outputs", "integers")),
    *((MultiTaskElasticNet, name) for name in ("column", "two outputs")),
    *((RidgeClassifier, name) for name in ("binary", "three classes")),
    *((LogisticRegression, name) for name in ("binary", "three classes")),
    *((LinearSVC, name) for name in ("binary", "three classes")),
    *((LinearSVR, name) for name in ("vector", "integers")),
]
# Those whose own fits end near the solution only.
ROUGH_CASES = [
    *((SGDClassifier, name) for name in ("binary", "three classes")),
    *((SGDRegressor, name) for name in ("vector", "integers")),
    *((HuberRegressor, name) for name in ("vector", "integers")),
]
# What of an estimator's parameters makes it one with a twin.
SETTINGS = {
    LinearSVR: {"loss": "squared_epsilon_insensitive"},
    SGDClassifier: {"loss": "log_loss"},
}


def make(kind, **params):
    """Return an estimator that has a twin."""
    return kind(**SETTINGS.get(kind, {}), **params)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].__name__}, {case[1]}")
def exact_case(request):
    """A class of estimators whose own fits can be exact, and a target."""
    kind, name = request.param
    return kind, TARGETS[name]


@pytest.fixture(params=[*CASES, *ROUGH_CASES], ids=lambda case: f"{case[0].__name__}, {case[1]}")
def case(request):
    """A class of estimators and a target."""
    kind, name = request.param
    return kind, TARGETS[name]


@pytest.fixture
def frame():
    """X with named features."""
    return pd.DataFrame(X, columns=list("abcd"))
