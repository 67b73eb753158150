"""The tables of whole searches beside grids and path solvers."""

from collections.abc import Iterable

from benchmarks.lib.tables import footnote, load, seconds, table

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
    return table(head, rows, 2) + footnote(results, "speed searches", extra)


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
                f"`{pair['estimator']}`: {ends}",
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
    return table(head, rows, 3) + footnote(results, "everyday.estimators", extra)


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
    return table(head, rows, 2) + footnote(results, "speed kernel_ridge", extra)


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
    return table(head, rows, 2) + footnote(results, "speed lasso_path", extra)
