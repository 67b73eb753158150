"""Support vector machines on shared kernels give the tables of GridSearchCV."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from skbamm import BAMMSearchCV
from skbamm.shared_fits import support_vectors
from skbamm.shared_fits.support_vectors import SharedKernels
from skbamm.support_vectors.lean_fits import LeanFits
from tests.shared_fits.tables import check_same_table

X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
X_2, Y_2 = (rows[:150] for rows in load_breast_cancer(return_X_y=True))
X_2 = StandardScaler().fit_transform(X_2)
X_R, Y_R = (rows[:120] for rows in load_diabetes(return_X_y=True))
Y_R = Y_R / Y_R.std()


@pytest.fixture(autouse=True)
def few_rows_share_too(monkeypatch):
    monkeypatch.setattr(support_vectors, "_TIMES", 0)


GRID = {"C": [0.1, 1.0, 30.0, 1e3], "gamma": [0.01, 0.3, "scale", "auto"]}


@pytest.mark.parametrize("data", [(X, Y), (X_2, Y_2)], ids=["three classes", "two"])
def test_classes(data):
    rows, labels = data
    names = np.array(list("abc"))[labels]
    check_same_table(SVC(), GRID, rows, names, return_train_score=True)
    check_same_table(SVC(), GRID, sp.csr_matrix(rows), labels)
    scoring = ["accuracy", "balanced_accuracy"] + (["roc_auc"] if labels.max() == 1 else [])
    check_same_table(SVC(), GRID, rows.astype(np.float32), labels, scoring=scoring)


def test_other_kernels_and_settings():
    kernels = {"kernel": ["linear", "poly", "sigmoid", "rbf"], "C": [0.1, 10.0]}
    check_same_table(SVC(gamma=0.05, coef0=0.5), kernels, X, Y)
    more = {"degree": [2, 4], "coef0": [0.0, 1.0]}
    check_same_table(SVC(kernel="poly"), more, X, Y)
    more = {"class_weight": [None, "balanced"], "decision_function_shape": ["ovo", "ovr"]}
    check_same_table(SVC(break_ties=False), more | {"C": [0.5, 2.0]}, X, Y)
    check_same_table(SVC(break_ties=True), {"C": [0.5, 2.0]}, X, Y)
    check_same_table(NuSVC(), {"nu": [0.05, 0.3], "gamma": [0.01, 0.1]}, X, Y)


def test_numbers():
    grid = GRID | {"epsilon": [0.05, 0.5]}
    check_same_table(SVR(), grid, X_R, Y_R, scoring=["r2", "neg_mean_absolute_error"])
    check_same_table(SVR(kernel="linear"), {"C": [0.1, 1.0]}, sp.csr_array(X_R), Y_R)
    check_same_table(NuSVR(), {"nu": [0.2, 0.8], "C": [0.3, 3.0]}, X_R, Y_R)


def test_weights_pipelines_and_workers():
    weights = {"sample_weight": np.linspace(0.2, 2, len(Y))}
    check_same_table(SVC(), GRID, X, Y, fit_params=weights)
    model = make_pipeline(StandardScaler(), SVC())
    grid = {f"svc__{name}": values for name, values in GRID.items()}
    for n_jobs in (1, 2):
        check_same_table(model, grid, X_2, Y_2, n_jobs=n_jobs)


@pytest.mark.filterwarnings("ignore:.*was not searched jointly")
def test_rows_without_weight_have_no_number_among_support_vectors():
    """libsvm leaves them out, and counts the others."""
    weights = {"sample_weight": np.arange(len(Y)) % 3.0}
    check_same_table(SVC(), {"C": GRID["C"]}, X, Y, fit_params=weights)
    search = BAMMSearchCV(SVC(), {"C": (0.1, 100.0), "gamma": (1e-3, 1.0)}, cv=3)
    search.fit(X, Y, **weights)
    found = {name: [value] for name, value in search.best_params_.items()}
    theirs = GridSearchCV(SVC(), found, cv=3).fit(X, Y, **weights)
    assert search.best_score_ == pytest.approx(theirs.best_score_, abs=1e-12)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_probabilities():
    model = SVC(probability=True, random_state=0)
    check_same_table(model, {"C": [0.5, 5.0]}, X_2, Y_2, scoring="neg_log_loss")


def test_c_without_effect_is_not_fitted_again(monkeypatch):
    """Where no coefficient is bounded, and a larger C changed nothing, fits are known."""
    counted, fits = [], LeanFits.fit

    def fit(self, *args):
        counted.append(1)
        return fits(self, *args)

    monkeypatch.setattr(LeanFits, "fit", fit)
    digits, labels = (rows[:200] for rows in load_digits(return_X_y=True))
    grid = {"C": [1e4, 1e5, 1e6, 1e7, 1e8], "gamma": [1e-3]}
    search = BAMMSearchCV(SVC(), grid, cv=3).fit(digits, labels)
    assert len(counted) == 3 * 2
    assert np.ptp(search.cv_results_["mean_test_score"]) == 0


def test_best_model_is_that_of_its_own_fit():
    for rows in (X, sp.csr_matrix(X)):
        search = BAMMSearchCV(SVC(), GRID, cv=3).fit(rows, Y)
        own = SVC(**search.best_params_).fit(rows, Y)
        assert np.array_equal(search.decision_function(rows), own.decision_function(rows))


def test_functions_and_given_kernels_are_left_alone():
    assert SharedKernels().mismatch(SVC(kernel=lambda a, b: a @ b.T))
    assert SharedKernels().mismatch(SVC(kernel="precomputed"))
    search = BAMMSearchCV(SVC(kernel="precomputed"), {"C": [0.1, 1.0]}, cv=3).fit(X @ X.T, Y)
    assert search.search_plan_[0]["role"] == "enumerated"


@pytest.mark.parametrize("bound", [{"_MANY": 0, "_TIMES": 3}, {"_MANY": 0, "_MOST": 1000}])
def test_where_sharing_does_not_pay_fits_are_own(monkeypatch, bound):
    monkeypatch.undo()
    for name, value in bound.items():
        monkeypatch.setattr(support_vectors, name, value)
    kernels, fits = [], SVC.fit

    def fit(self, X, *args, **kwargs):
        kernels.append(self.kernel)
        return fits(self, X, *args, **kwargs)

    monkeypatch.setattr(SVC, "fit", fit)
    BAMMSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=3).fit(X, Y)
    assert "precomputed" not in kernels


@pytest.mark.parametrize(("model", "target"), [(SVR(), Y_R), (SVC(), Y_R > 2)])
@pytest.mark.filterwarnings("ignore:.*own fits")
def test_columns_far_from_zero_leave_the_kernel_to_libsvm(model, target):
    """Its ``|x|^2 + |z|^2 - 2 x'z`` has few digits there: models are those that users get."""
    rows = np.c_[X_R[:, :4] * 20, 1e7 + np.random.default_rng(0).normal(size=len(X_R))]
    check_same_table(model, {"C": [0.1, 1.0], "gamma": [0.1, 1.0]}, rows, target)
    search = BAMMSearchCV(model, {"C": (1e-1, 1e1), "gamma": (1e-2, 1.0)}, cv=3).fit(rows, target)
    points = [{name: [v] for name, v in params.items()} for params in search.cv_results_["params"]]
    grid = GridSearchCV(model, points, cv=3).fit(rows, target)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"], atol=1e-12
    )


@pytest.mark.parametrize("model", [SVC(), SVR()])
def test_no_fit_is_made_twice(model, monkeypatch):
    """The check of a list's first fit takes a few steps, however many the fit takes."""
    steps = []
    plain = LeanFits._own

    def own(self, model, kernel):
        steps.append(model.max_iter)
        return plain(self, model, kernel)

    monkeypatch.setattr(LeanFits, "_own", own)
    target = Y if isinstance(model, SVC) else X[:, 0]
    check_same_table(model, {"C": [1e3, 1.0]}, X, target)
    assert steps and max(steps) <= 20
