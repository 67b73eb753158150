"""A search among scikit-learn's other estimators, and those of others, with the real packages."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV

X, Y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)[::3, :8]
Y = Y[::3]
X_REG, Y_REG = load_diabetes(return_X_y=True)
X_REG, Y_REG = X_REG[::3], Y_REG[::3]


def classifier():
    return BAMMSearchCV(LogisticRegression(), {"C": (1e-3, 1e2)}, scoring="neg_log_loss", cv=3)


def regressor(**more):
    return BAMMSearchCV(Ridge(), {"alpha": (1e-4, 1e3)}, cv=3, **more)


@pytest.mark.parametrize(
    "around",
    [
        TunedThresholdClassifierCV(classifier(), cv=3),
        FixedThresholdClassifier(classifier(), threshold=0.3),
        CalibratedClassifierCV(classifier(), cv=3),
        VotingClassifier([("one", classifier()), ("two", LogisticRegression())], voting="soft"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_inside_classifiers(around):
    fitted = around.fit(X, Y)
    assert fitted.score(X, Y) > 0.9
    assert fitted.predict_proba(X).shape == (len(X), 2)


def test_a_frozen_search_is_not_fitted_again():
    search = classifier().fit(X, Y)
    calibrated = CalibratedClassifierCV(FrozenEstimator(search)).fit(X[:60], Y[:60])
    inside = calibrated.calibrated_classifiers_[0].estimator.estimator
    assert inside.best_params_ == search.best_params_
    assert calibrated.score(X, Y) > 0.9


def test_in_a_stack_it_predicts_out_of_fold_as_it_does_alone():
    stack = StackingRegressor([("search", regressor())], Ridge(), cv=3, passthrough=False)
    stack.fit(X_REG, Y_REG)
    alone = regressor().fit(X_REG, Y_REG)
    assert stack.estimators_[0].best_params_ == alone.best_params_


def test_a_selector_reads_the_coefficients_of_what_was_found():
    search = BAMMSearchCV(Lasso(), {"alpha": (1e-2, 1e1)}, cv=3)
    selector = SelectFromModel(search, importance_getter="best_estimator_.coef_", threshold=1e-5)
    kept = selector.fit(X_REG, Y_REG).get_support()
    np.testing.assert_array_equal(kept, np.abs(selector.estimator_.best_estimator_.coef_) >= 1e-5)


def test_chains_curves_and_several_scores():
    labels = np.column_stack([Y, 1 - Y])
    try:
        chain = ClassifierChain(estimator=classifier())
    except TypeError:  # before 1.7
        chain = ClassifierChain(base_estimator=classifier())
    assert (chain.fit(X, labels).predict(X).sum(1) == 1).mean() > 0.9
    results = cross_validate(regressor(), X_REG, Y_REG, cv=3, return_estimator=True)
    assert len({e.best_params_["alpha"] for e in results["estimator"]}) == 3
    sizes, *_ = learning_curve(regressor(), X_REG, Y_REG, cv=3, train_sizes=[0.5, 1.0])
    assert len(sizes) == 2


def test_set_output_and_names_of_features():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X_REG, columns=[f"f{j}" for j in range(X_REG.shape[1])])
    model = make_pipeline(make_column_transformer((StandardScaler(), ["f0", "f1"])), Ridge())
    model.set_output(transform="pandas")
    search = BAMMSearchCV(model, {"ridge__alpha": (1e-3, 1e3)}, cv=3).fit(frame, Y_REG)
    assert search.search_plan_[0]["role"] == "searched"
    names = search.best_estimator_[-1].feature_names_in_
    assert list(names) == ["standardscaler__f0", "standardscaler__f1"]
    assert list(search.feature_names_in_) == list(frame.columns)
    with config_context(transform_output="pandas"):
        again = BAMMSearchCV(model, {"ridge__alpha": (1e-3, 1e3)}, cv=3).fit(frame, Y_REG)
    assert again.best_params_ == search.best_params_


def test_polars_in_is_as_numpy_in():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame(X_REG, schema=[f"f{j}" for j in range(X_REG.shape[1])])
    search = regressor().fit(frame, polars.Series(Y_REG))
    plain = regressor().fit(X_REG, Y_REG)
    assert search.search_plan_[0]["role"] == "searched"
    assert search.best_score_ == pytest.approx(plain.best_score_, abs=1e-9)
    np.testing.assert_allclose(search.predict(frame), plain.predict(X_REG), rtol=1e-6)


def test_a_distribution_is_the_interval_of_its_support():
    search = BAMMSearchCV(Ridge(), {"alpha": loguniform(1e-4, 1e3)}, cv=3).fit(X_REG, Y_REG)
    assert search.best_params_ == regressor().fit(X_REG, Y_REG).best_params_
