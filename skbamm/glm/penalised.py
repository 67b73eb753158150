"""What problems with a penalty have in common: the penalty at x, and the set that x lives in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import Problem
from skbamm.folds import Rows
from skbamm.glm.penalties import Penalty, PenaltyAt

MeanLoss = bool | Literal["rows"]


def penalty_divisor(rows: Rows, mean_loss: MeanLoss) -> Tensor:
    """Return what a penalty is divided by where it stands beside a weighted mean, (K,).

    Beside the sum of the losses, ``mean_loss=False``, that is the sum of the weights; beside their
    weighted mean, ``True``, it is 1. ``"rows"`` is for estimators that divide the sum of weighted
    losses by the number of rows, whatever they weigh.
    """
    if mean_loss == "rows":
        return rows.train_total / rows.train_rows.clamp_min(1)
    return torch.ones_like(rows.train_total) if mean_loss else rows.train_total


class PenalisedProblem(Problem):
    """The penalty's share of a problem of S starts and K folds, and of its hypergradient.

    Parameters
    ----------
    penalty : Penalty
    rows : Rows
    bounds : tuple of Tensor or None
        The box that x lives in.
    mean_loss : bool or "rows", default=False
        See ``penalty_divisor``.
    limit : callable, optional
        A further projection of x.
    """

    second_order = has_units = True
    upper_floor = 1e-5  # of the loss of the best constant prediction
    criterion: Any  # a Criterion, or None to solve the lower level only

    def __init__(
        self,
        penalty: Penalty,
        rows: Rows,
        bounds: tuple[Tensor, Tensor] | None,
        mean_loss: MeanLoss = False,
        limit: Callable[[Tensor], Tensor] | None = None,
    ):
        # Where there are kinks, so many coefficients may become free at a time.
        self._n_rows = rows.n_rows
        self.penalty = penalty
        self.bounds = None if bounds is None else (bounds[0].cpu(), bounds[1].cpu())
        self.limit, self.mean_loss = limit, mean_loss
        self.divisor = penalty_divisor(rows, mean_loss)[:, None, None]  # (K, 1, 1)
        self._at_last: tuple[Tensor, int, Tensor, PenaltyAt] | None = None

    @property
    def upper_null(self) -> Tensor:
        """See ``Problem``."""
        return self.criterion.null_average

    @property
    def kinks(self) -> bool:
        """See ``Problem``: they are the penalty's."""
        return self.penalty.has_kinks

    def penalty_at(self, x: Tensor) -> PenaltyAt:
        """Return the penalty at x (S, h); that of the last x is kept."""
        # To compare numbers a device is waited for, to compare names it is not.
        if self._at_last is not None:
            at, version, same, found = self._at_last
            if (at is x and version == x._version) or torch.equal(same, x):
                return found
        found = PenaltyAt(self.penalty, x, self.divisor)
        self._at_last = x, x._version, x.clone(), found
        return found

    def with_penalty(self, penalty: Penalty) -> Any:
        """Return the problem with another penalty."""
        other = copy.copy(self)
        other.penalty, other._at_last = penalty, None
        return other

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """Return the coefficients that may move, and their signs."""
        if not self.penalty.has_kinks:
            return None
        return self.penalty_at(x).face(y, gradient, self._n_rows, mu)

    def project(self, x: Tensor) -> Tensor:
        """Clip x to its bounds, and put it where its limit lets it be."""
        if self.bounds is not None:
            low, high = (b.to(x.dtype) for b in self.bounds)
            x = torch.minimum(torch.maximum(x, low), high)
        return x if self.limit is None else self.limit(x)

    def coefficients(self, y: Tensor) -> Tensor:
        """Return y in the coordinates of X and the target."""
        return y

    def of_coefficients(self, coef: Tensor) -> Tensor:
        """Return the y of such coefficients."""
        return coef

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor:
        """Return the hypergradient's shares at shares ``upper`` of F."""
        return self.grad_of_slopes(x, y, v, mu, self.criterion.slopes(upper))

    def grad_of_slopes(self, x: Tensor, y: Tensor, v: Tensor, mu: float, slopes: Tensor) -> Tensor:
        """Return the same, given the criterion's slopes (S, K).

        Only the penalty sees x, so no pass is needed.
        """
        factor = (mu - 1) * slopes[..., None, None]
        return self.penalty_at(x).grad(y.double(), v.double(), factor)
