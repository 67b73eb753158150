"""Scores that are made where the rows are, on a pretended GPU: those of scikit-learn's scorers."""

import warnings
from contextlib import contextmanager
from functools import wraps

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV
from skbamm.search.presolved import StandIn
from tests.pretend_gpu import pretended_gpu

CANCER, TUMOUR = load_breast_cancer(return_X_y=True)
CANCER, TUMOUR = scale(CANCER)[:200, :6], TUMOUR[:200]
IRIS, KINDS = load_iris(return_X_y=True)
DIABETES, PROGRESS = load_diabetes(return_X_y=True)
DIABETES, PROGRESS = scale(DIABETES)[:200, :5], PROGRESS[:200]
NAMES = np.array(["benign", "malign"])[TUMOUR]

TWO = ["accuracy", "roc_auc", "average_precision", "neg_log_loss", "neg_brier_score", "f1",
       "balanced_accuracy", "precision", "recall", "f1_macro", "matthews_corrcoef"]  # fmt: skip
SEVERAL = ["accuracy", "balanced_accuracy", "neg_log_loss", "f1_macro", "f1_weighted",
           "roc_auc_ovr", "roc_auc_ovo_weighted"]  # fmt: skip
NUMBERS = [
    "r2", "neg_mean_squared_error", "neg_mean_absolute_error", "neg_root_mean_squared_error",
    "explained_variance", "neg_median_absolute_error",
]  # fmt: skip
LOGISTIC = LogisticRegression(tol=1e-8, max_iter=1000)
SEARCHES = {
    "logistic": (LOGISTIC, {"C": [0.1, 1.0]}, (CANCER, TUMOUR), TWO),
    "several": (LOGISTIC, {"C": [0.1, 1.0]}, (IRIS, KINDS), SEVERAL),
    "rest": (
        OneVsRestClassifier(LOGISTIC), {"estimator__C": [0.1, 1.0]}, (IRIS, KINDS), SEVERAL
    ),
    "machine": (LinearSVC(tol=1e-8), {"C": [0.1, 1.0]}, (CANCER, TUMOUR), TWO[:3] + TWO[5:]),
    "ridge": (Ridge(), {"alpha": [0.1, 10.0]}, (DIABETES, PROGRESS), NUMBERS),
    "outputs": (
        Ridge(), {"alpha": [0.1, 10.0]}, (DIABETES, np.c_[PROGRESS, DIABETES[:, 0] ** 2]),
        ["r2", "neg_mean_squared_error"],
    ),
    "lasso": (Lasso(tol=1e-9), {"alpha": [0.1, 1.0]}, (DIABETES, PROGRESS), NUMBERS),
    "counts": (
        PoissonRegressor(tol=1e-9), {"alpha": [0.1, 1.0]}, (DIABETES, PROGRESS),
        [*NUMBERS, "neg_mean_poisson_deviance", "neg_mean_gamma_deviance"],
    ),
    "labels": (RidgeClassifier(), {"alpha": [0.1, 10.0]}, (IRIS, KINDS), ["accuracy", "f1_macro"]),
    "scaled": (
        make_pipeline(StandardScaler(), LOGISTIC), {"logisticregression__C": [0.1, 1.0]},
        (IRIS, KINDS), SEVERAL,
    ),
}  # fmt: skip


@contextmanager
def no_rows():
    """Refuse predictions of rows: all scores are to be known."""
    own = StandIn.__getattr__

    def without(self, name):
        found = own(self, name)
        if name not in ("predict", "decision_function", "predict_proba"):
            return found

        @wraps(found)
        def refuse(X):
            raise AssertionError(f"{name} of rows")

        return refuse

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StandIn, "__getattr__", without)
        yield


def both(model, space, data, scoring, cv=3, near=1e-9, **params):
    found = []
    for device in ("cpu", None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            options = {"scoring": scoring, "cv": cv, "refit": False}
            if device is None:
                with pretended_gpu() as there, no_rows():
                    search = BAMMSearchCV(model, space, device=there, **options)
                    search.fit(*data, **params)
            else:
                search = BAMMSearchCV(model, space, device=device, **options).fit(*data, **params)
        found.append(search)
    here, there = found
    assert there.device_ != "cpu" and there.scoring is scoring
    names = [name for name in here.cv_results_ if "_test_" in name and "rank" not in name]
    assert names
    for name in names:
        np.testing.assert_allclose(
            there.cv_results_[name], here.cv_results_[name], rtol=near, atol=1e-12, err_msg=name
        )
    return there


@pytest.mark.parametrize("name", SEARCHES)
def test_many_scores_at_once(name):
    model, space, data, scoring = SEARCHES[name]
    both(model, space, data, scoring)


@pytest.mark.parametrize("name", ["logistic", "several", "ridge", "counts", "scaled"])
def test_an_estimators_own_score(name):
    model, space, data, _ = SEARCHES[name]
    search = both(model, space, data, None)
    own = GridSearchCV(model, space, cv=3, refit=False).fit(*data)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], own.cv_results_["mean_test_score"], rtol=1e-6
    )


@pytest.mark.parametrize(
    "scoring",
    [
        {"f1": make_scorer(metrics.f1_score, pos_label="benign"), "accuracy": "accuracy"},
        make_scorer(metrics.average_precision_score, pos_label="benign",
                    response_method=("decision_function", "predict_proba")),
        make_scorer(metrics.fbeta_score, beta=2.0, pos_label="malign"),
        make_scorer(metrics.log_loss, greater_is_better=False, response_method="predict_proba",
                    labels=["benign", "malign"]),
    ],
    ids=["several", "ranks", "fbeta", "labels given"],
)  # fmt: skip
def test_options_and_labels_that_are_text(scoring):
    both(LOGISTIC, {"C": [0.1, 1.0]}, (CANCER, NAMES), scoring)


@pytest.mark.parametrize("cv", [ShuffleSplit(3, random_state=0), KFold(4, shuffle=True)])
@pytest.mark.parametrize("name", ["logistic", "ridge", "scaled"])
def test_weights_of_rows_and_tests_that_overlap(name, cv):
    model, space, data, scoring = SEARCHES[name]
    cv = list(cv.split(data[0]))
    weight = np.random.default_rng(0).random(len(data[1])) + 0.1
    prefix = "logisticregression__" if name == "scaled" else ""
    both(model, space, data, scoring[:6], cv, **{f"{prefix}sample_weight": weight})


def test_intervals():
    """Also what the scorer judges after the search."""
    data = (CANCER, TUMOUR)
    for scoring in ("neg_log_loss", "accuracy"):
        both(LOGISTIC, {"C": (0.01, 1.0)}, data, scoring)


def test_single_precision():
    both(LOGISTIC, {"C": [0.1, 100.0]}, (CANCER.astype(np.float32), TUMOUR), TWO[:6], near=1e-5)


def test_what_scikit_learn_warns_of_is_warned_of():
    """No row is called positive: the score is scikit-learn's, and so is the warning."""
    y = np.r_[np.zeros(190, int), np.ones(10, int)]
    X = np.random.default_rng(0).standard_normal((200, 3))
    with pretended_gpu() as device, pytest.warns(metrics._classification.UndefinedMetricWarning):
        search = BAMMSearchCV(
            LOGISTIC, {"C": [1e-3, 1e-2]}, scoring="precision", device=device, cv=3
        ).fit(X, y)
    assert (search.cv_results_["mean_test_score"] == 0).all()


def test_a_users_function_gets_the_rows():
    seen = []

    def scorer(estimator, X, y):
        seen.append(X.shape)
        return float((estimator.predict(X) == y).mean())

    with pretended_gpu() as device:
        search = BAMMSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, scoring=scorer, device=device, cv=2)
        search.fit(CANCER, TUMOUR)
    assert seen == [(100, 6)] * 4 and search.scorer_ is scorer


def test_losses_of_a_stochastic_gradient():
    model = SGDClassifier("log_loss", tol=1e-8, max_iter=10_000, random_state=0)
    for data in ((CANCER, TUMOUR), (IRIS, KINDS)):
        both(model, {"alpha": [0.01, 0.1]}, data, ["neg_log_loss", "accuracy"])


def test_scores_of_training_rows_are_scikit_learns():
    options = {"return_train_score": True, "cv": 3, "refit": False}
    here = BAMMSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, device="cpu", **options).fit(CANCER, TUMOUR)
    with pretended_gpu() as device:
        there = BAMMSearchCV(LOGISTIC, {"C": [0.1, 1.0]}, device=device, **options)
        there.fit(CANCER, TUMOUR)
    for name in ("mean_train_score", "mean_test_score"):
        np.testing.assert_allclose(there.cv_results_[name], here.cv_results_[name], rtol=1e-9)
