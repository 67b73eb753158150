"""Chunks of rows, a thread each.

Threads that each work through chunks of their own hardly ever wait for one another. Threads
inside every product and every elementwise step, which is torch's way, wait thousands of times a
pass, and each wait is long where other programs want the same cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import torch

Range = tuple[int, int]
_threads: ContextVar[int | None] = ContextVar("threads", default=None)


def chunk_ranges(n_rows: int, width: int, least: int = 256) -> list[Range]:
    """Return ranges of rows whose share of a pass, ``width`` numbers a row, fits the cache.

    They have ``least`` rows at least.
    """
    size = max(256, least, min(8192, (1 << 20) // max(width, 1)))
    starts = range(0, n_rows, size)
    return [(start, min(start + size, n_rows)) for start in starts]


@contextmanager
def threads_for_rows() -> Iterator[None]:
    """Use torch's threads for chunks of rows, and one for all else, while the context lasts."""
    threads = torch.get_num_threads()
    token = _threads.set(_threads.get() or threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _threads.reset(token)
        torch.set_num_threads(threads)


def over_chunks(ranges: list, device: torch.device, work: Callable[[list], object]) -> list:
    """Call ``work`` with a share of the ranges in each of torch's threads.

    The shares depend on the number of threads alone, so that results are reproducible.
    """
    threads = _threads.get() or torch.get_num_threads()
    workers = min(threads, len(ranges))
    if workers < 2 or device.type != "cpu":
        return [work(ranges)]

    with threads_for_rows(), ThreadPoolExecutor(workers) as pool:

        def alone(share):
            torch.set_num_threads(1)  # a new thread has torch's default
            return work(share)

        return list(pool.map(alone, [ranges[i::workers] for i in range(workers)]))


def map_in_threads(function: Callable, items: Sequence, device: torch.device) -> list:
    """Return the function of each item, a share of them in each of torch's threads."""
    found: dict[int, object] = {}

    def work(share):
        for i in share:
            found[i] = function(items[i])

    over_chunks(list(range(len(items))), device, work)
    return [found[i] for i in range(len(items))]
