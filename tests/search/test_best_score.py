"""`best_score_` is what scikit-learn's cross-validation gives the best estimator."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

from tests.truth import (
    INTERVAL,
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    assert_true_but_for_a_row,
    logistic,
    ridge,
    ridge_classifier,
    search_over,
)

FOLDS = StratifiedKFold(4, shuffle=True, random_state=1)
REGRESSION_FOLDS = KFold(4, shuffle=True, random_state=1)


def served(search, values):
    assert_served(search, "joint grid" if isinstance(values, list) else "searched")


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("data", ["binary", "three"])
def test_logistic_regression(data, fit_intercept, solver, values, request):
    X, y = request.getfixturevalue(data)
    model = logistic(fit_intercept=fit_intercept, solver=solver)
    search = search_over(model, {"C": values}, X, y, scoring=LOSS, cv=FOLDS)
    served(search, values)
    assert_true(search, X, y, cv=FOLDS, scoring=LOSS)


@pytest.mark.parametrize(
    "scoring",
    ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error"],
)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge(fit_intercept, scoring, values, regression):
    X, y = regression
    settings = {"scoring": scoring, "cv": REGRESSION_FOLDS}
    search = search_over(ridge(fit_intercept=fit_intercept), {"alpha": values}, X, y, **settings)
    served(search, values)
    assert_true(search, X, y, **settings)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error"])
def test_ridge_with_two_targets(scoring, values, regression):
    X, y = regression
    both = np.column_stack([y, 100 * X[:, 0] + y[::-1]])
    settings = {"scoring": scoring, "cv": REGRESSION_FOLDS}
    search = search_over(ridge(), {"alpha": values}, X, both, **settings)
    served(search, values)
    assert_true(search, X, both, **settings)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("data", ["binary", "three"])
def test_ridge_classifier(data, fit_intercept, values, request):
    X, y = request.getfixturevalue(data)
    model = ridge_classifier(fit_intercept=fit_intercept)
    search = search_over(model, {"alpha": values}, X, y, scoring="accuracy", cv=FOLDS)
    served(search, values)
    assert_true_but_for_a_row(search, X, y, cv=FOLDS)


@pytest.mark.parametrize("data", ["binary", "three"])
def test_accuracy_of_logistic_regression(data, values, request):
    X, y = request.getfixturevalue(data)
    search = search_over(logistic(), {"C": values}, X, y, cv=FOLDS)
    served(search, values)
    assert_true_but_for_a_row(search, X, y, cv=FOLDS)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5}], ids=["balanced", "dict"])
@pytest.mark.parametrize("data", ["binary", "three"])
def test_class_weights(data, class_weight, values, request):
    X, y = request.getfixturevalue(data)
    model = logistic(class_weight=class_weight)
    search = search_over(model, {"C": values}, X, y, scoring=LOSS, cv=FOLDS)
    served(search, values)
    assert_true(search, X, y, cv=FOLDS, scoring=LOSS)
    model = ridge_classifier(class_weight=class_weight)
    search = search_over(model, {"alpha": values}, X, y, scoring="accuracy", cv=FOLDS)
    served(search, values)
    assert_true_but_for_a_row(search, X, y, cv=FOLDS)


FORMS = {
    "dense": np.asarray,
    "fortran": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_matrix,
    "frame": lambda X: pd.DataFrame(X, columns=[f"feature {j}" for j in range(X.shape[1])]),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_rows(form, values, binary, regression):
    """Entries near zero are dropped, so that the sparse forms are sparse."""
    X, y = binary
    X = FORMS[form](np.where(np.abs(X) > 0.4, X, 0.0))
    search = search_over(logistic(), {"C": values}, X, y, scoring=LOSS, cv=FOLDS)
    served(search, values)
    assert_true(search, X, y, cv=FOLDS, scoring=LOSS)
    X, y = regression
    X = FORMS[form](np.where(np.abs(X) > 0.4, X, 0.0))
    search = search_over(ridge(), {"alpha": values}, X, y, cv=REGRESSION_FOLDS)
    served(search, values)
    assert_true(search, X, y, cv=REGRESSION_FOLDS)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_single_precision(form, values, binary, regression):
    """scikit-learn's own fits then are in single precision and differ by its rounding."""
    X, y = binary
    X = form(X.astype(np.float32))
    model = logistic(tol=1e-5)
    search = search_over(model, {"C": values}, X, y, scoring=LOSS, cv=FOLDS)
    served(search, values)
    assert_true(search, X, y, cv=FOLDS, scoring=LOSS, atol=1e-3)
    assert search.best_estimator_.coef_.dtype == np.float32
    X, y = regression
    X = form(X.astype(np.float32))
    search = search_over(ridge(tol=1e-6), {"alpha": values}, X, y, cv=REGRESSION_FOLDS)
    served(search, values)
    assert_true(search, X, y, cv=REGRESSION_FOLDS, atol=1e-4)


def test_a_loose_tolerance_gets_the_tight_score(binary):
    """scikit-learn differs from itself there; what is reported is what tight fits score."""
    X, y = binary
    with pytest.warns(ConvergenceWarning, match=r"With tol=0\.01 own fits of LogisticRegression"):
        search = search_over(logistic(tol=1e-2), {"C": INTERVAL}, X, y, scoring=LOSS, cv=FOLDS)
    tight = search.best_estimator_.set_params(tol=1e-10)
    search.best_estimator_ = tight
    assert_true(search, X, y, cv=FOLDS, scoring=LOSS)


@pytest.mark.parametrize("data", ["binary", "three"])
@pytest.mark.parametrize("penalties", [np.logspace(-4, 3, 8), [1, 10], [np.float32(0.5)]], ids=str)
def test_every_score_of_a_list(data, penalties, request):
    X, y = request.getfixturevalue(data)
    settings = {"cv": FOLDS, "scoring": LOSS}
    # Weak penalties are where lbfgs itself stops short of 1e-6.
    model = logistic(solver="newton-cholesky")
    assert_grid_search_agrees(model, {"C": penalties}, X, y, **settings)
    settings["scoring"] = "accuracy"
    assert_grid_search_agrees(ridge_classifier(), {"alpha": penalties}, X, y, **settings)


@pytest.mark.parametrize("scoring", ["r2", "neg_root_mean_squared_error"])
def test_every_score_of_a_list_for_ridge(scoring, regression):
    grid = {"alpha": np.logspace(-6, 6, 13), "fit_intercept": [True, False]}
    assert_grid_search_agrees(ridge(), grid, *regression, cv=REGRESSION_FOLDS, scoring=scoring)


def test_every_score_of_a_list_beside_others(binary):
    grid = [
        {"C": [0.1, 10.0], "class_weight": [None, "balanced"], "fit_intercept": [True, False]},
        {"C": [1.0], "solver": ["newton-cg", "liblinear"], "tol": [1e-10]},
    ]
    assert_grid_search_agrees(
        logistic(random_state=0), grid, *binary, cv=FOLDS, scoring=LOSS, served=False
    )


def test_scores_are_of_the_scorer_not_of_the_criterion(regression):
    """The criterion steers the search; what is told is the score asked for."""
    X, y = regression
    settings = {"cv": REGRESSION_FOLDS, "scoring": "neg_median_absolute_error"}
    search = search_over(ridge(), {"alpha": INTERVAL}, X, y, criterion="squared_error", **settings)
    assert_true(search, X, y, **settings)
