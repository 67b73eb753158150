"""Peak memory beyond X of searches on wide sparse texts, in copies of X.

10,000 x 20,000, a hundred words a row. Each search runs twice in a fresh process: the first run
loads code and fills thread pools; then the kernel's high-water mark is reset and the second is
measured. Linux only.
"""

import ctypes
import gc
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from benchmarks.cases.specialists_data import sparse_data
from benchmarks.lib.harness import equal_threads, parser, write
from benchmarks.speed.memory import resident
from skbamm import BAMMSearchCV

BAR = 3.0  # copies of X, or what GridSearchCV takes
MODELS = {
    "logistic, log loss": (LogisticRegression(max_iter=1000), "C", (1e-3, 1e2), "neg_log_loss"),
    "logistic, accuracy": (LogisticRegression(max_iter=1000), "C", (1e-3, 1e2), None),
    "LinearSVC": (LinearSVC(), "C", (1e-3, 1e2), None),
    "RidgeClassifier": (RidgeClassifier(), "alpha", (1e-2, 1e3), None),
    "SGDClassifier": (SGDClassifier(random_state=0), "alpha", (1e-6, 1e-2), None),
}
KINDS = ("GridSearchCV", "interval", "list")


def search_of(name: str, kind: str) -> Any:
    """Return a search of an interval, or of nine values."""
    model, param, ends, scoring = MODELS[name]
    grid = {param: ends if kind == "interval" else np.geomspace(*ends, 9).tolist()}
    search = GridSearchCV if kind == "GridSearchCV" else BAMMSearchCV
    return search(model, grid, scoring=scoring, cv=5)


def child(name: str, kind: str, threads: int) -> None:
    """Run in the fresh process: print what one search needed."""
    data = sparse_data(1.0)
    X, y = data.X, data.y
    warnings.simplefilter("ignore")
    with equal_threads(threads, None):
        search_of(name, kind).fit(X, y)
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from now
        before = resident("VmRSS")
        search_of(name, kind).fit(X, y)
        peak = resident("VmHWM") - before
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    print(json.dumps({"copies": peak / size}))


def main() -> int:
    arguments = parser(__doc__, rounds=1)
    arguments.add_argument("--child", nargs=2, metavar=("MODEL", "KIND"), help="for itself only")
    options = arguments.parse_args()
    if options.child:
        child(*options.child, options.threads)
        return 0
    found = []
    for name in MODELS:
        grid = None
        for kind in KINDS:
            command = [sys.executable, "-m", "benchmarks.speed", "text_memory"]
            command += ["--child", name, kind, "--threads", str(options.threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            copies = json.loads(done.stdout.splitlines()[-1])["copies"]
            grid = copies if kind == "GridSearchCV" else grid
            passes = copies <= max(BAR, grid or 0.0)
            found.append({"model": name, "search": kind, "copies": copies, "passes": passes})
            print(f"{name}, {kind}: {copies:.2f} copies of X at the peak", flush=True)
    write("text_memory", {"searches": found}, threads=options.threads, output=options.output)
    return 0 if all(one["passes"] for one in found) else 1
