"""The refit is the estimator's own fit, begun near its end, or what the folds tell of its end."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import KFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbamm import BAMMSearchCV
from skbamm.solvers import pooled_fit
from skbamm.solvers.linear import LinearSolver
from tests.truth import LOSS, assert_true, fold_scores, logistic, ridge, search_over

CV = KFold(4, shuffle=True, random_state=0)
SETTINGS = {"cv": CV, "scoring": LOSS}


@pytest.mark.parametrize("warm_start", [True, False])
@pytest.mark.parametrize("data", ["binary", "three"])
def test_it_ends_where_a_cold_fit_ends(data, warm_start, values, request):
    X, y = request.getfixturevalue(data)
    model = logistic(warm_start=warm_start)
    search = search_over(model, {"C": values}, X, y, **SETTINGS)
    cold = clone(search.best_estimator_).fit(X, y)
    warm = search.best_estimator_
    np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(warm.intercept_, cold.intercept_, rtol=1e-5, atol=1e-5)
    assert warm.warm_start is warm_start
    assert model.warm_start is warm_start
    assert not hasattr(model, "coef_")


def test_it_begins_near_the_end(values, binary):
    search = search_over(LogisticRegression(), {"C": values}, *binary, **SETTINGS)
    cold = clone(search.best_estimator_).fit(*binary)
    assert search.best_estimator_.n_iter_[0] <= 1 < cold.n_iter_[0]


def test_of_a_pipeline(values, three):
    model = make_pipeline(StandardScaler(), logistic())
    grid = {"logisticregression__C": values}
    search = search_over(model, grid, *three, **SETTINGS)
    cold = clone(search.best_estimator_).fit(*three)
    np.testing.assert_allclose(search.best_estimator_[-1].coef_, cold[-1].coef_, atol=1e-5)
    assert search.best_estimator_[-1].warm_start is False
    assert not hasattr(model[0], "scale_")
    np.testing.assert_array_equal(search.best_estimator_[0].scale_, cold[0].scale_)


def test_with_weights(values, binary, weight):
    X, y = binary
    fit_params = {"sample_weight": weight[: len(y)]}
    search = search_over(logistic(), {"C": values}, X, y, fit_params, **SETTINGS)
    cold = clone(search.best_estimator_).fit(X, y, **fit_params)
    np.testing.assert_allclose(search.best_estimator_.coef_, cold.coef_, atol=1e-5)


def test_of_least_squares(values, regression):
    search = search_over(ridge(), {"alpha": values}, *regression, cv=CV)
    alone = clone(search.best_estimator_).fit(*regression)
    np.testing.assert_allclose(search.best_estimator_.coef_, alone.coef_, rtol=1e-10)


def test_none(values, binary):
    search = search_over(logistic(), {"C": values}, *binary, refit=False, **SETTINGS)
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "predict")
    best = logistic(**search.best_params_)
    scores = cross_val_score(best, *binary, **SETTINGS)
    np.testing.assert_allclose(fold_scores(search), scores, rtol=0, atol=1e-6)


def test_chosen_by_a_function(values, binary):
    """For instance the strongest penalty within a standard error."""

    def strongest(results):
        best = int(np.argmax(results["mean_test_score"]))
        error = results["std_test_score"][best] / np.sqrt(CV.n_splits)
        good = results["mean_test_score"] >= results["mean_test_score"][best] - error
        strengths = np.where(good, np.asarray(results["param_C"], dtype=float), np.inf)
        return int(np.argmin(strengths))

    search = search_over(logistic(), {"C": values}, *binary, refit=strongest, **SETTINGS)
    assert search.best_index_ == strongest(search.cv_results_)
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    assert not hasattr(search, "best_score_")
    cold = clone(search.best_estimator_).fit(*binary)
    np.testing.assert_allclose(search.best_estimator_.coef_, cold.coef_, atol=1e-5)


def test_in_two_processes(values, three):
    """With train scores, and with models that workers have to fit."""
    one, two = (
        search_over(
            logistic(), {"C": values}, *three, n_jobs=n, return_train_score=True, **SETTINGS
        )
        for n in (None, 2)
    )
    for key in ("mean_test_score", "mean_train_score"):
        np.testing.assert_array_equal(one.cv_results_[key], two.cv_results_[key])
    grid = {"C": [0.1, 1.0], "solver": ["lbfgs", "liblinear"]}
    X, y = three[0], (three[1] == 1).astype(int)
    one, two = (search_over(logistic(), grid, X, y, n_jobs=n, **SETTINGS) for n in (None, 2))
    for key in ("mean_test_score", "split0_test_score"):
        np.testing.assert_allclose(one.cv_results_[key], two.cv_results_[key], atol=1e-9)


def test_train_scores(values, binary):
    X, y = binary
    search = search_over(logistic(), {"C": values}, X, y, return_train_score=True, **SETTINGS)
    for row, params in enumerate(search.cv_results_["params"]):
        for k, (train, _) in enumerate(CV.split(X)):
            model = logistic(**params).fit(X[train], y[train])
            loss = log_loss(y[train], model.predict_proba(X[train]))
            got = search.cv_results_[f"split{k}_train_score"][row]
            assert got == pytest.approx(-loss, abs=1e-6)


@pytest.mark.parametrize("refit", ["loss", "brier"])
def test_one_of_several_metrics(refit, values, binary):
    """The criterion is the loss that belongs to the metric of the refit, or the estimator's."""
    scoring = {"loss": LOSS, "brier": "neg_brier_score", "hits": "accuracy"}
    search = search_over(logistic(), {"C": values}, *binary, scoring=scoring, cv=CV, refit=refit)
    best = clone(search.best_estimator_)
    for name, scorer in scoring.items():
        got = search.cv_results_[f"mean_test_{name}"][search.best_index_]
        expected = cross_val_score(best, *binary, cv=CV, scoring=scorer).mean()
        assert got == pytest.approx(expected, abs=1e-6 if name != "hits" else 0.03)
    assert search.best_score_ == search.cv_results_[f"mean_test_{refit}"][search.best_index_]


def test_several_metrics_with_weights(binary, weight):
    X, y = binary
    fit_params = {"sample_weight": weight[: len(y)]}
    settings = {"scoring": [LOSS, "neg_brier_score"], "cv": CV, "refit": LOSS}
    several = search_over(logistic(), {"C": (1e-2, 1e2)}, X, y, fit_params, **settings)
    one = search_over(logistic(), {"C": (1e-2, 1e2)}, X, y, fit_params, **SETTINGS)
    assert several.best_score_ == one.best_score_


def test_a_scorer_with_options(values, binary):
    """Its own options change its meaning, so the estimator's loss steers and it selects."""
    scorer = make_scorer(
        log_loss, response_method="predict_proba", greater_is_better=False, normalize=False
    )
    search = search_over(logistic(), {"C": values}, *binary, cv=CV, scoring=scorer)
    assert_true(search, *binary, cv=CV, scoring=scorer, atol=1e-4)


def test_a_ridge_that_the_moments_do_not_solve_is_fitted_by_itself(regression, monkeypatch):
    monkeypatch.setattr(pooled_fit, "_EXACT", -1.0)
    search = search_over(ridge(), {"alpha": (1e-2, 1e2)}, *regression, cv=CV)
    alone = clone(search.best_estimator_).fit(*regression)
    np.testing.assert_array_equal(search.best_estimator_.coef_, alone.coef_)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("model", [Lasso(), ElasticNet(l1_ratio=0.5)])
def test_penalties_with_kinks_begin_at_the_solution_that_the_moments_have(
    model, fit_intercept, regression, monkeypatch
):
    """No rows are read for it."""
    monkeypatch.setattr(LinearSolver, "all_rows", None)
    model = clone(model).set_params(fit_intercept=fit_intercept)
    search = search_over(model, {"alpha": (1e-2, 1e2)}, *regression, cv=CV)
    found = search.best_estimator_
    exact = clone(found).set_params(tol=1e-10, max_iter=100_000).fit(*regression)
    np.testing.assert_allclose(found.coef_, exact.coef_, atol=1e-5 * np.abs(exact.coef_).max())
    assert found.intercept_ == pytest.approx(exact.intercept_, abs=1e-4)
    assert found.n_iter_ <= 1 < exact.n_iter_


def test_other_points_are_scored_only_where_the_scorer_has_more_to_say(binary):
    """A search that has converged has judged it by the scorer's own loss already."""
    own = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, **SETTINGS)
    assert own.converged_ and list(own.cv_results_["stage"]) == ["refined"]
    other = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, cv=CV, scoring="accuracy")
    assert set(other.cv_results_["stage"]) == {"scan", "refined", "finer"}


@pytest.mark.parametrize("model", [PoissonRegressor(), LogisticRegression()])
def test_all_rows_may_have_more_categories_than_any_folds(model):
    """Then the mean of the folds' coefficients is nothing that the refit could begin at."""
    rng = np.random.default_rng(0)
    kind = np.array(["a", "b", "c", "d"])[np.repeat([0, 1, 2, 3], 10)]
    X = np.c_[kind, rng.normal(size=40).round(3)].astype(object)
    y = rng.integers(0, 2, 40)
    halves = [(np.arange(a, a + 20), np.arange(20 - a, 40 - a)) for a in (0, 20)]
    encode = ColumnTransformer(
        [("kinds", OneHotEncoder(handle_unknown="ignore"), [0])], remainder=StandardScaler()
    )
    pipeline = make_pipeline(encode, model)
    name = "poissonregressor__alpha" if "alpha" in model.get_params() else "logisticregression__C"
    search = BAMMSearchCV(pipeline, {name: (0.1, 10.0)}, cv=halves).fit(X, y)
    own = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_allclose(search.best_estimator_[-1].coef_, own[-1].coef_, atol=1e-3)


RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(60, 5))
DATES = np.c_[1.7e9 + 86400.0 * np.arange(60), NUMBERS]  # which own fits do not scale
SIGNAL = NUMBERS.sum(1) + RNG.normal(size=60)
DIVERGING = SGDRegressor(random_state=0)


@pytest.mark.parametrize(
    "estimator, name, values",
    [
        (
            TransformedTargetRegressor(DIVERGING, transformer=StandardScaler()),
            "regressor__alpha", [1e-3, 0.1],
        ),
        (MultiOutputRegressor(Ridge(solver="sag", max_iter=2)), "estimator__alpha", [0.1, 10.0]),
        (OneVsRestClassifier(LogisticRegression(solver="liblinear")), "estimator__C", [0.1, 1.0]),
        (OneVsRestClassifier(LogisticRegression()), "estimator__C", [0.1, 1.0]),
        (
            OneVsRestClassifier(SGDClassifier("log_loss", random_state=0)),
            "estimator__alpha", [1e-3, 0.1],
        ),
    ],
    ids=["target", "outputs", "liblinear", "lbfgs", "sgd"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_final_fit_inside_of_another_estimator_that_ends_elsewhere_is_mended(
    estimator, name, values
):
    y = SIGNAL
    if name == "estimator__alpha" and isinstance(estimator, MultiOutputRegressor):
        y = np.c_[SIGNAL, -SIGNAL]
    elif "estimator__" in name:
        y = np.digitize(SIGNAL, [-1.0, 1.0])
    search = BAMMSearchCV(estimator, {name: values}, cv=CV).fit(DATES, y)
    assert search.refit_adopted_
    assert search.score(DATES, y) > search.best_score_ - 0.1


def test_a_final_fit_of_wide_rows_is_mended_too():
    X = RNG.normal(size=(40, 90))
    y = X[:, :5].sum(1) + RNG.normal(size=40)
    X[:, 0] *= 100.0  # which makes the estimator's own steps too long
    with pytest.warns(ConvergenceWarning, match="ended at an objective"):
        search = BAMMSearchCV(DIVERGING, {"alpha": [0.1, 1.0]}, cv=CV).fit(X, y)
    assert search.refit_adopted_ and search.score(X, y) > max(search.best_score_, 0.5)
