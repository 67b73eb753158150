"""Kernels that have no twin are computed once, and give the tables of GridSearchCV."""

import numpy as np
import pytest
from scipy import sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import pairwise
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skbamm import BAMMSearchCV
from tests.shared_fits.tables import check_same_table
from tests.truth import roles

X, Y = (part[:200] for part in load_diabetes(return_X_y=True))
X, Y = StandardScaler().fit_transform(X), (Y - Y.mean()) / Y.std()
COUNTS, DIGITS = (part[:200] for part in load_digits(return_X_y=True))
SIGMOID = KernelRidge(kernel="sigmoid", coef0=0.5)
# Indefinite kernels have equations that are nearly singular where alpha is small.
OPTIONS = pytest.mark.filterwarnings("ignore:Singular matrix")


@OPTIONS
def test_lists_of_an_indefinite_kernel():
    grid = {"alpha": [1.0, 10.0, 100.0], "gamma": [None, 0.01, 0.1], "coef0": [0.0, 1.0]}
    check_same_table(SIGMOID, grid, X, Y, return_train_score=True)
    weights = {"sample_weight": np.linspace(0.1, 2, len(Y))}
    outputs = np.c_[Y, Y**2]
    check_same_table(SIGMOID, {"alpha": [1.0, 10.0]}, X, outputs, fit_params=weights)
    model = make_pipeline(StandardScaler(), SIGMOID)
    grid = {"kernelridge__alpha": [1.0, 10.0], "kernelridge__gamma": [0.01, 0.02]}
    check_same_table(model, grid, sp.csr_matrix(X).toarray(), Y, n_jobs=2)
    check_same_table(SIGMOID, {"alpha": [1.0, 10.0]}, sp.csr_matrix(COUNTS / 16), DIGITS)


@OPTIONS
def test_kernels_beside_those_that_have_a_twin():
    grid = {"kernel": ["sigmoid", "additive_chi2", "chi2", "rbf"], "alpha": [1.0, 10.0]}
    grid["gamma"] = [0.01, 0.1]
    model = KernelRidge()
    own, ours = (kind(model, grid, cv=3).fit(COUNTS / 16, DIGITS) for kind in
                 (GridSearchCV, BAMMSearchCV))  # fmt: skip
    for name in ("params", "mean_test_score", "std_test_score"):
        one, other = own.cv_results_[name], ours.cv_results_[name]
        if name == "params":
            assert one == other
        else:
            np.testing.assert_allclose(one, other, rtol=1e-7)
    assert own.best_params_ == ours.best_params_
    assert vars(own.best_estimator_).keys() == vars(ours.best_estimator_).keys()


def test_chi_squared():
    """It has a twin, and no default for gamma."""
    grid = {"alpha": (1e-4, 10.0), "gamma": (1e-3, 10.0)}
    model = KernelRidge(kernel="chi2")
    search = BAMMSearchCV(model, grid, cv=3).fit(COUNTS / 16, DIGITS)
    assert search.converged_ and {*roles(search).values()} == {"searched"}
    lists = {"alpha": np.geomspace(1e-4, 10, 6), "gamma": np.geomspace(1e-3, 10, 6)}
    own = GridSearchCV(model, lists, cv=3).fit(COUNTS / 16, DIGITS)
    assert search.best_score_ >= own.best_score_ - 1e-3
    table = BAMMSearchCV(model, lists, cv=3).fit(COUNTS / 16, DIGITS)
    assert {*roles(table).values()} == {"joint grid"}
    scores = (one.cv_results_["mean_test_score"] for one in (own, table))
    np.testing.assert_allclose(*scores, rtol=1e-7, atol=1e-9)
    pipeline = make_pipeline(MinMaxScaler(clip=True), model)
    inside = BAMMSearchCV(pipeline, {"kernelridge__gamma": (1e-3, 10.0)}, cv=3).fit(X, Y)
    assert np.isfinite(inside.best_score_)


@pytest.mark.parametrize("grid", [{"gamma": [None]}, {"alpha": [0.1, 1.0]}])
def test_chi_squared_without_gamma_has_scikit_learns_error(grid):
    for kind in (GridSearchCV, BAMMSearchCV):
        with pytest.raises(ValueError, match=r"All the \d fits failed"):
            kind(KernelRidge(kernel="chi2"), grid, cv=3).fit(COUNTS, DIGITS)


@pytest.mark.parametrize("grid", [{"alpha": [0.1, 1.0]}, {"alpha": (0.1, 1.0)}])
def test_chi_squared_of_negative_numbers_has_scikit_learns_error(grid):
    model = KernelRidge(kernel="chi2", gamma=0.1)
    with pytest.raises(ValueError, match="X contains negative values"):
        BAMMSearchCV(model, grid, cv=3).fit(X, Y)


@OPTIONS
@pytest.mark.parametrize(
    ("model", "grid", "rows"),
    [
        (SIGMOID, {"alpha": (0.1, 1e3), "gamma": (1e-4, 1.0)}, X),
        (SIGMOID, {"alpha": (0.1, 1e3)}, X),
        (KernelRidge(kernel="additive_chi2"), {"alpha": (0.1, 1e3)}, COUNTS),
        (KernelRidge(kernel="poly", gamma=0.1), {"coef0": (0.0, 5.0)}, X),
    ],
)
def test_intervals_that_the_scorer_judges(model, grid, rows):
    search = BAMMSearchCV(model, grid, cv=3).fit(rows, Y)
    assert "share their kernels" in search.search_plan_[0]["reason"]
    assert len(search.cv_results_["params"]) >= 15
    own = KernelRidge(**{**model.get_params(), **search.best_params_})
    assert search.best_score_ == pytest.approx(cross_val_score(own, rows, Y, cv=3).mean(), abs=1e-9)


def test_kernels_are_computed_once(monkeypatch):
    made, own = [], pairwise.sigmoid_kernel

    def counted(*some, **more):
        made.append(1)
        return own(*some, **more)

    monkeypatch.setitem(pairwise.PAIRWISE_KERNEL_FUNCTIONS, "sigmoid", counted)
    grid = {"alpha": np.geomspace(1, 100, 10), "gamma": [0.01, 0.02]}
    BAMMSearchCV(SIGMOID, grid, cv=3, refit=False).fit(X, Y)
    assert len(made) == 3 * 2 * 2  # of training rows, and of those that are scored


@pytest.mark.budget
@pytest.mark.parametrize("scaled", [False, True], ids=["alone", "scaled"])
@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "poly"])
def test_intervals_left_to_own_fits_share_kernels_and_are_a_grids_at_least(kernel, scaled):
    """The best kernels lie along a diagonal, which few values of gamma miss."""
    model, prefix = KernelRidge(kernel=kernel), ""
    if scaled:
        model, prefix = make_pipeline(MinMaxScaler(), model), "kernelridge__"
    ends = {"alpha": (1e-3, 1e2), "gamma": (1e-4, 1.0)}
    grid = {prefix + name: np.geomspace(*two, 5) for name, two in ends.items()}
    rows, target = X[:150], Y[:150]
    search = BAMMSearchCV(model, {prefix + name: two for name, two in ends.items()}, cv=3)
    search.fit(rows, target)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    want = GridSearchCV(model, grid, cv=3).fit(rows, target)
    assert search.best_score_ >= want.best_score_ - 1e-9
    own = clone(model).set_params(**search.best_params_)
    scores = cross_val_score(own, rows, target, cv=3)
    assert search.best_score_ == pytest.approx(scores.mean(), abs=1e-9)


@pytest.mark.budget
def test_kernels_of_own_fits_are_computed_once(monkeypatch):
    made, own = [], pairwise.rbf_kernel

    def counted(*some, **more):
        made.append(1)
        return own(*some, **more)

    monkeypatch.setitem(pairwise.PAIRWISE_KERNEL_FUNCTIONS, "rbf", counted)
    ends = {"alpha": (1e-3, 10.0), "gamma": (1e-4, 1.0)}
    search = BAMMSearchCV(KernelRidge(kernel="rbf"), ends, cv=3, refit=False)
    search.fit(X[:150], Y[:150])
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    stages = list(search.cv_results_["stage"])
    assert stages.count("scan") == 25
    # Of training and test rows in three folds; one fit was timed.
    assert len(made) <= 1 + 2 * 3 * (5 + len(stages) - 25)
