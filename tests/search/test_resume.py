"""resume goes on from a fitted search."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

from skbamm import BAMMSearchCV, PerFeature, SampleWeights, one_standard_error

X, Y = load_diabetes(return_X_y=True)
X, Y = X[::2], Y[::2]
X_CLASS, Y_CLASS = load_breast_cancer(return_X_y=True)
X_CLASS, Y_CLASS = StandardScaler().fit_transform(X_CLASS)[::3, :8], Y_CLASS[::3]
WIDE = {"alpha": (1e-4, 1e3)}


def same_tables(ours, theirs):
    assert list(ours) == list(theirs)
    for name, column in theirs.items():
        if "time" in name:
            assert len(ours[name]) == len(column)
        elif name == "params" or column.dtype.kind not in "if":
            assert list(ours[name]) == list(column)
        else:
            np.testing.assert_allclose(ours[name], column, rtol=1e-9, err_msg=name)
            assert ours[name].dtype == column.dtype


@pytest.mark.parametrize(
    "model, name, few, more",
    [
        (Ridge(), "alpha", [1.0, 10.0], [0.01, 1.0, 0.1, 10.0]),
        (DecisionTreeRegressor(random_state=0), "max_depth", [1, 3], [1, 2, 3, None]),
        (DecisionTreeRegressor(random_state=0), "splitter", ["best"], ["random", "best"]),
    ],
    ids=["joint", "shared", "own"],
)
def test_a_longer_list_has_the_table_of_one_fit(model, name, few, more):
    search = BAMMSearchCV(model, {name: few}, cv=3).fit(X, Y)
    times = dict(zip(map(str, few), search.cv_results_["mean_fit_time"], strict=True))
    search.set_params(param_grid={name: more}).resume(X, Y)
    same_tables(search.cv_results_, BAMMSearchCV(model, {name: more}, cv=3).fit(X, Y).cv_results_)
    whole = BAMMSearchCV(model, {name: more}, cv=3).fit(X, Y)
    assert search.best_params_ == whole.best_params_ and search.best_index_ == whole.best_index_
    np.testing.assert_allclose(search.predict(X), whole.predict(X), rtol=1e-9)
    kept = [
        str(value) for i, value in enumerate(more)
        if times.get(str(value)) == search.cv_results_["mean_fit_time"][i]
    ]  # fmt: skip
    assert len(kept) == len(few) - 1  # all but the best, which is scored again
    # The same list once more: there is nothing to do but the best.
    search.resume(X, Y)
    same_tables(search.cv_results_, whole.cv_results_)


def test_values_that_left_the_list_leave_the_table():
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=3).fit(X, Y)
    search.set_params(param_grid={"alpha": [1.0, 10.0]}).resume(X, Y)
    same_tables(
        search.cv_results_,
        BAMMSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, cv=3).fit(X, Y).cv_results_,
    )


def test_a_wider_interval_keeps_the_rows_and_moves_on():
    with pytest.warns(match="is the lower end"):
        search = BAMMSearchCV(Ridge(), {"alpha": (1.0, 1e3)}, cv=3).fit(X, Y)
    first = search.cv_results_
    search.set_params(param_grid=WIDE).resume(X, Y)
    whole = BAMMSearchCV(Ridge(), WIDE, cv=3).fit(X, Y)
    assert search.best_score_ == pytest.approx(whole.best_score_, abs=1e-7)
    assert search.best_params_["alpha"] == pytest.approx(whole.best_params_["alpha"], rel=1e-2)
    stages = list(search.cv_results_["stage"])
    assert stages.count("resumed") == 1
    at = stages.index("resumed")
    assert search.cv_results_["param_alpha"][at] == pytest.approx(1.0)
    assert search.cv_results_["mean_test_score"][at] == pytest.approx(first["mean_test_score"][0])
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1


def test_it_begins_where_the_other_ended():
    search = BAMMSearchCV(LogisticRegression(), {"C": (1e-4, 1e4)}, scoring="neg_log_loss", cv=3)
    search.fit(X_CLASS, Y_CLASS)
    found = search.best_params_["C"]
    search.set_params(tol=1e-6).resume(X_CLASS, Y_CLASS)
    assert np.log(search.history_["C"][0]) == pytest.approx(np.log(found), abs=0.2)
    assert np.log(search.best_params_["C"]) == pytest.approx(np.log(found), abs=0.05)


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc"])
def test_another_scorer_drops_the_rows(scoring):
    search = BAMMSearchCV(LogisticRegression(), {"C": (1e-3, 1e3)}, scoring="neg_log_loss", cv=3)
    search.fit(X_CLASS, Y_CLASS)
    before = search.best_params_["C"]
    search.set_params(scoring=scoring).resume(X_CLASS, Y_CLASS)
    results = search.cv_results_
    assert (results["mean_test_score"] > 0).all()
    at = list(results["stage"]).index("resumed")
    assert results["param_C"][at] == pytest.approx(before, rel=1e-9)
    assert search.best_score_ >= results["mean_test_score"][at] - 1 / len(Y_CLASS)


@pytest.mark.parametrize(
    "change",
    [
        lambda X, y: (X, -y),
        lambda X, y: (X[::-1], y),
        lambda X, y: (np.where(np.arange(len(X))[:, None] == 7, X + 1e-6, X), y),
        lambda X, y: (sp.csr_matrix(X), y),
    ],
    ids=["target", "order", "one row", "sparse"],
)
def test_other_data_drop_the_rows(change):
    search = BAMMSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, cv=3).fit(X, Y)
    grid = {"alpha": [0.1, 1.0, 10.0]}
    rows, y = change(X, Y)
    search.set_params(param_grid=grid).resume(rows, y)
    same_tables(search.cv_results_, BAMMSearchCV(Ridge(), grid, cv=3).fit(rows, y).cv_results_)


@pytest.mark.parametrize(
    "more",
    [
        {"cv": 4}, {"estimator": Ridge(fit_intercept=False)}, {"return_train_score": True},
        {"scoring": ["r2", "neg_mean_squared_error"], "refit": "r2"},
    ],
    ids=["splits", "estimator", "train scores", "scores"],
)  # fmt: skip
def test_so_do_other_settings(more):
    search = BAMMSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, cv=3).fit(X, Y)
    search.set_params(**more).resume(X, Y)
    model = more.get("estimator", Ridge())
    options = {"cv": 3, **{name: more[name] for name in more if name != "estimator"}}
    whole = BAMMSearchCV(model, {"alpha": [1.0, 10.0]}, **options).fit(X, Y)
    if "return_train_score" in more:  # what was scored has no train scores
        assert "mean_train_score" in search.cv_results_
        return
    same_tables(search.cv_results_, whole.cv_results_)


def test_splits_that_are_drawn_anew_drop_the_rows_and_fixed_ones_keep_them():
    for cv, kept in ((ShuffleSplit(3), False), (ShuffleSplit(3, random_state=0), True)):
        search = BAMMSearchCV(Ridge(), {"alpha": [1.0, 10.0]}, cv=cv).fit(X, Y)
        worst = int(np.argmin(search.cv_results_["mean_test_score"]))
        before = search.cv_results_["mean_fit_time"][worst]
        search.resume(X, Y)
        assert (search.cv_results_["mean_fit_time"][worst] == before) == kept


def test_more_time_scores_what_was_not_scored():
    grid = {"kernel": ["linear", "rbf", "poly"], "C": [1.0, 2.0]}
    with pytest.warns(match="stopped early"):
        search = BAMMSearchCV(SVC(), grid, cv=3, max_time=1e-9).fit(X_CLASS, Y_CLASS)
    assert len(search.cv_results_["params"]) < 6
    search.set_params(max_time=None).resume(X_CLASS, Y_CLASS)
    whole = BAMMSearchCV(SVC(), grid, cv=3).fit(X_CLASS, Y_CLASS)
    same_tables(search.cv_results_, whole.cv_results_)
    assert search.best_params_ == whole.best_params_


def test_after_a_pickle_with_a_rule():
    search = BAMMSearchCV(Ridge(), WIDE, cv=3, refit=one_standard_error).fit(X, Y)
    again = pickle.loads(pickle.dumps(search)).resume(X, Y)
    assert len(again.cv_results_["params"]) > len(search.cv_results_["params"])
    assert np.log(again.best_params_["alpha"]) == pytest.approx(
        np.log(search.best_params_["alpha"]), abs=0.5
    )


def test_vectors_and_weights_have_their_own_start():
    vector = BAMMSearchCV(Ridge(), {"alpha": PerFeature(1e-2, 1e3)}, cv=3).fit(X[:, :3], Y)
    best = vector.best_score_
    assert vector.resume(X[:, :3], Y).best_score_ == pytest.approx(best, rel=1e-6)
    weights = BAMMSearchCV(
        LogisticRegression(), {"C": (1e-2, 1e2)}, sample_weights=SampleWeights(), cv=3
    ).fit(X_CLASS, Y_CLASS)
    score = weights.best_score_
    assert weights.resume(X_CLASS, Y_CLASS).best_score_ == pytest.approx(score, abs=1e-2)


def test_lists_beside_an_interval():
    grid = {"alpha": (1e-3, 1e3), "fit_intercept": [True, False]}
    search = BAMMSearchCV(Ridge(), grid, cv=KFold(3)).fit(X, Y)
    best = dict(search.best_params_)
    search.resume(X, Y)
    assert search.best_params_["fit_intercept"] == best["fit_intercept"]
    assert search.best_params_["alpha"] == pytest.approx(best["alpha"], rel=0.05)
    params = search.cv_results_["params"]
    assert {one["fit_intercept"] for one in params} == {True, False}
    assert len({str(one) for one in params}) == len(params)


def test_what_cannot_be_resumed():
    with pytest.raises(NotFittedError, match="resume continues a fitted search: call 'fit' f"):
        BAMMSearchCV(Ridge(), WIDE).resume(X, Y)
    search = BAMMSearchCV(Ridge(), {"alpha": [1.0]}, cv=3).fit(X, Y)
    with pytest.raises(ValueError, match="X has 9 features, but the search was fitted to 10"):
        search.resume(X[:, :9], Y)
    assert search.predict(X).shape == Y.shape  # still what it was
    assert search._earlier is None


@pytest.mark.parametrize("before", [False, True])
def test_scores_of_training_rows_are_of_all_candidates_or_none(before):
    X, y = load_diabetes(return_X_y=True)
    search = BAMMSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=3, return_train_score=before)
    search.fit(X, y)
    search.set_params(param_grid={"alpha": [1.0, 2.0, 3.0]}, return_train_score=not before)
    search.resume(X, y)
    assert [one["alpha"] for one in search.cv_results_["params"]] == [1.0, 2.0, 3.0]
    assert ("mean_train_score" in search.cv_results_) == (not before)


@pytest.mark.parametrize("how", ["fit", "resume"])
def test_nothing_of_learned_weights_is_left_by_a_search_without(how):
    search = BAMMSearchCV(LogisticRegression(), {"C": (1e-2, 1e2)}, sample_weights=SampleWeights())
    search.fit(X_CLASS, Y_CLASS)
    assert search.label_quality_.shape == Y_CLASS.shape
    getattr(search.set_params(sample_weights=None), how)(X_CLASS[::2], Y_CLASS[::2])
    left = {name for name in vars(search) if "weight" in name or "label" in name}
    assert {name for name in left if name.endswith("_")} == set()
