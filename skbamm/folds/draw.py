"""Rows drawn where a part of them is enough."""

from __future__ import annotations

import numpy as np

# Not 0: who drew the rows to spoil, or to test on, with that seed would find just these here.
_SEED = 2302_03407


def draw_rows(n_rows: int, count: int) -> np.ndarray:
    """Return one random row of each of ``count`` equal parts, always the same ones.

    They are sorted, and stand for all even where these are sorted by something.
    """
    jitter = np.random.default_rng(_SEED).random(count)
    edges = np.arange(count + 1) * n_rows // count
    return edges[:-1] + (jitter * np.diff(edges)).astype(np.intp)
