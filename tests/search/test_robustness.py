"""Awkward data give a result or scikit-learn's clear error, and never a score that is NaN."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from tests.pairs import pairwise
from tests.truth import (
    INTERVAL,
    LIST,
    LOSS,
    assert_finite,
    assert_grid_search_agrees,
    assert_true,
    logistic,
    ridge,
    ridge_classifier,
    search_over,
)

CV = KFold(4, shuffle=True, random_state=0)
WIDE = (1e-8, 1e8)


@pytest.fixture
def only_convergence():
    """Let warnings of slow convergence pass, ours and scikit-learn's, and no other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.fixture(params=["logistic", "ridge", "ridge classifier"])
def model(request):
    """A model at its usual tolerance, and the name of its penalty."""
    return {
        "logistic": (logistic(tol=1e-4), "C"),
        "ridge": (ridge(), "alpha"),
        "ridge classifier": (ridge_classifier(), "alpha"),
    }[request.param]


def with_constant(X):
    return np.column_stack([X, np.full(len(X), 3.7)])


def with_zeros(X):
    return np.column_stack([X, np.zeros(len(X))])


def with_scales(X):
    X = X.copy()
    X[:, 0] *= 1e8
    X[:, 1] *= 1e-8
    return X


def with_offset(X):
    return X + 1e6


def with_copies(X):
    return np.column_stack([X, X, -X[:, :2]])


def all_constant(X):
    return np.ones((len(X), 2))


CHANGES = [with_constant, with_zeros, with_scales, with_offset, with_copies, all_constant]


# A list and an interval in turns; an interval that is wide always.
@pytest.mark.parametrize(
    ("change", "model", "values"),
    pairwise(CHANGES, ["logistic", "ridge", "ridge classifier"], ["list", "interval"]),
    indirect=["model", "values"],
)
@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")  # scikit-learn's, from ridge
def test_features(change, model, values, binary, only_convergence):
    X, y = change(binary[0]), binary[1]
    search = search_over(model[0], {model[1]: values}, X, y, cv=CV)
    assert_finite(search)
    assert_finite(search_over(model[0], {model[1]: WIDE}, X, y, cv=CV))
    assert np.isfinite(search.best_estimator_.coef_).all()


@pytest.mark.parametrize("change", [with_constant, with_zeros, with_copies, all_constant])
def test_scores_with_awkward_features_are_true(change, values, binary, regression):
    X, y = change(binary[0]), binary[1]
    # A little looser: lbfgs warns where rounding keeps it from 1e-10.
    model = logistic(tol=1e-8)
    search = search_over(model, {"C": values}, X, y, cv=CV, scoring=LOSS)
    assert_true(search, X, y, cv=CV, scoring=LOSS)
    X, y = change(regression[0]), regression[1]
    search = search_over(ridge(), {"alpha": values}, X, y, cv=CV)
    assert_true(search, X, y, cv=CV)


def test_features_of_all_scales_are_true_for_ridge(regression):
    X, y = with_scales(regression[0]), regression[1]
    for values in (LIST, INTERVAL):
        search = search_over(ridge(solver="svd"), {"alpha": values}, X, y, cv=CV)
        assert_true(search, X, y, cv=CV, atol=1e-5)


def test_a_feature_of_one_value_in_a_fold(values, binary):
    """Every fold but the first trains on rows that all have the same value."""
    X, y = binary
    X = np.column_stack([X, np.zeros(len(X))])
    _, test = next(iter(CV.split(X)))
    X[test, -1] = 5.0
    search = search_over(logistic(), {"C": values}, X, y, cv=CV, scoring=LOSS)
    assert_true(search, X, y, cv=CV, scoring=LOSS)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_classes(n_classes, values, only_convergence):
    """Weaker is always better: the search ends at the weak end of the interval."""
    y = np.arange(90) % n_classes
    X = np.eye(n_classes)[y] * 4 + np.random.default_rng(0).normal(size=(90, n_classes)) * 0.1
    search = search_over(logistic(), {"C": values}, X, y, cv=CV, scoring=LOSS)
    assert_true(search, X, y, cv=CV, scoring=LOSS)
    assert search.best_params_["C"] >= 20
    search = search_over(logistic(tol=1e-6), {"C": WIDE}, X, y, cv=CV, scoring=LOSS)
    assert_finite(search)
    assert search.best_score_ > -1e-4


@pytest.mark.parametrize("n, p", [(20, 60), (30, 200), (12, 13)])
def test_more_features_than_rows(n, p, values, only_convergence):
    X, y = make_regression(n, p, n_informative=5, noise=5.0, random_state=0)
    search = search_over(ridge(), {"alpha": values}, X, y, cv=CV)
    assert_true(search, X, y, cv=CV)
    assert_finite(search_over(ridge(), {"alpha": WIDE}, X, y, cv=CV))
    X, y = make_classification(n, p, flip_y=0.3, random_state=0)
    cv = StratifiedKFold(3)
    search = search_over(logistic(), {"C": values}, X, y, cv=cv, scoring=LOSS)
    assert_true(search, X, y, cv=cv, scoring=LOSS)
    assert_finite(search_over(logistic(tol=1e-4), {"C": WIDE}, X, y, cv=cv, scoring=LOSS))


def test_a_class_missing_from_a_training_fold(values, three):
    """That fold alone is left to scikit-learn's own fit."""
    X, y = three
    splits = [(np.flatnonzero(y < 2)[::2], np.flatnonzero(y < 2)[1::2])]
    splits += list(StratifiedKFold(3).split(X, y))
    settings = {"cv": splits, "scoring": "accuracy"}
    for model, grid in ((logistic(), {"C": LIST}), (ridge_classifier(), {"alpha": LIST})):
        search = assert_grid_search_agrees(model, grid, X, y, served=False, **settings)
        (row,) = search.search_plan_
        assert row["role"] == "joint grid"
        assert row["reason"].startswith(
            "own fits are used for fold 0: a class or all weight is missing"
        )
    search = search_over(logistic(), {"C": values}, X, y, **settings)
    assert_true(search, X, y, **settings)


def test_a_class_missing_from_all_training_folds(three):
    """Nothing is left for us, and it is scikit-learn's own table."""
    X, y = three
    splits = [(np.flatnonzero(y < 2)[k::2], np.flatnonzero(y < 2)[1 - k :: 2]) for k in (0, 1)]
    settings = {"cv": splits, "scoring": "accuracy"}
    assert_grid_search_agrees(logistic(), {"C": LIST}, X, y, served=False, **settings)
    with pytest.warns(
        ConvergenceWarning, match="no fold has the classes or rows that the model needs"
    ):
        search = search_over(logistic(), {"C": INTERVAL}, X, y, **settings)
    assert_finite(search)
    assert_true(search, X, y, **settings)


def test_a_class_missing_from_a_test_fold(values, three):
    """Probabilities have a column for it all the same."""
    X, y = three

    def scorer(estimator, X, y):
        probability = estimator.predict_proba(X)
        return float(np.log(probability[np.arange(len(y)), y]).mean())

    splits = [
        (
            np.flatnonzero(np.arange(len(y)) % 2 == 0),
            np.flatnonzero((y < 2) & (np.arange(len(y)) % 2 == 1)),
        )
    ]
    settings = {"cv": splits, "scoring": scorer}
    assert_grid_search_agrees(logistic(), {"C": LIST}, X, y, **settings)
    search = search_over(logistic(), {"C": values}, X, y, **settings)
    assert_true(search, X, y, **settings)


def test_one_class_in_a_training_fold(binary):
    """scikit-learn's own error, in the same words, whether by list or by interval."""
    X, y = binary
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    cv = [(np.flatnonzero(y == 0), np.flatnonzero(y == 1)), next(iter(CV.split(X)))]
    with pytest.raises(ValueError, match="at least 2 classes"):
        GridSearchCV(logistic(), {"C": LIST}, cv=cv, error_score="raise").fit(X, y)
    for values in (LIST, INTERVAL):
        with pytest.raises(ValueError, match="at least 2 classes"):
            search_over(logistic(), {"C": values}, X, y, cv=cv, error_score="raise")


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error"])
def test_units_of_the_target(factor, scoring, regression):
    """Multiplying the target changes no optimum, so it must not change what is found."""
    X, y = regression
    settings = {"cv": CV, "scoring": scoring}
    plain = search_over(ridge(), {"alpha": (1e-3, 1e4)}, X, y, **settings)
    scaled = search_over(ridge(), {"alpha": (1e-3, 1e4)}, X, factor * y, **settings)
    assert scaled.converged_ is plain.converged_ is True
    assert scaled.best_params_["alpha"] == pytest.approx(plain.best_params_["alpha"], rel=1e-3)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_units_of_the_features(factor, regression):
    """Multiplying all features multiplies the best alpha by the square."""
    X, y = regression
    plain = search_over(ridge(), {"alpha": (1e-3, 1e4)}, X, y, cv=CV)
    bounds = (1e-3 * factor**2, 1e4 * factor**2)
    scaled = search_over(ridge(), {"alpha": bounds}, factor * X, y, cv=CV)
    assert scaled.best_score_ == pytest.approx(plain.best_score_, abs=1e-6)


def test_a_constant_target(values):
    """R2 of constants is one or zero, by scikit-learn's own rule."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    for y in (np.full(40, 5.0), np.zeros(40)):
        search = search_over(ridge(), {"alpha": values}, X, y, cv=CV)
        assert_true(search, X, y, cv=CV)


def test_one_row_and_one_feature(values):
    X, y = np.arange(8.0)[:, None], np.arange(8.0)
    search = search_over(ridge(), {"alpha": values}, X, y, cv=2)
    assert_true(search, X, y, cv=2)
    search = search_over(logistic(), {"C": values}, X, [0, 1] * 4, cv=2, scoring=LOSS)
    assert_true(search, X, [0, 1] * 4, cv=2, scoring=LOSS)


@pytest.mark.parametrize("scoring", [LOSS, "roc_auc", "f1"])
def test_a_huge_interval(scoring, binary, only_convergence):
    search = search_over(logistic(tol=1e-4), {"C": WIDE}, *binary, cv=CV, scoring=scoring)
    assert_finite(search)
    table = search.cv_results_["mean_test_score"]
    one_row = 1 / len(binary[1]) if scoring == "f1" else 0.0  # of a flat top the middle is taken
    assert search.best_score_ >= table.max() - one_row


@pytest.mark.parametrize("invalid", [np.nan, np.inf])
def test_missing_values(invalid, values, binary, regression):
    """scikit-learn's own message, and no fit of ours before it."""
    for model, name, (X, y) in ((logistic(), "C", binary), (ridge(), "alpha", regression)):
        X = X.copy()
        X[3, 1] = invalid
        with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
            search_over(model, {name: values}, X, y, cv=CV, error_score="raise")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_features_that_single_precision_cannot_tell_apart(dtype, only_convergence):
    """What it cannot finish is finished in double precision."""
    X, y = make_classification(
        240, 6, n_informative=5, n_redundant=0, n_classes=3, flip_y=0.2, random_state=0
    )
    X = np.column_stack([X, X[:, :3] + 1e-5 * X[:, 3:]])
    values = np.logspace(-2, 6, 5)
    exact = GridSearchCV(
        logistic(tol=1e-10, solver="newton-cholesky"), {"C": values}, scoring=LOSS, cv=CV
    ).fit(X, y)
    search = search_over(logistic(tol=1e-6), {"C": values}, X, y, scoring=LOSS, cv=CV, dtype=dtype)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], exact.cv_results_["mean_test_score"], rtol=1e-6
    )
