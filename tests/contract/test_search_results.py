"""What a fitted BAMMSearchCV holds: cv_results_, best_*, pickles."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbamm import BAMMSearchCV
from tests.contract.comparison import (
    LOSS,
    NEW_ATTRIBUTES,
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    assert_same_table,
    fit_both,
    fitted_attributes,
    logistic,
    ridge,
    roles,
)

PIPELINE = Pipeline([("scale", StandardScaler()), ("model", logistic())])


@pytest.mark.parametrize(
    "estimator, grid, y",
    [
        (logistic(), {"C": [0.1, 1.0, 10.0]}, Y_BINARY),
        (logistic(), {"C": [0.1, 1.0, 10.0]}, Y_MULTI),
        (logistic(), {"C": [1, 10]}, Y_BINARY),
        (logistic(), {"C": np.logspace(-1, 1, 3)}, Y_BINARY),
        (logistic(), {"C": [0.1, 1.0], "fit_intercept": [True, False]}, Y_BINARY),
        (logistic(), {"C": [0.1, 1.0], "class_weight": [None, "balanced"]}, Y_BINARY),
        (logistic(), {"C": [0.1], "class_weight": [{0: 1, 1: 2}, None]}, Y_BINARY),
        (logistic(), {"C": [1.0, 0.1], "solver": ["lbfgs", "newton-cholesky"]}, Y_BINARY),
        (logistic(), [{"C": [1.0]}, {"fit_intercept": [False]}, {}], Y_BINARY),
        (PIPELINE, {"model__C": [0.1, 1.0]}, Y_MULTI),
        (PIPELINE, {"model__C": [0.1, 1.0], "scale__with_mean": [True, False]}, Y_MULTI),
        (PIPELINE, {"model__C": [1.0], "scale": [MinMaxScaler(), "passthrough"]}, Y_MULTI),
        (PIPELINE, {"model": [logistic(C=0.1), logistic(C=1.0)]}, Y_MULTI),
    ],
)
def test_table_of_a_list_grid(estimator, grid, y):
    """Keys, order, dtypes, masks and scores are those of GridSearchCV, also of training rows."""
    ours, theirs = fit_both(estimator, grid, X_CLASS, y, **LOSS, return_train_score=len(grid) == 1)
    assert_same_table(ours, theirs)
    assert ours.best_score_ == pytest.approx(theirs.best_score_, abs=1e-6)
    our_best = theirs.cv_results_["mean_test_score"][ours.best_index_]
    assert our_best == pytest.approx(theirs.best_score_, abs=1e-6)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", None])
def test_table_of_ridge(scoring):
    grid = {"alpha": [0.01, 0.1, 1, 10]}
    ours, theirs = fit_both(ridge(), grid, X_REG, Y_REG, scoring=scoring, cv=4)
    scale = abs(theirs.best_score_)
    assert_same_table(ours, theirs, atol=1e-6 * max(1, scale))
    assert ours.best_params_ == theirs.best_params_


def test_multimetric_table():
    scoring = ["neg_log_loss", "neg_brier_score", "roc_auc"]
    ours, theirs = fit_both(
        logistic(),
        {"C": [0.1, 1.0, 10.0]},
        X_CLASS,
        Y_BINARY,
        scoring=scoring,
        refit="neg_brier_score",
        return_train_score=True,
        cv=3,
    )
    assert_same_table(ours, theirs)
    assert ours.best_index_ == theirs.best_index_
    assert list(ours.scorer_) == scoring
    assert ours.multimetric_ is True


def test_estimators_among_the_values_are_left_alone():
    scalers = [StandardScaler(), MinMaxScaler()]
    grid = {"scale": scalers, "model__C": [0.1, 1.0]}
    search = BAMMSearchCV(PIPELINE, grid, **LOSS).fit(X_CLASS, Y_BINARY)
    for scaler, params in zip(scalers, search.cv_results_["params"][::2], strict=False):
        assert not hasattr(scaler, "n_features_in_")
        assert params["scale"] in scalers
    assert search.best_estimator_["scale"] not in scalers


def test_ties_go_to_the_first():
    search = BAMMSearchCV(logistic(), {"C": [1.0, 1.0, 1e-5]}, scoring="accuracy", cv=3)
    search.fit(X_CLASS, Y_BINARY)
    np.testing.assert_array_equal(search.cv_results_["rank_test_score"], [1, 1, 3])
    assert search.cv_results_["rank_test_score"].dtype == np.int32
    assert search.best_index_ == 0


def test_types_of_the_best(values):
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS).fit(X_CLASS, Y_BINARY)
    assert type(search.best_index_) is np.int64
    assert type(search.best_score_) is np.float64
    assert type(search.n_splits_) is int
    assert search.multimetric_ is False
    assert callable(search.scorer_)
    assert type(search.refit_time_) is float
    assert search.best_params_ is search.cv_results_["params"][search.best_index_]
    assert type(search.best_params_["C"]) is float
    assert type(search.best_estimator_) is LogisticRegression
    assert search.best_params_["C"] == search.best_estimator_.C


def test_best_params_are_the_users_objects():
    value, weights = np.float64(0.5), {0: 1.0, 1: 3.0}
    grid = {"C": [value], "class_weight": [weights]}
    search = BAMMSearchCV(logistic(), grid, **LOSS).fit(X_CLASS, Y_BINARY)
    assert search.best_params_["C"] is value
    assert search.best_params_["class_weight"] is weights


def test_table_of_an_interval():
    """The rows are true scores of candidates; only extra columns may be new."""
    search = BAMMSearchCV(logistic(), {"C": (1e-2, 1e2)}, **LOSS, return_train_score=True)
    table = search.fit(X_CLASS, Y_BINARY).cv_results_
    n_rows = len(table["params"])
    grid = {"C": [params["C"] for params in table["params"]]}
    theirs = GridSearchCV(logistic(), grid, **LOSS, return_train_score=True)
    expected = theirs.fit(X_CLASS, Y_BINARY).cv_results_
    assert [key for key in table if key in expected] == list(expected)
    for key, column in expected.items():
        if key == "params":
            assert table[key] == column
            continue
        assert table[key].dtype == column.dtype, key
        if key.endswith("_score") and not key.startswith("rank_"):
            np.testing.assert_allclose(table[key], column, rtol=0, atol=1e-6)
    for key in table:
        assert len(table[key]) == n_rows, key
    assert all(1e-2 <= params["C"] <= 1e2 for params in table["params"])
    assert roles(search) == {"C": "searched"}


@pytest.mark.parametrize(
    "estimator, name, data, scoring",
    [
        (logistic(), "C", (X_CLASS, Y_BINARY), "neg_log_loss"),
        (logistic(), "C", (X_CLASS, Y_MULTI), "neg_log_loss"),
        (PIPELINE, "model__C", (X_CLASS, Y_MULTI), "neg_log_loss"),
        (ridge(), "alpha", (X_REG, Y_REG), "r2"),
    ],
    ids=["logistic", "multinomial", "pipeline", "ridge"],
)
def test_best_score_is_true(estimator, name, data, scoring, values):
    cv = KFold(4, shuffle=True, random_state=0)
    search = BAMMSearchCV(estimator, {name: values}, scoring=scoring, cv=cv).fit(*data)
    best = clone(search.best_estimator_)
    assert search.best_score_ == pytest.approx(
        cross_val_score(best, *data, scoring=scoring, cv=cv).mean(), abs=1e-6
    )


def test_refit_is_the_estimators_own_fit(values):
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS).fit(X_CLASS, Y_BINARY)
    alone = clone(search.best_estimator_).fit(X_CLASS, Y_BINARY)
    assert search.best_estimator_.get_params() == alone.get_params()
    np.testing.assert_allclose(search.best_estimator_.coef_, alone.coef_, atol=1e-5)
    assert set(vars(alone)) == set(vars(search.best_estimator_))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"refit": False},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": False},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
        {"refit": lambda results: 0},
        {"scoring": ["accuracy"], "refit": lambda results: 0},
    ],
    ids=["refit", "no-refit", "metrics-no-refit", "metrics", "callable", "metrics-callable"],
)
@pytest.mark.parametrize(
    "model", [logistic(), DecisionTreeClassifier()], ids=["joint", "enumerated"]
)
def test_fitted_attributes(model, settings):
    """The same attributes as GridSearchCV has, and a known few beside them."""
    grid = {"C": [0.1, 1.0]} if hasattr(model, "C") else {"max_depth": [1, 2]}
    ours, theirs = fit_both(model, grid, X_CLASS, Y_BINARY, cv=3, **settings)
    assert fitted_attributes(ours) - NEW_ATTRIBUTES == fitted_attributes(theirs)
    assert "search_plan_" in fitted_attributes(ours)
    public = {name for name in vars(ours) if not name.endswith("_") and name[0] != "_"}
    assert public == set(ours.get_params(deep=False))


def test_attributes_before_fit():
    search = BAMMSearchCV(logistic(), {"C": (1e-2, 1e2)})
    assert fitted_attributes(search) == fitted_attributes(GridSearchCV(logistic(), {}))


def test_refit_rules(values):
    """A callable picks the row; without refit the best row is still reported."""
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS)
    worst = search.set_params(refit=lambda results: results["mean_test_score"].argmin())
    worst.fit(X_CLASS, Y_BINARY)
    assert worst.best_index_ == worst.cv_results_["mean_test_score"].argmin()
    assert worst.best_params_["C"] == worst.best_estimator_.C
    assert not hasattr(worst, "best_score_")

    none = clone(search).set_params(refit=False).fit(X_CLASS, Y_BINARY)
    assert none.best_score_ == none.cv_results_["mean_test_score"].max()
    assert not hasattr(none, "best_estimator_")


def test_refit_by_one_of_several_metrics(values):
    search = BAMMSearchCV(
        logistic(),
        {"C": values},
        scoring={"ll": "neg_log_loss", "acc": "accuracy"},
        refit="ll",
        cv=3,
    ).fit(X_CLASS, Y_BINARY)
    assert search.best_score_ == search.cv_results_["mean_test_ll"].max()
    assert search.score(X_CLASS, Y_BINARY) == pytest.approx(
        search.scorer_["ll"](search.best_estimator_, X_CLASS, Y_BINARY)
    )


@pytest.mark.parametrize("model", ["logistic", "pipeline"])
def test_pickles_are_small_and_whole(values, model, tmp_path):
    """Neither rows, targets nor tensors are kept, and what is kept comes back."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5))
    y = (X[:, 0] + rng.standard_normal(len(X)) > 0).astype(int)
    estimator, name = LogisticRegression(), "C"
    if model == "pipeline":
        estimator, name = make_pipeline(StandardScaler(), estimator), "logisticregression__C"
    search = BAMMSearchCV(estimator, {name: values}, cv=3, scoring="neg_log_loss").fit(X, y)

    data = pickle.dumps(search)
    assert len(data) < 60_000  # a float32 for each row takes more
    assert b"torch" not in data
    again = pickle.loads(data)
    assert again.best_params_ == search.best_params_
    assert again.search_plan_ == search.search_plan_
    np.testing.assert_array_equal(again.predict(X), search.predict(X))

    joblib.dump(search, tmp_path / "search.joblib")
    mapped = joblib.load(tmp_path / "search.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict_proba(X), search.predict_proba(X))
    assert not hasattr(clone(mapped), "best_estimator_")


class Weighed(BAMMSearchCV):
    """A search that weighs itself when the candidates go to the workers."""

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        def weigh(candidates, *args, **kw):
            sizes.append(len(pickle.dumps(self)))
            return evaluate_candidates(candidates, *args, **kw)

        super()._run_search(weigh, callback_ctx=callback_ctx)


sizes = []


def test_tasks_carry_no_data(values):
    """scikit-learn sends the search along with each task."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5))
    y = (X[:, 0] + rng.standard_normal(len(X)) > 0).astype(int)
    sizes.clear()
    Weighed(LogisticRegression(), {"C": values}, cv=3, scoring="neg_log_loss").fit(X, y)
    assert sizes
    assert max(sizes) < 60_000  # a float32 for each row takes more


def test_fitting_again_forgets_the_first_fit(values):
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS)
    first = search.fit(X_CLASS, Y_BINARY).best_score_
    plan = search.search_plan_
    search.fit(X_CLASS[:, :5], Y_MULTI)
    assert search.n_features_in_ == 5
    assert search.best_score_ != first
    search.fit(X_CLASS, Y_BINARY)
    assert search.best_score_ == first
    assert search.search_plan_ == plan


def test_two_fits_agree_to_the_bit(values):
    first, second = (
        BAMMSearchCV(logistic(), {"C": values}, **LOSS, random_state=0).fit(X_CLASS, Y_MULTI)
        for _ in range(2)
    )
    for key, column in first.cv_results_.items():
        if not key.endswith("_time"):
            np.testing.assert_array_equal(column, second.cv_results_[key])
    np.testing.assert_array_equal(first.best_estimator_.coef_, second.best_estimator_.coef_)


def test_plan_names_the_path_of_each_parameter():
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X_REG, Y_REG)
    (row,) = search.search_plan_
    assert set(row) == {"parameter", "role", "low", "high", "scale", "reason"}
    assert (row["parameter"], row["role"], row["reason"]) == ("alpha", "joint grid", "")

    search = BAMMSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=3)
    (row,) = search.fit(X_CLASS, Y_BINARY).search_plan_
    assert (row["parameter"], row["role"]) == ("max_depth", "enumerated")
    assert row["reason"]

    grid = {"model__C": (1e-2, 1e2), "scale__with_mean": [True, False]}
    search = BAMMSearchCV(PIPELINE, grid, **LOSS).fit(X_CLASS, Y_BINARY)
    assert roles(search)["model__C"] == "searched"
    assert roles(search)["scale__with_mean"] != "searched"
    means = {params["scale__with_mean"] for params in search.cv_results_["params"]}
    assert means == {True, False}


def test_attributes_of_the_search_itself():
    interval = BAMMSearchCV(logistic(), {"C": (1e-2, 1e2)}, **LOSS).fit(X_CLASS, Y_BINARY)
    grid = BAMMSearchCV(logistic(), {"C": [0.1, 1.0]}, **LOSS).fit(X_CLASS, Y_BINARY)
    tree = BAMMSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}).fit(X_CLASS, Y_BINARY)
    assert interval.n_iter_ >= 1
    assert grid.n_iter_ == tree.n_iter_ == 1
    for search in (interval, grid, tree):
        assert isinstance(search.converged_, (bool, np.bool_))
        assert "cpu" in str(search.device_) or "cuda" in str(search.device_)
