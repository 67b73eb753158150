"""LinearSVC and LinearSVR with losses that have kinks: the minimum, by smoothing that vanishes."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.svm import LinearSVC, LinearSVR

from skbamm.bilevel import solve_lower
from skbamm.glm import solve_narrowing
from skbamm.losses import HingeLoss
from skbamm.models import find_twin
from tests.problems import (
    X_BINARY,
    X_MANY,
    X_MULTI,
    X_REG,
    Y_BINARY,
    Y_MANY,
    Y_MULTI,
    Y_REG,
    exact_multiplier,
    log_values,
    model_problem,
)
from tests.truth import assert_served, search_over

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
TIGHT = {"tol": 1e-8, "max_iter": 1_000_000, "random_state": 0}
WEIGHT = np.random.default_rng(1).uniform(0.1, 3, 569)
DATA = {
    "two classes": (LinearSVC(loss="hinge", **TIGHT), X_BINARY, Y_BINARY),
    "three classes": (LinearSVC(loss="hinge", **TIGHT), X_MULTI, Y_MULTI),
    "no intercept": (LinearSVC(loss="hinge", fit_intercept=False, **TIGHT), X_BINARY, Y_BINARY),
    "many rows": (LinearSVC(loss="hinge", intercept_scaling=3, **TIGHT), X_MANY, Y_MANY),
    "numbers": (LinearSVR(epsilon=20, **TIGHT), X_REG, Y_REG),
    "absolute errors": (LinearSVR(epsilon=0, **TIGHT), X_REG, Y_REG),
}


def objective(estimator, coef, X, y, weight):
    """Return liblinear's exact objective at coefficients (m, p), of all outputs taken together."""
    coef = np.atleast_2d(coef)
    slopes = coef[:, : X.shape[1]]
    intercept = coef[:, -1] if estimator.fit_intercept else np.zeros(len(coef))
    z = X @ slopes.T + intercept
    if isinstance(estimator, LinearSVC):
        classes = np.unique(y)
        signs = 2 * (y[:, None] == (classes[1:] if len(classes) == 2 else classes)) - 1
        loss = np.maximum(0, 1 - signs * z).sum(1)
    else:
        loss = np.maximum(0, np.abs(z[:, 0] - y) - estimator.epsilon)
    size = (slopes**2).sum() + (intercept**2).sum() / estimator.intercept_scaling**2
    return float((weight * loss).sum() + size / (2 * estimator.C))


def solve(estimator, X, y, splits, values, weight=None):
    problem = model_problem(estimator, X, y, splits, sample_weight=weight, starts=len(values))
    result = solve_narrowing(problem, log_values(*values))
    assert bool(result.converged.all())
    return result.y.numpy()


@pytest.mark.parametrize(
    ("form", "weighted"), [(np.asarray, True), (sp.csr_array, False)], ids=["dense", "csr"]
)
@pytest.mark.parametrize("name", DATA)
def test_the_objective_is_liblinears_or_less(name, weighted, form):
    estimator, X, y = DATA[name]
    estimator, X = clone(estimator), form(np.where(np.abs(X) > 0.3, X, 0.0))
    weight = np.resize(WEIGHT, len(y)) if weighted else np.ones(len(y))
    train, values = np.arange(len(y)) % 3 > 0, [0.01, 1.0]
    splits = [(np.flatnonzero(train), np.flatnonzero(~train))]
    found = solve(estimator, X, y, splits, values, weight if weighted else None)
    X, y, weight = X[train], y[train], weight[train]
    for s, C in enumerate(values):
        own = estimator.set_params(C=C).fit(X, y, sample_weight=weight)
        coef = np.atleast_2d(own.coef_)
        if estimator.fit_intercept:
            coef = np.c_[coef, np.broadcast_to(own.intercept_, len(coef))]
        least = objective(estimator, found[s, 0], X, y, weight)
        assert least == pytest.approx(objective(estimator, coef, X, y, weight), rel=1e-6)
        assert least <= objective(estimator, coef, X, y, weight) * (1 + 1e-8)
        size = np.abs(X @ coef[:, : X.shape[1]].T).max()
        ours = X @ found[s, 0, :, : X.shape[1]].T
        np.testing.assert_allclose(ours, X @ coef[:, : X.shape[1]].T, atol=3e-3 * size)


def test_weights_are_repeated_rows():
    estimator, X, y = DATA["two classes"]
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    repeated, nothing = np.repeat(np.arange(len(y)), counts), np.arange(0)
    weighed = solve(estimator, X, y, [(np.arange(len(y)), nothing)], [0.1], counts.astype(float))
    plain = solve(estimator, X, y, [(repeated, nothing)], [0.1])
    np.testing.assert_allclose(weighed, plain, rtol=1e-6, atol=1e-6)


def test_narrow_widths_end_the_steps_where_f_is_least():
    """A search along a step that is not close has it going around in circles."""
    estimator, X, y = DATA["many rows"]
    problem = model_problem(estimator, X, y, list(FOLDS.split(X, y)), starts=2)
    problem.loss = HingeLoss(width=1e-3)
    result = solve_lower(problem, log_values(1.0, 1000.0), tol=1e-6, max_iter=200)
    assert bool(result.converged.all())


@pytest.mark.parametrize(("name", "criterion"), [("two classes", "own_loss"), ("numbers", "r2")])
def test_hypergradients_are_slopes_of_the_smoothed_problem(name, criterion):
    estimator, X, y = DATA[name]
    problem = model_problem(estimator, X, y, list(KFold(3).split(X)), criterion=criterion)

    def solved(at):
        return solve_lower(problem, at, tol=1e-11, max_iter=200).y

    def upper(log_value):
        at = torch.tensor([[log_value]], dtype=torch.float64)
        models = solved(at)
        return float(problem.directions(at, models, 0 * models, 0.0).upper.sum())

    x = log_values(0.1)
    models = solved(x)
    found = problem.directions(x, models, exact_multiplier(problem, x, models), 0.0)
    at, step = np.log(0.1), 1e-4
    slope = (upper(at + step) - upper(at - step)) / (2 * step)
    assert float(found.grad_x.sum()) == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("name", ["two classes", "three classes", "numbers"])
def test_searches(name, monkeypatch):
    estimator, X, y = DATA[name]
    labels = isinstance(estimator, LinearSVC)
    estimator = clone(estimator).set_params(tol=1e-5)
    settings = {"cv": FOLDS if labels else KFold(3, shuffle=True, random_state=0)}
    search = search_over(estimator, {"C": (1e-3, 10.0)}, X, y, **settings)
    assert_served(search, "searched")
    values = {"C": np.logspace(-3, 1, 9)}
    few = search_over(estimator, {"C": [0.1, 1.0]}, X, y, refit=False, **settings)
    (row,) = few.search_plan_
    assert (
        row["role"] == "enumerated" and "own fits solve a loss with kinks fastest" in row["reason"]
    )
    monkeypatch.setattr(type(find_twin(estimator)[0]), "own_lists_below", 0)
    listed = search_over(estimator, values, X, y, refit=False, **settings)
    assert_served(listed, "joint grid")
    # Accuracy has no gradient: a row or two.
    slack = 2 / len(y) if labels else 1e-3 * listed.best_score_
    assert search.best_score_ >= listed.best_score_ - slack
    again = clone(search.best_estimator_).fit(X, y)
    np.testing.assert_array_equal(again.coef_, search.best_estimator_.coef_)
    assert again.n_iter_ == search.best_estimator_.n_iter_ > 0
    # What liblinear gives the value in each fold.
    for k, (train, test) in enumerate(settings["cv"].split(X, y)):
        own = clone(search.best_estimator_).fit(X[train], y[train]).score(X[test], y[test])
        got = search.cv_results_[f"split{k}_test_score"][search.best_index_]
        assert got == pytest.approx(own, abs=1.01 / len(test) if labels else 1e-3)
