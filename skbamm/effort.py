"""Work that is counted, so that a joint solve ends where the estimator's own fits are sooner.

Passes over rows, Gram matrices and factors are told to a meter in the seconds that they take about
on one core. Counted, and not measured: the same input leads to the same decisions on a busy
machine, too. The clock ends what takes three times as long as was counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

# Seconds, measured on one core of a server (benchmarks/everyday/effort.py).
_CALL = 4e-4  # a pass, whatever its size
_PRODUCT = {torch.float32: 3.5e-11, torch.float64: 8e-11}  # a multiplication of a dense product
_SPARSE_PRODUCT = 2.5e-10
_PREDICTOR = {torch.float32: 6e-9, torch.float64: 1e-8}  # loss and slope of one predictor
_COEFFICIENT = 1.2e-8  # what is done with each coefficient around a pass
_STEP, _FACE_STEP = (
    2e-4,
    2e-3,
)  # an iteration beside its passes; where coefficients are held at zero
_GRAM, _FACTOR, _SOLVE = 5e-11, 6e-11, 1e-9  # a multiplication
_WEIGHED = 2.5e-9  # an entry of what a Gram matrix is made of
_SCALED = 4e-9  # an entry of what is factored
# Of Gram matrices from pairs of non-zeros: a call, a pair, and a sparse product beside.
GRAM_PRODUCT, GRAM_CALL, PAIR, SPARSE_PRODUCT = _GRAM, 2e-4, 1.2e-9, 3e-10
_DESCENT = 1e-9  # a multiplication of coordinate descent
_CLOCK = 3.0  # times the counted limit


class OverBudget(Exception):
    """The joint solve would take longer than the estimator's own fits."""


class Meter:
    """Counts seconds of work up to a limit.

    Parameters
    ----------
    limit : float
    closer : callable, optional
        Returns a limit that is better known, which is asked for once the first is reached.
    """

    def __init__(self, limit: float, closer: Callable[[], float] | None = None):
        self.limit, self.spent, self._closer = limit, 0.0, closer
        self._began = time.perf_counter(), time.process_time()

    def spend(self, seconds: float) -> None:
        """Count some work, or raise OverBudget."""
        self.spent += seconds
        if self.spent > self.limit and self._closer is not None:
            closer, self._closer = self._closer, None
            self.limit = max(self.limit, closer())
        if self.spent > self.limit:
            raise OverBudget("own fits are sooner")
        # On a busy machine the clock runs on, with many threads the processor's time does.
        late, (began, used) = _CLOCK * self.limit + 1.0, self._began
        if time.perf_counter() - began > late and time.process_time() - used > late:
            raise OverBudget("own fits are sooner, by the clock")


_METER: ContextVar[Meter | None] = ContextVar("skbamm_meter", default=None)


@contextmanager
def metered(meter: Meter | None) -> Iterator[None]:
    """Count what is done inside; None counts nothing."""
    token = _METER.set(meter)
    try:
        yield
    finally:
        _METER.reset(token)


def spend(seconds: float) -> None:
    """Count some work, if anybody does."""
    meter = _METER.get()
    if meter is not None:
        meter.spend(seconds)


def pass_seconds(
    shape: tuple[int, int], entries: float, columns: int, dtype: torch.dtype, products: int = 2
) -> float:
    """Return what a pass takes: products of a matrix with columns, and their loss.

    Parameters
    ----------
    shape : tuple of int
        Of the matrix.
    entries : float
        Of it that are stored.
    columns : int
        Predictors a row.
    dtype : torch.dtype
    products : int
        With the matrix and its transpose.
    """
    rows, features = shape
    sparse = entries < rows * features
    each = _SPARSE_PRODUCT if sparse else _PRODUCT.get(dtype, _PRODUCT[torch.float64])
    of_loss = _PREDICTOR.get(dtype, _PREDICTOR[torch.float64])
    around = features * _COEFFICIENT
    return _CALL + columns * (products * entries * each + rows * of_loss + around)


def step_seconds(kinks: bool) -> float:
    """Return what an iteration takes beside its passes, with kinks in the penalty or without."""
    return _FACE_STEP if kinks else _STEP


def gram_seconds(matrices: int, rows: float, features: int) -> float:
    """Return what weighted Gram matrices take."""
    return _CALL + matrices * rows * features * (features * _GRAM + _WEIGHED)


def factor_seconds(matrices: int, features: int) -> float:
    """Return what Cholesky factors take."""
    return _CALL + matrices * features**2 * (features / 3 * _FACTOR + _SCALED)


def solve_seconds(sides: int, features: int) -> float:
    """Return what solves with factors take."""
    return _CALL / 3 + sides * features**2 * _SOLVE


def descent_seconds(columns: int, features: int, sweeps: int) -> float:
    """Return what coordinate descent on second moments takes."""
    return columns * sweeps * features**2 * _DESCENT
