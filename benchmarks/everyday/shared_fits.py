"""Lists that one fit a fold serves, beside GridSearchCV: seconds, and how far the tables differ.

For trees and stages the bar is the arithmetic of trees, within a tenth: all that the grid grows, to
those of the largest value. Only the tables are timed: the refit is the same.
``--only forest`` runs the cases with that in their names.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from benchmarks.lib.cpu_turns import in_turns
from benchmarks.lib.harness import RESULTS, equal_threads, parser, verdict, write
from benchmarks.lib.real_data import diamonds, fashion_mnist, reuters_r8
from skbamm import BAMMSearchCV

CV = 5
ROUNDS = 3
SAME = 1e-12  # what a score of the table may differ
WITHIN = 0.9  # of the arithmetic of trees


@dataclass(frozen=True)
class Case:
    """A list of a model on a data set.

    Attributes
    ----------
    data : callable
        Returns X and y.
    model : estimator
    grid : dict
    bar : float
        How many times sooner the table is to be there.
    scoring : str or None
    """

    data: Callable[[], tuple[Any, Any]]
    model: Any
    grid: dict[str, Any]
    bar: float
    scoring: str | None = None


@cache
def digits() -> tuple[Any, Any]:
    return load_digits(return_X_y=True)


@cache
def breast_cancer() -> tuple[Any, Any]:
    return load_breast_cancer(return_X_y=True)


@cache
def diabetes() -> tuple[Any, Any]:
    return load_diabetes(return_X_y=True)


@cache
def some_diamonds() -> tuple[Any, Any]:
    X, y = diamonds()
    rows = np.random.default_rng(0).permutation(len(y))[:10_000]
    return np.asarray(X, dtype=float)[rows], np.asarray(y)[rows]


@cache
def dear_diamonds() -> tuple[Any, Any]:
    """All diamonds in five classes of prices."""
    X, y = diamonds()
    return np.asarray(X, dtype=float), np.searchsorted(np.quantile(y, [0.2, 0.4, 0.6, 0.8]), y)


@cache
def fashion() -> tuple[Any, Any]:
    X, y, _, _ = fashion_mnist()
    return X[:4_000].reshape(4_000, -1).astype(float), y[:4_000]


@cache
def articles() -> tuple[Any, Any]:
    texts, y, _, _ = reuters_r8()
    return texts, y


def scaled(model: Any, grid: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    name = type(model).__name__.lower()
    return make_pipeline(StandardScaler(), model), {f"{name}__{k}": v for k, v in grid.items()}


def arithmetic(counts: list[int]) -> float:
    """The bar for lists of numbers of trees."""
    return WITHIN * sum(counts) / max(counts)


NEIGHBOURS = {"n_neighbors": list(range(1, 31)), "weights": ["uniform", "distance"]}
SMOOTHINGS = {"var_smoothing": np.logspace(0, -9, 100)}
TREES, STAGES = [25, 50, 100, 200], [20, 40, 60, 80, 100]
CASES = {
    "neighbours, digits": Case(digits, KNeighborsClassifier(), NEIGHBOURS, 10),
    "neighbours, Fashion-MNIST": Case(fashion, KNeighborsClassifier(), NEIGHBOURS, 10),
    "neighbours, diamonds": Case(
        some_diamonds, *scaled(KNeighborsRegressor(), NEIGHBOURS), 10, "neg_mean_absolute_error"
    ),
    "linear discriminant, digits": Case(
        digits, LinearDiscriminantAnalysis(solver="lsqr"), {"shrinkage": np.linspace(0, 1, 41)}, 20
    ),
    "linear discriminant, diamonds": Case(
        dear_diamonds,
        LinearDiscriminantAnalysis(solver="lsqr"),
        {"shrinkage": np.linspace(0, 1, 41)},
        20,
    ),
    "quadratic discriminant, breast cancer": Case(
        breast_cancer, QuadraticDiscriminantAnalysis(), {"reg_param": np.linspace(0.05, 1, 20)}, 1
    ),
    "Gaussian naive Bayes, digits": Case(digits, GaussianNB(), SMOOTHINGS, 10),
    "Gaussian naive Bayes, diamonds": Case(dear_diamonds, GaussianNB(), SMOOTHINGS, 10),
    "Gaussian naive Bayes, Fashion-MNIST": Case(
        fashion, GaussianNB(), {"var_smoothing": np.logspace(0, -9, 20)}, 10
    ),
    "multinomial naive Bayes of TF-IDF, Reuters": Case(
        articles,
        make_pipeline(TfidfVectorizer(), MultinomialNB()),
        {"multinomialnb__alpha": np.logspace(-3, 1, 20)},
        10,
    ),
    "Bernoulli naive Bayes, Fashion-MNIST": Case(
        fashion, BernoulliNB(binarize=0.5), {"alpha": np.logspace(-3, 1, 20)}, 1
    ),
    "density, digits": Case(
        lambda: (digits()[0][:, 20:26], None),
        KernelDensity(),
        {"bandwidth": [0.5, 1.0, 2.0, 4.0, 8.0]},
        1,
    ),
    "forest, breast cancer": Case(
        breast_cancer, RandomForestClassifier(random_state=0), {"n_estimators": TREES},
        arithmetic(TREES), "roc_auc",
    ),
    "forest and depths, digits": Case(
        digits,
        RandomForestClassifier(random_state=0),
        {"n_estimators": TREES, "max_depth": [5, 10, None]},
        arithmetic(TREES),
    ),
    "extra trees, diabetes": Case(
        diabetes, ExtraTreesRegressor(random_state=0), {"n_estimators": TREES}, arithmetic(TREES)
    ),
    "pruned forest, diabetes": Case(
        diabetes,
        ExtraTreesRegressor(100, random_state=0),
        {"ccp_alpha": [0.0, 1.0, 3.0, 10.0, 30.0, 100.0]},
        1,
    ),
    "pruned tree, digits": Case(
        digits, DecisionTreeClassifier(random_state=0), {"ccp_alpha": np.logspace(-4, -1, 20)}, 1
    ),
    "boosting, breast cancer": Case(
        breast_cancer, GradientBoostingClassifier(random_state=0), {"n_estimators": STAGES},
        arithmetic(STAGES), "neg_log_loss",
    ),
    "boosted histograms, diabetes": Case(
        diabetes,
        HistGradientBoostingRegressor(),
        {"max_iter": STAGES, "learning_rate": [0.05, 0.1]},
        arithmetic(STAGES),
    ),
}  # fmt: skip


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Seconds of both searches, their ratio and the largest difference of a score."""
    X, y = case.data()
    options = {"cv": CV, "scoring": case.scoring, "refit": False}
    searches = {
        "grid": lambda: GridSearchCV(case.model, case.grid, **options),
        "ours": lambda: BAMMSearchCV(case.model, case.grid, **options),
    }
    warm = np.zeros(len(X)) if y is None else y
    record = in_turns(searches, X, warm, rounds=rounds, limits=lambda *_: 600.0)
    tables = {name: one.pop("search").cv_results_ for name, one in record.items()}
    scores = [[t[f"split{k}_test_score"] for k in range(CV)] for t in tables.values()]
    apart = np.abs(np.subtract(*scores)) / np.maximum(1, np.abs(scores[0]))
    return {
        "searches": record,
        "candidates": len(tables["grid"]["params"]),
        "rows": len(X),
        "cpu": record["grid"]["cpu"] / record["ours"]["cpu"],
        "wall": record["grid"]["wall"] / record["ours"]["wall"],
        "bar": case.bar,
        "apart": float(apart.max()),
        "same_ranks": bool(
            (tables["grid"]["rank_test_score"] == tables["ours"]["rank_test_score"]).all()
        ),
    }


def main() -> int:
    options = parser(__doc__, rounds=ROUNDS)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    given = options.parse_args()
    known = (given.output or RESULTS) / "shared_fits.json"
    content = json.loads(known.read_text()) if given.only and known.exists() else {}
    found: dict[str, Any] = content.get("cases", {})
    missed = 0
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, case in CASES.items():
            if given.only and not any(part in name for part in given.only):
                continue
            found[name] = one = measure(case, given.rounds)
            meets = one["cpu"] >= one["bar"] and one["apart"] <= SAME
            missed += not meets
            took = {kind: f"{each['cpu']:.2f} s" for kind, each in one["searches"].items()}
            print(f"{name}: {took}, {one['cpu']:.1f}x, apart {one['apart']:.0e}, "
                  f"{verdict(meets, one['bar'])}", flush=True)  # fmt: skip
            write("shared_fits", {"cases": found}, threads=1, output=given.output)
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
