"""Test rows are transformed once a fold, and scores are what the pipeline's own are."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbamm import BAMMSearchCV
from skbamm.search.transforms.known_rows import KnownRows, same_rows
from skbamm.search.transforms.room import Room

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[::3], Y[::3]
HOLES = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.05, np.nan, X)
FRAME = pd.DataFrame(HOLES[:, :6]).rename(columns="x{}".format).assign(
    town=np.random.default_rng(1).choice(["Ulm", "Bonn", "Kiel"], len(X))
)  # fmt: skip
MIXED = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), [f"x{i}" for i in range(6)]),
    (OneHotEncoder(), ["town"]),
)
VALUES = [0.01, 0.1, 1.0]


class Counting(TransformerMixin, BaseEstimator):
    """Counts what it transforms, whoever clones it."""

    seen: list = []

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        self.seen.append(len(X))
        return X


def halves(estimator, X, y):
    """A scorer that looks at steps, and at other rows than those of the test."""
    first = estimator.predict(X[: len(X) // 2])
    return (first == y[: len(X) // 2]).mean() + estimator[:-1].transform(X).std() / 1e3


@pytest.mark.parametrize(
    "scoring",
    [None, "accuracy", "neg_log_loss", "roc_auc", {"a": "accuracy", "b": "neg_brier_score"}],
)
@pytest.mark.parametrize("data", [HOLES, FRAME], ids=["array", "frame"])
def test_scores_are_the_pipelines_own(data, scoring):
    first = MIXED if data is FRAME else make_pipeline(SimpleImputer(), StandardScaler())
    model = make_pipeline(first, LogisticRegression(tol=1e-10, max_iter=1000))
    grid, refit = {"logisticregression__C": VALUES}, "a" if isinstance(scoring, dict) else True
    options = {"scoring": scoring, "refit": refit, "cv": 3}
    ours = BAMMSearchCV(model, grid, **options).fit(data, Y)
    theirs = GridSearchCV(model, grid, **options).fit(data, Y)
    assert ours.search_plan_[0]["role"] == "joint grid"
    for name in theirs.cv_results_:
        if name.startswith(("mean_test", "split")):
            np.testing.assert_allclose(
                ours.cv_results_[name], theirs.cv_results_[name], rtol=1e-6, err_msg=name
            )


def test_a_scorer_of_other_rows_gets_those():
    model = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10, max_iter=1000))
    found = [
        search(model, {"logisticregression__C": VALUES}, scoring=halves, cv=3).fit(X, Y)
        for search in (BAMMSearchCV, GridSearchCV)
    ]
    ours, theirs = (search.cv_results_["mean_test_score"] for search in found)
    np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def test_each_fold_is_transformed_once():
    Counting.seen.clear()
    model = make_pipeline(Counting(), Ridge())
    scoring = make_scorer(mean_squared_error, greater_is_better=False)
    search = BAMMSearchCV(model, {"ridge__alpha": VALUES}, scoring=scoring, cv=3)
    search.fit(StandardScaler().fit_transform(X), X[:, 0])
    # Three folds' two parts, their test rows once more, and the final fit's.
    assert len(Counting.seen) <= 3 * 3 + 1


def test_errors_of_transformers_are_not_known_answers():
    class Fails:
        def transform(self, X):
            raise ValueError("no")

    known = KnownRows(Pipeline([("a", Fails())]), Room(1))
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            known._transformed(X)


@pytest.mark.parametrize(
    ("some", "other"),
    [
        (HOLES, np.array(HOLES)),
        (FRAME, FRAME.copy()),
        (sp.csr_array(X), sp.csr_array(X)),
        (["a", "b"], ["a", "b"]),
        (FRAME.town, FRAME.town.copy()),
        (FRAME.town.to_numpy(), FRAME.town.to_numpy().copy()),
    ],
)
def test_same_rows_are_told_by_what_they_hold(some, other):
    assert same_rows(some, other)
    assert not same_rows(some, other[1:])
    assert not same_rows(some, other[::-1])
    assert not same_rows(some, str(other))


def test_other_names_types_and_values_are_other_rows():
    assert not same_rows(FRAME, FRAME.rename(columns={"x0": "y0"}))
    assert not same_rows(FRAME, FRAME.to_numpy())
    assert not same_rows(X, X.astype(np.float32).astype(object))
    assert not same_rows(X, X + 1e-9)
    assert not same_rows([1, 2], [1.0, 2.0])


class Dithering(TransformerMixin, BaseEstimator):
    """Its fit seeds the generator that its transform draws from."""

    calls: list = []

    def fit(self, X, y=None):
        self.random_ = np.random.RandomState(0)
        return self

    def transform(self, X):
        self.calls.append(len(X))
        return X + 0.3 * self.random_.normal(size=X.shape)


@pytest.mark.budget
@pytest.mark.parametrize("model", [LogisticRegression(tol=1e-9, max_iter=1000), Ridge()])
def test_test_rows_are_transformed_once_and_right_after_the_training_rows(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 8))
    y = (X[:, 0] + 0.5 * rng.normal(size=150) > 0).astype(int)
    name = "C" if isinstance(model, LogisticRegression) else "alpha"
    grid = {f"model__{name}": [0.1, 1.0, 10.0]}
    pipeline = Pipeline([("dither", Dithering()), ("model", model)])
    Dithering.calls.clear()
    search = BAMMSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert len(Dithering.calls) == 2 * 3 + 1
    expected = GridSearchCV(pipeline, grid, cv=3).fit(X, y).cv_results_
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected["mean_test_score"], atol=1e-6
    )
