"""liblinear's L1 penalty, which is on the intercept too: it has a kink and may be at zero."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.differentiate import derivative
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC, l1_min_c

from skbamm import Interval
from skbamm.bilevel import solve_lower
from skbamm.glm.penalties import Squares
from skbamm.models import find_twin
from skbamm.starts.points import empty_slopes
from tests.problems import (
    X_BINARY,
    X_MULTI,
    Y_BINARY,
    Y_MULTI,
    log_values,
    model_problem,
    own_solutions,
)
from tests.truth import (
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    assert_true_but_for_a_row,
    fold_scores,
    roles,
    search_over,
)

TIGHT = {"tol": 1e-10, "max_iter": 1_000_000, "random_state": 0}
CV = StratifiedKFold(3, shuffle=True, random_state=0)
TWO, THREE = (X_BINARY[::5, :6] + 0.7, Y_BINARY[::5]), (X_MULTI[:, :6], Y_MULTI)
LOGISTIC = LogisticRegression(solver="liblinear", l1_ratio=1, **TIGHT)
SVC = LinearSVC(penalty="l1", **TIGHT)
MODELS = {"logistic": (LOGISTIC, *TWO), "svc": (SVC, *TWO), "svc, 3 classes": (SVC, *THREE)}
SCALING = [0.2, 5.0, None]


def scaled(model, scaling):
    """Return the model with a scaling of the intercept, or without one."""
    if scaling is None:
        return clone(model).set_params(fit_intercept=False)
    return clone(model).set_params(intercept_scaling=scaling)


def solve(estimator, X, y, values, splits=None, **options):
    problem = model_problem(
        estimator, X, y, list(CV.split(X, y)) if splits is None else splits,
        starts=len(values), **options,
    )  # fmt: skip
    result = solve_lower(problem, log_values(*values), tol=1e-11)
    assert bool(result.converged.all())
    return problem, result.y


# What the twins stand for


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (
            LogisticRegression(solver="liblinear", l1_ratio=0.5),
            "solver='liblinear' has no l1_ratio=0.5; use solver='saga'",
        ),
        (
            LogisticRegression(solver="liblinear", l1_ratio=1, dual=True),
            "dual=True has no L1 penalty; use dual=False",
        ),
        (
            LinearSVC(penalty="l1", loss="hinge"),
            "penalty='l1' goes with loss='squared_hinge' and dual=False",
        ),
        (
            LinearSVC(penalty="l1", dual=True),
            "penalty='l1' goes with loss='squared_hinge' and dual=False",
        ),
    ],
)
def test_what_liblinear_does_not_have(estimator, reason):
    with pytest.raises(ValueError, match=f"'C' cannot be searched .*: {re.escape(reason)}"):
        search_over(estimator, {"C": Interval(0.1, 1.0)}, *TWO, cv=CV)


def test_twins_are_those_of_the_penalty():
    """The one of one estimator says nothing of another's."""
    values = {"C": 0.5}
    for model in (LOGISTIC, SVC):
        given = {"l1_ratio": 0} if model is LOGISTIC else {"penalty": "l2"}
        other = clone(model).set_params(**given)
        (one, _), (two, _) = find_twin(model), find_twin(other)
        assert one.penalty(values) == (0.0, 2.0) and two.penalty(values) == (2.0, None)
        assert [h.name for h in one.tunes(model)] == ["C"]


# Solutions


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("scaling", SCALING)
@pytest.mark.parametrize("name", MODELS)
def test_solutions_are_liblinears(name, scaling, form):
    """Their zeros, the intercept's among them, as well."""
    model, X, y = MODELS[name]
    rows, estimator = form(np.where(np.abs(X) > 0.4, X, 0.0)), scaled(model, scaling)
    values, splits, at_zero = [0.01, 0.1, 1.0], list(CV.split(X, y)), 0
    _, found = solve(estimator, rows, y, values)
    for s, value in enumerate(values):
        slopes, intercepts = own_solutions(estimator.set_params(C=value), rows, y, splits)
        own = slopes
        if scaling is not None:
            own = np.concatenate([slopes, intercepts[..., None]], -1)
            at_zero += np.sum(intercepts == 0)
        got = found[s].numpy()
        np.testing.assert_allclose(got, own, rtol=1e-5, atol=1e-5 * np.abs(own).max())
        np.testing.assert_array_equal(got == 0, own == 0)
    assert at_zero > 0 or scaling != 0.2


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_repeated_rows(name):
    model, X, y = MODELS[name]
    count = np.random.default_rng(0).integers(0, 4, len(y))
    place, everything = np.repeat(np.arange(len(y)), count), [(np.arange(len(y)), np.arange(0))]
    weighed = solve(model, X, y, [0.1, 0.5], everything, sample_weight=count.astype(float))[1]
    repeated = solve(model, X[place], y[place], [0.1, 0.5], [(np.arange(len(place)), place[:0])])[1]
    torch.testing.assert_close(weighed, repeated, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scaling", SCALING)
def test_below_its_least_value_of_c_a_model_is_empty(name, scaling):
    model, X, y = MODELS[name]
    estimator, splits = scaled(model, scaling), list(CV.split(X, y))
    problem = model_problem(estimator, X, y, splits)
    shares = torch.ones(problem.rows.n_coefficients, dtype=torch.float64)
    if scaling is not None:
        shares[-1] = 1 / scaling
    none = Squares(lambda x: torch.zeros(*x.shape[:-1], 1, len(shares), dtype=torch.float64))
    slopes = empty_slopes(problem.with_penalty(none), problem.penalty.kinked, shares).numpy()
    for slope, (train, _) in zip(slopes, splits, strict=True):
        expected = l1_min_c(
            X[train], y[train], loss="log" if name == "logistic" else "squared_hinge",
            fit_intercept=scaling is not None, intercept_scaling=scaling or 1.0,
        )  # fmt: skip
        assert 1 / (slope * len(train)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scaling", SCALING)
@pytest.mark.parametrize("name", MODELS)
def test_hypergradients_are_slopes_of_liblinears_loss(name, scaling):
    """The support is the same on both sides of the difference."""
    model, X, y = MODELS[name]
    estimator, splits, value = scaled(model, scaling), list(CV.split(X, y)), 0.37
    criterion = "log_loss" if name == "logistic" else "squared_hinge"
    problem, found = solve(estimator, X, y, [value], criterion=criterion)
    x = log_values(value)
    d = problem.directions(x, found, torch.zeros_like(found), 0.0)
    face = problem.face(x, found, d.grad_y)
    (v,) = problem.curvature(x, found, 0.0).within(face).solve(-d.residual_v[None])
    got = problem.directions(x, found, v, 0.0)

    def loss(log_value):
        own, losses = clone(estimator).set_params(C=float(np.exp(log_value))), []
        for train, test in splits:
            own.fit(X[train], y[train])
            if name == "logistic":
                losses.append(log_loss(y[test], own.predict_proba(X[test])))
                continue
            z = own.decision_function(X[test]).reshape(len(test), -1)
            classes = own.classes_[1:] if z.shape[1] == 1 else own.classes_
            sign = np.where(y[test][:, None] == classes, 1, -1)
            losses.append((np.maximum(0, 1 - sign * z) ** 2).sum(1).mean())
        return np.mean(losses)

    null = problem.criterion.null
    assert float(got.upper.sum()) * null == pytest.approx(loss(np.log(value)), rel=1e-6)
    slope = derivative(np.vectorize(loss), np.log(value), initial_step=1e-3, maxiter=1, order=2).df
    assert float(got.grad_x.sum()) * null == pytest.approx(slope, rel=1e-3)


# Searches


@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 1: 0.5}], ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_lists_have_grid_searchs_table(name, class_weight):
    model, X, y = MODELS[name]
    rows, grid = sp.csr_array(np.where(np.abs(X) > 0.4, X, 0.0)), {"C": [1e-4, 0.02, 1.0]}
    weight = {"sample_weight": np.linspace(0.2, 2, len(y))}
    model = clone(model).set_params(class_weight=class_weight, intercept_scaling=3.0)
    scoring = LOSS if name == "logistic" else "accuracy"
    assert_grid_search_agrees(model, grid, rows, y, weight, cv=CV, scoring=scoring)


def test_a_list_of_both_penalties():
    grid = {"C": [0.01, 1.0], "l1_ratio": [0, 1]}
    assert_grid_search_agrees(LOGISTIC, grid, *TWO, cv=CV, scoring=LOSS)
    search = search_over(LOGISTIC, {**grid, "C": (1e-3, 1.0)}, *TWO, cv=CV, scoring=LOSS)
    assert roles(search) == {"C": "searched", "l1_ratio": "enumerated"}


@pytest.mark.parametrize("scaling", SCALING)
def test_intervals_are_at_least_as_good_as_a_grid(scaling):
    settings, data = {"cv": CV, "scoring": LOSS}, (X_BINARY[::3, :6], Y_BINARY[::3])
    estimator, C = scaled(LOGISTIC, scaling), (1e-3, 10.0)
    search = search_over(estimator, {"C": C}, *data, **settings)
    assert_served(search, "searched")
    assert search.converged_
    assert_true(search, *data, **settings)
    listed = search_over(estimator, {"C": np.geomspace(*C, 9)}, *data, refit=False, **settings)
    assert search.best_score_ >= listed.best_score_ - 1e-3 * abs(listed.best_score_)
    refit = clone(search.best_estimator_).fit(*data)
    np.testing.assert_array_equal(search.best_estimator_.coef_, refit.coef_)


@pytest.mark.parametrize("data", [TWO, THREE], ids=["2 classes", "3 classes"])
def test_intervals_of_machines(data):
    search = search_over(SVC, {"C": (1e-3, 1.0)}, *data, cv=CV)
    assert_served(search, "searched")
    assert search.converged_
    assert_true_but_for_a_row(search, *data, cv=CV)


def test_where_no_value_leaves_a_coefficient_the_end_is_told_of():
    with pytest.warns(UserWarning, match=r"best C=.* is the upper end"):
        search = search_over(LOGISTIC, {"C": (1e-5, 1e-4)}, *TWO, cv=CV, scoring=LOSS)
    np.testing.assert_allclose(-fold_scores(search), np.log(2))


@pytest.mark.parametrize("name", MODELS)
def test_adopted_models_are_those_of_own_fits(name):
    model, X, y = MODELS[name]
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator.estimator)
        return estimator.score(X, y)

    search_over(model, {"C": [0.3]}, X, y, scoring=scorer, cv=CV, refit=False)
    for ours, (train, _) in zip(seen, CV.split(X, y), strict=True):
        own = clone(model).set_params(C=0.3).fit(X[train], y[train])
        assert vars(ours).keys() == vars(own).keys()
        for attribute in ("coef_", "intercept_"):
            got, expected = getattr(ours, attribute), getattr(own, attribute)
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)
            assert got.dtype == expected.dtype


def test_one_class_against_the_rest():
    model, grid = OneVsRestClassifier(LOGISTIC), {"estimator__C": [0.1, 5.0]}
    assert_grid_search_agrees(model, grid, *THREE, cv=CV, scoring=LOSS)
