"""What it means that a search tells the truth, as comparisons with scikit-learn itself."""

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

from skbamm import BAMMSearchCV

LOSS = "neg_log_loss"
LIST, INTERVAL = [0.03, 1.0, 30.0], (1e-2, 1e2)


def logistic(**params):
    """A logistic regression solved so tightly that scores can be compared to 1e-6."""
    return LogisticRegression(**{"tol": 1e-10, "max_iter": 10_000, **params})


def ridge(**params):
    return Ridge(**{"tol": 1e-10, **params})


def ridge_classifier(**params):
    return RidgeClassifier(**{"tol": 1e-10, **params})


def search_over(estimator, grid, X, y, fit_params=None, **settings):
    """Fit a search."""
    return BAMMSearchCV(estimator, grid, **settings).fit(X, y, **(fit_params or {}))


def roles(search):
    """Map the parameters of a fitted search to their roles."""
    return {row["parameter"]: row["role"] for row in search.search_plan_}


def fold_scores(search, row=None):
    """Return the scores of one candidate, the best by default, in all folds."""
    row = search.best_index_ if row is None else row
    columns = [f"split{k}_test_score" for k in range(search.n_splits_)]
    return np.array([search.cv_results_[name][row] for name in columns])


def assert_served(search, role):
    """Assert that the joint path, and not scikit-learn's own fits, served the search."""
    assert role in roles(search).values()
    assert all(row["reason"] == "" for row in search.search_plan_ if row["role"] == role)


def assert_true(search, X, y, *, cv, scoring=None, atol=1e-6, params=None):
    """Assert that the best score is what cross-validation gives the best estimator.

    Fold by fold, so that errors cannot cancel.
    """
    best = clone(search.best_estimator_)
    expected = cross_val_score(best, X, y, cv=cv, scoring=scoring, params=params)
    np.testing.assert_allclose(fold_scores(search), expected, rtol=0, atol=atol)
    assert abs(search.best_score_ - expected.mean()) <= atol


def assert_true_but_for_a_row(search, X, y, *, cv):
    """Assert the same of an accuracy, in which one row a fold may flip."""
    expected = cross_val_score(clone(search.best_estimator_), X, y, cv=cv, scoring="accuracy")
    sizes = np.array([len(test) for _, test in cv.split(X, y)])
    assert (np.abs(fold_scores(search) - expected) <= 1 / sizes + 1e-12).all()


def assert_grid_search_agrees(
    estimator, grid, X, y, fit_params=None, *, atol=1e-6, served=True, **settings
):
    """Assert that GridSearchCV gives the same scores to every candidate; return ours."""
    ours = search_over(estimator, grid, X, y, fit_params, **settings)
    theirs = GridSearchCV(estimator, grid, **settings).fit(X, y, **(fit_params or {}))
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    names = [name for name in theirs.cv_results_ if name.endswith("_score")]
    for name in [n for n in names if n.startswith(("split", "mean_test", "mean_train"))]:
        got, expected = ours.cv_results_[name], theirs.cv_results_[name]
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol, err_msg=name)
    if served:
        assert_served(ours, "joint grid")
    return ours


def assert_finite(search):
    """Assert that no reported score is missing."""
    for name, column in search.cv_results_.items():
        if name.endswith("_score"):
            assert np.isfinite(column).all(), name
    assert np.isfinite(search.best_score_)


def least_loss(estimator, name, values, X, y, **settings):
    """Return the least mean loss over a fine list of values, by the joint grid."""
    search = search_over(estimator, {name: list(values)}, X, y, refit=False, **settings)
    return -float(search.cv_results_["mean_test_score"].max())
