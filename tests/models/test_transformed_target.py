"""TransformedTargetRegressor: models see another target, scores are in the user's units."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from scipy.differentiate import derivative
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, make_regression
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LinearRegression, PoissonRegressor, Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

from skbamm import BAMMSearchCV, Interval, SampleWeights
from skbamm.bilevel import solve_lower
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.solvers.criterion import task_criterion
from skbamm.space import read_grid
from tests.pairs import turns
from tests.problems import X_REG, exact_multiplier
from tests.truth import (
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    fold_scores,
    roles,
    search_over,
)

RNG = np.random.default_rng(0)
X = X_REG[:150]
SKEWED = np.exp(0.6 * (X @ RNG.normal(size=10) / 3 + RNG.normal(size=150)))  # of a log-linear model
CV = KFold(3, shuffle=True, random_state=0)
ALPHA = (1e-2, 1e4)
LOG = {"func": np.log, "inverse_func": np.exp}


def ridge(**params):
    return TransformedTargetRegressor(Ridge(tol=1e-10), **params)


VIEWS = {
    "log": LOG,
    "scaled": {"transformer": StandardScaler()},
    "power": {"transformer": PowerTransformer()},
    "quantiles": {"transformer": QuantileTransformer(n_quantiles=30, output_distribution="normal")},
    "as it is": {},
}


@pytest.fixture(params=VIEWS.values(), ids=VIEWS)
def view(request):
    return request.param


@pytest.mark.parametrize(
    ("name", "scoring"), [*turns(VIEWS, [None, "neg_mean_absolute_error"]), ("log", None)]
)
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_intervals_are_at_least_as_good_as_a_grid(name, scoring):
    view = VIEWS[name]
    search = search_over(
        ridge(**view), {"regressor__alpha": ALPHA}, X, SKEWED, cv=CV, scoring=scoring
    )
    assert_served(search, "searched")
    assert search.converged_
    assert_true(search, X, SKEWED, cv=CV, scoring=scoring)
    grid = {"regressor__alpha": np.geomspace(*ALPHA, 20)}
    own = search_over(ridge(**view), grid, X, SKEWED, cv=CV, scoring=scoring)
    assert search.best_score_ >= own.best_score_ - 1e-3 * abs(own.best_score_)


def test_lists_have_grid_searchs_table(view):
    grid = {"regressor__alpha": [0.1, 10.0, 1000.0]}
    for rows in (X, sp.csr_array(X)):
        assert_grid_search_agrees(ridge(**view), grid, rows, SKEWED, cv=CV)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_transformers_and_functions_may_be_listed():
    grid = {
        "transformer": [StandardScaler(), PowerTransformer()], "regressor__alpha": ALPHA
    }  # fmt: skip
    search = search_over(ridge(), grid, X, SKEWED, cv=CV)
    assert roles(search) == {"transformer": "enumerated", "regressor__alpha": "searched"}
    seen = {type(params["transformer"]) for params in search.cv_results_["params"]}
    assert seen == {StandardScaler, PowerTransformer}
    assert_true(search, X, SKEWED, cv=CV)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Lasso(tol=1e-8, max_iter=100_000), [1e-3, 1e-2, 0.1]),
        (PoissonRegressor(tol=1e-10, max_iter=1000), [1e-3, 0.1, 10.0]),
        (KernelRidge(kernel="rbf", gamma=0.02), [1e-3, 0.1, 10.0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("scaled", [False, True], ids=["shared", "each fold's own"])
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_other_models(model, values, scaled):
    view = {"func": np.sqrt, "inverse_func": np.square}
    if scaled:
        view = {"transformer": QuantileTransformer(n_quantiles=40)}  # of numbers that are positive
    model = TransformedTargetRegressor(model, **view)
    assert_grid_search_agrees(model, {"regressor__alpha": values}, X, SKEWED, cv=CV)
    space = {"regressor__alpha": (values[0], values[-1])}
    search = search_over(model, space, X, SKEWED, cv=CV)
    assert_served(search, "searched")
    assert search.best_score_ >= max(
        cross_val_score(clone(model).set_params(regressor__alpha=v), X, SKEWED, cv=CV).mean()
        for v in values
    ) * (1 - 1e-3)  # fmt: skip


def select():
    return SelectKBest(f_regression, k=4)


@pytest.mark.parametrize("view", [LOG, VIEWS["power"]], ids=["log", "power"])
def test_pipelines_inside_and_outside(view):
    """Inside, transformers see the transformed target; outside, the user's."""
    inside = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), select(), Ridge(tol=1e-10)), **view
    )
    outside = make_pipeline(StandardScaler(), select(), ridge(**view))
    for model, name in (
        (inside, "regressor__ridge__alpha"),
        (outside, "transformedtargetregressor__regressor__alpha"),
    ):
        assert_grid_search_agrees(model, {name: [0.1, 10.0]}, X, SKEWED, cv=CV)
        search = search_over(model, {name: ALPHA}, X, SKEWED, cv=CV)
        assert_served(search, "searched")
        assert_true(search, X, SKEWED, cv=CV)


@pytest.mark.parametrize("inside", [False, True], ids=["a model", "a pipeline"])
def test_fold_models_are_those_of_own_fits(view, inside):
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(10)])
    model = ridge(**view)
    name = "regressor__alpha"
    if inside:
        model.regressor = make_pipeline(StandardScaler(), model.regressor)
        name = "regressor__ridge__alpha"
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    search_over(model, {name: [2.0]}, frame, SKEWED, scoring=scorer, cv=CV, refit=False)
    for scored, (train, _) in zip(seen, CV.split(X), strict=True):
        own = clone(model).set_params(**{name: 2.0}).fit(frame.iloc[train], SKEWED[train])
        assert set(vars(scored.estimator)) == set(vars(own))
        ours, theirs = scored.regressor_, own.regressor_
        if inside:
            np.testing.assert_array_equal(ours[0].mean_, theirs[0].mean_)
            ours, theirs = ours[-1], theirs[-1]
        assert set(vars(ours)) == set(vars(theirs))
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-10)
        np.testing.assert_array_equal(scored.n_features_in_, own.n_features_in_)
        np.testing.assert_allclose(scored.predict(frame), own.predict(frame), rtol=1e-7)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_weights_are_repeated_rows(form):
    count = RNG.integers(1, 4, 150)
    place = np.repeat(np.arange(150), count)
    folds = list(CV.split(X))
    many = [tuple(np.flatnonzero(np.isin(place, part)) for part in split) for split in folds]
    space = {"regressor__alpha": ALPHA}
    weight = {"sample_weight": count.astype(float)}
    weighted = search_over(ridge(**LOG), space, form(X), SKEWED, weight, cv=folds)
    repeated = search_over(ridge(**LOG), space, form(X[place]), SKEWED[place], cv=many)
    assert_served(weighted, "searched")
    np.testing.assert_allclose(fold_scores(weighted), fold_scores(repeated), rtol=1e-6)
    assert weighted.best_params_["regressor__alpha"] == pytest.approx(
        repeated.best_params_["regressor__alpha"], rel=1e-3
    )


METRICS = {
    "r2": lambda y, z: 1 - r2_score(y, z),
    "squared_error": mean_squared_error,
    "absolute_error": mean_absolute_error,
}


@pytest.mark.parametrize(
    ("view", "criterion", "alpha"),  # of views whose inverse is smooth
    [*turns(["log", "scaled", "power", "as it is"], METRICS, [1.0, 100.0]),
     *turns(["log"] * len(METRICS), METRICS, [100.0])],
)  # fmt: skip
def test_hypergradients_are_those_of_scikit_learns_own_models(view, criterion, alpha):
    model, folds = ridge(**VIEWS[view]), list(CV.split(X))
    space = read_grid(model, {"regressor__alpha": ALPHA})
    settings = Settings(criterion, 100, 1e-4, None, "cpu", "float64", 0)
    combination = space.combinations[0]
    maker = SolverFactory(settings, X, SKEWED, folds, {}, {}, None)
    joint = maker.make(combination.target, combination.params)
    chosen = task_criterion(criterion, joint.task, joint.data.weights, joint.used)
    problem = joint.problem(combination.axes, 1, torch.float64, chosen)
    x = torch.tensor([[np.log(alpha)]], dtype=torch.float64)
    y = solve_lower(problem, x, tol=1e-12).y
    found = problem.directions(x, y, exact_multiplier(problem, x, y), 0.0)

    def loss(log_alpha):
        own = clone(model).set_params(regressor__alpha=float(np.exp(log_alpha)))
        return np.mean(
            [
                METRICS[criterion](SKEWED[test], own.fit(X[train], SKEWED[train]).predict(X[test]))
                for train, test in folds
            ]
        )

    smooth = 1e-2 if criterion == "absolute_error" else 1e-5
    assert float(found.upper.sum()) * chosen.null == pytest.approx(loss(np.log(alpha)), rel=smooth)
    slope = derivative(np.vectorize(loss), np.log(alpha), initial_step=0.1, order=6, maxiter=3).df
    smooth = 5e-2 if criterion == "absolute_error" else 1e-3
    assert float(found.grad_x.sum()) * chosen.null == pytest.approx(slope, rel=smooth)


def reason(search):
    return next(row["reason"] for row in search.search_plan_ if row["reason"])


@pytest.mark.parametrize(
    ("model", "y", "why"),
    [
        (ridge(**LOG), SKEWED - SKEWED.mean(), "not finite"),
        (ridge(func=lambda t: t - t.mean(), inverse_func=lambda t: t), SKEWED, "mixes rows"),
        (ridge(), np.column_stack([SKEWED, SKEWED]), "not a vector"),
    ],
    ids=["not finite", "not row by row", "two outputs"],
)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's, of its own fits
def test_what_is_left_to_own_fits(model, y, why):
    model.check_inverse = False
    try:
        search = search_over(model, {"regressor__alpha": ALPHA}, X, y, cv=CV)
    except ValueError as error:
        assert "NaN" in str(error)  # scikit-learn's own
    else:
        assert why in reason(search)


@pytest.mark.parametrize(
    ("model", "name", "why"),
    [
        (TransformedTargetRegressor(), "check_inverse", "regressor=None fits a LinearRegression"),
        (TransformedTargetRegressor(LinearRegression()), "regressor__tol", "LinearRegression has"),
        (ridge(), "regressor__tol", "of Ridge as it is set only 'regressor__alpha' can be"),
        (
            make_pipeline(StandardScaler(), ridge().set_params(
                regressor=make_pipeline(StandardScaler(), Ridge())
            )),
            "transformedtargetregressor__regressor__ridge__alpha",
            "there are transformers before and inside of it",
        ),
    ],
)  # fmt: skip
def test_intervals_that_cannot_be_searched_are_refused_by_name(model, name, why):
    with pytest.raises(ValueError, match=f"Parameter '{name}' cannot be .*{why}.*Regressor around"):
        search_over(model, {name: Interval(0.1, 1.0)}, X, SKEWED, cv=CV)


def test_learned_weights_are_refused_by_name():
    with pytest.raises(ValueError, match="does not accept sample_weight"):
        search_over(ridge(), {"regressor__alpha": ALPHA}, X, SKEWED, sample_weights=SampleWeights())


def test_nothing_is_warned_of_values_that_no_model_predicts():
    # The inverse of a power transform has no value beyond a point that the search may try.
    rows, y = make_regression(60, 6, n_informative=4, noise=30, random_state=1)
    model, grid = ridge(transformer=PowerTransformer()), {"regressor__alpha": ALPHA}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        search_over(model, grid, rows, np.exp(y / 100), scoring="neg_mean_absolute_error")
    assert not [one for one in told if "inverse-transformed" in str(one.message)]


def test_a_rough_inverse_is_followed_for_a_while_only():
    """Through quantiles F has a kink between any two of them, and no slope that vanishes."""
    X, y = load_diabetes(return_X_y=True)
    transformer = QuantileTransformer(n_quantiles=50, output_distribution="normal")
    model = TransformedTargetRegressor(Ridge(), transformer=transformer)
    search = BAMMSearchCV(model, {"regressor__alpha": (1e-3, 1e5)}).fit(20 * X[:150], y[:150])
    assert search.n_iter_ <= 25
    grid = GridSearchCV(model, {"regressor__alpha": np.geomspace(1e-3, 1e5, 9)})
    assert search.best_score_ >= grid.fit(20 * X[:150], y[:150]).best_score_ - 1e-6
