"""Data, models and comparisons with GridSearchCV that the contract's tests share."""

import warnings

import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV

X_CLASS, Y_MULTI = load_wine(return_X_y=True)
X_CLASS = StandardScaler().fit_transform(X_CLASS)
Y_BINARY = (Y_MULTI == 1).astype(int)
X_REG, Y_REG = load_diabetes(return_X_y=True)
GROUPS = np.arange(len(X_CLASS)) % 7
WEIGHT = np.random.default_rng(0).integers(0, 4, len(X_CLASS)).astype(float)

# A grid and settings for logistic regression, scored smoothly.
GRID = {"C": [0.1, 1.0, 10.0]}
LOSS = {"scoring": "neg_log_loss", "cv": 3}

# The methods a search may delegate to its estimator.
DELEGATED = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "transform",
    "inverse_transform",
)

# What a fitted search has beyond the attributes of GridSearchCV.
NEW_ATTRIBUTES = {
    "best_params_range_",
    "best_score_standard_error_",
    "converged_",
    "device_",
    "history_",
    "n_iter_",
    "refit_adopted_",
    "search_plan_",
}


def logistic(**params):
    """A logistic regression solved tightly enough to be compared to 1e-6."""
    return LogisticRegression(**{"tol": 1e-10, "max_iter": 1000, **params})


def ridge(**params):
    return Ridge(**{"tol": 1e-10, **params})


def roles(search):
    """Map the parameters of a fitted search to their roles."""
    return {row["parameter"]: row["role"] for row in search.search_plan_}


def fitted_attributes(search):
    """Name the public attributes that `fit` has given, properties included."""
    return {name for name in dir(search) if name[0].islower() and name.endswith("_")}


def outcome(search, call):
    """Run `call` on a search and describe how it failed, the class's name aside.

    Returns
    -------
    list of (type, str)
        The exception and those it was raised from, with the name of the search's class
        as "Search"; empty if there was none.
    """
    name = type(search).__name__
    failures = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call(search)
    except Exception as error:
        while error is not None:
            failures.append((type(error), str(error).replace(name, "Search")))
            error = error.__cause__
    return failures


def assert_same_failure(make, call):
    """Assert that both search classes refuse a call in the same way, and return it.

    Parameters
    ----------
    make : callable
        Gives a search of the class it is called with.
    call : callable
        Takes a search, and has to fail.
    """
    expected = outcome(make(GridSearchCV), call)
    assert expected, "GridSearchCV accepts this"
    assert outcome(make(BAMMSearchCV), call) == expected
    return expected


def assert_same_table(ours, theirs, atol=1e-6):
    """Assert that two searches have the same `cv_results_`, times aside."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for key, expected in theirs.cv_results_.items():
        got = ours.cv_results_[key]
        assert type(got) is type(expected), key
        if key == "params":
            assert repr(got) == repr(expected)
            continue
        assert got.dtype == expected.dtype, key
        assert got.shape == expected.shape, key
        if key.endswith("_time"):
            assert np.all(got >= 0), key
        elif key.startswith("param_"):
            np.testing.assert_array_equal(got.mask, expected.mask, err_msg=key)
            assert repr(got.tolist()) == repr(expected.tolist()), key
        elif key.startswith("rank_"):
            continue  # scores that differ by rounding may be ranked differently
        else:
            np.testing.assert_allclose(got, expected, rtol=0, atol=atol, err_msg=key)


def fit_both(estimator, grid, X, y, fit_params=None, **params):
    """Fit BAMMSearchCV and GridSearchCV on the same list grid."""
    fit_params = fit_params or {}
    ours = BAMMSearchCV(estimator, grid, **params).fit(X, y, **fit_params)
    theirs = GridSearchCV(estimator, grid, **params).fit(X, y, **fit_params)
    return ours, theirs


def searched(estimator, name, values, X, y, fit_params=None, *, atol=1e-6, **params):
    """Return a search; a list of values has GridSearchCV's table as well."""
    if not isinstance(values, list):
        return BAMMSearchCV(estimator, {name: values}, **params).fit(X, y, **(fit_params or {}))
    ours, theirs = fit_both(estimator, {name: values}, X, y, fit_params, **params)
    assert_same_table(ours, theirs, atol=atol)
    assert ours.n_splits_ == theirs.n_splits_
    assert roles(ours) == {name: "joint grid"}
    return ours
