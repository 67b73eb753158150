"""Neighbours that are found once give the tables of GridSearchCV, ties included."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris
from sklearn.feature_selection import SelectKBest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.shared_fits.tables import check_same_table

LISTS = {"n_neighbors": [1, 2, 3, 5, 9, 20, 60], "weights": ["uniform", "distance"]}
BOTH = ["accuracy", "neg_log_loss"]
RNG = np.random.default_rng(0)
TIES = RNG.integers(0, 3, (150, 4)).astype(float)  # most distances are those of other rows, too
NUMBERS = RNG.normal(size=(75, 20))
TWICE = np.concatenate([NUMBERS, NUMBERS])
LABELS, VALUES = RNG.integers(0, 3, 150), RNG.normal(size=150)


@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree", "ball_tree"])
def test_equally_distant_rows(algorithm):
    check_same_table(KNeighborsClassifier(algorithm=algorithm), LISTS, TIES, LABELS, scoring=BOTH)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine", "chebyshev"])
def test_rows_that_are_there_twice(metric):
    names = np.array(["one", "two", "three"])[LABELS]
    check_same_table(
        KNeighborsClassifier(metric=metric), LISTS, TWICE, names, scoring=BOTH,
        return_train_score=True,
    )  # fmt: skip


@pytest.mark.parametrize("rows", [sp.csr_matrix(TIES), TIES.astype(np.float32)])
def test_forms_of_rows(rows):
    check_same_table(KNeighborsClassifier(), LISTS, rows, LABELS, scoring=BOTH)


def test_regression_of_one_and_two_targets():
    check_same_table(KNeighborsRegressor(), LISTS, TIES, VALUES)
    check_same_table(KNeighborsRegressor(), LISTS, TWICE, np.stack([VALUES, VALUES**2], 1))


def test_several_labels():
    labels = np.stack([LABELS, LABELS[::-1]], 1)
    check_same_table(KNeighborsClassifier(), LISTS, TIES, labels, scoring=_first_label)


def _first_label(estimator, X, y):
    return np.mean(estimator.predict(X)[:, 0] == y[:, 0])


def test_given_distances():
    distances = np.abs(TIES[:, None] - TIES[None]).sum(2)
    check_same_table(KNeighborsClassifier(metric="precomputed"), LISTS, distances, LABELS)


def test_weights_of_ones_own():
    grid = LISTS | {"weights": [None, lambda d: 1 / (1 + d), lambda d: 0 * d]}
    check_same_table(KNeighborsClassifier(), grid, TIES, LABELS)


def test_what_has_no_shared_fit_beside_what_has():
    few = {"n_neighbors": [5, 49, 50, 99, 100, 101, 200]}  # of 100 rows
    check_same_table(KNeighborsClassifier(), few, TIES, LABELS, scoring="neg_log_loss")
    wrong = {"n_neighbors": [5, 6, 0, 2.5]}
    check_same_table(KNeighborsClassifier(), wrong, TIES, LABELS)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_pipelines_beside_other_lists(n_jobs):
    model = make_pipeline(StandardScaler(), SelectKBest(k=3), KNeighborsClassifier())
    few = LISTS | {"n_neighbors": [1, 4, 9]}
    grid = {f"kneighborsclassifier__{name}": values for name, values in few.items()}
    check_same_table(
        model, grid | {"selectkbest__k": [1, 3]}, TIES, LABELS, shared=LISTS, scoring=BOTH,
        n_jobs=n_jobs,
    )  # fmt: skip


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_other_models_in_the_same_search(n_jobs):
    """Processes share nothing: if there are several, all models have fits of their own."""
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    grid = [
        {"decisiontreeclassifier__max_depth": [1, 2]},
        {
            "decisiontreeclassifier": [KNeighborsClassifier()],
            "decisiontreeclassifier__n_neighbors": [1, 3, 5],
        },
    ]
    shared = ["n_neighbors"] if n_jobs == 1 else ()
    check_same_table(model, grid, TIES, LABELS, shared=shared, n_jobs=n_jobs)


def test_a_scorer_that_asks_for_more():
    def scorer(estimator, X, y):
        some = estimator.predict_proba(X[::2])[:, 0].sum() + estimator.kneighbors(X)[0].sum()
        return some + estimator.kneighbors(n_neighbors=3)[0].sum() + estimator.score(X, y)

    check_same_table(KNeighborsClassifier(), LISTS, TIES, LABELS, scoring=scorer)


def test_neighbours_are_looked_for_once(monkeypatch):
    """Apart from rows with ties: there are few in real data."""
    asked = []
    own = KNeighborsClassifier.kneighbors

    def counted(self, X=None, *arguments, **options):
        asked.append(len(X))
        return own(self, X, *arguments, **options)

    monkeypatch.setattr(KNeighborsClassifier, "kneighbors", counted)
    X, y = load_digits(return_X_y=True)
    search = check_same_table(KNeighborsClassifier(), LISTS, X, y)
    assert sum(asked) < len(X) * (14 + 1.5)  # GridSearchCV's included
    assert "KNeighborsClassifier" in search.search_plan_[0]["reason"]


def test_without_room_fits_are_the_models_own(monkeypatch):
    monkeypatch.setattr("skbamm.search.shared_fits._most_bytes", lambda: 0)
    check_same_table(KNeighborsClassifier(), LISTS, TIES, LABELS)


def test_one_value_is_fitted_as_ever():
    X, y = load_iris(return_X_y=True)
    search = check_same_table(KNeighborsClassifier(), {"n_neighbors": [3]}, X, y, shared=())
    assert search.search_plan_[0]["role"] == "enumerated"


def test_a_bool_is_a_number_of_neighbours():
    values = {"n_neighbors": [True, 3]}
    check_same_table(KNeighborsClassifier(), values, NUMBERS, LABELS[:75], shared=[])
