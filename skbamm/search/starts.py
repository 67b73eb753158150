"""Where a search begins, and where there is nothing to be found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.space import Axis

_SECOND = 2  # points of every interval but the first
_HUGE = 1e30
_BELOW = 0.999  # of the penalty at which the last coefficient vanishes


def starting_points(
    axes: tuple[Axis, ...], count: int, limit: Callable[[Tensor], Tensor] | None = None
) -> list[list[float]]:
    """Return points inside the intervals: ``count`` of the first for each of a few of the others.

    With a ``limit`` the first interval ends where that puts its end.
    """
    rest = [np.linspace(*axis.bounds(), _SECOND + 2)[1:-1] for axis in axes[1:]]
    points = []
    for others in product(*rest):
        ends = torch.tensor([[end, *others] for end in axes[0].bounds()], dtype=torch.float64)
        low, high = (ends if limit is None else limit(ends))[:, 0].tolist()
        inside = np.linspace(low, high, count + 2)[1:-1]
        points += [[float(x), *map(float, others)] for x in inside]
    return points


def empty_slopes(problem) -> Tensor:
    """Return the largest slope of the loss at each fold's model without coefficients, (K,).

    ``problem`` has one start and no hyperparameters. With a larger factor of the absolute values
    the fold's model is empty.
    """
    x = torch.empty(1, 0, dtype=torch.float64, device=problem.rows.device)
    penalised = torch.ones(1, 1, problem.rows.n_coefficients, dtype=torch.float64)
    penalised = penalised.to(problem.rows.device)
    if problem.rows.fit_intercept:
        penalised[..., -1] = 0.0
    empty, free = copy.copy(problem), copy.copy(problem)
    empty.absolute = lambda x: penalised * _HUGE
    free.absolute = None
    _, gradient = free.lower(x, solve_lower(empty, x, tol=1e-6).y)
    return (gradient.double() * penalised).abs().amax((0, 2, 3))


class EmptyLimit:
    """Keeps x where the model of one fold at least has coefficients.

    Beyond it F is constant: its hypergradient is zero and would look like a solution.

    Parameters
    ----------
    axis : Axis
        The first, whose parameter scales the penalty.
    inverse : bool
        Whether the penalty falls with it.
    absolute : callable
        Maps x to the factors of the absolute values, (N, 1, p).
    per_fold : Tensor of shape (K, 1, 1), or 1
        What they are divided by in f.
    slopes : Tensor of shape (K,)
        See ``empty_slopes``.
    """

    def __init__(self, axis: Axis, inverse: bool, absolute, per_fold, slopes: Tensor):
        self.axis, self.inverse, self.absolute = axis, inverse, absolute
        self.per_fold, self.slopes = per_fold, slopes

    def __call__(self, x: Tensor) -> Tensor:
        """Project x of shape (S, h)."""
        with torch.no_grad():
            factor = (self.absolute(x.double())[:, None] / self.per_fold).amax((2, 3))
        room = (_BELOW * self.slopes / factor).amax(1)  # what the penalty may be multiplied by
        too_far = (room < 1) & (room > 0)
        value = self.axis.value(x[:, 0].double())
        value = value / room if self.inverse else value * room
        low, high = self.axis.bounds()
        place = self.axis.place(value).clamp(low, high).to(x.dtype)
        first = torch.where(too_far, place, x[:, 0])
        return torch.cat([first[:, None], x[:, 1:]], 1)
