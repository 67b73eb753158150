"""Tables of what is found, judged on rows that no search has seen."""

from benchmarks.lib.tables import footnote, load, table


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
    return table(head, rows, 1) + footnote(results, "scores.accuracy", extra)


def held_out() -> str:
    """The interval beside a list of nine values over it, a row for each scorer."""
    results = load(["held_out"])
    if not results:
        return ""
    rows = [
        [
            f"`{scoring}`",
            str(one["cases"]),
            f"{one['mean']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]",
            f"{one['worst']:+.4f}",
            f"{one['seconds']:.1f} s",
            f"{one['list_seconds']:.1f} s",
        ]
        for scoring, one in results[0]["table"].items()
    ]
    head = [
        "scoring", "data sets x draws", "difference on fresh rows [95 % interval]", "worst",
        "CPU seconds, interval", "list of nine",
    ]  # fmt: skip
    extra = (
        "Score of the interval's final model less that of the list's, of errors relative to the "
        "list's; positive is better. "
    )
    return table(head, rows, 1) + footnote(results, "scores.held_out", extra)


def surrogates() -> str:
    """What each loss chooses, beside what a list of nine chooses by the score itself."""
    results = load(["surrogates"])
    if not results:
        return ""
    found = results[0]["table"]
    labels = [name for name, ways in found.items() if "log loss" in ways]
    numbers = [name for name in found if name not in labels]
    parts = []
    for scorers in (labels, numbers):
        ways = list(dict.fromkeys(way for name in scorers for way in found[name]))
        rows = [
            [way, *(_difference(found[name].get(way)) for name in scorers)] for way in ways
        ]  # fmt: skip
        parts.append(table(["chosen by", *(f"`{name}`" for name in scorers)], rows, 1))
    extra = (
        "Mean difference on fresh rows to what nine values choose by the score itself, and the "
        "worst; errors in standard deviations of the target. "
    )
    return "\n\n".join(parts) + footnote(results, "scores.surrogates", extra)


def _difference(one: dict | None) -> str:
    return "" if one is None else f"{one['mean']:+.4f} ({one['worst']:+.3f})"
