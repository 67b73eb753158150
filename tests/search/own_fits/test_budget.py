"""Where own fits are faster they serve: nothing is slower for being a BAMMSearchCV."""

import time
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_classification,
    make_regression,
)
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LassoLars,
    LogisticRegression,
    MultiTaskLasso,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV
from skbamm.effort import Meter, OverBudget, metered, spend
from skbamm.search import solving
from skbamm.search.factory import SolverFactory
from skbamm.search.own_fits import cost
from skbamm.solvers.linear import LinearSolver

pytestmark = pytest.mark.budget


def texts():
    rng = np.random.default_rng(0)
    X = sp.random_array((200, 3000), density=0.01, format="csr", rng=rng)
    return X, rng.integers(4, size=200)


DIGITS = load_digits(return_X_y=True)
HOPELESS = {
    "LinearSVC on texts": (LinearSVC(random_state=0), "C", [1e-2, 1.0, 1e2], texts()),
    "several classes": (
        make_pipeline(StandardScaler(), PCA(20), LogisticRegression(max_iter=2000)),
        "logisticregression__C",
        [1e-3, 1.0, 1e3],
        (DIGITS[0][:500], DIGITS[1][:500]),
    ),
    "wide elastic net": (
        ElasticNet(max_iter=5000),
        "alpha",
        [0.1, 10.0],
        make_regression(60, 1200, n_informative=20, noise=10, random_state=0),
    ),
    "Ridge on sparse rows": (
        Ridge(),
        "alpha",
        [1e-2, 1.0, 1e2],
        (texts()[0], np.random.default_rng(0).normal(size=200)),
    ),
    "groups on few rows": (
        MultiTaskLasso(),
        "alpha",
        [1e-2, 1.0],
        make_regression(60, 10, n_targets=3, noise=10, random_state=0),
    ),
    "Huber whose scale vanishes": (
        HuberRegressor(epsilon=1.05, max_iter=2000),
        "alpha",
        [1e-3, 1.0],
        make_regression(60, 30, n_informative=4, noise=10, random_state=0),
    ),
    "quantiles of few rows": (
        QuantileRegressor(),
        "alpha",
        [1e-3, 1e-1],
        make_regression(60, 4, noise=10, random_state=0),
    ),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_a_list_that_own_fits_solve_sooner_is_the_grids_to_the_last_digit(case):
    model, name, values, (X, y) = HOPELESS[case]
    ours = BAMMSearchCV(model, {name: values}, cv=3).fit(X, y)
    want = GridSearchCV(model, {name: values}, cv=3).fit(X, y)
    assert ours.search_plan_[0]["role"] == "enumerated"
    assert "fast" in ours.search_plan_[0]["reason"]
    for key in ("split0_test_score", "mean_test_score"):
        np.testing.assert_array_equal(ours.cv_results_[key], want.cv_results_[key])
    np.testing.assert_array_equal(ours.predict(X), want.predict(X))


@pytest.mark.parametrize("case", HOPELESS)
def test_an_interval_is_covered_by_own_fits_without_a_warning(case):
    model, name, values, (X, y) = HOPELESS[case]
    search = BAMMSearchCV(model, {name: (values[0], values[-1])}, cv=3).fit(X, y)
    few = GridSearchCV(model, {name: np.geomspace(values[0], values[-1], 5)}, cv=3).fit(X, y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    assert "the whole interval were scored" in search.report()
    assert set(search.cv_results_["stage"]) <= {"scan", "finer", "refined"}
    assert len(search.cv_results_["stage"]) <= 15
    assert search.best_score_ >= few.best_score_ - 2 / len(y)
    again = BAMMSearchCV(model, {name: (values[0], values[-1])}, cv=3).fit(X, y)
    assert again.best_params_ == search.best_params_  # counted, not timed


def test_two_intervals_are_covered_where_a_line_of_searches_takes_longer():
    X, y = make_regression(60, 4, noise=10, random_state=0)
    ends = {"alpha": (1e-4, 1.0), "epsilon": (1.2, 2.0)}
    search = BAMMSearchCV(HuberRegressor(max_iter=1000), ends, cv=3).fit(X, y)
    assert {row["reason"] for row in search.search_plan_} == {"own fits are faster"}
    assert len(search.cv_results_["params"]) <= 19


def test_two_intervals_of_a_kernel_model_are_covered_where_factors_take_longer():
    X, y = make_regression(150, 5, noise=10, random_state=0)
    ends = {"alpha": (1e-3, 1.0), "gamma": (1e-2, 1.0)}
    search = BAMMSearchCV(KernelRidge(kernel="rbf"), ends, cv=3).fit(X, y)
    assert {row["reason"] for row in search.search_plan_} == {"own fits are faster"}
    search = BAMMSearchCV(KernelRidge(kernel="rbf"), {"alpha": (1e-3, 1.0)}, cv=3)
    assert search.fit(X[:60], y[:60]).search_plan_[0]["reason"] == ""


def test_what_is_soon_solved_is_solved():
    X, y = make_regression(10000, 60, n_informative=60, noise=50, random_state=0)
    search = BAMMSearchCV(Lasso(), {"alpha": np.geomspace(1e-2, 1e2, 20)}, cv=5)
    assert search.fit(X, y).search_plan_[0]["role"] == "joint grid"
    X, y = make_regression(50, 5, random_state=0)
    search = BAMMSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=3).fit(X, y)
    assert search.search_plan_[0]["role"] == "joint grid"


class CountedScaler(StandardScaler):
    """Counts its fits."""

    fits = 0

    def fit(self, X, y=None, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y)


def test_transformers_are_fitted_once_a_fold_where_own_fits_serve():
    X, y = DIGITS[0][:500], DIGITS[1][:500]
    model = make_pipeline(CountedScaler(), LogisticRegression(max_iter=2000))
    grid = {"logisticregression__C": np.geomspace(1e-2, 1e2, 4)}
    CountedScaler.fits = 0
    search = BAMMSearchCV(model, grid, cv=3).fit(X, y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    assert CountedScaler.fits == 3 + 1  # and once for the refit


def test_fits_that_are_all_left_to_the_estimator_are_the_users_own():
    """There is nothing between scikit-learn and the estimator then, which would take time."""
    seen, (X, y) = set(), texts()

    def accuracy(model, X, y):
        seen.add(type(model))
        return model.score(X, y)

    search = BAMMSearchCV(LinearSVC(random_state=0), {"C": [1e-2, 1.0]}, scoring=accuracy)
    assert search.fit(X, y).search_plan_[0]["reason"] == "own fits are faster"
    assert seen == {LinearSVC}
    assert type(search.best_estimator_) is LinearSVC


def test_a_meter_asks_once_for_a_closer_limit():
    asked = []

    def closer():
        asked.append(1)
        return 3.0

    with metered(Meter(1.0, closer)), pytest.raises(OverBudget):
        for _ in range(10):
            spend(0.5)
    assert len(asked) == 1
    spend(1e9)  # nobody counts outside


@pytest.mark.parametrize("priced", [True, False])
def test_a_path_that_takes_too_long_is_left_to_own_fits(priced, monkeypatch):
    """Features far from zero, without an intercept: coefficients leave their faces many times."""
    if not priced:  # as of an estimator of the user's
        monkeypatch.setattr(cost, "own_fit_seconds", lambda *args: None)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(96, 44)) + 100.0
    y = X[:, :3] @ [1.0, -2.0, 1.0] + rng.normal(size=96)
    search = BAMMSearchCV(
        LassoLars(fit_intercept=False), {"alpha": (1e-3, 10.0)},
        scoring="neg_median_absolute_error", cv=3,
    )  # fmt: skip
    search.fit(X, y)
    assert search.search_plan_[0]["reason"].startswith("own fits are faster")


def test_a_fit_that_was_timed_is_a_candidates(monkeypatch):
    X, y = DIGITS[0][:300], DIGITS[1][:300]
    fits, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *given: [fits.append(self), fit(self, *given)][1]
    )
    model, values = LogisticRegression(max_iter=2000), {"C": [1e-3, 1.0, 1e3]}
    search = BAMMSearchCV(model, values, cv=3).fit(X, y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    assert len(fits) == 3 * 3 + 1
    want = GridSearchCV(model, values, cv=3).fit(X, y)
    for k in range(3):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], want.cv_results_[name])
    assert min(search.cv_results_["mean_fit_time"]) > 1e-3


class CountedPCA(PCA):
    """Counts its fits."""

    fits = 0

    def _fit(self, X):
        CountedPCA.fits += 1
        return super()._fit(X)


def test_a_fit_that_was_timed_behind_transformers_is_a_candidates(monkeypatch):
    X, y = DIGITS[0][:300], DIGITS[1][:300]
    fits, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *given: [fits.append(self), fit(self, *given)][1]
    )
    monkeypatch.setattr(CountedPCA, "fits", 0)
    model = make_pipeline(CountedPCA(20), LogisticRegression(max_iter=2000))
    values = {"logisticregression__C": [1e-3, 1.0, 1e3]}
    search = BAMMSearchCV(model, values, cv=3).fit(X, y)
    assert search.search_plan_[0]["reason"].startswith("own fits are faster")
    assert len(fits) == 3 * 3 + 1
    assert CountedPCA.fits == 3 + 1
    want = GridSearchCV(model, values, cv=3).fit(X, y)
    for k in range(3):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(search.cv_results_[name], want.cv_results_[name])
    assert min(search.cv_results_["mean_fit_time"]) > 1e-3


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Ridge(), {"fit_intercept": [True, False]}),
        (make_pipeline(PCA(), Ridge()), {"pca__n_components": [2, 5]}),
        (make_pipeline(StandardScaler(), Ridge()), {"standardscaler": ["passthrough", PCA(3)]}),
        (make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1.0]}),
    ],
)
def test_a_single_value_of_a_list_is_left_to_own_fits_at_once(model, values, monkeypatch):
    """Its joint solve shares nothing that could pay for its preparation."""

    def made(*given, **options):
        raise AssertionError("a solver was prepared")

    monkeypatch.setattr(SolverFactory, "make", made)
    X, y = load_diabetes(return_X_y=True)
    search, want = (kind(model, values, cv=3).fit(X, y) for kind in (BAMMSearchCV, GridSearchCV))
    assert {row["role"] for row in search.search_plan_} == {"enumerated"}
    assert search.search_plan_[0]["reason"].startswith("own fits are faster")
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], want.cv_results_["mean_test_score"]
    )


def test_rows_of_different_lengths_have_scikit_learns_error_only():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # of a joint solve that failed
        warnings.simplefilter("ignore", UserWarning)  # of scores without a value
        warnings.simplefilter("ignore", FitFailedWarning)  # a RuntimeWarning, too
        with pytest.raises(ValueError, match="array element with a sequence"):
            search = BAMMSearchCV(Ridge(), {"fit_intercept": [True, False]}, cv=2)
            search.fit([[1, 2], [3], [4, 5], [6, 7]], [1, 2, 3, 4])


def test_transformers_are_fitted_once_where_a_solve_is_given_up(monkeypatch):
    def too_long(*given, **options):
        raise OverBudget("own fits are faster")

    monkeypatch.setattr(LinearSolver, "grid", too_long)
    monkeypatch.setattr(CountedPCA, "fits", 0)
    X, y = load_diabetes(return_X_y=True)
    model, values = make_pipeline(CountedPCA(3), Ridge()), {"ridge__alpha": [0.1, 1.0, 10.0]}
    search, want = (kind(model, values, cv=3).fit(X, y) for kind in (BAMMSearchCV, GridSearchCV))
    assert CountedPCA.fits == (3 + 1) + (3 * 3 + 1)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], want.cv_results_["mean_test_score"]
    )


def test_points_that_are_solved_are_judged_where_their_search_takes_too_long(monkeypatch):
    def too_long(*given, **options):
        raise OverBudget("own fits are faster")

    X, y = load_breast_cancer(return_X_y=True)
    fits, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *given: [fits.append(self), fit(self, *given)][1]
    )
    monkeypatch.setattr(LinearSolver, "search", too_long)
    model = LogisticRegression(max_iter=5000, tol=1e-8)
    search = BAMMSearchCV(model, {"C": (1e-4, 1e4)}).fit(StandardScaler().fit_transform(X), y)
    assert len(search.cv_results_["params"]) >= 7
    assert len(fits) <= 4  # the refit, and what the twin and the costs were checked by
    assert search.best_score_ > 0.97


def test_a_timed_fit_leaves_the_users_random_draws_alone():
    X, y = HOPELESS["LinearSVC on texts"][3]
    found = []
    for kind in (BAMMSearchCV, GridSearchCV):
        np.random.seed(0)  # noqa: NPY002
        search = kind(LinearSVC(max_iter=20), {"C": [1.0, 1e2]}, cv=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(search.fit(X, y).cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*found)


def test_time_that_ends_before_the_points_between_is_told():
    X, y = HOPELESS["LinearSVC on texts"][3]
    calls = []

    def slow(truth, predicted):
        calls.append(1)
        if len(calls) == 15:  # of the five values that are scored first, in three folds
            time.sleep(1.6)
        return accuracy_score(truth, predicted)

    search = BAMMSearchCV(
        LinearSVC(random_state=0), {"C": (1e-2, 1e2)}, scoring=make_scorer(slow), cv=3, max_time=1.5
    )
    with pytest.warns(ConvergenceWarning, match="stopped early: max_time"):
        search.fit(X, y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    assert len(search.cv_results_["params"]) == 5


def test_the_ends_lower_what_the_middle_tells(monkeypatch):
    """Of wide rows both ends take fewer iterations; of other rows weak penalties take more."""
    seen = []
    plain = solving.budget

    def budget(joint, probes, y, fits, *given):
        own = cost.OwnCost(joint, probes, y, fits)
        seen.append((own.further, own.measured(), own.measured(True)))
        return plain(joint, probes, y, fits, *given)

    monkeypatch.setattr(solving, "budget", budget)
    grid = {"C": np.logspace(-4, 4, 9)}
    wide = make_classification(300, 200, n_informative=11, random_state=0)
    X, y = load_breast_cancer(return_X_y=True)
    for rows, labels, less in ((*wide, True), (StandardScaler().fit_transform(X), y, False)):
        BAMMSearchCV(LogisticRegression(max_iter=1000), grid).fit(rows, labels)
        further, middle, lower = seen.pop()
        assert further
        assert (lower < 0.8 * middle) if less else (lower == middle)


@pytest.mark.parametrize("classes", [3, 5])
def test_small_data_of_several_classes_are_solved_jointly(classes):
    X, y = make_classification(
        400, 10, n_informative=8, n_redundant=0, n_classes=classes, random_state=0
    )
    search = BAMMSearchCV(LogisticRegression(), {"C": np.logspace(-3, 3, 7)}).fit(X, y)
    assert search.search_plan_[0]["role"] == "joint grid"


@pytest.mark.parametrize("feature_map", [Nystroem, RBFSampler])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_a_feature_map_of_few_rows_is_left_to_own_fits(feature_map, scoring):
    """Each value needs features of its own, which cost more than the fits."""
    X, y = make_classification(300, 8, n_informative=6, random_state=1)
    model = make_pipeline(feature_map(n_components=100, random_state=0), LogisticRegression())
    name = f"{feature_map.__name__.lower()}__gamma"
    search = BAMMSearchCV(model, {name: (1e-3, 10.0)}, scoring=scoring).fit(X, y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    few = GridSearchCV(model, {name: np.geomspace(1e-3, 10, 9)}, scoring=scoring).fit(X, y)
    assert search.best_score_ >= few.best_score_ - 1e-9
