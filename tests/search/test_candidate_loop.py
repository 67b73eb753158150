"""Our own loop over candidates: the tables are those of scikit-learn's loop."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import make_scorer, matthews_corrcoef
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skbamm import BAMMSearchCV
from skbamm.search.candidate_loop import CandidateLoop

CANCER = load_breast_cancer(return_X_y=True)
CANCER = CANCER[0][:150], CANCER[1][:150]
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
DIABETES = DIABETES[0][:120], DIABETES[1][:120]
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-9, max_iter=5000))

SEVERAL = ["accuracy", "f1", "neg_log_loss", "balanced_accuracy"]
OWN = {  # models that are left to their own fits, and what is scored
    "tree": (DecisionTreeClassifier(random_state=0), "max_depth", [1, 2, 3], CANCER, SEVERAL),
    "neighbours": (KNeighborsClassifier(), "n_neighbors", [1, 3, 9], IRIS, SEVERAL[:1]),
    "draws": (SGDClassifier(max_iter=5, tol=None), "eta0", [0.1, 1.0], CANCER, "accuracy"),
    "numbers": (
        DecisionTreeRegressor(random_state=0), "max_depth", [1, 2, 3], DIABETES,
        ["r2", "neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error"],
    ),
    "no twin": (
        DummyClassifier(), "strategy", ["prior", "uniform"], IRIS, make_scorer(matthews_corrcoef)
    ),
}  # fmt: skip


@pytest.fixture
def rows(monkeypatch):
    """Count the candidates that our loop evaluates."""
    found = []
    own = CandidateLoop._evaluated
    monkeypatch.setattr(CandidateLoop, "_evaluated", lambda s, p: [found.append(p), own(s, p)][1])
    return found


def tables(model, grid, data, scoring, **options):
    found = []
    for kind in (BAMMSearchCV, GridSearchCV):
        np.random.seed(3)  # noqa: NPY002
        search = kind(model, grid, scoring=scoring, cv=3, refit=False, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(search.fit(*data).cv_results_)
    ours, theirs = found
    assert ours["params"] == theirs["params"] and set(ours) == set(theirs)
    return [(ours[n], theirs[n]) for n in ours if "_test_" in n and "rank" not in n]


@pytest.mark.parametrize("case", OWN)
def test_own_fits_are_scored_to_the_last_digit(case, rows):
    model, name, values, data, scoring = OWN[case]
    grid = {f"{type(model).__name__.lower()}__{name}": values}
    for ours, theirs in tables(make_pipeline(StandardScaler(), model), grid, data, scoring):
        np.testing.assert_array_equal(ours, theirs)
    assert len(rows) == len(values)


@pytest.mark.parametrize("scoring", [None, SEVERAL, "roc_auc", "average_precision"])
def test_solved_models_are_scored(scoring, rows):
    for ours, theirs in tables(LOGISTIC, {"logisticregression__C": [0.1, 1]}, CANCER, scoring):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert len(rows) == 2
    options = {"scoring": scoring, "cv": 3, "refit": False}
    one = BAMMSearchCV(LOGISTIC, {"logisticregression__C": [1, 0.1]}, **options).fit(*CANCER)
    two = BAMMSearchCV(LOGISTIC, {"logisticregression__C": [0.1, 1]}, **options).fit(*CANCER)
    for name in one.cv_results_:
        if "_test_" in name and "rank" not in name:  # whichever loop it went through
            there = two.cv_results_[name][::-1]
            np.testing.assert_allclose(one.cv_results_[name], there, rtol=1e-9)


def test_weights_in_scores_are_taken(rows):
    weight = np.random.default_rng(0).integers(0, 3, len(IRIS[1]))
    model = LogisticRegression(tol=1e-9, max_iter=5000)
    found = [
        kind(model, {"C": [0.1, 1.0, 10.0]}, scoring=["accuracy", "neg_log_loss"], refit=False)
        .fit(*IRIS, sample_weight=weight).cv_results_
        for kind in (BAMMSearchCV, GridSearchCV)
    ]  # fmt: skip
    for name in ("split2_test_accuracy", "mean_test_neg_log_loss"):
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-5)
    assert len(rows) == 3


class Fails(ClassifierMixin, BaseEstimator):
    """Fails for some values of a parameter: in fit, or where it predicts."""

    def __init__(self, value=0):
        self.value = value

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.value == 1:
            raise RuntimeError("not this value")
        return self

    def predict(self, X):
        if self.value == 2:
            raise RuntimeError("nor this one")
        return np.full(len(X), self.classes_[self.value % 2])


@pytest.mark.parametrize("values", [[0, 1, 3], [0, 2, 3], [1, 0, 3], [2, 0]])
@pytest.mark.parametrize("scoring", [None, ["accuracy"]])
def test_what_fails_is_told_as_scikit_learn_does(values, scoring):
    model = make_pipeline(StandardScaler(), Fails())
    told = []
    for kind in (BAMMSearchCV, GridSearchCV):
        search = kind(model, {"fails__value": values}, scoring=scoring, refit=False, cv=3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search.fit(*CANCER)
        told.append(
            {
                (one.category, str(one.message).partition("\n")[0])
                for one in caught
                if issubclass(one.category, FitFailedWarning)
                or "Scoring failed" in str(one.message)
            }
        )
        name = "mean_test_score" if scoring is None else "mean_test_accuracy"
        told[-1] = told[-1], search.cv_results_[name].tolist()
    assert repr(told[0]) == repr(told[1])


def test_error_score_raise():
    search = BAMMSearchCV(
        make_pipeline(StandardScaler(), Fails()), {"fails__value": [0, 1]}, error_score="raise"
    )
    with pytest.raises(RuntimeError, match="not this value"):
        search.fit(*CANCER)


class Stops(Fails):
    """Is interrupted from the keyboard, once."""

    presses = 1

    def fit(self, X, y):
        if self.value == 4 and Stops.presses:
            Stops.presses -= 1
            raise KeyboardInterrupt
        return super().fit(X, y)


def test_an_interrupt_of_a_list_is_raised_and_of_limited_time_kept():
    model, grid = make_pipeline(StandardScaler(), Stops()), {"stops__value": [0, 3, 4, 5]}
    Stops.presses = 1
    with pytest.raises(KeyboardInterrupt):
        BAMMSearchCV(model, grid, cv=3).fit(*CANCER)
    Stops.presses = 1
    search = BAMMSearchCV(model, grid, cv=3, max_time=60)
    with pytest.warns(UserWarning, match="interrupted by the user"):
        search.fit(*CANCER)
    assert [one["stops__value"] for one in search.cv_results_["params"]] == [0, 3]


def test_a_twin_that_differs_is_not_used(monkeypatch):
    from sklearn.metrics import r2_score

    import skbamm.search.candidate_loop as loop

    monkeypatch.setitem(loop.TWINS, r2_score, lambda given: 0.125)
    found = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0, 9.0]}, refit=False).fit(*DIABETES)
    theirs = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 9.0]}, refit=False).fit(*DIABETES)
    ours, theirs = (one.cv_results_["mean_test_score"] for one in (found, theirs))
    np.testing.assert_allclose(ours[1:], theirs[1:], rtol=0.5)
    assert not np.isclose(ours, 0.125).all()


def test_whose_score_is_another(rows):
    class Own(KNeighborsClassifier):
        def score(self, X, y, sample_weight=None):
            return -float(self.n_neighbors)

    model = make_pipeline(StandardScaler(), Own())
    search = BAMMSearchCV(model, {"own__n_neighbors": [2, 1, 3]}, cv=3).fit(*IRIS)
    assert search.cv_results_["mean_test_score"].tolist() == [-2.0, -1.0, -3.0] and rows


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (LogisticRegression(), {"C": [1e-4, 1.0]}),
        (KNeighborsClassifier(), {"n_neighbors": [30, 40]}),
    ],
)
def test_a_scorer_warns_as_often_as_in_a_grid_search(model, grid):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 5))
    y = (X[:, 0] + rng.normal(size=90) > 0.9).astype(int)
    counts = []
    for kind in (GridSearchCV, BAMMSearchCV):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            kind(model, grid, cv=3, scoring="precision").fit(X, y)
        counts.append(sum(issubclass(one.category, UndefinedMetricWarning) for one in told))
    assert counts[0] == counts[1] > 0
