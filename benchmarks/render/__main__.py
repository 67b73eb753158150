"""Write the tables in README.md, benchmarks/README.md and docs/ from benchmarks/results/*.json.

A table goes between ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark -->``, in pages for Sphinx
between ``.. benchmark:NAME`` and ``.. /benchmark``. With ``--check``
nothing is written: the exit status says whether the files are what would be written.
"""

import argparse
import re
from collections.abc import Callable

from benchmarks.cases.searches import LARGE, SMALL
from benchmarks.lib.harness import ROOT
from benchmarks.render.costs import import_time, iteration_cost, memory
from benchmarks.render.everyday import everyday, pipelines
from benchmarks.render.labels import label_cells, label_noise, label_noise_large
from benchmarks.render.penalties import penalties, penalties_large, penalties_optuna, penalties_real
from benchmarks.render.scores import accuracy, held_out, surrogates
from benchmarks.render.searches import estimators, kernel_ridge, lasso_path, speed
from benchmarks.render.shared_fits import shared_fits
from benchmarks.render.speed import gpu, growth, speed_cases, speed_profile
from benchmarks.render.svm import svm

DOCS = ROOT.parent / "docs"
PAGES = (
    ROOT.parent / "README.md",
    ROOT / "README.md",
    DOCS / "beside_a_grid.rst",
    DOCS / "shared_fits.rst",
    DOCS / "wrong_labels.rst",
)
MARKED = re.compile(r"(<!-- benchmark:(\w+) -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
MARKED_RST = re.compile(r"(\.\. benchmark:(\w+)\n\n).*?(\.\. /benchmark)", re.DOTALL)
TABLES: dict[str, Callable[[], str]] = {
    "everyday": everyday,
    "pipelines": pipelines,
    "shared_fits": shared_fits,
    "svm": svm,
    "speed": lambda: speed(LARGE),
    "small": lambda: speed(SMALL),
    "speed_cases": speed_cases,
    "growth": growth,
    "speed_profile": speed_profile,
    "gpu": gpu,
    "accuracy": accuracy,
    "held_out": held_out,
    "surrogates": surrogates,
    "memory": memory,
    "import_time": import_time,
    "iteration_cost": iteration_cost,
    "estimators": estimators,
    "kernel_ridge": kernel_ridge,
    "lasso_path": lasso_path,
    "penalties": penalties,
    "penalties_real": penalties_real,
    "penalties_optuna": penalties_optuna,
    "penalties_large": penalties_large,
    "label_noise": lambda: label_noise(["digits"]),
    "label_noise_large": label_noise_large,
    "label_cells": label_cells,
    "label_noise_more": lambda: label_noise(["pair", "binary", "imbalanced", "text"]),
}


def fill(match: re.Match[str]) -> str:
    text = TABLES[match[2]]() or "*Not measured yet.*"
    return f"{match[1]}{text}\n{match[3]}"


def fill_rst(match: re.Match[str]) -> str:
    text = as_rst(TABLES[match[2]]()) or "*Not measured yet.*"
    return f"{match[1]}{text}\n\n{match[3]}"


def as_rst(markdown: str) -> str:
    """The same tables and footnote for Sphinx."""
    parts: list[str] = []
    for line in markdown.replace("`", "``").splitlines():
        if not line.startswith("|"):
            parts.append(re.sub("</?sub>", "", line))
            continue
        # The first cell may be empty.
        inner = line.strip().removeprefix("|").removesuffix("|")
        cells = [cell.strip() for cell in inner.split(" | ")] if set(line) - set("|-: ") else []
        if cells and (not parts or not parts[-1].startswith("   ")):
            parts += [".. list-table::", "   :header-rows: 1", ""]
        marks = ["*", *"-" * (len(cells) - 1)]
        parts += [
            f"   {mark if mark == '*' else ' '} - {cell}".rstrip()
            for mark, cell in zip(marks, cells, strict=False)
        ]
    return "\n".join(parts).strip()


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check, stale = options.parse_args().check, False
    for page in PAGES:
        before = page.read_text()
        rst = page.suffix == ".rst"
        after = MARKED_RST.sub(fill_rst, before) if rst else MARKED.sub(fill, before)
        stale |= after != before
        if check:
            print(f"{page.name} is " + ("up to date" if after == before else "out of date"))
        else:
            page.write_text(after)
    return int(check and stale)


if __name__ == "__main__":
    raise SystemExit(main())
