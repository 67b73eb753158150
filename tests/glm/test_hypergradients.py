"""Hypergradients are the slopes of the cross-validated loss of scikit-learn's own models."""

import numpy as np
import pytest
import torch
from scipy.differentiate import derivative
from sklearn.base import clone
from sklearn.metrics import log_loss, mean_squared_error, r2_score, root_mean_squared_error
from sklearn.model_selection import ShuffleSplit

from skbamm.bilevel import solve_lower
from tests.glm.conftest import three_folds
from tests.problems import ESTIMATORS, exact_multiplier, log_values, model_problem

METRICS = {
    "squared_error": mean_squared_error,
    "root_mean_squared_error": root_mean_squared_error,
    "r2": lambda y, z, sample_weight: 1 - r2_score(y, z, sample_weight=sample_weight),
}


def own_loss(estimator, X, y, splits, criterion, weight, log_value):
    """Return the mean validation loss of scikit-learn's own fits."""
    name = "C" if hasattr(estimator, "C") else "alpha"
    losses = []
    for train, test in splits:
        fit_weight, score_weight = (None if weight is None else weight[r] for r in (train, test))
        chosen = clone(estimator).set_params(**{name: float(np.exp(log_value))})
        chosen.fit(X[train], y[train], sample_weight=fit_weight)
        if criterion == "squared_hinge":
            decision = chosen.decision_function(X[test])
            sign = 2 * (y[test, None] == chosen.classes_) - 1
            sign = sign[:, 1] if decision.ndim == 1 else sign
            hinges = np.maximum(0, 1 - sign * decision).reshape(len(test), -1) ** 2
            loss = np.average(hinges.sum(1), weights=score_weight)
        elif criterion == "log_loss":
            predicted = chosen.predict_proba(X[test])
            loss = log_loss(y[test], predicted, sample_weight=score_weight, labels=chosen.classes_)
        else:
            predicted = chosen.predict(X[test])
            loss = METRICS[criterion](y[test], predicted, sample_weight=score_weight)
        losses.append(loss)
    return float(np.mean(losses))


def check(
    estimator, X, y, splits, criterion, value, *, weight=None, moments=False, rtol=1e-5, step=0.1
):
    """Hold F and its hypergradient against values and differences of scikit-learn's loss."""
    problem = model_problem(
        estimator, X, y, splits, criterion=criterion, sample_weight=weight, moments=moments
    )
    x = log_values(value)
    y_exact = solve_lower(problem, x, tol=1e-12).y
    if moments:
        v = multiplier_by_metric(problem, x, y_exact)
    else:
        v = exact_multiplier(problem, x, y_exact)
    found = problem.directions(x, y_exact, v, 0.0)
    assert float(found.residual_v.abs().max()) < 1e-8 * (1 + float(v.abs().max()))

    def loss(log_value):
        return own_loss(estimator, X, y, splits, criterion, weight, log_value)

    upper = float(found.upper.sum()) * problem.criterion.null
    assert upper == pytest.approx(loss(np.log(value)), rel=1e-7)
    expected = derivative(
        np.vectorize(loss), np.log(value), initial_step=step, maxiter=3, order=6
    ).df
    assert float(found.grad_x.sum()) * problem.criterion.null == pytest.approx(expected, rel=rtol)


def multiplier_by_metric(problem, x, y):
    """Return the v at which the residual vanishes: least squares has the exact metric."""
    v = torch.zeros_like(y)
    for _ in range(3):
        residual = problem.directions(x, y, v, 0.0).residual_v
        v = v - problem.curvature(x, y, 0.0).solve(residual[None])[0]
    return v


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("value", [0.3, 300.0])
@pytest.mark.parametrize("criterion", METRICS)
def test_ridge(criterion, value, moments):
    estimator, X, y = ESTIMATORS["ridge"]
    check(estimator, X, y, three_folds(len(y)), criterion, value, moments=moments)


@pytest.mark.parametrize("value", [0.003, 1.0])
@pytest.mark.parametrize("name", ["logistic", "multinomial"])
def test_log_loss(name, value):
    estimator, X, y = ESTIMATORS[name]
    check(estimator, X, y, three_folds(len(y)), "log_loss", value)


@pytest.mark.parametrize("value", [0.003, 0.1])
@pytest.mark.parametrize(
    ("name", "criterion"),
    [
        ("svc, 2 classes", "squared_hinge"),
        ("svc, 3 classes", "squared_hinge"),
        ("svr", "r2"),
        ("svr", "root_mean_squared_error"),
    ],
)
def test_losses_with_kinks(name, criterion, value):
    """Between the values at which a row meets its margin; there the slope jumps."""
    estimator, X, y = ESTIMATORS[name]
    check(estimator, X, y, three_folds(len(y)), criterion, value, step=1e-3, rtol=1e-3)


@pytest.mark.parametrize("criterion", ["r2", "squared_error"])
def test_several_outputs(criterion):
    estimator, X, y = ESTIMATORS["two outputs"]
    check(estimator, X, y, three_folds(len(y)), criterion, 30.0, moments=True)


@pytest.mark.parametrize("name", ["ridge", "logistic", "multinomial", "svc, 3 classes"])
def test_overlapping_folds_of_unequal_weights(name):
    estimator, X, y = ESTIMATORS[name]
    splits = list(ShuffleSplit(3, test_size=0.3, random_state=0).split(X))
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    criterion = {"ridge": "r2", "svc, 3 classes": "squared_hinge"}.get(name, "log_loss")
    options = {"step": 3e-4, "rtol": 1e-3} if criterion == "squared_hinge" else {}
    check(estimator, X, y, splits, criterion, 0.5, weight=weight, **options)


@pytest.mark.parametrize("moments", [True, False])
def test_weighted_ridge(moments):
    estimator, X, y = ESTIMATORS["ridge"]
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    for criterion in METRICS:
        check(estimator, X, y, three_folds(len(y)), criterion, 30.0, weight=weight, moments=moments)


def test_without_an_intercept():
    estimator, X, y = ESTIMATORS["multinomial"]
    estimator = clone(estimator).set_params(fit_intercept=False)
    check(estimator, X, y, three_folds(len(y)), "log_loss", 0.1)


def test_balanced_classes():
    estimator, X, y = ESTIMATORS["logistic"]
    estimator = clone(estimator).set_params(class_weight="balanced")
    check(estimator, X, y, three_folds(len(y)), "log_loss", 0.1)


def test_at_the_end_of_a_step_of_y_the_hypergradient_is_accurate():
    """With lambda on the penalty, a y that is 1 % off costs about 1 % of the hypergradient."""
    estimator, X, y = ESTIMATORS["logistic"]
    problem = model_problem(estimator, X, y, three_folds(len(y)), criterion="log_loss")
    x = log_values(0.01)
    exact = solve_lower(problem, x, tol=1e-12).y
    v = exact_multiplier(problem, x, exact)
    slope = problem.directions(x, exact, v, 0.0).grad_x.sum()
    off = 1.01 * exact
    near = problem.directions(x, off, exact_multiplier(problem, x, off), 0.0).grad_x.sum()
    assert abs(float(near / slope) - 1) < 0.1
