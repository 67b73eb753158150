"""Chunks of rows, a thread each.

Threads that process separate chunks hardly ever wait for each other. Threads
inside every product and every elementwise step, which is torch's way, wait thousands of times a
pass, and each wait is long where other programs want the same cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch

Range = tuple[int, int]
CPU = torch.device("cpu")
# Numbers that a pass computes of some rows: too few for two threads; what a CPU's caches still
# hold. Threads wait for each other between any two steps, so that few large chunks are faster
# than many small ones.
ALONE, _CACHED, _MOST_ROWS = 1 << 20, 1 << 22, 32768
# And on a GPU: so many that each operation takes longer than its launch, so few that a pass hardly
# adds to the memory that a large matrix takes.
_ON_DEVICE = 1 << 25

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Team:
    """Threads that wait for work; starting one takes longer than many passes."""

    def __init__(self, threads: int):
        self.threads = threads
        self.pool: ThreadPoolExecutor | None = None

    def share(
        self, work: Callable[[list[_Item]], _Result], shares: list[list[_Item]]
    ) -> list[_Result]:
        """Call ``work`` with each of the shares, a thread each."""

        def alone(share):
            torch.set_num_threads(1)  # a new thread has torch's default
            return work(share)

        if self.pool is None:
            self.pool = ThreadPoolExecutor(self.threads)
        futures = [self.pool.submit(alone, share) for share in shares]
        try:
            return [future.result() for future in futures]
        finally:
            wait(futures)

    def leave(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()


_team: ContextVar[_Team | None] = ContextVar("team", default=None)


def chunk_ranges(
    n_rows: int, width: int, device: torch.device = CPU, least: int = 256
) -> list[Range]:
    """Return ranges of rows for passes that make ``width`` numbers a row.

    On a CPU their results fit the cache, and all threads get equally many. On another device each
    step of a pass should keep the device busy, so that only its memory is a limit.

    Parameters
    ----------
    n_rows, width : int
    device : torch.device
    least : int
        Rows that a range has at least.
    """
    width, least = max(width, 1), max(256, least)
    if device.type != "cpu":
        size = max(least, _ON_DEVICE // width)
    elif n_rows * width <= ALONE:
        size = max(n_rows, 1)
    else:
        count = -(-n_rows // min(_MOST_ROWS, max(least, _CACHED // width)))
        threads = _count()
        size = max(least, -(-n_rows // (-(-count // threads) * threads)))
    starts = range(0, n_rows, size)
    return [(start, min(start + size, n_rows)) for start in starts]


@contextmanager
def threads_for_rows() -> Iterator[None]:
    """Use torch's threads for chunks of rows, and one for all else, while the context lasts."""
    outer, threads = _team.get(), torch.get_num_threads()
    team = outer or _Team(threads)
    token = _team.set(team)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        _team.reset(token)
        torch.set_num_threads(threads)
        if outer is None:
            team.leave()


def _count() -> int:
    """Return how many threads there are."""
    team = _team.get()
    return torch.get_num_threads() if team is None else team.threads


@contextmanager
def threads_for_products() -> Iterator[None]:
    """Give torch's threads back to its own products, within ``threads_for_rows``."""
    before = torch.get_num_threads()
    torch.set_num_threads(_count())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def over_chunks(
    ranges: list[_Item], device: torch.device, work: Callable[[list[_Item]], _Result]
) -> list[_Result]:
    """Call ``work`` with a share of the ranges in each of torch's threads.

    The shares depend on the number of threads alone, so that results are reproducible.
    """
    workers = min(_count(), len(ranges))
    if workers < 2 or device.type != "cpu":
        return [work(ranges)]
    with threads_for_rows():
        team = _team.get()
        assert team is not None
        return team.share(work, [ranges[i::workers] for i in range(workers)])


def over_ranges(
    n_rows: int, size: int, work: Callable[[int, int], object], device: torch.device = CPU
) -> None:
    """Call ``work`` with ranges of rows of ``size`` bytes each."""

    def share(ranges):
        for start, stop in ranges:
            work(start, stop)

    over_chunks(chunk_ranges(n_rows, size, device), device, share)


def map_in_threads(
    function: Callable[[_Item], _Result], items: Sequence[_Item], device: torch.device
) -> list[_Result]:
    """Return the function of each item, a share of them in each of torch's threads."""
    found: dict[int, _Result] = {}

    def work(share):
        for i in share:
            found[i] = function(items[i])

    over_chunks(list(range(len(items))), device, work)
    return [found[i] for i in range(len(items))]
