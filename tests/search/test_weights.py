"""Sample weights reach the folds, the criterion, the scores and the refit."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from tests.truth import (
    INTERVAL,
    LIST,
    LOSS,
    assert_finite,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    fold_scores,
    least_loss,
    logistic,
    ridge,
    ridge_classifier,
    search_over,
)

CV = StratifiedKFold(4, shuffle=True, random_state=0)


def assert_true_with_weights(search, X, y, weight, *, cv, scoring, atol=1e-6):
    """Fit and score each fold by hand, both with weights."""
    scorer, expected = get_scorer(scoring), []
    for train, test in cv.split(X, y):
        model = clone(search.best_estimator_).fit(X[train], y[train], sample_weight=weight[train])
        expected.append(scorer(model, X[test], y[test], sample_weight=weight[test]))
    np.testing.assert_allclose(fold_scores(search), expected, rtol=0, atol=atol)


def searched(estimator, name, values, X, y, fit_params, *, served=True, **settings):
    """Search; a list has GridSearchCV's table as well."""
    if values is LIST:
        return assert_grid_search_agrees(
            estimator, {name: values}, X, y, fit_params, served=served, **settings
        )
    return search_over(estimator, {name: values}, X, y, fit_params, **settings)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0}], ids=str)
@pytest.mark.parametrize("data", ["binary", "three"])
def test_logistic_regression(data, class_weight, values, weight, request):
    X, y = request.getfixturevalue(data)
    w = weight[: len(y)]
    model = logistic(class_weight=class_weight)
    settings = {"cv": CV, "scoring": LOSS}
    search = searched(model, "C", values, X, y, {"sample_weight": w}, **settings)
    assert_served(search, "joint grid" if values is LIST else "searched")
    assert_true_with_weights(search, X, y, w, **settings)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error"])
def test_ridge(scoring, values, regression, weight):
    X, y = regression
    w = weight[: len(y)]
    settings = {"cv": KFold(4), "scoring": scoring}
    search = searched(ridge(), "alpha", values, X, y, {"sample_weight": w}, **settings)
    assert_true_with_weights(search, X, y, w, **settings)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("data", ["binary", "three"])
def test_ridge_classifier(data, class_weight, weight, request):
    X, y = request.getfixturevalue(data)
    model = ridge_classifier(class_weight=class_weight)
    fit_params = {"sample_weight": weight[: len(y)]}
    settings = {"cv": CV, "scoring": "accuracy"}
    assert_grid_search_agrees(model, {"alpha": LIST}, X, y, fit_params, **settings)


def test_the_criterion_is_weighted(binary):
    """The optimum is that of the weighted loss: half of the labels are wrong, at no weight."""
    X, y = binary
    wrong = np.arange(len(y)) % 2 == 0
    y = np.where(wrong, 1 - y, y)
    fit_params = {"sample_weight": np.where(wrong, 1e-3, 1.0)}
    settings = {"cv": CV, "scoring": LOSS}
    search = search_over(logistic(), {"C": (1e-3, 1e3)}, X, y, fit_params, **settings)
    fine = search_over(logistic(), {"C": np.geomspace(1e-3, 1e3, 40)}, X, y, fit_params, **settings)
    assert -search.best_score_ <= -fine.best_score_ * (1 + 1e-4)
    unweighted = least_loss(logistic(), "C", np.geomspace(1e-3, 1e3, 40), X, y, **settings)
    assert -search.best_score_ < 0.7 * unweighted


def piped():
    return Pipeline([("scaler", StandardScaler()), ("model", logistic())])


def test_of_a_step(values, three, weight):
    """They go to the fit only, as scikit-learn's search has it."""
    X, y = three
    fit_params = {"model__sample_weight": weight[: len(y)]}
    settings = {"cv": CV, "scoring": LOSS}
    search = searched(piped(), "model__C", values, X, y, fit_params, **settings)
    assert_served(search, "joint grid" if values is LIST else "searched")
    assert_true(search, X, y, params=fit_params, **settings)


def test_of_a_transformer(three, weight):
    """Which then sees weights that we do not, so scikit-learn's own fits serve."""
    X, y = three
    fit_params = {"scaler__sample_weight": weight[: len(y)]}
    settings = {"cv": CV, "scoring": LOSS}
    grid = {"model__C": LIST}
    assert_grid_search_agrees(piped(), grid, X, y, fit_params, served=False, **settings)
    with pytest.warns(ConvergenceWarning, match="not searched jointly.*scaler__sample_weight"):
        search = search_over(piped(), {"model__C": INTERVAL}, X, y, fit_params, **settings)
    assert search.search_plan_[0]["reason"]
    assert_true(search, X, y, params=fit_params, **settings)


@pytest.mark.filterwarnings("ignore:.*not searched jointly")
@pytest.mark.parametrize("scaler", [False, True], ids=["model", "model and scaler"])
def test_routed_to_steps(scaler, values, three, weight):
    X, y = three
    fit_params = {"sample_weight": weight[: len(y)]}
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer(LOSS).set_score_request(sample_weight=True)
        settings = {"cv": CV, "scoring": scorer}
        model = piped()
        model.set_params(
            scaler=StandardScaler().set_fit_request(sample_weight=scaler),
            model=logistic().set_fit_request(sample_weight=True),
        )
        search = searched(
            model, "model__C", values, X, y, fit_params, served=not scaler, **settings
        )
        assert_true(search, X, y, params=fit_params, **settings)


@pytest.mark.parametrize("fit, score", [(True, True), (True, False), (False, True)], ids=str)
def test_routed_to_fit_or_score(fit, score, values, three, weight):
    X, y = three
    fit_params = {"sample_weight": weight[: len(y)]}
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer(LOSS).set_score_request(sample_weight=score)
        model = logistic().set_fit_request(sample_weight=fit)
        settings = {"cv": CV, "scoring": scorer}
        search = searched(model, "C", values, X, y, fit_params, **settings)
        assert_true(search, X, y, params=fit_params, **settings)


@pytest.mark.parametrize("case", ["integers", "list", "single", "constant"])
def test_forms(case, values, three):
    X, y = three
    w = {
        "integers": np.arange(len(y)) % 3 + 1,
        "list": [1.0 + i % 2 for i in range(len(y))],
        "single": (np.arange(len(y)) % 3 + 1).astype(np.float32),
        "constant": np.full(len(y), 2.0),
    }[case]
    settings = {"cv": CV, "scoring": LOSS}
    search = search_over(logistic(), {"C": values}, X, y, {"sample_weight": w}, **settings)
    assert_true_with_weights(search, X, y, np.asarray(w, float), **settings)


def test_rows_without_weight(values, regression):
    """A fold may train on rows half of which do not count."""
    X, y = regression
    w = np.where(np.arange(len(y)) < 60, 0.0, 1.0)
    settings = {"cv": KFold(3, shuffle=True, random_state=0), "scoring": "neg_mean_squared_error"}
    search = search_over(ridge(), {"alpha": values}, X, y, {"sample_weight": w}, **settings)
    assert_true_with_weights(search, X, y, w, **settings)


@pytest.mark.filterwarnings("ignore:.*not searched jointly")
def test_a_class_without_weight(values, three):
    """Accuracy is told, as by scikit-learn's own fits."""
    X, y = three
    fit_params = {"sample_weight": np.where(y == 2, 0.0, 1.0)}
    settings = {"cv": CV, "scoring": "accuracy"}
    assert_grid_search_agrees(
        logistic(), {"C": [0.1, 1.0]}, X, y, fit_params, served=False, **settings
    )
    search = search_over(logistic(), {"C": values}, X, y, fit_params, **settings)
    assert_finite(search)


def test_a_class_weight_of_zero(values, binary):
    X, y = binary
    model = logistic(class_weight={0: 0.0, 1: 1.0}, tol=1e-4)
    search = search_over(model, {"C": values}, X, y, cv=CV, scoring="accuracy")
    assert_finite(search)


def test_weights_are_repeats(values, binary):
    """A weight of two in the fit and the score is a row that is there twice."""
    X, y = binary
    w = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), w)
    start = np.cumsum(w) - w
    splits = list(CV.split(X, y))

    def repeated(part):
        return np.concatenate([np.arange(start[i], start[i] + w[i]) for i in part])

    again = [(repeated(train), repeated(test)) for train, test in splits]
    for model, name in ((logistic(), "C"), (ridge(), "alpha")):
        scoring = LOSS if name == "C" else "neg_mean_squared_error"
        weighted = search_over(
            model, {name: values}, X, y, {"sample_weight": w}, cv=splits, scoring=scoring
        )
        twice = search_over(model, {name: values}, X[rows], y[rows], cv=again, scoring=scoring)
        assert weighted.best_params_[name] == pytest.approx(twice.best_params_[name], rel=1e-3)
        np.testing.assert_allclose(fold_scores(weighted), fold_scores(twice), atol=1e-5)


def test_a_step_that_says_nothing_of_weights_has_scikit_learns_error_only():
    X, y = load_diabetes(return_X_y=True)
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler(), Lasso().set_fit_request(sample_weight=True))
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # of a joint solve that failed
            with pytest.raises(ValueError, match="All the 15 fits failed"):
                BAMMSearchCV(model, {"lasso__alpha": (0.01, 10.0)}, cv=3).fit(
                    X, y, sample_weight=np.ones(len(y))
                )
