"""Time searches over both hyperparameters of kernel ridge regression, beside a 10 x 10 grid.

``python -m benchmarks.speed kernel_ridge`` writes ``kernel_ridge.json``. The intervals and the
folds are the same for all; each search includes its refit.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import scale

from benchmarks.lib.harness import Rival, in_turns, parser, provenance, ratio, verdict, write
from skbamm import BAMMSearchCV

INTERVALS = {"alpha": (1e-4, 1e2), "gamma": (1e-4, 1e1)}
VALUES = 10  # of each hyperparameter
SCORING = "neg_mean_squared_error"
BAR = 1.0  # not slower than the grid, at a score no worse


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return scale(X), y


def friedman(rows: int) -> tuple[np.ndarray, np.ndarray]:
    return make_friedman1(rows, noise=1.0, random_state=0)


def read(search: Any) -> dict[str, Any]:
    """What a fitted search found."""
    return {
        "best_score": search.best_score_,
        "best_params": search.best_params_,
        "iterations": getattr(search, "n_iter_", None),
        "converged": getattr(search, "converged_", None),
    }


def rivals() -> list[Rival]:
    """The grid, and ours over the intervals."""
    settings = {"scoring": SCORING, "cv": KFold(5, shuffle=True, random_state=0)}
    grid = {name: np.geomspace(low, high, VALUES) for name, (low, high) in INTERVALS.items()}

    def build(kind: Any, space: dict[str, Any], n_jobs: int | None) -> Any:
        return kind(KernelRidge(kernel="rbf"), space, n_jobs=n_jobs, **settings)

    return [
        Rival("GridSearchCV", partial(build, GridSearchCV, grid), read, parallel=True),
        Rival("intervals", partial(build, BAMMSearchCV, INTERVALS), read),
    ]


def run(title: str, data: Callable[[], Any], options: Any) -> dict[str, Any]:
    """Measure one data set."""
    X, y = data()
    print(f"{title}: {' and '.join(INTERVALS)} by {SCORING}, {options.threads} threads", flush=True)
    record = in_turns(rivals(), X, y, rounds=options.rounds, threads=options.threads)
    grid, ours = record["GridSearchCV"], record["intervals"]
    times = ratio(grid["seconds"], ours["seconds"], BAR)
    gap = grid["outcome"]["best_score"] - ours["outcome"]["best_score"]
    better = {"worse_by": float(gap), "bar": 0.0, "passes": bool(gap <= 0)}
    print(f"  {times['median']:.1f} times as fast, {verdict(times['passes'], BAR)}; {better}")
    return {
        "title": title,
        "shape": X.shape,
        "searches": record,
        "ratio": times,
        "score": better,
    }


def main() -> int:
    options = parser(__doc__, rounds=3)
    options.add_argument("--rows", type=int, default=2000, help="of the larger data set")
    chosen = options.parse_args()
    print(f"on {provenance(chosen.threads)['cpu']}")
    cases = [
        run("diabetes, 442 x 10", diabetes, chosen),
        run(f"friedman1, {chosen.rows:,} x 10", partial(friedman, chosen.rows), chosen),
    ]
    body = {
        "scoring": SCORING,
        "intervals": INTERVALS,
        "values": VALUES,
        "rounds": chosen.rounds,
        "cases": cases,
    }
    write("kernel_ridge", body, threads=chosen.threads, output=chosen.output)
    return 0 if all(c["ratio"]["passes"] and c["score"]["passes"] for c in cases) else 1
