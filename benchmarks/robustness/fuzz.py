"""Thousands of small random searches, each compared with scikit-learn's own fits.

A case (cases/random_searches.py) is drawn from the seed and its number. It is flagged as

- untrue: ``best_score_`` is not what GridSearchCV gives for ``best_params_`` on the same folds;
- below: an interval's ``best_score_`` is below the best of nine own fits over it;
- list: the table of a list is not GridSearchCV's;
- nan: a score is NaN where GridSearchCV has none;
- runtime: a RuntimeWarning of ours, not of an own fit;
- error: an exception where GridSearchCV has none;
- hang: 20 CPU seconds, or 5 times the grid's and 1 more;
- slow: 1.5 times the grid's (of 15 values, or the same list), where that takes 0.2 s or more;
- changed: X, y, parameters of fit or the estimator are not what they were;
- refit: ``best_estimator_`` does not reach on its training rows what ``best_score_`` promises.

Own fits that warn (no convergence, ill-conditioned systems) are no reference, nor are those that
disagree with a solver that reaches the minimum: such cases are counted separately, as "loose".
Lists of SGD, whose own fits are approximate, are checked for the other flags only.

A flagged case is printed with its number; ``--only`` with that number runs it alone.
"""

import argparse
import copy
import json
import signal
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import HuberRegressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from benchmarks.cases.random_searches import Case, draw
from benchmarks.lib.cpu_turns import Hang, limited
from benchmarks.lib.harness import write_part
from skbamm import BAMMSearchCV, SampleWeights

LIMIT = 20.0  # CPU seconds of a search
FLAGS = (
    "untrue", "below", "list", "nan", "runtime", "error", "hang", "slow", "changed", "refit"
)  # fmt: skip
_LOOSE = ("converge", "ill-conditioned", "ill conditioned", "singular", "precision", "early")


def fitted(search: Any, case: Case, limit: float) -> tuple[Any, list, float, BaseException | None]:
    """Return the search, its warnings, its CPU seconds and its exception, if any."""
    error, began = None, time.process_time()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with limited(limit):
                search.fit(case.X, case.y, **case.params)
        except (Exception, Hang) as raised:
            error = raised
    return search, told, time.process_time() - began, error


def loose(told: list) -> bool:
    """Whether own fits say that they are not at their minimum."""
    return any(
        issubclass(one.category, ConvergenceWarning)
        or any(word in str(one.message).lower() for word in _LOOSE)
        for one in told
    )


class RestartedHuber(HuberRegressor):
    """Own fits of HuberRegressor stop where L-BFGS is slow; from there it goes on."""

    def fit(self, X, y, sample_weight=None):
        self.warm_start = True
        for _ in range(5):
            super().fit(X, y, sample_weight)
        if self.scale_ < 1e-3 * np.std(y):  # the objective has no gradient there
            warnings.warn("The scale vanishes.", ConvergenceWarning, stacklevel=2)
        return self


def tight(case: Case) -> Case:
    """Return the case with a solver that goes to the minimum, where there is one."""
    case = copy.copy(case)
    case.estimator = clone(case.estimator)
    changed: dict[str, Any] = {}
    for name, value in {"": case.estimator, **case.estimator.get_params()}.items():
        if isinstance(value, str) and value in ("lbfgs", "newton-cg"):
            changed[name] = "newton-cholesky"
        elif type(value) is HuberRegressor:
            changed[name] = RestartedHuber(**value.get_params())
    if "" in changed:
        case.estimator = changed.pop("")
    case.estimator.set_params(**changed)
    return case


def own(case: Case, grid: dict, limit: float = 2.0, refit: bool = False) -> Any:
    """Return what ``fitted`` does, of own fits."""
    search = GridSearchCV(
        case.estimator, grid, scoring=case.scoring, cv=case.cv, refit=refit, error_score=np.nan
    )
    return fitted(search, case, limit)


def splits(results: dict) -> np.ndarray:
    """Return the scores of all candidates and splits."""
    names = [key for key in results if key.startswith("split") and key.endswith("_test_score")]
    return np.array([results[name] for name in names]).T


def near(a: Any, b: Any, case: Case, rel: float, rows: float) -> bool:
    """Whether two scores are alike: relatively, or within some rows where rows are counted."""
    a, b = np.asarray(a), np.asarray(b)
    if np.isnan(b).any():  # as where a deviance is asked of what is not positive
        a, b = np.where(np.isnan(b), 0.0, a), np.where(np.isnan(b), 0.0, b)
    gap = np.abs(a - b)
    size = np.maximum(np.maximum(np.abs(a), np.abs(b)), case.unit)
    return bool(np.all(gap <= (rows * case.step if case.step else rel * size + 1e-300)))


def check(case: Case) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the flags of a case, with what is wrong, and what else is to be counted."""
    flags: dict[str, str] = {}
    apart: dict[str, Any] = {}
    before = fingerprint(case)
    copies = copy.deepcopy(case)
    if isinstance(copies.X, torch.Tensor):
        copies.X = copies.X.numpy()
    if case.single:  # own fits in single precision are loose
        copies.X = copies.X.astype(np.float64)
    theirs, told, seconds, failed = own(copies, case.coarse)
    most = seconds * (15 / 9 if case.interval else 1)
    learned = {"sample_weights": SampleWeights()} if case.model.learns else {}
    ours = BAMMSearchCV(case.estimator, case.grid, scoring=case.scoring, cv=case.cv, **learned)
    ours, warned, took, error = fitted(ours, case, LIMIT)
    apart |= {"grid_seconds": most, "seconds": took}

    if fingerprint(case) != before:
        flags["changed"] = "the data or the estimator"
    if isinstance(error, Hang) and learned:  # weights take as long as that
        apart["slow weights"] = f"{took:.1f} s"
    elif isinstance(error, Hang) or (took > 5 * most + 1 and not learned):
        flags["hang"] = f"{took:.1f} s beside {most:.2f}"
    elif learned:
        pass
    elif failed is None and took > 1.5 * max(most, 0.2):
        flags["slow"] = f"{took:.2f} s beside {most:.2f}"
    if error is not None and not isinstance(error, Hang):
        if failed is None:  # a refit may be what fails
            failed = own(copies, case.coarse, refit=True)[3]
        if failed is None:
            frames = traceback.extract_tb(error.__traceback__)[-1]
            flags["error"] = f"{type(error).__name__}: {str(error)[:300]} ({frames.filename})"
        elif not isinstance(error, ValueError | TypeError) and type(error) is not type(failed):
            flags["error"] = f"{type(error).__name__}: {str(error)[:300]}"
        else:
            apart["slow grid" if isinstance(failed, Hang) else "both raise"] = True
    for one in warned:
        said = str(one.message)
        if issubclass(one.category, RuntimeWarning) and not issubclass(
            one.category, FitFailedWarning
        ):
            is_ours = "skbamm" in one.filename or "joint solve" in said
            place = flags if is_ours else apart
            place["runtime" if is_ours else "runtime of own fits"] = (
                f"{Path(one.filename).name}:{one.lineno}: {said[:300]}"
            )
    if error is not None or failed is not None:
        return flags, apart
    if case.model.learns:  # whose scores are of other models
        if not np.isfinite(ours.best_score_) and np.isfinite(splits(theirs.cv_results_)).all():
            flags["nan"] = f"best_score_ is {ours.best_score_}"
        return flags, apart

    table, mine = splits(theirs.cv_results_), splits(ours.cv_results_)
    unsure = loose(told)
    if np.isnan(mine).any() and not np.isnan(table).any():
        flags["nan"] = f"{np.isnan(mine).sum()} of {mine.size}"
    flags |= compared(case, copies, theirs, ours, table, mine)
    if not unsure and flags.keys() & {"list", "below", "untrue"}:
        closer = tight(copies)
        theirs, told, _, failed = own(closer, case.coarse)
        unsure = failed is not None or loose(told)
        if not unsure:
            again = compared(case, closer, theirs, ours, splits(theirs.cv_results_), mine)
            for name in {"list", "below", "untrue"} & flags.keys() - again.keys():
                apart[f"loose {name}"] = flags.pop(name)
    if unsure:
        for name in {"list", "below", "untrue"} & flags.keys():
            apart[f"loose {name}"] = flags.pop(name)
    if case.model.exact or not own_table(ours, theirs):
        flags |= refit(case, ours)
    return flags, apart


def compared(
    case: Case, copies: Case, theirs: Any, ours: Any, table: np.ndarray, mine: np.ndarray
) -> dict[str, str]:
    """Return the flags of what is not as own fits have it."""
    flags: dict[str, str] = {}
    if not case.model.exact or np.isnan(theirs.cv_results_["mean_test_score"]).all():
        return flags
    slack = case.model.slack * (1e3 if case.single else 1.0)
    rows = table_rows(case, table)
    if not case.interval and not near(mine, table, case, 1e-5 * slack, rows):
        gap = np.abs(mine - table) / np.maximum(np.abs(table), case.unit + 1e-300)
        worst = np.unravel_index(np.nanargmax(gap), mine.shape)
        flags["list"] = f"{list(map(int, worst))} {mine[worst]:.10g} for {table[worst]:.10g}"
    best, means = ours.best_score_, theirs.cv_results_["mean_test_score"]
    if case.interval:
        top, at = np.nanmax(means), theirs.cv_results_["params"][np.nanargmax(means)]
        size = max(abs(top), abs(best), case.unit)
        if best < top - (2 * case.step if case.step else max(1e-3, case.jump) * size):
            flags["below"] = f"{best:.8g} at {ours.best_params_} where {at} has {top:.8g}"
    if case.interval and not np.isnan(best):
        one, told, _, failed = own(copies, {k: [v] for k, v in ours.best_params_.items()})
        if failed is None and not loose(told):
            true, row = one.cv_results_["mean_test_score"][0], splits(one.cv_results_)
            if not near(best, true, case, 1e-6 * slack, table_rows(case, row)):
                flags["untrue"] = f"{best:.10g} for {true:.10g} at {ours.best_params_}"
    return flags


def fingerprint(case: Case) -> str:
    """Return a hash of all that a search is given."""
    X = case.X
    if sp.issparse(X):  # without what SciPy keeps of it
        X = [X.data, X.indices, X.indptr]
    return joblib.hash([X, case.y, case.params, case.estimator.get_params()])


def table_rows(case: Case, table: np.ndarray) -> float:
    """Return how many of all rows' steps one row of a fold is, about."""
    return 1.01 * table.shape[1]


def own_table(ours: Any, theirs: Any) -> bool:
    """Whether a list was scored by own fits, however bad."""
    mine, table = (one.cv_results_["mean_test_score"] for one in (ours, theirs))
    return len(mine) == len(table) and bool(np.allclose(mine, table, rtol=1e-6, equal_nan=True))


def refit(case: Case, search: Any) -> dict[str, str]:
    """Return what is wrong with the refit."""
    if np.isnan(search.best_score_):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = search.best_estimator_.predict(case.X)
        score = check_scoring(search.best_estimator_, case.scoring)
        try:
            got = score(search.best_estimator_, case.X, case.y)
        except ValueError:  # a deviance of what is not positive
            return {}
        if np.asarray(predicted).dtype.kind == "f" and not np.isfinite(predicted).all():
            return {"refit": "predictions are not finite"}
        best = search.best_score_
        if got < best - max(0.5 * abs(best), 0.2 * case.unit, 5 * case.step):
            fresh = clone(search.best_estimator_).fit(case.X, case.y, **fit_params(case))
            again = score(fresh, case.X, case.y)
            if case.model.exact and near(again, got, case, 1e-3, 2 * len(predicted)):
                return {}  # no fault of the refit: own fits of the folds score the same
            told = f"{got:.6g} on the training rows, best_score_ {best:.6g}, "
            return {"refit": told + f"a fresh fit {again:.6g}"}
    return {}


def fit_params(case: Case) -> dict[str, Any]:
    return {name: value for name, value in case.params.items() if name != "groups"}


def main() -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--cases", type=int, default=2000, help="how many")
    options.add_argument("--first", type=int, default=0, help="number of the first")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--newer", action="store_true", help="newer models and formats")
    options.add_argument("--only", type=int, nargs="*", help="numbers of cases, told in full")
    options.add_argument("--seconds", type=float, default=np.inf, help="end after so many")
    options.add_argument("--output", type=Path, help="where the JSON goes")
    given = options.parse_args()
    torch.set_num_threads(1)
    began = last = time.perf_counter()
    numbers = given.only or range(given.first, given.first + given.cases)
    ended: list[int] = []  # what is counted so far is told, not lost
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    counts: Counter = Counter()
    of_models: Counter = Counter()
    found = []
    with threadpool_limits(1):
        for index in numbers:
            if ended or time.perf_counter() - began > given.seconds:
                break
            case = draw(given.seed, index, given.newer)
            if given.only:
                print(case.words, flush=True)
            try:
                flags, apart = check(case)
            except Exception:
                flags, apart = {"error": traceback.format_exc()}, {}
            counts["cases"] += 1
            counts["interval" if case.interval else "list"] += 1
            of_models[case.words.split(",")[0]] += 1
            counts.update(f"flag: {name}" for name in flags)
            counts.update(f"apart: {n}" for n in apart if not n.endswith("seconds"))
            counts["grid seconds"] += apart.get("grid_seconds", 0.0)
            counts["our seconds"] += apart.get("seconds", 0.0)
            wall = time.perf_counter() - last
            last += wall
            if wall > 15:
                print(f"... {index} took {wall:.0f} s: {case.words[:200]}", flush=True)
            if flags or given.only:
                print(f"--only {index}: {flags} {apart}\n    {case.words}", flush=True)
            if flags:
                found.append({"index": index, "flags": flags, "case": case.words})
            elif counts["cases"] % 20 == 0:
                print(f"... {index}, {time.perf_counter() - began:.0f} s", flush=True)
    for name, count in counts.items():
        print(f"{name:24s} {count:.6g}")
    print(json.dumps(of_models))
    if not given.only:
        body = {"counts": counts, "models": of_models, "flagged": found}
        part = f"seed {given.seed}, from {given.first}" + ", newer" * given.newer
        write_part("fuzz", part, body, threads=1, output=given.output)
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
