"""Small problems of every loss, and the splits they are solved over."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold

from tests.problems import ESTIMATORS


@pytest.fixture(params=ESTIMATORS)
def model(request):
    """An estimator with data for it, and three folds."""
    estimator, X, y = ESTIMATORS[request.param]
    return clone(estimator), X, y, three_folds(len(y))


@pytest.fixture(params=["logistic", "multinomial"])
def classifier(request):
    """A classifier with data for it, and three folds."""
    estimator, X, y = ESTIMATORS[request.param]
    return clone(estimator), X, y, three_folds(len(y))


@pytest.fixture(params=["ridge", "logistic", "multinomial", "svc, 3 classes", "svr"])
def single(request):
    """One model of each loss."""
    estimator, X, y = ESTIMATORS[request.param]
    return clone(estimator), X, y, three_folds(len(y))


def three_folds(n):
    """Shuffled folds: the labels of some data are sorted."""
    return list(KFold(3, shuffle=True, random_state=0).split(np.zeros(n)))
