"""Rows on a (pretended) GPU: what scikit-learn gets of them, and scalers fitted where they lie."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_array

from skbamm import BAMMSearchCV
from skbamm.data import far_rows as module
from skbamm.data.far_rows import FarRows, at_home, far_rows, fit_far, with_rows_at_home
from tests.pretend_gpu import pretended_gpu, sent

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4)) * [1, 10, 0, 1e-3] + [0, 5, 3, 0]
Y = (X[:, 0] + 0.3 * RNG.standard_normal(300) > 0).astype(int)


@pytest.fixture
def device():
    with pretended_gpu() as name:
        yield name


@pytest.fixture
def rows(device):
    return far_rows(torch.tensor(X).to(device))


def test_they_look_like_the_matrix(rows):
    assert (rows.shape, rows.ndim, len(rows), rows.size) == (X.shape, 2, 300, X.size)
    assert rows.dtype == X.dtype
    np.testing.assert_array_equal(np.asarray(rows), X)
    np.testing.assert_array_equal(check_array(rows), X)
    assert np.asarray(rows, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize(
    "key", [slice(5, 20), slice(None, None, 7), slice(None, None, -1), np.array([3, 3, 1]),
            np.arange(300) % 3 == 0, np.array([], dtype=int)],
)  # fmt: skip
def test_rows_of_rows_hold_nothing_until_they_are_asked_for(rows, key):
    sent.clear()
    some = _safe_indexing(rows, key)
    again = some[::2]
    assert isinstance(again, FarRows) and not [way for way, _ in sent if way == "home"]
    np.testing.assert_array_equal(np.asarray(again), X[key][::2])


def test_entries_and_columns_come_home(rows):
    assert rows[3, 1] == X[3, 1]
    np.testing.assert_array_equal(rows[:, 1], X[:, 1])
    np.testing.assert_array_equal(rows[7], X[7])


def test_another_process_gets_numbers(rows):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows[:9])), X[:9])


def test_products(rows, monkeypatch):
    monkeypatch.setattr(module, "_PART", 64)
    B = RNG.standard_normal((4, 2))
    np.testing.assert_allclose(rows @ B, X @ B, rtol=1e-12)


def test_functions_get_rows_of_numpy(rows):
    def score(model, X, y):
        """Doc."""
        return type(X)

    assert with_rows_at_home(score)(None, rows, None) is np.ndarray
    assert with_rows_at_home(score).__doc__ == "Doc."
    assert at_home(X) is X


@pytest.mark.parametrize(
    "dtype, seen",
    [(torch.float32, "f4"), (torch.float16, "f8"), (torch.bfloat16, "f4"), (torch.int64, "f8")],
)
def test_numbers_of_other_kinds(device, dtype, seen):
    found = far_rows(torch.tensor([[1.0, 2.0]]).to(dtype).to(device))
    assert found.dtype == seen and np.asarray(found).tolist() == [[1.0, 2.0]]


def test_what_stays_as_it_is(device):
    assert far_rows(torch.tensor(X)) is None and far_rows(X) is None
    assert far_rows(torch.tensor(Y).to(device)) is None  # no matrix


class Foreign:
    """An array of another library that lies elsewhere."""

    def __init__(self, kind):
        self.kind = kind

    def __dlpack_device__(self):
        return self.kind, 0


def test_arrays_of_other_libraries_are_taken_by_dlpack(device, monkeypatch):
    monkeypatch.setattr(torch, "from_dlpack", lambda array: torch.tensor(X).to(device))
    np.testing.assert_array_equal(np.asarray(far_rows(Foreign(2))), X)
    assert far_rows(Foreign(1)) is None


SCALERS = [
    StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False),
    StandardScaler(with_mean=False, with_std=False), MinMaxScaler((-1, 2)), MaxAbsScaler(),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_a_scaler_is_as_its_own_fit_leaves_it(device, monkeypatch, scaler, dtype):
    monkeypatch.setattr(module, "_PART", 100)
    train = np.r_[np.arange(0, 300, 2), 4, 4]
    own = clone(scaler).fit(X.astype(dtype)[train])
    ours = clone(scaler)
    fit_far(ours, far_rows(torch.tensor(X.astype(dtype)).to(device))[train])
    assert vars(ours).keys() == vars(own).keys()
    for name, value in vars(own).items():
        found = vars(ours)[name]
        assert type(found) is type(value), name
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype, name
            np.testing.assert_allclose(
                found, value, rtol=1e-12 if dtype == np.float64 else 1e-6, atol=1e-14
            )
        elif name.endswith("_"):
            assert found == value, name


@pytest.mark.parametrize("scaled", [False, True])
def test_features_far_from_zero(device, scaled):
    """They are brought near zero where they lie."""
    far = X[:, [0, 1]] + [1e6, -1e7]
    model = make_pipeline(StandardScaler(), LogisticRegression()) if scaled else Ridge()
    space = {"logisticregression__C" if scaled else "alpha": [0.1, 1.0]}
    here = BAMMSearchCV(model, space, cv=3, device="cpu").fit(far, Y)
    there = BAMMSearchCV(model, space, cv=3, device=device).fit(torch.tensor(far).to(device), Y)
    np.testing.assert_allclose(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"], rtol=1e-6
    )
    assert there.search_plan_ == here.search_plan_


def test_the_device_follows_the_rows(device, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)  # whichever that is
    monkeypatch.setattr("skbamm.search.fitting.choose_device", lambda *_: torch.device(device))
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(torch.tensor(X).to(device), Y)
    assert search.device_ == device


def test_own_fits_get_numbers(device):
    """A value that no solver takes, beside those that it does, is fitted by the estimator."""
    space = {"C": [0.1, 1.0], "solver": ["lbfgs", "newton-cholesky"], "tol": [1e-8]}
    space = [space, {"l1_ratio": [0.5], "solver": ["saga"], "tol": [1e-8], "max_iter": [10_000]}]
    data = X[:, :2], Y
    own = GridSearchCV(LogisticRegression(), space, cv=3).fit(*data)
    there = BAMMSearchCV(LogisticRegression(), space, cv=3, device=device)
    there.fit(torch.tensor(data[0]).to(device), Y)
    np.testing.assert_allclose(
        there.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"], atol=1e-9
    )


def test_a_users_function_scores_rows_of_numpy(device):
    kinds = []

    def score(model, X, y):
        kinds.append(type(X))
        return float((model.predict(X) == y).mean())

    search = BAMMSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, scoring=score, device=device
    ).fit(torch.tensor(X).to(device), torch.tensor(Y).to(device))
    assert set(kinds) == {np.ndarray} and search.scorer_ is score


def test_numbers_that_are_not_finite_get_the_estimators_error(device):
    worse = X.copy()
    worse[5, 1] = np.nan
    search = BAMMSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, device=device, error_score="raise"
    )
    with pytest.raises(ValueError, match="Input X contains NaN"):
        search.fit(torch.tensor(worse).to(device), Y)
