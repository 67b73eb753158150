"""A search with packages that are no part of the tests' own set: each test runs where its is."""

import numpy as np
import pytest
from scipy.stats import loguniform, norm, randint, uniform
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbamm import BAMMSearchCV
from tests.contract.comparison import roles

# What other packages warn of, when they are imported or used, is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

X, Y = load_diabetes(return_X_y=True)
X_CLASS, Y_CLASS = load_breast_cancer(return_X_y=True)
ALPHA = {"alpha": (1e-4, 1e3)}


def package(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


def frame():
    pandas = package("pandas")
    table = pandas.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
    return table.assign(kind=np.where(X[:, 0] > 0, "high", "low"))


def plan(values):
    search = BAMMSearchCV(Ridge(), {"alpha": values}, cv=3).fit(X, Y)
    (row,) = search.search_plan_
    return row["role"], row["low"], row["high"], row["scale"]


def test_frozen_distributions():
    assert plan(loguniform(1e-4, 1e3)) == ("searched", 1e-4, pytest.approx(1e3), "log")
    assert plan(uniform(0.5, 2.0)) == ("searched", 0.5, 2.5, "log")
    assert plan(uniform(0.0, 2.0)) == ("searched", 0.0, 2.0, "linear")
    with pytest.raises(ValueError, match="must have finite support"):
        plan(norm(1.0))
    with pytest.raises(ValueError, match="must be continuous, got one of whole numbers"):
        plan(randint(1, 5))


def test_choices_of_skrub():
    skrub = package("skrub")
    assert plan(skrub.choose_float(1e-4, 1e3, log=True)) == ("searched", 1e-4, 1e3, "log")
    assert plan(skrub.choose_float(0.5, 2.0)) == ("searched", 0.5, 2.0, "linear")
    assert plan(skrub.choose_float(0.5, 2.0, n_steps=3))[0] == "joint grid"
    with pytest.raises(ValueError, match="must be of any number between its ends, got choose_int"):
        plan(skrub.choose_int(1, 5))


def test_pipelines_and_plans_of_skrub():
    skrub, table = package("skrub"), frame()
    model = skrub.tabular_pipeline(Ridge())
    grid = {"ridge__alpha": (1e-4, 1e3)}
    search = BAMMSearchCV(model, grid, cv=3).fit(table, Y)
    assert roles(search) == {"ridge__alpha": "searched"}
    own = cross_val_score(search.best_estimator_, table, Y, cv=3).mean()
    assert search.best_score_ == pytest.approx(own, abs=1e-6)
    rows = skrub.X(table).skb.apply(skrub.TableVectorizer())
    learner = rows.skb.apply(BAMMSearchCV(Ridge(), ALPHA, cv=3), y=skrub.y(Y)).skb.make_learner()
    learner.fit({"X": table, "y": Y})
    seen = skrub.TableVectorizer().fit_transform(table)
    alone = BAMMSearchCV(Ridge(), ALPHA, cv=3).fit(seen, Y)
    np.testing.assert_allclose(learner.predict({"X": table}), alone.predict(seen), rtol=1e-9)


def test_distributions_of_optuna_and_a_study_over_options():
    optuna = package("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distribution = optuna.distributions.FloatDistribution
    assert plan(distribution(1e-4, 1e3, log=True)) == ("searched", 1e-4, 1e3, "log")
    for other in (distribution(0.5, 2.0, step=0.5), optuna.distributions.IntDistribution(1, 5)):
        with pytest.raises(ValueError, match="must be of any number between its ends"):
            plan(other)

    def score(trial):
        model = Ridge(fit_intercept=trial.suggest_categorical("fit_intercept", [True, False]))
        return BAMMSearchCV(model, ALPHA, cv=3).fit(X, Y).best_score_

    # What has no gradient is Optuna's; each trial has its best alpha.
    grid = optuna.samplers.GridSampler({"fit_intercept": [True, False]})
    study = optuna.create_study(direction="maximize", sampler=grid)
    study.optimize(score, n_trials=2)
    both = BAMMSearchCV(Ridge(), {"fit_intercept": [True, False], **ALPHA}, cv=3).fit(X, Y)
    assert study.best_value == pytest.approx(both.best_score_, abs=1e-9)
    assert study.best_params["fit_intercept"] == both.best_params_["fit_intercept"]


def test_reports_of_skore():
    skore = package("skore")
    search = BAMMSearchCV(Ridge(), ALPHA, cv=3).fit(X[::2], Y[::2])
    report = skore.EstimatorReport(search, X_test=X[1::2], y_test=Y[1::2])
    assert report.metrics.r2() == pytest.approx(search.score(X[1::2], Y[1::2]), abs=1e-12)
    nested = skore.CrossValidationReport(BAMMSearchCV(Ridge(), ALPHA, cv=3), X, Y, splitter=3)
    expected = cross_val_score(BAMMSearchCV(Ridge(), ALPHA, cv=3), X, Y, cv=3)
    ours = nested.metrics.r2(aggregate=None).to_numpy(dtype=float).ravel()
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_onnx_of_the_best_estimator():
    skl2onnx, runtime = package("skl2onnx"), package("onnxruntime")
    model = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__C": (1e-3, 1e3)}
    search = BAMMSearchCV(model, grid, cv=3).fit(X_CLASS, Y_CLASS)
    rows = X_CLASS.astype(np.float32)
    written = skl2onnx.to_onnx(search.best_estimator_, rows[:1], options={"zipmap": False})
    session = runtime.InferenceSession(
        written.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    labels, probabilities = session.run(None, {"X": rows})
    np.testing.assert_array_equal(labels, search.predict(rows))
    np.testing.assert_allclose(probabilities, search.predict_proba(rows), atol=1e-4)


@pytest.mark.parametrize("kind", [BAMMSearchCV, GridSearchCV])
def test_shap_of_the_best_estimator(kind):
    shap = package("shap")
    search = kind(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, Y)
    told = shap.LinearExplainer(search.best_estimator_, X)(X[:20])
    np.testing.assert_allclose(
        told.values.sum(1) + told.base_values, search.predict(X[:20]), rtol=1e-4
    )
    whole = shap.Explainer(search.predict, X[:50])(X[:3])  # a search is a model like others
    np.testing.assert_allclose(
        whole.values.sum(1) + whole.base_values, search.predict(X[:3]), rtol=1e-6
    )
