"""The tables of what people write: every use, and pipelines beside several rivals."""

from benchmarks.lib.tables import footnote, load, seconds, table

_KINDS = {"list": ("grid", "list"), "interval": ("fine grid", "interval")}
_LEAST = 12  # uses of each kind that the table names


def everyday() -> str:
    """What all uses come to, and those that gain least."""
    results = load(["everyday"])
    if not results:
        return ""
    rows = []
    for kind, entry in results[0]["table"].items():
        worst, low, middle = entry["cpu"]
        bars = "/".join(f"{bar:g}" for bar in entry["bars"])
        rows.append(
            [
                f"{kind}s", str(entry["uses"]), f"{worst:.2f}x", f"{low:.2f}x", f"{middle:.1f}x",
                " / ".join(f"{ratio:.2f}x" for ratio in entry["wall"]),
                f"{entry['difference'][0]:+.4f} ({entry['difference'][1]:+.3f})",
                f"{bars}: {'met' if entry['met'] else 'missed'}",
            ]
        )  # fmt: skip
    head = [
        "", "uses", "worst", "tenth percentile", "median", "the same by the wall's clock",
        "score on fresh rows, mean (worst)", "bars",
    ]  # fmt: skip
    parts = [table(head, rows, 1)]
    for kind, (grid, ours) in _KINDS.items():
        known = [(one[kind], name) for name, one in results[0]["uses"].items() if kind in one]
        known.sort(key=lambda pair: pair[0]["cpu"])
        rows = []
        for one, name in known[:_LEAST]:
            took = results[0]["uses"][name]["searches"]
            gap = "no end" if "difference" not in one else f"{one['difference']:+.4f}"
            rows.append(
                [name, seconds(took[grid]["cpu"]), seconds(took[ours]["cpu"]),
                 f"{one['cpu']:.2f}x", gap]
            )  # fmt: skip
        head = [f"{kind}s, where least is gained", "grid", "ours", "ratio", "on fresh rows"]
        parts.append(table(head, rows, 1))
    extra = (
        "CPU seconds, medians in turns, refit included, a process for each use; 5 folds. An "
        "interval against 15 values from end to end, two against 5 x 4. Differences to the "
        "grid's final model, of errors relative. "
    )
    return "\n\n".join(parts) + footnote(results, "everyday.uses", extra)


def pipelines() -> str:
    """Whole pipelines, beside the grid with and without a cache, and a path of penalties."""
    results = load(["pipelines"])
    if not results:
        return ""
    rivals = list(results[0]["rivals"])
    rows = []
    for name, one in results[0]["pipelines"].items():
        took = one["searches"]
        for ours in ("interval", "list"):
            if ours not in took:
                continue
            times = [
                f"{took[rival]['cpu'] / took[ours]['cpu']:.1f}x" if rival in took else ""
                for rival in rivals
            ]
            again = rows and ours == "list" and rows[-1][0] == name
            grid = "" if again else seconds(took["grid"]["cpu"])
            rows.append(
                ["" if again else name, grid, ours, seconds(took[ours]["cpu"]), *times,
                 f"{one[ours]['difference']:+.4f}" if "difference" in one[ours] else ""]
            )  # fmt: skip
    named = [f"times as fast as {results[0]['rivals'][rival]}" for rival in rivals]
    head = ["pipeline", "grid of 20", "ours", "", *named, "on fresh rows"]
    extra = "CPU seconds of one thread, medians in turns, refit included; 5 folds. "
    return table(head, rows, 3) + footnote(results, "everyday.pipelines", extra)
