"""OneVsRestClassifier: one output a class of the model's own objective."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy.differentiate import derivative
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skbamm import Interval
from skbamm.bilevel import solve_lower
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.solvers.criterion import task_criterion
from skbamm.space import read_grid
from tests.problems import X_BINARY, X_MULTI, Y_BINARY, Y_MULTI, exact_multiplier
from tests.truth import (
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    assert_true_but_for_a_row,
    roles,
    search_over,
)

CV = StratifiedKFold(3, shuffle=True, random_state=0)
TWO, THREE = (X_BINARY[::3, :10], Y_BINARY[::3]), (X_MULTI, Y_MULTI)
MODELS = {
    "logistic": (LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=500), "C"),
    "elastic net": (
        LogisticRegression(solver="saga", l1_ratio=0.5, tol=1e-7, max_iter=100_000), "C",
    ),
    "svm": (LinearSVC(tol=1e-10, max_iter=10**6, dual=False), "C"),
    "ridge": (RidgeClassifier(tol=1e-10), "alpha"),
}  # fmt: skip


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request):
    estimator, name = request.param
    return OneVsRestClassifier(estimator), f"estimator__{name}"


@pytest.mark.parametrize(
    ("data", "form"),
    [(TWO, sp.csr_array), (THREE, np.asarray)],
    ids=["two classes, csr", "three, dense"],
)
def test_lists_have_grid_searchs_table(model, data, form):
    rows, y = data
    rows = form(np.where(np.abs(rows) > 0.4, rows, 0.0))
    ours = assert_grid_search_agrees(model[0], {model[1]: [0.01, 0.1, 1.0]}, rows, y, cv=CV)
    assert roles(ours) == {model[1]: "joint grid"}


@pytest.mark.parametrize("data", [TWO, THREE], ids=["two classes", "three"])
def test_fold_models_are_those_of_own_fits(model, data):
    rows, y = pd.DataFrame(data[0]).add_prefix("f"), np.array(["a", "b", "c"])[data[1]]
    estimator, name = model
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    search_over(estimator, {name: [0.1]}, rows, y, scoring=scorer, cv=CV, refit=False)
    for scored, (train, _) in zip(seen, CV.split(rows, y), strict=True):
        own = clone(estimator).set_params(**{name: 0.1}).fit(rows.iloc[train], y[train])
        assert set(vars(scored.estimator)) == set(vars(own))
        np.testing.assert_array_equal(scored.classes_, own.classes_)
        assert vars(scored.label_binarizer_).keys() == vars(own.label_binarizer_).keys()
        assert len(scored.estimators_) == len(own.estimators_)
        for ours, theirs in zip(scored.estimators_, own.estimators_, strict=True):
            assert set(vars(ours)) == set(vars(theirs))
            assert ours.coef_.shape == theirs.coef_.shape
            np.testing.assert_array_equal(ours.classes_, theirs.classes_)
            close = {"rtol": 1e-5, "atol": 1e-5 * np.abs(theirs.coef_).max()}
            np.testing.assert_allclose(ours.coef_, theirs.coef_, **close)
            np.testing.assert_allclose(ours.intercept_, theirs.intercept_, **close)
        np.testing.assert_array_equal(scored.predict(rows), own.predict(rows))


def test_intervals(model):
    search = search_over(model[0], {model[1]: (1e-3, 1e2)}, *THREE, cv=CV)
    assert_served(search, "searched")
    assert search.converged_
    assert_true_but_for_a_row(search, *THREE, cv=CV)


@pytest.mark.parametrize(
    ("data", "pipeline"), [(TWO, False), (THREE, True)], ids=["alone", "three, in a pipeline"]
)
def test_log_loss_is_that_of_normalised_probabilities(data, pipeline):
    model, name = OneVsRestClassifier(MODELS["logistic"][0]), "estimator__C"
    if pipeline:
        model, name = make_pipeline(StandardScaler(), model), f"onevsrestclassifier__{name}"
    settings = {"cv": CV, "scoring": LOSS}
    search = search_over(model, {name: (1e-3, 1e3)}, *data, **settings)
    assert_served(search, "searched")
    assert_true(search, *data, **settings)
    own = search_over(model, {name: np.geomspace(1e-3, 1e3, 20)}, *data, **settings)
    assert search.best_score_ >= own.best_score_ - 1e-3 * abs(own.best_score_)


def test_stochastic_gradient_descent_has_the_same_probabilities():
    rows, y = load_digits(return_X_y=True)
    rows, y = rows[:200] / 16, y[:200]
    sgd = SGDClassifier(loss="log_loss", tol=1e-6, random_state=0)
    search = search_over(sgd, {"alpha": (1e-5, 1e-1)}, rows, y, cv=CV, scoring=LOSS)
    assert_served(search, "searched")
    values = np.geomspace(1e-5, 1e-1, 20)
    listed = search_over(sgd, {"alpha": values}, rows, y, cv=CV, scoring=LOSS)
    assert search.best_score_ >= listed.best_score_ - 1e-3 * abs(listed.best_score_)


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_hypergradients_are_those_of_scikit_learns_own_models(C):
    model, folds = OneVsRestClassifier(MODELS["logistic"][0]), list(CV.split(*THREE))
    combination = read_grid(model, {"estimator__C": (1e-3, 1e3)}).combinations[0]
    settings = Settings("log_loss", 100, 1e-4, None, "cpu", "float64", 0)
    maker = SolverFactory(settings, *THREE, folds, {}, {}, None)
    joint = maker.make(combination.target, combination.params)
    chosen = task_criterion("log_loss", joint.task, joint.data.weights, joint.used)
    problem = joint.problem(combination.axes, 1, torch.float64, chosen)
    x = torch.tensor([[np.log(C)]], dtype=torch.float64)
    y = solve_lower(problem, x, tol=1e-12).y
    found = problem.directions(x, y, exact_multiplier(problem, x, y), 0.0)

    def loss(log_C):
        own = clone(model).set_params(estimator__C=float(np.exp(log_C)))
        losses = []
        for train, test in folds:
            own.fit(X_MULTI[train], Y_MULTI[train])
            losses.append(log_loss(Y_MULTI[test], own.predict_proba(X_MULTI[test])))
        return np.mean(losses)

    assert float(found.upper.sum()) * chosen.null == pytest.approx(loss(np.log(C)), rel=1e-6)
    slope = derivative(np.vectorize(loss), np.log(C), initial_step=0.1, order=6, maxiter=3).df
    assert float(found.grad_x.sum()) * chosen.null == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "name", "why"),
    [
        (OneVsRestClassifier(DecisionTreeClassifier()), "estimator__ccp_alpha", "has no diff"),
        (OneVsRestClassifier(LinearSVC(loss="hinge")), "estimator__C", "has a kink"),
        (OneVsRestClassifier(LogisticRegression()), "estimator__tol", "only 'estimator__C' can be"),
        (CalibratedClassifierCV(LogisticRegression()), "estimator__C", "calibrate the best one"),
    ],
)
def test_intervals_that_cannot_be_searched_are_refused_by_name(model, name, why):
    with pytest.raises(ValueError, match=f"Parameter '{name}' cannot be .*{why}"):
        search_over(model, {name: Interval(0.1, 1.0)}, *THREE, cv=CV)


def test_calibration_is_enumerated_and_says_so():
    model = CalibratedClassifierCV(LogisticRegression(), cv=2)
    search = search_over(model, {"estimator__C": [0.1, 1.0]}, *THREE, cv=CV)
    (row,) = search.search_plan_
    assert row["role"] == "enumerated" and "calibrators" in row["reason"]


@pytest.mark.parametrize(
    ("class_weight", "data", "pipeline"),  # every pair of two of these
    [
        ("balanced", TWO, False),
        ("balanced", THREE, True),
        ({0: 1.0, 1: 4.0}, TWO, True),
        ({0: 1.0, 1: 4.0}, THREE, False),
    ],
    ids=["balanced, two", "balanced, three, piped", "dict, two, piped", "dict, three"],
)
@pytest.mark.parametrize("name", ["logistic", "svm"])
def test_class_weights_are_those_of_each_class_against_the_rest(name, data, class_weight, pipeline):
    inner, parameter = MODELS[name]
    model = OneVsRestClassifier(clone(inner).set_params(class_weight=class_weight))
    parameter = f"estimator__{parameter}"
    if pipeline:
        model, parameter = (
            make_pipeline(StandardScaler(), model),
            f"onevsrestclassifier__{parameter}",
        )
    scoring = {"accuracy": "accuracy", "auc": "roc_auc_ovr"} if name == "logistic" else None
    grid, refit = {parameter: [0.01, 0.1, 1.0]}, "accuracy" if scoring else True
    assert_grid_search_agrees(model, grid, *data, cv=CV, scoring=scoring, refit=refit)


def test_class_weights_of_ridge_are_left_to_own_fits():
    model = OneVsRestClassifier(RidgeClassifier(class_weight="balanced"))
    assert_grid_search_agrees(model, {"estimator__alpha": [0.1, 1.0]}, *TWO, cv=CV)
    ours = search_over(model, {"estimator__alpha": [0.1, 1.0]}, *THREE, cv=CV)
    assert "recomputed for each class against the rest" in ours.search_plan_[0]["reason"]


def test_weights_are_scikit_learns_affair():
    model, weight = OneVsRestClassifier(LogisticRegression()), np.arange(len(Y_MULTI)) % 3.0
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        search_over(model, {"estimator__C": [0.1]}, *THREE, {"sample_weight": weight}, cv=CV)
    with config_context(enable_metadata_routing=True):
        model.estimator = LogisticRegression().set_fit_request(sample_weight=True)
        model.estimator.set_score_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        params = {"sample_weight": weight}
        ours = search_over(model, {"estimator__C": [0.1, 1.0]}, *THREE, params, cv=CV)
        scores = cross_val_score(clone(ours.best_estimator_), *THREE, cv=CV, params=params)
    assert ours.best_score_ == pytest.approx(scores.mean(), abs=1e-12)
