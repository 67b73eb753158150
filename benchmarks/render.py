"""Write the tables in README.md, benchmarks/README.md and docs/ from benchmarks/results/*.json.

A table goes between ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark -->``, in pages for Sphinx
between ``.. benchmark:NAME`` and ``.. /benchmark``. With ``--check``
nothing is written: the exit status says whether the files are what would be written.
"""

import argparse
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cases import LARGE, SMALL
from render_everyday import everyday, pipelines
from render_penalties import penalties, penalties_large, penalties_optuna, penalties_real
from render_scores import held_out, surrogates
from render_speed import gpu, growth, speed_cases, speed_profile
from tables import footnote, load, seconds, table

HERE = Path(__file__).parent
PAGES = (HERE.parent / "README.md", HERE / "README.md", HERE.parent / "docs" / "beside_a_grid.rst")
MARKED = re.compile(r"(<!-- benchmark:(\w+) -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
MARKED_RST = re.compile(r"(\.\. benchmark:(\w+)\n\n).*?(\.\. /benchmark)", re.DOTALL)
NAMES = {
    "GridSearchCV": "`GridSearchCV`, 20 values",
    "LogisticRegressionCV": "`LogisticRegressionCV(Cs=20)`",
    "interval": "`BAMMSearchCV`, the interval",
    "list": "`BAMMSearchCV`, the same 20 values",
}


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


def estimators() -> str:
    """Times and scores of every kind of model, beside a grid's."""
    results = load(["estimators"])
    if not results:
        return ""
    rows = []
    for pair in results[0]["pairs"].values():
        ends = ", ".join(f"`{name}`" for name in pair["intervals"])
        if "difference" in pair:
            gap = pair["difference"]
            low, high = gap["interval"]
            score = f"{gap['mean']:+.4f} [{low:+.4f}, {high:+.4f}] on fresh rows"
        else:
            score = f"{pair['gained']:+.1e} of it"
        rows.append(
            [
                f"{pair['data']} {pair['shape'][0]:,} x {pair['shape'][1]:,}",
                f"{pair['estimator']} ({ends})",
                pair["scoring"],
                seconds(pair["turns"]["grid"]["median_seconds"]),
                seconds(pair["turns"]["ours"]["median_seconds"]),
                f"{pair['sooner']['median']:.1f}x",
                score,
            ]
        )
    head = [
        "data", "model", "scoring", "`GridSearchCV`", "`BAMMSearchCV`", "times as fast",
        "score, beside the grid's",
    ]  # fmt: skip
    extra = (
        "The interval against 20 values, 10 x 10 of two hyperparameters; scaled in a pipeline but "
        "for the texts; 5 folds, refit included; medians in turns. Of scorers with a gradient the "
        "CV scores are compared; of others the scores on fresh rows, ten outer splits, with the "
        "95 % interval of the mean difference. "
    )
    return table(head, rows, 3) + footnote(results, "estimators.py", extra)


def kernel_ridge() -> str:
    """Seconds and scores of both hyperparameters of kernel ridge regression."""
    results = load(["kernel_ridge"])
    if not results:
        return ""
    rows = []
    for case in results[0]["cases"]:
        for name, entry in case["searches"].items():
            ours = name != "GridSearchCV"
            rows.append(
                [
                    "" if ours else case["title"],
                    "`BAMMSearchCV`, the intervals" if ours else "`GridSearchCV`, 10 x 10 values",
                    seconds(entry["median_seconds"]),
                    f"{case['ratio']['median']:.1f}x" if ours else "",
                    f"{-entry['outcome']['best_score']:.5g}",
                ]
            )
    head = ["data", "search", "seconds", "times as fast as the grid", "CV squared error"]
    rounds = results[0]["rounds"]
    extra = f"{'One round' if rounds == 1 else f'Medians of {rounds} rounds'}, refit included. "
    return table(head, rows, 2) + footnote(results, "kernel_ridge.py", extra)


def lasso_path() -> str:
    """Seconds and CV errors of one L1 penalty, beside path solvers."""
    results = load(["lasso_path"])
    if not results:
        return ""
    names = {
        "LassoCV": "`LassoCV`, 100 values",
        "celer": "celer's path, 100 values",
        "ours": "`BAMMSearchCV`, the interval",
    }
    rows = []
    for data, entry in results[0]["data"].items():
        for who, title in names.items():
            turns = entry["turns"][who]
            rows.append(
                [
                    "",
                    title,
                    seconds(turns["median_seconds"]),
                    f"{turns['outcome']['mse']:.5g}",
                ]
            )
        rows[-3][0] = f"{data} {entry['shape'][0]:,} x {entry['shape'][1]:,}"
        rows.append(["", "`LassoCV` at `tol=1e-8`", "", f"{entry['error']['exact']:.5g}"])
    head = ["data", "search", "seconds", "CV squared error"]
    extra = (
        "Lasso at `tol=1e-4`; 5 folds and a fit on all rows; medians in turns. Of 38 rows the "
        "errors of path solvers at that `tol` are not those of the Lasso's solutions. "
    )
    return table(head, rows, 2) + footnote(results, "lasso_path.py", extra)


NOISE_ROWS = {
    "plain": "plain, C=1",
    "plain_cv": "plain, C by CV",
    "pruning": "pruning by out-of-fold predictions",
    "cleanlab_best": "cleanlab (best of three)",
    "trusted_only": "trusted rows only",
    "ours": "`SampleWeights()`",
    "oracle": "oracle: without the wrong rows",
}


def label_noise(names: list[str]) -> str:
    """Score on clean test rows and F1 of the wrong labels, a column a share of wrong labels."""
    known = [name for name in names if load([f"label_noise_{name}"])]
    results = [load([f"label_noise_{name}"])[0] for name in known]
    parts = []
    for result in results:
        for regime, rates in result["regimes"].items():
            summaries = [rate["summary"] for rate in rates.values()]
            rows = [
                [title, *(_noise_entry(s[method], result["scoring"]) for s in summaries)]
                for method, title in NOISE_ROWS.items()
                if method in summaries[0]
            ]
            rows.append(["ours - cleanlab's best", *(_noise_gap(s) for s in summaries)])
            head = [f"{result['title']}; {regime}", *(f"{float(r):.0%} wrong" for r in rates)]
            parts.append(table(head, rows, 1))
    if not parts:
        return ""
    extra = (
        f"Accuracy (balanced accuracy where classes are of different size) on clean test rows and, "
        f"in brackets, F1 of the labels called wrong; means of {results[0]['seeds']} splits, the "
        "difference with its 95 % interval; one thread. "
    )
    return "\n\n".join(parts) + footnote(results, "label_noise.py", extra)


def _noise_entry(entry: dict[str, Any], scoring: str) -> str:
    f1 = entry.get("f1")
    return f"{entry[scoring]:.3f}" + ("" if f1 is None else f" ({f1:.2f})")


def _noise_gap(summary: dict[str, Any]) -> str:
    gap = summary["cleanlab_best"]["difference"]
    low, high = gap["interval"]
    return f"{gap['mean']:+.3f} [{low:+.3f}, {high:+.3f}]"


def label_noise_large() -> str:
    """Seconds and detection on 60,000 rows."""
    results = load(["label_noise_large"])
    if not results or "large" not in results[0]:
        return ""
    rows = [
        [name, seconds(entry["seconds"]), f"{entry['accuracy']:.4f}", f"{entry['f1']:.3f}"]
        for name, entry in results[0]["large"].items()
    ]
    head = ["Fashion-MNIST, 60,000 x 784, 40 % wrong", "seconds", "test accuracy", "F1"]
    extra = (
        "One fit each, with the final model; ours learns C as well, cleanlab's C by CV is the best "
        "of 5 values. "
    )
    return table(head, rows, 1) + footnote(results, "label_noise_large.py", extra)


TABLES: dict[str, Callable[[], str]] = {
    "everyday": everyday,
    "pipelines": pipelines,
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
