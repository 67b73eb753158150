"""SGDRegressor and SGDClassifier: minima of their objective, which their own fits come near."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import KFold, StratifiedKFold

from skbamm import BAMMSearchCV, Interval
from skbamm.bilevel import solve_lower
from skbamm.glm import solve_narrowing
from skbamm.losses import Smoothed
from skbamm.models import find_twin
from tests.models.conftest import TARGETS, X
from tests.pairs import pairwise, turns
from tests.problems import (
    X_BINARY,
    X_MULTI,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    exact_multiplier,
    log_values,
    model_problem,
)

BINARY, THREE = (X_BINARY[::2, :10], Y_BINARY[::2]), (X_MULTI, Y_MULTI)
NUMBERS = (X_REG - X_REG.mean(0), (Y_REG - Y_REG.mean()) / Y_REG.std())
MODELS = {
    "log loss": (SGDClassifier("log_loss"), *BINARY),
    "log loss, 3 classes": (SGDClassifier("log_loss"), *THREE),
    "squared hinge": (SGDClassifier("squared_hinge"), *BINARY),
    "squared hinge, 3 classes": (SGDClassifier("squared_hinge"), *THREE),
    "hinge": (SGDClassifier("hinge"), *BINARY),
    "hinge, 3 classes": (SGDClassifier("hinge"), *THREE),
    "modified huber": (SGDClassifier("modified_huber"), *BINARY),
    "modified huber, 3 classes": (SGDClassifier("modified_huber"), *THREE),
    "squared error": (SGDRegressor("squared_error"), *NUMBERS),
    "huber": (SGDRegressor("huber", epsilon=0.5), *NUMBERS),
    "beyond epsilon": (SGDRegressor("squared_epsilon_insensitive", epsilon=0.3), *NUMBERS),
    "linear beyond epsilon": (SGDRegressor("epsilon_insensitive", epsilon=0.3), *NUMBERS),
}
PENALTIES = [("l2", None), ("l1", None), ("elasticnet", 0.4), ("elasticnet", 0.0)]
# Each loss has squares and one penalty with kinks; an elastic net without absolute values is the
# squares alone, and one loss shows it.
CASES = [
    (name, penalty, ratio)
    for i, name in enumerate(MODELS)
    for penalty, ratio in PENALTIES
    if name == "log loss" or (penalty in ("l2", ("l1", "elasticnet")[i % 2]) and ratio != 0)
]
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def objective(model, X, y, weight=None):
    """Return what a fitted model's own fit is after: of all outputs taken together."""
    weight = np.ones(len(y)) if weight is None else weight
    z = X @ np.atleast_2d(model.coef_).T + model.intercept_
    if isinstance(model, SGDClassifier):
        classes = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
        hot = y[:, None] == classes
        q = np.where(hot, z, -z)
        given = model.class_weight or {}
        if given == "balanced":
            given = dict(zip(*np.unique(y, return_counts=True), strict=True))
            given = {label: len(y) / (len(model.classes_) * n) for label, n in given.items()}
        if len(model.classes_) == 2:
            weight = weight * [given.get(label, 1.0) for label in y]
            factor = 1.0
        else:
            factor = np.where(hot, [given.get(label, 1.0) for label in classes], 1.0)
        losses = {
            "log_loss": np.logaddexp(0, -q),
            "hinge": np.maximum(0, 1 - q),
            "squared_hinge": np.maximum(0, 1 - q) ** 2,
            "modified_huber": np.where(q >= -1, np.maximum(0, 1 - q) ** 2, -4 * q),
        }
        loss = (factor * losses[model.loss]).sum(1)
    else:
        r, e = np.abs(z[:, 0] - y), model.epsilon
        losses = {
            "squared_error": r**2 / 2,
            "huber": np.where(r <= e, r**2 / 2, e * r - e**2 / 2),
            "epsilon_insensitive": np.maximum(0, r - e),
            "squared_epsilon_insensitive": np.maximum(0, r - e) ** 2,
        }
        loss = losses[model.loss]
    ratio = {"l2": 0.0, "l1": 1.0}.get(model.penalty, model.l1_ratio)
    coef = np.asarray(model.coef_)
    penalty = (1 - ratio) * (coef**2).sum() / 2 + ratio * np.abs(coef).sum()
    return float((weight * loss).sum() / len(y) + model.alpha * penalty)


def solve(estimator, X, y, weight=None, splits=None, values=None):
    """Return the twin's problem of all rows, or of folds, and what solves it."""
    splits = [(np.arange(len(y)), np.arange(0))] if splits is None else splits
    problem = model_problem(estimator, X, y, splits, sample_weight=weight)
    values = [estimator.alpha] if values is None else values
    if isinstance(problem.loss, Smoothed):
        result = solve_narrowing(problem, log_values(*values))
    else:
        result = solve_lower(problem, log_values(*values), tol=1e-10)
    assert bool(result.converged.all())
    return problem.coefficients(result.y).numpy()


def solved(estimator, X, y, weight=None):
    """Return a model with the solution of all rows."""
    coef = solve(estimator, X, y, weight)[0, 0]
    model = clone(estimator)
    twin, _ = find_twin(model)
    task = twin.task(model, y, weight, sp.issparse(X)).without_rows()
    d = X.shape[1]
    twin.export(model, task, coef[:, :d].copy(), coef[:, -1].copy())
    model.n_features_in_ = d
    return model


def own_fit(estimator, X, y, weight=None, seed=0):
    """Return scikit-learn's own fit, of many passes."""
    model = clone(estimator).set_params(
        random_state=seed, tol=1e-7, max_iter=400, learning_rate="adaptive", eta0=0.01
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, sample_weight=weight)


# Solutions


@pytest.mark.parametrize(
    ("name", "penalty", "ratio", "weighted"),
    [(*case, bool(i % 2)) for i, case in enumerate(CASES)],  # both with every loss and penalty
)
def test_no_own_fit_is_better_and_they_come_near(name, penalty, ratio, weighted):
    estimator, X, y = MODELS[name]
    estimator = clone(estimator).set_params(penalty=penalty, l1_ratio=ratio, alpha=0.05)
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y)) if weighted else None
    least = objective(solved(estimator, X, y, weight), X, y, weight)
    own = [objective(own_fit(estimator, X, y, weight, seed), X, y, weight) for seed in range(2)]
    assert least <= min(own) + 1e-12
    # Their L1 penalty, by truncated gradients, is less exact than the rest.
    spread = 3e-2 if penalty != "l2" else 1e-2 if "hinge" in name else 5e-3
    assert min(own) == pytest.approx(least, rel=spread)


@pytest.mark.parametrize(
    ("name", "fit_intercept", "class_weight"),
    pairwise(
        ["log loss, 3 classes", "modified huber", "squared hinge"], [True, False],
        [{0: 3.0, 1: 0.5}, "balanced"],
    ),
)  # fmt: skip
def test_class_weights(name, fit_intercept, class_weight):
    estimator, X, y = MODELS[name]
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    estimator = clone(estimator).set_params(
        alpha=0.05, class_weight=class_weight, fit_intercept=fit_intercept
    )
    least = objective(solved(estimator, X, y, weight), X, y, weight)
    own = objective(own_fit(estimator, X, y, weight), X, y, weight)
    assert least <= own <= least * (1 + 5e-3)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_is_that_of_logistic_regression(weighted, class_weight):
    X, y = BINARY
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y)) if weighted else np.ones(len(y))
    estimator = SGDClassifier("log_loss", alpha=0.02, class_weight=class_weight)
    ours = solved(estimator, X, y, weight if weighted else None)
    if class_weight == "balanced":  # by rows, where LogisticRegression counts their weights
        weight = weight * (len(y) / (2 * np.bincount(y)))[y]
        class_weight = None
    own = LogisticRegression(
        C=1 / (0.02 * len(y)), class_weight=class_weight, tol=1e-10, max_iter=10_000
    ).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, own.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, own.intercept_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), own.predict_proba(X), atol=1e-6)


def test_several_classes_are_one_against_all_others():
    X, y = THREE
    ours = solved(SGDClassifier("log_loss", alpha=0.02), X, y)
    for j in range(3):
        one = solved(SGDClassifier("log_loss", alpha=0.02), X, (y == j).astype(int))
        np.testing.assert_allclose(ours.coef_[j], one.coef_[0], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(ours.intercept_[j], one.intercept_[0], rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_squared_errors_are_those_of_ridge_and_elastic_net(weighted):
    X, y = NUMBERS
    n = len(y)
    weight = np.random.default_rng(0).uniform(0.1, 3, n) if weighted else np.ones(n)
    fit = {"sample_weight": weight}
    ours = solved(SGDRegressor(alpha=0.03), X, y, weight if weighted else None)
    ridge = Ridge(alpha=0.03 * n).fit(X, y, **fit)
    np.testing.assert_allclose(ours.coef_, ridge.coef_, rtol=1e-5, atol=1e-8)
    assert ours.intercept_[0] == pytest.approx(ridge.intercept_, rel=1e-5, abs=1e-8)
    # ElasticNet divides by the sum of the weights.
    net = ElasticNet(alpha=0.03 * n / weight.sum(), l1_ratio=0.4, tol=1e-12, max_iter=10**6)
    mixed = SGDRegressor(alpha=0.03, penalty="elasticnet", l1_ratio=0.4)
    ours = solved(mixed, X, y, weight if weighted else None)
    np.testing.assert_allclose(ours.coef_, net.fit(X, y, **fit).coef_, rtol=1e-5, atol=1e-7)


# What must not change a solution, and what must change it in a known way


@pytest.mark.parametrize(("name", "penalty"), turns(MODELS, ["l2", "l1"]))
def test_sparse_data_have_the_solutions_of_dense_ones(name, penalty):
    estimator, X, y = MODELS[name]
    estimator = clone(estimator).set_params(penalty=penalty, alpha=0.02)
    X = np.where(np.abs(X) > 0.5, X, 0.0)
    dense, sparse = solve(estimator, X, y), solve(estimator, sp.csr_array(X), y)
    np.testing.assert_allclose(sparse, dense, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_repeated_rows_of_a_penalty_for_all_of_them(name):
    estimator, X, y = MODELS[name]
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = solve(estimator, X, y, weight.astype(float), values=[0.02])
    place = np.repeat(np.arange(len(y)), weight)
    share = len(y) / len(place)  # each row has its share of the penalty, whatever it weighs
    repeated = solve(estimator, X[place], y[place], values=[0.02 * share])
    np.testing.assert_allclose(weighted, repeated, rtol=1e-5, atol=1e-6)
    doubled = solve(estimator, X, y, 2.0 * weight, values=[0.04])
    np.testing.assert_allclose(doubled, weighted, rtol=1e-5, atol=1e-6)


def test_folds_are_solved_as_if_alone():
    estimator, X, y = MODELS["squared hinge"]
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    splits = [(np.arange(0, 100), np.arange(100, 200)), (np.arange(50, 284), np.arange(50))]
    together = solve(estimator, X, y, weight, splits, [0.01])[0]
    for fold, (train, _) in zip(together, splits, strict=True):
        alone = solve(estimator, X[train], y[train], weight[train], values=[0.01])[0, 0]
        np.testing.assert_allclose(fold, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "penalty", "ratio"),
    [case for case in CASES if case[0] != "hinge, 3 classes" or case[1] == "l2"],
)
def test_hypergradients_are_slopes_of_the_criterion(name, penalty, ratio):
    estimator, X, y = MODELS[name]
    estimator = clone(estimator).set_params(penalty=penalty, l1_ratio=ratio)
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    criterion = find_twin(estimator)[0].task(estimator, y, None, False).criterion
    problem = model_problem(estimator, X, y, splits, criterion=criterion, sample_weight=weight)

    def at(log_alpha):
        x = torch.tensor([[log_alpha]], dtype=torch.float64)
        result = solve_lower(problem, x, tol=1e-12)
        return x, result.y, problem.directions(x, result.y, 0 * result.y, 0.0)

    step, place = 1e-4, np.log(0.0123)
    x, found, _ = at(place)
    if penalty == "l2" or ratio == 0:
        v = exact_multiplier(problem, x, found)
    else:
        v = multiplier_on_support(problem, x, found)
    slope = float(problem.directions(x, found, v, 0.0).grad_x.sum())
    ends = [float(at(place + sign * step)[2].upper.sum()) for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / (2 * step)
    assert slope == pytest.approx(expected, rel=1e-3, abs=1e-6)


def multiplier_on_support(problem, x, y):
    """Return the multiplier, which vanishes where the model does."""
    pull = -problem.directions(x, y, torch.zeros_like(y), 0.0).residual_v
    size = y[0, 0].numel()
    basis = torch.eye(size, dtype=y.dtype).reshape(size, 1, 1, *y.shape[2:])
    matrix = problem.hessian_product(x, y, basis.expand(size, *y.shape), 0.0)
    matrix = matrix.flatten(3).permute(1, 2, 3, 0)
    used = (y != 0).flatten(2).double()
    matrix = matrix * used[..., None] * used[:, :, None]
    solution = torch.linalg.pinv(matrix, hermitian=True) @ (pull.flatten(2) * used)[..., None]
    return solution.view_as(y)


# What the twins stand for


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (
            SGDClassifier("perceptron"),
            "loss='perceptron' is minimised by zero coefficients; use loss='hinge'",
        ),
        (
            SGDClassifier("huber"),
            "loss='huber' is not one of ['log_loss', 'hinge', 'squared_hinge', 'modified_huber']",
        ),
        (SGDRegressor(penalty=None), "penalty=None leaves nothing to tune"),
        (
            SGDRegressor(penalty="elasticnet", l1_ratio=2.0),
            "l1_ratio=2.0 is not a number from 0 to 1",
        ),
        (
            SGDRegressor(early_stopping=True),
            "early_stopping=True holds out rows and stops before the minimum",
        ),
        (
            SGDRegressor(tol=None, max_iter=5),
            "tol=None stops after max_iter passes, not at the minimum",
        ),
    ],
)
def test_mismatches(estimator, reason):
    name = type(estimator).__name__
    assert find_twin(estimator) == (None, f"{name}: {reason}")
    y = TARGETS["binary" if name == "SGDClassifier" else "vector"]
    with pytest.raises(ValueError, match="SGDClassifier \\(alpha, l1_ratio\\), SGDRegressor"):
        BAMMSearchCV(estimator, {"alpha": Interval(0.01, 0.1)}, cv=3).fit(X, y)


@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_a_ratio_is_tuned_of_an_elastic_net_only(penalty):
    estimator = SGDRegressor(penalty=penalty)
    twin, _ = find_twin(estimator)
    assert [one.name for one in twin.tunes(estimator)] == ["alpha"]
    with pytest.raises(ValueError, match="penalty='elasticnet' allows it"):
        BAMMSearchCV(estimator, {"l1_ratio": (0.1, 0.9)}, cv=3).fit(X, TARGETS["vector"])
    estimator.set_params(penalty="elasticnet")
    assert [one.name for one in twin.tunes(estimator)] == ["alpha", "l1_ratio"]


def test_twins_of_different_penalties_keep_apart():
    plain, sparse = SGDRegressor(), SGDRegressor(penalty="l1")
    one, other = find_twin(plain)[0], find_twin(sparse)[0]
    assert one.penalty({"alpha": 2.0}) == (2.0, None)
    assert other.penalty({"alpha": 2.0}) == (0.0, 2.0)
    mixed = find_twin(SGDRegressor(penalty="elasticnet"))[0]
    assert mixed.penalty({"alpha": 2.0, "l1_ratio": 0.25}) == (1.5, 0.5)
    assert mixed.penalty({"alpha": 2.0, "l1_ratio": 0.0}) == (2.0, None)


def test_balanced_classes_are_weighted_by_rows():
    y, weight = TARGETS["binary"], np.linspace(0.1, 2, 60)
    estimator = SGDClassifier("log_loss", class_weight="balanced")
    twin, _ = find_twin(estimator)
    rows = np.array([0, 0, 0, 1])
    weights = twin.task(estimator, y, weight, False).class_weight(rows)
    np.testing.assert_allclose(weights, [4 / (2 * 3), 4 / (2 * 1)])
    several = twin.task(estimator, TARGETS["three classes"], weight, False)
    sides = several.in_folds([np.array([0, 0, 0, 1, 2])]).loss.sides[..., 0]
    np.testing.assert_allclose(sides, [[1, 1, 1], [5 / 9, 5 / 3, 5 / 3]])


# Exported models


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MODELS)
def test_exported_models_have_the_attributes_of_fitted_ones(name, dtype, average):
    estimator, X, y = MODELS[name]
    estimator = clone(estimator).set_params(
        average=average, random_state=0, alpha=0.05, learning_rate="adaptive"
    )
    fitted = clone(estimator).fit(X.astype(dtype), y)
    model = clone(estimator)
    twin, _ = find_twin(model)
    coef, intercept = np.atleast_2d(fitted.coef_).copy(), fitted.intercept_.astype(dtype)
    twin.export(model, twin.task(model, y, None, False).without_rows(), coef, intercept)
    model.n_features_in_ = X.shape[1]
    assert vars(model).keys() == vars(fitted).keys()
    for key, value in vars(fitted).items():
        got = vars(model)[key]
        assert type(got) is type(value), key
        if isinstance(value, np.ndarray):
            assert (got.shape, got.dtype) == (value.shape, value.dtype), key
    some = X[:20].astype(dtype)
    assert model.predict(some).dtype == fitted.predict(some).dtype
    if isinstance(estimator, SGDClassifier):
        np.testing.assert_array_equal(model.predict(some), fitted.predict(some))
    else:
        np.testing.assert_allclose(model.predict(some), fitted.predict(some), rtol=1e-5, atol=1e-6)
    model.partial_fit(X.astype(dtype), y)  # goes on from there


@pytest.mark.parametrize("name", [n for n in MODELS if n.startswith(("log", "modified"))])
def test_probabilities(name):
    estimator, X, y = MODELS[name]
    model = solved(clone(estimator).set_params(alpha=0.01), X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1)
    own = own_fit(clone(estimator).set_params(alpha=0.01), X, y)
    np.testing.assert_allclose(p, own.predict_proba(X), atol=0.1)
    assert model.score(X, y) > 0.9
