"""Does tuning over an interval cost accuracy on rows that no search has seen?

Ten outer splits a data set, half of its rows held out in each: with a tenth, one row of wine's 18
would be .056 and no difference of .005 could be told. On the other rows GridSearchCV (20 values)
and BAMMSearchCV (the interval) choose C by cross-validated accuracy; both refits predict the
held-out rows. What counts is the paired difference of their accuracies, and its 95 % interval over
the splits: cross-validated accuracy itself is no yardstick, since choosing by it chases its noise.
"""

from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit

from benchmarks.cases.searches import CV, SMALL, Case
from benchmarks.lib.harness import equal_threads, parser, verdict, write
from benchmarks.lib.paired import paired_interval
from skbamm import BAMMSearchCV

SPLITS = 10
BAR = -0.005  # the interval must not reach below


def held_out_accuracy(case: Case, options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of both on each outer split's held-out rows."""
    X, y = case.data()
    # The grid alone gains from workers; its choice does not depend on them.
    n_jobs = options.threads if options.threads > 1 else None
    grid = GridSearchCV(case.estimator, case.grid, scoring="accuracy", cv=CV, n_jobs=n_jobs)
    ours = BAMMSearchCV(case.estimator, case.interval, scoring="accuracy", cv=CV)
    found = []
    outer = StratifiedShuffleSplit(options.splits, test_size=0.5, random_state=0)
    for train, test in outer.split(X, y):
        with equal_threads(options.threads, n_jobs):
            grid.fit(X[train], y[train])
        with equal_threads(options.threads, None):
            ours.fit(X[train], y[train])
        found.append([grid.score(X[test], y[test]), ours.score(X[test], y[test])])
    grid_accuracy, our_accuracy = np.array(found).T
    return grid_accuracy, our_accuracy


def main() -> int:
    classifiers = [name for name, case in SMALL.items() if case.scoring == "neg_log_loss"]
    arguments = parser(__doc__, rounds=None)
    arguments.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(classifiers)}")
    arguments.add_argument("--splits", type=int, default=SPLITS, help="outer splits")
    options = arguments.parse_args()
    if unknown := set(options.cases) - set(classifiers):
        arguments.error(f"no such case: {', '.join(sorted(unknown))}")

    found = []
    for name in options.cases or classifiers:
        case = SMALL[name]
        grid, ours = held_out_accuracy(case, options)
        low, high = paired_interval(ours - grid)
        found.append(
            {
                "title": case.title,
                "grid": grid,
                "ours": ours,
                "difference": (ours - grid).mean(),
                "interval": [low, high],
                "bar": BAR,
                "passes": low >= BAR,
            }
        )
        print(
            f"{case.title}: held-out accuracy {grid.mean():.4f} (GridSearchCV), "
            f"{ours.mean():.4f} (BAMMSearchCV); difference {(ours - grid).mean():+.4f} "
            f"[{low:+.4f}, {high:+.4f}], {verdict(low >= BAR, BAR)}",
            flush=True,
        )
    complete = not options.cases and options.splits == SPLITS
    if complete or options.output:
        body = {"splits": options.splits, "cases": found}
        write("accuracy", body, threads=options.threads, output=options.output)
    return 0 if all(case["passes"] for case in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
