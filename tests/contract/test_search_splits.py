"""BAMMSearchCV with splitters of all kinds, workers and verbosity."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)

from skbamm import BAMMSearchCV
from tests.contract.comparison import (
    GRID,
    GROUPS,
    LOSS,
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    assert_same_table,
    fit_both,
    logistic,
    ridge,
    searched,
)


class Recording:
    """A splitter that remembers its splits."""

    def __init__(self, splitter):
        self.splitter = splitter
        self.calls = []

    def split(self, X, y=None, groups=None):
        self.calls.append(list(self.splitter.split(X, y, groups)))
        yield from self.calls[-1]

    def get_n_splits(self, X=None, y=None, groups=None):
        return self.splitter.get_n_splits(X, y, groups)


@pytest.mark.parametrize(
    "cv",
    [
        4,
        None,
        KFold(3),
        StratifiedKFold(3, shuffle=True, random_state=0),
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(4, test_size=0.3, random_state=0),
        GroupKFold(3),
        PredefinedSplit(np.where(np.arange(len(X_CLASS)) % 3, -1, 0)),
        TimeSeriesSplit(3),
        [(np.arange(0, 178, 2), np.arange(1, 178, 2))],
        [(np.arange(178) % 2 == 0, np.arange(178) % 2 == 1)],
        [(np.repeat(np.arange(0, 178, 2), 2), np.arange(1, 178, 4))],
    ],
    ids=[
        "int", "None", "KFold", "Stratified", "Repeated", "Shuffle", "Group", "Predefined",
        "TimeSeries", "indices", "masks", "bootstrap",
    ],
)  # fmt: skip
def test_splitters(cv, values):
    shuffled = np.random.default_rng(0).permutation(len(X_CLASS))
    X, y = X_CLASS[shuffled], Y_BINARY[shuffled]
    groups = {"groups": GROUPS} if isinstance(cv, GroupKFold) else {}
    search = searched(logistic(), "C", values, X, y, groups, scoring="neg_log_loss", cv=cv)
    expected = cross_val_score(
        clone(search.best_estimator_), X, y, scoring="neg_log_loss", cv=cv, **split_params(groups)
    )
    assert search.best_score_ == pytest.approx(expected.mean(), abs=1e-6)


def split_params(groups):
    return {"groups": groups["groups"]} if groups else {}


def test_generators_of_splits(values):
    def splits():
        return KFold(3, shuffle=True, random_state=0).split(X_CLASS)

    once, again = (
        BAMMSearchCV(logistic(), {"C": values}, scoring="neg_log_loss", cv=cv)
        for cv in (splits(), list(splits()))
    )
    once.fit(X_CLASS, Y_BINARY)
    again.fit(X_CLASS, Y_BINARY)
    assert once.best_score_ == again.best_score_
    assert once.best_params_ == again.best_params_


def test_rows_are_split_once(values):
    cv = Recording(StratifiedKFold(3))
    search = BAMMSearchCV(logistic(), {"C": values}, scoring="neg_log_loss", cv=cv)
    search.fit(X_CLASS, Y_BINARY)
    assert len(cv.calls) == 1
    assert search.cv is cv


def test_random_splits_are_the_same_for_search_and_scores(values):
    cv = Recording(ShuffleSplit(3, test_size=0.3, random_state=None))
    search = BAMMSearchCV(logistic(), {"C": values}, scoring="neg_log_loss", cv=cv)
    search.fit(X_CLASS, Y_BINARY)
    (splits,) = cv.calls
    scores = cross_val_score(
        clone(search.best_estimator_), X_CLASS, Y_BINARY, cv=splits, scoring="neg_log_loss"
    )
    table = search.cv_results_
    got = [table[f"split{k}_test_score"][search.best_index_] for k in range(3)]
    np.testing.assert_allclose(got, scores, rtol=0, atol=1e-6)
    for k in range(3):  # every candidate on the same rows
        column = table[f"split{k}_test_score"]
        train, test = splits[k]
        model = clone(search.estimator).set_params(**table["params"][0])
        model.fit(X_CLASS[train], Y_BINARY[train])
        loss = log_loss(Y_BINARY[test], model.predict_proba(X_CLASS[test]))
        assert column[0] == pytest.approx(-loss, abs=1e-6)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_change_nothing(values, backend):
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS)
    alone = clone(search).fit(X_CLASS, Y_MULTI)
    with parallel_config(backend=backend, n_jobs=2):
        together = clone(search).fit(X_CLASS, Y_MULTI)
    assert together.best_params_ == alone.best_params_
    for key in alone.cv_results_:
        if key.endswith("test_score"):
            np.testing.assert_allclose(
                together.cv_results_[key], alone.cv_results_[key], rtol=0, atol=1e-9
            )


def test_number_of_jobs_as_an_argument():
    grid = {"alpha": [0.1, 1.0, 10.0]}
    assert_same_table(*fit_both(ridge(), grid, X_REG, Y_REG, n_jobs=2, cv=3))


def test_silence(values, capsys, recwarn):
    BAMMSearchCV(logistic(), {"C": values}, **LOSS).fit(X_CLASS, Y_BINARY)
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


def test_verbose_output_of_a_list(capsys):
    for verbose in (1, 2, 3, 10):
        BAMMSearchCV(logistic(), GRID, **LOSS, verbose=verbose).fit(X_CLASS, Y_BINARY)
        out = capsys.readouterr().out
        assert "Fitting 3 folds for each of 3 candidates, totalling 9 fits" in out
        assert out.count("] END ") == (9 if verbose > 1 else 0)
        assert out.count("score=") == (9 if verbose > 2 else 0)
        assert out.count("] START ") == (9 if verbose > 9 else 0)


def test_verbose_output_of_an_interval(capsys):
    """Says what is searched and on which device."""
    search = BAMMSearchCV(logistic(), {"C": (1e-2, 1e2)}, **LOSS, verbose=1)
    search.fit(X_CLASS, Y_BINARY)
    out = capsys.readouterr().out
    assert "C" in out
    assert str(search.device_).split(":")[0] in out
    assert "Fitting 3 folds for each of" in out
