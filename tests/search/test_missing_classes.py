"""Folds that train without a class: they work as one value does, or are left to own fits."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneGroupOut
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, ClassPenalty, PerClass
from tests.pairs import pairwise
from tests.truth import fold_scores, search_over

pytestmark = pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
GROUPS = np.repeat([0, 1, 2], 30)
TIGHT = {"tol": 1e-9, "max_iter": 100_000}
MODELS = {
    "logistic": (LogisticRegression(**TIGHT), "C", ""),
    "ridge": (RidgeClassifier(), "alpha", ""),
    "svc": (LinearSVC(dual=False, **TIGHT), "C", ""),
    "one-vs-rest": (
        OneVsRestClassifier(LogisticRegression(**TIGHT)), "estimator__C", "estimator__",
    ),
    "sgd": (SGDClassifier("log_loss", random_state=0, alpha=0.1), "alpha", ""),
}  # fmt: skip


def labels(classes):
    """Return labels of which the last class is in the first test fold only."""
    y = np.digitize(X[:, 0] + 0.3 * X[:, 1], np.linspace(-0.6, 0.6, classes - 2)).astype(int)
    y[:4] = classes - 1
    return y


# The last class is missing from the first fold's training rows: two or three are left.
LEFT = [3, 4]
WEIGHTS = [(None, KFold(3)), ("balanced", LeaveOneGroupOut()), ("dict", KFold(3))]


@pytest.mark.parametrize(
    ("name", "weighting", "classes"),
    pairwise(["logistic", "ridge", "svc", "one-vs-rest"], WEIGHTS, LEFT),
)
def test_class_weights_are_those_of_the_folds_own_classes(name, weighting, classes):
    model, parameter, inside = MODELS[name]
    (weights, cv), y = weighting, labels(classes)
    params = {"groups": GROUPS} if isinstance(cv, LeaveOneGroupOut) else {}
    if weights == "dict":
        weights = {label: 1.0 + label for label in range(2 if inside else len(np.unique(y)))}
    model = clone(model).set_params(**{f"{inside}class_weight": weights})
    grid, settings = {parameter: [0.1, 1.0]}, {"cv": cv}
    ours = search_over(model, grid, X, y, params, **settings)
    theirs = GridSearchCV(model, grid, **settings).fit(X, y, **params)
    got, expected = (one.cv_results_["mean_test_score"] for one in (ours, theirs))
    np.testing.assert_allclose(got, expected, atol=1e-9)
    search = search_over(model, {parameter: (1e-2, 1e2)}, X, y, params, **settings)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    for one in (ours, search):
        assert "own fits are used for fold 0" in one.search_plan_[0]["reason"]
    listed = GridSearchCV(model, {parameter: np.geomspace(1e-2, 1e2, 5)}, **settings)
    assert search.best_score_ >= listed.fit(X, y, **params).best_score_ - 3 / 90


@pytest.mark.parametrize(
    ("name", "classes", "pipeline"),
    pairwise(["ridge", "svc", "one-vs-rest", "sgd"], LEFT, [False, True]),
)
def test_values_of_classes_are_those_of_the_folds_own_classes(name, classes, pipeline):
    model, parameter, _ = MODELS[name]
    prefix, y = "", labels(classes)
    if pipeline:
        prefix = f"{type(model).__name__.lower()}__"
        model = make_pipeline(StandardScaler(), model)
    # Shrinkage chooses the values, not what they mean: one of the models is enough.
    values = PerClass(1e-2, 1e2, shrinkage=name == "ridge")
    search = search_over(model, {prefix + parameter: values}, X, y, cv=KFold(3))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    values = search.best_params_[prefix + parameter]
    assert values.shape == (len(np.unique(y)),)
    train, test = next(KFold(3).split(X))
    own = clone(search.best_estimator_)
    left = values[:-1] if len(values) > 3 else np.exp(np.log(values[:-1]).mean(keepdims=True))
    if name == "ridge":
        own.set_params(**{prefix + parameter: left if len(left) > 1 else left[0]})
    else:
        around = own.steps[-1][1] if pipeline else own
        assert isinstance(around, ClassPenalty)
        whole = np.exp(np.log(values).mean())
        around.penalty_factor = left / whole if "alpha" in parameter else whole / left
    expected = own.fit(X[train], y[train]).score(X[test], y[test])
    assert fold_scores(search)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("classes", LEFT)
def test_weights_of_classes(classes):
    y = labels(classes)
    search = search_over(
        RidgeClassifier(), {"class_weight": PerClass(0.1, 10.0)}, X, y, cv=KFold(3)
    )
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_where_every_fold_lacks_one_own_fits_serve():
    y, grid = GROUPS.copy(), {"C": [0.1, 1.0]}
    model = LogisticRegression(class_weight="balanced")
    ours = search_over(model, grid, X, y, {"groups": GROUPS}, cv=LeaveOneGroupOut())
    theirs = GridSearchCV(model, grid, cv=LeaveOneGroupOut()).fit(X, y, groups=GROUPS)
    scores = (one.cv_results_["mean_test_score"] for one in (ours, theirs))
    np.testing.assert_array_equal(*scores)
    assert "no fold has the classes or rows that the model needs" in ours.search_plan_[0]["reason"]


@pytest.mark.budget
@pytest.mark.parametrize("values", [[0.01, 1.0, 10.0], [1.0, 10.0]], ids=len)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_fold_without_a_class_has_its_own_models(classes, values):
    # One own fit is timed, on the first fold that is solved; it is a model of that fold alone.
    rows, y = make_classification(100, 6, n_informative=4, random_state=1)
    folds = [(np.flatnonzero(y), np.arange(50)), (np.arange(50), np.arange(50, 100))]
    if classes == 3:
        y[:3], folds = 2, KFold(3)
    searches = [
        one(LogisticRegression(), {"C": values}, cv=folds) for one in (GridSearchCV, BAMMSearchCV)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores")
        theirs, ours = (one.fit(rows, y).cv_results_["split0_test_score"] for one in searches)
    np.testing.assert_array_equal(ours, theirs)
