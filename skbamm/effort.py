"""Work that is counted, so that a joint solve ends where the estimator's own fits are faster.

A meter counts passes over rows, Gram matrices and factors in the seconds that they take on one
core. They are counted, not measured: the same input leads to the same decisions on a busy machine,
too. The clock ends only what takes three times as long as was counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Costs:
    """Seconds on one core of a server.

    ``benchmarks/everyday/effort.py`` measures them, and holds whole searches to their sums.

    Attributes
    ----------
    call : float
        A pass, whatever its size.
    product, wide_product : float
        A multiplication of a dense product, in single and in double precision.
    sparse_product : float
        A multiplication of a sparse product.
    predictor, wide_predictor : float
        Loss and slope of one predictor, in single and in double precision.
    coefficient : float
        The work with each coefficient around a pass.
    step, face_step : float
        Overhead of an iteration apart from its passes, without and with kinks.
    face : float
        Overhead of a step from face to face, after the first few of an iteration.
    packed : float
        An entry of a Gram matrix in the rows that a face takes of it.
    face_factor : float
        A multiplication of a face's factor; where rows determine less than is free, some are tried
        twice.
    gram, factor, solve : float
        A multiplication of a Gram matrix, a Cholesky factor, and a solve with it.
    weighed, scaled : float
        An entry that a Gram matrix is made of, and one of a matrix that is factored.
    pair_call, pair, pair_product : float
        Gram matrices from pairs of non-zeros: a call, a pair, and the overhead of a sparse product.
    descent : float
        A multiplication of coordinate descent.
    map : float
        A feature map of one fold, whatever its size.
    map_entry, map_factor : float
        An entry of it, and a multiplication of the decomposition of as many components.
    late : float
        Times the counted limit after which the clock ends the work.
    """

    call: float = 4e-4
    product: float = 3.5e-11
    wide_product: float = 8e-11
    sparse_product: float = 2.5e-10
    predictor: float = 6e-9
    wide_predictor: float = 1e-8
    coefficient: float = 1.2e-8
    step: float = 2e-4
    face_step: float = 2e-3
    face: float = 8e-4
    packed: float = 2e-9
    face_factor: float = 2e-10
    gram: float = 5e-11
    factor: float = 6e-11
    solve: float = 1e-9
    weighed: float = 2.5e-9
    scaled: float = 4e-9
    pair_call: float = 2e-4
    pair: float = 1.2e-9
    pair_product: float = 3e-10
    descent: float = 1e-9
    map: float = 5e-3
    map_entry: float = 2.5e-8
    map_factor: float = 7e-10
    late: float = 3.0


COSTS = Costs()
_FACES = 2  # that the overhead of an iteration includes


class OverBudget(Exception):
    """The joint solve would take longer than the estimator's own fits."""


class Meter:
    """Counts seconds of work up to a limit.

    Parameters
    ----------
    limit : float
    closer : callable, optional
        Returns a more accurate limit; called once, when the first limit is reached.
    """

    def __init__(self, limit: float, closer: Callable[[], float] | None = None):
        self.limit, self.spent, self._closer = limit, 0.0, closer
        self._began = time.perf_counter(), time.process_time()

    def anew(self) -> Meter:
        """Return a new meter with the same limit."""
        return Meter(self.limit, self._closer)

    def spend(self, seconds: float) -> None:
        """Count some work, or raise OverBudget."""
        self.spent += seconds
        if self.spent > self.limit and self._closer is not None:
            closer, self._closer = self._closer, None
            self.limit = max(self.limit, closer())
        if self.spent > self.limit:
            raise OverBudget("own fits are faster")
        # On a busy machine the clock runs on, with many threads the processor's time does.
        late, (began, used) = COSTS.late * self.limit + 1.0, self._began
        if time.perf_counter() - began > late and time.process_time() - used > late:
            raise OverBudget("own fits are faster, as measured")


# The meter of the current work; inner loops count their cost only if there is one.
METER: ContextVar[Meter | None] = ContextVar("skbamm_meter", default=None)


@contextmanager
def metered(meter: Meter | None) -> Iterator[None]:
    """Count the work done inside; None counts nothing."""
    token = METER.set(meter)
    try:
        yield
    finally:
        METER.reset(token)


def spend(seconds: float) -> None:
    """Count some work, if there is a meter."""
    meter = METER.get()
    if meter is not None:
        meter.spend(seconds)


def pass_seconds(
    shape: tuple[int, int], entries: float, columns: int, dtype: torch.dtype, products: int = 2
) -> float:
    """Return the cost of a pass: products of a matrix with columns, and their loss.

    Parameters
    ----------
    shape : tuple of int
        Of the matrix.
    entries : float
        Stored entries of the matrix.
    columns : int
        Predictors a row.
    dtype : torch.dtype
    products : int
        With the matrix and its transpose.
    """
    rows, features = shape
    single, at = dtype is torch.float32, COSTS
    each = at.product if single else at.wide_product
    if entries < rows * features:
        each = at.sparse_product
    of_loss = at.predictor if single else at.wide_predictor
    around = features * at.coefficient
    return at.call + columns * (products * entries * each + rows * of_loss + around)


def step_seconds(kinks: bool) -> float:
    """Return the cost of an iteration apart from its passes, with or without kinks."""
    return COSTS.face_step if kinks else COSTS.step


def face_seconds(before: int) -> float:
    """Return the overhead of a step from face to face; ``step_seconds`` has the first few's."""
    return COSTS.face if before >= _FACES else 0.0


def packed_seconds(matrices: int, free: int, features: int) -> float:
    """Return the cost of matrices of a face, in addition to a step's overhead.

    Parameters
    ----------
    matrices : int
        That are factored.
    free, features : int
        Coefficients of a matrix, and of the one that it is taken from.
    """
    each = features * COSTS.packed + free * (free / 3 * COSTS.face_factor + COSTS.scaled)
    return matrices * free * each


def map_seconds(rows: int, components: int) -> float:
    """Return the cost of a feature map of one fold: its fit, and what it makes of all rows."""
    return COSTS.map + components * (rows * COSTS.map_entry + components**2 * COSTS.map_factor)


def gram_seconds(matrices: int, rows: float, features: int) -> float:
    """Return the cost of weighted Gram matrices."""
    each = features * COSTS.gram + COSTS.weighed
    return COSTS.call + matrices * rows * features * each


def factor_seconds(matrices: int, features: int) -> float:
    """Return the cost of Cholesky factors."""
    each = features / 3 * COSTS.factor + COSTS.scaled
    return COSTS.call + matrices * features**2 * each


def solve_seconds(sides: int, features: int) -> float:
    """Return the cost of solves with factors."""
    return COSTS.call / 3 + sides * features**2 * COSTS.solve


def descent_seconds(columns: int, features: int, sweeps: int) -> float:
    """Return the cost of coordinate descent on second moments."""
    return columns * sweeps * features**2 * COSTS.descent
