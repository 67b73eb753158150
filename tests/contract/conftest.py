"""Fixtures of the tests that hold the search to scikit-learn's contract."""

import functools

import pytest

from skbamm import BAMMSearchCV


def pytest_configure(config):
    # A mark in scikit-learn's own tests, which test_sklearn_search_suite.py executes.
    config.addinivalue_line("markers", "thread_unsafe: not for parallel threads")


@pytest.fixture
def fits(monkeypatch):
    """The searches whose `fit` has returned so far in the test, in that order."""
    fit = BAMMSearchCV.fit
    done = []

    @functools.wraps(fit)
    def recorded_fit(self, X, y=None, **params):
        result = fit(self, X, y, **params)
        done.append(self)
        return result

    monkeypatch.setattr(BAMMSearchCV, "fit", recorded_fit)
    return done


@pytest.fixture(params=["list", "interval"])
def values(request):
    """Values for a penalty strength: a list, or a tuple that is an interval."""
    return [0.1, 1.0, 10.0] if request.param == "list" else (1e-2, 1e2)
