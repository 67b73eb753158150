"""KernelRidge: alpha and gamma together, lists, and where scikit-learn's own fits serve."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import EdgeWarning, Interval, SampleWeights
from skbamm.search.bank import adopt
from skbamm.search.solving import Solving
from skbamm.solvers import kernel as kernel_solver
from tests.truth import assert_served, assert_true, fold_scores, roles, search_over

MSE = "neg_mean_squared_error"
ALPHA, GAMMA = (1e-3, 1e1), (1e-4, 1e0)
CV = KFold(3)


def resize(monkeypatch, **sizes):
    """Set bounds of the kernel solver."""
    monkeypatch.setattr(kernel_solver, "SIZES", replace(kernel_solver.SIZES, **sizes))


def rbf(**params):
    return KernelRidge(**{"kernel": "rbf", **params})


def grid_of(*intervals, size=10):
    names = ("alpha", "gamma")
    return {n: np.geomspace(*i, size) for n, i in zip(names, intervals, strict=False)}


@pytest.fixture
def fits(monkeypatch):
    """Count KernelRidge's own fits."""
    counts = []
    own = KernelRidge.fit

    def fit(self, *args, **kwargs):
        counts.append(1)
        return own(self, *args, **kwargs)

    monkeypatch.setattr(KernelRidge, "fit", fit)
    return counts


def at_least_the_grid(search, estimator, grid, X, y, fit_params=None, **settings):
    own = GridSearchCV(estimator, grid, **settings).fit(X, y, **(fit_params or {}))
    assert search.best_score_ >= own.best_score_ - 1e-3 * abs(own.best_score_)
    return own


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "poly"])
def test_both_are_at_least_as_good_as_a_grid(kernel, regression, fits):
    X, y = regression
    settings = {"cv": CV, "scoring": MSE}
    model = rbf(kernel=kernel, degree=2)
    search = search_over(model, {"alpha": ALPHA, "gamma": GAMMA}, X, y, **settings)
    assert len(fits) == 1  # the refit
    assert_served(search, "searched")
    assert search.converged_
    at_least_the_grid(search, model, grid_of(ALPHA, GAMMA), X, y, **settings)
    assert_true(search, X, y, cv=CV, scoring=MSE, atol=1e-6 * abs(search.best_score_))
    assert list(search.history_) == ["seconds", "criterion", "kkt_residual", "alpha", "gamma"]
    seconds = search.history_["seconds"]
    assert (np.diff(seconds) >= 0).all()


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("scoring", [None, MSE, "neg_mean_absolute_error"])
def test_alpha_alone(scoring, kernel, regression):
    """Gamma keeps its default, one over the number of features."""
    X, y = regression
    y = y - y.mean()
    model = rbf(kernel=kernel)
    search = search_over(model, {"alpha": (1e-3, 1e3)}, X, y, cv=CV, scoring=scoring)
    at_least_the_grid(search, model, grid_of((1e-3, 1e3)), X, y, cv=CV, scoring=scoring)
    assert_served(search, "searched")


def test_gamma_alone(regression):
    X, y = regression
    grid = {"gamma": np.geomspace(*GAMMA, 10)}
    search = search_over(rbf(alpha=0.1), {"gamma": GAMMA}, X, y, cv=CV, scoring=MSE)
    at_least_the_grid(search, rbf(alpha=0.1), grid, X, y, cv=CV, scoring=MSE)
    assert search.best_estimator_.alpha == 0.1
    assert_served(search, "searched")


def test_some_rows_first(monkeypatch, regression):
    """Of more rows than a few, the search begins where that of a few ended."""
    resize(monkeypatch, few=60)
    X, y = regression
    settings = {"cv": CV, "scoring": MSE}
    search = search_over(rbf(), {"alpha": ALPHA, "gamma": GAMMA}, X, y, **settings)
    at_least_the_grid(search, rbf(), grid_of(ALPHA, GAMMA), X, y, **settings)
    assert search.converged_
    alone = search_over(rbf(), {"alpha": ALPHA}, X, y, **settings)
    at_least_the_grid(alone, rbf(), grid_of(ALPHA), X, y, **settings)
    with pytest.warns(ConvergenceWarning, match="stopped early"):
        ended = search_over(rbf(), {"alpha": ALPHA}, X, y, max_time=1e-9, **settings)
    assert np.isfinite(ended.best_score_)


@pytest.mark.parametrize(
    "grid",
    [
        grid_of(ALPHA, GAMMA, size=4),
        {"alpha": [0.1, 1.0]},
        {"gamma": [None, 0.01, 0.1]},
        {"alpha": [0.0, 0.1], "gamma": [0.5]},
        [{"alpha": [0.1]}, {"kernel": ["linear", "sigmoid", "poly"], "gamma": [0.02, 0.03]}],
    ],
    ids=["both", "alpha", "gamma with None", "alpha of zero", "kernels"],
)
def test_lists_are_the_grids_table(grid, regression):
    X, y = regression
    ours = search_over(rbf(), grid, X, y, cv=CV, scoring=MSE)
    own = GridSearchCV(rbf(), grid, cv=CV, scoring=MSE).fit(X, y)
    assert ours.cv_results_["params"] == own.cv_results_["params"]
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"], rtol=1e-7
    )
    assert ours.best_params_ == own.best_params_


def test_lists_are_solved_jointly(regression, fits):
    search = search_over(rbf(), grid_of(ALPHA, GAMMA, size=3), *regression, cv=CV)
    assert len(fits) == 1 and set(roles(search).values()) == {"joint grid"}


def test_kernels_beside_intervals(regression):
    X, y = regression
    space = {"kernel": ["rbf", "laplacian"], "alpha": ALPHA, "gamma": GAMMA}
    search = search_over(rbf(), space, X, y, cv=CV, scoring=MSE)
    assert len(search.cv_results_["params"]) == 2
    assert roles(search) == {"kernel": "enumerated", "alpha": "searched", "gamma": "searched"}
    for kernel in space["kernel"]:
        alone = search_over(
            rbf(kernel=kernel), {"alpha": ALPHA, "gamma": GAMMA}, X, y, cv=CV, scoring=MSE
        )
        rows = [p["kernel"] == kernel for p in search.cv_results_["params"]]
        best = search.cv_results_["mean_test_score"][rows].max()
        assert best == pytest.approx(alone.best_score_, rel=1e-9)


@pytest.mark.parametrize("two", [False, True], ids=["one output", "two outputs"])
@pytest.mark.parametrize(
    "cv", [CV, ShuffleSplit(3, test_size=0.3, random_state=0), TimeSeriesSplit(3)], ids=str
)
def test_weights_and_outputs(two, cv, regression, weight):
    X, y = regression
    y = np.column_stack([y, 100 * X[:, 0] ** 2]) if two else y
    settings = {"cv": cv, "scoring": MSE}
    params = {"sample_weight": weight[: len(y)]}
    search = search_over(rbf(), {"alpha": ALPHA, "gamma": GAMMA}, X, y, params, **settings)
    assert_served(search, "searched")
    best = {name: [value] for name, value in search.best_params_.items()}
    own = GridSearchCV(rbf(), best, **settings).fit(X, y, **params)
    scores = [own.cv_results_[f"split{k}_test_score"][0] for k in range(3)]
    np.testing.assert_allclose(fold_scores(search), scores, rtol=1e-6)
    at_least_the_grid(search, rbf(), grid_of(ALPHA, GAMMA, size=5), X, y, params, **settings)


@pytest.mark.parametrize("as_X", [sp.csr_array, pd.DataFrame, np.asarray], ids=str)
@pytest.mark.parametrize("pipeline", [False, True], ids=["alone", "in a pipeline"])
def test_forms_of_x(as_X, pipeline, regression):
    X, y = regression
    X = as_X(X if as_X is not pd.DataFrame else {f"f{j}": X[:, j] for j in range(X.shape[1])})
    model, prefix = rbf(), ""
    if pipeline:
        model, prefix = make_pipeline(StandardScaler(with_mean=False), rbf()), "kernelridge__"
    space = {prefix + "alpha": ALPHA, prefix + "gamma": GAMMA}
    search = search_over(model, space, X, y, cv=CV, scoring=MSE)
    assert_served(search, "searched")
    assert_true(search, X, y, cv=CV, scoring=MSE, atol=1e-6 * abs(search.best_score_))


def fold_models(monkeypatch, estimator, grid, X, y, **settings):
    """Return the solver and each used fold's adopted model of one value."""
    found = {}
    keep = Solving.keep

    def look(self, joint, solutions, keys, combinations):
        features = kernel_features(X)
        for k in range(len(joint.used)):
            params = combinations[0].target.estimator.get_params()
            model = clone(estimator).set_params(**params)
            adopt(model, joint.solution(solutions, 0, k, features))
            found[joint.used[k]] = model
        keep(self, joint, solutions, keys, combinations)

    monkeypatch.setattr(Solving, "keep", look)
    search_over(estimator, grid, X, y, **settings)
    return found


def kernel_features(X):
    """What a fit remembers of the features of X."""
    own = vars(rbf().fit(X, np.arange(len(X))))
    return {name: own[name] for name in ("n_features_in_", "feature_names_in_") if name in own}


def test_adopted_models_are_those_of_own_fits(monkeypatch, regression):
    X = pd.DataFrame({f"f{j}": column for j, column in enumerate(regression[0].T)})
    y = regression[1]
    rng = np.random.default_rng(0)
    cv = [(rng.integers(0, len(y), len(y)), np.arange(20)) for _ in range(3)]  # with repeats
    model = rbf(alpha=0.2, gamma=0.03)
    found = fold_models(monkeypatch, model, {"alpha": [0.2]}, X, y, cv=cv)
    assert len(found) == 3
    for k, (train, _) in enumerate(cv):
        own, ours = clone(model).fit(X.iloc[train], y[train]), found[k]
        assert vars(ours).keys() == vars(own).keys()
        np.testing.assert_array_equal(ours.feature_names_in_, own.feature_names_in_)
        np.testing.assert_array_equal(ours.X_fit_, own.X_fit_)
        assert ours.n_features_in_ == own.n_features_in_
        assert ours.dual_coef_.shape == own.dual_coef_.shape
        np.testing.assert_allclose(ours.predict(X), own.predict(X), rtol=1e-8)


@pytest.mark.parametrize(
    ("grid", "model", "message"),
    [
        ({"gamma": GAMMA}, KernelRidge(), r"'gamma' cannot .* only 'alpha' can be \(kernel='rbf'"),
        (
            {"alpha": Interval(*ALPHA)},
            rbf(kernel=laplacian_kernel),
            "'alpha' cannot .*kernel=a function is not one",
        ),
        ({"coef0": (0.0, 1.0)}, rbf(), "'coef0' cannot be searched .*'alpha', 'gamma' can"),
        ({"alpha": Interval(0, 1)}, rbf(), "'alpha' must begin at above 0, got low=0"),
        ({"gamma": (-1.0, 1.0)}, rbf(), "'gamma' must begin at above 0, got low=-1.0"),
        ({"degree": Interval(1, 3)}, rbf(), "'degree' cannot be searched .*'alpha', 'gamma' can"),
        ({"kernel": ["rbf", "linear"], "gamma": GAMMA}, rbf(), "'gamma' cannot be searched"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_refused(grid, model, message, regression):
    with pytest.raises(ValueError, match=message):
        search_over(model, grid, *regression, cv=CV)


def plan_reason(search):
    return next(row["reason"] for row in search.search_plan_ if row["role"] == "searched")


def test_too_many_rows_are_left_to_own_fits(monkeypatch, regression, fits):
    resize(monkeypatch, most_rows=100)
    with pytest.warns(ConvergenceWarning, match="not searched jointly"):
        search = search_over(rbf(), {"alpha": ALPHA}, *regression, cv=CV)
    assert "more than 100 rows" in plan_reason(search) and len(fits) > 3


def test_too_many_folds_are_left_to_own_fits(monkeypatch, regression):
    monkeypatch.setattr(
        kernel_solver, "SIZES", replace(kernel_solver.SIZES, most_entries=3 * 100**2)
    )
    with pytest.warns(ConvergenceWarning, match="not searched jointly"):
        search = search_over(rbf(), {"alpha": ALPHA}, *regression, cv=CV)
    assert "so many folds" in plan_reason(search)


def test_fewer_starts_where_memory_is_short(monkeypatch, regression):
    n = 2 * len(regression[1]) / 3
    monkeypatch.setattr(
        kernel_solver, "SIZES", replace(kernel_solver.SIZES, most_entries=int(2.5 * 3 * n**2))
    )
    search = search_over(rbf(), {"alpha": ALPHA}, *regression, cv=CV)
    assert_served(search, "searched")
    assert search.converged_


def test_penalties_of_each_output_are_left_to_own_fits(regression):
    X, y = regression
    y = np.column_stack([y, X[:, 0]])
    with pytest.warns(ConvergenceWarning, match="not searched jointly"):
        search = search_over(rbf(alpha=[0.1, 1.0]), {"gamma": GAMMA}, X, y, cv=CV)
    assert "alpha=[0.1, 1.0] is not a number" in plan_reason(search)


def test_single_precision_is_scored_by_own_fits(regression, fits):
    """Their kernels are rounded, and differ."""
    X, y = regression
    X = X.astype(np.float32)
    search = search_over(rbf(), {"alpha": ALPHA, "gamma": GAMMA}, X, y, cv=CV, scoring=MSE)
    assert len(fits) == 3 * len(search.cv_results_["params"]) + 1
    assert_served(search, "searched")
    assert_true(search, X, y, cv=CV, scoring=MSE, atol=1e-6 * abs(search.best_score_))
    fits.clear()
    search_over(rbf(), {"alpha": [0.1, 1.0]}, X, y, cv=CV)
    assert len(fits) == 3 * 2 + 1


def test_weights_learned_by_a_linear_model(regression):
    X, y = regression
    weights = SampleWeights(proxy=Ridge())
    search = search_over(
        rbf(), {"alpha": ALPHA, "gamma": GAMMA}, X, y, cv=CV, scoring=MSE, sample_weights=weights
    )
    assert_served(search, "searched")
    score = search.cv_results_["mean_test_score"][search.best_index_]
    assert search.best_score_ == score and np.isfinite(score)


# Kernels that are given, and others without gamma

GIVEN = KernelRidge(kernel="precomputed")


class ToKernel(BaseEstimator, TransformerMixin):
    """The kernel of rows to those that it was fitted on."""

    def fit(self, X, y=None):
        self.rows_ = X
        return self

    def transform(self, X):
        return laplacian_kernel(X, self.rows_)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_cosine_kernels(form, regression, fits):
    X, y = regression
    X, settings = form(X), {"cv": CV, "scoring": MSE}
    model = KernelRidge(kernel="cosine")
    listed = search_over(model, {"alpha": [0.01, 1.0]}, X, y, **settings)
    search = search_over(model, {"alpha": ALPHA}, X, y, **settings)
    assert len(fits) == 2
    assert_served(listed, "joint grid")
    assert_served(search, "searched")
    for one in (listed, search):
        assert_true(one, X, y, atol=1e-6 * abs(one.best_score_), **settings)
    at_least_the_grid(search, model, {"alpha": np.geomspace(*ALPHA, 9)}, X, y, **settings)


BOOTSTRAP = [(np.arange(99) * 7 % 60, np.arange(60, 99)), (np.arange(20, 90), np.arange(25))]


@pytest.mark.parametrize("cv", [CV, BOOTSTRAP], ids=["folds", "repeats"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights"])
def test_kernels_that_are_given_are_those_of_the_rows(cv, weighted, regression, fits):
    X, y = regression
    X, y = X[:99], np.column_stack([y, X[:, 0]])[:99]
    params = {"sample_weight": np.arange(99) % 3 + 0.5} if weighted else {}
    settings = {"cv": cv, "scoring": MSE}
    for values in ([0.01, 1.0], ALPHA):
        plain = search_over(rbf(gamma=0.1), {"alpha": values}, X, y, params, **settings)
        given = rbf_kernel(X, gamma=0.1)
        kept = given.copy()
        search = search_over(GIVEN, {"alpha": values}, given, y, params, **settings)
        np.testing.assert_array_equal(given, kept)
        assert_served(search, "searched" if values is ALPHA else "joint grid")
        assert search.best_params_["alpha"] == pytest.approx(plain.best_params_["alpha"], rel=1e-6)
        np.testing.assert_allclose(fold_scores(search), fold_scores(plain), rtol=1e-7)
        np.testing.assert_allclose(search.predict(given), plain.predict(X), rtol=1e-6, atol=1e-6)
    assert len(fits) == 4


def test_fold_models_of_a_given_kernel_are_those_of_own_fits(regression):
    X, y = regression
    K, seen = rbf_kernel(X), []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    search_over(GIVEN, {"alpha": [0.1]}, K, y, scoring=scorer, cv=CV, refit=False)
    for scored, (train, test) in zip(seen, CV.split(K), strict=True):
        own = clone(GIVEN).set_params(alpha=0.1).fit(K[np.ix_(train, train)], y[train])
        assert set(vars(scored.estimator)) == set(vars(own))
        assert scored.n_features_in_ == own.n_features_in_
        np.testing.assert_array_equal(scored.X_fit_, own.X_fit_)
        np.testing.assert_allclose(scored.dual_coef_, own.dual_coef_, rtol=1e-8)
        rows = K[np.ix_(test, train)]
        np.testing.assert_allclose(scored.predict(rows), own.predict(rows), rtol=1e-8)


def test_a_given_kernel_may_be_one_of_a_list(regression):
    X, y = regression
    K, grid = rbf_kernel(X), {"kernel": ["precomputed"], "alpha": [0.1, 1.0]}
    ours = search_over(KernelRidge(), grid, K, y, cv=CV)
    theirs = GridSearchCV(KernelRidge(), grid, cv=CV).fit(K, y)
    assert_served(ours, "joint grid")
    scores = (one.cv_results_["mean_test_score"] for one in (ours, theirs))
    np.testing.assert_allclose(*scores, rtol=1e-9)


def test_a_kernel_that_a_transformer_makes(regression):
    X, y = regression
    model, settings = make_pipeline(ToKernel(), GIVEN), {"cv": CV, "scoring": MSE}
    search = search_over(model, {"kernelridge__alpha": ALPHA}, X, y, **settings)
    assert_served(search, "searched")
    assert_true(search, X, y, atol=1e-6 * abs(search.best_score_), **settings)
    plain = search_over(rbf(kernel="laplacian"), {"alpha": ALPHA}, X, y, **settings)
    assert search.best_params_["kernelridge__alpha"] == pytest.approx(
        plain.best_params_["alpha"], rel=1e-6
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda K: K - 0.5, "not positive semi-definite"),
        (lambda K: K + np.triu(K), "not symmetric"),
        (sp.csr_array, "not a dense square matrix"),
        (lambda K: K[:, :-1], "not a dense square matrix"),
    ],
    ids=["indefinite", "asymmetric", "sparse", "not square"],
)
@pytest.mark.filterwarnings("ignore:Singular matrix")
def test_what_is_no_kernel_is_left_to_own_fits(change, why, regression):
    X, y = regression
    K, grid = change(rbf_kernel(X, gamma=0.1)), {"alpha": [0.1, 1.0]}
    settings = {"cv": CV, "error_score": "raise"}
    try:
        expected = GridSearchCV(GIVEN, grid, **settings).fit(K, y)
    except (AttributeError, ValueError) as error:
        with pytest.raises(type(error), match=re.escape(str(error)[:40])):
            search_over(GIVEN, grid, K, y, **settings)
        return
    search = search_over(GIVEN, grid, K, y, **settings)
    assert why in search.search_plan_[0]["reason"]
    scores = (one.cv_results_["mean_test_score"] for one in (search, expected))
    np.testing.assert_array_equal(*scores)


def test_a_given_kernel_behind_a_transformed_target_fails_as_its_own_fit_does(regression):
    X, y = regression
    model, K = TransformedTargetRegressor(GIVEN), rbf_kernel(X)
    with pytest.raises(ValueError):
        cross_val_score(model, K, y, cv=CV, error_score="raise")
    with pytest.raises(ValueError):
        search_over(model, {"regressor__alpha": [1.0]}, K, y, cv=CV, error_score="raise")


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("names", [("gamma",), ("alpha", "gamma")])
def test_of_several_minima_none_of_a_coarse_grid_is_better(names, seed):
    """Columns of two scales: gamma of either is a minimum, and the lower one is near an end."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 40)) * np.r_[np.full(5, 30), np.full(35, 0.1)]
    y = X @ np.r_[np.full(5, 0.05), np.full(35, 5.0)] + 3 * rng.normal(size=30)
    ends = dict.fromkeys(names, (1e-5, 1e2))
    settings = {"cv": KFold(3, shuffle=True, random_state=seed), "scoring": MSE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EdgeWarning)
        search = search_over(rbf(alpha=0.01), ends, X, y, **settings)
    grid = {name: np.geomspace(*e, 9 if len(names) == 1 else 5) for name, e in ends.items()}
    own = GridSearchCV(rbf(alpha=0.01), grid, **settings).fit(X, y)
    assert set(roles(search).values()) == {"searched"}
    assert search.best_score_ >= own.best_score_ - 1e-4 * abs(own.best_score_)
