"""Searches of many rows begin on some of them, and end where they would have ended anyway."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from skbamm.folds import draw_rows
from skbamm.glm import GLMProblem
from skbamm.solvers import linear, problems
from skbamm.starts import subsample
from tests.search.test_interruptions import raise_on_call
from tests.truth import LOSS, search_over

N, D = 50_000, 5


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    return rng.normal(size=(N, D)), rng


def logistic_data(X, rng, signal=0.05):
    y = rng.uniform(size=N) < 1 / (1 + np.exp(-X @ np.linspace(-signal, signal, D)))
    return LogisticRegression(), "C", y.astype(int), LOSS


def poisson_data(X, rng, signal=0.05):
    """A penalty beside the mean of the losses means another one beside their sum."""
    y = rng.poisson(np.exp(X @ np.linspace(-signal, signal, D)))
    return PoissonRegressor(), "alpha", y, "neg_mean_poisson_deviance"


MODELS = pytest.mark.parametrize("data", [logistic_data, poisson_data])


def watch(monkeypatch):
    """Return a list that gets what each screening ended with."""
    found = []

    def screen(*given):
        found.append(subsample.screen(*given))
        return found[-1]

    monkeypatch.setattr(linear, "screen", screen)
    return found


@MODELS
def test_a_search_ends_where_it_would_from_all_rows(data, rows, monkeypatch):
    X, rng = rows
    model, name, y, scoring = data(X, rng)
    found = watch(monkeypatch)
    got = search_over(model, {name: (1e-6, 1e2)}, X, y, scoring=scoring, cv=3)
    assert len(found) == 1 and len(found[0].x) == 1
    assert abs(float(found[0].x) - np.log(got.best_params_[name])) < 2
    monkeypatch.setattr(problems, "some_rows", lambda *_: None)
    plain = search_over(model, {name: (1e-6, 1e2)}, X, y, scoring=scoring, cv=3)
    assert found[1].found is None
    assert got.converged_ and plain.converged_
    assert got.best_score_ == pytest.approx(plain.best_score_, rel=1e-5)


@MODELS
def test_where_some_rows_tell_nothing_all_are_asked_from_all_starts(data, rows, monkeypatch):
    """The optimum of some rows is no model at all: there F is flat, also that of all rows."""
    X, rng = rows
    model, name, y, scoring = data(X, rng)
    asked = draw_rows(N, 16384)  # what two thirds of these say is wrong of the last third
    lies = data(np.vstack([X[: N // 2], -X[N // 2 :]]), rng, signal=0.3)[2]
    y[asked] = lies[asked]
    found = watch(monkeypatch)
    got = search_over(model, {name: (1e-6, 1e2)}, X, y, scoring=scoring, cv=3)
    assert found[0].found is not None and len(found[0].x) > 1
    monkeypatch.setattr(problems, "some_rows", lambda *_: None)
    plain = search_over(model, {name: (1e-6, 1e2)}, X, y, scoring=scoring, cv=3)
    # On a plain, any place where the slope is less than tol may be the end.
    assert got.best_score_ == pytest.approx(plain.best_score_, rel=5e-5)


def test_all_rows_are_searched_from_one_start_only(rows, monkeypatch):
    X, rng = rows
    model, name, y, scoring = logistic_data(X, rng)
    starts = {"some": set(), "all": set()}
    own = GLMProblem.directions

    def directions(self, x, *rest):
        starts["all" if self.rows.n_rows == N else "some"].add(len(x))
        return own(self, x, *rest)

    monkeypatch.setattr(GLMProblem, "directions", directions)
    search_over(model, {name: (1e-6, 1e2)}, X, y, scoring=scoring, cv=3)
    assert starts["all"] == {1}
    assert max(starts["some"]) > 1


@pytest.mark.parametrize("n", [1, 4])
def test_ctrl_c_on_some_rows_keeps_what_was_found(n, rows, monkeypatch):
    X, rng = rows
    model, name, y, scoring = logistic_data(X, rng)
    found = watch(monkeypatch)
    raise_on_call(monkeypatch, GLMProblem, "directions", KeyboardInterrupt(), n)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        search = search_over(model, {name: (1e-6, 1e2)}, X, y, scoring=scoring, cv=3)
    assert found[0].ended and not search.converged_
    assert search.predict(X).shape == y.shape


class _Counted:
    """Rows that can be counted and taken."""

    def __init__(self, n_rows, n_coefficients):
        self.n_rows, self.n_coefficients = n_rows, n_coefficients

    def take(self, rows):
        return rows


def test_the_rows_are_not_those_that_somebody_else_drew():
    """Seed 0 is what many draw the rows with whose labels they spoil."""
    chosen = subsample.some_rows(_Counted(60_000, 5))
    assert len(np.unique(chosen)) == len(chosen) == 16_384
    for seed in (0, 1, 42):
        theirs = np.random.default_rng(seed).choice(60_000, len(chosen), replace=False)
        assert len(np.intersect1d(chosen, theirs)) < 0.4 * len(chosen)


@pytest.mark.parametrize("n, p", [(10_000, 5), (49_151, 5), (60_000, 1_001)])
def test_few_rows_are_not_screened(n, p):
    assert subsample.some_rows(_Counted(n, p)) is None
