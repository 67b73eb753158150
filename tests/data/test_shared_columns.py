"""Pipelines whose folds share one matrix give what folds of their own give."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV
from skbamm.data import folded, shared_columns
from skbamm.data.transformer_fits import TransformerFits
from skbamm.folds import AffineRows
from skbamm.search import factory, final_fit
from tests.pairs import turns

N = 240
NUMBERS, WORDS = ["a", "b", "c"], ["u", "v"]


@pytest.fixture(autouse=True)
def however_few_rows(monkeypatch):
    """Columns are shared even where folds of their own would be as fast."""
    monkeypatch.setattr(final_fit, "_FEW", 0)
    monkeypatch.setattr(shared_columns, "STACKED", 0)


@pytest.fixture
def made(monkeypatch):
    """Rows that solvers made."""
    seen, original = [], folded.FoldedData._make_rows

    def spy(*args):
        seen.append(original(*args))
        return seen[-1]

    monkeypatch.setattr(folded.FoldedData, "_make_rows", spy)
    return seen


def frame(seed=0, missing=None):
    """Return numbers of several scales, one far from zero, and words of which some are rare."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(N, 3)) * [1, 30, 0.01] + [0, 2000, 1], columns=NUMBERS)
    X["u"] = rng.choice(["x", "y", "z"], N)
    X["v"] = [f"w{i}" for i in rng.geometric(0.4, N)]
    z = X.a + (X.b - 2000) / 30 + (X.u == "x") - (X.v == "w2") + rng.normal(size=N)
    if missing is not None:
        X.loc[rng.random(N) < 0.1, missing] = np.nan
    return X, z.to_numpy()


def mixed(*numbers, **encoder):
    """Return a transformer of both kinds of columns."""
    encoder = {"handle_unknown": "ignore", **encoder}
    return make_column_transformer(
        (make_pipeline(*numbers), NUMBERS), (OneHotEncoder(**encoder), WORDS)
    )


PREPARED = {
    "standard": (make_column_transformer((StandardScaler(), NUMBERS)),),
    "mixed": (mixed(StandardScaler()),),
    "dense": (mixed(MinMaxScaler(), sparse_output=False),),
    "dropped": (mixed(RobustScaler(), drop="first"),),
    "remainder": (
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), WORDS), remainder="passthrough"
        ),
        MaxAbsScaler(),
    ),
    "union": (
        make_column_transformer((make_union(StandardScaler(), MinMaxScaler()), NUMBERS)),
        FunctionTransformer(),
    ),
    "selected": (mixed(StandardScaler()), VarianceThreshold(0.02), SelectKBest(f_regression, k=6)),
    "powers": (
        make_column_transformer((PolynomialFeatures(2, include_bias=False), NUMBERS)),
        StandardScaler(),
    ),
    "weights": (
        make_column_transformer(
            (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), WORDS)
        ).set_params(transformer_weights={"standardscaler": 3.0}),
    ),
}
MODELS = {
    "logistic": (LogisticRegression(tol=1e-10, max_iter=10_000), "C", [0.01, 1.0, 50.0]),
    "ridge": (Ridge(tol=1e-10), "alpha", [0.1, 10.0, 1e3]),
    "lasso": (ElasticNet(tol=1e-10, max_iter=10**6), "alpha", [0.01, 0.1]),
    "svm": (LinearSVC(tol=1e-10, max_iter=10**6), "C", [0.01, 1.0]),
    "poisson": (PoissonRegressor(tol=1e-10, max_iter=10_000), "alpha", [0.01, 1.0]),
}


@pytest.mark.parametrize(
    ("before", "model"),
    [(name, "logistic") for name in PREPARED if name != "powers"]
    + [("mixed", name) for name in MODELS if name != "logistic"]
    + [("selected", "ridge"), ("standard", "lasso"), ("union", "ridge"), ("powers", "ridge")],
)
def test_a_list_is_scored_as_scikit_learn_scores_it(before, model, made):
    estimator, name, values = MODELS[model]
    X, y = frame()
    if model in ("logistic", "svm"):
        y = y > 0
    if model == "poisson":
        y = np.exp(y / 4)
    pipeline = make_pipeline(*PREPARED[before], estimator)
    lists = {f"{estimator.__class__.__name__.lower()}__{name}": values}
    cv = KFold(4, shuffle=True, random_state=0)
    ours = BAMMSearchCV(pipeline, lists, cv=cv).fit(X, y)
    theirs = GridSearchCV(pipeline, lists, cv=cv).fit(X, y)
    assert any(isinstance(rows, AffineRows) for rows in made)
    scores, expected = (s.cv_results_["mean_test_score"] for s in (ours, theirs))
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.best_estimator_[-1].coef_, theirs.best_estimator_[-1].coef_,
                               rtol=1e-3, atol=2e-4)  # fmt: skip


@pytest.mark.parametrize("before", PREPARED)
@pytest.mark.parametrize("missing", [None, "a"])
def test_test_rows_are_what_the_transformers_return(before, missing):
    X, y = frame(missing=missing)
    first = [SimpleImputer()] if missing and before in ("mixed", "dense", "selected") else []
    prepared = PREPARED[before]
    if first:
        prepared = (mixed(*first, StandardScaler()), *prepared[1:])
    elif missing:
        X["a"] = 0.0
    cv = list(KFold(4, shuffle=True, random_state=0).split(X))
    steps, fits = make_pipeline(*prepared), TransformerFits(X, y)
    folds = shared_columns.share_columns(steps, fits, "", cv, lambda _: "cpu")
    for fold, (_, test) in zip(folds, cv, strict=True):
        assert fold.knows_test_rows
        got, one = fold.test_rows(), fold.transformers.transform(X.iloc[test])
        assert type(got) is type(one)
        got, one = (part.toarray() if sp.issparse(part) else part for part in (got, one))
        np.testing.assert_allclose(got, one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("before", ["mixed", "selected", "dense"])
def test_an_interval_finds_what_folds_of_their_own_find(before, made, monkeypatch):
    X, y = frame()
    model = make_pipeline(*PREPARED[before], Ridge())
    search = BAMMSearchCV(model, {"ridge__alpha": (1e-3, 1e4)}).fit(X, y)
    assert any(isinstance(rows, AffineRows) for rows in made)
    monkeypatch.setattr(factory, "share_columns", lambda *_: None)
    alone = BAMMSearchCV(model, {"ridge__alpha": (1e-3, 1e4)}).fit(X, y)
    assert not any(isinstance(rows, AffineRows) for rows in made[-1:])
    found, other = (s.best_params_["ridge__alpha"] for s in (search, alone))
    assert found == pytest.approx(other, rel=1e-3)
    assert search.best_score_ == pytest.approx(alone.best_score_, rel=1e-7)


def test_sparse_rows_stay_sparse(made):
    rng = np.random.default_rng(0)
    X = sp.random_array((N, 40), density=0.1, format="csr", rng=rng)
    y = X @ rng.normal(size=40) + 0.1 * rng.normal(size=N)
    model = make_pipeline(MaxAbsScaler(), Ridge(solver="sparse_cg", tol=1e-10))
    lists = {"ridge__alpha": [0.1, 1.0]}
    ours, theirs = (S(model, lists).fit(X, y) for S in (BAMMSearchCV, GridSearchCV))
    assert all(sp.issparse(rows.base.X) for rows in made)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("strategy", "model"),
    turns(["constant", "most_frequent", "median", "mean"], ["ridge", "logistic"]),
)
def test_missing_values_are_shared_whatever_each_fold_puts_in(strategy, model, made):
    X, y = frame(missing=["a", "b"])
    X["b"] = X["b"].round(-1)
    estimator, name, values = MODELS[model]
    y = y > 0 if model == "logistic" else y
    before = mixed(SimpleImputer(strategy=strategy, fill_value=0), StandardScaler())
    pipeline = make_pipeline(before, VarianceThreshold(0.01), estimator)
    lists = {f"{estimator.__class__.__name__.lower()}__{name}": values}
    ours, theirs = (S(pipeline, lists).fit(X, y) for S in (BAMMSearchCV, GridSearchCV))
    assert isinstance(made[0], AffineRows)
    if strategy in ("constant", "mean"):
        assert len(made[0].maps.owner) == 2 * (strategy == "mean")
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-7
    )


class Doubled(StandardScaler):
    """A scaler that does something else than it says."""

    def transform(self, X, copy=None):
        return 2 * super().transform(X, copy)


@pytest.mark.parametrize(
    "other",
    [
        PCA(2),
        MinMaxScaler(clip=True),
        FunctionTransformer(np.tanh),
        Doubled(),
        OneHotEncoder(min_frequency=0.2, handle_unknown="infrequent_if_exist"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_is_more_than_a_scale_and_a_shift_has_folds_of_its_own(other, made):
    X, y = frame()
    columns = WORDS if isinstance(other, OneHotEncoder) else NUMBERS
    model = make_pipeline(make_column_transformer((other, columns)), Ridge())
    lists = {"ridge__alpha": [1.0, 100.0]}
    ours, theirs = (S(model, lists).fit(X, y) for S in (BAMMSearchCV, GridSearchCV))
    assert made and not any(isinstance(rows, AffineRows) for rows in made)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-7
    )


def test_without_an_intercept_a_shift_is_not_shared(made):
    X, y = frame()
    model = make_pipeline(mixed(StandardScaler()), Ridge(fit_intercept=False))
    lists = {"ridge__alpha": [1.0, 100.0]}
    ours, theirs = (S(model, lists).fit(X, y) for S in (BAMMSearchCV, GridSearchCV))
    assert not any(isinstance(rows, AffineRows) for rows in made)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-7
    )


@pytest.mark.filterwarnings("ignore:Scoring failed")
def test_what_the_transformers_refuse_is_scored_as_scikit_learn_scores_it():
    X, y = frame()
    X.loc[0, "v"] = "seen once"
    model = make_pipeline(mixed(StandardScaler(), handle_unknown="error"), Ridge())
    lists = {"ridge__alpha": [1.0, 100.0]}
    cv = KFold(4, shuffle=True, random_state=3)
    ours, theirs = (
        S(model, lists, cv=cv, error_score=-7.0).fit(X, y) for S in (BAMMSearchCV, GridSearchCV)
    )
    assert (theirs.cv_results_["mean_test_score"] < 0).all()  # a fold has failed
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )
