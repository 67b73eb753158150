"""Nystroem and RBFSampler: gamma and the penalty of the model behind them, together."""

from collections import Counter

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.differentiate import derivative
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LassoLars, LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import EdgeWarning, Interval, one_standard_error
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.solvers.criterion import task_criterion
from skbamm.space import read_grid
from tests.truth import LOSS, assert_served, assert_true, fold_scores, roles, search_over

MSE = "neg_mean_squared_error"
X, Y = make_friedman1(150, 6, noise=1.0, random_state=0)
LABELS = (Y + np.random.default_rng(0).normal(size=150) * 2 > Y.mean()).astype(int)
THREE = np.digitize(Y, np.quantile(Y, [0.3, 0.7]))
CV = KFold(3, shuffle=True, random_state=0)
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
GAMMA, ALPHA, C = (1e-3, 1e1), (1e-3, 1e2), (1e-2, 1e3)


def nystroem(**params):
    return Nystroem(**{"random_state": 0, "n_components": 30, **params})


def sampler(**params):
    return RBFSampler(**{"random_state": 0, "n_components": 40, **params})


def logistic():
    return LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=500)


CASES = {
    "nystroem, ridge": (nystroem(), Ridge(tol=1e-10), {"ridge__alpha": ALPHA}, Y, MSE),
    "laplacian, one penalty": (nystroem(kernel="laplacian"), Ridge(tol=1e-10), {}, Y, MSE),
    "nystroem, logistic": (nystroem(), logistic(), {"logisticregression__C": C}, LABELS, LOSS),
    "sampler, three classes": (
        sampler(n_components=20), logistic(), {"logisticregression__C": C}, THREE, LOSS,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_both_are_at_least_as_good_as_a_grid(case):
    feature_map, model, space, y, scoring = case
    settings = {"cv": CV if y is Y else FOLDS, "scoring": scoring}
    pipeline = make_pipeline(StandardScaler(), feature_map, model)
    space = {f"{pipeline.steps[1][0]}__gamma": GAMMA, **space}
    search = search_over(pipeline, space, X, y, **settings)
    assert set(roles(search).values()) == {"searched"}
    assert_served(search, "searched")
    assert search.converged_
    assert_true(search, X, y, **settings, atol=1e-6 * max(1, abs(search.best_score_)))
    grid = {name: np.geomspace(*interval, 5) for name, interval in space.items()}
    own = GridSearchCV(pipeline, grid, **settings).fit(X, y)
    assert search.best_score_ >= own.best_score_ - 1e-3 * abs(own.best_score_)
    assert list(search.history_) == ["seconds", "criterion", "kkt_residual", *space]


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_absolute_values_and_transformed_targets():
    lasso = make_pipeline(StandardScaler(), nystroem(), Lasso(tol=1e-6, max_iter=100_000))
    search = search_over(
        lasso, {"nystroem__gamma": GAMMA, "lasso__alpha": (1e-3, 1e0)}, X, Y, cv=CV
    )
    assert_served(search, "searched")
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), nystroem(), Ridge(tol=1e-10)), transformer=StandardScaler()
    )
    space = {"regressor__nystroem__gamma": GAMMA, "regressor__ridge__alpha": ALPHA}
    search = search_over(model, space, X, Y, cv=CV)
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV)
    outside = make_pipeline(StandardScaler(), nystroem(), TransformedTargetRegressor(
        Ridge(tol=1e-10), transformer=StandardScaler()
    ))  # fmt: skip
    space = {
        "nystroem__gamma": GAMMA, "transformedtargetregressor__regressor__alpha": ALPHA
    }  # fmt: skip
    again = search_over(outside, space, X, Y, cv=CV)
    assert again.best_score_ == pytest.approx(search.best_score_, rel=1e-6)


class CountingScaler(StandardScaler):
    """Counts its fits by the number of rows it saw."""

    fits = Counter()

    def fit(self, X, y=None, sample_weight=None):
        CountingScaler.fits[len(X)] += 1
        return super().fit(X, y, sample_weight)


def test_what_comes_before_the_map_is_fitted_once_a_fold():
    model = make_pipeline(CountingScaler(), nystroem(), Ridge())
    CountingScaler.fits = Counter()
    search_over(model, {"nystroem__gamma": GAMMA, "ridge__alpha": ALPHA}, X, Y, cv=CV)
    assert CountingScaler.fits == {100: 3, 150: 1}


def test_fold_models_are_those_of_the_pipeline():
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    model = make_pipeline(StandardScaler(), nystroem(), Ridge(tol=1e-10))
    space = {"nystroem__gamma": GAMMA, "ridge__alpha": ALPHA}
    search = search_over(model, space, X, Y, scoring=scorer, cv=CV, refit=False)
    for params, scored in zip(np.repeat(search.cv_results_["params"], 3), seen, strict=True):
        train = next(
            train for train, _ in CV.split(X)
            if np.allclose(X[train].mean(0), scored[0].mean_)
        )  # fmt: skip
        own = clone(model).set_params(**params).fit(X[train], Y[train])
        for ours, theirs in zip(scored.estimator, own, strict=True):
            assert set(vars(ours)) == set(vars(theirs))
        np.testing.assert_array_equal(scored[1].component_indices_, own[1].component_indices_)
        close = {"rtol": 1e-5, "atol": 1e-5 * np.abs(own[2].coef_).max()}
        np.testing.assert_allclose(scored[2].coef_, own[2].coef_, **close)


def test_sparse_rows_are_as_good():
    rows = np.where(np.abs(X - 0.5) > 0.2, X, 0.0)
    space = {"nystroem__gamma": GAMMA, "ridge__alpha": ALPHA}
    model = make_pipeline(nystroem(), Ridge(tol=1e-10))
    dense, sparse = (
        search_over(model, space, form(rows), Y, cv=CV) for form in (np.asarray, sp.csr_array)
    )
    assert_served(sparse, "searched")
    for name, value in dense.best_params_.items():
        assert sparse.best_params_[name] == pytest.approx(value, rel=1e-3)
    np.testing.assert_allclose(fold_scores(sparse), fold_scores(dense), rtol=1e-6)


def test_weights_are_repeated_rows():
    count = np.random.default_rng(0).integers(1, 4, 150)
    place, folds = np.repeat(np.arange(150), count), list(CV.split(X))
    many = [tuple(np.flatnonzero(np.isin(place, part)) for part in split) for split in folds]
    space = {"rbfsampler__gamma": GAMMA, "ridge__alpha": ALPHA}
    model = make_pipeline(sampler(), Ridge(tol=1e-10))
    weight = count.astype(float)
    with config_context(enable_metadata_routing=True):
        model[-1].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        weighted = search_over(model, space, X, Y, {"sample_weight": weight}, cv=folds)
    repeated = search_over(model, space, X[place], Y[place], cv=many)
    assert_served(weighted, "searched")
    for name, value in repeated.best_params_.items():
        assert weighted.best_params_[name] == pytest.approx(value, rel=1e-3)
    np.testing.assert_allclose(fold_scores(weighted), fold_scores(repeated), rtol=1e-5)


@pytest.mark.parametrize("kind", ["nystroem", "sampler"])
@pytest.mark.parametrize("gamma", [0.02, 0.3])
@pytest.mark.parametrize("labels", [False, True], ids=["ridge", "logistic"])
def test_hypergradients_are_those_of_scikit_learns_own_models(kind, gamma, labels):
    feature_map = nystroem() if kind == "nystroem" else sampler()
    last = logistic() if labels else Ridge(alpha=0.3, tol=1e-10)
    y, folds = LABELS if labels else Y, list(CV.split(X))
    model = make_pipeline(StandardScaler(), feature_map, last)
    name, criterion = f"{model.steps[1][0]}__gamma", "log_loss" if labels else "squared_error"
    combination = read_grid(model, {name: GAMMA}).combinations[0]
    settings = Settings(criterion, 100, 1e-4, None, "cpu", "float64", 0)
    maker = SolverFactory(settings, X, y, folds, {}, {}, None)
    solver = maker.make_line(
        combination.target, combination.params, combination.line_axis, bool(combination.axes)
    )
    place = float(np.log(gamma))
    joint = solver.at(place)
    chosen = task_criterion(criterion, joint.task, joint.data.weights, joint.used)

    def loss(log_gamma):
        own = clone(model).set_params(**{name: float(np.exp(log_gamma))})
        losses = []
        for train, test in folds:
            own.fit(X[train], y[train])
            if labels:
                losses.append(log_loss(y[test], own.predict_proba(X[test])))
            else:
                losses.append(mean_squared_error(y[test], own.predict(X[test])))
        return np.mean(losses)

    slope = derivative(np.vectorize(loss), place, initial_step=0.1, order=6, maxiter=3).df
    assert solver.slope(place, (), [], chosen) * chosen.null == pytest.approx(slope, rel=1e-3)


def test_lists_of_gamma_beside_an_interval():
    model = make_pipeline(StandardScaler(), nystroem(), Ridge(tol=1e-10))
    grid = {"nystroem__gamma": [0.01, 0.1], "ridge__alpha": ALPHA}
    search = search_over(model, grid, X, Y, cv=CV)
    assert roles(search) == {"nystroem__gamma": "enumerated", "ridge__alpha": "searched"}
    grid = {
        "nystroem__gamma": GAMMA,
        "nystroem__n_components": [10, 30],
        "ridge__alpha": [0.1, 1.0],
    }
    search = search_over(model, grid, X, Y, cv=CV)
    assert len(search.cv_results_["params"]) == 4
    assert roles(search)["nystroem__gamma"] == "searched"
    assert_true(search, X, Y, cv=CV)


def test_one_standard_error_has_a_profile_of_both():
    model = make_pipeline(StandardScaler(), nystroem(), Ridge(tol=1e-10))
    space = {"nystroem__gamma": GAMMA, "ridge__alpha": ALPHA}
    search = search_over(model, space, X, Y, cv=CV, refit=one_standard_error)
    assert set(search.best_params_range_) == set(space)
    assert_true(search, X, Y, cv=CV)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_end_of_time_keeps_the_best_so_far():
    model = make_pipeline(nystroem(), Ridge())
    space = {"nystroem__gamma": GAMMA, "ridge__alpha": ALPHA}
    search = search_over(model, space, X, Y, cv=CV, max_time=1e-9)
    assert np.isfinite(search.best_score_) and not search.converged_


def test_the_best_gamma_at_an_end_is_told_of():
    model = make_pipeline(StandardScaler(), nystroem(), Ridge())
    with pytest.warns(EdgeWarning, match="best nystroem__gamma=1 is the lower end"):
        search_over(model, {"nystroem__gamma": (1.0, 10.0)}, X, Y, cv=CV)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (make_pipeline(Nystroem(), Ridge()), "Nystroem: random_state must be an integer"),
        (make_pipeline(nystroem(kernel="sigmoid"), Ridge()), "kernel='sigmoid' is not"),
        (make_pipeline(nystroem(), LassoLars(positive=True)), "positive=True"),
        (make_pipeline(nystroem(), KernelRidge()), "behind the feature map is not linear"),
        (make_pipeline(nystroem(), StandardScaler(), Ridge()), "only 'ridge__alpha' can be"),
    ],
    ids=str,
)
def test_what_is_refused(model, why):
    with pytest.raises(ValueError, match=f"'nystroem__gamma' cannot be .*{why}"):
        search_over(model, {"nystroem__gamma": Interval(*GAMMA)}, X, Y, cv=CV)
