"""More features than rows: seconds of lists and intervals beside a grid.

A list of 8 values beside GridSearchCV with the same list, an interval beside one of 20 values, in
CPU seconds of one thread, the median of ``--rounds`` in turns. ``--only svc`` runs the cases with
that in their names. Prints a line a case, and writes nothing.
"""

import time
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from benchmarks.lib.harness import equal_threads, parser
from skbamm import BAMMSearchCV

SHAPES = ((80, 400), (100, 1500), (290, 800), (250, 3000), (400, 4000), (900, 3000))
LISTED, OF_INTERVAL = 8, 20


class Case(NamedTuple):
    """A model on data, and the ends of its penalty."""

    name: str
    model: Any
    data: tuple[np.ndarray, np.ndarray]
    parameter: str
    ends: tuple[float, float]


def cases(n: int, d: int) -> Iterator[Case]:
    """Yield the cases of one shape."""

    def classes(k: int) -> tuple[np.ndarray, np.ndarray]:
        return make_classification(n, d, n_informative=20, n_classes=k, random_state=1)

    two, three = classes(2), classes(3)
    X, y = make_regression(n, d, n_informative=20, noise=20.0, random_state=1)
    counts, few = np.exp(y / np.abs(y).max()), (1e-4, 1e2)
    logistic = LogisticRegression(max_iter=1000)
    pipe = make_pipeline(StandardScaler(), logistic)
    yield Case("logistic", logistic, two, "C", few)
    yield Case("logistic in a pipeline", pipe, two, "logisticregression__C", few)
    yield Case("logistic, three classes", logistic, three, "C", few)
    yield Case("liblinear", LogisticRegression(solver="liblinear"), two, "C", few)
    saga = LogisticRegression(solver="saga", l1_ratio=1.0, max_iter=300)
    yield Case("saga L1", saga, two, "C", (0.1, 10.0))
    yield Case("saga L1, three classes", saga, three, "C", (0.1, 10.0))
    yield Case("one-vs-rest", OneVsRestClassifier(logistic), three, "estimator__C", few)
    yield Case("LinearSVC", LinearSVC(), two, "C", (1e-5, 1e1))
    yield Case("RidgeClassifier", RidgeClassifier(), three, "alpha", (1e-2, 1e4))
    yield Case("Ridge", Ridge(), (X, y), "alpha", (1e-2, 1e4))
    yield Case("Poisson", PoissonRegressor(max_iter=1000), (X, counts), "alpha", (1e-2, 1e3))
    yield Case("SGD, log loss", SGDClassifier("log_loss", random_state=0), two, "alpha", few)


def main() -> int:
    arguments = parser(__doc__, rounds=3)
    arguments.add_argument("--only", nargs="*", default=[])
    options = arguments.parse_args()
    warnings.simplefilter("ignore")
    worst = np.inf
    print(f"{'':38}{'list':>8}{'interval':>10}")
    with equal_threads(1, None):
        for n, d in SHAPES:
            for case in cases(n, d):
                if options.only and not any(word in case.name for word in options.only):
                    continue
                seconds: dict[str, list[float]] = {}
                values = list(np.geomspace(*case.ends, LISTED))
                many = list(np.geomspace(*case.ends, OF_INTERVAL))
                BAMMSearchCV(case.model, {case.parameter: values[:2]}).fit(*case.data)
                for _ in range(options.rounds):
                    for name, kind, given in (
                        ("grid", GridSearchCV, values), ("list", BAMMSearchCV, values),
                        ("many", GridSearchCV, many), ("interval", BAMMSearchCV, case.ends),
                    ):  # fmt: skip
                        began = time.process_time()
                        kind(case.model, {case.parameter: given}).fit(*case.data)
                        seconds.setdefault(name, []).append(time.process_time() - began)
                took = {name: float(np.median(all_of)) for name, all_of in seconds.items()}
                ratios = took["grid"] / took["list"], took["many"] / took["interval"]
                worst = min(worst, *ratios)
                told = f"{case.name}, {n} x {d:,}"
                print(f"{told:38}{ratios[0]:7.2f}x{ratios[1]:9.2f}x", flush=True)
    print(f"worst {worst:.2f}x")
    return int(worst < 0.85)


if __name__ == "__main__":
    raise SystemExit(main())
