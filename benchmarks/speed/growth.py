"""How our time grows: in rows, in folds, in starting points; and an iteration beside its products.

The model is that of the first case of specialists.py. ``rows``: the exponent of the time in n,
the slope of log seconds on log n from 50,000 to 800,000 rows, the first rows of the largest data
set. ``folds``: ten beside five, on 200,000 rows. ``iteration``: one iteration on all rows beside
the matrix products in it. With many rows, a subset ranks the starting points, and one point is
followed on all rows. An iteration is then one pass: X times the models y and the multipliers v of
5 folds, ten columns, and its transpose times as many columns. (A new metric is rare, and does not
change the median.) The products are timed alone, without the loss in between: with whole matrices
in single precision, in which the pass works, and in double precision, the type of X; and chunk by
chunk, with the conversion to single precision, as the pass does. ``starts``: eight starting
points beside one, for whole searches, and for the iterations that follow all of them, on all rows
and on the subset that ranks them.

``python -m benchmarks.speed growth rows folds`` measures some, and leaves the others in
results/growth.json as they are.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from benchmarks.cases.searches import CV, LARGE, logistic_data
from benchmarks.lib.harness import (
    Rival,
    equal_threads,
    in_turns,
    parser,
    provenance,
    verdict,
    write_part,
)
from benchmarks.lib.harness import timed_fit as timed
from skbamm import BAMMSearchCV
from skbamm.bilevel import solve
from skbamm.folds import threads_for_rows
from skbamm.folds.chunks import chunk_ranges, over_chunks
from skbamm.solvers.linear import LinearSolver
from skbamm.starts.points import starting_points
from skbamm.starts.subsample import some_rows

CASE = LARGE["logistic"]
SIZES = (50_000, 100_000, 200_000, 400_000, 800_000)
EXPONENT, TEN_FOLDS, ITERATION, STARTS_EACH, STARTS_ALL = 1.1, 1.5, 1.2, 3.0, 2.0
WORST = 1.2  # what the worst round may be of a bar
MANY = 8  # starting points
WORK = 6  # numbers that a pass makes of each predictor, by which its chunks are cut
REPEATS = 5  # of products, in a round


def at_most(times: list[float], base: list[float], bar: float) -> dict[str, Any]:
    """How many times as long something takes, round by round, and whether that meets the bar."""
    rounds = [a / b for a, b in zip(times, base, strict=True)]
    found = {"rounds": rounds, "median": median(rounds), "worst": max(rounds), "bar": bar}
    return found | {"passes": found["median"] <= bar and found["worst"] <= WORST * bar}


def search(device: str, cv: int = CV) -> BAMMSearchCV:
    return BAMMSearchCV(CASE.estimator, CASE.interval, scoring=CASE.scoring, cv=cv, device=device)


def read(fitted: BAMMSearchCV) -> dict[str, Any]:
    history = {name: fitted.history_[name] for name in ("seconds", "criterion")}
    return {"iterations": fitted.n_iter_, "score": fitted.best_score_, "history": history}


def rival(name: str, options: Any, cv: int = CV) -> Rival:
    return Rival(name, lambda n_jobs: search(options.device, cv), read)


def rows(options: Any) -> dict[str, Any]:
    """The exponent of our time in the number of rows."""
    sizes = [int(size * options.scale) for size in SIZES]
    X, y = logistic_data(sizes[-1] / 200_000)
    ours = rival("ours", options)
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    iterations = {}
    for turn in range(options.rounds + 1):  # the first is a rehearsal
        for size in sizes:
            taken, outcome = timed(ours, None, options.threads, X[:size], y[:size])
            iterations[size] = outcome["iterations"]
            if turn:
                seconds[size].append(taken)
    medians = [median(seconds[size]) for size in sizes]
    exponent = float(np.polyfit(np.log(sizes), np.log(medians), 1)[0])
    told = ", ".join(f"{size:,} {taken:.3g} s" for size, taken in zip(sizes, medians, strict=True))
    passes = exponent <= EXPONENT
    print(f"  {told}: exponent {exponent:.2f}, {verdict(passes, EXPONENT)}")
    return {
        "sizes": sizes, "seconds": [seconds[size] for size in sizes], "median_seconds": medians,
        "iterations": [iterations[size] for size in sizes], "exponent": exponent,
        "bar": EXPONENT, "passes": passes,
    }  # fmt: skip


def folds(options: Any) -> dict[str, Any]:
    """Ten folds beside five."""
    X, y = logistic_data(options.scale)
    both = [rival("5 folds", options), rival("10 folds", options, 10)]
    turns = in_turns(both, X, y, rounds=options.rounds, threads=options.threads)
    found = at_most(turns["10 folds"]["seconds"], turns["5 folds"]["seconds"], TEN_FOLDS)
    _say("10 folds take", found, "of 5")
    return {"shape": X.shape, "searches": turns, "ratio": found, "passes": found["passes"]}


def iteration(options: Any) -> dict[str, Any]:
    """An iteration on all rows beside the products in it."""
    X, y = logistic_data(options.scale)
    columns = 2 * CV
    bare = products(X, columns)
    ours = rival("ours", options)
    spent: list[float] = []
    seconds: dict[str, list[float]] = {name: [] for name in bare}
    for turn in range(options.rounds + 1):
        _, outcome = timed(ours, None, options.threads, X, y)
        # The first step also makes the first metric; of what follows, the usual one counts.
        steps = [b - a for a, b in pairwise(outcome["history"]["seconds"])][1:]
        with equal_threads(options.threads, None):
            alone = {name: median(_repeated(run)) for name, run in bare.items()}
        if turn:
            spent.append(median(steps))
            for name, taken in alone.items():
                seconds[name].append(taken)
    ratios = {name: at_most(spent, taken, ITERATION) for name, taken in seconds.items()}
    for name, found in ratios.items():
        _say("an iteration takes", found, f"of its products, {name}")
    passes = ratios["float32, whole"]["passes"]
    return {
        "shape": X.shape, "columns": columns, "iteration_seconds": spent,
        "product_seconds": seconds, "ratios": ratios, "judged": "float32, whole", "passes": passes,
    }  # fmt: skip


def products(X: np.ndarray, columns: int) -> dict[str, Callable[[], object]]:
    """``X B`` and ``X' R`` with so many columns, whole and by chunks, the faster way round."""
    double = torch.from_numpy(X)
    single = double.float()
    n, d = X.shape
    ranges = chunk_ranges(n, d + WORK * columns)

    def whole(matrix: torch.Tensor) -> object:
        # With few columns BLAS is faster where these are the rows.
        B = torch.ones(columns, d, dtype=matrix.dtype)
        return (B @ matrix.T) @ matrix

    def chunked(matrix: torch.Tensor) -> object:
        B = torch.ones(columns, d)

        def work(share: list) -> object:
            total = torch.zeros(columns, d)
            for start, stop in share:
                block = matrix[start:stop].float()
                total += (B @ block.T) @ block
            return total

        return sum(over_chunks(ranges, double.device, work))

    return {
        "float32, whole": partial(whole, single),
        "float64, whole": partial(whole, double),
        "float32, chunks": partial(chunked, single),
        "float64 to float32, chunks": partial(chunked, double),
    }


def _repeated(run: Callable[[], object]) -> list[float]:
    ends = [time.perf_counter()]
    for _ in range(REPEATS):
        run()
        ends.append(time.perf_counter())
    return [b - a for a, b in pairwise(ends)]


def starts(options: Any) -> dict[str, Any]:
    """Eight starting points beside one: whole searches, and iterations."""
    X, y = logistic_data(options.scale)
    ours = rival("ours", options)
    total: dict[int, list[float]] = {1: [], MANY: []}
    each: dict[str, dict[int, list[float]]] = {}
    for turn in range(options.rounds + 1):
        for count, seconds in total.items():
            with begun_from(count) as seen:
                taken, _ = timed(ours, None, options.threads, X, y)
            if turn:
                seconds.append(taken)
        with equal_threads(options.threads, None), threads_for_rows():
            for where, taken_by in iterations_of(*seen[-1]).items():
                for count, taken in taken_by.items():
                    if turn:
                        each.setdefault(where, {}).setdefault(count, []).append(taken)
    whole = at_most(total[MANY], total[1], STARTS_ALL)
    _say(f"a search from {MANY} points takes", whole, "of one from 1")
    ratios = {where: at_most(taken[MANY], taken[1], STARTS_EACH) for where, taken in each.items()}
    for where, found in ratios.items():
        _say(f"an iteration from {MANY} points takes", found, f"of one from 1, on {where}")
    return {
        "shape": X.shape, "starts": MANY, "search_seconds": total, "search": whole,
        "iteration_seconds": each, "iteration": ratios,
        "passes": whole["passes"] and all(found["passes"] for found in ratios.values()),
    }  # fmt: skip


@contextmanager
def begun_from(count: int) -> Iterator[list[tuple]]:
    """Let searches begin at so many points; gives their solvers, axes and criteria."""
    original, seen = LinearSolver.search, []

    def search(self, axes, criterion, **more):
        self.n_starts = count
        seen.append((self, axes, criterion))
        return original(self, axes, criterion, **more)

    LinearSolver.search = search  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        LinearSolver.search = original  # type: ignore[method-assign]


def iterations_of(joint: LinearSolver, axes: tuple, criterion: Any) -> dict[str, dict[int, float]]:
    """Mean seconds of the iterations in which all of many starts are followed, and of one's."""
    chosen, everything = joint.criterion(criterion), joint.rows(joint.dtype)
    few = some_rows(everything)
    found = {}
    for where, part in {"all rows": everything, "some rows": few}.items():
        if part is None:
            continue
        make = partial(
            joint.glm, axes, part, factor=everything.n_rows / part.n_rows,
            criterion=chosen, bounds=joint.penalties.bounds(axes),
        )  # fmt: skip
        many, count = _followed(make, axes, MANY, None)
        one, _ = _followed(make, axes, 1, count)
        found[where] = {1: one, MANY: many}
    return found


def _followed(make: Any, axes: tuple, count: int, steps: int | None) -> tuple[float, int]:
    """Mean seconds of an iteration until the best start is chosen, or of so many, and how many."""
    problem = make(starts=count)
    x0 = torch.tensor(starting_points(axes, count), dtype=torch.float64, device=problem.rows.device)
    ends, select = [time.perf_counter()], problem.select
    narrowed: list[bool] = []

    def watched(which: list[int]) -> Any:
        narrowed.append(True)
        return select(which)

    def callback(k: int, x: Any, upper: float) -> bool:
        ends.append(time.perf_counter())
        return bool(narrowed)  # the iteration that chooses has followed them all

    problem.select = watched
    solve(problem, x0, max_iter=steps or 100, tol=1e-12, callback=callback)
    return mean(b - a for a, b in pairwise(ends)), len(ends) - 1


def _say(what: str, found: dict[str, Any], of: str) -> None:
    print(
        f"  {what} {found['median']:.2f} times the time {of} (worst round {found['worst']:.2f}), "
        f"{verdict(found['passes'], found['bar'])}",
        flush=True,
    )


PARTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "rows": rows,
    "folds": folds,
    "iteration": iteration,
    "starts": starts,
}


def main() -> int:
    arguments = parser(__doc__, rounds=5)
    arguments.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    arguments.add_argument(
        "--scale", type=float, default=1.0, help="fraction of the rows (a trial)"
    )
    arguments.add_argument("--device", default="cpu", help="for our searches")
    options = arguments.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        arguments.error(f"no such part: {', '.join(sorted(unknown))}")
    print(f"on {provenance(options.threads)['cpu']}, {options.threads} threads")
    met = []
    for name in options.parts or PARTS:
        print(f"{name}: {CASE.title}", flush=True)
        found = {"rounds": options.rounds, **PARTS[name](options)}
        met.append(found["passes"])
        if options.scale == 1 or options.output:  # a trial's figures don't go to results/
            write_part("growth", name, found, threads=options.threads, output=options.output)
    return 0 if all(met) else 1
