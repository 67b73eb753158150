"""Time whole searches, refit and true scores included, and compare the scores they reach.

``python -m benchmarks.speed searches`` runs all cases, ``... logistic wine`` some of them; one JSON
file a case. ``--reference`` first fits the logistic case's grid with the estimator's tol at 1e-10
(slow, done once), against which the list's scores are then compared.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV

from benchmarks.cases.searches import CASES, CV, N_VALUES, Case, logistic_path
from benchmarks.lib.harness import (
    RESULTS,
    Rival,
    equal_threads,
    in_turns,
    parser,
    provenance,
    ratio,
    verdict,
    write,
)
from skbamm import BAMMSearchCV

REFERENCE_TOL = 1e-10


def read_search(case: Case, search: Any) -> dict[str, Any]:
    """What a fitted GridSearchCV or BAMMSearchCV found."""
    return {
        "best_score": search.best_score_,
        "best_value": search.best_params_[case.param],
        "mean_test_score": search.cv_results_["mean_test_score"],
        "iterations": getattr(search, "n_iter_", None),
        "converged": getattr(search, "converged_", None),
        "device": str(getattr(search, "device_", "cpu")),
    }


def read_path(model: LogisticRegressionCV) -> dict[str, Any]:
    """What a fitted LogisticRegressionCV found."""
    return {"best_score": model.scores_.mean(axis=0).max(), "best_value": model.C_}


def rivals(case: Case) -> list[Rival]:
    """The grid, the path where there is one, and ours over the interval and over the list."""
    read = partial(read_search, case)

    def grid(n_jobs: int | None) -> Any:
        return GridSearchCV(case.estimator, case.grid, scoring=case.scoring, cv=CV, n_jobs=n_jobs)

    def path(n_jobs: int | None) -> Any:
        return logistic_path(case.estimator, N_VALUES, cv=CV, scoring=case.scoring, n_jobs=n_jobs)

    def ours(space: dict[str, Any], n_jobs: int | None) -> Any:
        return BAMMSearchCV(case.estimator, space, scoring=case.scoring, cv=CV, n_jobs=n_jobs)

    found = [Rival("GridSearchCV", grid, read, parallel=True)]
    # Its Cs=20 are the case's values only where the case's interval is its own, 1e-4 to 1e4.
    own_interval = (case.low, case.high) == (1e-4, 1e4)
    if isinstance(case.estimator, LogisticRegression) and own_interval:
        found.append(Rival("LogisticRegressionCV", path, read_path, parallel=True))
    found.append(Rival("interval", partial(ours, case.interval), read))
    found.append(Rival("list", partial(ours, case.grid), read))
    return found


def compare_scores(case: Case, record: dict[str, Any]) -> dict[str, Any]:
    """The interval's best score and the list's table against the grid's."""
    grid = record["GridSearchCV"]["outcome"]
    gap = grid["best_score"] - record["interval"]["outcome"]["best_score"]
    if case.relative:
        gap /= abs(grid["best_score"])
    table = record["list"]["outcome"]["mean_test_score"]
    return {
        "interval_worse_by": {
            "value": float(gap),
            "relative": case.relative,
            "bar": case.worse_by,
            "passes": bool(gap <= case.worse_by),
        },
        "list_largest_difference": float(abs(table - grid["mean_test_score"]).max()),
    }


def reference_table(name: str, folder: Path, shape: tuple[int, int]) -> list[float] | None:
    """The grid's mean scores at tol 1e-10, where they have been measured on as many rows."""
    path = folder / f"{name}_reference.json"
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    return found["mean_test_score"] if found["shape"] == list(shape) else None


def measure_reference(name: str, case: Case, options: Any) -> None:
    """Fit the grid with the estimator's tol at 1e-10 and keep its table."""
    X, y = case.data(options.scale)
    tight = clone(case.estimator).set_params(tol=REFERENCE_TOL, max_iter=100_000)
    n_jobs = options.threads if options.threads > 1 else None
    search = GridSearchCV(tight, case.grid, scoring=case.scoring, cv=CV, n_jobs=n_jobs, refit=False)
    with equal_threads(options.threads, n_jobs):
        search.fit(X, y)
    body = {
        "tol": REFERENCE_TOL,
        "shape": X.shape,
        "mean_test_score": search.cv_results_["mean_test_score"],
    }
    write(f"{name}_reference", body, threads=options.threads, output=options.output)


def compare_with_reference(record: dict[str, Any], reference: list[float]) -> dict[str, Any]:
    """The list's table, and its choice, against the grid at tol 1e-10."""
    table = record["list"]["outcome"]["mean_test_score"]
    difference = float(abs(table - reference).max())
    regret = max(reference) - reference[int(table.argmax())]
    return {
        "tol": REFERENCE_TOL,
        "largest_difference": difference,
        "choice_worse_by": regret,
        "bar": 1e-6,
        "passes": bool(difference <= 1e-6 and regret <= 1e-6),
    }


def run(name: str, case: Case, options: Any) -> bool:
    """Measure, print and write one case; return whether all its bars are met."""
    print(f"{case.title}: {case.param} by {case.scoring}, {options.threads} threads", flush=True)
    keep = options.scale == 1 or options.output  # a trial's figures don't go to results/
    if options.reference and keep and name == "logistic":
        measure_reference(name, case, options)
    X, y = case.data(options.scale)
    record = in_turns(rivals(case), X, y, rounds=options.rounds, threads=options.threads)

    ratios = {}
    for ours in ("interval", "list"):
        for other in record:
            if other not in ("interval", "list"):
                times = ratio(
                    record[other]["seconds"],
                    record[ours]["seconds"],
                    case.bars.get((ours, other)),
                )
                ratios[f"{ours} vs {other}"] = times
                said = f", {verdict(times['passes'], times['bar'])}" if "bar" in times else ""
                print(
                    f"  {ours} {times['median']:.2f} times as fast as {other} "
                    f"(worst round {times['worst']:.2f}){said}"
                )
    scores = compare_scores(case, record)
    reference = reference_table(name, options.output or RESULTS, X.shape)
    if reference is not None:
        scores["list_vs_reference"] = compare_with_reference(record, reference)
    for label, found in scores.items():
        print(f"  {label}: {found}")

    body = {
        "title": case.title,
        "param": case.param,
        "scoring": case.scoring,
        "interval": [case.low, case.high],
        "n_values": N_VALUES,
        "shape": X.shape,
        "rounds": options.rounds,
        "searches": record,
        "ratios": ratios,
        "scores": scores,
    }
    if keep:
        write(name, body, threads=options.threads, output=options.output)
    checks = [*ratios.values(), *(s for s in scores.values() if isinstance(s, dict))]
    return all(check.get("passes", True) for check in checks)


def main() -> int:
    options = parser(__doc__)
    options.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    options.add_argument("--scale", type=float, default=1.0, help="fraction of the rows (a trial)")
    options.add_argument("--reference", action="store_true", help="measure the tol 1e-10 table too")
    chosen = options.parse_args()
    if unknown := set(chosen.cases) - set(CASES):
        options.error(f"no such case: {', '.join(sorted(unknown))}")
    print(f"on {provenance(chosen.threads)['cpu']}")
    met = [run(name, CASES[name], chosen) for name in chosen.cases or CASES]
    return 0 if all(met) else 1
