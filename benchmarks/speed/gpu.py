"""Searches on a GPU beside scikit-learn's grid on the same machine's cores.

Penalised logistic regression on rows that fill a GPU. The search phase ends when all folds'
models of the best penalty are solved to the estimator's own tolerance; scoring and the refit,
which scikit-learn does on the CPU, are told apart. The grid's 20 values are extrapolated from a
few evenly spread ones. The bar is the first size's: a search phase a hundred times sooner. The
bytes of X that an iteration reads twice, per second, stand beside the bandwidth of a copy measured
in the same run. ``--device cpu`` runs the same without a GPU, for a trial of smaller sizes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from benchmarks.lib.harness import cores, equal_threads, parser, verdict, write
from skbamm import BAMMSearchCV
from skbamm.data.device_matrix import sent
from skbamm.search.run import SearchRun

SIZES = {"2000000x200": 100.0, "20000000x50": None}  # rows x features, with bars of the search
SMALL = ("10000x50", "50000x50", "200000x100")
FEW, VALUES, CV = 3, 20, 5
LOW, HIGH = 1e-4, 1e4


def draw(n: int, p: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, and labels of which a tenth are noise; in single precision."""
    generator = torch.Generator(device).manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    X = normal(n, p)
    X += 0.5 * X[:, [0]]
    z = X @ normal(p) / p**0.5
    flip = torch.rand(n, generator=generator, device=device) < 0.1
    return X.cpu().numpy(), ((z + normal(n) > 0) ^ flip).cpu().numpy().astype(int)


def synchronised(device: str) -> float:
    """The time once the device has done what it was told."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def bandwidth(device: str) -> float:
    """Bytes a second, read and written, of a copy on the device: the median of some."""
    numbers = 1 << (30 if device != "cpu" else 26)
    a = torch.ones(numbers, device=device)
    b, seconds = torch.empty_like(a), []
    for _ in range(6):
        start = synchronised(device)
        b.copy_(a)
        seconds.append(synchronised(device) - start)
    return 2 * a.nbytes / median(seconds[1:])


def way(X: np.ndarray, device: str) -> float:
    """Seconds that X takes to the device, once: the median of some."""
    seconds = []
    for _ in range(3):
        start = synchronised(device)
        sent(torch.from_numpy(X), torch.device(device))
        seconds.append(synchronised(device) - start)
    return median(seconds)


@contextmanager
def phases(device: str) -> Iterator[dict[str, float]]:
    """Tell the seconds of the search phase of the fits in the context."""
    found: dict[str, float] = {}
    own: Callable[..., Any] = SearchRun.candidates

    def candidates(self: Any) -> Any:
        start = synchronised(device)
        result = own(self)
        found["search"] = synchronised(device) - start
        return result

    SearchRun.candidates = candidates  # type: ignore[method-assign]
    try:
        yield found
    finally:
        SearchRun.candidates = own  # type: ignore[method-assign]


def ours(model: Any, space: dict, scoring: str, data: Any, device: str) -> dict[str, Any]:
    """One fit's phases, and what it found."""
    search = BAMMSearchCV(model, space, scoring=scoring, cv=CV, device=device)
    with phases(device) as spent:
        start = time.perf_counter()
        search.fit(*data)
        total = time.perf_counter() - start
    own_fits = float(search.cv_results_["mean_fit_time"].sum()) * CV
    steps = [b - a for a, b in pairwise(search.history_["seconds"]) if b > a]
    return {
        "total": total,
        "search": spent["search"],
        "refit": search.refit_time_,
        "folds_fitted_or_adopted": own_fits,
        "iteration": median(steps) if steps else None,
        "iterations": search.n_iter_,
        "best_score": search.best_score_,
        "best_params": search.best_params_,
        "device": search.device_,
    }


def grid(data: Any, threads: int) -> dict[str, Any]:
    """Seconds of 20 values, extrapolated from a few; in one process or many, as is sooner."""
    values = np.geomspace(LOW, HIGH, VALUES)
    some = values[np.linspace(0, VALUES - 1, 2 * FEW + 1).astype(int)[1::2]]

    def run(n_jobs: int | None, rows: int, chosen: np.ndarray) -> tuple[float, Any]:
        search = GridSearchCV(
            LogisticRegression(max_iter=1000), {"C": chosen}, scoring="neg_log_loss", cv=CV,
            n_jobs=n_jobs, refit=False,
        )  # fmt: skip
        with equal_threads(threads, n_jobs):
            start = time.perf_counter()
            search.fit(data[0][:rows], data[1][:rows])
            return time.perf_counter() - start, search

    few = min(len(data[1]), 200_000)
    tried = {n: run(n, few, some)[0] for n in (None, threads)}
    n_jobs = min(tried, key=lambda n: tried[n])
    seconds, search = run(n_jobs, len(data[1]), some)
    return {
        "values": some,
        "seconds": seconds,
        "extrapolated": seconds * VALUES / len(some),
        "n_jobs": n_jobs,
        "best_score": search.best_score_,
    }


def large(size: str, options: Any, record: dict[str, Any]) -> bool:
    """One size: ours in rounds, the grid once."""
    n, p = map(int, size.split("x"))
    data = draw(n, p, options.device)
    model, space = LogisticRegression(max_iter=1000), {"C": (LOW, HIGH)}
    fits = [ours(model, space, "neg_log_loss", data, options.device) for _ in range(options.rounds)]
    entry: dict[str, Any] = {"rows": n, "features": p, "fits": fits}
    for name in ("total", "search", "refit", "iteration"):
        entry[name] = median(fit[name] for fit in fits)
    entry["bytes_a_second"] = 2 * data[0].nbytes / entry["iteration"]
    entry["way"] = way(data[0], options.device)
    print(
        f"{size}: search {entry['search']:.3g} s (X's way there {entry['way']:.3g} s) of "
        f"{entry['total']:.3g} s (refit {entry['refit']:.3g} s), {fits[-1]['iterations']} "
        f"iterations of {1e3 * entry['iteration']:.3g} ms, X twice at "
        f"{entry['bytes_a_second'] / 1e9:.0f} GB/s beside "
        f"{record['copy_bytes_a_second'] / 1e9:.0f} GB/s of a copy",
        flush=True,
    )
    record["large"][size] = entry
    if options.grid:
        entry["grid"] = rival = grid(data, options.threads)
        entry["ratio_search"] = rival["extrapolated"] / entry["search"]
        entry["ratio_total"] = rival["extrapolated"] / entry["total"]
        bar = SIZES.get(size)
        met = bar is None or entry["ratio_search"] >= bar
        told = "" if bar is None else f", {verdict(met, bar)}"
        print(
            f"  grid {rival['extrapolated']:.4g} s (from {len(rival['values'])} values in "
            f"{rival['seconds']:.4g} s, n_jobs={rival['n_jobs']}): search "
            f"{entry['ratio_search']:.0f} times as fast{told}; with scores and "
            f"refit {entry['ratio_total']:.1f}; scores {fits[-1]['best_score']:.7f} and "
            f"{rival['best_score']:.7f}",
            flush=True,
        )
        return met
    return True


def beside_the_cpu(options: Any, record: dict[str, Any]) -> None:
    """Where a GPU begins to be worth it: the same searches on both."""
    for size in SMALL:
        n, p = map(int, size.split("x"))
        data = draw(n, p, options.device)
        for name, model, space, scoring in (
            ("logistic", LogisticRegression(max_iter=1000), {"C": (LOW, HIGH)}, "neg_log_loss"),
            ("ridge", Ridge(), {"alpha": (1e-3, 1e5)}, "r2"),
        ):
            target = data[1].astype(float) if name == "ridge" else data[1]
            both = {
                device: min(
                    (ours(model, space, scoring, (data[0], target), device) for _ in range(2)),
                    key=lambda fit: fit["search"],
                )
                for device in dict.fromkeys(("cpu", options.device))
            }
            record["small"][f"{name} {size}"] = both
            said = ", ".join(
                f"{d} {f['search']:.3g} of {f['total']:.3g} s" for d, f in both.items()
            )
            gap = abs(both["cpu"]["best_score"] - both[options.device]["best_score"])
            print(f"{name} {size}: search {said}; scores differ by {gap:.1e}", flush=True)


def main() -> int:
    arguments = parser(__doc__, rounds=3)
    arguments.add_argument("--device", default="cuda")
    arguments.add_argument("--sizes", nargs="*", default=list(SIZES), help="rows x features")
    arguments.add_argument("--no-grid", dest="grid", action="store_false")
    options = arguments.parse_args()
    name = torch.cuda.get_device_name() if options.device != "cpu" else f"{cores()} CPU cores"
    record: dict[str, Any] = {
        "device": name,
        "copy_bytes_a_second": bandwidth(options.device),
        "large": {},
        "small": {},
    }
    print(f"on {name}, copy at {record['copy_bytes_a_second'] / 1e9:.0f} GB/s", flush=True)
    torch.set_num_threads(options.threads)
    warm = draw(20_000, 20, options.device)
    ours(LogisticRegression(), {"C": (LOW, HIGH)}, "neg_log_loss", warm, options.device)
    beside_the_cpu(options, record)
    met = []
    for size in options.sizes:
        met.append(large(size, options, record))
        write("gpu", record, threads=options.threads, output=options.output)
    return 0 if all(met) else 1
