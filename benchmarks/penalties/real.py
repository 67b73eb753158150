"""A penalty for each block or feature, beside one for all, on real data.

Blocks are those of a ColumnTransformer: one of all numbers (ames), one for each number's splines
(bikes, credit), one for each category's columns and each text. Where genes or bits of a molecule
far outnumber the rows there are no such blocks: there a search has a penalty for each feature, and
one for each tenth of the features by their variance over the training rows, before they are
scaled, which looks at no label. Large sets are cut to a few hundred training rows, where penalties
matter; the rest are test rows.

All choose by 5 folds of the same training rows. R2, or log loss and accuracy, are of the test
rows, over 10 random splits; differences are paired, with 95 % intervals that take the splits as
independent, though they share rows. There is no bar: the tables tell where we lose, too.
``python -m benchmarks.penalties.real golub khan`` runs some sets and writes only those.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from himalaya.ridge import GroupRidgeCV
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler

from benchmarks.lib.harness import equal_threads, parser, write
from benchmarks.lib.paired import difference
from benchmarks.lib.real_data import Missing, golub, islp, rdataset
from skbamm import BAMMSearchCV, EdgeWarning, PerFeature, PerGroup

CV, SPLITS = 5, 10
LOW, HIGH, VALUES = 1e-4, 1e4, 41  # ends of alpha and 1 / C, times the rows
TENTHS = 10
HIMALAYA_VALUES = 17  # two a decade; each costs it as much as a fit

# Data


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", min_frequency=2)


def splines() -> Any:
    return make_pipeline(
        SimpleImputer(strategy="median"),
        SplineTransformer(8, knots="quantile", extrapolation="constant", include_bias=False),
    )


def block_each(X: Any, numbers: tuple[str, ...]) -> ColumnTransformer:
    """A block a column: splines of a number, one column a value of a category."""
    return ColumnTransformer(
        [(name, splines() if name in numbers else one_hot(), [name]) for name in X.columns]
    )


def ames() -> tuple[Any, np.ndarray, Any]:
    """Logarithms of house prices."""
    table = rdataset("modeldata", "ames")
    X, y = table.drop(columns="Sale_Price"), np.log(table["Sale_Price"].to_numpy())
    categories = make_column_selector(dtype_exclude="number")(X)
    X[categories] = X[categories].fillna("none").astype(str)
    number = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    blocks = [("numbers", number, make_column_selector(dtype_include="number"))]
    blocks += [(name, one_hot(), [name]) for name in categories]
    return X, y, ColumnTransformer(blocks)


def bikes() -> tuple[Any, np.ndarray, Any]:
    """Logarithms of the number of bicycles on hire in an hour."""
    table = islp("Bikeshare")
    names = ["mnth", "hr", "weekday", "weathersit", "temp", "atemp", "hum", "windspeed"]
    X = table[names].copy()
    X["time"] = table["hr"].astype(str) + "-" + table["workingday"].astype(str)
    X["day"] = table["mnth"].astype(str) + "-" + table["weekday"].astype(str)
    numbers = ("temp", "atemp", "hum", "windspeed")
    return X, np.log(table["bikers"].to_numpy()), block_each(X, numbers)


def tate() -> tuple[Any, np.ndarray, Any]:
    """The year of a work in the Tate gallery, by its artist, title and medium."""
    table = rdataset("modeldata", "tate_text")
    blocks = [
        ("artist", one_hot(), ["artist"]),
        ("title", TfidfVectorizer(min_df=2), "title"),
        ("medium", TfidfVectorizer(min_df=2), "medium"),
    ]
    return table, table["year"].to_numpy(float), ColumnTransformer(blocks)


def credit() -> tuple[Any, np.ndarray, Any]:
    """Whether a loan went bad."""
    table = rdataset("modeldata", "credit_data")
    X, y = table.drop(columns="Status"), (table["Status"] == "bad").to_numpy().astype(int)
    categories = make_column_selector(dtype_exclude="number")(X)
    X[categories] = X[categories].fillna("none").astype(str)
    numbers = tuple(name for name in X.columns if name not in categories)
    return X, y, block_each(X, numbers)


def permeability() -> tuple[Any, np.ndarray, Any]:
    """Logarithms of how permeable a compound is, by 1,107 bits of its structure."""
    table = rdataset("modeldata", "permeability_qsar")
    X = table.drop(columns="permeability").to_numpy(float)
    return X, np.log(table["permeability"].to_numpy()), StandardScaler()


def leukaemia() -> tuple[Any, np.ndarray, Any]:
    """Golub's two leukaemias."""
    return *golub(), StandardScaler()


def khan() -> tuple[Any, np.ndarray, Any]:
    """Four kinds of tumours, training and test rows of the source together."""
    X, y = (
        np.concatenate([islp(f"Khan_{part}{which}").to_numpy() for which in ("train", "test")])
        for part in ("x", "y")
    )
    return X, y.ravel(), StandardScaler()


@dataclass(frozen=True)
class Case:
    """A data set and what is measured on it.

    Attributes
    ----------
    title : str
    data : callable
        Gives X, y and what comes before the model.
    n_train : int
    ours : tuple of str
    rivals : tuple of str
    """

    title: str
    data: Callable[[], tuple[Any, np.ndarray, Any]]
    n_train: int
    ours: tuple[str, ...]
    rivals: tuple[str, ...]

    @property
    def numbers(self) -> bool:
        """Whether y is a number and not a class."""
        return "RidgeCV" in self.rivals


NUMBERS = ("interval", "RidgeCV", "LassoCV", "GroupRidgeCV")
CLASSES = ("interval", "LogisticRegressionCV", "LogisticRegressionCV, L1")
BOTH = ("groups", "features")
CASES = {
    "ames": Case("ames: 73 columns in 41 blocks", ames, 400, ("groups",), NUMBERS),
    "bikes": Case("bikes: 10 columns, a block each", bikes, 400, ("groups",), NUMBERS),
    "tate": Case("tate: an artist, two texts", tate, 800, ("groups",), NUMBERS[:3]),
    "credit": Case("credit: 13 columns, a block each", credit, 400, ("groups",), CLASSES[:2]),
    "permeability": Case("permeability: 1,107 bits", permeability, 110, BOTH, NUMBERS),
    "golub": Case("golub: 3,051 genes, 2 classes", leukaemia, 26, BOTH, CLASSES),
    "khan": Case("khan: 2,308 genes, 4 classes", khan, 55, BOTH, CLASSES[:2]),
}

# Methods


class Himalaya:
    """GroupRidgeCV with its own defaults but for the strengths, which are those of the others."""

    def __init__(self, before: Any, groups: Any):
        self.before, self.groups = clone(before), groups

    def fit(self, X: Any, y: np.ndarray) -> "Himalaya":
        dense = self._features(self.before.fit_transform(X))
        groups = self.groups
        if isinstance(groups, str):
            groups = np.empty(dense.shape[1], dtype=int)
            for k, columns in enumerate(self.before.output_indices_.values()):
                groups[columns] = k
        options = {
            "alphas": np.geomspace(len(y) * LOW, len(y) * HIGH, HIMALAYA_VALUES),
            "progress_bar": False,
            "warn": False,
        }
        self.model = GroupRidgeCV(
            groups, solver_params=options, fit_intercept=True, cv=CV, random_state=0
        ).fit(dense, y[:, None])
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.model.predict(self._features(self.before.transform(X))).ravel()

    def _features(self, features: Any) -> np.ndarray:
        return features.toarray() if sp.issparse(features) else features


def methods(case: Case, before: Any, X: Any) -> dict[str, Callable[[], Any]]:
    """Unfitted models, for the training rows X."""
    n = len(X)
    if isinstance(before, ColumnTransformer):
        groups: Any = "transformers"
    else:
        rank = X.var(0).argsort().argsort()
        groups = rank * TENTHS // len(rank)
    model = Ridge() if case.numbers else LogisticRegression(max_iter=1000)
    step = type(model).__name__.lower()
    low, high = n * LOW, n * HIGH
    name = "alpha" if case.numbers else "C"
    low, high = (low, high) if case.numbers else (1 / high, 1 / low)

    def search(values: Any) -> BAMMSearchCV:
        return BAMMSearchCV(
            make_pipeline(clone(before), model),
            {f"{step}__{name}": values},
            scoring="r2" if case.numbers else "neg_log_loss",
            cv=CV,
        )

    def after(last: Any) -> Any:
        return make_pipeline(clone(before), last)

    logistic = partial(
        LogisticRegressionCV, cv=CV, scoring="neg_log_loss", max_iter=1000,
        use_legacy_attributes=False,
    )  # fmt: skip
    values = np.geomspace(low, high, VALUES)
    return {
        "groups": lambda: search(PerGroup(low, high, groups)),
        "features": lambda: search(PerFeature(low, high)),
        "interval": lambda: search((low, high)),
        "RidgeCV": lambda: after(RidgeCV(values, cv=CV)),
        "LassoCV": lambda: after(LassoCV(cv=CV)),
        "GroupRidgeCV": lambda: Himalaya(before, groups),
        "LogisticRegressionCV": lambda: after(logistic(Cs=values, l1_ratios=(0,))),
        "LogisticRegressionCV, L1": lambda: after(
            logistic(Cs=np.geomspace(1e-3, 1e2, 20), solver="liblinear", l1_ratios=(1,))
        ),
    }


def scores(case: Case, model: Any, X: Any, y: np.ndarray) -> dict[str, float]:
    """What is measured, the higher the better."""
    if case.numbers:
        return {"R2": r2_score(y, model.predict(X))}
    return {
        "log loss": -log_loss(y, model.predict_proba(X), labels=model.classes_),
        "accuracy": accuracy_score(y, model.predict(X)),
    }


@cache
def data(name: str) -> tuple[Any, np.ndarray, Any]:
    return CASES[name].data()


def measure(name: str, splits: int) -> dict[str, dict[str, list[float]]]:
    """Scores on the test rows of every split, by measure and method."""
    case = CASES[name]
    X, y, before = data(name)
    found: dict[str, dict[str, list[float]]] = {}
    kind = ShuffleSplit if case.numbers else StratifiedShuffleSplit
    for turn, (train, test) in enumerate(
        kind(splits, train_size=case.n_train, random_state=0).split(X, y)
    ):
        rows = X if isinstance(X, np.ndarray) else X.iloc
        build = methods(case, before, rows[train])
        for method in (*case.ours, *case.rivals):
            model = build[method]().fit(rows[train], y[train])
            for measured, score in scores(case, model, rows[test], y[test]).items():
                found.setdefault(measured, {}).setdefault(method, []).append(score)
        for measured, by_method in found.items():
            said = ", ".join(f"{method} {s[-1]:.4f}" for method, s in by_method.items())
            print(f"  split {turn}, {measured}: {said}", flush=True)
    return found


def compare(case: Case, found: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """The differences between ours and the rivals."""
    differences = []
    for measured, by_method in found.items():
        for ours in case.ours:
            for other in case.rivals:
                gap = difference(by_method[ours], by_method[other])
                differences.append({"measure": measured, "ours": ours, "other": other, **gap})
                low, high = gap["interval"]
                said = f"{gap['mean']:+.4f} [{low:+.4f}, {high:+.4f}]"
                print(f"  {measured}, {ours} - {other}: {said}", flush=True)
    return differences


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.set_defaults(threads=1)
    arguments.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    arguments.add_argument("--splits", type=int, default=SPLITS)
    options = arguments.parse_args()
    if unknown := set(options.cases) - set(CASES):
        arguments.error(f"no such case: {', '.join(sorted(unknown))}")
    for category in (ConvergenceWarning, EdgeWarning):
        warnings.simplefilter("ignore", category)
    for name in options.cases or CASES:
        case = CASES[name]
        try:
            y = data(name)[1]
        except Missing as error:
            print(error)
            continue
        print(case.title, flush=True)
        with equal_threads(options.threads, None):
            found = measure(name, options.splits)
        body = {
            "title": case.title, "n_train": case.n_train, "n_test": len(y) - case.n_train,
            "splits": options.splits, "scores": found, "differences": compare(case, found),
        }  # fmt: skip
        if options.splits == SPLITS or options.output:
            write(f"penalties_real_{name}", body, threads=options.threads, output=options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
