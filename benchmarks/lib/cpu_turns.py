"""Times searches in turns, by the processor's clock and by the wall's."""

import gc
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from sklearn.utils import resample

ROUNDS = 3
_WARM_ROWS = 300


class Hang(BaseException):
    """A search took too long; not an Exception, which it might survive."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise ``Hang`` when the process has used so many more CPU seconds."""

    def stop(number, frame):
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def timed(build: Callable[[], Any], X: Any, y: Any, limit: float) -> tuple[Any, float, float]:
    """Return a fitted search, its CPU seconds and wall seconds; None for one that hangs."""
    search = build()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        with limited(limit):
            search.fit(X, y)
    except Hang:
        search = None
    return search, time.process_time() - cpu, time.perf_counter() - wall


def in_turns(
    searches: dict[str, Callable[[], Any]],
    X: Any,
    y: Any,
    *,
    rounds: int = ROUNDS,
    enough: float = 12.0,
    limits: Callable[[str, dict], float] = lambda name, record: 120.0,
) -> dict[str, dict[str, Any]]:
    """Fit searches A B C, A B C, ... and return what each took.

    Parameters
    ----------
    searches : dict of str to callable
        Each returns an unfitted search.
    rounds : int
        At most.
    enough : float
        Wall seconds after which no other round is begun.
    limits : callable
        Maps a search's name and what is known so far to the CPU seconds that it may take.

    Returns
    -------
    dict
        By search: "cpu" and "wall" (medians), "rounds", "hangs", and "search", the last fitted.
    """
    rows = min(_WARM_ROWS, len(y))
    few = resample(X, y, replace=False, n_samples=rows, random_state=0)
    record: dict[str, dict[str, Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for build in searches.values():
            timed(build, *few, 20.0)
        began = time.perf_counter()
        for _ in range(rounds):
            for name, build in searches.items():
                one = record.setdefault(name, {"all_cpu": [], "all_wall": [], "hangs": False})
                if one["hangs"]:
                    continue
                one["search"], cpu, wall = timed(build, X, y, limits(name, record))
                one["hangs"] = one["search"] is None
                one["all_cpu"].append(cpu)
                one["all_wall"].append(wall)
            if time.perf_counter() - began > enough:
                break
    for one in record.values():
        one["cpu"], one["wall"] = median(one["all_cpu"]), median(one["all_wall"])
        one["rounds"] = len(one["all_cpu"])
    return record
