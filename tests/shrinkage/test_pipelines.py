"""Vectors behind transformers, around other estimators, and with scikit-learn's own options."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, log_loss, mean_squared_error
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from skbamm import BAMMSearchCV, FeaturePenalty, PerFeature, PerGroup, one_standard_error
from skbamm.search.presolved import FOLD, stand_in_for
from skbamm.search.solving import Solving
from tests.shrinkage.vectors import REGRESSION, TWO, quick
from tests.truth import LOSS, assert_served, assert_true, fold_scores

X, Y = REGRESSION
FRAME = pd.DataFrame(X, columns=list("abcdef"))
ERROR = "neg_mean_squared_error"
ENDS = 1e-2, 1e3
CV = KFold(3)


@pytest.fixture(scope="module", autouse=True)
def _few_points():
    with quick(points=((0.1, 0.0), (0.1, 1.0))):
        yield


def free(groups=None, ends=ENDS):
    """A vector that is not drawn together: the quickest to be found."""
    if groups is None:
        return PerFeature(*ends, shrinkage=False)
    return PerGroup(*ends, groups, shrinkage=False)


def search_of(model, grid, X, y, fit_params=None, **settings):
    settings = {"cv": CV, "tol": 1e-3, **settings}
    search = BAMMSearchCV(model, grid, **settings).fit(X, y, **(fit_params or {}))
    assert not search.history_ or "criterion" in search.history_
    return search


def rare():
    """A category of five rows that stand together: one fold does not train on any."""
    return FRAME.assign(kind=np.repeat(["rare", "some", "many"], [5, 40, 45]))


def columns(*more, remainder="drop"):
    return ColumnTransformer(
        [
            ("kind", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
            ("numbers", StandardScaler(), ["a", "b", "c"]),
            *more,
        ],
        remainder=remainder,
    )


# Groups of transformers


@pytest.mark.parametrize("shrinkage", [False, True])
def test_transformers_whose_columns_are_others_in_each_fold(shrinkage):
    model = make_pipeline(columns(remainder="passthrough"), Ridge())
    vector = PerGroup(*ENDS, "transformers", shrinkage=shrinkage)
    search = search_of(model, {"ridge__alpha": vector}, rare(), Y, scoring=ERROR)
    assert_served(search, "searched")
    assert search.shrinkage_["names"].tolist() == ["kind", "numbers", "remainder"]
    best = search.best_estimator_
    assert type(best) is FeaturePenalty and best.penalty_factor.keys() == {
        "kind", "numbers", "remainder",
    }  # fmt: skip
    alpha = search.best_params_["ridge__alpha"]
    np.testing.assert_allclose(
        best.estimator.named_steps["ridge"].alpha * np.array([*best.penalty_factor.values()]), alpha
    )
    np.testing.assert_array_equal(
        best.penalty_factor_, np.repeat([*best.penalty_factor.values()], [3, 3, 3])
    )
    assert_true(search, rare(), Y, cv=CV, scoring=ERROR)
    if shrinkage:
        assert search.shrinkage_["values"].shape[1] == 3


def test_transformers_that_are_dropped_are_no_group():
    model = make_pipeline(columns(("none", "drop", ["d"]), ("e", "passthrough", ["e"])), Ridge())
    search = search_of(model, {"ridge__alpha": free("transformers")}, rare(), Y, scoring=ERROR)
    assert search.shrinkage_["names"].tolist() == ["kind", "numbers", "e"]
    assert_true(search, rare(), Y, cv=CV, scoring=ERROR)


def test_steps_that_keep_columns_may_stand_between():
    model = make_pipeline(
        columns(remainder="passthrough"), StandardScaler(with_mean=False), "passthrough", Ridge()
    )
    search = search_of(model, {"ridge__alpha": free("transformers")}, rare(), Y, scoring=ERROR)
    assert_true(search, rare(), Y, cv=CV, scoring=ERROR)


def length(text):
    return np.array([[len(line) / 10, line.count("e")] for line in text], dtype=float)


def test_a_union_of_features_of_text():
    rng = np.random.default_rng(0)
    words = np.array(["the", "cat", "sat", "here", "and", "there", "were", "seven", "eels"])
    text = [" ".join(rng.choice(words, 5)) for _ in range(60)]
    y = np.array([line.count("cat") - line.count("eels") for line in text]) + rng.normal(size=60)
    union = FeatureUnion(
        [
            ("words", CountVectorizer(min_df=2)),
            ("none", "drop"),
            ("size", FunctionTransformer(length)),
        ]
    )
    search = search_of(
        make_pipeline(union, Ridge(tol=1e-12)),
        {"ridge__alpha": free("transformers")},
        text,
        y,
        scoring=ERROR,
    )
    assert_served(search, "searched")
    assert search.shrinkage_["names"].tolist() == ["words", "size"]
    assert_true(search, text, y, cv=CV, scoring=ERROR)


def test_weights_for_the_last_step():
    model = make_pipeline(columns(), Ridge())
    w = np.linspace(0.2, 3, len(Y))
    search = search_of(
        model, {"ridge__alpha": free("transformers")}, rare(), Y, {"ridge__sample_weight": w},
        scoring=ERROR,
    )  # fmt: skip
    assert_served(search, "searched")
    expected = cross_val_score(
        clone(search.best_estimator_), rare(), Y, cv=CV, scoring=ERROR, params={"sample_weight": w}
    )
    np.testing.assert_allclose(fold_scores(search), expected, rtol=1e-6)
    own = clone(search.best_estimator_).fit(rare(), Y, sample_weight=w)
    np.testing.assert_allclose(search.predict(rare()), own.predict(rare()), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
@pytest.mark.parametrize("groups", ["transformers", None], ids=["transformers", "features"])
def test_inside_of_a_transformed_target(groups):
    before = columns() if groups else StandardScaler()
    data, target = (rare() if groups else X), np.exp(Y)
    model = TransformedTargetRegressor(
        make_pipeline(before, Ridge()), func=np.log, inverse_func=np.exp
    )
    grid = {"regressor__ridge__alpha": free(groups)}
    search = search_of(model, grid, data, target, scoring=ERROR)
    assert_served(search, "searched")
    assert_true(search, data, target, cv=CV, scoring=ERROR)
    regressor = search.best_estimator_.regressor_
    assert hasattr(regressor, "penalty_factor_") or hasattr(regressor[-1], "penalty_factor_")


def test_a_target_that_each_fold_transforms_its_own_way():
    model = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    search = search_of(model, {"regressor__alpha": free()}, X, Y, scoring=ERROR)
    assert_served(search, "searched")
    assert_true(search, X, Y, cv=CV, scoring=ERROR)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_outer_splits_whose_rows_make_other_features_are_left_out():
    """Two of them train without a category, that all splits have."""
    data = FRAME.assign(kind="many")
    data.loc[[0, 40], "kind"] = "rare"
    grid = {"ridge__alpha": PerFeature(*ENDS)}
    search = search_of(make_pipeline(columns(), Ridge()), grid, data, Y, scoring=ERROR)
    assert_served(search, "searched")
    assert search.shrinkage_["score"].shape == (3, 1)
    assert_true(search, data, Y, cv=CV, scoring=ERROR)
    data.loc[40, "kind"] = "many"
    data.loc[89, "kind"] = "rare"
    halves = BAMMSearchCV(make_pipeline(columns(), Ridge()), grid, cv=2)
    with pytest.warns(
        UserWarning, match="not searched separately; one value is used for all: no rows can be held"
    ):
        halves.fit(data, Y)
    assert np.ndim(halves.best_params_["ridge__alpha"]) == 0


# Groups that are given, and names


def test_labels_behind_a_scaler():
    labels = ["x", "y", "x", "z", "y", "z"]
    model = make_pipeline(StandardScaler(), Ridge())
    search = search_of(model, {"ridge__alpha": free(labels)}, 3 * X, Y, scoring=ERROR)
    assert_served(search, "searched")
    best = search.best_estimator_
    assert type(best[-1]) is FeaturePenalty and best[-1].penalty_factor.shape == (6,)
    alone = search_of(Ridge(), {"alpha": free(labels)}, X, Y, scoring=ERROR)
    np.testing.assert_allclose(search.best_score_, alone.best_score_, rtol=0.02)
    assert_true(search, 3 * X, Y, cv=CV, scoring=ERROR)


def test_names_of_a_frame():
    search = search_of(Ridge(), {"alpha": free()}, FRAME, Y, scoring=ERROR)
    assert search.shrinkage_["names"].tolist() == list("abcdef")
    assert search.feature_names_in_.tolist() == list("abcdef")
    groups = {"one": ["a", "c"], "two": slice(3, 5), "three": "b", "four": -1}
    named = search_of(Ridge(), {"alpha": free(groups)}, FRAME, Y, scoring=ERROR)
    assert named.shrinkage_["names"].tolist() == list(groups)
    alpha = named.best_params_["alpha"]
    expected = alpha[[0, 2, 0, 1, 1, 3]]
    best = named.best_estimator_
    np.testing.assert_allclose(best.estimator.alpha * best.penalty_factor, expected)
    mask = np.isin(np.arange(6), [0, 2])
    masks = {"one": mask, "two": [3, 4], "three": [1], "four": (5,)}
    masked = search_of(Ridge(), {"alpha": free(masks)}, FRAME, Y, scoring=ERROR)
    np.testing.assert_array_equal(masked.best_params_["alpha"], alpha)


def test_names_behind_transformers():
    model = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), Ridge())
    groups = {"plain": ["a", "b"], "products": ["a^2", "a b", "b^2"]}
    search = search_of(model, {"ridge__alpha": free(groups)}, FRAME[["a", "b"]], Y, scoring=ERROR)
    assert search.shrinkage_["names"].tolist() == ["plain", "products"]
    assert_true(search, FRAME[["a", "b"]], Y, cv=CV, scoring=ERROR)


def test_lists_that_change_the_features():
    """Each combination has values, names and a history of its own."""
    model = make_pipeline(PolynomialFeatures(include_bias=False), StandardScaler(), Ridge())
    grid = {"polynomialfeatures__degree": [1, 2], "ridge__alpha": free()}
    search = search_of(model, grid, FRAME[["a", "b"]], Y, scoring=ERROR)
    widths = [np.size(p["ridge__alpha"]) for p in search.cv_results_["params"]]
    assert set(widths) == {2, 5}
    best = search.best_params_["ridge__alpha"]
    assert search.shrinkage_["names"].shape == best.shape
    assert {np.size(x) for x in search.history_["ridge__alpha"]} == {2, 5}
    assert_true(search, FRAME[["a", "b"]], Y, cv=CV, scoring=ERROR)


def test_a_vector_in_one_grid_and_an_interval_in_another():
    grid = [{"alpha": free()}, {"alpha": ENDS}, {"alpha": [1.0]}]
    search = search_of(Ridge(), grid, X, Y, scoring=ERROR)
    shapes = [np.shape(p["alpha"]) for p in search.cv_results_["params"]]
    assert shapes[0] == (6,) and () in shapes
    assert_true(search, X, Y, cv=CV, scoring=ERROR)
    assert "names" in search.shrinkage_


# scikit-learn's options


def test_without_refit():
    search = search_of(Ridge(), {"alpha": free()}, X, Y, refit=False)
    assert search.best_params_["alpha"].shape == (6,) and not hasattr(search, "best_estimator_")
    assert isinstance(search.dropped_, list)
    column = search.cv_results_["param_alpha"]
    assert column.shape == (2,) and column[0].shape == (6,)


@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_several_metrics():
    scoring = {"error": ERROR, "r2": "r2"}
    search = search_of(Ridge(), {"alpha": free()}, X, Y, scoring=scoring, refit="error")
    expected = cross_val_score(clone(search.best_estimator_), X, Y, cv=CV, scoring="r2")
    got = search.cv_results_["mean_test_r2"][search.best_index_]
    assert got == pytest.approx(expected.mean(), abs=1e-6)
    unchosen = search_of(Ridge(), {"alpha": free()}, X, Y, scoring=scoring, refit=False)
    assert unchosen.shrinkage_.keys() == {"parameter", "names", "left"}
    assert not hasattr(unchosen, "dropped_")


def test_one_standard_error():
    """Of what was found and one value for all, if that is no worse, the stronger."""
    search = search_of(
        Ridge(), {"alpha": PerFeature(*ENDS)}, X, Y, scoring=ERROR, refit=one_standard_error
    )
    means = [np.log(p["alpha"]).mean() for p in search.cv_results_["params"]]
    scores = search.cv_results_["mean_test_score"]
    best = scores.argmax()
    error = fold_scores(search, best).std(ddof=1) / np.sqrt(3)
    near = np.flatnonzero(scores >= scores[best] - error)
    assert search.best_index_ == max(near, key=lambda i: means[i])


def test_workers_get_what_holds_the_vector(monkeypatch):
    """Where models are not adopted, they are fitted in other threads or processes."""
    model, grid = LogisticRegression(tol=1e-8), {"C": free(ends=(1e-3, 1e2))}
    rows, y = TWO
    cv, banks = KFold(2, shuffle=True, random_state=0), []
    alone = search_of(model, grid, rows, y, scoring=LOSS, cv=cv)

    def solved(run, candidates):
        banks.append(pickle.dumps(run.bank))
        return False

    monkeypatch.setattr(Solving, "solved", solved)
    with parallel_config(backend="threading", n_jobs=2):
        search = search_of(model, grid, rows, y, scoring=LOSS, cv=cv, return_train_score=True)
    np.testing.assert_allclose(fold_scores(search), fold_scores(alone), rtol=1e-5)
    assert np.isfinite(search.cv_results_["mean_train_score"]).all()
    train, test = next(cv.split(rows))
    there = stand_in_for(clone(model), pickle.loads(banks[0])).set_params(**search.best_params_)
    there = pickle.loads(pickle.dumps(there)).fit(rows[train], y[train], **{FOLD: train})
    assert type(there.estimator) is FeaturePenalty
    loss = log_loss(y[test], there.predict_proba(rows[test]))
    assert fold_scores(search)[0] == pytest.approx(-loss, abs=1e-9)


def test_clones_and_pickles():
    model = make_pipeline(columns(), Ridge())
    search = search_of(model, {"ridge__alpha": free("transformers")}, rare(), Y)
    again = clone(search)
    assert again.param_grid == search.param_grid and not hasattr(again, "best_params_")
    copied = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copied.predict(rare()), search.predict(rare()))
    np.testing.assert_array_equal(
        copied.best_params_["ridge__alpha"], search.best_params_["ridge__alpha"]
    )
    assert copied.score(rare(), Y) == search.score(rare(), Y)


def test_metadata_routing():
    w = np.linspace(0.2, 3, len(Y))
    with sklearn.config_context(enable_metadata_routing=True):
        plain = search_of(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": free()}, X, Y)
        assert plain.best_params_["ridge__alpha"].shape == (6,)
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            Ridge().set_fit_request(sample_weight=True),
        )
        scorer = get_scorer(ERROR).set_score_request(sample_weight=False)
        with pytest.warns(UserWarning, match="'ridge__alpha' were not searched separately.*routed"):
            search = search_of(
                model, {"ridge__alpha": free()}, X, Y, {"sample_weight": w}, scoring=scorer
            )
    own = clone(search.best_estimator_)
    train, test = next(CV.split(X))
    own.fit(X[train], Y[train], ridge__sample_weight=w[train])
    error = mean_squared_error(Y[test], own.predict(X[test]))
    assert fold_scores(search)[0] == pytest.approx(-error, abs=1e-6)
    assert np.ndim(search.best_params_["ridge__alpha"]) == 0
    assert mean_squared_error(Y, search.predict(X)) < 1
