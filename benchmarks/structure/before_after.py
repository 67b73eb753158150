"""What searches take in this checkout, beside the same searches in another one.

Each checkout has a worker process of its own; the two take turns, search by search and round by
round, so that both see the same load of the machine::

    python -m benchmarks.structure.before_after ../before
    python -m benchmarks.structure.before_after ../before --rounds 9 --only "iris: SVC"
"""

import argparse
import multiprocessing as mp
import sys
import time
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.lib.harness import ROOT, commit, write

SKIP = ("100,000", "200,000")  # sizes that take too long to be repeated
LONG = 4.0  # CPU seconds of a search from which it is not repeated


def serve(checkout: str, pipe: Connection) -> None:
    """Fit what is asked for with the package of a checkout; send CPU seconds and the score."""
    sys.path.insert(0, checkout)
    import skbamm
    from benchmarks.cases.uses import all_uses

    if Path(skbamm.__file__ or "").parent.parent != Path(checkout):
        raise RuntimeError(f"skbamm was imported from {skbamm.__file__}")
    warnings.simplefilter("ignore")
    uses, made = {use.name: use for use in all_uses()}, (None, None)
    while (asked := pipe.recv()) is not None:
        name, kind = asked
        use = uses[name]
        if made[0] != name:
            made = name, use.make()
        sample: Any = made[1]
        grid = use.grid if kind == "list" else use.interval
        search = skbamm.BAMMSearchCV(use.model(), grid, scoring=use.scoring, random_state=0)
        began = time.process_time()
        try:
            search.fit(sample.X, sample.y)
            pipe.send((time.process_time() - began, float(search.best_score_)))
        except ValueError as error:
            pipe.send((None, str(error)))


class Worker:
    """A process that fits searches with the package of one checkout."""

    def __init__(self, checkout: Path):
        context = mp.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(str(checkout), other), daemon=True)
        self.process.start()

    def fit(self, name: str, kind: str) -> tuple[float | None, Any]:
        """Return the CPU seconds of a search, and its best score."""
        self.pipe.send((name, kind))
        return self.pipe.recv()


def main() -> None:
    """Time every use in both checkouts, print and write the ratios."""
    from benchmarks.cases.uses import all_uses

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="uses whose name contains this")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin nothing after these")
    parser.add_argument("--output", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    here, other = ROOT.parent, options.other.resolve()
    workers = {"here": Worker(here), "other": Worker(other)}
    began, found = time.perf_counter(), {}
    for use in all_uses():
        if any(size in use.name for size in SKIP) or (options.only or "") not in use.name:
            continue
        for kind in ("list", "interval"):
            if getattr(use, "grid" if kind == "list" else "interval") is None:
                continue
            if time.perf_counter() - began > options.seconds:
                break
            seconds: dict[str, list[float]] = {"here": [], "other": []}
            scores: dict[str, Any] = {}
            for turn in range(options.rounds + 1):
                for label, worker in workers.items():
                    took, scores[label] = worker.fit(use.name, kind)
                    if turn and took is not None:  # the first is warm-up
                        seconds[label].append(took)
                if seconds["here"] and sum(seconds["here"]) > LONG:
                    break
            if not all(seconds.values()):
                print(f"{use.name}, {kind}: {scores}", flush=True)
                continue
            ratio = median(a / b for a, b in zip(seconds["here"], seconds["other"], strict=True))
            same = scores["here"] == scores["other"]
            found[f"{use.name}, {kind}"] = {"ratio": ratio, "scores": scores, **seconds}
            told = "" if same else f"  {scores['here']!r} for {scores['other']!r}"
            print(f"{ratio:5.2f}  {use.name}, {kind}{told}", flush=True)
    for worker in workers.values():
        worker.pipe.send(None)
    ratios = sorted(one["ratio"] for one in found.values())
    if not ratios:
        return
    print(f"median {median(ratios):.3f}, largest {ratios[-1]:.2f}, of {len(ratios)}")
    body = {"other": commit(other / "skbamm"), "here": commit(here / "skbamm"), "searches": found}
    write("before_after", body, threads=1, output=options.output)


if __name__ == "__main__":
    main()
