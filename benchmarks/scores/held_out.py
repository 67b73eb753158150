"""Is an interval as good as a list of nine values over it, on rows that no search has seen?

For each data set, draw and scorer BAMMSearchCV searches the interval, and solves nine values from
one end to the other; both final models are scored on fresh rows. What counts is the paired
difference, relative for errors, with Student's interval over all data sets and draws; and the CPU
seconds of one thread.
"""

import time
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer

from benchmarks.cases.held_out import LABELS, NUMBERS, draws, model_of
from benchmarks.lib.harness import equal_threads, parser, write
from benchmarks.lib.paired import paired_interval
from skbamm import BAMMSearchCV

VALUES, DRAWS = 9, 5
BAR = -0.002  # the 95 % interval must not reach below
SCORERS = {
    "labels": (
        "accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr", "average_precision",
        "neg_log_loss",
    ),
    "numbers": ("neg_mean_absolute_error", "neg_median_absolute_error"),
}  # fmt: skip


def compare(draw: Any, name: str, scoring: str) -> dict[str, float]:
    """Return fresh scores and CPU seconds of the interval and of the list."""
    model, param, low, high = model_of(name)
    grids = {"interval": (low, high), "list": np.geomspace(low, high, VALUES)}
    found = {}
    for kind, grid in grids.items():
        search = BAMMSearchCV(model, {param: grid}, scoring=scoring)
        began = time.process_time()
        search.fit(draw.X, draw.y)
        found[f"{kind}_seconds"] = time.process_time() - began
        score = get_scorer(scoring)(search.best_estimator_, draw.X_fresh, draw.y_fresh)
        found[kind], found[f"{kind}_cv"] = float(score), float(search.best_score_)
    unit = abs(found["list"]) if "error" in scoring else 1.0
    return {**found, "difference": (found["interval"] - found["list"]) / (unit or 1.0)}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the table has of a scorer."""
    difference = np.array([row["difference"] for row in rows])
    low, high = paired_interval(difference)
    ours, few = (sum(row[f"{kind}_seconds"] for row in rows) for kind in ("interval", "list"))
    return {
        "cases": len(rows), "mean": float(difference.mean()), "low": low, "high": high,
        "worst": float(difference.min()), "seconds": ours, "list_seconds": few,
        "met": low >= BAR and difference.mean() >= 0 and ours <= few,
    }  # fmt: skip


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.add_argument("--draws", type=int, default=DRAWS, help="draws of each data set")
    arguments.add_argument("data", nargs="*", help="only these data sets")
    options = arguments.parse_args()
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, data in (("labels", LABELS), ("numbers", NUMBERS)):
            for name, draw_of in draws(data, options.draws):
                if options.data and not any(part in name for part in options.data):
                    continue
                for seed in range(options.draws):
                    draw = draw_of(seed)
                    for scoring in SCORERS[kind]:
                        row = compare(draw, name, scoring)
                        rows[scoring].append({"data": name, "seed": seed, **row})
                print(f"{name}: done", flush=True)
    table = {scoring: summary(found) for scoring, found in rows.items()}
    print(f"{'scorer':28s} cases   mean [95 % interval]  worst   seconds of interval, list")
    for scoring, one in table.items():
        print(
            f"{scoring:28s} {one['cases']:5d} {one['mean']:+.4f} [{one['low']:+.4f}, "
            f"{one['high']:+.4f}] {one['worst']:+.4f} {one['seconds']:8.1f} "
            f"{one['list_seconds']:8.1f} {'met' if one['met'] else 'MISSED'}"
        )
    if not options.data or options.output:
        body = {"draws": options.draws, "table": table, "rows": rows}
        write("held_out", body, threads=1, output=options.output)
    return int(not all(one["met"] for one in table.values()))


if __name__ == "__main__":
    raise SystemExit(main())
