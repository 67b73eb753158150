"""Where the time of our searches goes, in the cases of specialists.py.

Median seconds of a whole fit by activity, each without the activities that it calls. For passes
over X also their number, their additions and multiplications, and the rate.
``python -m benchmarks.speed profile sparse`` profiles one case and leaves the others in
results/speed_profile.json as they are.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any
from unittest.mock import patch

from sklearn.metrics._scorer import _BaseScorer

import skbamm.glm.least_squares as least_squares
import skbamm.starts.lars as homotopy
from benchmarks.cases.specialists import CASES, ours
from benchmarks.lib.harness import equal_threads, parser, write_part
from skbamm.bilevel.metrics import Cholesky
from skbamm.folds.chunked import ChunkedRows
from skbamm.folds.dense import DenseRows
from skbamm.folds.sparse import SparseRows
from skbamm.folds.weights import FoldWeights
from skbamm.glm.coordinate_descent import CoordinateDescent, ModelDescent
from skbamm.glm.submatrix import Submatrix
from skbamm.search import bank

PASSES, REST = "passes over X", "the rest"
# What is timed: where it is, its name, and what it is told as.
PLACES = [
    (ChunkedRows, "sweep", PASSES),
    (ChunkedRows, "visit", PASSES),
    (DenseRows, "gram", "Gram matrices"),
    (SparseRows, "frequent_gram", "Gram matrices"),
    (least_squares, "fold_moments", "second moments"),
    (least_squares, "_times", "products with second moments"),
    (Cholesky, "__init__", "factors"),
    (Cholesky, "solve", "solves with factors"),
    (Submatrix, "__init__", "factors"),
    (Submatrix, "step", "solves with factors"),
    (CoordinateDescent, "__call__", "coordinate descent"),
    (ModelDescent, "__call__", "coordinate descent"),
    (homotopy, "lars_path", "exact paths"),
    (homotopy, "lars_path_gram", "exact paths"),
    (FoldWeights, "__init__", "weights of the folds"),
    (bank, "own_fit", "scikit-learn's fits"),
    (_BaseScorer, "__call__", "scikit-learn's scorers"),
]
WORTH = 0.03  # share of the time from which a part is told


class Clock:
    """Seconds by what is done, without those of what it calls."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.multiplied = 0.0  # additions and multiplications in passes
        self._inside: list[float] = [0.0]

    def timed(self, function: Any, told: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if threading.current_thread() is not threading.main_thread():
                return function(*args, **options)  # what called it is timed
            start = time.perf_counter()
            self._inside.append(0.0)
            try:
                result = function(*args, **options)
            finally:
                spent, within = time.perf_counter() - start, self._inside.pop()
                self.seconds[told] += spent - within
                self.calls[told] += 1
                self._inside[-1] += spent
            if told == PASSES:
                rows, coefficients = args[:2]
                columns = coefficients[..., 0].numel()
                back = 0 if result is None else result[0][..., 0].numel()
                entries = getattr(rows.X, "nnz", rows.n_rows * rows.n_features)
                self.multiplied += 2.0 * entries * (columns + back)
            return result

        return call


@contextmanager
def clock() -> Iterator[Clock]:
    """Time what is done in the context."""
    found = Clock()
    with ExitStack() as stack:
        for where, name, told in PLACES:
            timed = found.timed(getattr(where, name), told)
            stack.enter_context(patch.object(where, name, timed))
        yield found


def profile(name: str, options: Any) -> dict[str, Any]:
    """Profile one case."""
    case = CASES[name]
    data = case.data(options.scale)
    rival = ours(case, data, "cpu")[0]
    fits: list[dict[str, Any]] = []
    for turn in range(options.rounds + 1):  # the first is a rehearsal
        with equal_threads(options.threads, None), clock() as found:
            start = time.perf_counter()
            fitted = rival.build(None).fit(data.X, data.y)
            total = time.perf_counter() - start
        if turn:
            rest = total - sum(found.seconds.values())
            fits.append(
                {
                    "total": total,
                    "seconds": {**found.seconds, REST: rest},
                    "passes": found.calls[PASSES],
                    "multiplied": found.multiplied,
                    "iterations": fitted.n_iter_,
                }
            )
    names = {told for fit in fits for told in fit["seconds"]}
    parts = {told: median(fit["seconds"].get(told, 0.0) for fit in fits) for told in names}
    total = median(fit["total"] for fit in fits)
    told = sorted((n for n in parts if parts[n] >= WORTH * total), key=lambda n: -parts[n])
    print(f"{case.title}: {total:.3g} s, {fits[-1]['iterations']} iterations")
    for part in told:
        print(f"  {parts[part]:.3f} s {part}")
    fit = fits[-1]
    if fit["passes"]:
        rate = fit["multiplied"] / parts[PASSES] / 1e9
        print(f"  {fit['passes']} passes, {fit['multiplied'] / 1e9:.3g} GFLOP, {rate:.3g} a second")
    return {
        "number": list(CASES).index(name) + 1, "title": case.title, "total": total,
        "parts": {part: parts[part] for part in told}, "passes": fit["passes"],
        "multiplied": fit["multiplied"], "fits": fits,
    }  # fmt: skip


def main() -> int:
    arguments = parser(__doc__, rounds=5)
    arguments.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(CASES)}")
    arguments.add_argument("--scale", type=float, default=1.0, help="fraction of the rows")
    options = arguments.parse_args()
    if unknown := set(options.cases) - set(CASES):
        arguments.error(f"no such case: {', '.join(sorted(unknown))}")
    for name in options.cases or CASES:
        found = profile(name, options)
        if options.scale == 1 or options.output:  # a trial's figures don't go to results/
            threads = options.threads
            write_part("speed_profile", name, found, threads=threads, output=options.output)
    return 0
