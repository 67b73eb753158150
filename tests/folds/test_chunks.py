"""Threads change neither the order nor the values of what they are given."""

import pytest
import torch

from skbamm.folds import map_in_threads, threads_for_rows
from skbamm.folds.chunks import chunk_ranges, threads_for_products

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


@pytest.mark.parametrize("n", [1, 300, 100_000])
@pytest.mark.parametrize("width", [1, 10**7])
def test_ranges_part_the_rows(n, width):
    for least in (1, 5_000):
        ranges = chunk_ranges(n, width, CPU, least)
        assert [row for a, b in ranges for row in range(a, b)] == list(range(n))
        assert all(b - a >= least for a, b in ranges[:-1])
