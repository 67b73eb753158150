"""Write the tables in README.md from benchmarks/results/*.json.

A table goes between ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark -->``. With ``--check``
nothing is written: the exit status says whether README.md is what would be written.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cases import LARGE, SMALL
from harness import RESULTS

README = Path(__file__).parent.parent / "README.md"
MARKED = re.compile(r"(<!-- benchmark:(\w+) -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
NAMES = {
    "GridSearchCV": "`GridSearchCV`, 20 values",
    "LogisticRegressionCV": "`LogisticRegressionCV(Cs=20)`",
    "interval": "`BAMMSearchCV`, the interval",
    "list": "`BAMMSearchCV`, the same 20 values",
}


def load(names: Iterable[str]) -> list[dict[str, Any]]:
    """Those of the named results that have been measured."""
    paths = [RESULTS / f"{name}.json" for name in names]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def table(head: list[str], rows: list[list[str]], numbers_from: int) -> str:
    """A Markdown table whose columns from `numbers_from` on are aligned right."""
    rule = ["---" if i < numbers_from else "---:" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def footnote(results: list[dict[str, Any]], script: str, extra: str = "") -> str:
    """When, on what and by which script; one line for each different machine or version."""
    lines = []
    for result in results:
        origin = result["provenance"]
        versions = origin["versions"]
        date = origin["date"].split()[0]
        line = (
            f"{date}, {origin['cpu']}, {origin['threads']} threads for every rival, "
            f"scikit-learn {versions['scikit-learn']}, torch {versions['torch']}, "
            f"skbamm {versions['skbamm']}."
        )
        if line not in lines:
            lines.append(line)
    return f"\n\n<sub>{extra}{' '.join(lines)} `python benchmarks/{script}`</sub>"


def seconds(value: float) -> str:
    return f"{value:.3g} s"


def speed(names: Iterable[str]) -> str:
    """Seconds, ratio to the grid and score of every search in the cases."""
    results = load(names)
    if not results:
        return ""
    rows = []
    for result in results:
        for search, entry in result["searches"].items():
            times = result["ratios"].get(f"{search} vs GridSearchCV")
            rows.append(
                [
                    f"{result['title']} ({result['scoring']})",
                    NAMES[search],
                    seconds(entry["median_seconds"]),
                    f"{times['median']:.1f}x" if times else "",
                    f"{entry['outcome']['best_score']:.5g}",
                ]
            )
    # A case is named once, on its first row.
    for row, above in reversed(list(zip(rows[1:], rows, strict=False))):
        if row[0] == above[0]:
            row[0] = ""
    head = ["data", "search", "seconds", "times as fast as the grid", "CV score"]
    rounds = min(result["rounds"] for result in results)
    extra = (
        f"Medians of {rounds} rounds in turns, refit included; 5 folds; higher scores are better. "
    )
    return table(head, rows, 2) + footnote(results, "end_to_end.py", extra)


def accuracy() -> str:
    results = load(["accuracy"])
    if not results:
        return ""
    rows = []
    for case in results[0]["cases"]:
        low, high = case["interval"]
        rows.append(
            [
                case["title"],
                f"{sum(case['grid']) / len(case['grid']):.4f}",
                f"{sum(case['ours']) / len(case['ours']):.4f}",
                f"{case['difference']:+.4f} [{low:+.4f}, {high:+.4f}]",
            ]
        )
    head = ["data", "`GridSearchCV`", "`BAMMSearchCV`", "difference [95 % interval]"]
    extra = f"Accuracy on held-out rows, {results[0]['splits']} outer splits. "
    return table(head, rows, 1) + footnote(results, "accuracy.py", extra)


def memory() -> str:
    results = load(["memory"])
    if not results:
        return ""
    rows = [
        [NAMES[entry["search"]], entry["dtype"], f"{entry['median']:.2f}"]
        for entry in results[0]["searches"]
    ]
    head = ["search", "X", "peak beyond X, in float32 copies of X"]
    extra = f"{results[0]['title']}, each search in one fresh process. "
    return table(head, rows, 2) + footnote(results, "memory.py", extra)


def import_time() -> str:
    results = load(["import_time"])
    if not results:
        return ""
    rows = [[f"`{name}`", seconds(s)] for name, s in results[0]["median_seconds"].items()]
    return table(["import", "seconds"], rows, 1) + footnote(results, "import_time.py")


def iteration_cost() -> str:
    results = load(["iteration_cost"])
    if not results:
        return ""
    rows = [
        [f"`{entry['schedule']}`", f"{entry['median']:.1f}x"] for entry in results[0]["schedules"]
    ]
    head = ["schedule", "one iteration, beside one gradient of F and one of f"]
    extra = f"{results[0]['entries']:,} entries in y. "
    return table(head, rows, 1) + footnote(results, "iteration_cost.py", extra)


TABLES: dict[str, Callable[[], str]] = {
    "speed": lambda: speed(LARGE),
    "small": lambda: speed(SMALL),
    "accuracy": accuracy,
    "memory": memory,
    "import_time": import_time,
    "iteration_cost": iteration_cost,
}


def fill(match: re.Match[str]) -> str:
    text = TABLES[match[2]]() or "*Not measured yet.*"
    return f"{match[1]}{text}\n{match[3]}"


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="only say whether it is up to date")
    before = README.read_text()
    after = MARKED.sub(fill, before)
    if options.parse_args().check:
        print("README.md is " + ("up to date" if after == before else "out of date"))
        return int(after != before)
    README.write_text(after)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
