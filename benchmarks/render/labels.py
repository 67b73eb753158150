"""The tables of wrong labels."""

from typing import Any

import numpy as np

from benchmarks.lib.harness import parts
from benchmarks.lib.paired import paired_interval
from benchmarks.lib.tables import footnote, load, seconds, table

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
    return "\n\n".join(parts) + footnote(results, "labels.flipped", extra)


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
    return table(head, rows, 1) + footnote(results, "labels.large", extra)


CLEANLAB = ("cleanlab_1", "cleanlab_cv", "cleanlab_again")
CONFIDENT = ("confident_class", "confident_both", "confident_joint")
FILTERS = ("pruning", "aum", "consensus", "majority")
# Sets whose largest class has one and a half times the rows of the smallest: balanced accuracy.
UNEVEN = ("spambase", "breast_cancer", "magic", "satimage", "reuters", "news, four")


def label_cells() -> str:
    """A row for each set, and one for each noise, of sets and noises not built for."""
    results = parts("label_cells")
    cells = [
        {"set": name, "noise": key.rsplit(", ", 1)[0], "seed": key.rsplit(", ", 1)[1], **found}
        for name, part in results.items()
        for key, found in part["cells"].items()
        if "ours" in found and "oracle" in found
    ]
    if not cells:
        return ""
    tables = []
    for what in ("set", "noise"):
        groups = {name: [c for c in cells if c[what] == name] for c in cells for name in [c[what]]}
        rows = [_cell_row(name, group) for name, group in groups.items()]
        rows.append(_cell_row("all", cells))
        head = [
            what, "no cleaning", "cleanlab", "other filters", "ours", "oracle",
            "ours - no cleaning", "ours - cleanlab", "F1", "F1 of cleanlab",
        ]  # fmt: skip
        tables.append(table(head, rows, 1))
    clean = [c["ours"]["flagged"] for c in cells if c["noise"] == "none"]
    noisy = [c for c in cells if c["noise"] != "none"]
    gain = sum(_score(c, ("ours",)) - _score(c, ("plain_cv",)) for c in noisy)
    room = sum(_score(c, ("oracle",)) - _score(c, ("plain_cv",)) for c in noisy)
    ranked = [c for c in noisy if "auroc" in c["pruning"]]  # it may leave no class
    behind = sum(c["ours"]["auroc"] < c["pruning"]["auroc"] for c in ranked)
    below = sum(_score(c, ("ours",)) < _score(c, ("plain_cv",)) - 0.01 for c in cells)
    seeds = len({c["seed"] for c in cells})
    extra = (
        f"{len(cells)} cells of a set, a noise and a seed; seeds: {seeds}. Accuracy on clean test "
        "rows, balanced where the largest class has one and a half times the rows of the smallest; "
        "of cleanlab and of other filters (out-of-fold pruning, area under the margin, consensus "
        "and majority of three classifiers) what was best in each cell, which nobody knows "
        "beforehand; 95 % intervals over the cells. "
        f"{gain / room:.0%} of the gap from no cleaning to the oracle is closed; "
        f"{below} cells are below no cleaning by more than .01; "
        f"{max(clean, default=0):.1%} of the rows are called wrong at most where none is; "
        f"label quality ranks worse than self-confidence in {behind} of {len(ranked)} cells. "
    )
    return "\n\n".join(tables) + footnote(list(results.values()), "labels.cells", extra)


def _score(cell: dict[str, Any], methods: tuple[str, ...]) -> float:
    """The best of these methods in a cell."""
    score = "balanced_accuracy" if cell["set"] in UNEVEN else "accuracy"
    return float(max(cell[m][score] for m in methods))


def _cell_row(name: str, cells: list[dict[str, Any]]) -> list[str]:
    def mean(*methods: str) -> float:
        return float(np.mean([_score(c, methods) for c in cells]))

    def gap(*methods: str) -> str:
        d = np.array([_score(c, ("ours",)) - _score(c, methods) for c in cells])
        low, high = paired_interval(d)
        return f"{d.mean():+.3f} [{low:+.3f}, {high:+.3f}]"

    def f1(*methods: str) -> str:
        noisy = [c for c in cells if c["noise"] != "none"]
        if not noisy:
            return ""
        return f"{np.mean([max(c[m].get('f1') or 0.0 for m in methods) for c in noisy]):.2f}"

    rival = (*CLEANLAB, *CONFIDENT)
    return [
        name, f"{mean('plain_cv'):.3f}", f"{mean(*rival):.3f}", f"{mean(*FILTERS):.3f}",
        f"{mean('ours'):.3f}", f"{mean('oracle'):.3f}", gap("plain_cv"), gap(*rival), f1("ours"),
        f1(*rival),
    ]  # fmt: skip
