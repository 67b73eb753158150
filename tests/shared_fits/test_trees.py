"""Trees that are grown once give the tables of GridSearchCV."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from tests.shared_fits.tables import check_same_table

X, Y = load_wine(return_X_y=True)
X_R, Y_R = (rows[:200] for rows in load_diabetes(return_X_y=True))
LISTS = {"n_estimators": [3, 8, 1], "ccp_alpha": [0.0, 0.03]}
BOTH = ["accuracy", "neg_log_loss"]


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(random_state=0, class_weight="balanced_subsample"),
        RandomForestClassifier(random_state=np.random.RandomState(0), max_samples=0.5),
        ExtraTreesClassifier(random_state=3, warm_start=True, bootstrap=True, criterion="entropy"),
        RandomForestClassifier(random_state=0, bootstrap=False, max_features=None, n_jobs=2),
    ],
)
def test_forests_of_classes(model):
    check_same_table(model, LISTS, X, Y, scoring=BOTH, return_train_score=True)


@pytest.mark.parametrize(
    "model",
    [RandomForestRegressor(random_state=0), ExtraTreesRegressor(random_state=0, max_depth=4)],
)
def test_forests_of_numbers(model):
    grid = LISTS | {"ccp_alpha": [0.0, 30.0], "min_samples_leaf": [1, 5]}
    check_same_table(model, grid, X_R, Y_R, shared=LISTS)
    check_same_table(model, LISTS, X_R, np.stack([Y_R, Y_R**2], 1))


@pytest.mark.parametrize("kind", [DecisionTreeRegressor, ExtraTreeRegressor])
def test_a_tree_is_pruned(kind):
    grid = {"ccp_alpha": [0.0, 1.0, 30.0, 1e9], "max_depth": [3, None]}
    check_same_table(kind(random_state=0), grid, X_R, Y_R, shared=["ccp_alpha"])


def test_weights_sparse_rows_and_pipelines():
    weights = {"sample_weight": np.linspace(0, 1, len(Y))}
    tree, forest = DecisionTreeClassifier(random_state=0), RandomForestClassifier(random_state=0)
    alphas = {"ccp_alpha": [0.0, 0.01, 0.1]}
    check_same_table(tree, alphas, sp.csr_matrix(X), Y, fit_params=weights, scoring=BOTH)
    check_same_table(forest, LISTS, sp.csc_matrix(X), Y, fit_params=weights)
    labels = np.stack([Y == 0, Y == 1], 1)
    check_same_table(forest, LISTS, X, labels)
    given = {"randomforestclassifier__sample_weight": weights["sample_weight"]}
    grid = {f"randomforestclassifier__{name}": values for name, values in LISTS.items()}
    model = make_pipeline(StandardScaler(), forest)
    check_same_table(model, grid, X, Y, fit_params=given, n_jobs=2, scoring=BOTH)


def test_what_is_another_model_every_time():
    search = check_same_table(
        RandomForestClassifier(random_state=0, oob_score=True), {"n_estimators": [20, 30]}, X, Y,
        shared=(),
    )  # fmt: skip
    assert "out-of-bag" in search.search_plan_[0]["reason"]
    search = check_same_table(
        DecisionTreeClassifier(max_depth=1), {"ccp_alpha": [0.0, 0.1]}, X[:, :1], Y, shared=()
    )
    assert "random_state" in search.search_plan_[0]["reason"]


def test_wrong_values_fail_as_ever():
    forest = RandomForestClassifier(random_state=0)
    check_same_table(forest, {"n_estimators": [2, 3, 0, "some"]}, X, Y)
    check_same_table(forest, {"n_estimators": [2, 3], "max_samples": [0.5, 2.5]}, X, Y,
                     shared=["n_estimators"])  # fmt: skip


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_trees_are_grown_once(kind, monkeypatch):
    grown = []
    own = DecisionTreeClassifier._fit if hasattr(DecisionTreeClassifier, "_fit") else None
    tree = type(kind(n_estimators=1, random_state=0).fit(X, Y).estimators_[0])

    def counted(self, *arguments, **options):
        grown.append(1)
        return own(self, *arguments, **options)

    search = check_same_table(kind(random_state=0), {"n_estimators": [2, 7, 4]}, X, Y)
    monkeypatch.setattr(tree, "_fit", counted)
    search.fit(X, Y)
    assert len(grown) == 7 * 3
