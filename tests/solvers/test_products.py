"""Lists of models whose Hessian is large: several classes, many features.

Steps are found by products with the Hessian; that of few coefficients of all classes is a matrix.
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skbamm import BAMMSearchCV
from skbamm.folds import DenseRows
from skbamm.glm import joint as joint_metric
from skbamm.search import solving
from skbamm.solvers.grams import KnownGrams

VALUES = [1e-3, 10.0, 0.03, 0.3, 1.0, 100.0]


def classes(count, rows=240, features=6, **options):
    return make_classification(
        rows, features, n_informative=features - 1, n_redundant=0, n_classes=count,
        n_clusters_per_class=1, random_state=0, **options,
    )  # fmt: skip


def words(count, rows=80, features=1510):
    """Few words a row, of more features than matrices of them are made of."""
    rng = np.random.default_rng(0)
    seen = 1 / (np.arange(features) + 5.0)
    X = sp.csr_array(rng.poisson(seen * 8 / seen.sum() * 5, size=(rows, features)).astype(float))
    w = rng.normal(size=(features, count))
    return sp.csr_matrix(X), (X @ w + rng.gumbel(size=(rows, count))).argmax(1)


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:150] / 16, y[:150]


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
    monkeypatch.setattr(solving, "budget", lambda *_: None)


@pytest.fixture(autouse=True)
def products(monkeypatch, request):
    """Make no matrices of all classes, however small, but where a test is of these."""
    if "whole" not in request.node.name:
        monkeypatch.setattr(joint_metric, "JOINT", replace(joint_metric.JOINT, most=0))


@pytest.mark.filterwarnings("ignore:.*[Ll]ine [Ss]earch")  # of own fits, at so small a tol
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "float32") for name in CASES),
        ("three classes", "float64"),
        ("of other scales", "float64"),
        *(
            pytest.param(name, dtype, id=f"{name}-{dtype}-whole")
            for name in CASES
            for dtype in ("float32", "float64")
            if "many" not in name and "some" not in name and "ten" not in name
        ),
    ],
)
def test_tables_are_those_of_own_fits(name, dtype):
    (X, y), options = CASES[name]
    weight = None
    if "weights" in name:
        weight = np.random.default_rng(1).uniform(0.2, 2, len(y))
    model = LogisticRegression(solver="newton-cg", tol=1e-10, max_iter=10000, **options)
    settings = {"param_grid": {"C": VALUES}, "scoring": "neg_log_loss", "cv": 2}
    search = BAMMSearchCV(model, **settings, dtype=dtype).fit(X, y, sample_weight=weight)
    assert search.search_plan_[0]["role"] == "joint grid"
    grid = GridSearchCV(model, **settings).fit(X, y, sample_weight=weight)
    for table in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(
            search.cv_results_[table], grid.cv_results_[table], rtol=1e-6, atol=1e-6
        )


def test_values_near_each_other_share_matrices(monkeypatch):
    """Matrices are made of some values of a list, and its table is that of matrices of each."""
    X, y = classes(3)
    made, tables = [0, 0], []
    gram = DenseRows.gram
    for kind, near in enumerate((KnownGrams.near, lambda *_: None)):

        def counted(*args, kind=kind):
            made[kind] += 1
            return gram(*args)

        monkeypatch.setattr(DenseRows, "gram", counted)
        monkeypatch.setattr(KnownGrams, "near", near)
        search = BAMMSearchCV(
            LogisticRegression(), {"C": np.logspace(-3, 3, 14)}, scoring="neg_log_loss", cv=3
        ).fit(X, y)
        tables.append(search.cv_results_["mean_test_score"])
    assert made[0] < made[1]
    np.testing.assert_allclose(*tables, rtol=0, atol=3e-7)


@pytest.mark.parametrize("rows", [80, 1200])
def test_an_interval_is_judged_from_end_to_end(rows):
    """Few rows need as many points as a coarse list has; of many, one beside the best is enough."""
    X, y = words(2, rows)
    search = BAMMSearchCV(LogisticRegression(), {"C": (1e-4, 1e4)}, cv=3).fit(X, y)
    assert search.search_plan_[0]["role"] == "searched"
    stages = search.cv_results_["stage"]
    scanned = np.log(np.asarray(search.cv_results_["param_C"][stages == "scan"], dtype=float))
    apart = np.diff(np.sort(scanned))
    if rows == 80:
        np.testing.assert_allclose(np.sort(scanned), np.log(np.logspace(-4, 4, 9)), atol=1e-9)
    else:  # between the best and the point before it, of a stronger penalty
        assert len(scanned) == 6 and np.isclose(apart.min(), apart.max() / 2)
