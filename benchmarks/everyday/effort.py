"""Compare the cost model's forecast, its count and the measured time of joint solves and own fits.

The cost model (skbamm/effort.py and skbamm/search/own_fits/) is checked on the uses in
cases/uses.py: the joint solve runs without a limit, and own fits are timed as well. Seconds of one
core. ``--only PART ...`` runs the uses whose names contain one of the parts.
"""

import time
import warnings
from typing import Any

from sklearn.model_selection import GridSearchCV

from benchmarks.cases.uses import Use, all_uses
from benchmarks.lib.cpu_turns import Hang, limited
from benchmarks.lib.harness import equal_threads, parser
from skbamm import BAMMSearchCV
from skbamm.effort import Meter, OverBudget
from skbamm.search import solving
from skbamm.search.own_fits import budget
from skbamm.search.own_fits.cost import OwnCost
from skbamm.solvers.linear import LinearSolver

MOST = 30.0  # CPU seconds of a search


def calibrate(use: Use, kind: str) -> dict[str, Any]:
    """Return the figures of a list or an interval."""
    sample, known, meters = use.make(), {}, []

    def unlimited(joint, probes, y, fits, values, scored=0):
        known["began"] = time.process_time()
        if not isinstance(joint, LinearSolver):
            return None
        known["foreseen"] = joint.foreseen(values, True)
        known["fits"] = fits
        own = OwnCost(joint, probes, y, fits)
        known["least"], known["measured"] = own.least, own.measured(own.further)
        try:
            budget.budget(joint, probes, y, fits, values, scored)
            known["decision"] = "joint"
        except OverBudget:
            known["decision"] = "own"
        known["began"] = time.process_time()
        meters.append(Meter(float("inf")))
        return meters[-1]

    def fit() -> float:
        known.clear()
        grid = use.grid if kind == "list" else use.interval
        search = BAMMSearchCV(use.model(), grid, scoring=use.scoring)
        began = time.process_time()
        search.fit(sample.X, sample.y)
        known["plan"] = search.search_plan_[0]["role"], search.search_plan_[0]["reason"]
        return time.process_time() - began

    asked, kept = solving.budget, solving.Solving.keep

    def keep(self, *given):
        known.setdefault("took", time.process_time() - known.get("began", time.process_time()))
        return kept(self, *given)

    solving.budget, solving.Solving.keep = unlimited, keep
    try:
        with limited(MOST):
            fit()
            known["all"] = fit()
    except Hang:
        known["all"] = float("inf")
    finally:
        solving.budget, solving.Solving.keep = asked, kept
    if meters:
        known["counted"] = meters[-1].spent
    began = time.process_time()
    grid = GridSearchCV(use.model(), use.grid, scoring=use.scoring, refit=False)
    grid.fit(sample.X, sample.y)
    known["grid"] = time.process_time() - began
    times = grid.cv_results_
    known["own"] = float(times["mean_fit_time"].sum() * grid.n_splits_)
    known["scores"] = float(times["mean_score_time"].sum() * grid.n_splits_)
    known["values"] = len(times["params"])
    return known


def main() -> None:
    options = parser(__doc__, rounds=None)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of uses")
    options.add_argument("--kind", choices=["list", "interval"], default="list")
    given = options.parse_args()
    head = ("foreseen", "counted", "took", "least", "measured", "own", "grid", "all")
    print(f"{'':50s} " + " ".join(f"{name:>8s}" for name in head))
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for use in all_uses():
            if given.only and not any(part in use.name for part in given.only):
                continue
            if not (use.values if given.kind == "list" else use.ends and use.values):
                continue
            found = calibrate(use, given.kind)
            told = (found.get(name) for name in head)
            figures = " ".join(" " * 8 if one is None else f"{one:8.4f}" for one in told)
            reason = found.get("plan", ("", "no end"))[1]
            print(f"{use.name:50s} {figures} {found.get('decision', '')} {reason[:50]}", flush=True)


if __name__ == "__main__":
    main()
