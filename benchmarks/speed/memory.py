"""Peak memory beyond X of whole searches on the large logistic case, in float32 copies of X.

Each rival runs in a fresh process that loads the data from a file and fits a few rows first, so
that libraries and thread pools are not counted; then the kernel's high-water mark is reset and the
search runs. GridSearchCV runs in one process: workers would only add to its peak. Linux only.
"""

import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV

from benchmarks.cases.searches import CV, LARGE
from benchmarks.lib.harness import equal_threads, parser, write
from skbamm import BAMMSearchCV

BAR = 1.5  # float32 copies of X, for ours
WARM_ROWS = 500


def searches() -> dict[str, Any]:
    case = LARGE["logistic"]
    common = {"scoring": case.scoring, "cv": CV}
    return {
        "GridSearchCV": GridSearchCV(case.estimator, case.grid, **common),
        "interval": BAMMSearchCV(case.estimator, case.interval, **common),
        "list": BAMMSearchCV(case.estimator, case.grid, **common),
    }


def resident(field: str) -> int:
    """``VmRSS`` (resident now) or ``VmHWM`` (its peak) of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"the kernel does not report {field}")


def child(name: str, folder: Path, threads: int) -> None:
    """Run in the fresh process: print what one search needed."""
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    search = searches()[name]
    with equal_threads(threads, None):
        search.fit(X[:WARM_ROWS].copy(), y[:WARM_ROWS].copy())
        search = searches()[name]
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from now
        before = resident("VmRSS")
        search.fit(X, y)
        peak = resident("VmHWM") - before
    print(json.dumps({"peak_bytes": peak, "copies": peak / (4 * X.size)}))


def measure(name: str, folder: Path, threads: int) -> dict[str, float]:
    """Start the fresh process and read its last line."""
    command = [sys.executable, "-m", "benchmarks.speed", "memory", "--child", name, str(folder)]
    command += ["--threads", str(threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    arguments = parser(__doc__, rounds=3)
    arguments.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the rows (a trial)"
    )
    arguments.add_argument("--child", nargs=2, metavar=("SEARCH", "FOLDER"), help="for itself only")
    options = arguments.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), options.threads)
        return 0

    found = []
    for dtype in ("float64", "float32"):
        X, y = LARGE["logistic"].data(options.scale)
        shape = X.shape
        peaks: dict[str, list[float]] = {name: [] for name in searches()}
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "X.npy", X.astype(dtype))
            np.save(Path(folder) / "y.npy", y)
            del X, y
            for _ in range(options.rounds):
                for name, copies in peaks.items():
                    copies.append(measure(name, Path(folder), options.threads)["copies"])
        grid = median(peaks["GridSearchCV"])
        for name, copies in peaks.items():
            entry = {"search": name, "dtype": dtype, "copies": copies, "median": median(copies)}
            if name != "GridSearchCV":
                entry["bar"] = min(BAR, grid)
                entry["passes"] = entry["median"] <= entry["bar"]
            found.append(entry)
            print(
                f"{name}, X in {dtype}: {entry['median']:.2f} float32 copies of X at the peak "
                f"({', '.join(f'{c:.2f}' for c in copies)})",
                flush=True,
            )
    if options.scale == 1 or options.output:
        body = {"title": LARGE["logistic"].title, "shape": shape, "searches": found}
        write("memory", body, threads=options.threads, output=options.output)
    return 0 if all(entry.get("passes", True) for entry in found) else 1
