"""Ten thousand penalties: 20,000 rows, 10,000 features, a tenth of which have coefficients.

A penalty for each feature beside one for all, on the same rows and threads, each search in a
process of its own, so that the memory it takes at most can be told. R2 is of 5,000 fresh rows.
Bar: at most five times the seconds of the search of one value.
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from benchmarks.lib.harness import equal_threads, parser, write
from skbamm import BAMMSearchCV, PerFeature

ROWS, FEATURES, ACTIVE, FRESH, CV = 20_000, 10_000, 1_000, 5_000, 5
LOW, HIGH, NOISE = 1.0, 1e6, 0.5  # ends of alpha; standard deviation beside the signal's
TIMES = 5.0


def draw(rows: int, features: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and fresh rows, in single precision."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows + FRESH, features), dtype=np.float32)
    coef = np.zeros(features, dtype=np.float32)
    coef[: features // 10] = rng.standard_normal(features // 10)
    signal = X @ coef
    y = signal / signal.std() + NOISE * rng.standard_normal(len(X))
    return X[:rows], y[:rows], X[rows:], y[rows:]


def measure(what: str, rows: int, features: int) -> dict[str, float]:
    """Seconds of a search, the memory that its process took, and what its model is worth."""
    X, y, fresh, target = draw(rows, features)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    alpha = (LOW, HIGH) if what == "one" else PerFeature(LOW, HIGH)
    search = BAMMSearchCV(Ridge(solver="lsqr"), {"alpha": alpha}, cv=CV, refit=False)
    began = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - began
    best = int(np.argmax(search.cv_results_["mean_test_score"]))
    found = search.cv_results_["params"][best]["alpha"]
    scale = 1 / np.sqrt(np.broadcast_to(found, features)).astype(np.float32)
    model = Ridge(alpha=1.0, solver="lsqr", tol=1e-5).fit(X * scale, y)
    return {
        "seconds": seconds,
        "iterations": search.n_iter_,
        "data_gib": before / 2**20,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "cv_r2": float(search.cv_results_["mean_test_score"][best]),
        "test_r2": r2_score(target, model.predict(fresh * scale)),
    }


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.add_argument("--rows", type=int, default=ROWS)
    arguments.add_argument("--features", type=int, default=FEATURES)
    arguments.add_argument("--only", choices=("one", "features"), help="measure in this process")
    options = arguments.parse_args()
    if options.only:
        with equal_threads(options.threads, None):
            print(json.dumps(measure(options.only, options.rows, options.features)))
        return 0
    found = {}
    for what in ("one", "features"):
        command = [sys.executable, "-m", "benchmarks.penalties.large", "--only", what]
        command += ["--threads", str(options.threads)]
        command += ["--rows", str(options.rows), "--features", str(options.features)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[what] = json.loads(said.splitlines()[-1])
        print(what, found[what], flush=True)
    ratio = found["features"]["seconds"] / found["one"]["seconds"]
    passes = ratio <= TIMES
    print(f"{ratio:.2f} times the seconds: {'meets' if passes else 'MISSES'} {TIMES:g}")
    body = {"rows": options.rows, "features": options.features, "searches": found}
    body |= {"ratio": ratio, "passes": passes}
    write("penalties_large", body, threads=options.threads, output=options.output)
    return 0 if passes else 1


if __name__ == "__main__":
    raise SystemExit(main())
