"""`ClassPenalty`: models of one class against the rest, and what an estimator must keep."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbamm import BAMMSearchCV, ClassPenalty

X, Y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)[::2, :5]
Y = np.array(["red", "rose", "white"])[Y[::2]]
LOGISTIC = LogisticRegression(tol=1e-10, max_iter=10_000)
FACTOR = [0.1, 1.0, 10.0]


@pytest.mark.parametrize("model", [LOGISTIC, RidgeClassifier(), LinearSVC(dual=False)], ids=str)
def test_each_class_is_fitted_with_its_own_penalty(model):
    found = ClassPenalty(model, FACTOR).fit(X, Y)
    for k, factor in enumerate(FACTOR):
        own = {"C": 1.0 / factor} if hasattr(model, "C") else {"alpha": 1.0 * factor}
        expected = clone(model).set_params(**own).fit(X, (found.classes_[k] == Y).astype(int))
        np.testing.assert_allclose(found.estimators_[k].coef_, expected.coef_, rtol=1e-8)
    assert found.n_features_in_ == X.shape[1]
    assert set(found.predict(X)) <= set(Y)


def test_without_factors_it_is_one_against_the_rest():
    ours, theirs = ClassPenalty(LOGISTIC).fit(X, Y), OneVsRestClassifier(LOGISTIC).fit(X, Y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("values", [[0.1, 1.0, 10.0], (1e-2, 1e2)], ids=["list", "interval"])
def test_what_scales_all_penalties_is_searched_jointly(values):
    model, options = ClassPenalty(LOGISTIC, FACTOR), {"cv": 3, "scoring": "neg_log_loss"}
    search = BAMMSearchCV(model, {"estimator__C": values}, **options).fit(X, Y)
    assert search.search_plan_[0]["role"] in ("joint grid", "searched")
    tried = {"estimator__C": [params["estimator__C"] for params in search.cv_results_["params"]]}
    grid = GridSearchCV(model, tried, **options).fit(X, Y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("model", "factor", "message"),
    [
        (LOGISTIC, [1.0, 2.0], r"each of the 3 models, got shape \(2,\)"),
        (LOGISTIC, [1.0, 0.0, 1.0], "positive and finite, got"),
        (LOGISTIC, [1.0, np.inf, 1.0], "positive and finite, got"),
        (RandomForestClassifier(), FACTOR, "RandomForestClassifier"),
    ],
)
def test_bad_input(model, factor, message):
    with pytest.raises(ValueError, match=message):
        ClassPenalty(model, factor).fit(X, Y)


@parametrize_with_checks([ClassPenalty(LogisticRegression(C=0.5))])
def test_estimator_checks(estimator, check):
    check(estimator)
