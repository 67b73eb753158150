"""The Hessian of kernel ridge regression itself, factored: one matrix a start and fold."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skbamm.bilevel.metrics import Masked, cholesky_factor
from skbamm.folds import map_in_threads
from skbamm.kernels.block import KernelBlock

Numbers = Callable[[Tensor], tuple[list[float], list[float]]]


class KernelMetric:
    """The exact inverse of ``R K R + alpha I`` on each fold's training rows.

    Factors are made when they are first needed; those of starts whose x stays are kept.

    Parameters
    ----------
    blocks : list of KernelBlock
        The kernels of all folds.
    numbers : callable
        Maps x to alpha and gamma of each start.
    x : Tensor of shape (S, h)
    """

    def __init__(self, blocks: list[KernelBlock], numbers: Numbers, x: Tensor):
        self.blocks, self.numbers, self.x = blocks, numbers, x.clone()
        self._factors: list[list[Tensor] | None] = [None] * len(x)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve with the factors; residuals (r, S, K, m, n) are zero off the training rows."""
        self._make()
        solved = torch.zeros_like(residuals)
        for s, factors in enumerate(self._factors):
            assert factors is not None
            for factor, (k, rows) in zip(factors, self._folds(), strict=True):
                right = residuals[:, s, k][..., rows]  # (r, m, n_k)
                flat = right.reshape(-1, len(rows)).T
                # Not cholesky_solve, which copies the factor.
                half = torch.linalg.solve_triangular(factor, flat, upper=False)
                full = torch.linalg.solve_triangular(factor.mT, half, upper=True)
                solved[:, s, k][..., rows] = full.T.view_as(right)
        return solved

    def within(self, face):
        """Return the metric between projections: the matrices are not kept."""
        return Masked(self, face)

    def select(self, starts: list[int]) -> KernelMetric:
        """Return the metric of these starts."""
        chosen = KernelMetric(self.blocks, self.numbers, self.x[starts])
        chosen._factors = [self._factors[s] for s in starts]
        return chosen

    def at(self, x: Tensor, y: Tensor) -> KernelMetric:
        """Return the metric for another x, exact again."""
        if _equal(x, self.x):
            return self
        other = KernelMetric(self.blocks, self.numbers, x)
        for s, point in enumerate(x):
            same = [t for t in range(len(self.x)) if _equal(point, self.x[t])]
            other._factors[s] = self._factors[same[0]] if same else None
        return other

    def outworn(self, slow: bool) -> bool:
        """Return False: the metric does not depend on the point."""
        return False

    def _folds(self) -> list[tuple[int, Tensor]]:
        """Each fold's number and training rows."""
        return list(enumerate(rows for block in self.blocks for rows in block.train))

    def _make(self) -> None:
        """Factor what is not yet."""
        missing = [s for s, factors in enumerate(self._factors) if factors is None]
        if not missing:
            return
        alphas, gammas = self.numbers(self.x)
        made: dict[int, list[Tensor]] = {s: [] for s in missing}
        for block in self.blocks:
            matrices = block.matrices(gammas)
            jobs = [(s, k) for s in missing for k in range(len(block.train))]

            def factor(job, block=block, matrices=matrices):
                s, k = job
                rows, root = block.train[k], block.root[k]
                matrix = _submatrix(matrices[s], rows)
                if not bool((root[rows] == 1).all()):
                    matrix.mul_(root[rows, None]).mul_(root[rows])
                matrix.diagonal().add_(alphas[s])
                return cholesky_factor(matrix)

            for (s, _), found in zip(
                jobs, map_in_threads(factor, jobs, block.base.device), strict=True
            ):
                made[s].append(found)
        for s in missing:
            self._factors[s] = made[s]


def _equal(some: Tensor, other: Tensor) -> bool:
    """Whether two points are the same; what is not given is not a number in both."""
    return some.shape == other.shape and torch.allclose(some, other, 0, 0, equal_nan=True)


def _submatrix(matrix: Tensor, rows: Tensor) -> Tensor:
    """Return these rows and columns, a copy; torch takes columns four times as slowly as NumPy."""
    if matrix.device.type != "cpu":
        return matrix.index_select(0, rows).index_select(1, rows)
    index = rows.numpy()
    return torch.from_numpy(matrix.numpy().take(index, axis=0).take(index, axis=1))
