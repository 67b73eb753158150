"""A hundred searches as people write them, beside GridSearchCV: the project's first table.

Each use (cases/uses.py) runs in a process of its own, on one thread, in turns: GridSearchCV of a
list and BAMMSearchCV of the same list; BAMMSearchCV of an interval and GridSearchCV of 15 values
from end to end of it. It reports CPU and wall seconds and the final models' scores on rows that no
search has seen. A ratio is the grid's seconds by ours: above 1 ours is sooner.

``--only PART ...`` runs the uses whose names contain one of the parts, ``--quick`` one round each.
"""

import multiprocessing
import time
import traceback
import warnings
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from benchmarks.cases.uses import Use, all_uses
from benchmarks.lib.cpu_turns import ROUNDS, in_turns
from benchmarks.lib.harness import parser, write
from benchmarks.lib.real_data import Missing
from skbamm import BAMMSearchCV

SECONDS = 9.0  # of a use's rounds; another is not begun after
MOST, TIMES, MORE = 60.0, 6.0, 3.0  # CPU seconds of a grid; and of ours, times the grid's and more
# Bars: worst, tenth percentile and median of the ratios of CPU seconds.
BARS = {"list": (0.85, 1.0, 3.0), "interval": (0.85, 1.5, 6.0)}
KINDS = {"list": ("grid", "list"), "interval": ("fine grid", "interval")}


def measure(use: Use, rounds: int) -> dict[str, Any]:
    """Return what a use's searches took, and how their models do on fresh rows."""
    sample = use.make()
    searches = {}
    if use.values:
        searches["grid"] = lambda: GridSearchCV(use.model(), use.grid, scoring=use.scoring)
        searches["list"] = lambda: BAMMSearchCV(use.model(), use.grid, scoring=use.scoring)
    if use.ends:
        searches["fine grid"] = lambda: GridSearchCV(
            use.model(), use.fine_grid, scoring=use.scoring
        )
        searches["interval"] = lambda: BAMMSearchCV(use.model(), use.interval, scoring=use.scoring)

    def limit(name: str, record: dict[str, dict]) -> float:
        beside = {"list": "grid", "interval": "fine grid"}.get(name)
        return MOST if beside is None else TIMES * record[beside]["all_cpu"][0] + MORE

    record = in_turns(searches, sample.X, sample.y, rounds=rounds, enough=SECONDS, limits=limit)
    found: dict[str, Any] = {"shape": list(np.shape(sample.X)), "searches": {}}
    score = check_scoring(use.estimator, scoring=use.scoring)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in record.values():
            search = one.pop("search")
            if search is None:
                continue
            one["fresh"] = float(score(search.best_estimator_, sample.X_fresh, sample.y_fresh))
            one["cv"] = float(search.best_score_)
            if hasattr(search, "search_plan_"):
                one["plan"] = " | ".join(
                    f"{row['role']}: {row['reason']}" for row in search.search_plan_
                )
    found["searches"] = record
    for kind, (grid, ours) in KINDS.items():
        if ours in record:
            found[kind] = beside(record[grid], record[ours], use)
    return found


def beside(grid: dict[str, Any], ours: dict[str, Any], use: Use) -> dict[str, Any]:
    """Return how many times sooner we are, and how much better on fresh rows.

    Differences of scores are relative where a score is an error or has no unit of its own.
    """
    found = {clock: grid[clock] / max(ours[clock], 1e-4) for clock in ("cpu", "wall")}
    if grid["hangs"] or ours["hangs"]:
        return {**found, "at least": bool(grid["hangs"]), "hangs": bool(ours["hangs"])}
    bounded = use.scoring is None or "neg" not in use.scoring or is_classifier(use.estimator)
    unit = 1.0 if bounded else max(abs(grid["fresh"]), 1e-12)
    return {**found, "difference": (ours["fresh"] - grid["fresh"]) / unit}


def work(name: str, rounds: int, answers: Any) -> None:
    """Measure one use, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    use = next(one for one in all_uses() if one.name == name)
    try:
        with threadpool_limits(1):
            answers.send(measure(use, rounds))
    except Missing as missing:
        answers.send({"missing": str(missing)})
    except Exception:
        answers.send({"error": traceback.format_exc()})


def run(use: Use, rounds: int, seconds: float) -> dict[str, Any]:
    """Return what a process of its own says of a use, or that it did not end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.cases.uses", "skbamm"])
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(use.name, rounds, send))
    process.start()
    send.close()
    try:
        return receive.recv() if receive.poll(seconds) else {"error": f"no end in {seconds:g} s"}
    except EOFError:
        return {"error": "the process died"}
    finally:
        process.kill()
        process.join()


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the worst, the tenth percentile and the median of each kind's ratios."""
    table: dict[str, Any] = {}
    for kind, bars in BARS.items():
        rows = [one[kind] for one in found.values() if kind in one]
        if not rows:
            continue
        entry: dict[str, Any] = {"uses": len(rows), "bars": bars}
        for clock in ("cpu", "wall"):
            ratios = np.array([row[clock] for row in rows])
            low, middle = np.percentile(ratios, [10, 50])
            entry[clock] = [float(ratios.min()), float(low), float(middle)]
        differences = np.array([row["difference"] for row in rows if "difference" in row])
        if len(differences):
            entry["difference"] = [float(differences.mean()), float(differences.min())]
        entry["met"] = all(is_ >= bar for is_, bar in zip(entry["cpu"], bars, strict=True))
        table[kind] = entry
    return table


def told(name: str, one: dict[str, Any]) -> str:
    if "missing" in one or "error" in one:
        return f"{name:55s} {one.get('missing') or one['error']}"
    parts = []
    for kind, (grid, ours) in KINDS.items():
        if kind in one:
            row, took = one[kind], one["searches"]
            gap = "hangs" if row.get("hangs") else f"{row.get('difference', 0):+.4f}"
            parts.append(
                f"{kind} {took[grid]['cpu']:7.3f}/{took[ours]['cpu']:7.3f} = {row['cpu']:6.2f}x "
                f"({row['wall']:.2f}) {gap}"
            )
    return f"{name:55s} {'   '.join(parts)}"


def main() -> int:
    options = parser(__doc__, rounds=None)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of uses")
    options.add_argument("--quick", action="store_true", help="one round of each use")
    options.add_argument("--seconds", type=float, default=1500.0, help="begin no use after so many")
    options.add_argument("--each", type=float, default=180.0, help="wall seconds of a use at most")
    given = options.parse_args()
    rounds, began = 1 if given.quick else ROUNDS, time.perf_counter()
    uses = [u for u in all_uses() if not given.only or any(part in u.name for part in given.only)]
    found: dict[str, dict[str, Any]] = {}
    for use in uses:
        if time.perf_counter() - began > given.seconds:
            print(f"{use.name} and what follows is left out: {given.seconds:g} s are over")
            break
        one = run(use, rounds, given.each)
        print(told(use.name, one), flush=True)
        found[use.name] = one
    failed = [name for name, one in found.items() if "error" in one]
    measured = {name: one for name, one in found.items() if one.keys() & KINDS.keys()}
    table = summary(measured)
    for kind in table:
        print(f"\n{kind}s, the least ratios:")
        mine = [(one[kind]["cpu"], name) for name, one in measured.items() if kind in one]
        for ratio, name in sorted(mine)[:12]:
            plan = found[name]["searches"][KINDS[kind][1]].get("plan", "")
            print(f"  {ratio:6.2f}x  {name}: {plan[:110]}")
    head = "CPU: worst, tenth percentile, median"
    print(f"\n{'':10s} uses   {head:35s} {'wall':18s} fresh rows")
    for kind, entry in table.items():
        cpu, wall = (", ".join(f"{r:.2f}" for r in entry[clock]) for clock in ("cpu", "wall"))
        gap = "mean {:+.4f}, worst {:+.4f}".format(*entry.get("difference", (0, 0)))
        print(f"{kind:10s} {entry['uses']:4d}   {cpu:35s} {wall:18s} {gap} "
              f"{'met' if entry['met'] else 'MISSED'}")  # fmt: skip
    if failed:
        print(f"no result: {', '.join(failed)}")
    if not (given.only or given.quick) or given.output:
        write("everyday", {"table": table, "uses": found}, threads=1, output=given.output)
    return int(bool(failed) or not all(entry["met"] for entry in table.values()))


if __name__ == "__main__":
    raise SystemExit(main())
