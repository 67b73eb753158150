"""The tables of penalties for each group or feature."""

from typing import Any

from benchmarks.lib.tables import footnote, load, seconds, table

PENALTY_ROWS = {
    "groups": "`PerGroup`",
    "features": "`PerFeature`",
    "interval": "`BAMMSearchCV`, one value",
    "GroupRidgeCV": "himalaya's `GroupRidgeCV`",
    "LogisticRegressionCV": "`LogisticRegressionCV`",
    "LogisticRegressionCV, L1": "`LogisticRegressionCV`, L1",
    "RidgeCV": "`RidgeCV`",
    "LassoCV": "`LassoCV`",
    "ElasticNetCV": "`ElasticNetCV`",
    "oracle": "oracle: the true penalties",
}


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.3f}"


def _penalty_rows(scores: dict[str, list[float]], gaps: list[dict[str, Any]]) -> list[list[str]]:
    """A row a method: its mean score, and the differences of ours to it."""
    ours = [name for name in ("groups", "features") if name in scores]
    rows = []
    for method, title in PENALTY_ROWS.items():
        if method not in scores:
            continue
        row = [title, _mean(scores[method])]
        for name in ("groups", "features"):
            found = [g for g in gaps if (g["ours"], g["other"]) == (name, method)]
            row.append(_gap(found[0]) if name in ours and found else "")
        rows.append(row)
    return rows


def _gap(gap: dict[str, Any]) -> str:
    low, high = gap["interval"]
    return f"{gap['mean']:+.3f} [{low:+.3f}, {high:+.3f}]"


def penalties() -> str:
    """R2 of penalties of groups and features where the truth is known."""
    designs = ("blocks_300", "blocks_400", "sparse_300", "sparse_400", "noise", "dense")
    results = load([f"penalties_{name}" for name in designs])
    if not results:
        return ""
    parts = []
    for result in results:
        n, p = result["shape"]
        title = f"{result['kind']}, {n} x {p}, {result['seeds']} seeds"
        head = [title, "R2", "`PerGroup` - it", "`PerFeature` - it"]
        parts.append(table(head, _penalty_rows(result["scores"], result["differences"]), 1))
    extra = "R2 of 5,000 fresh rows; differences of the same seeds with 95 % intervals. "
    return "\n\n".join(parts) + footnote(results, "penalties.known", extra)


def penalties_real() -> str:
    """Scores of penalties of blocks and features on real data."""
    names = ("ames", "bikes", "tate", "permeability", "credit", "golub", "khan")
    results = load([f"penalties_real_{name}" for name in names])
    if not results:
        return ""
    parts = []
    for result in results:
        for measure, scores in result["scores"].items():
            gaps = [gap for gap in result["differences"] if gap["measure"] == measure]
            title = f"{result['title']}; {result['n_train']} rows, {result['splits']} splits"
            word = measure if measure != "log loss" else "- log loss"
            head = [title, word, "`PerGroup` - it", "`PerFeature` - it"]
            parts.append(table(head, _penalty_rows(scores, gaps), 1))
    extra = (
        "Means on the test rows of random splits; paired differences with 95 % intervals that "
        "take the splits as independent; higher is better. "
    )
    return "\n\n".join(parts) + footnote(results, "penalties.real", extra)


def penalties_optuna() -> str:
    """Ten penalties, beside Optuna."""
    results = load(["penalties_optuna"])
    if not results:
        return ""
    titles = {
        "ours": "`PerGroup`",
        "no shrinkage": "`PerGroup(shrinkage=False)`",
        "Optuna": "`OptunaSearchCV`, ten times the seconds of the first",
    }
    runs = results[0]["runs"]
    rows = []
    for name, title in titles.items():
        means = {key: sum(r[name][key] for r in runs) / len(runs) for key in ("cv", "test")}
        taken = sum(run[name]["seconds"] for run in runs) / len(runs)
        rows.append([title, seconds(taken), f"{means['cv']:.4f}", f"{means['test']:.4f}"])
    n, p = results[0]["shape"]
    head = [f"blocks, {n} x {p}, 10 penalties", "seconds", "CV R2", "R2 of 5,000 fresh rows"]
    extra = f"Means of {len(runs)} seeds, on a machine with other work. "
    return table(head, rows, 1) + footnote(results, "penalties.optuna", extra)


def penalties_large() -> str:
    """Seconds and memory of ten thousand penalties."""
    results = load(["penalties_large"])
    if not results:
        return ""
    (result,) = results
    titles = {"one": "one value for all", "features": "`PerFeature`"}
    rows = [
        [
            titles[name],
            seconds(one["seconds"]),
            str(one["iterations"]),
            f"{one['peak_gib'] - one['data_gib']:.1f} GiB",
            f"{one['cv_r2']:.3f}",
            f"{one['test_r2']:.3f}",
        ]
        for name, one in result["searches"].items()
    ]
    size = f"ridge, {result['rows']:,} x {result['features']:,}, single precision"
    head = [size, "seconds", "iterations", "memory beside the data", "CV R2", "R2 of fresh rows"]
    extra = f"{result['ratio']:.1f} times the seconds of one value. "
    return table(head, rows, 1) + footnote(results, "penalties.large", extra)
