"""BAMMSearchCV in the place of its estimator: methods, tags, representations."""

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags

from skbamm import BAMMSearchCV
from tests.contract.comparison import (
    DELEGATED,
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    logistic,
    outcome,
    roles,
)


def call(method):
    """A call of a delegated method, or of score, on the data it takes."""
    extra = (Y_BINARY,) if method == "score" else ()
    return lambda search: getattr(search, method)(X_CLASS, *extra)


FITTED = {}


def fitted_of(kind, state, make):
    """Return the searches of a state, fitted once for all methods."""
    if (kind, state) not in FITTED:
        FITTED[kind, state] = make()
        if state != "unfitted":
            for search in FITTED[kind, state]:
                search.fit(X_CLASS, Y_BINARY)
    return FITTED[kind, state]


@pytest.mark.parametrize("method", [*DELEGATED, "score"])
@pytest.mark.parametrize(
    "state",
    ["unfitted", "no-refit", "metrics-no-refit", "fitted"],
)
@pytest.mark.parametrize(
    "estimator, grid",
    [(LogisticRegression(), {"C": [0.1, 1.0]}), (Ridge(), {"alpha": [0.1, 1.0]})],
    ids=["logistic", "ridge"],
)
def test_methods_that_are_missing(estimator, grid, state, method):
    """The same exceptions, causes and messages as GridSearchCV, the name aside."""
    settings = {
        "no-refit": {"refit": False},
        "metrics-no-refit": {"refit": False, "scoring": ["r2", "neg_mean_squared_error"]},
    }.get(state, {})
    searches = fitted_of(type(estimator), state, lambda: [
        cls(estimator, grid, cv=3, **settings) for cls in (BAMMSearchCV, GridSearchCV)
    ])  # fmt: skip
    ours, theirs = (outcome(search, call(method)) for search in searches)
    assert ours == theirs
    assert hasattr(searches[0], method) == hasattr(searches[1], method)


def test_methods_of_a_search_by_interval():
    grid = {"C": (1e-2, 1e2)}
    for settings in ({}, {"refit": False}):
        ours = BAMMSearchCV(LogisticRegression(), grid, cv=3, **settings)
        theirs = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=3, **settings)
        for method in DELEGATED:
            assert outcome(ours, call(method)) == outcome(theirs, call(method))
        ours.fit(X_CLASS, Y_BINARY)
        theirs.fit(X_CLASS, Y_BINARY)
        for method in DELEGATED:
            assert outcome(ours, call(method)) == outcome(theirs, call(method))


def test_messages_name_the_class():
    search = BAMMSearchCV(LogisticRegression(), {"C": (1e-2, 1e2)}, cv=3, refit=False)
    with pytest.raises(AttributeError, match="This 'BAMMSearchCV' has no attribute 'predict'") as e:
        search.fit(X_CLASS, Y_BINARY).predict(X_CLASS)
    assert "This BAMMSearchCV instance was initialized with `refit=False`" in str(e.value.__cause__)


def test_delegated_methods_are_those_of_the_best_estimator(values):
    search = BAMMSearchCV(logistic(), {"C": values}, cv=3).fit(X_CLASS, Y_MULTI)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        expected = getattr(search.best_estimator_, method)(X_CLASS)
        np.testing.assert_array_equal(getattr(search, method)(X_CLASS), expected)
    np.testing.assert_array_equal(search.classes_, [0, 1, 2])
    assert search.n_features_in_ == X_CLASS.shape[1]
    for name in ("coef_", "partial_fit", "get_feature_names_out"):
        assert not hasattr(search, name)


def test_score_uses_the_scorer(values):
    search = BAMMSearchCV(logistic(), {"C": values}, cv=3, scoring="neg_log_loss")
    search.fit(X_CLASS, Y_BINARY)
    expected = search.scorer_(search.best_estimator_, X_CLASS, Y_BINARY)
    assert search.score(X_CLASS, Y_BINARY) == expected < 0


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        Ridge(),
        SVC(kernel="precomputed"),
        make_pipeline(StandardScaler(), Ridge()),
        make_pipeline(PCA(), LogisticRegression()),
    ],
    ids=["logistic", "ridge", "pairwise", "ridge-pipeline", "logistic-pipeline"],
)
def test_tags(estimator):
    ours = get_tags(BAMMSearchCV(estimator, {}))
    theirs = get_tags(GridSearchCV(estimator, {}))
    ours.array_api_support = theirs.array_api_support  # we may claim less
    assert ours == theirs
    assert is_classifier(BAMMSearchCV(estimator, {})) == is_classifier(estimator)
    assert is_regressor(BAMMSearchCV(estimator, {})) == is_regressor(estimator)


def test_html_representation(values):
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=3)
    unfitted = search._repr_html_()
    assert "estimator: LogisticRegression" in unfitted
    assert "best_estimator_" not in unfitted
    assert "best_estimator_: LogisticRegression" in search.fit(X_CLASS, Y_BINARY)._repr_html_()
    assert repr(search).startswith("BAMMSearchCV(")


def test_inside_cross_validation(values):
    search = BAMMSearchCV(logistic(), {"C": values}, cv=3, scoring="neg_log_loss")
    scores = cross_val_score(search, X_CLASS, Y_MULTI, cv=3)
    assert scores.shape == (3,)
    assert np.all(scores > -0.5)
    result = cross_validate(search, X_CLASS, Y_MULTI, cv=3, return_estimator=True)
    np.testing.assert_array_equal(result["test_score"], scores)
    for fitted in result["estimator"]:
        assert set(roles(fitted).values()) <= {"joint grid", "searched"}
    labels = cross_val_predict(search, X_CLASS, Y_MULTI, cv=3)
    assert np.mean(labels == Y_MULTI) > 0.9
    assert not hasattr(search, "best_params_")


def test_nested_cross_validation_equals_that_of_grid_search():
    settings = {"param_grid": {"C": [0.01, 0.1, 1.0, 10.0]}, "cv": 3, "scoring": "neg_log_loss"}
    ours, theirs = (
        cross_val_score(cls(logistic(), **settings), X_CLASS, Y_MULTI, cv=4)
        for cls in (BAMMSearchCV, GridSearchCV)
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_as_the_last_step_of_a_pipeline(values):
    search = BAMMSearchCV(Ridge(), {"alpha": values}, cv=3)
    pipeline = make_pipeline(StandardScaler(), search).fit(X_REG, Y_REG)
    fitted = pipeline[-1]
    alone = clone(search).fit(StandardScaler().fit_transform(X_REG), Y_REG)
    np.testing.assert_array_equal(fitted.predict(X_REG), alone.predict(X_REG))
    assert pipeline.score(X_REG, Y_REG) == pytest.approx(
        fitted.score(pipeline[:-1].transform(X_REG), Y_REG)
    )
    pipeline.set_params(bammsearchcv__cv=4).fit(X_REG, Y_REG)
    assert pipeline[-1].n_splits_ == 4


def test_as_the_estimator_of_a_search():
    inner = BAMMSearchCV(LogisticRegression(), {"C": (1e-2, 1e2)}, cv=2)
    outer = BAMMSearchCV(inner, {"estimator__fit_intercept": [True, False]}, cv=2)
    outer.fit(X_CLASS, Y_BINARY)
    assert roles(outer) == {"estimator__fit_intercept": "enumerated"}
    assert roles(outer.best_estimator_) == {"C": "searched"}
