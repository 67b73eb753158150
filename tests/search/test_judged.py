"""Intervals of parameters without a derivative: the scorer judges values, then closer ones."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, OneClassSVM

from skbamm import BAMMSearchCV, Interval, one_standard_error
from skbamm.shared_fits import find_shared_fits
from tests.truth import assert_true, roles

X, Y = load_wine(return_X_y=True)
SCALED = StandardScaler().fit_transform(X)
X_R, Y_R = load_diabetes(return_X_y=True)
SHARED = "per fold is shared by all values; the scorer judges"


def nine(interval):
    """Return the list that an interval is never worse than."""
    low, high = interval
    return np.geomspace(low, high, 9) if low > 0 and high != 1 else np.linspace(low, high, 9)


def check(model, name, interval, rows, labels, rtol=1e-12, **options):
    """Compare with a list of nine values; return the search.

    Values of intervals and of lists are the same but for rounding, on which fits of libsvm depend
    within ``rtol``.
    """
    options = {"cv": 3} | options
    search = BAMMSearchCV(model, {name: interval}, **options).fit(rows, labels)
    grid = GridSearchCV(model, {name: nine(interval)}, **options).fit(rows, labels)
    assert search.best_score_ >= grid.best_score_ - rtol * abs(grid.best_score_)
    assert 15 <= len(search.cv_results_["params"]) <= 17
    assert set(search.cv_results_["stage"]) == {"scan", "finer"}
    assert interval[0] <= search.best_params_[name] <= interval[1]
    assert roles(search) == {name: "searched"} and search.converged_
    assert_true(search, rows, labels, cv=3, scoring=options.get("scoring"), atol=1e-12)
    return search


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
@pytest.mark.parametrize(
    ("model", "name", "interval", "rows"),
    [
        (GaussianNB(), "var_smoothing", (1e-12, 10.0), X),
        (LinearDiscriminantAnalysis(solver="lsqr"), "shrinkage", (0.0, 1.0), X),
        (QuadraticDiscriminantAnalysis(), "reg_param", (0.0, 1.0), SCALED),
        (MultinomialNB(), "alpha", (1e-3, 1e4), X),
        (ComplementNB(), "alpha", (1e-3, 1e4), X),
        (BernoulliNB(), "alpha", (1e-3, 1e4), SCALED),
        (CategoricalNB(min_categories=2), "alpha", (1e-3, 1e4), (SCALED > 0).astype(int)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_one_fit_serves_an_interval(model, name, interval, rows, scoring):
    search = check(model, name, interval, rows, Y, scoring=scoring)
    shares = find_shared_fits(model)[0] is not None  # not the quadratic one, before 1.8
    assert (SHARED in search.search_plan_[0]["reason"]) == shares


def test_values_close_in_on_the_best():
    search = check(GaussianNB(), "var_smoothing", (1e-9, 10.0), X, Y, scoring="neg_log_loss")
    tried = np.log([one["var_smoothing"] for one in search.cv_results_["params"]])
    gaps = np.diff(np.sort(tried))
    best = np.log(search.best_params_["var_smoothing"])
    assert np.sort(np.abs(tried - best))[1] < gaps.max() / 7
    # An end of the interval has values on one side only.
    search = check(GaussianNB(), "var_smoothing", (1e-3, 10.0), X, Y, scoring="neg_log_loss")
    assert search.best_params_["var_smoothing"] > 0


def test_shrinkage_of_other_solvers_has_own_fits():
    model = LinearDiscriminantAnalysis(solver="eigen")
    search = check(model, "shrinkage", (0.0, 1.0), X, Y)
    assert search.search_plan_[0]["reason"].startswith("the scorer judges")
    mapped = make_pipeline(Nystroem(n_components=20, random_state=0), model)
    name = "lineardiscriminantanalysis__shrinkage"
    assert roles(BAMMSearchCV(mapped, {name: (0.0, 1.0)}).fit(X, Y)) == {name: "searched"}


def test_density():
    search = check(KernelDensity(), "bandwidth", (0.1, 10.0), SCALED, None)
    assert SHARED in search.search_plan_[0]["reason"]
    with pytest.raises(ValueError, match="'bandwidth' must begin at above 0"):
        BAMMSearchCV(KernelDensity(), {"bandwidth": (0.0, 1.0)}).fit(SCALED)


def test_texts_beside_lists(monkeypatch):
    """Texts are counted once a fold, whatever the rounds; lists have a search each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 90)
    words = np.array(["one", "two", "three", "four", "five", "six"])
    texts = [" ".join(rng.choice(words[label : label + 5], 4)) for label in labels]
    counted, own = [], TfidfVectorizer.fit_transform
    monkeypatch.setattr(
        TfidfVectorizer, "fit_transform", lambda *some: counted.append(1) or own(*some)
    )
    grid = {"multinomialnb__alpha": (1e-3, 1e2), "multinomialnb__fit_prior": [True, False]}
    model = make_pipeline(TfidfVectorizer(), MultinomialNB())
    search = BAMMSearchCV(model, grid, cv=3, refit=False).fit(texts, labels)
    assert len(counted) == 3
    assert 24 <= len(search.cv_results_["params"]) <= 26
    lists = grid | {"multinomialnb__alpha": np.geomspace(1e-3, 1e2, 9)}
    theirs = GridSearchCV(model, lists, cv=3).fit(texts, labels)
    assert search.best_score_ >= theirs.best_score_


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_unions_and_jobs(n_jobs):
    grid = [{"var_smoothing": (1e-9, 1.0)}, {"var_smoothing": [0.1, 1e-9]}]
    search = BAMMSearchCV(GaussianNB(), grid, cv=3, n_jobs=n_jobs).fit(X, Y)
    assert [row["role"] for row in search.search_plan_] == ["searched", "shared fits"]
    assert len(search.cv_results_["params"]) >= 17


def test_with_what_else_a_search_has(capsys):
    settings = {"refit": one_standard_error, "cv": 3, "verbose": 1, "return_oof": True}
    grid = {"shrinkage": Interval(0.0, 1.0)}
    model = LinearDiscriminantAnalysis(solver="lsqr")
    search = BAMMSearchCV(model, grid, **settings).fit(X, Y)
    assert "the scorer judges 9 values of shrinkage in [0, 1]" in capsys.readouterr().out
    assert "the scorer judges" in search.report() and "did not meet" not in search.report()
    assert search.oof_predictions_.shape == Y.shape
    low, high = search.best_params_range_["shrinkage"]
    assert low <= search.best_params_["shrinkage"] <= high
    again = search.set_params(param_grid={"shrinkage": (0.1, 0.9)}).resume(X, Y)
    assert 0.1 <= again.best_params_["shrinkage"] <= 0.9


@pytest.mark.parametrize(
    ("model", "name", "kind"),
    [
        (OneVsRestClassifier(SVC()), "estimator__C", "labels"),
        (OneVsOneClassifier(make_pipeline(StandardScaler(), SVC())), "estimator__svc__C", "labels"),
        (BaggingClassifier(SVC(), 3, random_state=0), "estimator__gamma", "labels"),
        (MultiOutputRegressor(SVR(tol=1e-8)), "estimator__C", "outputs"),
        (TransformedTargetRegressor(SVR(tol=1e-8), transformer=StandardScaler()), "regressor__C",
         "numbers"),
    ],
)  # fmt: skip
def test_support_vector_machines_inside_of_others(model, name, kind):
    rows, target = (SCALED, Y) if kind == "labels" else (X_R, Y_R)
    if kind == "outputs":
        target = np.c_[Y_R, np.sqrt(Y_R)]
    search = check(model, name, (0.01, 100.0), rows, target, rtol=1e-6)
    assert search.search_plan_[0]["reason"].startswith("the scorer judges")


def test_two_intervals_inside_of_another():
    rows, labels = load_iris(return_X_y=True)
    grid = {"estimator__C": (0.01, 100.0), "estimator__gamma": (1e-3, 10.0)}
    search = BAMMSearchCV(OneVsRestClassifier(SVC()), grid, cv=3).fit(rows, labels)
    coarse = {"estimator__C": np.geomspace(0.01, 100, 5)}
    coarse["estimator__gamma"] = np.geomspace(1e-3, 10, 5)
    grid = GridSearchCV(OneVsRestClassifier(SVC()), coarse, cv=3).fit(rows, labels)
    assert search.best_score_ >= grid.best_score_
    assert 25 < len(search.cv_results_["params"]) <= 37


def test_outliers_are_found_by_what_a_scorer_says_of_them():
    rows, labels = load_breast_cancer(return_X_y=True)
    rows, inside = StandardScaler().fit_transform(rows), np.where(labels == 1, 1, -1)
    search = check(OneClassSVM(), "nu", (0.01, 0.6), rows, inside, scoring="balanced_accuracy")
    assert "share their kernels" in search.search_plan_[0]["reason"]
    grid = {"nu": (0.05, 0.6), "gamma": (1e-3, 1.0)}
    both = BAMMSearchCV(OneClassSVM(), grid, cv=3, scoring="roc_auc").fit(rows, inside)
    own = OneClassSVM(**both.best_params_)
    scores = cross_val_score(own, rows, inside, cv=3, scoring="roc_auc")
    assert both.best_score_ == pytest.approx(scores.mean(), abs=1e-12)
    with pytest.raises(TypeError, match="no scoring is specified"):
        BAMMSearchCV(OneClassSVM(), {"nu": (0.05, 0.6)}).fit(rows)
