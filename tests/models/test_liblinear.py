"""LogisticRegression by liblinear, which penalises the intercept."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.differentiate import derivative
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier

from skbamm.bilevel import solve_lower
from skbamm.models import find_twin
from tests.problems import (
    X_BINARY,
    X_MULTI,
    Y_BINARY,
    Y_MULTI,
    exact_multiplier,
    log_values,
    model_problem,
    own_solutions,
)
from tests.truth import (
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    fold_scores,
    roles,
    search_over,
)

X, Y = X_BINARY[::3, :8] + 0.7, Y_BINARY[::3]
CV = StratifiedKFold(3, shuffle=True, random_state=0)
C = (1e-3, 1e3)
SCALING = [0.3, 1.0, 20.0, None]


def liblinear(scaling=1.0, **params):
    own = {"fit_intercept": False} if scaling is None else {"intercept_scaling": scaling}
    return LogisticRegression(
        **{"solver": "liblinear", "tol": 1e-10, "max_iter": 100_000, **own, **params}
    )


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("scaling", SCALING)
def test_solutions_are_liblinears(scaling, form):
    rows = form(np.where(np.abs(X) > 0.4, X, 0.0))
    splits, values = list(CV.split(rows, Y)), [0.01, 1.0, 50.0]
    estimator = liblinear(scaling)
    problem = model_problem(estimator, rows, Y, splits, starts=3)
    result = solve_lower(problem, log_values(*values), tol=1e-11)
    assert bool(result.converged.all())
    for s, value in enumerate(values):
        slopes, intercepts = own_solutions(estimator.set_params(C=value), rows, Y, splits)
        got, close = result.y[s].numpy(), {"rtol": 1e-5, "atol": 1e-5 * np.abs(slopes).max()}
        if scaling is not None:
            np.testing.assert_allclose(got[..., -1], intercepts, **close)
            got = got[..., :-1]
        np.testing.assert_allclose(got, slopes, **close)


@pytest.mark.parametrize("scaling", SCALING)
def test_adopted_models_are_those_of_own_fits(scaling):
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator.estimator)
        return estimator.score(X, y)

    search_over(liblinear(scaling), {"C": [0.3]}, X, Y, scoring=scorer, cv=CV, refit=False)
    for ours, (train, _) in zip(seen, CV.split(X, Y), strict=True):
        own = liblinear(scaling, C=0.3).fit(X[train], Y[train])
        assert vars(ours).keys() == vars(own).keys()
        np.testing.assert_allclose(ours.coef_, own.coef_, rtol=1e-5)
        for name in ("coef_", "intercept_", "n_iter_", "classes_"):
            assert type(getattr(ours, name)) is type(getattr(own, name))
            assert np.asarray(getattr(ours, name)).dtype == np.asarray(getattr(own, name)).dtype


@pytest.mark.parametrize("value", [0.05, 5.0])
@pytest.mark.parametrize("scaling", SCALING)
def test_hypergradients_are_those_of_scikit_learns_own_models(value, scaling):
    splits, estimator = list(CV.split(X, Y)), liblinear(scaling)
    problem = model_problem(estimator, X, Y, splits, criterion="log_loss")
    x = log_values(value)
    y = solve_lower(problem, x, tol=1e-12).y
    found = problem.directions(x, y, exact_multiplier(problem, x, y), 0.0)

    def loss(log_value):
        own = clone(estimator).set_params(C=float(np.exp(log_value)))
        return np.mean(
            [
                log_loss(Y[test], own.fit(X[train], Y[train]).predict_proba(X[test]))
                for train, test in splits
            ]
        )

    assert float(found.upper.sum()) * problem.criterion.null == pytest.approx(
        loss(np.log(value)), rel=1e-6
    )
    slope = derivative(np.vectorize(loss), np.log(value), initial_step=0.2, order=6, maxiter=2).df
    assert float(found.grad_x.sum()) * problem.criterion.null == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}], ids=str)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_lists_have_grid_searchs_table(class_weight, form):
    rows, grid = form(np.where(np.abs(X) > 0.4, X, 0.0)), {"C": [0.01, 1.0, 50.0]}
    weight = {"sample_weight": np.linspace(0.2, 2, len(Y))}
    model = liblinear(3.0, class_weight=class_weight)
    assert_grid_search_agrees(model, grid, rows, Y, weight, cv=CV, scoring=LOSS)


@pytest.mark.parametrize("scaling", SCALING)
def test_intervals_are_at_least_as_good_as_a_grid(scaling):
    settings = {"cv": CV, "scoring": LOSS}
    search = search_over(liblinear(scaling), {"C": C}, X, Y, **settings)
    assert_served(search, "searched")
    assert search.converged_
    assert_true(search, X, Y, **settings)
    own = GridSearchCV(liblinear(scaling), {"C": np.geomspace(*C, 20)}, **settings).fit(X, Y)
    assert search.best_score_ >= own.best_score_ - 1e-3 * abs(own.best_score_)


def test_weights_are_repeated_rows():
    count = np.random.default_rng(0).integers(1, 4, len(Y))
    place, folds = np.repeat(np.arange(len(Y)), count), list(CV.split(X, Y))
    many = [tuple(np.flatnonzero(np.isin(place, part)) for part in split) for split in folds]
    settings, weight = {"scoring": LOSS}, {"sample_weight": count.astype(float)}
    weighted = search_over(liblinear(), {"C": C}, X, Y, weight, cv=folds, **settings)
    repeated = search_over(liblinear(), {"C": C}, X[place], Y[place], cv=many, **settings)
    assert weighted.best_params_["C"] == pytest.approx(repeated.best_params_["C"], rel=1e-3)
    np.testing.assert_allclose(fold_scores(weighted), fold_scores(repeated), rtol=1e-6)


def test_one_class_against_the_rest():
    model = OneVsRestClassifier(liblinear(2.0))
    grid = {"estimator__C": [0.1, 10.0]}
    assert_grid_search_agrees(model, grid, X_MULTI, Y_MULTI, cv=CV, scoring=LOSS)


def test_three_classes_get_scikit_learns_error():
    with pytest.raises(ValueError, match="does not support multiclass"):
        search_over(liblinear(), {"C": C}, X_MULTI, Y_MULTI, cv=CV)


def test_the_refit_is_liblinears_own():
    search = search_over(liblinear(), {"C": C}, X, Y, cv=CV, scoring=LOSS)
    own = clone(search.best_estimator_).fit(X, Y)
    np.testing.assert_array_equal(search.best_estimator_.coef_, own.coef_)
    assert roles(search) == {"C": "searched"}
    assert not find_twin(liblinear())[0].warm_starts
    assert find_twin(LogisticRegression())[0].warm_starts
