"""A fitted search holds what a fitted GridSearchCV holds, and nothing of the data."""

import gc
import pickle
import pickletools
import weakref

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV, PerFeature, SampleWeights
from tests.contract.comparison import roles
from tests.versions import SKLEARN

CV = StratifiedKFold(3)
OURS = {
    "search_plan_", "history_", "n_iter_", "converged_", "device_",
    "refit_adopted_", "best_score_standard_error_", "best_params_range_", "shrinkage_", "dropped_",
    "sample_weight_", "fold_sample_weight_", "label_quality_", "label_issues_",
    "weights_params_", "weights_score_", "_seen",
}  # fmt: skip

PUBLIC = {"BAMMSearchCV", "FeaturePenalty", "PerFeature", "SampleWeights"}


class Watched(np.ndarray):
    """An array that can be referred to weakly."""


def by_hand(estimator, X, y):
    return estimator.score(X, y)


def two_scores(estimator, X, y):
    return {"a": estimator.score(X, y), "b": 1.0}


OPTIONS = {
    "default": {},
    "named": {"scoring": "neg_log_loss"},
    "callable": {"scoring": by_hand},
    "dict": {"scoring": two_scores, "refit": "a"},
    "several": {"scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy"},
    "none": {"scoring": ["accuracy", "neg_log_loss"], "refit": False},
    "no refit": {"refit": False},
    "train": {"return_train_score": True},
}


def data(n=90):
    rng = np.random.RandomState(0)
    X = rng.randn(n, 4).view(Watched)
    return X, (np.asarray(X[:, 0]) + 0.5 * rng.randn(n) > 0).astype(int)


def written(search):
    """Return the size of a pickle, and the names of what has to be imported to read it."""
    pickled, texts, names = pickle.dumps(search), [], set()
    for code, value, _ in pickletools.genops(pickled):
        if isinstance(value, str):
            texts.append(value)
        if code.name == "STACK_GLOBAL":
            names.add(".".join(texts[-2:]))
    return len(pickled), names


def assert_let_go(search, X_before, y):
    """Fit; X is to be freed as soon as nobody else has it."""
    X, kept = X_before.copy(), None
    gc.collect()
    gc.disable()
    try:
        try:
            search.fit(X, y)
        except ValueError as error:
            kept = type(error)
        seen = weakref.ref(X)
        del X
        # Before 1.9 a cycle in scikit-learn's own fit holds the data.
        assert seen() is None or SKLEARN < (1, 9), "a cycle, or the search, holds the data"
    finally:
        gc.enable()
    return kept


def assert_holds_the_same(model, grid, options, **more):
    X, y = data()
    search = BAMMSearchCV(model, grid, cv=CV, **options, **more)
    assert assert_let_go(search, X, y) is None
    theirs = GridSearchCV(model, {next(iter(grid)): [0.1, 1.0]}, cv=CV, **options).fit(X, y)
    assert set(vars(search)) - OURS - set(search.get_params(deep=False)) == (
        set(vars(theirs)) - set(theirs.get_params(deep=False))
    )
    assert type(search.scorer_) is type(theirs.scorer_)
    assert repr(search.scorer_) == repr(theirs.scorer_)
    assert getattr(search, "_checked_cv_orig", CV) is CV  # there from 1.9 on
    (size, names), (few, _) = written(search), written(theirs)
    assert size < few + 15_000
    assert {name.rpartition(".")[2] for name in names if name.startswith("skbamm")} <= PUBLIC
    again = pickle.loads(pickle.dumps(search))
    if options.get("refit", True):
        np.testing.assert_array_equal(again.predict(X), search.predict(X))
        assert again.score(X, y) == search.score(X, y)


# What scoring holds is the same for both kinds of values; an interval has more of its own.
@pytest.mark.parametrize(
    ("values", "options"),
    [([0.1, 1.0], name) for name in OPTIONS]
    + [((0.01, 10.0), name) for name in ("default", "none", "no refit", "train")],
)
def test_holds_what_grid_search_holds(values, options):
    assert_holds_the_same(LogisticRegression(), {"C": values}, OPTIONS[options])


@pytest.mark.filterwarnings("ignore::skbamm.search.report.EdgeWarning")
@pytest.mark.parametrize(
    "model, values, more",
    [
        (LogisticRegression(), PerFeature(0.01, 10.0), {}),
        (LogisticRegression(), (0.01, 10.0), {"sample_weights": SampleWeights()}),
        (make_pipeline(StandardScaler(), LogisticRegression()), (0.01, 10.0), {}),
        (LogisticRegression(), [1.0, 2.0], {"n_jobs": 2}),
    ],
    ids=["vector", "weights", "pipeline", "jobs"],
)
def test_so_do_other_searches(model, values, more):
    name = "C" if isinstance(model, LogisticRegression) else "logisticregression__C"
    assert_holds_the_same(model, {name: values}, {}, **more)


@pytest.mark.parametrize(
    ("model", "break_it"),
    [
        (Ridge(), lambda X: np.where(X > 2, np.nan, X).view(Watched)),
        (LinearSVC(), lambda X: np.where(X > 2, np.nan, X).view(Watched)),
        (ElasticNet(), lambda X: X[:, :0]),
        (LinearSVC(), lambda X: np.full(X.shape, "a").view(Watched)),
    ],
    ids=["ridge, nan", "svm, nan", "no feature", "text"],
)
def test_a_failed_fit_holds_nothing(model, break_it):
    X, y = data()
    name = "alpha" if "alpha" in model.get_params() else "C"
    search = BAMMSearchCV(model, {name: (0.01, 1.0)}, cv=CV)
    assert assert_let_go(search, break_it(X), y) is ValueError
    private = [name for name in vars(search) if name.startswith("_")]
    assert private in ([], ["_checked_cv_orig"])
    assert vars(search).get("_checked_cv_orig", CV) is CV
    assert search.estimator is model


def test_is_a_grid_search():
    search = BAMMSearchCV(Ridge(), {"alpha": [1.0]})
    assert isinstance(search, GridSearchCV)
    assert issubclass(BAMMSearchCV, GridSearchCV)
    assert list(GridSearchCV(Ridge(), {}).get_params(deep=False).keys() - search.get_params()) == []


def local():
    """Return an instance of a class that cannot be found by its name."""

    class Local:
        def __call__(self, X):
            return np.asarray(X) ** 2

    return Local()


class NeverTheSame(BaseEstimator):
    """A transformer whose parameter is copied, but does not pickle."""

    def __deepcopy__(self, memo):
        return NeverTheSame()

    def __reduce__(self):
        raise TypeError("it does not pickle")

    def __call__(self, X):
        return -np.asarray(X)


@pytest.mark.parametrize(
    "values",
    [
        [None, lambda X: X**2],
        [lambda X: X, lambda X: np.asarray(X) ** 3],
        [None, local()],
        [None, NeverTheSame()],
        [np.asarray, np.abs],
    ],
    ids=["lambda", "lambdas", "local", "no pickle", "functions"],
)
@pytest.mark.parametrize("whole", [False, True], ids=["value", "step"])
def test_values_that_do_not_pickle(values, whole):
    X, y = data()
    model = make_pipeline(FunctionTransformer(), Ridge())
    name = "functiontransformer__func"
    if whole:
        name, values = "functiontransformer", [FunctionTransformer(value) for value in values]
    grid = {name: values, "ridge__alpha": [0.1, 10.0]}
    ours, theirs = (cls(model, grid, cv=CV).fit(X, y) for cls in (BAMMSearchCV, GridSearchCV))
    assert roles(ours)["ridge__alpha"] == "joint grid"
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-9
    )
    assert ours.best_index_ == theirs.best_index_
    assert ours.best_params_ == theirs.best_params_
