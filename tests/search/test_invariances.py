"""Properties of a search that hold for any data, on examples drawn at random."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from tests.truth import LOSS, fold_scores, logistic, ridge, search_over

few = settings(max_examples=6, phases=[Phase.explicit, Phase.generate])


# Seed, rows, features, classes (0: regression): a failure is told in four numbers.
problems = st.tuples(
    st.integers(0, 2**16), st.integers(30, 70), st.integers(1, 10), st.sampled_from([0, 2, 3])
)


def build(problem):
    """Return a model, its penalty's name, rows, targets, and settings with fixed splits."""
    seed, n, p, n_classes = problem
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.6)
    signal = X @ rng.normal(size=p) + rng.normal(size=n)
    if not n_classes:
        splits = list(ShuffleSplit(3, test_size=0.3, random_state=0).split(X))
        return ridge(), "alpha", X, signal, {"cv": splits, "scoring": "neg_mean_squared_error"}
    y = (np.argsort(np.argsort(signal)) * n_classes) // n  # classes of equal size
    splits = list(StratifiedShuffleSplit(3, test_size=0.3, random_state=0).split(X, y))
    return logistic(tol=1e-8), "C", X, y, {"cv": splits, "scoring": LOSS}


grids = st.sampled_from([[0.1, 3.0], (1e-2, 1e2)])


def assert_same(one, two, atol=1e-5):
    """Assert that two searches found the same, up to rounding in where they stopped."""
    np.testing.assert_allclose(one.best_score_, two.best_score_, rtol=1e-5, atol=atol)
    np.testing.assert_allclose(
        np.sort(fold_scores(one)), np.sort(fold_scores(two)), rtol=1e-3, atol=1e-3
    )


@few
@given(problems, grids)
def test_sparse_is_dense(problem, grid):
    model, name, X, y, settings = build(problem)
    dense = search_over(model, {name: grid}, X, y, **settings)
    sparse = search_over(model, {name: grid}, sp.csr_array(X), y, **settings)
    assert_same(dense, sparse)


@few
@given(problems, grids, st.randoms(use_true_random=False))
def test_order_of_rows(problem, grid, random):
    """Splits are permuted with the rows."""
    model, name, X, y, settings = build(problem)
    order = np.array(random.sample(range(len(y)), len(y)))
    place = np.argsort(order)
    moved = {**settings, "cv": [(place[train], place[test]) for train, test in settings["cv"]]}
    assert_same(
        search_over(model, {name: grid}, X, y, **settings),
        search_over(model, {name: grid}, X[order], y[order], **moved),
    )


@few
@given(problems, grids)
def test_order_of_folds_and_features(problem, grid):
    model, name, X, y, settings = build(problem)
    turned = {**settings, "cv": settings["cv"][::-1]}
    one = search_over(model, {name: grid}, X, y, **settings)
    two = search_over(model, {name: grid}, X[:, ::-1], y, **turned)
    assert_same(one, two)
    np.testing.assert_allclose(fold_scores(one), fold_scores(two)[::-1], rtol=1e-3, atol=1e-3)


@few
@given(problems, grids)
def test_weights_are_repeated_rows(problem, grid):
    model, name, X, y, settings = build(problem)
    w = np.arange(len(y)) % 2 + 1
    rows = np.repeat(np.arange(len(y)), w)
    twice = {
        **settings,
        "cv": [
            tuple(np.flatnonzero(np.isin(rows, part)) for part in split) for split in settings["cv"]
        ],
    }
    assert_same(
        search_over(model, {name: grid}, X, y, {"sample_weight": w}, **settings),
        search_over(model, {name: grid}, X[rows], y[rows], **twice),
    )


@few
@given(problems, st.floats(0.1, 10))
def test_a_common_factor_of_the_weights(problem, factor):
    """It multiplies the losses of the training rows, which a penalty times it makes up for."""
    model, name, X, y, settings = build(problem)
    w = np.full(len(y), factor)
    low, high = 1e-2, 1e2
    scale = factor if name == "alpha" else 1 / factor
    plain = search_over(model, {name: (low, high)}, X, y, **settings)
    scaled = search_over(
        model, {name: (low * scale, high * scale)}, X, y, {"sample_weight": w}, **settings
    )
    assert_same(plain, scaled)


@pytest.mark.parametrize("dtype", ["float32", "float64", "auto"])
def test_precision_of_the_search_changes_the_point_only(dtype, three):
    """What is scored is in float64 whatever the search ran in."""
    search = search_over(logistic(), {"C": (1e-3, 1e3)}, *three, cv=4, scoring=LOSS, dtype=dtype)
    whole = search_over(logistic(), {"C": (1e-3, 1e3)}, *three, cv=4, scoring=LOSS)
    assert search.best_score_ == pytest.approx(whole.best_score_, rel=1e-4)
    listed = search_over(logistic(), {"C": [0.1, 3.0]}, *three, cv=4, scoring=LOSS, dtype=dtype)
    plain = search_over(logistic(), {"C": [0.1, 3.0]}, *three, cv=4, scoring=LOSS)
    np.testing.assert_allclose(fold_scores(listed), fold_scores(plain), atol=1e-8)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_two_fits_are_equal_to_the_bit(form, values, binary, regression):
    for model, name, (X, y) in (
        (LogisticRegression(), "C", binary),
        (ridge(), "alpha", regression),
    ):
        one, two = (search_over(model, {name: values}, form(X), y, cv=4) for _ in range(2))
        for key, column in one.cv_results_.items():
            if key.endswith("_score"):
                np.testing.assert_array_equal(column, two.cv_results_[key])
        assert one.best_params_ == two.best_params_
        np.testing.assert_array_equal(one.best_estimator_.coef_, two.best_estimator_.coef_)
        for key in set(one.history_) - {"seconds"}:
            np.testing.assert_array_equal(one.history_[key], two.history_[key])


def test_the_first_searches_of_a_process_are_silent_and_import_nothing_slow():
    """What tests that come later would not see.

    Libraries below may warn once a process, for instance at the first sparse search. Some ways of
    taking a derivative import torch's symbolic algebra, for half a second.
    """
    code = """if True:
        import sys
        import warnings
        import numpy as np, scipy.sparse as sp
        from sklearn.kernel_ridge import KernelRidge
        from sklearn.linear_model import ElasticNet, LogisticRegression
        from skbamm import BAMMSearchCV, PerFeature
        from skbamm.search import solving
        solving.budget = lambda *args: None  # own fits of so few rows are sooner
        warnings.simplefilter("error")
        X, y = sp.random_array((60, 8), density=0.5, rng=0, format="csr"), np.arange(60) % 2
        search = BAMMSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}).fit(X, y)
        assert search.search_plan_[0]["role"] == "joint grid"
        warnings.simplefilter("ignore")
        X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2
        y = y + X[:, 0]
        for model, space in (
            (LogisticRegression(), {"C": (0.1, 10.0)}),
            (LogisticRegression(), {"C": PerFeature(0.1, 10.0)}),
            (ElasticNet(), {"alpha": (0.01, 1.0), "l1_ratio": (0.1, 0.9)}),
            (KernelRidge(kernel="rbf"), {"alpha": (0.1, 1.0), "gamma": (0.1, 1.0)}),
        ):
            target = y > 0.5 if hasattr(model, "C") else y
            search = BAMMSearchCV(model, space, cv=2, max_iter=5).fit(X, target)
            assert search.search_plan_[0]["role"] == "searched", search.search_plan_
            assert "sympy" not in sys.modules, model
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
