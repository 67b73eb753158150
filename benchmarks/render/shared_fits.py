"""The table of lists that one fit a fold serves."""

from benchmarks.lib.tables import footnote, load, seconds, table

_TREES = ("forest", "trees", "boost")


def shared_fits() -> str:
    """Seconds of whole tables, beside the grid's, and what trees and stages promise."""
    results = load(["shared_fits"])
    if not results:
        return ""
    rows = []
    for name, one in results[0]["cases"].items():
        grid, ours = (one["searches"][kind]["cpu"] for kind in ("grid", "ours"))
        counted = one["bar"] > 1 and any(part in name for part in _TREES)
        rows.append(
            [
                name, f"{one['rows']:,}", str(one["candidates"]), seconds(grid), seconds(ours),
                f"{one['cpu']:.1f}x", f"{one['bar'] / 0.9:.2f}x" if counted else "",
                "equal" if one["apart"] == 0 else f"{one['apart']:.0e}",
            ]
        )  # fmt: skip
    head = ["model and data", "rows", "values", "grid", "ours", "ratio", "arithmetic", "scores"]
    extra = (
        "CPU seconds of one thread, medians in turns; 5 folds; the largest relative difference. "
    )
    return table(head, rows, 1) + footnote(results, "everyday.shared_fits", extra)
