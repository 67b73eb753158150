"""Support vector machines: intervals of C and gamma, and lists, beside a grid of 10 x 10.

Intervals are judged by seconds, by the cross-validated score that the scorer gives, and by fresh
rows over several splits. Lists are judged by seconds and by how far their tables differ.
``--only digits`` runs the cases with that in their names; ``--splits`` says on how many splits
fresh rows judge.
"""

import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
    make_moons,
)
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from benchmarks.lib.harness import RESULTS, equal_threads, parser, verdict, write
from benchmarks.lib.paired import difference
from benchmarks.lib.real_data import keel
from skbamm import BAMMSearchCV

CV = 5
LOW_C, HIGH_C, LOW_GAMMA, HIGH_GAMMA = 1e-1, 1e3, 1e-4, 1e1
GRID = {"C": np.logspace(-1, 3, 10), "gamma": np.logspace(-4, 1, 10)}
INTERVALS = {"C": (LOW_C, HIGH_C), "gamma": (LOW_GAMMA, HIGH_GAMMA)}
CLOSE = 1e-6  # libsvm's tolerance for tables to be compared
BAR, BAR_CLASSES, BAR_LIST, BELOW, BELOW_FRESH = 8.0, 7.0, 3.0, -0.002, -0.005


@dataclass(frozen=True)
class Case:
    """A data set: the rows that are searched, and others.

    Attributes
    ----------
    data : callable
        Returns all of X and y, scaled.
    rows : int
        Rows that are searched.
    regression : bool
    in_pipeline : bool
        Whether a StandardScaler stands before the model.
    """

    data: Callable[[], tuple[Any, Any]]
    rows: int
    regression: bool = False
    in_pipeline: bool = False

    def model(self, **options: Any) -> Any:
        """Return what is searched."""
        model = SVR(**options) if self.regression else SVC(**options)
        return make_pipeline(StandardScaler(), model) if self.in_pipeline else model

    def named(self, grid: dict[str, Any]) -> dict[str, Any]:
        """Return a grid as the model's names are."""
        kind = "svr" if self.regression else "svc"
        return {f"{kind}__{k}": v for k, v in grid.items()} if self.in_pipeline else grid


def scaled(X: np.ndarray, y: np.ndarray, regression: bool = False) -> tuple[Any, Any]:
    """Return rows whose features, and perhaps target, have a variance of one."""
    y = (y - y.mean()) / y.std() if regression else y
    return StandardScaler().fit_transform(X), y


def classes(n: int) -> tuple[Any, Any]:
    return scaled(
        *make_classification(
            n, 16, n_informative=10, n_classes=6, n_clusters_per_class=1, class_sep=1.5,
            random_state=0,
        )
    )  # fmt: skip


def friedman(n: int) -> tuple[Any, Any]:
    return scaled(*make_friedman1(n, noise=1, random_state=0), regression=True)


CASES = {
    "breast cancer": Case(lambda: scaled(*load_breast_cancer(return_X_y=True)), 398),
    "breast cancer in a pipeline": Case(
        lambda: load_breast_cancer(return_X_y=True), 398, in_pipeline=True
    ),
    "diabetes": Case(
        lambda: scaled(*load_diabetes(return_X_y=True), regression=True), 310, regression=True
    ),
    "moons": Case(lambda: make_moons(2000, noise=0.25, random_state=0), 500),
    "iris": Case(lambda: scaled(*load_iris(return_X_y=True)), 105),
    "wine": Case(lambda: scaled(*load_wine(return_X_y=True)), 125),
    "six classes": Case(lambda: classes(2000), 600),
    "digits": Case(
        lambda: (load_digits().data / 16, load_digits().target), 1000
    ),
    "friedman1": Case(lambda: friedman(2000), 500, regression=True),
    "spambase": Case(lambda: scaled(*keel("spambase")), 1000),
    "magic": Case(lambda: scaled(*keel("magic")), 1000),
    "moons, 4,000 rows": Case(lambda: make_moons(6000, noise=0.25, random_state=0), 4000),
    "six classes, 4,000 rows": Case(lambda: classes(6000), 4000),
    "friedman1, 4,000 rows": Case(lambda: friedman(6000), 4000, regression=True),
    "magic, 4,000 rows": Case(lambda: scaled(*keel("magic")), 4000),
}  # fmt: skip


def timed(search: Any, X: Any, y: Any) -> tuple[Any, float]:
    began = time.process_time()
    search.fit(X, y)
    return search, time.process_time() - began


def intervals(case: Case, splits: int) -> dict[str, Any]:
    """Intervals beside the grid, on several splits of searched and fresh rows."""
    X, y = case.data()
    each: dict[str, list[float]] = {name: [] for name in ("grid_s", "ours_s", "cv", "fresh")}
    points = []
    for seed in range(splits):
        stratify = None if case.regression else y
        A, B, a, b = train_test_split(X, y, train_size=case.rows, random_state=seed,
                                      stratify=stratify)  # fmt: skip
        B, b = B[:3000], b[:3000]
        ours, ours_s = timed(BAMMSearchCV(case.model(), case.named(INTERVALS), cv=CV), A, a)
        grid, grid_s = timed(GridSearchCV(case.model(), case.named(GRID), cv=CV), A, a)
        for name, value in (
            ("grid_s", grid_s),
            ("ours_s", ours_s),
            ("cv", ours.best_score_ - grid.best_score_),
            ("fresh", ours.score(B, b) - grid.score(B, b)),
        ):
            each[name].append(value)
        points.append(len(ours.cv_results_["params"]))
    fresh = difference(each["fresh"], [0.0] * splits)
    return {
        **{name: float(np.median(each[name])) for name in ("grid_s", "ours_s")},
        "ratio": float(np.median(np.divide(each["grid_s"], each["ours_s"]))),
        "worst": float(np.min(np.divide(each["grid_s"], each["ours_s"]))),
        "cv": float(np.mean(each["cv"])),
        "fresh": fresh,
        "points": float(np.mean(points)),
        "splits": splits,
    }


def lists(case: Case) -> dict[str, Any]:
    """The list of 10 x 10 beside the grid, at libsvm's own tolerance and at a close one."""
    X, y = case.data()
    stratify = None if case.regression else y
    A, _, a, _ = train_test_split(X, y, train_size=case.rows, random_state=0, stratify=stratify)
    found = {}
    for name, options in (("default", {}), ("close", {"tol": CLOSE})):
        ours, ours_s = timed(BAMMSearchCV(case.model(**options), case.named(GRID), cv=CV), A, a)
        grid, grid_s = timed(GridSearchCV(case.model(**options), case.named(GRID), cv=CV), A, a)
        scores = [s.cv_results_["mean_test_score"] for s in (ours, grid)]
        found[name] = {
            "ratio": grid_s / ours_s,
            "apart": float(np.abs(np.subtract(*scores)).max()),
            "same_best": ours.best_params_ == grid.best_params_,
        }
    return found


def _said(table: dict[str, Any]) -> bool:
    """Print what lists took; return whether they meet their bar."""
    for tol, each in table.items():
        print(f"    list, {tol} tol: {each['ratio']:.2f}x, apart {each['apart']:.0e}, "
              f"same best: {each['same_best']}", flush=True)  # fmt: skip
    return table["close"]["ratio"] >= BAR_LIST


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    options.add_argument("--splits", type=int, default=10)
    options.add_argument("--no-lists", action="store_true")
    options.add_argument("--no-intervals", action="store_true", help="lists only; others stay")
    given = options.parse_args()
    known = (given.output or RESULTS) / "svm.json"
    found: dict[str, Any] = json.loads(known.read_text())["cases"] if known.exists() else {}
    missed = 0
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, case in CASES.items():
            if given.only and not any(part in name for part in given.only):
                continue
            big = case.rows >= 4000
            bar = BAR_CLASSES if "classes" in name or name in ("digits", "iris", "wine") else BAR
            if given.no_intervals:
                if name in found and not big:
                    found[name]["list"] = table = lists(case)
                    missed += not _said(table)
                    write("svm", {"cases": found}, threads=1, output=given.output)
                continue
            one = intervals(case, 1 if big else given.splits)
            meets = one["ratio"] >= bar and one["cv"] >= BELOW
            meets &= one["fresh"]["mean"] >= BELOW_FRESH
            print(f"{name}: grid {one['grid_s']:.2f} s, ours {one['ours_s']:.2f} s, "
                  f"{one['ratio']:.1f}x (least {one['worst']:.1f}x), {one['points']:.1f} points, "
                  f"cv {one['cv']:+.4f}, fresh {one['fresh']['mean']:+.4f}, {verdict(meets, bar)}",
                  flush=True)  # fmt: skip
            before = found.get(name, {}).get("list")
            found[name] = {"intervals": one, "bar": bar, "list": before}
            if not (given.no_lists or big):
                found[name]["list"] = table = lists(case)
                meets &= _said(table)
            missed += not meets
            write("svm", {"cases": found}, threads=1, output=given.output)
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
