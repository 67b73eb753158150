"""The tables of wrong labels."""

from typing import Any

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
