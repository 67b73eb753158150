"""Eight kinds of problems: seconds and CV scores of ours, beside grids and beside specialists.

5 folds; ours has the interval, grids 20 values from one of its ends to the other, 10 x 10 of two
hyperparameters. Rivals take turns on equal threads, scikit-learn's searches in one process and in
as many as there are threads, of which the faster counts; a rival whose first fit takes more than
``--patience`` seconds has that one only. Scores of rivals that score in another way are what the
model reaches, in the 5 folds, with what they found; ours must be as good up to 1e-4 of the
rival's. A bar beside a rival that can't be had is not met. Optuna has as many seconds as ours
took, for the groups ten times as many, once.

``python -m benchmarks.speed specialists 1 sparse`` measures some cases, by number or name,
and leaves the others in results/speed.json as they are.
"""

import warnings
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score

from benchmarks.cases.specialists import CASES, PACKAGES, RIVALS, Data, SpeedCase, optuna, ours
from benchmarks.lib.harness import (
    equal_threads,
    in_turns,
    parser,
    provenance,
    ratio,
    timed_fit,
    verdict,
    write_part,
)
from skbamm import EdgeWarning

PATIENCE = 120
AS_GOOD = 1e-4  # of the grid's score, from which on it counts as reached


def rivals(case: SpeedCase, data: Data, device: str) -> tuple[list, dict[str, str]]:
    """Those that can be had, ours last; and why others can't."""
    found, skipped = [], {}
    for name in case.rivals:
        try:
            found.append(RIVALS[name](case, data))
        except ImportError as error:
            skipped[name] = str(error)
            print(f"  {name} is skipped: {error}", flush=True)
    return [*found, *ours(case, data, device)], skipped


def add_optuna(case: SpeedCase, data: Data, turns: dict, skipped: dict, threads: int) -> None:
    """One round of Optuna, with the seconds that ours took or some times as many.

    Trials run one by one with all threads, and again as many at once as there are threads; the
    better score counts.
    """
    given = case.optuna * turns["ours"]["median_seconds"]
    for at_once in dict.fromkeys((1, threads)):
        try:
            rival = optuna(case, data, given, at_once)
        except ImportError as error:
            skipped["OptunaSearchCV"] = str(error)
            print(f"  OptunaSearchCV is skipped: {error}", flush=True)
            return
        seconds, outcome = timed_fit(rival, None, threads // at_once, data.X, data.y)
        told = f"{outcome['trials']} trials, {at_once} at once, in {seconds:.3g} s"
        print(f"  OptunaSearchCV: {outcome['score']:.6g} by {told}", flush=True)
        before = turns.get("OptunaSearchCV")
        if before is None or outcome["score"] > before["outcome"]["score"]:
            turns["OptunaSearchCV"] = {
                "given": given, "at_once": at_once, "seconds": [seconds], "n_jobs": [None],
                "outcome": outcome, "median_seconds": seconds,
            }  # fmt: skip


def add_scores(case: SpeedCase, data: Data, turns: dict, threads: int) -> None:
    """Each search's score, by the same measure; outside of what is timed."""
    model = case.model if case.exact is None else case.exact
    for entry in turns.values():
        found = entry["outcome"]
        entry["score"] = found.get("score")
        if entry["score"] is None or case.exact is not None:
            one = clone(model).set_params(**found["params"])
            with equal_threads(threads, None):
                scores = cross_val_score(one, data.X, data.y, **case.settings)
            entry["score"] = float(scores.mean())


def seconds_to(case: SpeedCase, score: float, entry: dict[str, Any]) -> dict[str, float] | None:
    """Seconds from which on our search, in its last round, was at a point with such a score.

    At points that look better than what was found in the end, models are still behind. A history
    may leave out what came before it, on some of the rows or along a path: so its seconds are the
    least, and the most are all of the fit's but those from the point to the history's end.
    """
    history = entry["outcome"]["history"]
    scores, seconds = float(case.scoring == "r2") - history["criterion"], history["seconds"]
    near = AS_GOOD * abs(score)
    there = (scores >= score - near) & (scores <= entry["score"] + near)
    if not there.any():
        return None
    at, total = seconds[there.argmax()], entry["seconds"][-1]
    return {"least": float(at), "most": float(total - (seconds[-1] - at)), "of": total}


def beside(case: SpeedCase, name: str, turns: dict[str, Any]) -> dict[str, Any]:
    """Ours beside one rival: times as fast, and by how much of its score ours is worse."""
    mine, theirs, bar = turns["ours"], turns[name], case.bars.get(name)
    gap = float((theirs["score"] - mine["score"]) / abs(theirs["score"]))
    found = {**ratio(theirs["seconds"], mine["seconds"], bar and bar.times), "worse_by": gap}
    if bar is not None:
        found |= {"most": bar.worse_by, "as_good": gap <= bar.worse_by if bar.worse_by else gap < 0}
        found["met"] = found["as_good"] and found.get("passes", True)
    return found


def say(name: str, found: dict[str, Any]) -> None:
    timed = f", {verdict(found['passes'], found['bar'])}" if "passes" in found else ""
    scored = ""
    if "as_good" in found:
        scored = ", as good" if found["as_good"] else ", MISSES its score"
    print(
        f"  {found['median']:.2f} times as fast as {name} (worst round {found['worst']:.2f})"
        f"{timed}; score {-found['worse_by']:+.1e} of its{scored}",
        flush=True,
    )


def run(name: str, options: Any) -> bool:
    """Measure, print and write one case; return whether all its bars are met."""
    case, number = CASES[name], [*CASES].index(name) + 1
    data = case.data(options.scale)
    shape = " x ".join(f"{size:,}" for size in data.X.shape)
    print(f"{number} {case.title}: {shape} {data.note}", flush=True)
    found, skipped = rivals(case, data, options.device)
    turns = in_turns(
        found, data.X, data.y, rounds=options.rounds, threads=options.threads,
        patience=options.patience,
    )  # fmt: skip
    if case.optuna:
        add_optuna(case, data, turns, skipped, options.threads)
    add_scores(case, data, turns, options.threads)
    ratios = {}
    for other in turns:
        if not other.startswith("ours"):
            ratios[other] = beside(case, other, turns)
            say(other, ratios[other])
    reached = None
    if "GridSearchCV" in turns:
        reached = seconds_to(case, turns["GridSearchCV"]["score"], turns["ours"])
        said = "never reached" if reached is None else "reached after {least:.3g} to {most:.3g} s"
        print(f"  the grid's score is {said.format(**reached or {})}", flush=True)
    body = {
        "number": number, "title": case.title, "note": data.note, "scoring": case.scoring,
        "intervals": case.intervals(data), "shape": data.X.shape, "rounds": options.rounds,
        "patience": options.patience, "searches": turns, "ratios": ratios, "reached": reached,
        "skipped": skipped,
    }  # fmt: skip
    if options.scale == 1 or options.output:  # a trial's figures don't go to results/
        write_part(
            "speed", name, body,
            threads=options.threads, output=options.output, packages=PACKAGES,
        )  # fmt: skip
    return all(other in ratios and ratios[other]["met"] for other in case.bars)


def main() -> int:
    arguments = parser(__doc__)
    names = [*CASES]
    told = ", ".join(f"{i} {name}" for i, name in enumerate(names, 1))
    arguments.add_argument("cases", nargs="*", metavar="case", help=f"of {told}")
    arguments.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the rows (a trial)"
    )
    arguments.add_argument("--device", default="cpu", help="for ours")
    arguments.add_argument(
        "--patience", type=float, default=PATIENCE, help="seconds of a fit that is not repeated"
    )
    options = arguments.parse_args()
    numbered = dict(zip(map(str, range(1, len(names) + 1)), names, strict=True))
    chosen = list(dict.fromkeys(numbered.get(case, case) for case in options.cases)) or names
    if unknown := set(chosen) - set(names):
        arguments.error(f"no such case: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", ConvergenceWarning)  # of the weakest penalties
    warnings.simplefilter("ignore", EdgeWarning)
    # Of the few rows that searches are warmed with, or of halving's, folds may lack a class.
    warnings.filterwarnings("ignore", "Scoring failed|One or more of the test scores")
    warnings.filterwarnings("ignore", "The least populated class")
    print(f"on {provenance(options.threads)['cpu']}, {options.threads} threads")
    met = [run(name, options) for name in chosen]
    print(f"{sum(met)} of {len(met)} cases meet all their bars")
    return 0 if all(met) else 1
