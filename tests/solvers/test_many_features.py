"""Where a step takes many passes, searches begin with strong penalties."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge

from skbamm.solvers import linear
from skbamm.starts import subsample
from tests.truth import LOSS, assert_served, assert_true, search_over

N, D = 200, 1600  # more features than matrices of them are made for
ENDS = (1e-1, 1e3)


def texts():
    """Words of which a few are in most rows, and many in hardly any."""
    rng = np.random.default_rng(0)
    share = np.minimum(0.9, 20 / (1 + np.arange(D)))
    X = sp.csr_array((rng.uniform(size=(N, D)) < share) * rng.uniform(0.5, 1, size=(N, D)))
    signal = X @ np.where(np.arange(D) < 60, rng.standard_normal(D), 0.0)
    return X, signal + 4 * rng.standard_normal(N)


def classes():
    X, y = texts()
    return LogisticRegression(tol=1e-8, max_iter=1000), "C", X, (y > np.median(y)).astype(int)


def numbers():
    X, y = texts()
    return Ridge(solver="sparse_cg", tol=1e-10), "alpha", X, y


CASES = pytest.mark.parametrize(
    ("case", "scoring"), [(classes, LOSS), (numbers, "neg_mean_squared_error")]
)


@CASES
def test_it_is_as_good_as_a_grid(case, scoring):
    estimator, name, X, y = case()
    search = search_over(estimator, {name: ENDS}, X, y, cv=3, scoring=scoring)
    assert_served(search, "searched")
    assert_true(search, X, y, cv=3, scoring=scoring, atol=1e-5)
    values = np.geomspace(*ENDS, 12)
    listed = search_over(estimator, {name: values}, X, y, cv=3, scoring=scoring)
    assert search.best_score_ >= listed.best_score_ - 1e-5 * abs(listed.best_score_)


@pytest.mark.filterwarnings("ignore:The search over")
@CASES
def test_it_begins_with_strong_penalties(case, scoring, monkeypatch):
    began = []

    def screen(problem, few, starts, *more):
        began.append(sorted(starts[:, 0].tolist()))
        return subsample.screen(problem, few, starts, *more)

    monkeypatch.setattr(linear, "screen", screen)
    estimator, name, X, y = case()
    search_over(estimator, {name: ENDS}, X, y, cv=3, scoring=scoring, max_iter=2)
    search_over(
        estimator, {name: ENDS}, X, y, cv=3, max_iter=2,
        scoring="neg_brier_score" if name == "C" else "neg_mean_absolute_error",
    )  # fmt: skip
    first, second, third = np.linspace(*np.log(ENDS), 5)[1:-1]
    strong = [first, second] if name == "C" else [second, third]
    assert began[0] == pytest.approx(strong, abs=1e-9)
    # Other losses may have another minimum at the far end.
    assert began[1] == pytest.approx([first, second, third], abs=1e-9)
