"""A model's own score without repeated checks is scikit-learn's, to the last digit."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

from skbamm.search.own_score import KnownTargets, OwnScore

X, Y = load_iris(return_X_y=True)
X_R, Y_R = load_diabetes(return_X_y=True)


@pytest.mark.parametrize(
    "labels", [Y, np.array(list("abc"))[Y], Y > 0], ids=["int", "text", "bool"]
)
def test_accuracy(labels):
    known = KnownTargets()
    for smoothing in (1e-9, 1.0, 100.0):
        model = GaussianNB(var_smoothing=smoothing).fit(X, labels)
        expected = model.score(X, labels)
        assert OwnScore.stands_for(model)
        found = OwnScore(model, known)(X, labels.copy())
        assert found == expected and type(found) is float
    assert known.find(labels) is not None and known.find(labels[::-1].copy()) is None


def test_r2():
    known = KnownTargets()
    for alpha in (0.1, 10.0, 1e9):
        model = Ridge(alpha=alpha).fit(X_R, Y_R)
        assert OwnScore(model, known)(X_R, Y_R.copy()) == model.score(X_R, Y_R)
    constant = np.ones(20)
    for _ in range(2):  # without a spread scikit-learn has a rule of its own
        model = Ridge().fit(X_R[:20], constant)
        assert OwnScore(model, KnownTargets())(X_R[:20], constant) == 1.0


def test_what_is_left_to_the_model():
    known, model = KnownTargets(), GaussianNB().fit(X, Y)
    score = OwnScore(model, known)
    weight = np.linspace(0, 1, len(Y))
    assert score(X, Y, sample_weight=weight) == model.score(X, Y, weight)
    assert known.find(Y) is None  # it was not checked without them
    assert score(X, Y) == score(X, Y.tolist()) == model.score(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        score(X, Y[:-1])
    with pytest.raises(ValueError, match="continuous"):
        score(X, Y + 0.5)
    for copied in (copy.deepcopy(score), pickle.loads(pickle.dumps(score))):
        assert copied(X, Y) == score(X, Y)


def test_whose_score_is_another():
    class Own(LinearDiscriminantAnalysis):
        def score(self, X, y, sample_weight=None):
            return 0.0

    assert not OwnScore.stands_for(Own())
    assert OwnScore.stands_for(LinearDiscriminantAnalysis())
