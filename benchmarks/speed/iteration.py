"""What one iteration of `minimize` costs beside one gradient of F and one of f.

Two functions of a million entries whose gradients cost little more than reading y, so that
whatever an iteration adds is seen; the published schedules, whose lengths are fixed.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.lib.harness import equal_threads, parser, verdict, write
from skbamm.bilevel import minimize

ENTRIES = 1_000_000
AT_MOST = 6.0
ITERATIONS = 20
SCHEDULES = ("strongly_convex", "merely_convex")


def functions(n: int) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """F and f of x and y with n entries each."""
    weight = torch.linspace(0.5, 1.5, n)

    def upper(x: Tensor, y: Tensor) -> Tensor:
        return ((torch.tanh(y) - 1) ** 2).sum() / 2 + (x**2).sum() / 2

    def lower(x: Tensor, y: Tensor) -> Tensor:
        return (weight * y**2).sum() / 2 + torch.log1p((y - x) ** 2).sum()

    return upper, lower


def gradients(upper: Any, lower: Any, n: int) -> float:
    """Seconds of one gradient in y of each function."""
    x, y = torch.zeros(n), torch.zeros(n, requires_grad=True)
    start = time.perf_counter()
    for function in (upper, lower):
        torch.autograd.grad(function(x, y), [y])
    return time.perf_counter() - start


def iteration(upper: Any, lower: Any, n: int, schedule: str) -> float:
    """Seconds of one iteration: the median of some, without the first."""
    ends: list[float] = []
    minimize(
        upper, lower, torch.zeros(n), torch.zeros(n), schedule=schedule, tol=0.0,
        max_iter=ITERATIONS, callback=lambda k, x, value: ends.append(time.perf_counter()),
    )  # fmt: skip
    return median(b - a for a, b in pairwise(ends[1:]))


def main() -> int:
    options = parser(__doc__).parse_args()
    upper, lower = functions(ENTRIES)
    found: dict[str, list[float]] = {name: [] for name in ("gradients", *SCHEDULES)}
    with equal_threads(options.threads, None):
        for turn in range(options.rounds + 1):
            spent = [gradients(upper, lower, ENTRIES)]
            spent += [iteration(upper, lower, ENTRIES, name) for name in SCHEDULES]
            if turn:
                for times, value in zip(found.values(), spent, strict=True):
                    times.append(value)
    base = found["gradients"]
    entries = []
    for name in SCHEDULES:
        ratios = [a / b for a, b in zip(found[name], base, strict=True)]
        entry = {"schedule": name, "median": median(ratios), "worst": max(ratios)}
        entry["passes"] = entry["median"] <= AT_MOST and entry["worst"] <= 1.2 * AT_MOST
        entries.append(entry)
        print(
            f"{name}: an iteration costs {entry['median']:.2f} times one gradient of F and one "
            f"of f (worst round {entry['worst']:.2f}), {verdict(entry['passes'], AT_MOST)}"
        )
    body = {"entries": ENTRIES, "at_most": AT_MOST, "seconds": found, "schedules": entries}
    write("iteration_cost", body, threads=options.threads, output=options.output)
    return 0 if all(entry["passes"] for entry in entries) else 1
