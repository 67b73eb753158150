"""What tables are made of: results, their Markdown, and the line that says where they are from."""

import json
from collections.abc import Iterable
from typing import Any

from benchmarks.lib.harness import RESULTS


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
    return f"\n\n<sub>{extra}{' '.join(lines)} `python -m benchmarks.{script}`</sub>"


def seconds(value: float) -> str:
    return f"{value:.3g} s"
