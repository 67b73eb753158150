"""Wide rows are solved as coordinates in the space that they span."""

import numpy as np
import pytest
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, PerGroup
from skbamm.data.folded import FoldedData
from skbamm.data.row_space import RowSpace, are_wide
from tests.truth import assert_grid_search_agrees, assert_true, search_over

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 180))
X[:, 1] = 3.0  # a constant feature
X[:, 2] = X[:, 3]
SIGNAL = X[:, :10].sum(1) / 3 + RNG.normal(size=50)
LABELS = np.digitize(SIGNAL, [-0.5, 0.5])
TIGHT = {"tol": 1e-10, "max_iter": 100_000}
CV = KFold(3)
MODELS = {
    "two classes": (LogisticRegression(**TIGHT), "C", LABELS > 0, "neg_log_loss"),
    "no intercept": (
        LogisticRegression(fit_intercept=False, **TIGHT), "C", LABELS > 0, "neg_log_loss",
    ),
    "three classes": (LogisticRegression(**TIGHT), "C", LABELS, "neg_log_loss"),
    "liblinear": (
        LogisticRegression(solver="liblinear", **TIGHT), "C", LABELS > 0, "neg_log_loss",
    ),
    "machine": (LinearSVC(**TIGHT), "C", LABELS, "accuracy"),
    "ridge": (Ridge(), "alpha", SIGNAL, "neg_mean_squared_error"),
    "ridge of classes": (RidgeClassifier(), "alpha", LABELS, "accuracy"),
    "counts": (
        PoissonRegressor(solver="newton-cholesky", tol=1e-10), "alpha", np.exp(SIGNAL / 3),
        "neg_mean_absolute_error",
    ),
}  # fmt: skip


@pytest.fixture
def reduced(monkeypatch):
    """Which of the data of all folds were solved in coordinates."""
    seen, own = [], FoldedData.__init__

    def init(self, *args, **options):
        own(self, *args, **options)
        seen.append(self.in_coordinates)

    monkeypatch.setattr(FoldedData, "__init__", init)
    return seen


def test_coordinates_are_those_of_the_rows():
    space = RowSpace.of(X)
    np.testing.assert_allclose(space.coordinates @ space.basis, X, atol=1e-12)
    np.testing.assert_allclose(space.basis @ space.basis.T, np.eye(50), atol=1e-12)
    coef = RNG.normal(size=(2, 50)) @ X
    for intercept in (False, True):
        given = np.c_[coef, [1.0, 2.0]] if intercept else coef
        back = space.outside(space.inside(given, intercept), intercept)
        np.testing.assert_allclose(back, given, atol=1e-10)


def test_wide_is_more_features_than_rows_that_are_not_many():
    assert are_wide([(50, 180)], False) and are_wide([(40, 180), (50, 180)], False)
    assert not are_wide([(150, 180)], False) and not are_wide([(0, 180)], False)
    assert are_wide([(280, 900)], False) and not are_wide([(280, 900)], True)


@pytest.mark.parametrize("scaled", [False, True], ids=["alone", "in a pipeline"])
@pytest.mark.parametrize("name", MODELS)
def test_tables_and_models_are_scikit_learns(name, scaled, reduced):
    model, parameter, y, scoring = MODELS[name]
    prefix = f"{type(model).__name__.lower()}__" if scaled else ""
    estimator = make_pipeline(StandardScaler(), model) if scaled else model
    weight = {f"{prefix}sample_weight": RNG.uniform(0.2, 1, 50)}
    grid = {prefix + parameter: [0.01, 0.1, 1.0]}
    search = assert_grid_search_agrees(estimator, grid, X, y, weight, cv=CV, scoring=scoring)
    assert any(reduced)
    own = estimator.set_params(**search.best_params_).fit(X, y, **weight)
    ours, theirs = (e[-1] if scaled else e for e in (search.best_estimator_, own))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4 * np.abs(theirs.coef_).max())


@pytest.mark.parametrize("name", ["two classes", "three classes", "ridge", "counts"])
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_intervals(name, reduced):
    model, parameter, y, scoring = MODELS[name]
    search = search_over(model, {parameter: (1e-3, 1e2)}, X, y, cv=CV, scoring=scoring)
    assert any(reduced)
    assert_true(search, X, y, cv=CV, scoring=scoring)
    values = list(np.geomspace(1e-3, 1e2, 9))
    few = search_over(model, {parameter: values}, X, y, cv=CV, scoring=scoring)
    assert search.best_score_ >= few.best_score_ - 1e-4 * abs(few.best_score_)


@pytest.mark.parametrize(
    "model, grid",
    [
        (Ridge(), {"alpha": PerGroup(1e-2, 1e2, np.arange(180) % 2, shrinkage=False)}),
        (Ridge(positive=True), {"alpha": [0.1, 1.0]}),
        (LogisticRegression(solver="saga", **TIGHT), {"C": [0.01], "l1_ratio": [0.0, 0.5]}),
    ],
    ids=["groups", "positive", "absolute values"],
)
def test_other_penalties_need_the_features_themselves(model, grid, reduced):
    y = LABELS > 0 if "l1_ratio" in grid else SIGNAL
    BAMMSearchCV(model, grid, cv=CV, refit=False).fit(X, y)
    assert reduced and not any(reduced)
