"""What the search of an interval refuses, and how it says so."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import Interval
from tests.truth import search_over


class Untouched(KFold):
    """A splitter that no search may come to when its arguments are wrong."""

    def split(self, *args, **kwargs):
        raise AssertionError("the rows were split")


def refused(estimator, grid, X, y, match, **settings):
    with pytest.raises(ValueError, match=match):
        search_over(estimator, grid, X, y, cv=Untouched(), **settings)


@pytest.mark.parametrize(
    "bounds, message",
    [
        (Interval(10, 1), r"'C' must have low < high, got \(10, 1\); use a list for a grid"),
        ((0, 1), r"'C' must begin at above 0, got low=0"),
        ((-1.0, 1.0), r"'C' must begin at above 0, got low=-1.0"),
        ((1.0, np.inf), r"ends of the interval for parameter 'C' must be finite"),
        (Interval("a", 1), r"ends of the interval for parameter 'C' must be numbers"),
        (Interval(True, 2), r"ends of the interval for parameter 'C' must be numbers"),
        (Interval(1, 2, "cubic"), r"scale of the interval for parameter 'C'.*got 'cubic'"),
    ],
    ids=str,
)
def test_bounds_of_c(bounds, message, binary):
    refused(LogisticRegression(), {"C": bounds}, *binary, message)


@pytest.mark.parametrize(
    "bounds, message",
    [
        ((-1.0, 1.0), r"'alpha' must begin at 0 or more, got low=-1.0"),
        (Interval(0, 1, "log"), r"log scale needs low > 0, got low=0 for parameter 'alpha'"),
    ],
    ids=str,
)
def test_bounds_of_alpha(bounds, message, regression):
    refused(Ridge(), {"alpha": bounds}, *regression, message)


@pytest.mark.parametrize(
    "estimator, name, why",
    [
        (LogisticRegression(solver="liblinear", l1_ratio=0.5), "C", "has no l1_ratio=0.5"),
        (LogisticRegression(l1_ratio=0.5), "C", "solver='lbfgs' has no L1 penalty"),
        (Ridge(positive=True, solver="svd"), "alpha", "is not supported with positive=True"),
        (Ridge(), "tol", r"of Ridge as it is set only 'alpha' can be"),
        (
            LinearSVC(loss="hinge", dual=False),
            "C",
            "dual=False is not supported with loss",
        ),
        (LogisticRegressionCV(), "tol", "LogisticRegressionCV has no differentiable twin"),
        (
            make_pipeline(StandardScaler(), LinearSVC(dual=False, loss="hinge")),
            "linearsvc__C",
            "loss='hinge'",
        ),
    ],
    ids=str,
)
def test_where_an_interval_cannot_be_searched(estimator, name, why, binary):
    message = rf"'{name}' cannot be searched over an interval: .*{why}.*Use a list of values.*Ridge"
    for interval in (Interval(1e-2, 1e2), (1e-2, 1e2), loguniform(1e-2, 1e2)):
        refused(estimator, {name: interval}, *binary, message)


def test_a_pair_in_falling_order_is_the_list_it_is_to_grid_search(binary):
    with pytest.warns(UserWarning, match=r"lower end first: \(0.1, 1.0\)"):
        search = search_over(LogisticRegression(), {"C": (1.0, 0.1)}, *binary)
    assert search.cv_results_["params"] == [{"C": 1.0}, {"C": 0.1}]
    assert search.search_plan_[0]["role"] == "joint grid"


def test_two_intervals(binary):
    """A linear model has one penalty; a second interval has nothing to tune."""
    grid = {"C": (1e-2, 1e2), "tol": (1e-6, 1e-2)}
    refused(LogisticRegression(), grid, *binary, "'tol' cannot be searched")


def test_a_bad_interval_in_the_second_grid(binary):
    refused(LogisticRegression(), [{"C": [1.0]}, {"C": Interval(2.0, 1.0)}], *binary, "low < high")


def test_a_criterion_of_another_kind(binary, regression):
    """It is named, with those that go with the estimator."""
    message = r"criterion='squared_error' is not available .* \['log_loss', 'expected_error', "
    with pytest.raises(ValueError, match=message):
        search_over(LogisticRegression(), {"C": (0.1, 1.0)}, *binary, criterion="squared_error")
    message = r"criterion='log_loss' is not available .*'squared_error'"
    with pytest.raises(ValueError, match=message):
        search_over(Ridge(), {"alpha": (0.1, 1.0)}, *regression, criterion="log_loss")


def test_another_device(binary):
    refused(LogisticRegression(), {"C": (0.1, 1.0)}, *binary, "device='abacus'", device="abacus")


@pytest.mark.parametrize("values", [[1.0], (0.1, 1.0)], ids=["list", "interval"])
def test_data_that_do_not_fit_together(values, binary):
    X, y = binary
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search_over(LogisticRegression(), {"C": values}, X, y[:-1])


def test_no_target(regression):
    with pytest.raises((TypeError, ValueError), match="y"):
        search_over(Ridge(), {"alpha": (0.1, 1.0)}, regression[0], None, cv=3)
