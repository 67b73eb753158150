"""Transformers are fitted on each fold's training rows, once, and scores stay true."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.pairs import pairwise
from tests.truth import (
    INTERVAL,
    LIST,
    LOSS,
    assert_grid_search_agrees,
    assert_served,
    assert_true,
    logistic,
    ridge,
    search_over,
)

FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
SETTINGS = {"cv": FOLDS, "scoring": LOSS}


def pipeline(*transformers, model=None):
    model = logistic() if model is None else model
    steps = [(f"step{i}", transformer) for i, transformer in enumerate(transformers)]
    return Pipeline([*steps, ("model", model)])


@pytest.fixture(scope="module")
def texts():
    """Sixty short texts of three topics; every fold misses some of the words."""
    rng = np.random.default_rng(0)
    topics = [
        ["goal", "match", "team", "coach", "league", "ball"],
        ["orbit", "rocket", "moon", "star", "launch", "probe"],
        ["flour", "oven", "butter", "sugar", "yeast", "dough"],
    ]
    shared = [f"word{i}" for i in range(60)]
    y = np.arange(60) % 3
    return [" ".join([*rng.choice(topics[k], 3), *rng.choice(shared, 6)]) for k in y], y


@pytest.fixture(scope="module")
def frame(regression):
    """Numbers with gaps, and categories some of which are rare."""
    X, y = regression
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X[:, :4].copy(), columns=list("abcd"))
    table.loc[rng.choice(len(y), 15, replace=False), "b"] = np.nan
    table["city"] = rng.choice(["Ulm", "Bonn", "Kiel", "Jena"], len(y), p=[0.5, 0.3, 0.17, 0.03])
    return table, y


def columns():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("numbers", numbers, list("abcd")), ("city", encoder, ["city"])])


NUMERIC = [(StandardScaler(),), (StandardScaler(), PCA(4)), (SelectKBest(k=4), StandardScaler())]


@pytest.mark.parametrize(
    ("transformers", "data", "values"),
    pairwise(NUMERIC, ["binary", "three"], ["list", "interval"]),
    indirect=["values"],
)
def test_numeric_features(data, transformers, values, request):
    X, y = request.getfixturevalue(data)
    model = pipeline(*transformers)
    assert_grid_search_agrees(model, {"model__C": LIST}, X, y, **SETTINGS)
    search = search_over(model, {"model__C": values}, X, y, **SETTINGS)
    assert_true(search, X, y, **SETTINGS)


def test_ridge_behind_a_scaler(values, regression):
    X, y = regression
    cv = KFold(4)
    model = pipeline(StandardScaler(), model=ridge())
    assert_grid_search_agrees(model, {"model__alpha": LIST}, X, y, cv=cv)
    search = search_over(model, {"model__alpha": values}, X, y, cv=cv)
    assert_true(search, X, y, cv=cv)


@pytest.mark.parametrize(
    "cv",
    [TimeSeriesSplit(4), ShuffleSplit(3, train_size=0.3, test_size=0.2, random_state=0)],
    ids=["time series", "some rows"],
)
def test_splits_that_do_not_share_their_rows(cv, values, regression):
    """The target has another mean in each of them."""
    X, y = regression
    model = pipeline(StandardScaler(), model=ridge())
    assert_grid_search_agrees(model, {"model__alpha": LIST}, X, y, cv=cv)
    search = search_over(model, {"model__alpha": values}, X, y, cv=cv)
    assert_true(search, X, y, cv=cv)


def test_words_that_differ_between_the_folds(values, texts):
    X, y = texts
    model = pipeline(TfidfVectorizer())
    widths = {len(TfidfVectorizer().fit(np.array(X)[t]).vocabulary_) for t, _ in FOLDS.split(X, y)}
    assert len(widths) > 1
    assert_grid_search_agrees(model, {"model__C": LIST}, X, y, **SETTINGS)
    search = search_over(model, {"model__C": values}, X, y, **SETTINGS)
    assert_served(search, "joint grid" if values is LIST else "searched")
    assert_true(search, X, y, **SETTINGS)
    assert search.predict(X[:2]).shape == (2,)


def test_columns_of_a_frame(values, frame):
    X, y = frame
    cv = KFold(5, shuffle=True, random_state=3)
    model = pipeline(columns(), model=ridge())
    assert_grid_search_agrees(model, {"model__alpha": LIST}, X, y, cv=cv)
    search = search_over(model, {"model__alpha": values}, X, y, cv=cv)
    assert_served(search, "joint grid" if values is LIST else "searched")
    assert_true(search, X, y, cv=cv)
    assert list(search.feature_names_in_) == list(X.columns)


def test_fold_models_are_those_of_the_pipeline(frame):
    """What is scored has every attribute that a fit would have given it."""
    X, y = frame
    seen = []

    def scorer(estimator, X, y):
        seen.append(estimator)
        return estimator.score(X, y)

    cv = KFold(3)
    model = pipeline(columns(), model=ridge())
    search_over(model, {"model__alpha": [1.0]}, X, y, scoring=scorer, cv=cv, refit=False)
    for scored, (train, _) in zip(seen, cv.split(X), strict=True):
        own = pipeline(columns(), model=ridge()).fit(X.iloc[train], y[train])
        last = scored.named_steps["model"]
        assert set(vars(last)) == set(vars(own[-1]))
        np.testing.assert_allclose(last.coef_, own[-1].coef_, atol=1e-6)
        names = scored.named_steps["step0"].get_feature_names_out()
        np.testing.assert_array_equal(names, own[:-1].get_feature_names_out())


def test_scorers_may_take_a_pipeline_apart(values, binary):
    def scorer(estimator, X, y):
        assert len(estimator) == 2
        return estimator[-1].score(estimator[:-1].transform(X), y)

    model = pipeline(StandardScaler())
    search = search_over(model, {"model__C": values}, *binary, scoring=scorer, cv=FOLDS)
    assert_true(search, *binary, scoring=scorer, cv=FOLDS)


class CountingScaler(StandardScaler):
    """Counts its fits by the number of rows it saw."""

    fits = Counter()

    def fit(self, X, y=None, sample_weight=None):
        CountingScaler.fits[self.with_mean, len(X)] += 1
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("tol", [1e-4, 1e-10])
@pytest.mark.parametrize("listed", [{}, {"scaler__with_mean": [True, False]}], ids=["one", "two"])
def test_transformers_are_fitted_once_a_fold_and_setting(listed, tol, values, binary):
    """And once for the refit; never once for each value of the penalty."""
    X, y = binary
    cv = KFold(4)  # 4 times 120 rows
    model = Pipeline([("scaler", CountingScaler()), ("model", logistic(tol=tol))])
    CountingScaler.fits = Counter()
    search = search_over(model, {"model__C": values, **listed}, X, y, cv=cv, scoring=LOSS)
    chosen = search.best_params_.get("scaler__with_mean", True)
    expected = {(setting, 120): 4 for setting in listed.get("scaler__with_mean", [True])}
    assert CountingScaler.fits == {**expected, (chosen, 160): 1}


def test_transformers_are_kept_across_settings_of_the_model(binary):
    model = Pipeline([("scaler", CountingScaler()), ("model", logistic())])
    grid = {"model__C": INTERVAL, "model__fit_intercept": [True, False]}
    CountingScaler.fits = Counter()
    search_over(model, grid, *binary, cv=KFold(4), scoring=LOSS, refit=False)
    assert CountingScaler.fits == {(True, 120): 4}


def test_steps_among_the_values(binary):
    """Whole steps, "passthrough" included, may be listed beside an interval."""
    X, y = binary
    grid = {"step0": [StandardScaler(), PCA(3), "passthrough"], "model__C": INTERVAL}
    search = search_over(pipeline(StandardScaler()), grid, X, y, **SETTINGS)
    assert {str(params["step0"]) for params in search.cv_results_["params"]} == {
        "StandardScaler()", "PCA(n_components=3)", "passthrough",
    }  # fmt: skip
    assert_true(search, X, y, **SETTINGS)


def test_a_pipeline_of_one_step_is_its_model(values, binary):
    X, y = binary
    alone = search_over(logistic(), {"C": values}, X, y, **SETTINGS)
    piped = search_over(pipeline(), {"model__C": values}, X, y, **SETTINGS)
    assert piped.best_score_ == pytest.approx(alone.best_score_, abs=1e-9)
    assert piped.best_params_["model__C"] == pytest.approx(alone.best_params_["C"])


def test_pipelines_remember_transformers(tmp_path, binary):
    """With a memory of its own a pipeline is still searched jointly."""
    X, y = binary
    model = pipeline(StandardScaler()).set_params(memory=str(tmp_path))
    search = search_over(model, {"model__C": INTERVAL}, X, y, **SETTINGS)
    assert_served(search, "searched")
    assert_true(search, X, y, **SETTINGS)


class Stateless(TransformerMixin, BaseEstimator):
    """A transformer that keeps nothing of its fit, as users write them."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.log1p(np.abs(X))


@pytest.mark.parametrize("values", [INTERVAL, LIST], ids=["interval", "list"])
def test_a_transformer_may_keep_nothing_of_its_fit(values, binary):
    chain = pipeline(Stateless())
    if values is LIST:
        assert_grid_search_agrees(chain, {"model__C": values}, *binary, **SETTINGS)
        return
    search = search_over(chain, {"model__C": values}, *binary, **SETTINGS)
    assert_served(search, "searched")
    assert_true(search, *binary, **SETTINGS)


def test_models_without_a_twin_follow_such_a_transformer_too(binary):
    chain = pipeline(Stateless(), model=DecisionTreeClassifier(random_state=0))
    grid = {"model__max_depth": [1, 2, 3]}
    assert_grid_search_agrees(chain, grid, *binary, atol=1e-12, served=False, **SETTINGS)


@pytest.mark.parametrize("values", [INTERVAL, LIST], ids=["interval", "list"])
def test_a_transformer_may_return_a_list(values, binary):
    chain = pipeline(FunctionTransformer(np.ndarray.tolist))
    search = search_over(chain, {"model__C": values}, *binary, **SETTINGS)
    assert_served(search, "searched" if values is INTERVAL else "joint grid")
    assert_true(search, *binary, **SETTINGS)


@pytest.mark.parametrize("values", [INTERVAL, LIST], ids=["interval", "list"])
def test_a_transformer_that_drops_rows_fails_as_in_grid_search(values, binary):
    chain = pipeline(FunctionTransformer(lambda rows: rows[:-1]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search_over(chain, {"model__C": values}, *binary, **SETTINGS)
