"""The tables of large problems: rivals, profile, growth, and a GPU."""

from typing import Any

from benchmarks.lib.tables import footnote, load, seconds, table

SEARCHES = {
    "GridSearchCV": "`GridSearchCV`",
    "HalvingGridSearchCV": "`HalvingGridSearchCV`",
    "LogisticRegressionCV": "`LogisticRegressionCV(Cs=20)`",
    "RidgeCV": "`RidgeCV`, 20 values, leave-one-out",
    "RidgeCV(cv=5)": "`RidgeCV(cv=5)`, 20 values",
    "himalaya": "himalaya's `RidgeCV`, 20 values",
    "ElasticNetCV": "`ElasticNetCV`, 100 x 10 values",
    "celer": "celer's path, 100 values",
    "sparho": "sparho's `hoag_search`",
    "OptunaSearchCV": "`OptunaSearchCV`",
    "ours": "`BAMMSearchCV`, the interval",
    "ours, drawn together": "the same, drawn together",
}

_FAR = 1e-4  # of a score, from which on two are told


def _parts(name: str) -> dict[str, dict[str, Any]]:
    return load([name])[0]["parts"] if load([name]) else {}


def speed_cases() -> str:
    """Seconds, ratios, scores and bars of every search of every case."""
    results = sorted(_parts("speed").values(), key=lambda result: result["number"])
    if not results:
        return ""
    rows = []
    for result in results:
        searches = result["searches"]
        title = f"{result['number']}. {result['title']} ({result['scoring']})"
        if any(name.startswith("ours, ") for name in searches):
            searches["ours"]["title"] = "`BAMMSearchCV`, `shrinkage=False`"
        for name in [n for n in SEARCHES if n in searches]:
            entry = searches[name]
            told = entry.get("title", SEARCHES[name])
            if "given" in entry:
                trials = entry["outcome"]["trials"]
                told += f", {trials} trial{'s' * (trials != 1)}"
            ratio = result["ratios"].get(name)
            once = ", once" if len(entry["seconds"]) == 1 < result["rounds"] else ""
            rows.append(
                [
                    title,
                    told,
                    seconds(entry["median_seconds"]) + once,
                    f"{_times(ratio['median'])} ({_times(ratio['worst'])})" if ratio else "",
                    _score(entry),
                    _bar(ratio) if ratio else _reached(result) if name == "ours" else "",
                ]
            )
            title = ""
        for name, reason in result["skipped"].items():
            rows.append(["", f"{SEARCHES[name]}: {reason}", *[""] * 4])
    head = ["data", "search", "seconds", "ours times as fast (worst round)", "CV score", "bar"]
    extra = (
        "Medians in turns, refit included; 5 folds; grids of 20 values, of two hyperparameters 10 "
        "x 10. Scores are of the same 5 folds of all rows, whatever a search scores by; of lasso, "
        "elastic net and sparse text those of models at `tol=1e-8`, beside what the search's own "
        "models reached where that is another. Optuna had as many seconds as ours, ten "
        "times as many for the groups, and its refit on top. When a search was first as good as "
        "the grid is between what its history says, which begins with the search, and that with "
        "all of what came before and after. "
    )
    return table(head, rows, 2) + footnote(results, "speed specialists", extra)


def _score(entry: dict[str, Any]) -> str:
    """The score that counts, and what the search says where its models stopped far from it."""
    score, own = entry["score"], entry["outcome"].get("score", entry["score"])
    told = f"{score:.6g}"
    return told if abs(own - score) <= _FAR * abs(score) else f"{told} ({own:.6g})"


def _times(value: float) -> str:
    return f"{value:.0f}x" if value >= 10 else f"{value:.2g}x"


def _bar(ratio: dict[str, Any]) -> str:
    if "met" not in ratio:
        return ""
    said = []
    if "bar" in ratio:
        said.append(f"{_times(ratio['bar'])}: {'met' if ratio['passes'] else 'missed'}")
    if "bar" not in ratio or not ratio["as_good"]:
        said.append(f"score: {'met' if ratio['as_good'] else 'missed'}")
    return ", ".join(said)


def _reached(result: dict[str, Any]) -> str:
    reached = result["reached"]
    if reached is None:
        return ""
    return f"the grid's score after {reached['least']:.2g} to {seconds(reached['most'])}"


def speed_profile() -> str:
    """Where the time of our searches goes."""
    results = sorted(_parts("speed_profile").values(), key=lambda result: result["number"])
    if not results:
        return ""
    rows = []
    for result in results:
        parts = [f"{told} {seconds(spent)}" for told, spent in result["parts"].items()]
        passes = ""
        if result["passes"]:
            rate = result["multiplied"] / result["parts"].get("passes over X", float("inf")) / 1e9
            passes = f"{result['passes']} of {result['multiplied'] / 1e9:.3g} GFLOP"
            passes += f", {rate:.2g} a second" if rate else ""
        title = f"{result['number']}. {result['title']}"
        rows.append([title, seconds(result["total"]), ", ".join(parts), passes])
    head = ["data", "seconds", "of which", "passes over X"]
    extra = (
        "Medians of whole fits; each part without what it calls that is named, too, and none "
        "below 3 %. A GFLOP is a billion additions and multiplications. "
    )
    return table(head, rows, 1) + footnote(results, "speed profile", extra)


def growth() -> str:
    """How our time grows, and what an iteration costs."""
    parts = _parts("growth")
    rows = []

    def add(what: str, found: dict[str, Any], bar: float, value: str) -> None:
        rows.append([what, value, f"{bar:g}: {'met' if found['passes'] else 'missed'}"])

    def times(ratio: dict[str, Any]) -> str:
        return f"{ratio['median']:.2f}x ({ratio['worst']:.2f}x)"

    if "rows" in parts:
        found = parts["rows"]
        sizes = ", ".join(
            f"{size:,} rows {seconds(taken)}"
            for size, taken in zip(found["sizes"], found["median_seconds"], strict=True)
        )
        add(f"exponent in rows: {sizes}", found, found["bar"], f"{found['exponent']:.2f}")
    if "folds" in parts:
        found = parts["folds"]["ratio"]
        add("10 folds beside 5", found, found["bar"], times(found))
    if "iteration" in parts:
        found = parts["iteration"]
        for name, ratio in found["ratios"].items():
            what = f"an iteration beside its products with {found['columns']} columns, {name}"
            if name == found["judged"]:
                add(what, ratio, ratio["bar"], times(ratio))
            else:
                rows.append([what, times(ratio), ""])
    if "starts" in parts:
        found = parts["starts"]
        many = found["starts"]
        add(
            f"a search from {many} points beside one from 1", found["search"],
            found["search"]["bar"], times(found["search"]),
        )  # fmt: skip
        for where, ratio in found["iteration"].items():
            what = f"an iteration from {many} points beside one from 1, {where}"
            add(what, ratio, ratio["bar"], times(ratio))
    if not rows:
        return ""
    head = ["logistic regression, 200,000 x 100, if not said otherwise", "", "bar"]
    extra = "Medians, worst rounds in brackets. "
    return table(head, rows, 1) + footnote([*parts.values()], "speed growth", extra)


def gpu() -> str:
    """Searches on a GPU beside the grid on the cores of the same machine."""
    found = load(["gpu"])
    if not found:
        return ""
    (result,) = found
    rows = []
    for entry in result["large"].values():
        fit, grid = entry["fits"][-1], entry.get("grid")
        rows.append(
            [
                f"{entry['rows']:,} x {entry['features']}",
                seconds(entry["search"]),
                seconds(entry["way"]),
                seconds(entry["total"]),
                f"{fit['iterations']} of {1e3 * entry['iteration']:.3g} ms",
                f"{entry['bytes_a_second'] / 1e9:.0f} GB/s",
                seconds(grid["extrapolated"]) if grid else "",
                f"{entry['ratio_search']:.0f}x, {entry['ratio_total']:.0f}x" if grid else "",
            ]
        )
    head = [
        "logistic regression", "search", "X's way there", "all", "iterations",
        "X read twice at",
        "`GridSearchCV`", "search and all as fast",
    ]  # fmt: skip
    small = [
        f"{name} {' or '.join(seconds(fit['search']) for fit in both.values())}"
        for name, both in result["small"].items()
    ]
    extra = (
        f"On one {result['device']} beside {result['provenance']['cores']} cores; a copy on it "
        f"moves {result['copy_bytes_a_second'] / 1e9:.0f} GB/s, bytes read and written. The search "
        "phase ends with all folds' models solved to the estimator's `tol`, which are then "
        "adopted; all adds scores and refit, by scikit-learn on the CPU. The grid's 20 values are "
        f"extrapolated from {len(grid_values(result))} on those cores. "
        f"The search phase on the CPU or the GPU: {', '.join(small)}. "
    )
    return table(head, rows, 1) + footnote(found, "speed gpu", extra)


def grid_values(result: dict[str, Any]) -> list[float]:
    """The values that a grid was timed with."""
    grids = [entry["grid"] for entry in result["large"].values() if "grid" in entry]
    return grids[0]["values"] if grids else []
