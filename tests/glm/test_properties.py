"""What must not change a solution, and what must change it in a known way."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC, LinearSVR

from skbamm.bilevel import solve_lower
from tests.problems import log_values, model_problem

KINDS = ["ridge", "moments", "logistic", "multinomial"]
ALL = [*KINDS, "svc", "svr"]  # also those whose intercept is penalised
N, D = 24, 3


def example(kind, seed):
    """Return an estimator, random data for it, and two folds with every class in them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, D))
    splits = [(np.arange(0, 16), np.arange(16, N)), (np.arange(8, N), np.arange(0, 8))]
    if kind in ("ridge", "moments", "svr"):
        svr = LinearSVR(epsilon=0.3, loss="squared_epsilon_insensitive", intercept_scaling=2)
        y = X @ rng.normal(size=D) + rng.normal(size=N)
        return svr if kind == "svr" else Ridge(), X, y, splits
    y = np.resize(np.arange(2 if kind == "logistic" else 3), N)
    return LinearSVC() if kind == "svc" else LogisticRegression(), X, y, splits


def coefficients(kind, estimator, X, y, splits, weight=None, value=0.7):
    """Return the solutions of all folds, (K, m, p)."""
    problem = model_problem(
        estimator, X, y, splits, sample_weight=weight, moments=kind == "moments"
    )
    result = solve_lower(problem, log_values(value), tol=1e-10)
    assert bool(result.converged.all())
    return problem.coefficients(result.y)[0]


def assert_same(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds)
def test_weights_are_repeated_rows(kind, seed):
    estimator, X, y, splits = example(kind, seed)
    weight = np.random.default_rng(seed).integers(1, 4, N)
    repeated = [(np.repeat(train, weight[train]), test) for train, test in splits]
    expected = coefficients(kind, estimator, X, y, splits, weight.astype(float))
    assert_same(coefficients(kind, estimator, X, y, repeated), expected)
    place = np.repeat(np.arange(N), weight)  # or rows that really stand there several times
    longer = [tuple(np.flatnonzero(np.isin(place, part)) for part in split) for split in splits]
    assert_same(coefficients(kind, estimator, X[place], y[place], longer), expected)


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds)
def test_rows_of_zero_weight_are_not_there(kind, seed):
    estimator, X, y, splits = example(kind, seed)
    # Every class keeps rows in every fold.
    gone = np.random.default_rng(seed).choice(np.arange(8), 4, replace=False) + 8
    weight = np.ones(N)
    weight[gone] = 0
    dropped = [(np.setdiff1d(train, gone), test) for train, test in splits]
    expected = coefficients(kind, estimator, X, y, dropped)
    assert_same(coefficients(kind, estimator, X, y, splits, weight), expected)
    # What such a row holds does not matter either.
    wild = X.copy()
    wild[gone] = 1e3
    if kind != "moments":  # which are centred by all rows, to no effect but rounding
        assert_same(coefficients(kind, estimator, wild, y, splits, weight), expected)


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds)
def test_the_order_of_the_rows_does_not_matter(kind, seed):
    estimator, X, y, splits = example(kind, seed)
    order = np.random.default_rng(seed).permutation(N)
    back = np.argsort(order)
    moved = [(back[train], back[test]) for train, test in splits]
    got = coefficients(kind, estimator, X[order], y[order], moved)
    assert_same(got, coefficients(kind, estimator, X, y, splits))


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds)
def test_folds_know_nothing_of_each_other(kind, seed):
    estimator, X, y, splits = example(kind, seed)
    together = coefficients(kind, estimator, X, y, splits)
    turned = coefficients(kind, estimator, X, y, splits[::-1])
    assert_same(turned.flip(0), together)
    for k, split in enumerate(splits):
        assert_same(coefficients(kind, estimator, X, y, [split])[0], together[k])


@given(seed=seeds)
def test_the_order_of_the_classes_is_that_of_the_outputs(seed):
    estimator, X, y, splits = example("multinomial", seed)
    order = np.random.default_rng(seed).permutation(3)
    got = coefficients("multinomial", estimator, X, order[y], splits)
    assert_same(got[:, order], coefficients("multinomial", estimator, X, y, splits))


@given(seed=seeds)
def test_swapped_classes_turn_the_sign(seed):
    estimator, X, y, splits = example("logistic", seed)
    got = coefficients("logistic", estimator, X, 1 - y, splits)
    assert_same(-got, coefficients("logistic", estimator, X, y, splits))


@pytest.mark.parametrize("kind", ["ridge", "moments"])
@given(seed=seeds, scale=st.floats(1e-6, 1e6))
def test_a_scaled_target_scales_ridge(kind, seed, scale):
    estimator, X, y, splits = example(kind, seed)
    got = coefficients(kind, estimator, X, scale * y, splits)
    assert_same(got / scale, coefficients(kind, estimator, X, y, splits))


@pytest.mark.parametrize("kind", ["ridge", "moments"])
@given(seed=seeds, shift=st.floats(-1e4, 1e4))
def test_a_shifted_target_shifts_the_intercept(kind, seed, shift):
    estimator, X, y, splits = example(kind, seed)
    got = coefficients(kind, estimator, X, y + shift, splits)
    got[..., -1] -= shift
    assert_same(got, coefficients(kind, estimator, X, y, splits))


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, shift=st.floats(-100, 100))
def test_a_shifted_feature_leaves_the_slopes(kind, seed, shift):
    estimator, X, y, splits = example(kind, seed)
    moved = X.copy()
    moved[:, 0] += shift
    got = coefficients(kind, estimator, moved, y, splits)[..., :-1]
    assert_same(got, coefficients(kind, estimator, X, y, splits)[..., :-1])


@pytest.mark.parametrize("kind", ALL)
@given(seed=seeds, factor=st.floats(0.1, 10))
def test_all_weights_scaled_scale_the_penalty(kind, seed, factor):
    estimator, X, y, splits = example(kind, seed)
    penalised = factor if kind in ("ridge", "moments") else 1 / factor
    got = coefficients(kind, estimator, X, y, splits, np.full(N, factor), value=0.7 * penalised)
    assert_same(got, coefficients(kind, estimator, X, y, splits))


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds)
def test_a_larger_penalty_shortens_the_coefficients(kind, seed):
    estimator, X, y, splits = example(kind, seed)
    values = [0.01, 1.0, 100.0] if kind in ("ridge", "moments") else [100.0, 1.0, 0.01]
    norms = [
        float(coefficients(kind, estimator, X, y, splits, value=value)[..., :-1].norm())
        for value in values
    ]
    assert norms == sorted(norms, reverse=True)


@pytest.mark.parametrize("kind", ALL)
def test_the_same_input_gives_the_same_bits(kind):
    parts = example(kind, 0)
    assert torch.equal(coefficients(kind, *parts), coefficients(kind, *parts))
