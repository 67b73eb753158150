"""Averaging weights that follow the run: ``phi = mu F + (1 - mu) f``.

With mu > 0 the lower level picks those of its solutions with a low F, as the optimistic bi-level
problem requires, but the solution is biased by O(mu). So mu has to vanish, slowly enough that y,
v and x follow.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from skbamm.bilevel.columns import dot

if TYPE_CHECKING:
    from typing_extensions import Self

# Ratio of curvatures, in float64, above which the lower level is flat: the root of its rounding.
_RATIO = 1e8
_PROBES = 50  # Lanczos steps that look for a flat direction: exact for as many entries of y


class Averaging(ABC):
    """The weight mu of each iteration.

    Attributes
    ----------
    vanishes : bool
        Whether the weight decreases during a run, which ends only when it is small.
    by_iteration : bool
        Whether it depends on k; else it is ``weight`` until ``observe`` changes that.
    weight : float
    """

    vanishes: bool = False
    by_iteration: bool = True
    weight: Any

    @abstractmethod
    def __call__(self, k: int) -> float:
        """Return the weight of iteration k."""

    def begin(self) -> Self:
        """Return a copy for one run."""
        return copy.copy(self)

    def observe(self, trusted: bool, residual: float) -> bool:
        """Take note of how the run goes; return whether the weight has changed.

        Parameters
        ----------
        trusted : bool
        residual : float
            That of the equation of x.
        """
        return False


class GivenAverage(Averaging):
    """Weights that are fixed beforehand.

    Parameters
    ----------
    weight : callable of k, or float
    """

    def __init__(self, weight: Callable[[int], float] | float):
        self.weight, self.by_iteration = weight, callable(weight)

    def __call__(self, k: int) -> float:
        """Return the weight of iteration k."""
        return self.weight(k) if callable(self.weight) else self.weight


def averaging(mu: Callable[[int], float] | float | None) -> Averaging:
    """Return the averaging of a user's argument; None means no averaging."""
    return mu if isinstance(mu, Averaging) else GivenAverage(0.0 if mu is None else mu)


class VanishingAverage(Averaging):
    """A weight that decreases by a constant factor whenever y, v and x have converged.

    Parameters
    ----------
    first, factor : float
    last : float
        Final weight: its effect is below the tolerance.
    """

    vanishes, by_iteration = True, False

    def __init__(self, first: float = 0.1, factor: float = 0.1, last: float = 1e-8):
        self.weight, self.factor, self.last = first, factor, last

    def __call__(self, k: int) -> float:
        """Return the present weight."""
        return self.weight

    def observe(self, trusted: bool, residual: float) -> bool:
        """Lower the weight if x is as near its solution as the weight lets it be."""
        if self.weight <= self.last or not trusted or residual > self.weight:
            return False
        self.weight = max(self.weight * self.factor, self.last)
        return True


def curvatures(product, like: Tensor) -> tuple[float, float]:
    """Return the least and the largest curvature, estimated by a few Lanczos steps.

    Parameters
    ----------
    product : callable
        Maps directions (1, S, K, ...) to the Hessian times the directions.
    like : Tensor of shape (S, K, ...)
        Its shape, dtype and device are those of the directions.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(like.shape, generator=generator, dtype=torch.float64)
    q = start.to(like)
    q = q / dot(q, q).sum().sqrt().to(q.dtype)
    last, beta = torch.zeros_like(q), 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(_PROBES, like[0, 0].numel())):
        z = product(q[None])[0]
        alpha = float(dot(q, z).sum())
        diagonal.append(alpha)
        z = z - alpha * q - beta * last
        beta = float(dot(z, z).sum().sqrt())
        beside.append(beta)
        if beta <= 1e-6 * max(map(abs, diagonal)):
            break
        last, q = q, z / beta
    n = len(diagonal)
    tridiagonal = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if n > 1:
        off = torch.tensor(beside[: n - 1], dtype=torch.float64)
        tridiagonal += torch.diag(off, 1) + torch.diag(off, -1)
    values = torch.linalg.eigvalsh(tridiagonal)
    return float(values.min()), float(values.max())


def is_flat(least: float, largest: float, dtype: torch.dtype) -> bool:
    """Whether a function with these curvatures has directions of none."""
    ratio = _RATIO if dtype == torch.float64 else _RATIO**0.5
    return not least * ratio > abs(largest)
