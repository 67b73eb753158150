"""Settings that all tests share, data of whole searches, and counters of fits."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from skbamm.search import lists, solving
from tests.truth import INTERVAL, LIST

# The same examples in every run, none kept between runs, and nothing timed.
settings.register_profile("skbamm", max_examples=8, deadline=None, derandomize=True, database=None)
settings.load_profile("skbamm")


@pytest.fixture(autouse=True)
def _unbounded(request, monkeypatch):
    """Solve jointly whatever own fits would take: most tests are about what is solved.

    Those with the mark ``budget`` are about which of the two serves.
    """
    if "budget" not in request.keywords:
        monkeypatch.setattr(solving, "budget", lambda *args: None)
        monkeypatch.setattr(lists, "prepares_in_vain", lambda *args: False)


@pytest.fixture(scope="session")
def binary():
    """160 rows, 8 features, two classes that overlap a little."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X[:160, :8]), y[:160]


@pytest.fixture(scope="session")
def three():
    """All of wine, scaled, with six of its features: three classes."""
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X[:, :6]), y


@pytest.fixture(scope="session")
def regression():
    """Every second row of diabetes, its features scaled."""
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X[::2]), y[::2]


@pytest.fixture(params=["list", "interval"])
def values(request):
    """Values of a penalty strength: a list, or a tuple that is an interval."""
    return LIST if request.param == "list" else INTERVAL


@pytest.fixture
def own_fits(monkeypatch):
    """Count, by class name, how often scikit-learn's own fits run."""
    counts = Counter()
    for cls in (LogisticRegression, Ridge, RidgeClassifier):

        def fit(self, *args, _own=cls.fit, _name=cls.__name__, **kwargs):
            counts[_name] += 1
            return _own(self, *args, **kwargs)

        monkeypatch.setattr(cls, "fit", fit)
    return counts


@pytest.fixture(scope="session")
def weight():
    """Sample weights for up to 250 rows, some of them zero."""
    return np.random.default_rng(0).integers(0, 4, 250).astype(float)
