"""What of LogisticRegression the twin stands for."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skbamm.losses import LogisticLoss, MultinomialLoss
from skbamm.models import find_twin

from .conftest import TARGETS


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        (
            {"solver": "liblinear", "l1_ratio": 0.5},
            "solver='liblinear' has no l1_ratio=0.5; use solver='saga'",
        ),
        (
            {"solver": "other"},
            "solver='other' is not one of ['lbfgs', 'liblinear', 'newton-cg', "
            "'newton-cholesky', 'sag', 'saga']",
        ),
        ({"penalty": "l1"}, "penalty='l1' is deprecated; leave it out and use l1_ratio"),
        ({"penalty": "l2"}, "penalty='l2' is deprecated; leave it out and use l1_ratio"),
        ({"penalty": None}, "penalty=None is deprecated; leave it out and use l1_ratio"),
        ({"l1_ratio": 0.5}, "solver='lbfgs' has no L1 penalty; use solver='saga'"),
        ({"l1_ratio": None}, "l1_ratio=None is not a number from 0 to 1"),
        ({"l1_ratio": 1.5, "solver": "saga"}, "l1_ratio=1.5 is not a number from 0 to 1"),
        ({"n_jobs": 2}, "n_jobs is deprecated"),
    ],
)
def test_mismatches(params, reason):
    assert find_twin(LogisticRegression(**params)) == (None, f"LogisticRegression: {reason}")


@pytest.mark.parametrize(
    "solver", ["lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"]
)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_matches(solver, fit_intercept):
    estimator = LogisticRegression(
        solver=solver, fit_intercept=fit_intercept, class_weight="balanced", tol=1e-9, max_iter=7
    )
    assert find_twin(estimator)[0] is not None


def test_two_classes_have_one_output_and_more_have_one_each():
    twin, _ = find_twin(LogisticRegression())
    binary = twin.task(LogisticRegression(), TARGETS["binary"], None, False)
    several = twin.task(LogisticRegression(), TARGETS["three classes"], None, False)
    assert isinstance(binary.loss, LogisticLoss) and isinstance(several.loss, MultinomialLoss)
    assert set(binary.target) == {0.0, 1.0} and set(several.target) == {0.0, 1.0, 2.0}
    assert binary.criterion == several.criterion == "log_loss"


def test_no_iterations_are_reported_for_an_export():
    twin, _ = find_twin(LogisticRegression())
    estimator = LogisticRegression()
    task = twin.task(estimator, TARGETS["three classes"], None, False).without_rows()
    twin.export(estimator, task, np.ones((3, 4)), np.zeros(3))
    assert estimator.n_iter_.tolist() == [0] and estimator.n_iter_.dtype == np.int32
