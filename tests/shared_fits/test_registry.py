"""Families are found by the exact class, may be added, and are all in the documentation."""

import copy
import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from skbamm import BAMMSearchCV
from skbamm.shared_fits import (
    NotShared,
    SharedFits,
    find_shared_fits,
    register_shared_fits,
    shared_fits,
)
from tests.shared_fits.tables import check_same_table
from tests.truth import roles

X, Y = load_iris(return_X_y=True)


class Constant(DummyClassifier):
    """A classifier without a family."""


class SharedConstants(SharedFits):
    """A fit serves every constant."""

    estimator_types = (Constant,)
    parameters = ("constant",)
    fits = 0

    def begin(self, models, X, y, fit_params):
        self.fits += 1
        return super().begin(models, X, y, fit_params)

    def serve(self, state, model):
        if model.constant == 2:
            raise NotShared("to be tried")
        super().serve(state, model)


@pytest.fixture
def family():
    before, given = shared_fits(), SharedConstants()
    register_shared_fits(given)
    yield given
    find_shared_fits.__globals__["_FAMILIES"].clear()
    find_shared_fits.__globals__["_FAMILIES"].update(before)


def test_a_family_of_ones_own(family):
    model = Constant(strategy="constant", constant=0)
    check_same_table(model, {"constant": [0, 1, 2]}, X, Y)
    assert family.fits == 3


def test_a_family_that_fails_leaves_its_values_to_own_fits(family, monkeypatch):
    def fail(*_):
        raise KeyError("a fault")

    monkeypatch.setattr(SharedConstants, "serve", fail)
    model = Constant(strategy="constant", constant=0)
    with pytest.warns(RuntimeWarning, match="a fault"):
        search = BAMMSearchCV(model, {"constant": [0, 1]}, cv=3).fit(X, Y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], 1 / 3)


def test_subclasses_have_fits_of_their_own():
    class Other(KNeighborsClassifier):
        pass

    assert find_shared_fits(Other()) == (None, "")
    assert find_shared_fits(KNeighborsClassifier())[0] is not None


def test_what_is_no_family():
    with pytest.raises(TypeError, match="family must be an instance"):
        register_shared_fits(SharedConstants)
    wrong = SharedConstants()
    wrong.parameters = ("constants",)
    with pytest.raises(TypeError, match="Constant has no"):
        register_shared_fits(wrong)


def test_the_refit_is_the_models_own():
    grid = {"n_neighbors": [1, 5, 9]}
    ours, theirs = (
        kind(KNeighborsClassifier(), grid).fit(X, Y) for kind in (BAMMSearchCV, GridSearchCV)
    )
    assert ours.best_params_ == theirs.best_params_
    assert vars(ours.best_estimator_).keys() == vars(theirs.best_estimator_).keys()
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert roles(ours) == {"n_neighbors": "shared fits"}
    assert clone(ours).fit(X, Y).best_score_ == ours.best_score_


def test_models_of_a_list_are_copied_and_pickled():
    kept = []

    def scorer(estimator, rows, labels):
        copies = copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))
        kept.append([one.predict(rows[::-1])[::-1] for one in (estimator, *copies)])
        return estimator.score(rows, labels)

    check_same_table(KNeighborsClassifier(), {"n_neighbors": [1, 5]}, X, Y, scoring=scorer)
    for first, *others in kept:
        for one in others:
            np.testing.assert_array_equal(one, first)


def test_lists_of_one_value_are_fitted_as_ever():
    tree = DecisionTreeClassifier(random_state=0)
    grid = {"ccp_alpha": [0.01], "max_depth": [1, 2]}
    check_same_table(tree, grid, X, Y, shared=())


def test_the_documentation_has_every_family(monkeypatch, capsys):
    pytest.importorskip("docs.supported", reason="without the documentation")
    from docs import supported

    monkeypatch.setattr(sys, "argv", ["supported", "--check"])
    assert supported.main() == 0, capsys.readouterr().out
