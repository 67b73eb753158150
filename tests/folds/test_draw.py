"""Rows drawn where a part of them is enough."""

import numpy as np
import pytest

from skbamm.folds import draw_rows


@pytest.mark.parametrize("n, count", [(10, 10), (1000, 7), (25, 10), (100_003, 20_000)])
def test_one_row_of_each_even_part_is_drawn(n, count):
    rows = draw_rows(n, count)
    edges = np.arange(count + 1) * n // count
    assert np.all((edges[:-1] <= rows) & (rows < edges[1:]))


def test_the_rows_are_the_same_every_time_and_not_what_others_draw():
    rows = draw_rows(10_000, 1000)
    assert np.array_equal(rows, draw_rows(10_000, 1000))
    common = np.random.default_rng(0).choice(10_000, 1000, replace=False)
    assert len(np.intersect1d(rows, common)) < 200
