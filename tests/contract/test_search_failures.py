"""What BAMMSearchCV does when data, candidates, splitters or scorers are bad."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
)

from skbamm import BAMMSearchCV
from tests.contract.comparison import (
    GRID,
    LOSS,
    WEIGHT,
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_REG,
    assert_same_failure,
    assert_same_table,
    logistic,
    outcome,
)


@pytest.mark.parametrize(
    "X, y",
    [
        (X_CLASS, Y_BINARY[:-1]),
        (np.where(np.arange(13) == 3, np.nan, X_CLASS), Y_BINARY),
        (np.where(np.arange(13) == 3, np.inf, X_CLASS), Y_BINARY),
        (X_CLASS.astype(complex), Y_BINARY),
        (np.where(np.arange(13) == 3, {"a": 1}, X_CLASS), Y_BINARY),
        (np.where(np.arange(13) == 3, "text", X_CLASS.astype(object)), Y_BINARY),
        (X_CLASS[:, :0], Y_BINARY),
        (X_CLASS[:, 0], Y_BINARY),
        (X_CLASS[:, :, None], Y_BINARY),
        (X_CLASS, X_CLASS[:, 0]),
        (X_CLASS, np.c_[Y_BINARY, Y_BINARY]),
        (X_CLASS, np.zeros(len(X_CLASS), int)),
        (X_CLASS, None),
        (X_CLASS, np.where(Y_BINARY, np.nan, 1.0)),
        (X_CLASS[:0], Y_BINARY[:0]),
        (X_CLASS[:2], Y_BINARY[:2]),
        (None, Y_BINARY),
    ],
    ids=[
        "lengths", "nan", "inf", "complex", "dicts", "text", "no-features", "1-d", "3-d",
        "continuous", "2-d-y", "one-class", "no-y", "nan-y", "no-rows", "two-rows", "no-X",
    ],
)  # fmt: skip
def test_bad_data_gets_scikit_learns_own_error(X, y, values):
    expected = assert_same_failure(
        lambda cls: cls(LogisticRegression(), GRID, cv=3, error_score="raise"),
        lambda s: s.fit(X, y),
    )
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=3, error_score="raise")
    assert outcome(search, lambda s: s.fit(X, y)) == expected


@pytest.mark.parametrize(
    "X, y",
    [
        (X_REG, Y_REG[:-1]),
        (np.where(np.arange(10) == 3, np.nan, X_REG), Y_REG),
        (X_REG[:, :0], Y_REG),
        (X_REG, None),
        (X_REG, np.where(Y_REG > 100, np.nan, Y_REG)),
        (X_REG, np.array(["low", "high"])[(Y_REG > 100).astype(int)]),
    ],
    ids=["lengths", "nan", "no-features", "no-y", "nan-y", "text-y"],
)
def test_bad_data_of_a_regression(X, y, values):
    expected = assert_same_failure(
        lambda cls: cls(Ridge(), {"alpha": [0.1, 1.0]}, cv=3, error_score="raise"),
        lambda s: s.fit(X, y),
    )
    search = BAMMSearchCV(Ridge(), {"alpha": values}, cv=3, error_score="raise")
    assert outcome(search, lambda s: s.fit(X, y)) == expected


def test_bad_weights(values):
    for weight in (WEIGHT[:-1], np.c_[WEIGHT, WEIGHT], WEIGHT * np.nan):
        expected = assert_same_failure(
            lambda cls: cls(LogisticRegression(), GRID, cv=3, error_score="raise"),
            lambda s, w=weight: s.fit(X_CLASS, Y_BINARY, sample_weight=w),
        )
        search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=3, error_score="raise")
        got = outcome(search, lambda s, w=weight: s.fit(X_CLASS, Y_BINARY, sample_weight=w))
        assert got == expected


class WrongCount(KFold):
    def get_n_splits(self, *args, **kwargs):
        return 1


@pytest.mark.parametrize("cv", [iter(()), WrongCount(3)], ids=["empty", "inconsistent"])
def test_bad_splitters(cv, values):
    def make(cls):
        return cls(logistic(), GRID, cv=cv)

    ((kind, message),) = assert_same_failure(make, lambda s: s.fit(X_CLASS, Y_BINARY))
    with pytest.raises(kind) as info:
        BAMMSearchCV(logistic(), {"C": values}, cv=cv).fit(X_CLASS, Y_BINARY)
    assert str(info.value) == message


def test_a_consumed_generator_of_splits(values):
    """As with GridSearchCV, a generator serves one fit."""
    cv = KFold(3, shuffle=True, random_state=0).split(X_CLASS)
    search = BAMMSearchCV(logistic(), {"C": values}, cv=cv).fit(X_CLASS, Y_BINARY)
    with pytest.raises(ValueError, match="No fits were performed"):
        search.fit(X_CLASS, Y_BINARY)


def test_bad_scorers(values):
    for scoring, message in (
        (lambda estimator, X, y: "good", "scoring must return a number"),
        (lambda estimator, X, y: [1.0], "scoring must return a number"),
    ):
        search = BAMMSearchCV(logistic(), {"C": values}, scoring=scoring, cv=3, error_score="raise")
        with pytest.raises(ValueError, match=message):
            search.fit(X_CLASS, Y_BINARY)

    def broken(estimator, X, y):
        raise ZeroDivisionError("the scorer broke")

    search = BAMMSearchCV(logistic(), {"C": values}, scoring=broken, cv=3, error_score="raise")
    with pytest.raises(ZeroDivisionError, match="the scorer broke"):
        search.fit(X_CLASS, Y_BINARY)


def test_bad_refits(values):
    metrics = {"scoring": ["accuracy", "neg_log_loss"]}
    for settings in (
        {**metrics},
        {**metrics, "refit": "auc"},
        {"refit": lambda results: None},
        {"refit": lambda results: 10_000},
        {"refit": lambda results: -1},
    ):
        expected = assert_same_failure(
            lambda cls, kw=settings: cls(logistic(), GRID, cv=3, **kw),
            lambda s: s.fit(X_CLASS, Y_BINARY),
        )
        search = BAMMSearchCV(logistic(), {"C": values}, cv=3, **settings)
        assert outcome(search, lambda s: s.fit(X_CLASS, Y_BINARY)) == expected


@pytest.mark.parametrize("error_score", [np.nan, -5.0])
@pytest.mark.parametrize("invalid", [-1.0, 0.0, np.nan, "one", None])
def test_invalid_candidates_get_the_error_score(invalid, error_score):
    """One bad value in a list spoils its own row only, with the warnings of GridSearchCV."""
    grid = {"C": [1.0, invalid, 0.1]}
    searches, told = [], []
    for cls in (BAMMSearchCV, GridSearchCV):
        search = cls(logistic(), grid, **LOSS, error_score=error_score)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            searches.append(search.fit(X_CLASS, Y_BINARY))
        told.append([(w.category, str(w.message).split("Below are more")[0]) for w in caught])
    kinds, expected_kinds = ([category for category, _ in part] for part in told)
    assert kinds == expected_kinds
    assert told[0][0] == told[1][0]  # a FitFailedWarning; the other one prints scores
    assert_same_table(*searches)
    assert searches[0].best_params_ == searches[1].best_params_


def test_all_candidates_invalid():
    grid = {"C": [-1.0, -2.0]}
    with pytest.raises(ValueError, match="All the 6 fits failed"):
        BAMMSearchCV(logistic(), grid, **LOSS).fit(X_CLASS, Y_BINARY)
    assert_same_failure(
        lambda cls: cls(logistic(), grid, **LOSS, error_score="raise"),
        lambda s: s.fit(X_CLASS, Y_BINARY),
    )


def test_a_fold_with_one_class():
    """Sorted classes without shuffling: some folds cannot be fitted."""
    order = np.argsort(Y_BINARY, kind="stable")[::-1]
    X, y = X_CLASS[order], Y_BINARY[order]
    splits = [(np.arange(60), np.arange(60, 178)), *KFold(3, shuffle=True, random_state=0).split(X)]
    searches = []
    for cls in (BAMMSearchCV, GridSearchCV):
        search = cls(logistic(), GRID, scoring="accuracy", cv=splits, error_score=0.0)
        with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 12"):
            searches.append(search.fit(X, y))
    assert_same_table(*searches, atol=0.02)


def test_failures_are_raised_when_asked(values):
    y = np.zeros(len(X_CLASS), int)
    y[0] = 1
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=KFold(3), error_score="raise")
    with pytest.raises(ValueError, match="at least 2 classes"):
        search.fit(X_CLASS, y)


def test_warnings_of_enumerated_fits_come_through():
    model = Ridge(positive=True, max_iter=1, tol=1e-12)
    search = BAMMSearchCV(model, {"fit_intercept": [True, False]}, cv=3)
    with pytest.warns(ConvergenceWarning):
        search.fit(X_REG, Y_REG)
