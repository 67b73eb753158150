"""Ten penalties of groups, beside Optuna with ten times our seconds.

The problem is "blocks" of known.py, 400 x 200. Optuna (its default sampler) tries ten
logarithms of penalties as the factors of FeaturePenalty around Ridge, scored by the same 5 folds;
OptunaSearchCV does the fits, in this process. It stops when it has had ten times the seconds that
our search took, refit included. Bars: our test score is above Optuna's, and the search without
shrinkage, which looks for the best CV score alone, has a better CV score.
"""

import time
import warnings
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from benchmarks.lib.harness import equal_threads, parser, write
from benchmarks.lib.optuna_rival import group_search, hush
from benchmarks.lib.paired import paired_interval
from benchmarks.penalties.known import CV, draw, ends
from skbamm import BAMMSearchCV, EdgeWarning, PerGroup

N, P, SEEDS, TIMES = 400, 200, 2, 10


def timed(search: Any, X: np.ndarray, y: np.ndarray) -> tuple[Any, float]:
    """The fitted search and its seconds."""
    start = time.perf_counter()
    search.fit(X, y)
    return search, time.perf_counter() - start


def measure(random_state: int, seed: int) -> dict[str, dict[str, float]]:
    """Seconds, CV and test R2 of each search."""
    problem = draw("blocks", N, P, np.random.default_rng([random_state, seed]))
    X, y = problem.X, problem.y
    low, high = ends(problem)

    def ours(shrinkage: bool) -> BAMMSearchCV:
        vector = PerGroup(low, high, problem.groups, shrinkage=shrinkage)
        return BAMMSearchCV(Ridge(), {"alpha": vector}, cv=KFold(CV))

    found = {"ours": timed(ours(True), X, y), "no shrinkage": timed(ours(False), X, y)}
    optuna = group_search(
        Ridge(alpha=1.0), problem.groups, (low, high), TIMES * found["ours"][1],
        cv=KFold(CV), random_state=seed, scoring="r2",
    )  # fmt: skip
    found["Optuna"] = timed(optuna, X, y)
    return {
        name: {
            "seconds": seconds,
            "cv": float(search.best_score_),
            "test": r2_score(problem.y_test, search.predict(problem.X_test)),
            **({"trials": len(search.trials_)} if name == "Optuna" else {}),
        }
        for name, (search, seconds) in found.items()
    }


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.set_defaults(threads=1)
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--random-state", type=int, default=0, help="what the seeds grow from")
    options = arguments.parse_args()
    warnings.simplefilter("ignore", EdgeWarning)
    hush()
    runs = []
    with equal_threads(options.threads, None):
        for seed in range(options.seeds):
            runs.append(measure(options.random_state, seed))
            for name, entry in runs[-1].items():
                print(f"  seed {seed}, {name}: {entry}", flush=True)

    def gaps(ours: str, what: str) -> np.ndarray:
        return np.array([run[ours][what] - run["Optuna"][what] for run in runs])

    found = {"test": gaps("ours", "test"), "cv": gaps("no shrinkage", "cv")}
    bars = {
        what: {
            "gaps": gap,
            "mean": gap.mean(),
            "interval": paired_interval(gap) if len(gap) > 1 else None,
            "passes": bool((gap > 0).all()),
        }
        for what, gap in found.items()
    }
    for what, bar in bars.items():
        verdict = "meets" if bar["passes"] else "MISSES"
        print(f"  {what} R2 {bar['mean']:+.4f} beside Optuna's: {verdict} its bar")
    if options.seeds == SEEDS or options.output:
        body = {"shape": [N, P], "times": TIMES, "runs": runs, "bars": bars}
        write("penalties_optuna", body, threads=options.threads, output=options.output)
    return int(not all(bar["passes"] for bar in bars.values()))


if __name__ == "__main__":
    raise SystemExit(main())
