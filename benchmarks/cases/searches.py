"""The data sets and models of the benchmarks, and the bars they must meet."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_classification,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

N_VALUES, N_VALUES_EACH = 20, 10  # of one hyperparameter, of each of two
CV = 5


def grid_of(intervals: dict[str, tuple[float, float]]) -> dict[str, np.ndarray]:
    """A grid's values from one end to the other: even in the logarithm, of "l1_ratio" evenly."""
    count = N_VALUES if len(intervals) == 1 else N_VALUES_EACH
    return {
        name: (np.linspace if name.endswith("l1_ratio") else np.geomspace)(*ends, count)
        for name, ends in intervals.items()
    }


def logistic_path(model: LogisticRegression, values: Any, **settings: Any) -> LogisticRegressionCV:
    """scikit-learn's own search of C, for the model as it is."""
    return LogisticRegressionCV(
        Cs=values,
        max_iter=model.max_iter,
        l1_ratios=(0,),
        use_legacy_attributes=False,
        **settings,
    )


@dataclass(frozen=True)
class Case:
    """One model on one data set, tuned over one interval.

    Attributes
    ----------
    title : str
        What the tables call it.
    data : callable
        ``data(fraction)`` gives X and y, with that fraction of the rows.
    estimator : estimator
        The model to tune.
    param : str
        The hyperparameter tuned.
    low, high : float
        The interval; the grid has `N_VALUES` values from one end to the other, log-spaced.
    scoring : str
        scikit-learn's name of the scorer.
    bars : dict
        (search of ours, rival) -> how many times sooner ours must be.
    worse_by : float
        How far the interval's CV score may lie below the grid's best.
    relative : bool
        Whether `worse_by` is a fraction of the grid's best score.
    """

    title: str
    data: Callable[[float], tuple[np.ndarray, np.ndarray]]
    estimator: Any
    param: str
    low: float
    high: float
    scoring: str
    bars: dict[tuple[str, str], float] = field(default_factory=dict)
    worse_by: float = 1e-3
    relative: bool = True

    @property
    def grid(self) -> dict[str, Any]:
        return grid_of(self.interval)

    @property
    def interval(self) -> dict[str, Any]:
        return {self.param: (self.low, self.high)}


def logistic_data(fraction: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(
        int(200_000 * fraction),
        100,
        n_informative=25,
        n_redundant=25,
        flip_y=0.1,
        class_sep=0.5,
        random_state=0,
    )
    return scale(X), y


def ridge_data(fraction: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((int(100_000 * fraction), 200))
    w = rng.standard_normal(200)
    return X, X @ w * 0.2 + 3 * rng.standard_normal(len(X))


def shipped(load: Callable[..., Any], divide_by: float = 1.0) -> Callable[..., Any]:
    """A data set that scikit-learn ships; always all of its rows."""

    def data(fraction: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        X, y = load(return_X_y=True)
        return X / divide_by, y

    return data


def classifier() -> LogisticRegression:
    # Enough iterations that no rival stops for want of them.
    return LogisticRegression(max_iter=1000)


NOT_SLOWER = {("interval", "GridSearchCV"): 1.0}

LARGE = {
    "logistic": Case(
        "logistic regression, 200,000 x 100",
        logistic_data,
        classifier(),
        "C",
        1e-4,
        1e4,
        "neg_log_loss",
        bars={
            ("interval", "GridSearchCV"): 10.0,
            ("interval", "LogisticRegressionCV"): 1.0,
            ("list", "GridSearchCV"): 3.0,
        },
        worse_by=1e-4,
        relative=False,
    ),
    "ridge": Case(
        "ridge regression, 100,000 x 200",
        ridge_data,
        Ridge(),
        "alpha",
        1e-3,
        1e5,
        "r2",
        bars={("interval", "GridSearchCV"): 10.0},
        worse_by=1e-9,  # "at least the grid's", up to rounding
        relative=False,
    ),
}

SMALL = {
    "breast_cancer": Case(
        "breast_cancer, 569 x 30",
        shipped(load_breast_cancer),
        make_pipeline(StandardScaler(), classifier()),
        "logisticregression__C",
        1e-4,
        1e4,
        "neg_log_loss",
        bars=NOT_SLOWER,
    ),
    "wine": Case(
        "wine, 178 x 13, 3 classes",
        shipped(load_wine),
        make_pipeline(StandardScaler(), classifier()),
        "logisticregression__C",
        1e-4,
        1e4,
        "neg_log_loss",
        bars=NOT_SLOWER,
    ),
    "digits": Case(
        "digits, 1,797 x 64, 10 classes",
        shipped(load_digits, divide_by=16),
        classifier(),
        "C",
        1e-4,
        1e4,
        "neg_log_loss",
        bars=NOT_SLOWER,
    ),
    "diabetes_mse": Case(
        "diabetes, 442 x 10",
        shipped(load_diabetes),
        Ridge(),
        "alpha",
        1e-4,
        1e4,
        "neg_mean_squared_error",
        bars=NOT_SLOWER,
    ),
    "diabetes_r2": Case(
        "diabetes, 442 x 10",
        shipped(load_diabetes),
        Ridge(),
        "alpha",
        1e-4,
        1e4,
        "r2",
        bars=NOT_SLOWER,
    ),
}

CASES = LARGE | SMALL
