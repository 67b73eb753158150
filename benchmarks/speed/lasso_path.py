"""One L1 penalty, beside the solvers of whole paths: LassoCV, and celer's path in every fold.

The path solvers try 100 values, ours an interval from a thousandth of the largest useful penalty
to that; the folds are the same, and all end with a fit on all rows. With few rows, models at
tol=1e-4 can score differently from solved ones, so CV errors are compared with those of LassoCV at
tol=1e-8, which is not timed. Path solvers are at their best with a single L1 penalty: the bar is
their best CV error within half a per cent, and three times celer's time if there are more features
than rows.
``python -m benchmarks.speed lasso_path golub`` runs one.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LassoCV

from benchmarks.lib.harness import Rival, in_turns, parser, ratio, verdict, write
from benchmarks.lib.lasso_paths import (
    CELER,
    MAX_ITER,
    SPAN,
    TOL,
    VALUES,
    WORSE,
    CelerCV,
    cv,
    largest,
    standardised,
)
from benchmarks.lib.real_data import Missing, golub
from skbamm import BAMMSearchCV, EdgeWarning

ROUNDS = 5


DATA: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "diabetes": lambda: standardised(load_diabetes(return_X_y=True)),
    "regression": lambda: standardised(
        make_regression(5000, 500, n_informative=50, noise=100.0, random_state=0)
    ),
    "golub": lambda: standardised(golub()),
}


def rivals(X: np.ndarray, y: np.ndarray) -> list[Rival]:
    top = largest(X, y)
    interval = {"alpha": (SPAN * top, top)}
    model = Lasso(tol=TOL, max_iter=MAX_ITER)

    def ours(n_jobs: int | None) -> BAMMSearchCV:
        return BAMMSearchCV(
            model, interval, scoring="neg_mean_squared_error", cv=cv(), n_jobs=n_jobs
        )

    def path(n_jobs: int | None) -> LassoCV:
        alphas = top * np.geomspace(1, SPAN, VALUES)
        return LassoCV(alphas=alphas, cv=cv(), tol=TOL, max_iter=MAX_ITER, n_jobs=n_jobs)

    def read(fitted: Any) -> dict[str, float]:
        return {"mse": float(fitted.mse_path_.mean(1).min()), "alpha": float(fitted.alpha_)}

    return [
        Rival("LassoCV", path, read, parallel=True),
        Rival("celer", lambda n_jobs: CelerCV(), lambda f: {"mse": f.mse_, "alpha": f.alpha_}),
        Rival("ours", ours, lambda f: {"mse": -f.best_score_, **f.best_params_}),
    ]


def judge(name: str, rounds: int, threads: int) -> dict[str, Any]:
    """Measure one data set and say how it went."""
    X, y = DATA[name]()
    print(f"{name} {X.shape[0]:,} x {X.shape[1]:,}", flush=True)
    turns = in_turns(rivals(X, y), X, y, rounds=rounds, threads=threads)
    error = {who: entry["outcome"]["mse"] for who, entry in turns.items()}
    alphas = largest(X, y) * np.geomspace(1, SPAN, VALUES)
    exact = LassoCV(alphas=alphas, cv=cv(), tol=1e-8, max_iter=100 * MAX_ITER).fit(X, y)
    error["exact"] = float(exact.mse_path_.mean(1).min())
    gained = 1 - error["ours"] / error["exact"]
    bar = CELER if X.shape[1] > X.shape[0] else None
    sooner = {
        who: ratio(turns[who]["seconds"], turns["ours"]["seconds"], bar or 0.0)
        for who in ("LassoCV", "celer")
    }
    passes = gained >= -WORSE and (bar is None or sooner["celer"]["passes"])
    print(f"  CV error {gained:+.2e} beside LassoCV's: {verdict(gained >= -WORSE, WORSE)}")
    for who, entry in sooner.items():
        print(f"  {entry['median']:.2f} times as fast as {who}")
    return {
        "shape": X.shape, "turns": turns, "error": error, "gained": gained, "sooner": sooner,
        "passes": passes,
    }  # fmt: skip


def main() -> int:
    arguments = parser(__doc__, rounds=ROUNDS)
    arguments.add_argument("data", nargs="*", metavar="data", help=f"of {', '.join(DATA)}")
    options = arguments.parse_args()
    if unknown := set(options.data) - set(DATA):
        arguments.error(f"no such data: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", ConvergenceWarning)  # of weak penalties
    warnings.simplefilter("ignore", EdgeWarning)
    found = {}
    for name in options.data or DATA:
        try:
            found[name] = judge(name, options.rounds, options.threads)
        except Missing as error:
            print(error)
    if not options.data or options.output:
        write("lasso_path", {"data": found}, threads=options.threads, output=options.output)
    return int(not all(entry["passes"] for entry in found.values()))
