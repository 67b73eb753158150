"""LinearSVC and LinearSVR: liblinear's solutions, jointly and by intervals."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from skbamm import BAMMSearchCV, Interval
from skbamm.bilevel import solve_lower
from skbamm.losses import SquaredEpsilonInsensitiveLoss, SquaredHingeLoss
from skbamm.models import NotApplicable, find_twin
from tests.models.conftest import TARGETS, X
from tests.problems import (
    X_BINARY,
    X_MULTI,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    log_values,
    model_problem,
    own_solutions,
)
from tests.truth import (
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    assert_true_but_for_a_row,
    fold_scores,
    roles,
    search_over,
)

TIGHT = {"tol": 1e-10, "max_iter": 1_000_000, "dual": False}
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
REGRESSION_FOLDS = KFold(3, shuffle=True, random_state=0)
BINARY, THREE = (X_BINARY[::3, :10], Y_BINARY[::3]), (X_MULTI, Y_MULTI)


def svc(**params):
    return LinearSVC(**{**TIGHT, **params})


def svr(**params):
    options = {"loss": "squared_epsilon_insensitive", "epsilon": 20.0}
    return LinearSVR(**{**TIGHT, **options, **params})


# What the twins stand for


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (
            LinearSVC(loss="hinge", dual=False),
            "dual=False is not supported with loss='hinge'; use dual='auto'",
        ),
        (
            LinearSVC(multi_class="crammer_singer"),
            "multi_class='crammer_singer' couples the classes",
        ),
        (
            LinearSVR(dual=False),
            "dual=False is not supported with loss='epsilon_insensitive'; use dual='auto'",
        ),
    ],
)
def test_mismatches(estimator, reason):
    name = type(estimator).__name__
    assert find_twin(estimator) == (None, f"{name}: {reason}")
    y = TARGETS["binary" if name == "LinearSVC" else "vector"]
    if "dual=False" not in reason:  # which liblinear refuses
        listed = search_over(estimator.set_params(max_iter=10**6), {"C": [0.01, 0.1]}, X, y, cv=3)
        assert roles(listed) == {"C": "enumerated"}
    with pytest.raises(ValueError, match=r"LinearSVC \(C\), LinearSVR \(C, epsilon\)"):
        search_over(estimator, {"C": Interval(0.01, 0.1)}, X, y, cv=3)


@pytest.mark.parametrize("dual", [True, False, "auto"])
def test_matches(dual):
    options = {"dual": dual, "fit_intercept": False, "intercept_scaling": 3, "tol": 1e-9}
    assert find_twin(LinearSVC(class_weight="balanced", **options))[1] == ""
    assert find_twin(svr(**options))[1] == ""


def test_tasks():
    twin, _ = find_twin(svc())
    binary = twin.task(svc(intercept_scaling=2.0), TARGETS["binary"], None, False)
    several = twin.task(svc(), TARGETS["three classes"], None, False)
    assert isinstance(binary.loss, SquaredHingeLoss) and binary.loss.n_outputs == 1
    assert several.loss.n_outputs == 3 and several.criterion == "squared_hinge"
    assert (binary.intercept_penalty, several.intercept_penalty) == (0.25, 1.0)
    task = find_twin(svr())[0].task(svr(), TARGETS["integers"], None, False)
    assert isinstance(task.loss, SquaredEpsilonInsensitiveLoss) and task.loss.epsilon == 20
    assert task.criterion == "r2" and task.target.dtype == np.float64


def test_weights_of_several_classes_count_in_the_output_of_their_class():
    twin, y = find_twin(svc())[0], TARGETS["three classes"]
    task = twin.task(svc(class_weight={3: 2.0, 11: 0.5}), y, None, False)
    assert task.class_weight is None
    sides = task.in_folds([np.arange(60), np.arange(30)]).loss.sides
    assert sides[0].unique().tolist() == [1.0]
    assert sides[1].tolist() == [[2.0, 2.0], [1.0, 1.0], [0.5, 0.5]]
    task = twin.task(svc(class_weight="balanced"), y, None, False)
    sides = task.in_folds([np.arange(60), np.r_[0:60:3, 1:31:3, 2:17:3]]).loss.sides
    np.testing.assert_allclose(sides[1], [[1.0, 35 / 60], [1.0, 35 / 30], [1.0, 35 / 15]])


@pytest.mark.parametrize("y", [TARGETS["two outputs"], TARGETS["binary"], np.array([1, np.inf])])
def test_targets_that_are_left_to_scikit_learn(y):
    with pytest.raises(NotApplicable, match="not"):
        find_twin(svr())[0].task(svr(), y, None, False)


@pytest.mark.parametrize("kind", [svc, svr])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_models_are_in_double_precision_and_have_done_no_iterations(kind, dtype):
    estimator = kind()
    twin, y = find_twin(estimator)[0], TARGETS["binary" if kind is svc else "vector"]
    task = twin.task(estimator, y, None, False).without_rows()
    twin.export(estimator, task, np.ones((1, 4), dtype), np.zeros(1, dtype))
    assert estimator.coef_.shape == ((1, 4) if kind is svc else (4,))
    assert estimator.coef_.dtype == estimator.intercept_.dtype == np.float64
    assert estimator.n_iter_ == 0 and type(estimator.n_iter_) is int


# Solutions


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("scaling", [0.3, 1.0, 20.0, None])
@pytest.mark.parametrize(
    ("kind", "data"),
    [(svc, BINARY), (svc, THREE), (svr, (X_REG, Y_REG))],
    ids=["binary", "three classes", "regression"],
)
def test_solutions_are_liblinears(kind, data, scaling, form):
    rows, y = data
    rows = form(np.where(np.abs(rows) > 0.4, rows, 0.0))
    options = {"fit_intercept": False} if scaling is None else {"intercept_scaling": scaling}
    splits, values = list(REGRESSION_FOLDS.split(rows)), [0.01, 1.0]
    estimator = kind(**options)
    problem = model_problem(estimator, rows, y, splits, starts=2)
    result = solve_lower(problem, log_values(*values), tol=1e-11)
    assert bool(result.converged.all())
    for s, value in enumerate(values):
        slopes, intercepts = own_solutions(estimator.set_params(C=value), rows, y, splits)
        got, size = result.y[s].numpy(), np.abs(slopes).max()
        if scaling is not None:
            np.testing.assert_allclose(got[..., -1], intercepts, rtol=1e-5, atol=1e-6 * size)
            got = got[..., :-1]
        np.testing.assert_allclose(got, slopes, rtol=1e-5, atol=1e-6 * size)


@pytest.mark.parametrize("C", [1e2, 1e4])
@pytest.mark.parametrize("data", [BINARY, THREE], ids=["binary", "three classes"])
def test_weak_penalties_on_separable_classes(data, C):
    """Full Newton steps go around in circles there, and single precision is of no use."""
    rows, y = data
    problem = model_problem(svc(), rows, y, list(FOLDS.split(rows, y)))
    result = solve_lower(problem, log_values(C), tol=1e-9)
    assert bool(result.converged.all()) and result.nit < 60
    again = solve_lower(problem, log_values(C), 0.5 * result.y, tol=1e-9)
    torch.testing.assert_close(again.y, result.y, rtol=1e-6, atol=1e-6)


# Searches


@pytest.mark.parametrize("data", [BINARY, THREE], ids=["binary", "three classes"])
@pytest.mark.parametrize(
    ("form", "weighted"), [(np.asarray, True), (sp.csr_array, False)], ids=["dense", "csr"]
)
def test_lists_have_grid_searchs_table(data, form, weighted):
    rows, y = data
    rows = form(np.where(np.abs(rows) > 0.4, rows, 0.0))
    fit = {"sample_weight": np.linspace(0.2, 2, len(y))} if weighted else {}
    grid = {"C": np.logspace(-3, 2, 6), "fit_intercept": [True, False]}
    assert_grid_search_agrees(svc(), grid, rows, y, fit, cv=FOLDS)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5}], ids=["balanced", "dict"])
@pytest.mark.parametrize("data", [BINARY, THREE], ids=["binary", "three classes"])
def test_lists_with_class_weights(data, class_weight):
    rows, y = data
    estimator, grid = svc(class_weight=class_weight), {"C": [0.01, 1.0]}
    weight = {"sample_weight": np.linspace(0.2, 2, len(y))}
    assert_grid_search_agrees(estimator, grid, rows, y, weight, cv=FOLDS)
    pipeline = make_pipeline(StandardScaler(), estimator)  # whose folds have rows of their own
    weight = {"linearsvc__sample_weight": weight["sample_weight"]}
    grid = {"linearsvc__C": [0.01, 1.0]}
    assert_grid_search_agrees(pipeline, grid, rows, y, weight, cv=FOLDS)


@pytest.mark.parametrize(
    ("estimator", "criterion"),
    [(svc(), "squared_hinge"), (svc(loss="hinge", dual=True), "auto")],
    ids=["smooth", "kinks"],
)
@pytest.mark.parametrize("pipeline", [False, True], ids=["alone", "in a pipeline"])
def test_an_interval_beside_balanced_classes(estimator, criterion, pipeline):
    rare = (THREE[1] == 2) & (np.arange(len(THREE[1])) % 2 == 0)
    rows, y = THREE[0][~rare], THREE[1][~rare]
    model, name = clone(estimator).set_params(class_weight="balanced"), "C"
    if pipeline:
        model, name = make_pipeline(StandardScaler(), model), "linearsvc__C"
    search = search_over(model, {name: (1e-3, 1e2)}, rows, y, cv=FOLDS, criterion=criterion)
    assert_served(search, "searched")
    assert_true_but_for_a_row(search, rows, y, cv=FOLDS)


def test_lists_of_regressions():
    grid = {"C": np.logspace(-3, 2, 6), "epsilon": [0.0, 30.0]}
    for rows in (X_REG, sp.csr_array(np.where(np.abs(X_REG) > 0.5, X_REG, 0.0))):
        ours = assert_grid_search_agrees(svr(), grid, rows, Y_REG, cv=REGRESSION_FOLDS)
        assert roles(ours) == {"C": "joint grid", "epsilon": "enumerated"}


@pytest.mark.parametrize("data", [BINARY, THREE], ids=["binary", "three classes"])
def test_intervals_of_classifiers(data):
    rows, y = data
    search = search_over(svc(), {"C": (1e-3, 1e2)}, rows, y, cv=FOLDS)
    assert_served(search, "searched")
    assert search.converged_ and type(search.best_params_["C"]) is float
    assert_true_but_for_a_row(search, rows, y, cv=FOLDS)
    fitted = clone(search.best_estimator_).fit(rows, y)
    np.testing.assert_array_equal(fitted.coef_, search.best_estimator_.coef_)


@pytest.mark.parametrize(
    "scoring", ["r2", "neg_root_mean_squared_error", "neg_mean_absolute_error"]
)
@pytest.mark.parametrize("epsilon", [0.0, 20.0, 60.0])
def test_intervals_of_regressions(epsilon, scoring):
    settings = {"cv": REGRESSION_FOLDS, "scoring": scoring}
    search = search_over(svr(epsilon=epsilon), {"C": (1e-4, 1e2)}, X_REG, Y_REG, **settings)
    assert_served(search, "searched")
    assert search.converged_
    assert_true(search, X_REG, Y_REG, **settings)


def test_the_interval_has_a_smaller_criterion_than_any_value_of_a_grid():
    rows, y = load_digits(return_X_y=True)
    rows, y = rows[:300] / 16, y[:300]
    settings = {"cv": FOLDS, "criterion": "squared_hinge", "refit": False}
    search = search_over(LinearSVC(), {"C": (1e-3, 1e2)}, rows, y, **settings)
    assert search.converged_
    (place,) = np.flatnonzero(search.cv_results_["stage"] == "refined")
    refined = search.cv_results_["params"][place]["C"]
    values = log_values(refined, *np.logspace(-3, 2, 11))
    splits = list(FOLDS.split(rows, y))
    problem = model_problem(
        LinearSVC(), rows, y, splits, starts=len(values), criterion="squared_hinge"
    )
    y_found = solve_lower(problem, values, tol=1e-7).y
    upper = problem.directions(values, y_found, 0 * y_found, 0.0).upper.sum(1)
    assert float(upper[0]) <= float(upper[1:].min()) * (1 + 1e-4)


def test_the_default_settings_search_as_well():
    search = search_over(LinearSVC(), {"C": (1e-3, 1e2)}, *THREE, cv=FOLDS)
    tight = search_over(svc(), {"C": [search.best_params_["C"]]}, *THREE, cv=FOLDS)
    np.testing.assert_allclose(fold_scores(search), fold_scores(tight))


def test_in_a_pipeline():
    model = make_pipeline(StandardScaler(), svc())
    rows, y = BINARY[0] * np.arange(1, 11), BINARY[1]
    assert_grid_search_agrees(model, {"linearsvc__C": [0.01, 0.1, 1.0]}, rows, y, cv=FOLDS)
    search = search_over(model, {"linearsvc__C": (1e-3, 1e2)}, rows, y, cv=FOLDS)
    assert_served(search, "searched")
    assert_true_but_for_a_row(search, rows, y, cv=FOLDS)


def test_models_that_do_not_converge_are_scikit_learns(monkeypatch):
    """Rather than half-solved ones: they are told by nothing but the search's own test."""
    from skbamm.solvers import linear as joint

    def hurried(*args, **options):
        return solve_lower(*args, **{**options, "max_iter": 2})

    monkeypatch.setattr(joint, "solve_lower", hurried)
    assert_grid_search_agrees(svc(), {"C": [0.1, 10.0]}, *BINARY, cv=FOLDS)


def test_criteria_are_named_where_one_does_not_fit():
    with pytest.raises(ValueError, match=r"use 'auto' or one of \['squared_hinge', "):
        BAMMSearchCV(svc(), {"C": (0.1, 1)}, criterion="log_loss").fit(*BINARY)
