"""Whatever the folds: lists give GridSearchCV's table, intervals a true score."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from skbamm.data.folded import _usable_folds
from skbamm.folds import FoldWeights
from tests.truth import (
    LIST,
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    logistic,
    ridge,
    search_over,
)

N = 160


def _bootstrap(n_folds=4):
    """Training rows drawn with repeats; all others are tested on, some of them twice."""
    rng = np.random.default_rng(0)
    for _ in range(n_folds):
        train = rng.integers(0, N, N)
        test = np.setdiff1d(np.arange(N), train)
        yield train, np.concatenate([test, test[:5]])


def _masks():
    for k in range(3):
        test = np.arange(N) % 3 == k
        yield ~test, test


def _unequal():
    """Folds of very unequal size, one of which tests on rows it trained on."""
    rows = np.random.default_rng(1).permutation(N)
    yield rows[:40], rows[40:]
    yield rows[20:], rows[:20]
    yield rows[:100], rows[90:110]


SPLITTERS = {
    "KFold": KFold(5, shuffle=True, random_state=0),
    "StratifiedKFold": StratifiedKFold(3),
    "RepeatedKFold": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "overlapping": ShuffleSplit(5, test_size=0.4, random_state=0),
    "part of the rows": ShuffleSplit(3, train_size=0.3, test_size=0.2, random_state=0),
    "PredefinedSplit": PredefinedSplit(np.where(np.arange(N) % 4, -1, 0)),
    "bootstrap": list(_bootstrap()),
    "masks": list(_masks()),
    "unequal": list(_unequal()),
}


@pytest.fixture(params=SPLITTERS)
def cv(request):
    return SPLITTERS[request.param]


@pytest.fixture
def numbers(regression):
    """As many rows; the targets are whole and in five groups, which can be stratified by."""
    X, y = regression[0][:N], regression[1][:N]
    return X, np.digitize(y, np.quantile(y, [0.2, 0.4, 0.6, 0.8]))


def test_tables_of_logistic_regression(cv, binary):
    assert_grid_search_agrees(logistic(), {"C": LIST}, *binary, cv=cv, scoring=LOSS)


def test_tables_of_ridge(cv, numbers):
    assert_grid_search_agrees(ridge(), {"alpha": [0.0001, *LIST]}, *numbers, cv=cv)


def test_intervals(cv, binary, numbers):
    search = search_over(logistic(), {"C": (1e-2, 1e2)}, *binary, cv=cv, scoring=LOSS)
    assert_served(search, "searched")
    assert_true(search, *binary, cv=cv, scoring=LOSS)
    X, y = numbers
    search = search_over(ridge(), {"alpha": (1e-2, 1e3)}, X, y, cv=cv)
    assert_served(search, "searched")
    assert_true(search, X, y, cv=cv)


def test_folds_that_grow_with_time(values, binary):
    """Rows are shuffled first, so that the earliest fold sees both classes."""
    rows = np.random.default_rng(0).permutation(N)
    X, y = binary[0][rows], binary[1][rows]
    cv = TimeSeriesSplit(4)
    assert_grid_search_agrees(logistic(), {"C": LIST}, X, y, cv=cv, scoring=LOSS)
    search = search_over(logistic(), {"C": values}, X, y, cv=cv, scoring=LOSS)
    assert_true(search, X, y, cv=cv, scoring=LOSS)


def test_groups(values, regression):
    X, y = regression
    groups = np.arange(len(y)) % 11
    cv = GroupKFold(4)
    fit_params = {"groups": groups}
    assert_grid_search_agrees(ridge(), {"alpha": LIST}, X, y, fit_params, cv=cv)
    search = search_over(ridge(), {"alpha": values}, X, y, fit_params, cv=cv)
    assert_true(search, X, y, cv=list(cv.split(X, y, groups)))


def test_leaving_one_row_out(values, regression):
    """Sixty folds of one row each, without a variance that R2 could use."""
    X, y = regression[0][:60], regression[1][:60]
    settings = {"cv": LeaveOneOut(), "scoring": "neg_mean_squared_error"}
    # Squared errors are in the thousands: 1e-6 is relative to them.
    atol = 1e-6 * float(np.square(y - y.mean()).max())
    assert_grid_search_agrees(ridge(), {"alpha": LIST}, X, y, atol=atol, **settings)
    search = search_over(ridge(), {"alpha": values}, X, y, **settings)
    assert_true(search, X, y, atol=atol, **settings)


def test_one_fold_and_many(values, binary):
    X, y = binary
    one = [next(iter(KFold(4, shuffle=True, random_state=0).split(X)))]
    many = RepeatedKFold(n_splits=8, n_repeats=4, random_state=0)
    for cv in (one, many):
        search = search_over(logistic(), {"C": values}, X, y, cv=cv, scoring=LOSS)
        assert_true(search, X, y, cv=cv, scoring=LOSS)


def test_equal_training_rows_under_different_test_rows(values, binary):
    """Folds are told apart by more than what they train on."""
    X, y = binary
    train = np.arange(0, N, 2)
    cv = [(train, np.arange(1, 81, 2)), (train, np.arange(81, N, 2))]
    for return_train_score in (False, True):
        settings = {"cv": cv, "scoring": LOSS, "return_train_score": return_train_score}
        assert_grid_search_agrees(logistic(), {"C": LIST}, X, y, **settings)
    search = search_over(logistic(), {"C": values}, X, y, cv=cv, scoring=LOSS)
    assert_true(search, X, y, cv=cv, scoring=LOSS)


def test_a_class_of_one_row_is_seen_among_many():
    n = 50_000
    kinds = np.zeros(n, int)
    kinds[::2], kinds[31_113] = 1, 2
    task = SimpleNamespace(classes=np.arange(3), row_class=kinds, both_sides=False, indicator=None)
    rows, rare = np.arange(n), np.flatnonzero(kinds == 2)
    splits = [(rows, rare), (np.delete(rows, rare), rare), (kinds < 2, rare), (kinds >= 0, rare)]
    weights = FoldWeights(n, splits)
    assert _usable_folds(task, splits, weights, None) == [0, 3]
    assert _usable_folds(task, splits, weights, (kinds < 2).astype(float)) == []
    assert _usable_folds(task, splits, weights, kinds + 1.0) == [0, 3]
