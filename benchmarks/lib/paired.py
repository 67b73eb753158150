"""Paired differences of splits or seeds, and their intervals."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy.stats import t as student


def paired_interval(difference: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's interval for the mean of the splits' differences."""
    n = len(difference)
    half = student.ppf((1 + level) / 2, n - 1) * difference.std(ddof=1) / sqrt(n)
    return float(difference.mean() - half), float(difference.mean() + half)


def difference(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """The paired difference over the seeds, ours - theirs, and its 95 % interval."""
    d = np.subtract(ours, theirs)
    return {"mean": float(d.mean()), "interval": paired_interval(d) if len(d) > 1 else None}
