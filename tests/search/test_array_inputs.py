"""Arrays of other libraries in place of NumPy's, with array API dispatch and without."""

import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, SampleWeights
from skbamm.data.array_inputs import to_numpy
from tests.versions import DISPATCHES

DISPATCH = "SCIPY_ARRAY_API" in os.environ  # scikit-learn asks for it before SciPy's import
own_process = pytest.mark.skipif(not DISPATCH, reason="runs in a process of its own")
C = {"logisticregression__C": (1e-3, 1e3)}
SCALED = make_pipeline(StandardScaler(), LogisticRegression())


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X[:300], y[:300]


def same_table(one, other):
    names = [name for name in one.cv_results_ if "score" in name and "time" not in name]
    assert names
    for name in names:
        np.testing.assert_allclose(one.cv_results_[name], other.cv_results_[name], rtol=1e-12)


@pytest.mark.skipif(DISPATCH, reason="without dispatch")
class TestWithoutDispatch:
    def test_tensors_of_the_cpu_are_read_in_place(self, cancer):
        for part in cancer:
            tensor = torch.tensor(part)
            assert np.shares_memory(to_numpy(tensor), tensor.numpy())

    @pytest.mark.parametrize(
        "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64]
    )
    def test_numbers_of_any_kind(self, dtype):
        tensor = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).to(dtype)
        np.testing.assert_array_equal(to_numpy(tensor), [[1, 2], [3, 4]])

    def test_a_search_of_tensors_is_that_of_numpy(self, cancer):
        X, y = cancer
        ours = BAMMSearchCV(SCALED, C).fit(*map(torch.tensor, cancer))
        same_table(ours, BAMMSearchCV(SCALED, C).fit(X, y))
        assert isinstance(ours.predict(torch.tensor(X)), np.ndarray)

    def test_tensors_that_record_gradients(self, cancer):
        X = torch.tensor(cancer[0], requires_grad=True)
        ours = BAMMSearchCV(SCALED, C).fit(X, torch.tensor(cancer[1]))
        same_table(ours, BAMMSearchCV(SCALED, C).fit(*cancer))

    @pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo, torch.sparse_csc])
    def test_sparse_tensors_are_csr_matrices(self, layout):
        X = np.where(np.random.default_rng(0).random((80, 12)) < 0.3, 1.5, 0.0)
        y = (X[:, 0] + X[:, 1] > 0.5).astype(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of a beta state
            tensor = torch.tensor(X).to_sparse(layout=layout)
        ours, theirs = (
            BAMMSearchCV(LinearSVC(), {"C": [0.1, 1.0]}).fit(rows, y)
            for rows in (tensor, sp.csr_matrix(X))
        )
        same_table(ours, theirs)

    def test_weights_of_rows_learned_from_tensors(self, cancer):
        weights = [
            BAMMSearchCV(LogisticRegression(C=0.1), {}, sample_weights=SampleWeights(), max_iter=5)
            .fit(StandardScaler().fit_transform(cancer[0])[:120], y)
            .sample_weight_
            for y in (cancer[1][:120], torch.tensor(cancer[1][:120]))
        ]
        np.testing.assert_allclose(*weights, rtol=1e-12)

    def test_a_process_of_its_own_passes(self):
        if not DISPATCHES:
            pytest.skip("array API dispatch needs SciPy 1.14")
        command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"]
        command += ["-p", "no:xdist", __file__]
        env = {**os.environ, "SCIPY_ARRAY_API": "1"}
        env.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        passed = re.findall(r"^PASSED .*::(test_\w+)", done.stdout, re.MULTILINE)
        dispatched = {name for name, test in globals().items() if name.startswith("test_")}
        assert set(passed) == dispatched, done.stdout


def namespaces():
    """Return the libraries that are here besides NumPy."""
    found = [torch]
    try:
        import array_api_strict
    except ImportError:
        return found
    return [*found, array_api_strict]


@pytest.fixture(autouse=True)
def dispatch():
    with config_context(array_api_dispatch=DISPATCH):
        yield


CASES = [
    (SCALED, C, load_breast_cancer),
    (SCALED, {"logisticregression__C": [0.1, 1.0, 10.0]}, load_breast_cancer),
    (LogisticRegression(max_iter=1000), {"C": (1e-2, 1e2)}, load_iris),
    (RidgeClassifier(), {"alpha": (1e-2, 1e2)}, load_iris),
    (Ridge(), {"alpha": (1e-3, 1e3)}, load_diabetes),
    (Ridge(), {"alpha": [0.1, 1.0, 10.0]}, load_diabetes),
]


@own_process
@pytest.mark.parametrize("xp", namespaces(), ids=lambda xp: xp.__name__)
@pytest.mark.parametrize("estimator, grid, load", CASES)
def test_results_are_in_the_namespace_of_the_input(xp, estimator, grid, load):
    """The same search as of NumPy, solved jointly, and a final estimator as scikit-learn's."""
    X, y = load(return_X_y=True)
    reference = BAMMSearchCV(estimator, grid).fit(X, y)
    there = xp.asarray(X), xp.asarray(y)
    search = BAMMSearchCV(estimator, grid).fit(*there)
    same_table(search, reference)
    assert search.search_plan_ == reference.search_plan_
    assert search.best_params_ == reference.best_params_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own of some solvers and zeros
        own = GridSearchCV(estimator, {next(iter(grid)): [1.0]}).fit(*there)

    def kinds(found):
        last = found.best_estimator_[-1] if hasattr(found.best_estimator_, "steps") else found
        last = getattr(last, "best_estimator_", last)
        names = [name for name in vars(last) if name.endswith("_")]
        return {
            name: (type(getattr(last, name)), getattr(getattr(last, name), "dtype", None))
            for name in names
        }

    assert kinds(search) == kinds(own)
    predicted = search.predict(there[0])
    assert type(predicted) is type(there[0])
    np.testing.assert_allclose(np.asarray(predicted), reference.predict(X), rtol=1e-9)
    assert search.score(*there) == pytest.approx(reference.score(X, y), rel=1e-6)


@own_process
def test_only_the_target_is_a_tensor(cancer):
    X, y = cancer
    search = BAMMSearchCV(SCALED, C).fit(X, torch.tensor(y))
    assert isinstance(search.classes_, torch.Tensor)
    assert isinstance(search.predict(X), np.ndarray)


@own_process
def test_labels_that_are_text_beside_tensors(cancer):
    X, y = cancer
    search = BAMMSearchCV(SCALED, C).fit(torch.tensor(X), np.array(["no", "yes"])[y])
    assert search.predict(torch.tensor(X)).tolist()[:3] == ["no", "no", "no"]


@own_process
def test_an_estimator_that_scikit_learn_does_not_dispatch_predicts_where_it_can():
    """A Lasso's products work on tensors, whatever its fit does."""
    X, y = load_diabetes(return_X_y=True)
    search = BAMMSearchCV(Lasso(), {"alpha": (1e-2, 1e2)}).fit(torch.tensor(X), torch.tensor(y))
    assert isinstance(search.best_estimator_.coef_, torch.Tensor)
    assert isinstance(search.predict(torch.tensor(X)), torch.Tensor)


@own_process
def test_an_estimator_that_cannot_predict_there_is_told(cancer):
    X, y = cancer
    model = RandomForestClassifier(5, random_state=0)
    with pytest.warns(UserWarning, match="holds NumPy arrays .* RandomForestClassifier"):
        search = BAMMSearchCV(model, {"n_estimators": [2, 5]}).fit(torch.tensor(X), torch.tensor(y))
    assert len(search.best_estimator_.predict(X)) == len(X)


@own_process
def test_parameters_stay_as_they_are_given(cancer):
    """Penalties of a ridge regression may be arrays: they are NumPy's as the user's were."""
    X = torch.tensor(cancer[0][:, :4])
    alpha = np.array([1.0, 2.0])
    grid = [{"alpha": [alpha, 2 * alpha]}, {"alpha": [np.float64(0.5)]}]
    search = BAMMSearchCV(Ridge(), grid).fit(X, torch.tensor(cancer[0][:, 4:6]))
    assert isinstance(search.best_estimator_.alpha, np.ndarray | np.float64)


@own_process
def test_weights_and_groups_are_tensors(cancer):
    X, y = cancer
    weight, groups = np.arange(len(y)) % 3 + 1.0, np.arange(len(y)) % 7
    grid, cv = {"C": (1e-3, 1e3)}, GroupKFold(3)
    X = StandardScaler().fit_transform(X)
    ours, theirs = (
        BAMMSearchCV(LogisticRegression(), grid, cv=cv).fit(
            kind(X), kind(y), sample_weight=kind(weight), groups=kind(groups)
        )
        for kind in (torch.tensor, np.array)
    )
    same_table(ours, theirs)


@own_process
def test_frames_are_solved_jointly_while_dispatch_is_on(cancer):
    pd = pytest.importorskip("pandas")
    search = BAMMSearchCV(SCALED, C).fit(pd.DataFrame(cancer[0]), cancer[1])
    assert search.search_plan_[0]["role"] == "searched"
    assert search.search_plan_[0]["reason"] == ""


@own_process
def test_kernels(cancer):
    X, y = load_diabetes(return_X_y=True)
    search = BAMMSearchCV(KernelRidge(kernel="rbf"), {"alpha": (1e-2, 1e2)})
    search.fit(torch.tensor(X[:100]), torch.tensor(y[:100]))
    same_table(
        search,
        BAMMSearchCV(KernelRidge(kernel="rbf"), {"alpha": (1e-2, 1e2)}).fit(X[:100], y[:100]),
    )
