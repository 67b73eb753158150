"""A value a class or a target: penalties of their models, and weights of classes."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import (
    Lasso,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, ClassPenalty, PerClass, PerTarget, SampleWeights
from skbamm.shrinkage.parts import problem_of
from tests.shrinkage.vectors import REGRESSION, THREE, TWO, differences, joint_of, quick, solved
from tests.truth import LOSS, assert_true, fold_scores

CV = StratifiedKFold(2)
LOGISTIC = LogisticRegression(tol=1e-10, max_iter=10_000)
LABELS = THREE[0], np.array(["one", "three", "two"])[THREE[1]]
# Penalties of classes: the model, the parameter, and what the best estimator is.
BY_CLASS = {
    "ridge": (RidgeClassifier(), "alpha", RidgeClassifier),
    "one against the rest": (OneVsRestClassifier(LOGISTIC), "estimator__C", ClassPenalty),
    "svc": (LinearSVC(dual=False, tol=1e-10, max_iter=10**6), "C", ClassPenalty),
    "pipeline": (
        make_pipeline(StandardScaler(), RidgeClassifier()),
        "ridgeclassifier__alpha",
        None,
    ),
}


def search_of(model, grid, X, y, **settings):
    with quick():
        return BAMMSearchCV(model, grid, **{"cv": CV, **settings}).fit(X, y)


@pytest.mark.parametrize("shrinkage", [True, False])
@pytest.mark.parametrize("name", BY_CLASS)
def test_penalties_of_classes_are_scored_as_they_are_fitted(name, shrinkage):
    model, parameter, kind = BY_CLASS[name]
    scoring = LOSS if name == "one against the rest" else None
    grid = {parameter: PerClass(1e-4, 1e6, shrinkage=shrinkage)}
    search = search_of(model, grid, *LABELS, scoring=scoring)
    assert search.best_params_[parameter].shape == (3,)
    assert search.shrinkage_["names"].tolist() == ["one", "three", "two"]
    assert kind is None or isinstance(search.best_estimator_, kind)
    expected = cross_val_score(clone(search.best_estimator_), *LABELS, cv=CV, scoring=scoring)
    np.testing.assert_allclose(fold_scores(search), expected, rtol=1e-5)
    assert set(search.predict(LABELS[0])) <= set(LABELS[1])


def test_each_class_has_the_penalty_that_its_own_model_would_find():
    """F of one-vs-rest models is a sum over the classes, so they are searched alone as well."""
    X, y = THREE
    grid = {"estimator__C": PerClass(1e-3, 1e3, shrinkage=False)}
    model = OneVsRestClassifier(LOGISTIC)
    search = search_of(model, grid, X, y, criterion="own_loss", tol=1e-6)
    for k, found in enumerate(search.best_params_["estimator__C"]):
        alone = BAMMSearchCV(LOGISTIC, {"C": (1e-3, 1e3)}, scoring=LOSS, cv=list(CV.split(X, y)))
        best = alone.fit(X, (y == k).astype(int)).best_params_["C"]
        assert found == pytest.approx(best, rel=2e-2)


def test_each_target_has_the_penalty_that_it_would_find_alone():
    X, y = REGRESSION
    Y = np.column_stack([y, np.random.default_rng(0).normal(size=len(y)) + 0.3 * X[:, 2]])
    cv = list(StratifiedKFold(3).split(X, np.arange(len(y)) % 2))
    error = "neg_mean_squared_error"
    search = search_of(Ridge(), {"alpha": PerTarget(1e-2, 1e6)}, X, Y, scoring=error, cv=cv)
    assert_true(search, X, Y, cv=cv, scoring=error)
    for j, found in enumerate(search.best_params_["alpha"]):
        alone = BAMMSearchCV(Ridge(), {"alpha": (1e-2, 1e6)}, cv=cv, scoring=error).fit(X, Y[:, j])
        assert found == pytest.approx(alone.best_params_["alpha"], rel=5e-2)
    drawn = {"alpha": PerTarget(1e-2, 1e6, shrinkage=True)}
    together = search_of(Ridge(), drawn, X, Y, scoring=error, cv=cv).best_params_["alpha"]
    assert np.ptp(np.log(together)) < np.ptp(np.log(search.best_params_["alpha"]))


@pytest.mark.parametrize("data", [TWO, LABELS], ids=["two", "three"])
@pytest.mark.parametrize("model", [LOGISTIC, RidgeClassifier()], ids=["logistic", "ridge"])
def test_weights_of_classes(model, data):
    """Few rows of a class count more where all classes shall count alike."""
    X, y = data
    rows = np.concatenate([np.flatnonzero(y == label)[: 40 // 2**k] for k, label in
                           enumerate(np.unique(y))])  # fmt: skip
    X, y = X[rows], y[rows]
    grid = {"class_weight": PerClass(1e-2, 1e2)}
    search = search_of(model, grid, X, y, scoring="balanced_accuracy")
    weights = search.best_params_["class_weight"]
    assert list(weights) == np.unique(y).tolist()
    assert_true(search, X, y, cv=CV, scoring="balanced_accuracy")
    values = search.shrinkage_["values"][-1]
    assert values[-1] > values[0]
    criterion = search.history_["criterion"]
    assert criterion[-1] < criterion[0]
    assert search.history_["class_weight"].shape == (len(criterion), len(weights))


def test_weights_of_classes_beside_an_interval_and_in_a_pipeline():
    X, y = LABELS
    model = make_pipeline(StandardScaler(), LOGISTIC)
    step = "logisticregression__"
    grid = {f"{step}C": (1e-4, 1e6), f"{step}class_weight": PerClass(1e-3, 1e3, shrinkage=False)}
    search = search_of(model, grid, X, y, scoring=LOSS)
    assert_true(search, X, y, cv=CV, scoring=LOSS)
    assert search.best_params_.keys() == {f"{step}C", f"{step}class_weight"}


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0], ids=["squares", "absolutes"])
def test_hypergradients_of_weights_of_classes(l1_ratio):
    model = LogisticRegression(C=0.3, l1_ratio=l1_ratio, solver="saga" if l1_ratio else "lbfgs")
    data = TWO if l1_ratio else THREE
    splits = list(CV.split(*data))
    joint, axis = joint_of(model, PerClass(1e-2, 1e2), *data, splits, "class_weight")
    problem = problem_of(joint, axis, torch.float64, joint.criterion("log_loss"))

    def at(x):
        return torch.as_tensor(x)[None]

    def upper(x):
        y, v = solved(problem, at(x))
        return float(problem.directions(at(x), y, v, 0.0).upper.sum())

    x = np.linspace(-0.4, 0.5, axis.size)
    y, v = solved(problem, at(x))
    slope = problem.grad_x(at(x), y, v, 0.0, problem.directions(at(x), y, v, 0.0).upper).sum(1)[0]
    np.testing.assert_allclose(slope, differences(upper, x), rtol=2e-4, atol=1e-7)


BAD = [
    (LogisticRegression(), "C", THREE, "LogisticRegression is multinomial"),
    (Ridge(), "alpha", REGRESSION, "Ridge is not a classifier"),
    (Ridge(), "class_weight", REGRESSION, "Ridge is not a classifier"),
    (RidgeClassifier(), "alpha", TWO, "there are 2 classes, and so there is one model"),
    (OneVsRestClassifier(LOGISTIC), "estimator__C", TWO, "there are 2 classes"),
    (SGDClassifier(), "l1_ratio", THREE, "'l1_ratio'"),
]


@pytest.mark.parametrize(("model", "name", "data", "message"), BAD)
def test_what_has_no_value_for_each_class(model, name, data, message):
    with pytest.raises(ValueError, match=message):
        BAMMSearchCV(model, {name: PerClass(1e-2, 1e2)}, cv=CV).fit(*data)


def test_what_has_no_value_for_each_target():
    X, y = REGRESSION
    for model, target, message in (
        (Lasso(), np.column_stack([y, y]), "Lasso has one for all"),
        (Ridge(), y, "there is one target"),
    ):
        with pytest.raises(ValueError, match=message):
            BAMMSearchCV(model, {"alpha": PerTarget(1e-2, 1e2)}).fit(X, target)


def test_weights_of_classes_and_of_rows_are_not_learned_together():
    grid = {"class_weight": PerClass(1e-2, 1e2)}
    search = BAMMSearchCV(LOGISTIC, grid, sample_weights=SampleWeights())
    with pytest.raises(ValueError, match="'class_weight' cannot be a vector while sample_weights"):
        search.fit(*TWO)
