"""Small random searches: a model, a grid, a scorer, a splitter, a format; one a number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import (
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from benchmarks.cases.random_models import MODELS, NEWER, Model, one_of

SCORERS: dict[str, list[str | None]] = {
    "number": [
        None, "r2", "neg_mean_squared_error", "neg_root_mean_squared_error",
        "neg_mean_absolute_error", "neg_median_absolute_error", "max_error", "explained_variance",
    ],
    "numbers": [None, "r2", "neg_mean_squared_error", "neg_mean_absolute_error"],
    "positive": [
        None, "r2", "neg_mean_squared_error", "neg_mean_absolute_error",
        "neg_mean_absolute_percentage_error", "neg_mean_gamma_deviance",
        "neg_mean_poisson_deviance", "neg_median_absolute_error",
    ],
    "count": [None, "r2", "neg_mean_poisson_deviance", "neg_mean_absolute_error"],
    "class": [None, "accuracy", "balanced_accuracy", "f1_macro", "f1_weighted"],
    "labels": [None, "f1_macro", "f1_micro"],
}  # fmt: skip
_OF_PROBABILITIES = ["neg_log_loss", "roc_auc_ovr", "roc_auc_ovo_weighted"]
_OF_TWO = ["roc_auc", "average_precision", "f1", "neg_brier_score"]
STEPS = {
    "accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted", "f1", "roc_auc",
    "average_precision", "roc_auc_ovr", "roc_auc_ovo_weighted",
}  # fmt: skip

SHARES = ("shrinkage", "reg_param")  # no more than 1


@dataclass
class Case:
    """One search, with all that it takes.

    Attributes
    ----------
    words : str
        What it is.
    model : Model
    estimator, grid, coarse
        ``grid`` has the interval or the list, ``coarse`` the list to hold it against.
    interval : bool
    X, y, scoring, cv, params
        For ``GridSearchCV`` and its ``fit``.
    step : float
        What a row can do to the score of a fold, for scores that count rows, else 0.
    unit : float
        What a smooth score is at least known in; 0 where only its own size tells.
    jump : float
        What one row can do to other scores, relatively.
    single : bool
        Whether X is in single precision.
    """

    words: str
    model: Model
    estimator: Any
    grid: dict[str, Any]
    coarse: dict[str, Any]
    interval: bool
    X: Any
    y: Any
    scoring: str | None
    cv: Any
    params: dict[str, Any]
    step: float
    unit: float
    jump: float
    single: bool


def draw(seed: int, index: int, newer: bool = False) -> Case:
    """Return the case of a number, of the newer models and formats or of the others."""
    rng = np.random.default_rng([seed, index, 1] if newer else [seed, index])
    models = NEWER if newer else MODELS
    name = str(rng.choice(list(models)))
    model = models[name]
    estimator = model.build(rng)
    n, d = int(20 + 181 * rng.random() ** 2), int(rng.integers(1, 61))  # mostly few rows
    if rng.random() < 0.4:
        d = int(rng.integers(1, 9))
    Z = rng.standard_normal((n, d))
    y, classes = _target(rng, model.target, Z)
    X, words = _features(rng, Z)
    estimator, prefix, X, words = _pipeline(rng, estimator, model, X, words)
    X, y, words = _format(rng, X, y, words)
    if newer and isinstance(X, np.ndarray) and rng.random() < 0.3 and model.target != "labels":
        X, words = torch.as_tensor(np.ascontiguousarray(X)), [*words, "tensor"]
    params: dict[str, Any] = {}
    if model.weighted and rng.random() < 0.2:
        weight = rng.uniform(0.2, 3.0, n) if rng.random() < 0.7 else rng.integers(0, 3, n) + 0.0
        params[prefix + "sample_weight"] = weight
        words.append("sample_weight")
    cv, groups = _splitter(rng, n, model.target, y, classes)
    if groups is not None:
        params["groups"] = groups
    scoring = _scorer(rng, model, estimator, classes)
    grid, coarse, interval = _grid(rng, model, estimator, prefix)
    counts = np.unique(y, return_counts=True)[1] if classes else np.array([n])
    name_of = scoring or ("accuracy" if classes or model.target == "labels" else "r2")
    step = 0.0
    if name_of in STEPS:
        plain = name_of in ("accuracy", "f1_micro", "f1_weighted") or not classes
        step = 1 / n if plain else 1 / counts.min()
    elif scoring is None and name.startswith(("Poisson", "Gamma", "Tweedie")):
        name_of = "d2"
    unit = 1.0 if name_of in ("r2", "explained_variance", "d2") else 0.0
    jump = 0.02 if name_of in ("neg_median_absolute_error", "max_error") else 0.0
    if name == "QuantileRegressor":  # whose minima are not unique
        jump = max(jump, 0.01)
    told = f"{name}, {n} x {d}, {', '.join(words)}; {grid}; {scoring}; {cv}; {estimator}"
    single = "float32" in words
    return Case(
        " ".join(told.split()), model, estimator, grid, coarse, interval, X, y, scoring, cv, params,
        step, unit, jump, single,
    )  # fmt: skip


def _target(rng: np.random.Generator, kind: str, Z: np.ndarray) -> tuple[Any, int]:
    """Return a target, and the number of its classes (0: numbers)."""
    n, d = Z.shape
    m = 3 if kind in ("numbers", "labels") else 1
    slopes = rng.standard_normal((d, m)) * (rng.random((d, 1)) < max(0.2, 2 / d))
    signal = Z @ slopes / np.sqrt(max(1.0, (slopes**2).sum(0).max()))
    noise = rng.choice([0.1, 0.5, 2.0])
    y = signal + noise * rng.standard_normal(signal.shape)
    if rng.random() < 0.1 and m == 1:
        y[rng.random(n) < 0.1] *= 20  # outliers
    if kind in ("number", "numbers"):
        y = y * 10.0 ** rng.choice([0, 0, 0, 0, -6, -3, 3, 6]) + rng.choice([0, 0, 3])
    elif kind == "positive":
        y = np.exp(np.clip(y, -4, 4)) + 1e-3
    elif kind == "count":
        y = rng.poisson(np.exp(np.clip(y, -3, 3))).astype(float)
    elif kind == "labels":
        return (y > 0).astype(int), 0
    else:
        classes = int(rng.choice([2, 2, 3, 4]))
        # Not in equal parts: empty models of these predict what rounding says.
        levels = rng.dirichlet(np.full(classes, one_of(rng, 2.0, 30.0))).clip(0.08)
        edges = np.quantile(y, (levels / levels.sum()).cumsum()[:-1])
        y = np.digitize(y[:, 0], edges)
        if rng.random() < 0.3:
            y = np.array(["one", "two", "three", "four"])[y]
        return y, classes
    return (y[:, 0] if m == 1 else y), 0


def _features(rng: np.random.Generator, Z: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Scale, shift, repeat and flatten columns."""
    X, words = Z.copy(), []
    d = X.shape[1]
    what = rng.choice(["plain", "plain", "plain", "scaled", "columns", "offset"])
    if what == "scaled":
        X *= 10.0 ** rng.choice([-6, -3, 3, 6])
    elif what == "columns":
        X *= 10.0 ** rng.integers(-3, 4, d)
    elif what == "offset":
        X += 10.0 ** rng.integers(0, 4, d)
    words.append(str(what))
    if rng.random() < 0.15:
        X[:, rng.integers(d)] = rng.choice([0.0, 1.0, 7.3])
        words.append("constant column")
    if rng.random() < 0.15 and d > 1:
        X[:, -1] = X[:, 0]
        words.append("repeated column")
    return X, words


def _pipeline(
    rng: np.random.Generator, estimator: Any, model: Model, X: np.ndarray, words: list[str]
) -> tuple[Any, str, Any, list[str]]:
    """Put steps before the estimator, sometimes; return also the prefix of its parameters."""
    n, d = X.shape
    what = rng.choice(
        ["none", "none", "none", "scaler", "pca", "poly", "onehot", "texts", "nystroem", "maxabs"]
    )
    if what == "none":
        return estimator, "", X, words
    words = [*words, str(what)]
    if what == "scaler":
        pipe = make_pipeline(StandardScaler(), estimator)
    elif what == "pca":
        parts = int(max(1, min(d, n // 4, 8)))
        pipe = make_pipeline(StandardScaler(), PCA(parts, random_state=0), estimator)
    elif what == "poly":
        X = X[:, :6]
        pipe = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), estimator)
    elif what == "onehot":
        frame = pd.DataFrame({"kind": np.array(list("abcde"))[rng.integers(5, size=n)]})
        for j in range(min(d, 5)):
            frame[f"x{j}"] = X[:, j]
        columns = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder=StandardScaler()
        )
        return make_pipeline(columns, estimator), _prefix(estimator), frame, words
    elif what == "texts":
        X = sp.csr_matrix(np.maximum(np.round(X / (np.abs(X).max() or 1) * 4), 0))
        pipe = make_pipeline(TfidfTransformer(), estimator)
    elif what == "maxabs":
        pipe = make_pipeline(MaxAbsScaler(), estimator)
    else:
        pipe = make_pipeline(
            StandardScaler(), Nystroem(n_components=min(15, n // 4), random_state=0), estimator
        )
    return pipe, _prefix(estimator), X, words


def _prefix(estimator: Any) -> str:
    return type(estimator).__name__.lower() + "__"


def _format(rng: np.random.Generator, X: Any, y: Any, words: list[str]) -> tuple[Any, Any, list]:
    """Put X, and sometimes y, into another container."""
    if not isinstance(X, np.ndarray):
        return X, y, words
    what = str(rng.choice(["C", "C", "F", "float32", "int", "frame", "csr", "list"]))
    scaled = "scaler" in words or "pca" in words or "poly" in words or "nystroem" in words
    if what == "csr" and scaled:
        what = "C"  # centring is refused there
    words = [*words, what]
    if what == "F":
        X = np.asfortranarray(X)
    elif what == "float32":
        X = X.astype(np.float32)
    elif what == "int":
        size = np.abs(X).max() or 1.0
        X = np.round(X * (5 / size if size < 1 else 3)).astype(int)
    elif what == "frame":
        X = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
        y = pd.Series(y) if y.ndim == 1 else pd.DataFrame(y)
    elif what == "csr":
        X = sp.csr_matrix(np.where(rng.random(X.shape) < 0.3, X, 0.0))
    elif what == "list":
        X, y = X.tolist(), y.tolist()
    return X, y, words


def _splitter(
    rng: np.random.Generator, n: int, target: str, y: Any, classes: int
) -> tuple[Any, np.ndarray | None]:
    """Return a splitter, and groups if it asks for them."""
    what = rng.choice(["int", "int", "kfold", "shuffle", "groups", "time", "given", "repeated"])
    seed = int(rng.integers(1000))
    if what == "int":
        return int(rng.choice([2, 3, 5])), None
    if what == "kfold":
        kind = StratifiedKFold if classes else KFold
        return kind(4, shuffle=True, random_state=seed), None
    if what == "shuffle":
        kind = StratifiedShuffleSplit if classes else ShuffleSplit
        return kind(4, test_size=0.3, random_state=seed), None
    if what == "groups":
        return LeaveOneGroupOut(), rng.integers(4, size=n)
    if what == "time":
        return TimeSeriesSplit(3), None
    if what == "repeated":
        return RepeatedKFold(n_splits=3, n_repeats=2, random_state=seed), None
    return PredefinedSplit(np.r_[-1, -1, rng.integers(-1, 3, size=n - 2)]), None


def _scorer(rng: np.random.Generator, model: Model, estimator: Any, classes: int) -> str | None:
    names = list(SCORERS[model.target])
    if classes:
        if hasattr(estimator, "predict_proba"):
            names += _OF_PROBABILITIES
        if classes == 2:
            names += _OF_TWO[: None if hasattr(estimator, "predict_proba") else 2]
    return names[int(rng.integers(len(names)))]


def _grid(
    rng: np.random.Generator, model: Model, estimator: Any, prefix: str
) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Return a grid, the list of values to hold it against, and whether it has an interval."""
    (first, ends), *others = model.tuned.items()
    low, high = ends
    if rng.random() < 0.3:  # a part of it
        share = np.log(high / low)
        a, b = np.sort(rng.random(2))
        low, high = low * np.exp(share * a), low * np.exp(share * b) * 1.5
        if first in SHARES:
            high = min(high, 1.0)
    if model.whole or rng.random() < 0.4:
        values = np.geomspace(low, high, rng.integers(3, 10))
        grid = {prefix + first: [float(v) for v in values]}
        if model.whole:
            grid = {prefix + first: sorted({int(v) for v in values})}
        if others and rng.random() < 0.3:
            name, (start, end) = others[0]
            grid[prefix + name] = [float(v) for v in np.linspace(start, end, 3)]
        elif model.lists and rng.random() < 0.3:
            name, values = next(iter(model.lists.items()))
            grid[prefix + name] = values
        return grid, grid, False
    grid = {prefix + first: (float(low), float(high))}
    coarse: dict[str, Any] = {prefix + first: [float(v) for v in np.geomspace(low, high, 9)]}
    if others and rng.random() < 0.3:
        name, (start, end) = others[0]
        grid[prefix + name] = (start, end)
        coarse[prefix + name] = [float(v) for v in np.linspace(start, end, 3)]
        coarse[prefix + first] = coarse[prefix + first][::2]
    elif model.lists and rng.random() < 0.3:
        name, values = next(iter(model.lists.items()))
        grid[prefix + name] = coarse[prefix + name] = values
    return grid, coarse, True
