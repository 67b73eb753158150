"""What twins make of estimators and targets; exported models are like fitted ones."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_class_weight

from skbamm.bilevel import solve_lower
from skbamm.folds import FoldWeights
from skbamm.glm import glm_problem
from skbamm.models import NotApplicable, find_twin, remember_features
from skbamm.models.base import ALPHA, L1_RATIO, class_indices
from tests.models.conftest import TARGETS, X, make
from tests.problems import penalty_of, rows_of
from tests.versions import NEWEST, SKLEARN


@pytest.mark.parametrize(
    "y",
    [[3, -2, 3, 7], [True, False, True], [2**40, 1, 2**40], np.array([200, 3, 200], np.uint8)],
    ids=str,
)
def test_whole_numbers_are_classes_as_numpy_finds_them(y):
    classes, index = class_indices(y)
    expected = np.unique(y, return_inverse=True)
    np.testing.assert_array_equal(classes, expected[0])
    np.testing.assert_array_equal(index, expected[1])
    assert classes.dtype == expected[0].dtype


def exported(estimator, X, y, dtype=np.float64):
    """Solve on all rows and export, as a search adopts a model."""
    twin, _ = find_twin(estimator)
    task = twin.task(estimator, y, None, False)
    value = float(getattr(estimator, twin.hyperparameters[0].name))
    values = np.array(X, dtype=np.float64)
    weights = FoldWeights(
        len(values),
        [(np.arange(len(values)), np.arange(0))],
        row_class=task.row_class,
        class_weight=task.class_weight,
    )
    rows = rows_of(values, task.target, weights, task.fit_intercept)
    penalty = penalty_of(twin, estimator, rows, task.intercept_penalty)
    problem = glm_problem(rows, task.loss, penalty, 1, mean_loss=twin.mean_loss)
    x = torch.tensor([[np.log(value)]], dtype=torch.float64)
    y_found = solve_lower(problem, x, tol=1e-12).y[0, 0].numpy()
    coef = np.ascontiguousarray(y_found[:, : values.shape[1]], dtype=dtype)
    intercept = np.ascontiguousarray(y_found[:, -1], dtype=dtype)
    model = clone(estimator)
    remember_features(model, X)
    predicted = values @ coef.T + (intercept if task.fit_intercept else 0.0)
    statistics = twin.statistics(task, lambda: (predicted, task.target, np.ones(len(values))))
    twin.export(model, task.without_rows(), coef, intercept, *statistics)
    return model


def describe(value):
    """Return type, shape and dtype of an attribute."""
    if isinstance(value, np.ndarray):
        return "array", value.shape, value.dtype
    if isinstance(value, (float, np.floating)):
        return ("number",)
    return (type(value).__name__,)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_exported_attributes_are_like_fitted_ones(case, fit_intercept, dtype):
    kind, y = case
    if kind is LogisticRegression and dtype == np.float32 and SKLEARN < NEWEST:
        pytest.skip("before 1.9 its coefficients are in double precision, whatever X is")
    y = y.astype(dtype) if y.dtype == float else y
    estimator = make(kind, fit_intercept=fit_intercept)
    fitted = clone(estimator).fit(X.astype(dtype), y)
    ours = exported(estimator, X.astype(dtype), y, dtype)
    for name, value in vars(ours).items():
        assert describe(value) == describe(vars(fitted)[name]), name


@pytest.mark.parametrize("own", [True, False])
def test_exported_models_have_all_attributes_of_fitted_ones(case, own):
    kind, y = case
    solvers = {Ridge: "lsqr", RidgeClassifier: "lsqr", LogisticRegression: "newton-cholesky"}
    estimator = make(kind, solver=solvers[kind]) if own and kind in solvers else make(kind)
    fitted, ours = clone(estimator).fit(X, y), exported(estimator, X, y)
    assert vars(ours).keys() == vars(fitted).keys()
    texts = {name: value for name, value in vars(fitted).items() if isinstance(value, str)}
    assert {name: vars(ours)[name] for name in texts} == texts


def test_intercepts_that_are_scalars_are_so_in_the_export():
    for y in (TARGETS["vector"], TARGETS["two outputs"]):
        for fit_intercept in (True, False):
            estimator = Ridge(fit_intercept=fit_intercept)
            ours, fitted = exported(estimator, X, y), clone(estimator).fit(X, y)
            assert np.ndim(ours.intercept_) == np.ndim(fitted.intercept_)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_exported_models_predict_what_fitted_ones_do(exact_case, fit_intercept):
    kind, y = exact_case
    options = {} if kind in (Ridge, RidgeClassifier) else {"tol": 1e-10, "max_iter": 10**6}
    estimator = make(kind, fit_intercept=fit_intercept, **options)
    fitted, ours = clone(estimator).fit(X, y), exported(estimator, X, y)
    np.testing.assert_allclose(ours.coef_, fitted.coef_, rtol=1e-4, atol=1e-5)
    predicted = ours.predict(X)
    assert predicted.dtype == fitted.predict(X).dtype
    assert predicted.shape == fitted.predict(X).shape
    if hasattr(fitted, "decision_function"):
        got, expected = ours.decision_function(X), fitted.decision_function(X)
        np.testing.assert_array_equal(predicted, fitted.predict(X))
    else:
        got, expected = predicted, fitted.predict(X)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    assert ours.score(X, y) == pytest.approx(fitted.score(X, y), abs=1e-6)


def test_exported_models_can_be_pickled(case):
    kind, y = case
    ours = exported(make(kind), X, y)
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))


def test_feature_names_are_remembered(frame):
    fitted = Ridge().fit(frame, TARGETS["vector"])
    ours = exported(Ridge(), frame, TARGETS["vector"])
    np.testing.assert_array_equal(ours.feature_names_in_, fitted.feature_names_in_)
    assert ours.n_features_in_ == 4
    ours.predict(frame)  # and no warning of missing names


def test_an_export_needs_no_rows(case):
    kind, y = case
    weighted = kind in (RidgeClassifier, LogisticRegression)
    estimator = make(kind, **({"class_weight": "balanced"} if weighted else {}))
    small = find_twin(estimator)[0].task(estimator, y, None, False).without_rows()
    assert len(small.target) == 1
    assert small.row_class is None and small.class_weight is None


# Tasks


@pytest.mark.parametrize("kind", [RidgeClassifier, LogisticRegression, LinearSVC])
@pytest.mark.parametrize("name", ["binary", "three classes"])
def test_labels_are_sorted_and_coded(kind, name):
    y = TARGETS[name]
    task = find_twin(kind())[0].task(kind(), y, None, False)
    np.testing.assert_array_equal(task.classes, np.unique(y))
    np.testing.assert_array_equal(task.classes[task.row_class], y)
    assert task.loss.n_outputs == (1 if name == "binary" else 3)
    assert len(task.target) == len(y)


@pytest.mark.parametrize("kind", [RidgeClassifier, LogisticRegression])
@pytest.mark.parametrize("weighted", [True, False])
def test_balanced_weights_are_computed_from_a_folds_rows(kind, weighted):
    y = TARGETS["three classes"]
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y)) if weighted else None
    estimator = kind(class_weight="balanced")
    task = find_twin(estimator)[0].task(estimator, y, weight, False)
    rows = np.array([0, 0, 0, 1, 2, 4, 5])
    # LogisticRegression counts weights, from 1.7 on, RidgeClassifier rows.
    counts = weighted and kind is LogisticRegression and SKLEARN >= (1, 7)
    expected = compute_class_weight(
        "balanced",
        classes=np.unique(y),
        y=y[rows],
        **({"sample_weight": weight[rows]} if counts else {}),
    )
    np.testing.assert_allclose(task.class_weight(rows), expected)


@pytest.mark.parametrize("kind", [RidgeClassifier, LogisticRegression])
def test_class_weights_by_label(kind):
    y = TARGETS["three classes"]
    estimator = kind(class_weight={3: 2.0, 11: 0.5})
    task = find_twin(estimator)[0].task(estimator, y, None, False)
    assert task.class_weight(np.arange(len(y))).tolist() == [2.0, 1.0, 0.5]


def test_no_class_weight_is_none():
    for kind in (RidgeClassifier, LogisticRegression):
        task = find_twin(kind())[0].task(kind(), TARGETS["binary"], None, False)
        assert task.class_weight is None


@pytest.mark.parametrize("kind", [RidgeClassifier, LogisticRegression, LinearSVC])
@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.linspace(0, 1, 60) + 0.1, "not a vector of class labels"),
        (np.ones((60, 2)) * [1, 2] + np.eye(60, 2), "not a vector of class labels"),
        (np.ones(60, dtype=int), "fewer than two classes"),
    ],
)
def test_targets_that_are_no_labels_are_left_to_scikit_learn(kind, y, reason):
    with pytest.raises(NotApplicable, match=reason):
        find_twin(kind())[0].task(kind(), y, None, False)


def test_a_column_of_labels_is_a_vector():
    task = find_twin(LogisticRegression())[0].task(
        LogisticRegression(), TARGETS["binary"][:, None], None, False
    )
    assert task.row_class.shape == (60,)


# Hyperparameters


@pytest.mark.parametrize("value", [1, 0.5, np.float32(2), np.int64(3), 1e-300])
def test_values_that_the_solvers_take(value):
    assert ALPHA.valid(value)


@pytest.mark.parametrize(
    "value", [0, -1.0, np.nan, np.inf, True, "1", None, [1.0], np.array([1.0]), 1j]
)
def test_values_that_are_left_to_scikit_learn(value):
    assert not ALPHA.valid(value)


def test_a_share_is_between_zero_and_one():
    assert all(L1_RATIO.valid(value) for value in (0, 0.0, 0.5, 1))
    assert not any(L1_RATIO.valid(value) for value in (-0.1, 1.1, np.nan, None, True))
