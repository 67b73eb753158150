"""The table of support vector machines."""

from benchmarks.lib.tables import footnote, load, seconds, table


def svm() -> str:
    """Intervals and lists of C and gamma beside a grid of 10 x 10."""
    results = load(["svm"])
    if not results:
        return ""
    rows, apart = [], 0.0
    for name, one in results[0]["cases"].items():
        found, lists = one["intervals"], one["list"]
        fresh, interval = found["fresh"]["mean"], found["fresh"]["interval"]
        sure = f" [{interval[0]:+.4f}, {interval[1]:+.4f}]" if interval else ""
        apart = max([apart, *(each["apart"] for each in (lists or {}).values())])
        rows.append(
            [
                name, seconds(found["grid_s"]), seconds(found["ours_s"]), f"{found['ratio']:.1f}x",
                f"{found['worst']:.1f}x", f"{found['cv']:+.4f}", f"{fresh:+.4f}{sure}",
                *(f"{lists[tol]['ratio']:.1f}x" if lists else "" for tol in ("default", "close")),
            ]
        )  # fmt: skip
    head = [
        "data", "grid", "intervals", "ratio", "least", "CV score", "fresh rows", "list",
        "list, tol 1e-6",
    ]  # fmt: skip
    extra = (
        "C and gamma: intervals, and 10 x 10 values, of 5 folds, refit included. CPU seconds of "
        "one thread, medians of splits into searched and fresh rows (of 4,000 rows one split), and "
        "the least ratio of all. Differences of scores are ours less the grid's, with the 95 % "
        f"interval of the mean. The lists' tables differ by {apart:.0e} at most. "
    )
    return table(head, rows, 1) + footnote(results, "everyday.svm", extra)
