"""A search on a GPU finds what it finds on the CPU: on a pretended one, and on a real one."""

import warnings
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler, scale
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, PerGroup, SampleWeights
from skbamm.bilevel.adaptive import AdaptiveIteration
from skbamm.data.device_matrix import DeviceMatrix, sent
from skbamm.search.weighing import partitions
from skbamm.solvers.linear import LinearSolver
from skbamm.weights import learner
from tests.pretend_gpu import memory, pretended_gpu, waits
from tests.pretend_gpu import sent as copied
from tests.shrinkage.vectors import quick

X, Y = load_diabetes(return_X_y=True)
X, Y = scale(X[:120, :6]), (Y[:120] - 150) / 75
WINE, KINDS = load_wine(return_X_y=True)
WINE, KINDS = scale(WINE[::2, :5]), KINDS[::2]
TWO = WINE, (KINDS == 1).astype(int)
SPARSE = sp.csr_array(np.where(WINE > 0.5, WINE, 0)), TWO[1]
MANY = np.random.default_rng(0).standard_normal((9000, 30))
LABELS = (MANY[:, 0] + MANY[:, 1] > 0.5).astype(int)

SEARCHES = {
    "logistic": (LogisticRegression(), {"C": (1e-2, 1e2)}, TWO, "neg_log_loss"),
    "single": (LogisticRegression(), {"C": (1e-2, 1e2)}, (MANY, LABELS), "neg_log_loss"),
    "grid": (LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, (WINE, KINDS), "neg_log_loss"),
    "pairs": (LogisticRegression(), {"C": (1e-2, 1e2)}, TWO, "roc_auc"),
    "sparse": (LogisticRegression(), {"C": (1e-2, 1e2)}, SPARSE, "neg_log_loss"),
    "pipeline": (
        make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": (1e-2, 1e3)}, (X, Y), "r2"
    ),
    "wide": (Ridge(), {"alpha": (1e-2, 1e3)}, (X[:5].T @ X[:5, :2] @ X[:40, :2].T, Y[:6]), "r2"),
    "two": (ElasticNet(), {"alpha": (1e-2, 1), "l1_ratio": (0.1, 0.9)}, (X, Y), "r2"),
    "positive": (Ridge(positive=True), {"alpha": (1e-2, 1e3)}, (X, Y), "r2"),
    "kinks": (LinearSVC(loss="hinge"), {"C": (1e-2, 1e1)}, TWO, "accuracy"),
    "kernel": (KernelRidge(kernel="rbf"), {"alpha": (1e-2, 1), "gamma": (0.01, 1)}, (X, Y), "r2"),
    "groups": (Ridge(), {"alpha": PerGroup(1, 1e3, [0, 0, 0, 1, 1, 1])}, (X, Y), "r2"),
    "weights": (LogisticRegression(), {"C": (1e-2, 1e1)}, TWO, "accuracy"),
}  # fmt: skip


def fitted(name, device, max_iter=100, tensors=False):
    model, space, data, scoring = SEARCHES[name]
    data = as_tensors(data, device) if tensors else data
    weights = SampleWeights() if name == "weights" else None
    search = BAMMSearchCV(
        model, space, scoring=scoring, cv=2, device=device, sample_weights=weights, tol=1e-2,
        max_iter=max_iter,
    )  # fmt: skip
    # Weights are learned in the same way in each round, and with each partition.
    with quick(), few_rounds(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return search.fit(*data)


@contextmanager
def few_rounds():
    with patch.object(learner, "_ROUNDS", 2), patch.object(partitions, "_REPEATS", 1):
        yield


@cache
def fitted_on_cpu(name, max_iter):
    return fitted(name, "cpu", max_iter)


def as_tensors(data, device):
    return tuple(part if sp.issparse(part) else torch.tensor(part).to(device) for part in data)


# Tensors differ from arrays in how they arrive: once for each kind of rows.
@pytest.mark.parametrize(
    ("name", "tensors"),
    [(name, False) for name in SEARCHES]
    + [(name, True) for name in ("grid", "single", "sparse", "pipeline", "kernel", "groups")],
)
def test_a_pretended_gpu_changes_nothing(name, tensors):
    # A few iterations are enough to see everything, and as good as many: all digits are the same.
    # But what else the scorer is to judge depends on whether a search has converged.
    few = 100 if name == "two" else 6
    plain = fitted_on_cpu(name, few)
    with pretended_gpu() as device:
        search = fitted(name, device, few, tensors)
    assert search.device_ == device and plain.device_ == "cpu"
    assert search.search_plan_ == plain.search_plan_
    near = 1e-3 if name == "two" else 1e-7  # coordinate descent, the CPU's own, is there sooner
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], rtol=near
    )


ON_A_GPU = {
    "logistic": (LogisticRegression(), {"C": (1e-2, 1e2)}, "roc_auc"),
    "list": (LogisticRegression(), {"C": [0.1, 1.0]}, ["accuracy", "neg_log_loss"]),
    "ridge": (Ridge(), {"alpha": (1e-2, 1e2)}, None),
    "scaled": (
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": (1e-2, 1e2)}, "neg_log_loss",
    ),
    "squeezed": (
        make_pipeline(MinMaxScaler(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]}, "f1",
    ),
    "largest": (
        make_pipeline(MaxAbsScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0]}, "r2"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_A_GPU)
def test_nothing_of_the_size_of_x_is_copied_to_or_from_a_gpu(name):
    """Not by the search, not by the scores, and not by the refit."""
    model, space, scoring = ON_A_GPU[name]
    X = np.concatenate([MANY] * 5)  # large enough for folds that share what is scaled
    rng = np.random.default_rng(1)
    y = np.concatenate([LABELS] * 5) ^ (rng.random(len(X)) < 0.1)
    several = isinstance(scoring, list)
    weight = np.arange(len(y)) % 3 + 1.0
    prefix = f"{model.steps[-1][0]}__" if hasattr(model, "steps") else ""
    given = {f"{prefix}sample_weight": weight} if name in ("list", "ridge", "squeezed") else {}
    options = {"scoring": scoring, "cv": 2, "refit": "accuracy" if several else True}
    options["max_iter"] = 6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain = BAMMSearchCV(model, space, device="cpu", **options).fit(X, y, **given)
        with pretended_gpu() as device:
            there = as_tensors((X, y), device)
            search = BAMMSearchCV(model, space, device=device, **options)
            copied.clear()
            search.fit(*there, **given)
    most = 3 * len(X)  # weights of both folds; X has ten times as many
    assert max(numbers for _, numbers in copied) <= most
    assert sum(numbers for way, numbers in copied if way == "home") < X.size / 2
    score = "split0_test_accuracy" if several else "split0_test_score"
    ours, theirs = (np.sort(one.cv_results_[score]) for one in (search, plain))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)  # the same points, in whatever order
    one, other = (s.best_estimator_ for s in (search, plain))
    one, other = (e[-1] if hasattr(e, "steps") else e for e in (one, other))
    assert np.abs(one.coef_ - other.coef_).max() < 2e-2 * np.abs(other.coef_).max()


@pytest.mark.parametrize("name", ["logistic", "list", "scaled"])
def test_a_gpu_holds_little_beside_the_matrix(name, monkeypatch):
    """At most 1.75 times the matrix at its peak, with bounds as small beside it as of a large one.

    A quarter of it are weights of rows, which with more features matter less: what a GPU takes of
    2,000,000 x 200 is for ``benchmarks.gpu`` to measure, whose bar is 1.6.

    Scores of ranks hold more: their criterion sees all predictors at once.
    """
    model, space, scoring = ON_A_GPU[name]
    scoring = "neg_log_loss" if name == "logistic" else scoring
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60_000, 100)).astype(np.float32)
    y = (X[:, 0] + rng.standard_normal(len(X)) > 0).astype(int)
    bounds = {
        "folds.chunks._ON_DEVICE": X.size // 12, "search.device_scores._NUMBERS": X.size // 3,
        "data.far_rows._PART": X.size // 48, "glm.problem._KEEP": X.nbytes // 24,
        "folds.weights._KEPT": 0, "starts.subsample._ROWS": 1024,
        "folds.chunked._FEW_ON_DEVICE": X.size // 12,
    }  # fmt: skip
    for name_of_bound, value in bounds.items():
        monkeypatch.setattr(f"skbamm.{name_of_bound}", value)
    options = {"scoring": scoring, "cv": 5, "refit": "accuracy" if name == "list" else True}
    with warnings.catch_warnings(), pretended_gpu() as device:
        warnings.simplefilter("ignore", ConvergenceWarning)
        there = as_tensors((X, y), device)
        before = memory.now - there[0].nbytes
        memory.restart()
        BAMMSearchCV(model, space, device=device, **options).fit(*there)
    assert memory.most - before <= 1.75 * X.nbytes


def test_an_iteration_waits_for_a_gpu_once(monkeypatch):
    step, seen = AdaptiveIteration.step, []

    def counted(self, k):
        before, several = len(waits), len(self.here.starts) > 1
        # A new metric: whether its factor is one, and how near starts are.
        looks = (1 + several) * (self.here.curvature is None)
        found = step(self, k)
        seen.append(len(waits) - before - looks)
        return found

    monkeypatch.setattr(AdaptiveIteration, "step", counted)
    with pretended_gpu() as device:
        fitted("single", device)
    assert min(seen) == 1 and np.median(seen) == 1
    assert max(seen) <= 3  # where starts are chosen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", SEARCHES)
def test_a_gpu_finds_the_same(name):
    plain, search = fitted(name, "cpu"), fitted(name, "cuda")
    assert search.device_.startswith("cuda")
    assert search.search_plan_ == plain.search_plan_
    assert search.best_score_ == pytest.approx(plain.best_score_, rel=1e-4, abs=1e-6)


def test_a_matrix_goes_to_a_gpu_once_for_all_candidates(monkeypatch):
    ways = []

    def counted(tensor, device):
        ways.append(tensor.shape)
        return sent(tensor, device)

    monkeypatch.setattr("skbamm.data.device_matrix.sent", counted)
    space = {"C": (1e-2, 1e2), "class_weight": [None, "balanced"]}
    with pretended_gpu() as device, quick():
        BAMMSearchCV(LogisticRegression(), space, cv=2, device=device, tol=1e-2).fit(*TWO)
    assert ways == [TWO[0].shape]


def test_where_a_gpu_has_not_the_memory_the_cpu_goes_on(monkeypatch):
    solve = LinearSolver.search

    def search(self, *args, **options):
        if self.device.type != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 EiB.")
        return solve(self, *args, **options)

    monkeypatch.setattr(LinearSolver, "search", search)
    plain = fitted("pipeline", "cpu")
    with pretended_gpu() as device, pytest.warns(RuntimeWarning, match="continues on the CPU"):
        found = fitted("pipeline", device)
    assert found.device_ == "cpu" and found.best_score_ == plain.best_score_


def test_where_a_gpu_has_no_room_for_the_matrix_the_cpu_goes_on(monkeypatch):
    def full(tensor, device):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 EiB.")

    monkeypatch.setattr("skbamm.data.device_matrix.sent", full)
    plain = fitted("logistic", "cpu")
    with pretended_gpu() as device, pytest.warns(RuntimeWarning, match="continues on the CPU"):
        found = fitted("logistic", device)
    assert found.device_ == "cpu" and found.best_score_ == plain.best_score_


def test_a_matrix_goes_to_a_device_once_and_stays_on_the_cpu_as_it_is(monkeypatch):
    here = DeviceMatrix(MANY, torch.device("cpu"))
    assert here.tensor(torch.float64).data_ptr() == MANY.ctypes.data
    single = here.tensor(torch.float32)  # a small one
    assert single.dtype == torch.float32 and here.tensor(torch.float32) is single
    monkeypatch.setattr("skbamm.data.device_matrix._COPIED", MANY.nbytes // 2 - 1)
    large = DeviceMatrix(MANY, torch.device("cpu"))
    assert large.tensor(torch.float32).data_ptr() == MANY.ctypes.data
    with pretended_gpu() as device:
        there = DeviceMatrix(MANY, torch.device(device))
        double, single = there.tensor(torch.float64), there.tensor(torch.float32)
        assert there.tensor(torch.float64) is double and there.tensor(torch.float32) is single
        np.testing.assert_array_equal(single.cpu().numpy(), MANY.astype("f4"))


@pytest.mark.parametrize("part", [1000, 4096, 1 << 22])
def test_a_matrix_that_goes_in_parts_arrives_whole(part):
    sent_by_parts = sent(torch.from_numpy(MANY), torch.device("cpu"), part)
    np.testing.assert_array_equal(sent_by_parts.numpy(), MANY)


@pytest.mark.parametrize("make", [np.array, np.asfortranarray, lambda X: sp.csr_array(X)])
def test_one_entry_that_is_not_finite_is_found(make):
    X = np.full((5000, 40), 1e307)
    here = torch.device("cpu")
    assert DeviceMatrix(make(X), here).all_finite()
    with pretended_gpu() as device:
        assert DeviceMatrix(make(X), torch.device(device)).all_finite()
    for value in (np.nan, np.inf, -np.inf):
        worse = X.copy()
        worse[4321, 7] = value
        assert not DeviceMatrix(make(worse), here).all_finite()
        with pretended_gpu() as device:
            assert not DeviceMatrix(make(worse), torch.device(device)).all_finite()


def test_what_a_gpu_refuses_is_refused():
    with pretended_gpu() as device:
        there = torch.ones(3, device=device)
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError):
            there.numpy()
        assert (there + 1).cpu().tolist() == [2, 2, 2]
