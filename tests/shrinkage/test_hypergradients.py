"""Slopes of F in a vector of penalties, and of what is charged for its values."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.metrics import log_loss, mean_poisson_deviance
from sklearn.model_selection import KFold

from skbamm import PerFeature, PerGroup
from skbamm.shrinkage.prior import (
    Charge,
    ShrunkProblem,
    curvature_of_entries,
    noise_price,
    sizes_of_entries,
)
from tests.shrinkage.vectors import (
    COUNT,
    REGRESSION,
    THREE,
    TIGHT,
    TWO,
    differences,
    joint_of,
    name_of,
    solved,
    with_values,
)

SPLITS = list(KFold(3, shuffle=True, random_state=0).split(REGRESSION[0]))
LOGISTIC = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=500)
SAGA = LogisticRegression(solver="saga", tol=1e-9, max_iter=50_000, random_state=0)
MODELS = {
    "ridge": (Ridge(solver="cholesky"), *REGRESSION, "squared_error", 8.0, 1e-5),
    "no intercept": (
        Ridge(solver="cholesky", fit_intercept=False), *REGRESSION, "squared_error", 8.0, 1e-5,
    ),
    "lasso": (Lasso(**TIGHT), *REGRESSION, "squared_error", 0.03, 1e-4),
    "elastic net": (ElasticNet(l1_ratio=0.6, **TIGHT), *REGRESSION, "squared_error", 0.05, 1e-4),
    "logistic": (LOGISTIC, *TWO, "log_loss", 0.3, 1e-5),
    "multinomial": (LOGISTIC, *THREE, "log_loss", 0.3, 1e-5),
    "logistic, both": (SAGA.set_params(l1_ratio=0.5), *TWO, "log_loss", 0.3, 1e-3),
    "poisson": (
        PoissonRegressor(solver="newton-cholesky", tol=1e-12), *COUNT, "deviance", 0.1, 1e-4,
    ),
}  # fmt: skip


def splits_of(y):
    return list(KFold(3, shuffle=True, random_state=0).split(y))


def axis_of(kind, model, X, y, splits):
    """Return the joint solver, and an axis of values for features, groups, or groups of folds."""
    d = X.shape[1]
    labels = np.arange(d) % 3
    vector = PerFeature(1e-9, 1e9) if kind == "feature" else PerGroup(1e-9, 1e9, labels)
    joint, axis = joint_of(model, vector, X, y, splits)
    if kind == "fold":
        axis = axis.known("abc", np.array([np.roll(np.arange(d), k) % 3 for k in range(3)]))
    return joint, axis


def own_loss(model, X, y, splits, columns, x):
    """Return the mean validation loss of scikit-learn's own fits, with a vector of logarithms."""
    losses = []
    for k, (train, test) in enumerate(splits):
        own = with_values(model, np.exp(x), columns[k % len(columns)]).fit(X[train], y[train])
        if hasattr(own, "predict_proba"):
            losses.append(log_loss(y[test], own.predict_proba(X[test]), labels=own.classes_))
        elif isinstance(model, PoissonRegressor):
            losses.append(mean_poisson_deviance(y[test], own.predict(X[test])))
        else:
            losses.append(np.mean((own.predict(X[test]) - y[test]) ** 2))
    return float(np.mean(losses))


@pytest.mark.parametrize("kind", ["feature", "fold"])
@pytest.mark.parametrize("name", MODELS)
def test_hypergradients_are_those_of_scikit_learns_own_models(name, kind):
    model, X, y, criterion, value, rtol = MODELS[name]
    splits = splits_of(y)
    joint, axis = axis_of(kind, model, X, y, splits)
    problem = joint.problem((axis,), 1, torch.float64, joint.criterion(criterion))
    x = np.log(value) + np.linspace(-0.8, 0.7, axis.size)
    at = torch.as_tensor(x)[None]
    found = problem.directions(at, *solved(problem, at), 0.0)

    def loss(x):
        return own_loss(model, X, y, splits, axis.columns, x)

    null = problem.criterion.null
    assert float(found.upper.sum()) * null == pytest.approx(loss(x), rel=1e-7)
    expected = differences(loss, x)
    got = found.grad_x.sum((0, 1)).numpy() * null
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * abs(expected).max())


def charge_of(kind, name):
    model, X, y, criterion, value, _ = MODELS[name]
    joint, axis = axis_of(kind, model, X, y, splits_of(y))
    problem = joint.problem((axis,), 1, torch.float64, joint.criterion(criterion))
    size = sizes_of_entries(axis, problem.rows)
    curvature = torch.linspace(0.2, 2, axis.size, dtype=torch.float64)
    columns = torch.as_tensor(axis.columns)
    charge = Charge(0.02, 0.3, 0.7, problem, columns, curvature, size)
    return charge, axis, np.log(value) + np.linspace(-1, 1.5, axis.size)


@pytest.mark.parametrize("kind", ["feature", "group", "fold"])
@pytest.mark.parametrize("name", ["ridge", "poisson", "multinomial"])
def test_a_charge_is_the_sum_that_is_documented(name, kind):
    charge, axis, x = charge_of(kind, name)
    model, _, y, *_ = MODELS[name]
    strength = np.exp(-x if name_of(model)[1] else x)
    rows = [1.0] * 3 if name == "poisson" else [len(train) for train, _ in splits_of(y)]
    penalty = np.mean([strength / n for n in rows], 0)  # beside a mean of losses
    counts = np.array([(axis.columns == i).sum() / len(axis.columns) for i in range(axis.size)])
    H = charge.curvature.numpy()
    expected = 0.3 * ((x - x.mean()) ** 2).sum()
    if kind == "fold":  # an entry's columns are more in one fold than in another
        sums = [
            [(axis.columns[k] == i).sum() * strength[i] / rows[k] for i in range(axis.size)]
            for k in range(3)
        ]
        penalty = np.mean(sums, 0) / counts
    expected += 0.7 * (np.sqrt(counts) / (1 + penalty / H)).sum()
    np.testing.assert_array_equal(charge.size.numpy(), counts)
    two = torch.as_tensor(np.stack([x, x + 1]))
    np.testing.assert_allclose(charge(two)[0], 0.02 * expected, rtol=1e-12)
    value, slope = charge.with_slope(two)
    torch.testing.assert_close(value, charge(two))
    for row, got in zip(two, slope, strict=True):
        found = differences(lambda z: float(charge(torch.as_tensor(z)[None])), row.numpy())
        np.testing.assert_allclose(got, found, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["ridge", "multinomial"])
def test_a_charged_problem_has_both_slopes(name):
    charge, _, x = charge_of("group", name)
    plain, at = charge.problem, torch.as_tensor(x)[None]
    problem = ShrunkProblem(plain, charge)
    y, v = solved(plain, at)
    bare, both = plain.directions(at, y, v, 0.0), problem.directions(at, y, v, 0.0)
    value, slope = charge.with_slope(at)
    assert float((both.upper - bare.upper).sum()) == pytest.approx(float(value), rel=1e-12)
    torch.testing.assert_close((both.grad_x - bare.grad_x).sum((0, 1)), slope[0])
    alone = plain.grad_x(at, y, v, 0.0, bare.upper)
    charged = problem.grad_x(at, y, v, 0.0, both.upper)
    if charged is None:
        assert alone is None
    else:
        torch.testing.assert_close((charged - alone).sum((0, 1)), slope[0])
    torch.testing.assert_close(problem.select([0]).directions(at, y, v, 0.0).upper, both.upper)


@pytest.mark.parametrize("kind", ["feature", "fold"])
@pytest.mark.parametrize("name", ["ridge", "no intercept", "logistic", "poisson", "lasso"])
def test_curvature_is_that_of_centred_second_moments(name, kind):
    model, X, y, criterion, value, _ = MODELS[name]
    splits = splits_of(y)
    joint, axis = axis_of(kind, model, X, y, splits)
    problem = joint.problem((axis,), 1, torch.float64, joint.criterion(criterion))
    at = torch.full((1, axis.size), np.log(value), dtype=torch.float64)
    models, _ = solved(problem, at)
    got = curvature_of_entries(problem, at, models, axis)
    sums = np.zeros(axis.size)
    for k, (train, _) in enumerate(splits):
        own = with_values(model, np.full(X.shape[1], value)).fit(X[train], y[train])
        weight = np.ones(len(train))
        if name == "logistic":
            p = own.predict_proba(X[train])[:, 1]
            weight = p * (1 - p)
        elif name == "poisson":
            weight = own.predict(X[train])
        rows = X[train]
        if own.estimator.fit_intercept:
            rows = rows - np.average(rows, 0, weights=weight)
        moments = (weight[:, None] * rows**2).sum(0) / len(train)
        columns = axis.columns[k % len(axis.columns)]
        sums += [moments[columns == i].sum() for i in range(axis.size)]
    counts = sizes_of_entries(axis, problem.rows).numpy() * 3
    np.testing.assert_allclose(got, sums / counts, rtol=1e-6)


@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_curvature_of_sparse_rows_is_that_of_dense_ones(name):
    """Whose means are far from zero, and not taken away from sparse rows."""
    model, X, y, criterion, value, _ = MODELS[name]
    model = Ridge() if name == "ridge" else model  # whose solver takes sparse rows
    X, found = X + 3, []
    for form in (np.asarray, sp.csr_array):
        joint, axis = joint_of(model, PerFeature(1e-9, 1e9), form(X), y, splits_of(y))
        problem = joint.problem((axis,), 1, torch.float64, joint.criterion(criterion))
        at = torch.full((1, axis.size), np.log(value), dtype=torch.float64)
        found.append(curvature_of_entries(problem, at, solved(problem, at)[0], axis))
    torch.testing.assert_close(*found, rtol=1e-8, atol=0)


def test_the_price_of_a_degree_of_freedom():
    """Of squared errors the error itself, of its root half of it; of a log loss one half."""
    joint, _ = axis_of("feature", Ridge(), *REGRESSION, SPLITS)
    for name, expected in (("squared_error", 0.6), ("r2", 0.6), ("root_mean_squared_error", 0.3)):
        assert noise_price(joint.criterion(name), 0.6) == pytest.approx(expected)
    logistic, _ = axis_of("feature", LOGISTIC, *TWO, splits_of(TWO[1]))
    criterion = logistic.criterion("log_loss")
    assert noise_price(criterion, 0.6) * criterion.null == pytest.approx(0.5)
