"""Several labels a row: RidgeClassifier, and OneVsRestClassifier around linear classifiers."""

from contextlib import nullcontext

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import PerClass
from tests.pairs import turns
from tests.truth import (
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    fold_scores,
    roles,
    search_over,
)

X, Y = make_multilabel_classification(90, 12, n_classes=4, n_labels=2, random_state=0)
X = X / X.std(0)
CV = KFold(3)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}
MODELS = {
    "ridge": (RidgeClassifier(tol=1e-10), "alpha"),
    "balanced ridge": (RidgeClassifier(tol=1e-10, class_weight="balanced"), "alpha"),
    "one-vs-rest ridge": (OneVsRestClassifier(RidgeClassifier(tol=1e-10)), "estimator__alpha"),
    "logistic": (
        OneVsRestClassifier(LogisticRegression(solver="newton-cholesky", **TIGHT)), "estimator__C",
    ),
    "balanced logistic": (
        OneVsRestClassifier(LogisticRegression(class_weight="balanced", **TIGHT)), "estimator__C",
    ),
    "svm": (OneVsRestClassifier(LinearSVC(dual=False, **TIGHT)), "estimator__C"),
    "balanced svm": (
        OneVsRestClassifier(LinearSVC(dual=False, class_weight={1: 3.0}, **TIGHT)), "estimator__C",
    ),
}  # fmt: skip


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


FORMS = [(np.asarray, "f1_micro"), (sp.csr_array, None), (np.asarray, "roc_auc")]


@pytest.mark.parametrize(
    ("name", "form"), [*turns(MODELS, FORMS), ("logistic", FORMS[1]), ("ridge", FORMS[2])]
)
def test_lists_have_grid_searchs_table(name, form):
    model, (form, scoring) = MODELS[name], form
    rows = form(np.where(X > 0.5, X, 0.0))
    grid = {model[1]: [0.01, 0.1, 1.0]}
    ours = assert_grid_search_agrees(
        model[0], grid, rows, Y, cv=CV, scoring=scoring, return_train_score=True
    )
    assert roles(ours) == {model[1]: "joint grid"}


TARGETS = {
    "booleans": lambda y: y.astype(bool),
    "floats": lambda y: y * 1.0,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "lists": lambda y: y.tolist(),
    "two and zero": lambda y: 2 * y,
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_forms_of_the_target(name, kind):
    (model, parameter), target = MODELS[name], TARGETS[kind](Y)
    try:
        theirs = GridSearchCV(model, {parameter: [0.1, 1.0]}, cv=CV, error_score="raise")
        theirs.fit(X, target)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error)):
            search = search_over(
                model, {parameter: [0.1, 1.0]}, X, target, cv=CV, error_score="raise"
            )
        return
    search = search_over(model, {parameter: [0.1, 1.0]}, X, target, cv=CV)
    assert_served(search, "joint grid")
    np.testing.assert_allclose(fold_scores(search), fold_scores(theirs), atol=1e-12)
    ours, own = search.predict(X), theirs.predict(X)
    assert sp.issparse(ours) == sp.issparse(own) and ours.dtype == own.dtype
    assert abs(ours - own).max() == 0


def test_fold_models_are_those_of_own_fits(model):
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    search_over(model[0], {model[1]: [0.1]}, X, Y, scoring=scorer, cv=CV, refit=False)
    for scored, (train, _) in zip(seen, CV.split(X), strict=True):
        own = clone(model[0]).set_params(**{model[1]: 0.1}).fit(X[train], Y[train])
        assert set(vars(scored.estimator)) == set(vars(own))
        np.testing.assert_array_equal(scored.classes_, own.classes_)
        for ours, theirs in zip(parts(scored), parts(own), strict=True):
            assert ours.coef_.shape == theirs.coef_.shape
            close = {"rtol": 1e-5, "atol": 1e-5 * np.abs(theirs.coef_).max()}
            np.testing.assert_allclose(ours.coef_, theirs.coef_, **close)
            np.testing.assert_allclose(ours.intercept_, theirs.intercept_, **close)
        np.testing.assert_array_equal(scored.predict(X), own.predict(X))
        np.testing.assert_allclose(scored.decision_function(X), own.decision_function(X), atol=1e-4)


def parts(fitted):
    return getattr(fitted, "estimators_", [fitted])


def test_intervals_are_no_worse_than_a_grid(model):
    """Those of balanced classes in a pipeline, where folds have rows of their own."""
    (estimator, name), prefix = model, ""
    if getattr(estimator, "estimator", estimator).class_weight:
        estimator, prefix = make_pipeline(StandardScaler(), estimator), type(estimator).__name__
        prefix = f"{prefix.lower()}__"
    search = search_over(estimator, {prefix + name: (1e-3, 1e3)}, X, Y, cv=CV)
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV, atol=1.01 / 30)
    own = search_over(estimator, {prefix + name: np.geomspace(1e-3, 1e3, 9)}, X, Y, cv=CV)
    assert search.best_score_ >= own.best_score_ - 1e-9


@pytest.mark.parametrize("name", ["ridge", "balanced ridge"])
def test_weights_of_rows(name):
    model, parameter = MODELS[name]
    weight = np.arange(len(Y)) % 3.0
    grid, params = {parameter: [0.1, 10.0]}, {"sample_weight": weight}
    assert_grid_search_agrees(model, grid, X, Y, params, cv=CV)


def test_a_fold_without_a_label_is_fitted_by_itself():
    y = Y.copy()
    y[:, 0] = np.arange(len(y)) < 30  # all in the first test fold
    for name in ("ridge", "svm"):
        model, parameter = MODELS[name]
        with pytest.warns() if name == "svm" else nullcontext():
            assert_grid_search_agrees(model, {parameter: [0.1, 1.0]}, X, y, cv=CV, served=False)


def test_stochastic_gradient_descent_is_searched():
    model = OneVsRestClassifier(SGDClassifier(loss="log_loss", random_state=0))
    search = search_over(model, {"estimator__alpha": (1e-4, 1.0)}, X, Y, cv=CV)
    assert_served(search, "searched")


def test_there_are_no_values_of_classes():
    with pytest.raises(ValueError, match="rows have several labels"):
        search_over(RidgeClassifier(), {"alpha": PerClass(0.1, 10.0)}, X, Y, cv=CV)
