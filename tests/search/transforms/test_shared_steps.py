"""Lists that nothing solves jointly: transformers are fitted once a fold, and the table stays."""

import pickle
import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KernelCenterer,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from skbamm import BAMMSearchCV
from skbamm.search.transforms import exchange, shared_steps
from skbamm.search.transforms.room import Room, held_bytes
from skbamm.search.transforms.shared_steps import SharedSteps

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[::4, :8], Y[::4]
RNG = np.random.default_rng(0)
HOLES = np.where(RNG.uniform(size=X.shape) < 0.05, np.nan, X)
FRAME = pd.DataFrame(X[:, :3], columns=list("abc")).assign(
    town=RNG.choice(["Ulm", "Bonn", "Kiel"], len(X))
)
TEXTS = [" ".join(RNG.choice(["goal", "ball", "team"] if k else ["oven", "dough"], 4)) for k in Y]
CV = StratifiedKFold(3, shuffle=True, random_state=0)


class Counting(StandardScaler):
    """Counts its fits and transforms, whoever clones it."""

    calls = Counter()

    def fit(self, X, y=None, sample_weight=None):
        self.calls["fit"] += 1
        return super().fit(X, y, sample_weight)

    def transform(self, X, copy=None):
        self.calls["transform"] += 1
        return super().transform(X, copy)


@pytest.fixture(autouse=True)
def _counts():
    Counting.calls.clear()


def piped(*transformers, model):
    steps = [(f"step{i}", transformer) for i, transformer in enumerate(transformers)]
    return Pipeline([*steps, ("model", model)])


def fitted_both(model, grid, X=X, y=Y, params=None, **options):
    options = {"cv": CV, **options}
    found = []
    for search in (BAMMSearchCV, GridSearchCV):
        np.random.seed(0)  # noqa: NPY002
        Counting.calls.clear()
        found.append(search(model, grid, **options).fit(X, y, **(params or {})))
        found[-1].calls = dict(Counting.calls)
    return found


def assert_same(ours, theirs, X=X):
    """Every column but those of times holds the same, to the last digit."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, expected in theirs.cv_results_.items():
        if not name.endswith("_time") and name != "params":
            np.testing.assert_array_equal(ours.cv_results_[name], expected, err_msg=name)
    assert str(ours.cv_results_["params"]) == str(theirs.cv_results_["params"])
    if theirs.refit:
        best, expected = (re.sub("0x.*?\\)", "", str(o.best_estimator_)) for o in (ours, theirs))
        assert best.replace("BAMM", "Grid") == expected
        for method in ("predict", "transform"):
            if hasattr(theirs, method):
                ours_made, theirs_made = (getattr(one, method)(X) for one in (ours, theirs))
                np.testing.assert_array_equal(ours_made, theirs_made)


MODELS = {
    "texts": (piped(TfidfVectorizer(), model=MultinomialNB()), {"model__alpha": [0.1, 1.0]}, TEXTS),
    "neighbours": (
        piped(Counting(), model=KNeighborsClassifier()), {"model__n_neighbors": [1, 3, 5]}, X
    ),
    "PCA and a kernel": (
        piped(StandardScaler(), PCA(3), model=SVC()),
        {"model__C": [0.1, 1], "model__gamma": [1, 2]}, X,
    ),
    "forest": (
        piped(
            make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough"),
            model=RandomForestClassifier(5, random_state=0),
        ),
        {"model__max_depth": [1, 2, None]}, FRAME,
    ),
    "random forest": (
        piped(Counting(), model=RandomForestClassifier(3)), {"model__max_depth": [1, 2]}, X
    ),
    "holes": (
        piped(SimpleImputer(), Counting(), model=GaussianNB()),
        {"model__var_smoothing": [1e-9, 1e-3, 1.0]}, HOLES,
    ),
    "settings of transformers": (
        piped(Counting(), PCA(), model=SVC()),
        {"model__C": [0.1, 1], "step0__with_std": [True, False], "step1__n_components": [2, 3]}, X,
    ),
    "models": (
        piped(Counting(), "passthrough", model=SVC()),
        [{"model": [SVC(), GaussianNB()]}, {"model__C": [2.0], "step0": [None, Counting()]}], X,
    ),
    "target encoder": (
        piped(TargetEncoder(cv=CV), model=SVC()), {"model__C": [0.1, 1]}, FRAME[["town"]]
    ),
    "no predictor": (piped(Counting(), model=PCA()), {"model__n_components": [1, 2]}, X),
    "frames inside": (
        piped(Counting(), model=SVC()).set_output(transform="pandas"),
        {"model__C": [0.1, 1]}, FRAME[["a", "b"]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_table_is_the_grids(name):
    model, grid, data = MODELS[name]
    assert_same(*fitted_both(model, grid, data, return_train_score=True), data)


@pytest.mark.parametrize("name", ["texts", "neighbours", "settings of transformers"])
def test_workers_share(name):
    model, grid, data = MODELS[name]
    assert_same(*fitted_both(model, grid, data, n_jobs=2), data)


def test_transformers_are_fitted_once_a_fold():
    grid = {"model__n_neighbors": [1, 3, 5, 7], "step0__with_mean": [True, False]}
    model = piped(Counting(), model=KNeighborsClassifier())
    ours, theirs = fitted_both(model, grid)
    # Rows that are trained on, and rows that are scored; and the final fit's.
    assert ours.calls == {"fit": 2 * 3 + 1, "transform": 2 * 2 * 3 + 1}
    assert theirs.calls == {"fit": 8 * 3 + 1, "transform": 2 * 8 * 3 + 1}
    assert all("once a fold" in row["reason"] for row in ours.search_plan_)


def test_first_steps_are_fitted_once_for_settings_of_later_ones():
    model = piped(Counting(), PCA(), model=SVC())
    grid = {"step1__n_components": [2, 3, 4], "model__C": [0.1, 1.0]}
    for values in ([0.1, 1.0], [1.0]):
        grid["model__C"] = values
        ours, theirs = fitted_both(model, grid, return_train_score=True)
        assert_same(ours, theirs)
        assert ours.calls["fit"] == 3 + 1
        assert theirs.calls["fit"] == 3 * 3 * len(values) + 1
    grid = [{"step1": [PCA(2), Shifting()]}, {"step1": ["passthrough", Shifting(1)]}]
    ours, theirs = fitted_both(model, grid, return_train_score=True)
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 3 + 1


class Shifting(TransformerMixin, BaseEstimator):
    """A transformer that writes into the rows that it is given."""

    def __init__(self, amount=0.5):
        self.amount = amount

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X += self.amount
        return X


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_pipelines_in_a_transformed_target(n_jobs):
    model = piped(
        Counting(), SelectKBest(f_regression, k=4), model=DecisionTreeRegressor(random_state=0)
    )
    around = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    grid = {"regressor__model__max_depth": [1, 2, 3], "func": [np.log1p, np.sqrt]}
    grid["check_inverse"] = [False]
    scoring = ["r2", "neg_mean_absolute_error"]
    options = {
        "cv": 3,
        "scoring": scoring,
        "refit": "r2",
        "return_train_score": True,
        "n_jobs": n_jobs,
    }
    ours, theirs = fitted_both(around, grid, X, X[:, 0], **options)
    assert_same(ours, theirs)
    if not n_jobs:
        assert ours.calls["fit"] == 2 * 3 + 1
    assert type(ours.best_estimator_.regressor_) is Pipeline


class Noisy(FunctionTransformer):
    """A target's transformer that draws random numbers."""

    def transform(self, X):
        return X + np.random.normal(size=X.shape)  # noqa: NPY002


def test_a_target_that_is_transformed_at_random():
    model = piped(SelectKBest(f_regression, k=4), model=DecisionTreeRegressor(random_state=0))
    around = TransformedTargetRegressor(model, transformer=Noisy(), check_inverse=False)
    grid = {"regressor__model__max_depth": [1, 2, 3]}
    assert_same(*fitted_both(around, grid, X, X[:, 0], cv=3))


def test_what_one_candidate_has_alone_is_the_grids_own():
    model = piped(Counting(), model=SVC())
    search = BAMMSearchCV(model, {"step0__with_mean": [True, False]}, cv=CV).fit(X, Y)
    assert Counting.calls["fit"] == 2 * 3 + 1
    assert "once a fold" not in search.search_plan_[0]["reason"]


def test_without_a_target():
    model = piped(Counting(), model=KMeans(random_state=0, n_init=1))
    ours, theirs = fitted_both(model, {"model__n_clusters": [2, 3, 4]}, y=None, cv=3)
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 3 + 1


@pytest.mark.parametrize(
    ("random_state", "shared"), [(0, True), (np.random.RandomState(3), True), (None, False)]
)
def test_transformers_that_draw_random_numbers(random_state, shared):
    """Of the global generator each candidate draws its own, as in a grid."""
    reducer = TruncatedSVD(2, n_iter=1, n_oversamples=1, random_state=random_state)
    model = piped(Counting(), reducer, model=SVC())
    ours, theirs = fitted_both(model, {"model__C": [0.1, 1.0, 10.0]})
    assert_same(ours, theirs)
    assert (ours.calls["fit"] == 3 + 1) == shared


def test_transformers_that_fail_after_random_numbers_were_drawn():
    """Some select fewer features than the next step needs."""
    chosen = SelectFromModel(RandomForestClassifier(2))
    model = piped(chosen, PCA(), model=RandomForestClassifier(2))
    grid = {"model__max_depth": [1, 2], "step1__n_components": [1, 4]}
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning):
        ours, theirs = fitted_both(model, grid, refit=False)
    assert_same(ours, theirs)


def test_transformers_that_write_into_their_rows():
    """The rows of the training score are scaled twice then."""
    model = piped(Counting(copy=False), model=KNeighborsClassifier())
    grid = {"model__n_neighbors": [1, 3]}
    ours, theirs = fitted_both(model, grid, return_train_score=True, refit=False)
    assert_same(ours, theirs)


class Overwriting(ClassifierMixin, BaseEstimator):
    """A model that writes into the rows that it is given."""

    def __init__(self, power=1):
        self.power = power

    def fit(self, X, y):
        X *= 2.0
        self.classes_, self.mean_ = np.unique(y), np.abs(X).mean()
        return self

    def predict(self, X):
        X += 1.0
        return self.classes_[(np.abs(X).mean(1) ** self.power > self.mean_).astype(int)]


class OwnLasso(Lasso):
    """A Lasso without a twin, so that its lists are enumerated."""


@pytest.mark.parametrize(
    ("model", "grid"),
    [(Overwriting(), {"power": [1, 2, 3]}), (OwnLasso(copy_X=False), {"alpha": [0.1, 1.0]})],
)
def test_models_may_write_into_their_rows(model, grid, monkeypatch):
    grid = {f"model__{name}": values for name, values in grid.items()}
    options = {"return_train_score": True, "scoring": "accuracy"}
    if isinstance(model, Lasso):
        options["scoring"] = "r2"
    ours, theirs = fitted_both(piped(Counting(), model=model), grid, **options)
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 3 + 1


def steps_and_rows(estimator, X, y):
    """A scorer that looks at everything."""
    assert isinstance(estimator, Pipeline)
    inside = estimator[:-1].transform(X)
    assert estimator["step0"] is estimator.named_steps["step0"]
    part = estimator.predict(X[::2]).mean()
    return {"a": estimator.score(X, y), "b": float(inside.std()) + part, "c": float(X.sum())}


@pytest.mark.parametrize(
    ("scoring", "refit"),
    [
        ("roc_auc", True),
        ({"a": "accuracy", "b": "roc_auc", "c": "f1"}, "b"),
        (steps_and_rows, "b"),
        (["accuracy", "neg_log_loss"], False),
    ],
)
def test_scorers(scoring, refit):
    model = piped(Counting(), model=KNeighborsClassifier())
    grid = {"model__n_neighbors": [1, 3, 5]}
    ours, theirs = fitted_both(model, grid, scoring=scoring, refit=refit, return_train_score=True)
    assert_same(ours, theirs)


def refitting(estimator, X, y):
    """A scorer that fits what it is to score."""
    return estimator.fit(X[::2], y[::2]).score(X[1::2], y[1::2])


def inspecting(estimator, X, y):
    """A scorer that asks whether its model is fitted, and fits a clone of it."""
    check_is_fitted(estimator)
    other = clone(estimator)
    with pytest.raises(NotFittedError):
        check_is_fitted(other)
    with pytest.raises(NotFittedError):
        check_is_fitted(other.steps[0][1])
    return other.fit(X[::2], y[::2]).score(X, y) + estimator.score(X, y)


def test_scorers_may_look_into_and_clone_the_pipeline():
    model = piped(StandardScaler(), model=KNeighborsClassifier())
    assert_same(*fitted_both(model, {"model__n_neighbors": [1, 3, 5]}, scoring=inspecting))


def test_scorers_may_fit_the_pipeline():
    model = piped(StandardScaler(), model=KNeighborsClassifier())
    assert_same(*fitted_both(model, {"model__n_neighbors": [1, 3, 5]}, scoring=refitting))


@pytest.mark.parametrize("train_score", [False, True])
def test_splits_that_train_on_the_same_rows(train_score):
    """What was tested on in one of them is not what is tested on in the other."""
    cv = [(np.arange(100), np.arange(100, 120)), (np.arange(100), np.arange(120, 140))]
    model = piped(Counting(), model=KNeighborsClassifier())
    grid = {"model__n_neighbors": [1, 3, 5]}
    for n_jobs in (None, 2):
        options = {"cv": cv, "return_train_score": train_score, "n_jobs": n_jobs}
        assert_same(*fitted_both(model, grid, **options))


def test_kernels_that_are_given():
    kernel = X @ X.T
    model = piped(KernelCenterer(), model=SVC(kernel="precomputed"))
    ours, theirs = fitted_both(model, {"model__C": [1e-3, 1e-2, 1e-1]}, kernel)
    assert_same(ours, theirs, kernel)


def test_own_fits_get_transformers_of_their_own():
    """Beside candidates that share theirs, in workers and here."""
    drawn = TruncatedSVD(2, n_iter=1, n_oversamples=1, random_state=np.random.RandomState(1))
    grid = [{"model__C": [0.1, 1.0]}, {"step1__n_components": [3], "model__C": [1.0]}]
    model = piped(Counting(), drawn, model=SVC())
    for n_jobs in (None, 2):
        assert_same(*fitted_both(model, grid, n_jobs=n_jobs, pre_dispatch="all"))
    assert not hasattr(model.steps[0][1], "mean_")
    states = (state.get_state()[1] for state in (drawn.random_state, np.random.RandomState(1)))
    np.testing.assert_array_equal(*states)


def test_parameters_of_fits_reach_every_step():
    weight = np.random.default_rng(0).uniform(size=len(Y))
    model = piped(Counting(), model=DecisionTreeClassifier(random_state=0))
    grid = {"model__max_depth": [1, 2, 3]}
    params = {"step0__sample_weight": weight, "model__sample_weight": weight**2}
    ours, theirs = fitted_both(model, grid, params=params)
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 3 + 1


def test_metadata_that_are_routed():
    weight = np.random.default_rng(0).uniform(size=len(Y))
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        tree = DecisionTreeClassifier(random_state=0).set_fit_request(sample_weight=True)
        tree.set_score_request(sample_weight=True)
        grid = {"model__max_depth": [1, 2, 3]}
        for params in ({"sample_weight": weight}, {}):
            assert_same(*fitted_both(piped(scaler, model=tree), grid, params=params))


def test_a_memory_is_used(tmp_path):
    grid = {"model__C": [0.1, 1.0]}
    model = piped(StandardScaler(), PCA(2), model=SVC()).set_params(memory=str(tmp_path))
    ours, theirs = fitted_both(model, grid, refit=False)
    assert_same(ours, theirs)
    assert len(list(tmp_path.rglob("output.pkl"))) == 2 * 3  # theirs found ours


class Picky(StandardScaler):
    """Refuses rows, by their number."""

    def fit(self, X, y=None):
        if len(X) == 20:
            raise ValueError("not these")
        return super().fit(X, y)


SPLITS = [(np.arange(k, 60 + k), np.arange(100, 130)) for k in range(3)]
SPLITS[1] = (np.arange(20), np.arange(100, 130))


@pytest.mark.parametrize("error_score", [np.nan, 0.0])
def test_a_transformer_that_fails_in_a_fold(error_score):
    model, told = piped(Picky(), model=KNeighborsClassifier()), []
    for search in (BAMMSearchCV, GridSearchCV):
        made = search(model, {"model__n_neighbors": [1, 3]}, cv=SPLITS, error_score=error_score)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            told.append((made.fit(X, Y), [w for w in caught if w.category is FitFailedWarning]))
    (ours, said), (theirs, expected) = told
    assert_same(ours, theirs)
    first, other = (str(one[0].message).split("Below")[0] for one in (said, expected))
    assert first == other and "2 fits failed out of a total of 6" in first
    assert len(re.findall("fits failed with", str(said[0].message))) == 1


def test_errors_are_raised_as_they_are():
    model = piped(Picky(), model=KNeighborsClassifier())
    search = BAMMSearchCV(model, {"model__n_neighbors": [1, 3]}, cv=SPLITS, error_score="raise")
    with pytest.raises(ValueError, match="not these"):
        search.fit(X, Y)


def test_candidates_that_fail_leave_the_others_alone():
    model = piped(Counting(), model=KNeighborsClassifier())
    grid = {"model__n_neighbors": [-1, 3, 1000, 5]}
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning):
        ours, theirs = fitted_both(model, grid)
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 3 + 1


def test_rows_beyond_the_bound_are_not_kept(monkeypatch):
    """Of three folds there is room for one: the other two are transformed for each candidate."""
    one = held_bytes(([("a", StandardScaler().fit(X)), ("b", "passthrough")], X[:94].copy()))
    monkeypatch.setattr(SharedSteps.__init__, "__defaults__", (int(1.5 * one),))
    model = piped(Counting(), model=SVC())
    ours, theirs = fitted_both(model, {"model__C": [0.1, 1.0, 10.0]})
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 1 + 2 * 3 + 1


def test_room_is_given_back():
    """Settings one after the other need the room of one."""
    shared = SharedSteps({}, 1000)
    assert shared.room.take(900) and not shared.room.take(200) and not shared.room.take(None)
    shared.room.give_back(900)
    assert shared.room.take(1000)
    assert held_bytes(np.zeros(1000)) == pytest.approx(8000, rel=0.1)
    assert held_bytes([lambda: 0]) < 100
    assert held_bytes(open) is not None and held_bytes(iter([])) is not None
    assert Room(10).take(11) is False


def test_rows_are_let_go_of_when_no_candidate_is_left(monkeypatch):
    rooms = []

    class Watched(Room):
        def __init__(self, n_bytes):
            super().__init__(n_bytes)
            rooms.append(self)

    monkeypatch.setattr(shared_steps, "Room", Watched)
    model = piped(StandardScaler(), model=SVC())
    BAMMSearchCV(model, {"model__C": [0.1, 1.0]}, cv=CV, return_train_score=True).fit(X, Y)
    assert {room._left for room in rooms} == {shared_steps._MOST}


@pytest.mark.parametrize("room", [1 << 20, 0])
def test_workers_leave_each_other_what_took_long(tmp_path, monkeypatch, room):
    """Even where a worker has no room to keep it."""
    monkeypatch.setattr(exchange, "_BYTE", 0.0)
    monkeypatch.setattr(exchange, "_FILE", 0.0)
    monkeypatch.setattr(shared_steps, "_MOST_OF_WORKER", room)
    shared = SharedSteps({(1, ""): 9})
    shared.folder = str(tmp_path)
    expected = piped(StandardScaler(), model=SVC()).fit(X, Y).decision_function(X)
    for _ in range(2):
        monkeypatch.setattr(shared_steps, "_in_worker", None)  # which is another worker then
        worker = pickle.loads(pickle.dumps(shared))
        for _ in range(2):
            model = piped(Counting(), model=SVC())
            known = worker.fit(model, {}, 0, lambda: X, Y, {})
            found = known.response(model, "decision_function", model.decision_function)(X)
            np.testing.assert_array_equal(found, expected)
    assert Counting.calls["fit"] == 1


def test_what_cannot_be_left_is_not(tmp_path):
    one = exchange.Exchange(str(tmp_path))
    assert not one.put("a", lambda: 0) and not list(tmp_path.iterdir())
    assert one.put("b", [1]) and one.get("b") == [1] and one.get("a") is None
    assert one.pays(1.0, 1000) and not one.pays(1.0, 10**9) and not one.pays(1e-3, 1000)
    for gone in (exchange.Exchange(str(tmp_path / "gone")), exchange.Exchange()):
        assert not gone.pays(1.0, 1000) and gone.get("b") is None
    assert not exchange.Exchange(str(tmp_path / "gone")).put("a", 1)


def test_pipelines_that_tell_what_they_do_are_left_alone(capsys):
    model = piped(StandardScaler(), model=SVC()).set_params(verbose=True)
    told = []
    for search in (BAMMSearchCV, GridSearchCV):
        search(model, {"model__C": [0.1, 1.0]}, cv=CV, verbose=2).fit(X, Y)
        told.append(re.sub(r"[\d.]+s", "", capsys.readouterr().out))
    assert told[0] == told[1]


class Sampling(Pipeline):
    """A pipeline of another kind: its steps may do more than transform."""

    def fit(self, X, y=None, **params):
        return super().fit(X[::2], y[::2], **params)


def test_other_pipelines_fit_as_they_like():
    model = Sampling([("scaler", Counting()), ("model", SVC())])
    ours, theirs = fitted_both(model, {"model__C": [0.1, 1.0]})
    assert_same(ours, theirs)
    assert ours.calls == theirs.calls


def test_threads_share():
    from joblib import parallel_config

    model = piped(Counting(), model=KNeighborsClassifier())
    with parallel_config("threading"):
        ours, theirs = fitted_both(model, {"model__n_neighbors": [1, 3, 5, 7]}, n_jobs=2)
    assert_same(ours, theirs)
    assert ours.calls["fit"] == 3 + 1


def test_searches_within_searches_and_random_splits():
    model = piped(StandardScaler(), model=SVC())
    cv = ShuffleSplit(3, random_state=0)
    ours, theirs = (
        search(model, {"model__C": [0.1, 1.0]}, cv=cv) for search in (BAMMSearchCV, GridSearchCV)
    )
    outer = {"estimator__step0__with_mean": [True, False]}
    assert_same(*(GridSearchCV(one, outer, cv=CV).fit(X, Y) for one in (ours, theirs)))


class Labels(TransformerMixin, BaseEstimator):
    """Marks the rows that it is trained on by their labels."""

    def fit(self, X, y):
        self.n_ = len(y)
        return self

    def fit_transform(self, X, y):
        return np.c_[X, self.fit(X, y).n_ + y]

    def transform(self, X):
        return np.c_[X, np.full(len(X), self.n_)]


def test_training_rows_are_what_fit_transform_returns():
    ours, theirs = fitted_both(
        piped(Labels(), model=DecisionTreeClassifier(random_state=0)),
        {"model__max_depth": [1, 2, 3]}, return_train_score=True,
    )  # fmt: skip
    assert_same(ours, theirs)
