"""Lists whose models are solved by products with their Hessian: several classes, many features."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skbamm import BAMMSearchCV
from skbamm.search import run

VALUES = [1e-3, 10.0, 0.02, 0.1, 0.5, 2.0, 300.0]


def classes(count, rows=240, features=6, **options):
    return make_classification(
        rows, features, n_informative=features - 1, n_redundant=0, n_classes=count,
        n_clusters_per_class=1, random_state=0, **options,
    )  # fmt: skip


def words(count, rows=120, features=1600):
    """Few words a row, of more features than matrices of them are made of."""
    rng = np.random.default_rng(0)
    seen = 1 / (np.arange(features) + 5.0)
    X = sp.csr_array(rng.poisson(seen * 8 / seen.sum() * 5, size=(rows, features)).astype(float))
    w = rng.normal(size=(features, count))
    return sp.csr_matrix(X), (X @ w + rng.gumbel(size=(rows, count))).argmax(1)


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def scales():
    X, y = classes(3)
    return X * np.logspace(-2, 2, X.shape[1]) + 5, y


CASES = {
    "two classes, many features": (words(2), {}),
    "three classes": (classes(3), {}),
    "three classes, many features": (words(3), {}),
    "three classes, some features": (words(3, features=700), {}),
    "ten classes": (digits(), {}),
    "balanced": (classes(3, weights=[0.75, 0.2]), {"class_weight": "balanced"}),
    "unbalanced, many features": (words(3), {"class_weight": {0: 0.05, 1: 1.0, 2: 3.0}}),
    "no intercept": (classes(4), {"fit_intercept": False}),
    "separable": (classes(3, class_sep=8.0, flip_y=0.0), {}),
    "of other scales": (scales(), {}),
    "weights of rows": (classes(3), {}),
    "weights of rows, many features": (words(2), {}),
    "sparse": ((sp.csr_matrix(classes(3)[0]), classes(3)[1]), {}),
}


@pytest.fixture(autouse=True)
def joint(monkeypatch):
    """Solve jointly, however small the data."""
    monkeypatch.setattr(run, "budget", lambda *_: None)


@pytest.mark.filterwarnings("ignore:.*[Ll]ine [Ss]earch")  # of own fits, at so small a tol
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_tables_are_those_of_own_fits(name, dtype):
    (X, y), options = CASES[name]
    weight = None
    if "weights" in name:
        weight = np.random.default_rng(1).uniform(0.2, 2, len(y))
    model = LogisticRegression(solver="newton-cg", tol=1e-10, max_iter=10000, **options)
    settings = {"param_grid": {"C": VALUES}, "scoring": "neg_log_loss", "cv": 3}
    search = BAMMSearchCV(model, **settings, dtype=dtype).fit(X, y, sample_weight=weight)
    assert search.search_plan_[0]["role"] == "joint grid"
    grid = GridSearchCV(model, **settings).fit(X, y, sample_weight=weight)
    for table in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(
            search.cv_results_[table], grid.cv_results_[table], rtol=1e-6, atol=1e-6
        )
