"""Boosted models that are fitted once give the tables of GridSearchCV."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.shared_fits.tables import check_same_table

X, Y = load_wine(return_X_y=True)
X_R, Y_R = (rows[:200] for rows in load_diabetes(return_X_y=True))
STAGES, ITERATIONS = {"n_estimators": [3, 9, 1]}, {"max_iter": [3, 9, 1]}
WEIGHTS = {"sample_weight": np.linspace(0, 1, len(Y))}
BOTH = ["accuracy", "neg_log_loss"]


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(random_state=0),
        GradientBoostingClassifier(random_state=1, subsample=0.6, max_features=3, init="zero"),
        GradientBoostingClassifier(random_state=np.random.RandomState(3), warm_start=True),
    ],
)
def test_classes(model):
    check_same_table(model, STAGES, X, Y, scoring=BOTH, return_train_score=True)
    grid = STAGES | {"loss": ["log_loss", "exponential"]}
    check_same_table(model, grid, X, Y == 1, shared=STAGES, scoring=["roc_auc", "neg_log_loss"])


@pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error", "quantile"])
def test_numbers(loss):
    model = GradientBoostingRegressor(loss=loss, random_state=0, subsample=0.7)
    check_same_table(model, STAGES | {"ccp_alpha": [0.0, 10.0]}, X_R, Y_R, shared=STAGES)


def test_weights_sparse_rows_and_pipelines():
    model = GradientBoostingClassifier(random_state=0)
    check_same_table(model, STAGES, sp.csr_matrix(X), Y, fit_params=WEIGHTS, scoring=BOTH)
    grid = {"gradientboostingclassifier__n_estimators": [2, 5]}
    check_same_table(make_pipeline(StandardScaler(), model), grid, X, Y, n_jobs=2, scoring=BOTH)
    begun = GradientBoostingRegressor(init=LinearRegression(), random_state=0)
    check_same_table(begun, STAGES, X_R, Y_R, scoring=_oob)


def _oob(estimator, X, y):
    found = estimator.score(X, y) + estimator.train_score_.sum() + estimator.n_estimators_
    return found + estimator.feature_importances_[0] + len(list(estimator.staged_predict(X)))


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(),
        HistGradientBoostingClassifier(max_features=0.5, random_state=0, class_weight="balanced"),
        HistGradientBoostingClassifier(early_stopping=False, warm_start=True, max_depth=2),
    ],
)
def test_histograms_of_classes(model):
    rows = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    check_same_table(model, ITERATIONS, rows, Y, scoring=BOTH, return_train_score=True)
    scores = ["roc_auc", "neg_log_loss"]
    check_same_table(model, ITERATIONS, rows, Y == 1, fit_params=WEIGHTS, scoring=scores)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "gamma", "poisson"])
def test_histograms_of_numbers(loss):
    model = HistGradientBoostingRegressor(loss=loss)
    grid = ITERATIONS | {"learning_rate": [0.1, 0.5]}
    check_same_table(model, grid, X_R, Y_R, shared=ITERATIONS, scoring=_length)


def _length(estimator, X, y):
    return estimator.score(X, y) + estimator.n_iter_


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (
            GradientBoostingClassifier(max_depth=1, random_state=0, n_iter_no_change=2),
            "early stopping",
        ),
        (GradientBoostingClassifier(max_depth=1), "random_state"),
        (HistGradientBoostingClassifier(early_stopping=True, random_state=0), "early stopping"),
        (HistGradientBoostingRegressor(max_features=0.5), "random_state"),
    ],
)
def test_what_is_another_model_every_time(model, why):
    grid = STAGES if isinstance(model, GradientBoostingClassifier) else ITERATIONS
    rows, labels = X[:, :1], (Y == 1).astype(int)
    seeded = model.random_state is not None
    search = check_same_table(
        model, grid, rows, labels, shared=(), scoring=None if seeded else lambda *_: 0.0
    )
    assert why in search.search_plan_[0]["reason"]


def test_many_rows_stop_early():
    rows = np.random.default_rng(0).normal(size=(15_100, 2))
    model = HistGradientBoostingRegressor(random_state=0, max_leaf_nodes=3, n_iter_no_change=2)
    check_same_table(model, {"max_iter": [2, 6]}, rows, rows[:, 0])


def test_stages_are_fitted_once(monkeypatch):
    lengths = []
    own = GradientBoostingRegressor._fit_stage
    monkeypatch.setattr(
        GradientBoostingRegressor,
        "_fit_stage",
        lambda *some, **more: lengths.append(1) or own(*some, **more),
    )
    check_same_table(GradientBoostingRegressor(random_state=0), STAGES, X_R, Y_R)
    assert len(lengths) == 3 * (3 + 9 + 1 + 9)  # GridSearchCV's, and ours
