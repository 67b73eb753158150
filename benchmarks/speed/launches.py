"""Operations on a GPU that one iteration of a search starts, counted on a pretended one.

Each operation is a launch, which takes a few microseconds whatever its size, and large ones read
and write memory. Views are none. The counts are of the median iteration once the search is
under way, of one pass over the rows, and of one pass without the two products: in all and of those
that touch a number for every row. No GPU is needed, and nothing is timed.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.lib.harness import parser, write
from skbamm import BAMMSearchCV
from skbamm.bilevel.adaptive import AdaptiveIteration
from skbamm.glm.problem import GLMProblem
from tests.pretend_gpu import NAME, pretended_gpu

ROWS, FEATURES, CV = 300_000, 50, 5
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "matmul")


class Counting(TorchDispatchMode):
    """Counts the operations on the pretended GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bool]] = []  # names, and whether they are large

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        out = function(*args, **(kwargs or {}))
        parts = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
        there = [t for t in parts if t.device.type == NAME]
        returned = function._schema.returns
        view = bool(returned) and all(
            one.alias_info is not None and not one.alias_info.is_write for one in returned
        )
        if there and not view:
            large = max(max(t.shape, default=0) for t in there) >= ROWS
            self.seen.append((function._schema.name.removeprefix("aten::"), large))
        return out


def summary(calls: list[list[tuple[str, bool]]]) -> dict[str, Any]:
    """Return the medians of calls in all and of large ones, and what the middle one is made of.

    Those that see a few of the rows only are left out, where others see all.
    """
    whole = [call for call in calls if any(large for _, large in call)]
    calls = whole or calls
    middle = sorted(calls, key=len)[len(calls) // 2]
    return {
        "all": median(len(call) for call in calls),
        "large": median(sum(large for _, large in call) for call in calls),
        "large_operations": dict(Counter(name for name, large in middle if large)),
        "small_operations": dict(Counter(name for name, large in middle if not large)),
    }


@contextmanager
def recorded(owner: type, name: str, counting: Counting, calls: list) -> Iterator[None]:
    """Note the operations of each call of a method."""
    own = getattr(owner, name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = len(counting.seen)
        result = own(self, *args, **kwargs)
        calls.append(counting.seen[before:])
        return result

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, own)


def counted(model: Any, space: dict, scoring: str, data: Any) -> dict[str, Any]:
    """Count one search's operations."""
    iterations: list = []
    passes: list = []
    with warnings.catch_warnings(), pretended_gpu() as device, Counting() as counting:
        warnings.simplefilter("ignore")
        with (
            recorded(AdaptiveIteration, "step", counting, iterations),
            recorded(GLMProblem, "directions", counting, passes),
        ):
            BAMMSearchCV(model, space, scoring=scoring, cv=CV, device=device, dtype="float32").fit(
                *data
            )
        entry = {"iteration": summary(iterations), "whole_fit": len(counting.seen)}
    if passes:
        entry["pass"] = summary(passes)
    return entry


def cases() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, FEATURES)).astype(np.float32)
    z = X @ rng.standard_normal((FEATURES, 4)) + rng.standard_normal((ROWS, 4))
    C, alpha = {"C": (1e-3, 1e3)}, {"alpha": (1e-3, 1e3)}
    model = LogisticRegression(max_iter=1000)
    return {
        "logistic": (model, C, "neg_log_loss", (X, (z[:, 0] > 0).astype(int))),
        "accuracy": (model, C, "accuracy", (X, (z[:, 0] > 0).astype(int))),
        "classes": (model, C, "neg_log_loss", (X, z.argmax(1))),
        "counts": (PoissonRegressor(), alpha, "neg_mean_poisson_deviance",
                   (X, rng.poisson(np.exp(0.1 * z[:, 0])))),
        "ridge": (Ridge(), alpha, "r2", (X, z[:, 0])),
    }  # fmt: skip


def main() -> int:
    """Count, print and write."""
    options = parser(__doc__, rounds=None).parse_args()
    record: dict[str, Any] = {"cases": {}}
    for name, case in cases().items():
        record["cases"][name] = entry = counted(*case)
        told = [f"{part} {entry[part]['all']:g} ({entry[part]['large']:g} large)"
                for part in ("iteration", "pass") if part in entry]  # fmt: skip
        print(f"{name}: {', '.join(told)}; whole fit {entry['whole_fit']}", flush=True)
    write("launches", record, threads=options.threads, output=options.output)
    return 0
