"""Grids of scikit-learn's documentation, by the name of the class alone.

The best parameters are to be the same, and the tables equal. Seconds are of whole fits, the refit
included. ``--only SVC`` runs the cases with that in their names.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV

from benchmarks.cases.documented import CASES, Documented
from benchmarks.lib.cpu_turns import in_turns
from benchmarks.lib.harness import equal_threads, parser, verdict, write
from skbamm import BAMMSearchCV

ROUNDS = 3
BAR = 1.0


def measure(case: Documented, rounds: int) -> dict[str, Any]:
    """Seconds of both searches, and how their tables differ."""
    X, y = case.data()
    searches = {
        "grid": lambda: GridSearchCV(case.model, case.grid, **case.options),
        "ours": lambda: BAMMSearchCV(case.model, case.grid, **case.options),
    }
    warm = np.zeros(len(X)) if y is None else y
    record = in_turns(searches, X, warm, rounds=rounds, limits=lambda *_: 600.0)
    found = {name: one.pop("search") for name, one in record.items()}
    tables = [one.cv_results_["mean_test_score"] for one in found.values()]
    return {
        "where": case.where,
        "searches": record,
        "candidates": len(tables[0]),
        "cpu": record["grid"]["cpu"] / record["ours"]["cpu"],
        "wall": record["grid"]["wall"] / record["ours"]["wall"],
        "same_best": repr(found["grid"].best_params_) == repr(found["ours"].best_params_),
        "apart": float(np.nanmax(np.abs(np.subtract(*tables)))),
    }


def main() -> int:
    options = parser(__doc__, rounds=ROUNDS)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    given = options.parse_args()
    cases: dict[str, Any] = {}
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, case in CASES.items():
            if given.only and not any(part in name for part in given.only):
                continue
            cases[name] = one = measure(case, given.rounds)
            meets = one["cpu"] >= BAR and one["same_best"]
            took = {kind: f"{each['cpu']:.2f} s" for kind, each in one["searches"].items()}
            print(f"{name}: {took}, {one['cpu']:.1f}x, apart {one['apart']:.0e}, "
                  f"same best: {one['same_best']}, {verdict(meets, BAR)}", flush=True)  # fmt: skip
    if not given.only:
        write("documented", {"cases": cases}, threads=1, output=given.output)
    return int(any(one["cpu"] < BAR or not one["same_best"] for one in cases.values()))


if __name__ == "__main__":
    raise SystemExit(main())
