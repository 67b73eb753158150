"""Discriminant analyses that share covariances give the tables of GridSearchCV."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.shared_fits.tables import check_same_table

DATA = {
    "wine": load_wine(return_X_y=True),
    "digits": tuple(rows[:600] for rows in load_digits(return_X_y=True)),
    "breast_cancer": load_breast_cancer(return_X_y=True),
}
SHRINKAGES = {"shrinkage": [None, 0.0, 1e-4, 0.01, 0.2, 0.5, 1.0]}
AMOUNTS = {"reg_param": [0.0, 1e-3, 0.1, 0.5, 1.0]}
NAMES = ["accuracy", "neg_log_loss"]
LSQR = LinearDiscriminantAnalysis(solver="lsqr")


@pytest.mark.parametrize("name", list(DATA))
def test_linear(name):
    """Digits have features without variance: without shrinkage there are many solutions."""
    X, y = DATA[name]
    check_same_table(LSQR, SHRINKAGES, X, y, scoring=NAMES, return_train_score=True)
    check_same_table(LSQR, SHRINKAGES, X.astype(np.float32), y, scoring=NAMES)
    labels = np.array(list("abcdefghij"))[y]
    model = make_pipeline(StandardScaler(), LSQR)
    grid = {"lineardiscriminantanalysis__shrinkage": SHRINKAGES["shrinkage"]}
    check_same_table(model, grid, X, labels, scoring=NAMES, n_jobs=2)


def test_linear_with_other_lists():
    X, y = DATA["wine"]
    grid = SHRINKAGES | {"priors": [None, [0.2, 0.3, 0.5], [0.5, 0.5]]}
    check_same_table(LSQR, grid, X, y, shared=SHRINKAGES, scoring=NAMES)
    solvers = {"shrinkage": [None, "auto", 0.1, 0.2, 2.0], "solver": ["lsqr", "eigen", "svd"]}
    search = check_same_table(LSQR, solvers, X, y, shared=["shrinkage"], scoring=NAMES)
    assert "decomposes" in search.search_plan_[1]["reason"]


def test_scores_that_are_the_same():
    rng = np.random.default_rng(0)
    some = rng.integers(0, 2, (40, 6)).astype(float)
    rows = np.concatenate([some, 1 - some, some * 0 + 0.5])
    for labels in (np.repeat([0, 1, 0, 1], 30), np.tile([0, 1, 2], 40)):
        check_same_table(LSQR, SHRINKAGES, rows, labels)


def test_covariances_are_computed_once(monkeypatch):
    fits = []
    own = LinearDiscriminantAnalysis.fit
    monkeypatch.setattr(
        LinearDiscriminantAnalysis, "fit", lambda *some: fits.append(1) or own(*some)
    )
    check_same_table(LSQR, SHRINKAGES, *DATA["wine"])
    assert len(fits) == 3 * (7 + 1)  # GridSearchCV's, and ours


@pytest.mark.filterwarnings("ignore:Variables are collinear")
@pytest.mark.parametrize("name", list(DATA))
def test_quadratic(name):
    X, y = load_digits(return_X_y=True) if name == "digits" else DATA[name]
    model = QuadraticDiscriminantAnalysis()
    if not hasattr(model, "solver"):
        pytest.skip("from 1.8 on")
    check_same_table(model, AMOUNTS, X, y, scoring=NAMES, return_train_score=True)
    grid = {f"quadraticdiscriminantanalysis__{name}": values for name, values in AMOUNTS.items()}
    check_same_table(make_pipeline(StandardScaler(), model), grid, X, y == 1, scoring="roc_auc")
    check_same_table(model, AMOUNTS | {"store_covariance": [True]}, X, y, shared=())
