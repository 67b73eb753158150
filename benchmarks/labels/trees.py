"""Boosted trees refitted with weights that a linear proxy learned, beside the trees alone.

Trees have no gradient for their training weights. With `SampleWeights(proxy=...)` a logistic
regression finds the wrong labels, and the trees are fitted once, with its weights.
"""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.labels.flipped import draw_digits
from benchmarks.labels.noise import INTERVAL, Found, Problem, logistic, problem, run, symmetric
from benchmarks.lib.harness import parser, verdict, write
from benchmarks.lib.paired import difference

SEEDS = 10
RATES = (0.2, 0.4)
BAR = 0.0  # the interval must lie above


def trees() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(random_state=0)


def alone(problem: Problem) -> Found:
    """The trees, as if every label were right."""
    return Found(trees().fit(problem.X, problem.y).predict(problem.X_test))


def oracle(problem: Problem) -> Found:
    """The trees, without the rows whose labels are wrong."""
    right = ~problem.wrong
    return Found(trees().fit(problem.X[right], problem.y[right]).predict(problem.X_test))


def pruned(problem: Problem) -> Found:
    """The trees, without the rows that cleanlab flags with the same proxy, C=1."""
    from cleanlab.classification import CleanLearning

    finder = CleanLearning(logistic(), seed=0, find_label_issues_kwargs={"n_jobs": 1})
    flagged = finder.find_label_issues(problem.X, problem.y)["is_label_issue"].to_numpy()
    fitted = clone(trees()).fit(problem.X[~flagged], problem.y[~flagged])
    return Found(fitted.predict(problem.X_test), flagged)


def ours(problem: Problem) -> Found:
    """The trees, with the weights that the proxy learned."""
    from skbamm import BAMMSearchCV, SampleWeights

    weights = SampleWeights(proxy=logistic(), proxy_grid=INTERVAL)
    search = BAMMSearchCV(trees(), {}, sample_weights=weights).fit(problem.X, problem.y)
    return Found(search.predict(problem.X_test), search.label_issues_, search.label_quality_)


METHODS = {"alone": alone, "cleanlab's proxy": pruned, "oracle": oracle, "ours": ours}


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.set_defaults(threads=1)
    arguments.add_argument("--seeds", type=int, default=SEEDS, help="splits and flips")
    arguments.add_argument(
        "--without-ours", action="store_true", help="the rivals alone; nothing is judged"
    )
    options = arguments.parse_args()
    methods = [name for name in METHODS if not (options.without_ours and name == "ours")]

    rates: dict[str, Any] = {}
    for rate in RATES:
        records: dict[str, list] = {name: [] for name in methods}
        for seed in range(options.seeds):
            given = problem(draw_digits(seed), symmetric, rate, seed, with_trusted=False)
            for name in methods:
                records[name].append(run(METHODS[name], given, options.threads))
        accuracy = {n: np.array([row["accuracy"] for row in rows]) for n, rows in records.items()}
        entry: dict[str, Any] = {"seeds": records, "accuracy": accuracy}
        print(f"boosted trees, digits, {rate:.0%} wrong")
        for name, values in accuracy.items():
            seconds = np.mean([row["seconds"] for row in records[name]])
            said = f"  {name:18}accuracy {values.mean():.4f}, {seconds:.2f} s"
            if "ours" in accuracy and name != "ours":
                gap = difference(accuracy["ours"], values)
                entry[f"ours - {name}"] = gap
                said += f"; ours - this {gap['mean']:+.4f} {gap['interval'] or ''}"
            print(said, flush=True)
        if gap := entry.get("ours - alone"):
            low = gap["interval"][0] if gap["interval"] else gap["mean"]
            entry["passes"] = low > BAR
            print(f"  lower end {low:+.4f} {verdict(entry['passes'], BAR)}")
        rates[str(rate)] = entry

    if (options.seeds == SEEDS and not options.without_ours) or options.output:
        body = {"seeds": options.seeds, "rates": rates}
        write("label_noise_trees", body, threads=options.threads, output=options.output)
    return 0 if all(entry.get("passes", True) for entry in rates.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
