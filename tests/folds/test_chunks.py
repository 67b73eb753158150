"""Threads change neither the order nor the values of what they are given."""

import threading

import pytest
import torch

from skbamm.folds import map_in_threads, threads_for_rows
from skbamm.folds.chunks import chunk_ranges, over_chunks, threads_for_products

CPU = torch.device("cpu")


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_items_keep_their_order(count):
    with threads_for_rows():
        assert map_in_threads(lambda i: i * i, range(count), CPU) == [i * i for i in range(count)]


def test_products_have_the_threads_that_rows_do_not_use():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threads_for_rows():
            assert torch.get_num_threads() == 1
            with threads_for_products():
                assert torch.get_num_threads() == 2
            assert torch.get_num_threads() == 1
        with threads_for_products():
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_fault_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda i: 1 // i, [2, 1, 0], CPU)


@pytest.mark.parametrize("n, width, count", [(1000, 100, 1), (20_000, 100, 2), (200_000, 100, 8)])
def test_each_thread_gets_as_many_rows(n, width, count):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        sizes = [b - a for a, b in chunk_ranges(n, width)]
    finally:
        torch.set_num_threads(before)
    assert len(sizes) == count and max(sizes) - min(sizes) < count


def test_threads_stay_while_the_context_lasts():
    def name(share):
        return [threading.current_thread().name for _ in share]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threads_for_rows():
            first, again = over_chunks([1, 2], CPU, name), over_chunks([1, 2], CPU, name)
            other = over_chunks([1, 2], CPU, lambda share: over_chunks(share, CPU, name))
    finally:
        torch.set_num_threads(before)
    used = {names[0] for names in first + again}
    assert len(used) <= 2 and len(other) == 2
    assert not any(thread.name in used for thread in threading.enumerate())


@pytest.mark.parametrize("n", [1, 300, 100_000])
@pytest.mark.parametrize("width", [1, 10**7])
def test_ranges_part_the_rows(n, width):
    for least in (1, 5_000):
        ranges = chunk_ranges(n, width, CPU, least)
        assert [row for a, b in ranges for row in range(a, b)] == list(range(n))
        assert all(b - a >= least for a, b in ranges[:-1])
