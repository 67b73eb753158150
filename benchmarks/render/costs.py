"""The tables of memory, of the import, and of one iteration."""

from benchmarks.lib.tables import footnote, load, seconds, table
from benchmarks.render.searches import NAMES


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
    return table(head, rows, 2) + footnote(results, "speed memory", extra)


def import_time() -> str:
    results = load(["import_time"])
    if not results:
        return ""
    rows = [[f"`{name}`", seconds(s)] for name, s in results[0]["median_seconds"].items()]
    return table(["import", "seconds"], rows, 1) + footnote(results, "speed import_time")


def iteration_cost() -> str:
    results = load(["iteration_cost"])
    if not results:
        return ""
    rows = [
        [f"`{entry['schedule']}`", f"{entry['median']:.1f}x"] for entry in results[0]["schedules"]
    ]
    head = ["schedule", "one iteration, beside one gradient of F and one of f"]
    extra = f"{results[0]['entries']:,} entries in y. "
    return table(head, rows, 1) + footnote(results, "speed iteration", extra)
