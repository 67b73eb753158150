"""Whole fits of tensors that lie on a GPU, beside GridSearchCV on the cores and on the same GPU.

Six cases: two sizes of logistic regression, ridge regression, several classes, a StandardScaler
before the model, and weights of rows. X and y are drawn on the device, in single precision, and
stay there: search, scores and refit. Three figures have bars: a whole fit is a hundred times as
fast as the grid on the machine's cores; the memory of the device at its peak is at most 1.6 times
X, itself included; an iteration reads X at a quarter of the bandwidth of a copy (of the cases
whose iterations read it).

The grid has 20 values. On the cores it fits a few of them to some of the rows, and what all of
them would take on all rows is extrapolated, in proportion to both. On the GPU it runs under
scikit-learn's array API dispatch, on all rows; where it does not run, the reason is noted. All
this takes less than ten minutes: when ``--budget`` seconds are over, what is left is left out, and
named. ``--quick --device cpu`` is a trial of the script on a thousandth of the rows.
"""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # dispatch asks for it before SciPy's import

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.lib.harness import cores, equal_threads, parser, write
from benchmarks.speed.gpu import bandwidth, phases, synchronised
from skbamm import BAMMSearchCV

CV, VALUES = 5, 20
FEW_ROWS, FEW_VALUES = 100_000, 2  # of the grid on the cores
FASTER, COPIES, SHARE = 100.0, 1.6, 0.25  # the bars
QUICK, LEAST = 1000, 2000  # divides the rows of a trial, and how many there are at least


@dataclass(frozen=True)
class Case:
    """One search.

    Attributes
    ----------
    rows, features : int
    model : estimator
    name : str
        The parameter that is searched.
    low, high : float
    scoring : str
    classes : int
        0 for a number.
    weighted : bool
    own : estimator or None
        The model with a solver that scikit-learn dispatches, if it is another.
    """

    rows: int
    features: int
    model: Any
    name: str
    low: float
    high: float
    scoring: str
    classes: int = 2
    weighted: bool = False
    own: Any = None


LOGISTIC = LogisticRegression(max_iter=1000)
OVER_C = ("C", 1e-4, 1e4, "neg_log_loss")
CASES = {
    "logistic": Case(2_000_000, 200, LOGISTIC, *OVER_C),
    "ridge": Case(
        2_000_000, 200, Ridge(), "alpha", 1e-3, 1e5, "r2", classes=0, own=Ridge(solver="svd")
    ),
    "long": Case(20_000_000, 50, LOGISTIC, *OVER_C),
    "classes": Case(200_000, 200, LOGISTIC, *OVER_C, classes=10),
    "scaled": Case(
        1_000_000, 200, make_pipeline(StandardScaler(), LOGISTIC), "logisticregression__C",
        *OVER_C[1:],
    ),
    "weighted": Case(1_000_000, 200, LOGISTIC, *OVER_C, weighted=True),
}  # fmt: skip


def draw(case: Case, rows: int, device: str) -> tuple[Any, ...]:
    """Correlated features of several scales, a noisy target, and weights or None."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    X = normal(rows, case.features)
    X += 0.5 * X[:, [0]]
    outputs = max(1, case.classes if case.classes > 2 else 1)
    z = X @ normal(case.features, outputs) / case.features**0.5
    z += normal(rows, outputs)
    if case.classes == 0:
        y = z[:, 0]
    elif case.classes == 2:
        flip = torch.rand(rows, generator=generator, device=device) < 0.1
        y = ((z[:, 0] > 0) ^ flip).long()
    else:
        y = z.argmax(1)
    weight = torch.rand(rows, generator=generator, device=device) + 0.5
    return X, y, weight if case.weighted else None


def given(case: Case, weight: Any) -> dict[str, Any]:
    return {"sample_weight": weight} if case.weighted else {}


def ours(case: Case, data: tuple[Any, ...], device: str) -> dict[str, Any]:
    """One whole fit: its phases, its iterations, and the memory that it took at its peak."""
    X, y, weight = data
    search = BAMMSearchCV(
        case.model, {case.name: (case.low, case.high)}, scoring=case.scoring, cv=CV, device=device
    )
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    with phases(device) as spent:
        start = synchronised(device)
        search.fit(X, y, **given(case, weight))
        total = synchronised(device) - start
    peak = None if device == "cpu" else torch.cuda.max_memory_allocated() / X.nbytes
    steps = [b - a for a, b in pairwise(search.history_.get("seconds", [])) if b > a]
    return {
        "total": total,
        "search": spent["search"],
        "refit": search.refit_time_,
        "iteration": median(steps) if steps else None,
        "iterations": search.n_iter_,
        "copies_at_peak": peak,
        "best_score": search.best_score_,
        "best_params": search.best_params_,
        "device": search.device_,
        "refit_adopted": search.refit_adopted_,
    }


def values_of(case: Case) -> np.ndarray:
    """Return the few values, evenly spread among those of the grid."""
    return np.geomspace(case.low, case.high, VALUES)[[VALUES // 4, 3 * VALUES // 4]]


def grid(model: Any, case: Case, data: tuple[Any, ...], n_jobs: int | None = None) -> Any:
    """Fit the grid of a few values; return its seconds and its best score."""
    X, y, weight = data
    search = GridSearchCV(
        clone(model), {case.name: list(values_of(case))}, scoring=case.scoring, cv=CV,
        n_jobs=n_jobs, refit=False, error_score="raise",
    )  # fmt: skip
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y, **given(case, weight))
    return time.perf_counter() - start, float(search.best_score_)


def on_the_cores(case: Case, data: tuple[Any, ...], threads: int) -> dict[str, Any]:
    """Extrapolate the grid on the machine's cores from a few values and some of the rows."""
    rows = len(data[1])
    few = min(rows, FEW_ROWS)
    some = tuple(None if part is None else part[:few].cpu().numpy() for part in data)
    tried = {}
    for n_jobs in (None, threads) if threads > 1 else (None,):
        with equal_threads(threads, n_jobs):
            tried[n_jobs] = grid(case.model, case, some, n_jobs)[0]
    n_jobs = min(tried, key=lambda n: tried[n])
    factor = VALUES / FEW_VALUES * rows / few
    return {
        "rows": few, "values": values_of(case), "seconds": tried[n_jobs], "n_jobs": n_jobs,
        "extrapolated": tried[n_jobs] * factor,
    }  # fmt: skip


def under_dispatch(case: Case, data: tuple[Any, ...], device: str) -> dict[str, Any]:
    """Run the grid of a few values on the device, under scikit-learn's array API dispatch."""
    try:
        start = synchronised(device)
        with config_context(array_api_dispatch=True):
            _, score = grid(case.own or case.model, case, data)
        seconds = synchronised(device) - start
    except Exception as error:  # whatever scikit-learn, or a full device, says
        return {"reason": f"{type(error).__name__}: {error}".splitlines()[0]}
    return {
        "values": values_of(case), "seconds": seconds, "best_score": score,
        "extrapolated": seconds * VALUES / FEW_VALUES,
    }  # fmt: skip


def bars(entry: dict[str, Any], copy: float) -> dict[str, tuple[float, bool]]:
    """Return what has a bar, and whether it is met."""
    found = {}
    if "cores" in entry:
        ratio = entry["cores"]["extrapolated"] / entry["total"]
        found["times as fast as the grid on the cores"] = (ratio, ratio >= FASTER)
    if entry["copies_at_peak"] is not None:
        peak = entry["copies_at_peak"]
        found["copies of X at the peak"] = (peak, peak <= COPIES)
    if entry["bytes_a_second"] is not None:
        share = entry["bytes_a_second"] / copy
        found["of the bandwidth of a copy"] = (share, share >= SHARE)
    return found


def measured(
    case: Case, rows: int, options: Any, left: Callable[[], float], copy: float
) -> dict[str, Any]:
    """One case: ours in rounds, then the grids, as long as there is time."""
    data = draw(case, rows, options.device)
    fits = [ours(case, data, options.device) for _ in range(options.rounds)]
    entry: dict[str, Any] = {
        "rows": rows, "features": case.features, "fits": fits, "left_out": [],
        "bytes_of_X": data[0].nbytes,
    }  # fmt: skip
    for name in ("total", "search", "refit"):
        entry[name] = median(fit[name] for fit in fits)
    seconds = [fit["iteration"] for fit in fits if fit["iteration"]]
    entry["iteration"] = median(seconds) if seconds else None
    # Of second moments an iteration reads no row.
    reads = bool(seconds) and case.classes > 0
    entry["bytes_a_second"] = 2 * data[0].nbytes / median(seconds) if reads else None
    entry["copies_at_peak"] = fits[-1]["copies_at_peak"]
    rivals: dict[str, Callable[[], Any]] = {
        "dispatch": lambda: under_dispatch(case, data, options.device),
        "cores": lambda: on_the_cores(case, data, options.threads),
    }
    for name, rival in rivals.items():
        if left() > 0:
            entry[name] = rival()
        else:
            entry["left_out"].append(name)
    entry["bars"] = bars(entry, copy)
    return entry


def tell(name: str, entry: dict[str, Any]) -> None:
    """Print one case."""
    fit = entry["fits"][-1]
    print(
        f"{name}, {entry['rows']} x {entry['features']} on {fit['device']}: "
        f"{entry['total']:.3g} s (search {entry['search']:.3g}, refit {entry['refit']:.3g}), "
        f"{fit['iterations']} iterations, score {fit['best_score']:.7f} at {fit['best_params']}"
    )
    for rival, where in (("cores", "on the cores"), ("dispatch", "under dispatch")):
        found = entry.get(rival)
        if found is None:
            print(f"  the grid {where} is left out: the time is over")
        elif "reason" in found:
            print(f"  the grid {where} does not run: {found['reason']}")
        else:
            print(
                f"  the grid {where}: {found['extrapolated']:.4g} s, extrapolated from "
                f"{found['seconds']:.3g} s, {found['extrapolated'] / entry['total']:.1f} times ours"
            )
    for what, (value, met) in entry["bars"].items():
        print(f"  {value:.3g} {what}: {'met' if met else 'missed'}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the cases; return 1 if a bar is missed."""
    options = parser(__doc__, rounds=2)
    options.add_argument("--device", default="cuda")
    options.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    options.add_argument("--quick", action="store_true", help="a trial on few rows")
    options.add_argument("--budget", type=float, default=540.0, help="seconds for all of it")
    chosen = options.parse_args(arguments)
    end = time.perf_counter() + chosen.budget
    torch.set_num_threads(chosen.threads)
    name = torch.cuda.get_device_name() if chosen.device != "cpu" else f"{cores()} CPU cores"
    copy = bandwidth(chosen.device)
    record: dict[str, Any] = {"device": name, "copy_bytes_a_second": copy, "cases": {}}
    print(f"on {name}, a copy at {copy / 1e9:.0f} GB/s", flush=True)
    ours(CASES["logistic"], draw(CASES["logistic"], 20_000, chosen.device), chosen.device)  # warm
    for number, key in enumerate(chosen.cases):
        case, to_come = CASES[key], len(chosen.cases) - number
        share = time.perf_counter() + (end - time.perf_counter()) / to_come
        if time.perf_counter() > end:
            print(f"{key} is left out: the time is over")
            continue
        rows = max(LEAST, case.rows // QUICK) if chosen.quick else case.rows
        left: Callable[[], float] = lambda at=share: at - time.perf_counter()  # noqa: E731
        record["cases"][key] = entry = measured(case, rows, chosen, left, copy)
        tell(key, entry)
        if chosen.device != "cpu":
            torch.cuda.empty_cache()
        if not chosen.quick or chosen.output:
            write("gpu_arrays", record, threads=chosen.threads, output=chosen.output)
    if chosen.quick:
        return 0  # no bar is for so few rows
    met = [met for entry in record["cases"].values() for _, met in entry["bars"].values()]
    return 0 if all(met) and len(record["cases"]) == len(chosen.cases) else 1


if __name__ == "__main__":
    raise SystemExit(main())
