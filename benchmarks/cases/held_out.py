"""Data sets with rows that no search sees: a draw for each seed, models to fit them, intervals.

Real data ships with scikit-learn, or in packages that `real_data` fetches; of the synthetic sets
fresh rows are as many as are wanted.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, PolynomialFeatures, StandardScaler

from benchmarks.lib import real_data

_FRESH = 4000  # fresh rows of synthetic data


class Draw(NamedTuple):
    """One draw of a data set: what a search sees, and the rows that judge it."""

    X: Any
    y: np.ndarray
    X_fresh: Any
    y_fresh: np.ndarray


def _split(X: Any, y: np.ndarray, seed: int, rows: int, labels: bool) -> Draw:
    stratify = y if labels else None
    X, X_fresh, y, y_fresh = train_test_split(
        X, y, train_size=rows, random_state=seed, stratify=stratify
    )
    if X_fresh.shape[0] > _FRESH:
        X_fresh, y_fresh = X_fresh[:_FRESH], y_fresh[:_FRESH]
    return Draw(X, y, X_fresh, y_fresh)


def _gaussians(seed: int, n: int, p: int, classes: int, apart: float, shares=None) -> Draw:
    """Classes that are shifted Gaussians: all features tell a little."""
    rng = np.random.default_rng(seed)
    means = apart * rng.normal(size=(classes, p))
    y = rng.choice(classes, n + _FRESH, p=shares)
    X = means[y] + rng.normal(size=(len(y), p))
    return Draw(X[:n], y[:n], X[n:], y[n:])


def _few_of_many(seed: int, n: int, p: int) -> Draw:
    """Two classes that a few of many features tell apart, with noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + _FRESH, p))
    y = (X[:, :8] @ rng.normal(size=8) + 1.5 * rng.logistic(size=len(X)) > 0).astype(int)
    return Draw(X[:n], y[:n], X[n:], y[n:])


def _texts(seed: int, n: int, classes: int) -> Draw:
    """Word counts by Zipf's law, in which a few words lean to a class."""
    rng = np.random.default_rng(seed)
    total, words = n + _FRESH, 3000
    y = rng.integers(classes, size=total)
    drawn = rng.zipf(1.3, size=(total, 60)) % words
    for c in range(classes):
        mine = y == c
        drawn[mine, :5] = (drawn[mine, :5] * 7 + 131 * c) % words
    X = TfidfVectorizer().fit_transform(" ".join(f"w{w}" for w in row) for row in drawn)
    return Draw(X[:n], y[:n], X[n:], y[n:])


def _regression(seed: int, n: int, p: int, informative: int, tail: float) -> Draw:
    """A linear signal in some of the features; errors of Student's t with `tail` degrees."""
    rng = np.random.default_rng(seed)
    coef = np.zeros(p)
    coef[:informative] = rng.normal(size=informative)
    X = rng.normal(size=(n + _FRESH, p))
    noise = rng.standard_t(tail, size=len(X)) * np.linalg.norm(coef)
    y = X @ coef + noise
    return Draw(X[:n], y[:n], X[n:], y[n:])


def _friedman(seed: int, n: int) -> Draw:
    X, y = datasets.make_friedman1(n + _FRESH, 10, noise=2.0, random_state=seed)
    return Draw(X[:n], y[:n], X[n:], y[n:])


def _bundled(load: Callable, rows: int, labels: bool) -> Callable[[int], Draw]:
    X, y = load(return_X_y=True)
    return lambda seed: _split(X, y, seed, rows, labels)


def _table(frame: Any, target: str, rows: int, labels: bool) -> Callable[[int], Draw]:
    """A table as numbers: codes of what is no number, the median where something is missing."""
    frame = frame.dropna(subset=[target])
    y = frame[target]
    y = y.astype("category").cat.codes.to_numpy() if labels else y.to_numpy(dtype=float)
    rest = frame.drop(columns=target)
    words = rest.select_dtypes(exclude="number").columns
    if len(words):
        rest[words] = OrdinalEncoder().fit_transform(rest[words].astype(str))
    X = rest.fillna(rest.median(numeric_only=True)).to_numpy(dtype=float)
    X = X[:, X.std(0) > 0]
    return lambda seed: _split(X, y, seed, rows, labels)


def _movies(rows: int) -> Callable[[int], Draw]:
    texts, _, mean = real_data.vader()
    far = np.abs(mean) > 1
    y = (mean[far] > 0).astype(int)
    X = TfidfVectorizer(min_df=3).fit_transform(
        [t for t, keep in zip(texts, far, strict=True) if keep]
    )
    return lambda seed: _split(X, y, seed, rows, True)


LABELS: dict[str, Callable[[], Callable[[int], Draw]]] = {
    "breast_cancer": lambda: _bundled(datasets.load_breast_cancer, 250, True),
    "wine": lambda: _bundled(datasets.load_wine, 80, True),
    "digits": lambda: _bundled(datasets.load_digits, 400, True),
    "gaussians, 900 x 600, 3 classes": lambda: lambda seed: _gaussians(seed, 900, 600, 3, 0.12),
    "gaussians, 300 x 100, 5 classes": lambda: lambda seed: _gaussians(seed, 300, 100, 5, 0.25),
    "gaussians, 400 x 60, 10 % in one class": lambda: (
        lambda seed: _gaussians(seed, 400, 60, 2, 0.2, (0.9, 0.1))
    ),
    "8 of 200 features, 300 rows": lambda: lambda seed: _few_of_many(seed, 300, 200),
    "8 of 40 features, 1,000 rows": lambda: lambda seed: _few_of_many(seed, 1000, 40),
    "texts, 600 x 3,000, 6 classes": lambda: lambda seed: _texts(seed, 600, 6),
    "movie reviews, 2,000 texts": lambda: _movies(2000),
    "Caravan, 1,500 x 85, 6 % in one class": lambda: (
        _table(real_data.islp("Caravan"), "Purchase", 1500, True)
    ),
    "cells, 600 x 56": lambda: (
        _table(real_data.rdataset("modeldata", "cells").drop(columns="case"), "class", 600, True)
    ),
}  # fmt: skip

NUMBERS: dict[str, Callable[[], Callable[[int], Draw]]] = {
    "diabetes": lambda: _bundled(datasets.load_diabetes, 200, False),
    "normal errors, 200 x 100": lambda: lambda seed: _regression(seed, 200, 100, 30, 100.0),
    "heavy tails, 200 x 50": lambda: lambda seed: _regression(seed, 200, 50, 50, 2.5),
    "heavy tails, 1,000 x 40": lambda: lambda seed: _regression(seed, 1000, 40, 10, 2.0),
    "normal errors, 60 x 120": lambda: lambda seed: _regression(seed, 60, 120, 20, 100.0),
    "friedman1, 300 rows, polynomials": lambda: lambda seed: _friedman(seed, 300),
    "Hitters, 150 rows": lambda: _table(real_data.islp("Hitters"), "Salary", 150, False),
    "Boston-like wages, 600 rows": lambda: (
        _table(real_data.islp("Wage").drop(columns="logwage"), "wage", 600, False)
    ),
    "bikes, 800 rows": lambda: (
        _table(
            real_data.islp("Bikeshare").drop(columns=["casual", "registered"]),
            "bikers", 800, False,
        )
    ),
    "meats, 120 x 100": lambda: (
        _table(
            real_data.rdataset("modeldata", "meats").drop(columns=["water", "protein"]),
            "fat", 120, False,
        )
    ),
}  # fmt: skip


def model_of(name: str) -> tuple[Any, str, float, float]:
    """Return the model for a data set, its hyperparameter and the interval's ends."""
    if name in LABELS:
        model = LogisticRegression(max_iter=2000)
        if "texts" in name:
            return model, "C", 1e-4, 1e4
        return make_pipeline(StandardScaler(), model), "logisticregression__C", 1e-5, 1e3
    if "polynomials" in name:
        model = make_pipeline(PolynomialFeatures(3), StandardScaler(), Ridge())
        return model, "ridge__alpha", 1e-4, 1e5
    return make_pipeline(StandardScaler(), Ridge()), "ridge__alpha", 1e-3, 1e5


def draws(kind: dict, seeds: int) -> Iterator[tuple[str, Callable[[int], Draw]]]:
    """Return each data set that can be had with what draws it."""
    for name, make in kind.items():
        try:
            draw = make()
            draw(0)
        except (real_data.Missing, ImportError) as error:
            print(f"{name} is skipped: {error}")
            continue
        yield name, draw
