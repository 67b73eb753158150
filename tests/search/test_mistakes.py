"""Mistakes: what each message names of the argument, of what was given, and of a way out."""

import re

import numpy as np
import pytest
from scipy.stats import loguniform, norm, randint
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skbamm import BAMMSearchCV, FeaturePenalty, Interval, PerClass, PerGroup, SampleWeights

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:60], Y[:60]
LABELS = (Y > 100).astype(int)
PIPELINE = make_pipeline(StandardScaler(), Ridge())
INTERVAL = {"alpha": (1e-3, 1e2)}


def fit(grid=INTERVAL, model=None, X=X, y=Y, fit_params=None, **options):
    """Return a search that is about to fail."""
    search = BAMMSearchCV(Ridge() if model is None else model, grid, **options)
    return lambda: search.fit(X, y, **(fit_params or {}))


def alpha(values, **options):
    return fit({"alpha": values}, **options)


MISTAKES = {
    # Bounds.
    "a log scale from zero": (alpha(Interval(0, 1, scale="log")), "low > 0", "low=0", "alpha"),
    "a negative bound": (alpha((-1.0, 1.0)), "'alpha'", "low=-1.0", "0 or more"),
    "an infinite bound": (alpha((1e-3, np.inf)), "'alpha'", "finite", "inf"),
    "a bound that is NaN": (alpha((np.nan, 1.0)), "'alpha'", "finite", "nan"),
    "a descending Interval": (alpha(Interval(2, 1)), "'alpha'", "low < high", "(2, 1)"),
    "a scale that is none": (alpha(Interval(1, 2, scale="lin")), "scale", "'lin'", "'linear'"),
    "support without an end": (alpha(norm(0, 1)), "'alpha'", "(-inf, inf)", "finite support"),
    "whole numbers": (alpha(randint(1, 5)), "'alpha'", "whole numbers", "list of values"),
    # Names.
    "a name misspelt": (fit({"alfa": (1e-3, 1.0)}), "'alfa'", "'alpha'"),
    "a step left out": (fit({"alpha": (1e-3, 1.0)}, PIPELINE), "'alpha'", "ridge__alpha"),
    "a step misspelt": (fit({"rigde__alpha": (1e-3, 1.0)}, PIPELINE), "rigde", "ridge"),
    # Intervals of what has none.
    "an interval of a depth": (
        fit({"max_depth": (2, 8)}, DecisionTreeRegressor()), "max_depth", "DecisionTree", "list",
    ),
    "an interval of a forest": (
        fit({"max_features": (0.1, 1.0)}, RandomForestRegressor()), "max_features", "list",
    ),
    "an interval without a derivative": (
        fit({"ccp_alpha": (0.1, 1.0)}, DecisionTreeRegressor()),
        "'ccp_alpha'",
        "DecisionTreeRegressor",
        "SVC",
    ),
    "a ratio of lbfgs": (
        fit({"l1_ratio": (0.0, 1.0)}, LogisticRegression(), y=LABELS), "l1_ratio", "solver='saga'",
    ),
    # Lists.
    "a number": (alpha(1.0), "'alpha'", "got 1.0", "list with one element"),
    "a text": (alpha("abc"), "'alpha'", "got 'abc'", "list"),
    "an interval in a list": (
        alpha([1.0, Interval(1e-3, 1.0)]), "'alpha'", "Interval(0.001, 1.0", "further dict",
    ),
    "a distribution in a list": (alpha([loguniform(1e-3, 1.0)]), "'alpha'", "alone"),
    "a distribution without its ends": (alpha(loguniform), "'alpha'", "frozen", "loguniform"),
    "an empty list": (alpha([]), "'alpha'", "non-empty", "[]"),
    "a grid that is no dict": (fit([1]), "not a dict", "(1)"),
    # Arguments.
    "a score misspelt": (fit(scoring="acuracy"), "'scoring'", "'acuracy'", "'accuracy'"),
    "a criterion misspelt": (fit(criterion="logloss"), "'criterion'", "'logloss'", "'log_loss'"),
    "a criterion for labels": (fit(criterion="log_loss"), "criterion='log_loss'", "squared_error"),
    "weights of several targets": (
        fit(sample_weights=SampleWeights(), y=np.c_[Y, Y]), "SampleWeights", "(60, 2)", "alone",
    ),
    "one split": (fit(cv=1), "'cv'", "Got 1", "[2, inf)"),
    "more splits than rows": (fit(cv=100), "n_splits=100", "n_samples=60"),
    "no iterations": (fit(max_iter=0), "'max_iter'", "Got 0", "[1, inf)"),
    "no tolerance": (fit(tol=0), "'tol'", "Got 0", "(0.0, inf)"),
    "no time": (fit(max_time=-1), "'max_time'", "Got -1", "None"),
    "a device that is none": (fit(device="gpu"), "device='gpu'", "cpu", "cuda"),
    "half precision": (fit(dtype="float16"), "'dtype'", "'float16'", "'float32'"),
    "several scores": (fit(scoring=["r2", "explained_variance"]), "refit", "True", "scorer key"),
    # Data.
    "targets short of a row": (fit(y=Y[:-1]), "[60, 59]", "inconsistent"),
    "one row for all": (fit(X=X[0]), "[10, 60]", "inconsistent"),
    "gaps in X": (fit(X=np.where(X > 0.1, np.nan, X)), "X", "NaN", "imputer"),
    "gaps in y": (fit(y=np.where(Y > 200, np.nan, Y)), "y", "NaN"),
    "weights of three rows": (fit(fit_params={"sample_weight": np.ones(3)}), "sample_weight", "3"),
    # Vectors, learned weights.
    "labels of two kinds": (
        alpha(PerGroup(0.1, 1.0, ["x"] * 9 + [None])), "groups", "'alpha'", "one kind",
    ),
    "a column too far": (alpha(PerGroup(0.1, 1.0, {"a": [99]})), "'alpha'", "99", "there are 10"),
    "a column twice": (
        alpha(PerGroup(0.1, 1.0, {"a": [0, 1], "b": [1, 2]})), "'alpha'", "'b'", "already",
    ),
    "classes of numbers": (alpha(PerClass(0.1, 1.0)), "'alpha'", "each class", "not a classifier"),
    "a kind of weights": (fit(sample_weights=SampleWeights("rows")), "kind", "'rows'", "'score'"),
    "weights by True": (fit(sample_weights=True), "'sample_weights'", "True", "SampleWeights"),
    "two factors for ten features": (
        lambda: FeaturePenalty(Ridge(), [1, 2]).fit(X, Y), "penalty_factor", "(2,)", "10 features",
    ),
    "a model that is a class": (fit(model=Ridge), "class", "instance"),
    # Order.
    "predict before fit": (lambda: BAMMSearchCV(Ridge(), INTERVAL).predict(X), "fit", "not fitted"),
    "report before fit": (lambda: BAMMSearchCV(Ridge(), INTERVAL).report(), "fit", "not fitted"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
@pytest.mark.filterwarnings("ignore")
def test_the_message_says_what_is_wrong(case):
    call, *words = MISTAKES[case]
    with pytest.raises((ValueError, TypeError)) as info:
        call()
    message = str(info.value)
    missing = [word for word in words if not re.search(re.escape(word), message)]
    assert not missing, f"{missing} not in: {message}"
