"""What of LogisticRegression the twin stands for."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from skbamm import FeaturePenalty
from skbamm.losses import LogisticLoss, MultinomialLoss
from skbamm.models import find_twin
from tests.models.conftest import TARGETS
from tests.problems import X_BINARY, Y_BINARY
from tests.truth import LOSS, assert_served, roles, search_over
from tests.versions import SKLEARN

penalty_by_ratio = pytest.mark.skipif(
    SKLEARN < (1, 8), reason="before 1.8 a penalty has its name only"
)


@penalty_by_ratio
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
        ({"penalty": "l1"}, "solver='lbfgs' has no L1 penalty; use solver='saga'"),
        ({"penalty": "elasticnet"}, "solver='lbfgs' has no L1 penalty; use solver='saga'"),
        (
            {"penalty": "elasticnet", "solver": "liblinear"},
            "solver='liblinear' has no penalty='elasticnet'; use solver='saga'",
        ),
        (
            {"penalty": "l1", "solver": "liblinear", "dual": True},
            "dual=True has no L1 penalty; use dual=False",
        ),
        ({"penalty": None}, "penalty=None leaves nothing to tune"),
        ({"penalty": "l3"}, "penalty='l3' is not one of ['l2', 'l1', 'elasticnet']"),
        ({"l1_ratio": 0.5}, "solver='lbfgs' has no L1 penalty; use solver='saga'"),
        ({"l1_ratio": None}, "l1_ratio=None is not a number from 0 to 1"),
        ({"l1_ratio": 1.5, "solver": "saga"}, "l1_ratio=1.5 is not a number from 0 to 1"),
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


# The deprecated penalty, and n_jobs

DATA = X_BINARY[::5, :6], Y_BINARY[::5]
CV = StratifiedKFold(3)
TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def both(model, grid, **settings):
    """Return our search and GridSearchCV's of the same list."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"cv": CV, "scoring": LOSS, **settings}
        ours = search_over(model, grid, *DATA, **settings)
        return ours, GridSearchCV(model, grid, **settings).fit(*DATA)


@pytest.mark.parametrize(
    ("params", "listed"),
    [
        ({}, {"penalty": ["l2"], "n_jobs": [None, 2]}),
        ({"solver": "liblinear"}, {"penalty": ["l1", "l2"]}),
        ({"solver": "saga"}, {"penalty": ["l1", "l2", "elasticnet"], "l1_ratio": [0.3]}),
        pytest.param(
            {"solver": "newton-cholesky"},
            {"penalty": ["l2", "deprecated"], "l1_ratio": [0.0]},
            marks=penalty_by_ratio,
        ),
        ({"solver": "saga", "l1_ratio": None}, {"penalty": ["l1", "l2"]}),
    ],
    ids=str,
)
def test_a_penalty_by_name_is_what_it_is_to_scikit_learn(params, listed):
    model = LogisticRegression(**TIGHT, **params)
    ours, theirs = both(model, {**listed, "C": [0.1, 1.0, 10.0]})
    assert roles(ours)["C"] == "joint grid"
    scores = (search.cv_results_["mean_test_score"] for search in (ours, theirs))
    np.testing.assert_allclose(*scores, atol=1e-7)
    coefs = (search.best_estimator_.coef_ for search in (ours, theirs))
    np.testing.assert_allclose(*coefs, atol=1e-5)


def test_no_penalty_is_enumerated_beside_others():
    ours, theirs = both(LogisticRegression(**TIGHT), {"penalty": ["l2", None], "C": [0.1, 1.0]})
    scores = (search.cv_results_["mean_test_score"] for search in (ours, theirs))
    np.testing.assert_allclose(*scores, atol=1e-7)


@penalty_by_ratio
@pytest.mark.parametrize(
    ("params", "grid", "plain"),
    [
        ({"penalty": "l2", "n_jobs": -1}, {"C": (1e-3, 1e3)}, {}),
        ({"solver": "liblinear"}, {"C": (1e-3, 1e3), "penalty": ["l1"]}, {"l1_ratio": 1}),
        (
            {"solver": "saga", "penalty": "elasticnet", "l1_ratio": 0.5},
            {"C": (1e-3, 1e3)},
            {"penalty": "deprecated"},
        ),
    ],
    ids=str,
)
def test_intervals_beside_a_penalty_by_name(params, grid, plain):
    """What is said of it is said once, by the final fit."""
    model = LogisticRegression(**TIGHT, **params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = search_over(model, grid, *DATA, cv=CV, scoring=LOSS)
    told = [str(one.message) for one in caught]
    assert len(set(told)) == len(told)
    assert any(one.startswith("'penalty' was deprecated") for one in told)
    assert_served(search, "searched")
    other = clone(model).set_params(**{"penalty": "deprecated", "n_jobs": None, **plain})
    expected = search_over(other, {"C": (1e-3, 1e3)}, *DATA, cv=CV, scoring=LOSS)
    assert search.best_score_ == expected.best_score_
    assert search.best_params_["C"] == expected.best_params_["C"]


def test_penalties_beside_an_interval_get_a_search_each():
    grid = {"C": (1e-3, 1e3), "penalty": ["l1", "l2"]}
    model = LogisticRegression(solver="liblinear", **TIGHT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = search_over(model, grid, *DATA, cv=CV, scoring=LOSS)
    assert [p["penalty"] for p in search.cv_results_["params"]] == ["l1", "l2"]


@pytest.mark.parametrize(
    ("params", "name", "why"),
    [
        ({"penalty": None}, "C", "penalty=None leaves nothing to tune"),
        ({"penalty": "l1", "solver": "saga"}, "l1_ratio", "and penalty='elasticnet' allows it"),
    ],
)
def test_what_a_penalty_by_name_leaves_nothing_of(params, name, why):
    with pytest.raises(ValueError, match=f"'{name}' cannot be searched .*{why}"):
        search_over(LogisticRegression(**params), {name: (0.1, 1.0)}, *DATA)


def test_feature_penalty_goes_by_the_name_of_the_penalty():
    for params, norm in (
        ({"penalty": "l1"}, "l1"),
        ({"penalty": "l2", "l1_ratio": 0.5}, "l2"),
        ({"penalty": "elasticnet", "l1_ratio": 0.5}, "l1"),
        ({"penalty": "elasticnet"}, "l2"),
    ):
        model = LogisticRegression(solver="saga", **params)
        assert FeaturePenalty(model).norm_of(model) == norm
