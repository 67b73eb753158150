"""What of Ridge and RidgeClassifier the twins stand for."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier

from skbamm.models import NotApplicable, find_twin
from tests.models.conftest import TARGETS

BOTH = pytest.mark.parametrize("kind", [Ridge, RidgeClassifier])
SOLVERS = ["auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga"]


@BOTH
@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"positive": True, "solver": "svd"}, "solver='svd' is not supported with positive=True"),
        ({"solver": "lbfgs"}, "solver='lbfgs' is for positive=True"),
    ],
)
def test_mismatches(kind, params, reason):
    assert find_twin(kind(**params)) == (None, f"{kind.__name__}: {reason}")


@BOTH
@pytest.mark.parametrize("solver", SOLVERS)
def test_matches(kind, solver):
    assert find_twin(kind(solver=solver, fit_intercept=False))[0] is not None


@BOTH
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_data_are_taken_where_the_estimator_takes_them(kind, solver, fit_intercept):
    import scipy.sparse as sp

    y = TARGETS["vector"] if kind is Ridge else TARGETS["binary"]
    estimator = kind(solver=solver, fit_intercept=fit_intercept, max_iter=1000)
    X = sp.csr_array(sp.random(60, 4, density=0.5, random_state=np.random.default_rng(0)))
    try:
        estimator.fit(X, y)
        takes = True
    except (ValueError, TypeError):
        takes = False
    try:
        find_twin(estimator)[0].task(estimator, y, None, True)
        ours = True
    except NotApplicable as error:
        assert str(error) == f"solver={solver!r} does not accept sparse data"
        ours = False
    # What the estimator refuses must be left to it; that it says so.
    assert takes or not ours


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.array(["a"] * 60), "not numeric"),
        (np.ones((3, 2, 2)), "not numeric"),
        (np.array([]), "not numeric"),
        (np.array([1.0, np.nan]), "not finite"),
        (np.array([1.0, np.inf]), "not finite"),
        (np.array([1 + 1j]), "not numeric"),
    ],
)
def test_targets_that_are_left_to_scikit_learn(y, reason):
    with pytest.raises(NotApplicable, match=reason):
        find_twin(Ridge())[0].task(Ridge(), y, None, False)


@pytest.mark.parametrize(("name", "outputs"), [("vector", 1), ("column", 1), ("two outputs", 2)])
def test_outputs_of_ridge(name, outputs):
    task = find_twin(Ridge())[0].task(Ridge(), TARGETS[name], None, False)
    assert task.loss.n_outputs == outputs
    assert task.criterion == "r2" and task.target.dtype == np.float64


def test_labels_become_plus_and_minus_one():
    twin, _ = find_twin(RidgeClassifier())
    binary = twin.task(RidgeClassifier(), TARGETS["binary"], None, False)
    several = twin.task(RidgeClassifier(), TARGETS["three classes"], None, False)
    assert binary.target[:2].tolist() == [-1.0, 1.0]
    assert several.target[:2].tolist() == [[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0]]
    assert binary.criterion == several.criterion == "squared_error"
