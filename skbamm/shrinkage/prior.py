"""The prior that shrinks the values of a vector towards each other, so that they generalise.

With one penalty a feature there are as many hyperparameters as coefficients, and the least
cross-validated loss fits the validation rows as the models fit the training rows. So to F of the
logarithms x of the penalties is added, over the rows' number n::

    u / n [ a sum_g (x_g - mean x)^2 + b sum_g sqrt(p_g) d_g(x) ],    d_g = 1 / (1 + P_g(x) / H_g)

The first term draws all to their mean. The second is a price on what the penalty lets through of
each group: d_g is the share of a group's p_g degrees of freedom that are left with the mean
curvature H_g of its coefficients and their penalty P_g, as in ridge regression (Hastie, Tibshirani
& Friedman, "The Elements of Statistical Learning", 2009, section 3.4.1). It makes a threshold:
entries that the validation rows do not need are dropped, clearly needed ones cost no more than the
price. u is what a degree of freedom costs in F by the noise alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import Curvature, Directions, Problem
from skbamm.criteria import Criterion
from skbamm.folds import Rows
from skbamm.glm.penalised import PenalisedProblem
from skbamm.space import VectorAxis

# From strong to weak, then an increasing price: starting with the price would drop features
# whose hypergradient then vanishes for good.
PATH = ((1.0, 0.0), (0.1, 0.0), (0.1, 0.5), (0.1, 2.0))
SHORT_PATH = ((1.0, 0.0), (0.1, 0.5), (0.1, 2.0))


@dataclass(frozen=True)
class Charge:
    """The sum above, as a function of x.

    Attributes
    ----------
    unit : float
        u / n.
    spread, freedom : float
        a and b.
    problem : Problem
        For the penalties P of x.
    columns : Tensor of int of shape (1 or K, d)
        The entry of each feature; empty if entries are of outputs.
    curvature : Tensor of shape (q,)
        H of each entry, in the units of P.
    size : Tensor of shape (q,)
        p of each entry.
    """

    unit: float
    spread: float
    freedom: float
    problem: PenalisedProblem
    columns: Tensor
    curvature: Tensor
    size: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the charge of x, (S, h)."""
        total = self.spread * ((x - x.mean(-1, keepdim=True)) ** 2).sum(-1)
        if self.freedom:
            whole = self.problem.penalty
            penalty = whole.curvature(whole.strengths(x[:, None])) / self.problem.divisor
            penalty = penalty[..., : self.problem.rows.n_features]
            penalty = entry_means(penalty, self.columns, self.size)
            left = self.curvature / (self.curvature + penalty)
            total = total + self.freedom * (self.size.sqrt() * left).sum(-1)
        return self.unit * total

    def with_slope(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the charge (S,) and its gradient (S, h)."""
        at = x.double().detach().requires_grad_()
        with torch.enable_grad():
            value = self(at)
            (slope,) = torch.autograd.grad(value.sum(), at)
        return value.detach(), slope


def entry_means(values: Tensor, columns: Tensor, size: Tensor) -> Tensor:
    """Return the mean over folds and coefficients of each entry, (S, q), of (S, 1|K, 1|m, p)."""
    S, q = len(values), len(size)
    if not columns.numel():  # entries are outputs
        return values.mean((1, 3)).expand(S, q)
    d = columns.shape[-1]
    values = values[..., :d].mean(2)
    folds = max(values.shape[1], len(columns))
    index = columns.expand(folds, d)
    values = values.expand(S, folds, d)
    sums = torch.zeros(S, folds, q + 1, dtype=values.dtype, device=values.device)
    sums = sums.scatter_add(-1, index.expand(S, folds, d), values)[..., :q]
    return (sums / size).mean(1)


def share_left(problem: PenalisedProblem, x: Tensor, y: Tensor, axis: VectorAxis) -> Tensor | None:
    """Return how much of each entry the penalty lets through, from 0 to 1, (q,).

    Of squares d above; of absolute values the share of the coefficients that are not zero.
    None for entries that are not penalties.

    Parameters
    ----------
    problem : Problem
    x : Tensor of shape (1, q)
    y : Tensor of shape (1, K, m, p)
        The models there.
    axis : VectorAxis
    """
    if axis.weighs_rows:
        return None
    size = sizes_of_entries(axis, problem.rows).to(x.device)
    columns = columns_of(axis, x.device)
    d = problem.rows.n_features
    if problem.kinks:
        return entry_means((y[..., :d] != 0).double(), columns, size)[0]
    penalty = entry_means(problem.penalty_at(x).curvature[..., :d], columns, size)[0]
    curvature = curvature_of_entries(problem, x, y, axis)
    return curvature / (curvature + penalty)


def columns_of(axis: VectorAxis, device: torch.device) -> Tensor:
    """Return the entry of each feature, (1 or K, d); none of entries that are outputs."""
    if axis.columns is None:
        return torch.empty(0, dtype=torch.int64, device=device)
    return torch.as_tensor(axis.columns, device=device)


class ShrunkProblem(Problem):
    """A problem with a charge on x added to F; everything else is the problem's own.

    Parameters
    ----------
    problem : Problem
    charge : Charge
    """

    def __init__(self, problem: Problem, charge: Charge):
        self.problem, self.charge, self.shape = problem, charge, problem.shape
        self.second_order, self.hessian_jumps = problem.second_order, problem.hessian_jumps
        self.kinks, self.smoothed = problem.kinks, problem.smoothed
        self.has_closed_form, self.has_units = problem.has_closed_form, problem.has_units
        self.upper_floor = problem.upper_floor
        self._at_last: tuple[Tensor, Tensor, Tensor] | None = None
        self._upper: tuple[Tensor, Tensor] | None = None  # the last shares, with the charge first

    @property
    def lower_floor(self) -> Tensor:
        """See ``Problem``."""
        return self.problem.lower_floor

    @property
    def upper_null(self) -> Tensor:
        """See ``Problem``."""
        return self.problem.upper_null

    @property
    def gradient_rounding(self) -> Tensor:
        """See ``Problem``."""
        return self.problem.gradient_rounding

    def start(self, x: Tensor) -> Tensor:
        """See ``Problem.start``."""
        return self.problem.start(x)

    def descend(self, x: Tensor, y: Tensor, tol: float) -> Tensor:
        """See ``Problem.descend``."""
        return self.problem.descend(x, y, tol)

    def closed_form(self, x: Tensor, y: Tensor, curvature: Curvature, mu: float):
        """See ``Problem.closed_form``."""
        return self.problem.closed_form(x, y, curvature, mu)

    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """See ``Problem.lower``."""
        return self.problem.lower(x, y)

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """See ``Problem.face``."""
        return self.problem.face(x, y, gradient, mu)

    def curvature(self, x: Tensor, y: Tensor, mu: float) -> Curvature:
        """See ``Problem.curvature``."""
        return self.problem.curvature(x, y, mu)

    def project(self, x: Tensor) -> Tensor:
        """See ``Problem.project``."""
        return self.problem.project(x)

    def _charge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return each fold's share of the charge, (S, 1), and of its gradient, (S, 1, h)."""
        if self._at_last is None or not torch.equal(self._at_last[0], x):
            value, slope = self.charge.with_slope(x)
            folds = self.problem.shape[1]
            self._at_last = x.clone(), value[:, None] / folds, slope[:, None] / folds
        return self._at_last[1:]

    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """See ``Problem.directions``."""
        value, slope = self._charge(x)
        d = self.problem.directions(x, y, v, mu)
        charged = d.upper + value
        self._upper = charged, d.upper
        return replace(d, upper=charged, grad_x=d.grad_x + slope)

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor):
        """See ``Problem.grad_x``."""
        value, slope = self._charge(x)
        charged, plain = self._upper or (None, upper)
        plain = plain if charged is upper else upper - value
        found = self.problem.grad_x(x, y, v, mu, plain)
        return None if found is None else found + slope

    def select(self, starts: list[int]) -> ShrunkProblem:
        """See ``Problem.select``."""
        return ShrunkProblem(self.problem.select(starts), self.charge)


def noise_price(criterion: Criterion, upper: float) -> float:
    """Return u: what a degree of freedom costs in n F where the model fits.

    It is half the mean squared slope of the loss over its mean curvature: of squared errors F
    itself, of a log loss that is calibrated one half. F stands for it with all other losses.

    Parameters
    ----------
    criterion : Criterion
    upper : float
        F at the best single penalty, relative to that of the best constant.
    """
    if criterion.name in _LOG_LOSSES:
        return 0.5 / criterion.null
    return 0.5 * upper if criterion.root else upper


_LOG_LOSSES = ("log_loss", "balanced_log_loss")


def sizes_of_entries(axis: VectorAxis, rows: Rows) -> Tensor:
    """Return the number of coefficients of each entry, the mean over the folds, (q,)."""
    if axis.columns is None:
        return torch.full((axis.size,), float(rows.n_features), dtype=torch.float64)
    columns = torch.as_tensor(axis.columns)
    counts = torch.zeros(len(columns), axis.size + 1, dtype=torch.float64)
    ones = torch.ones(columns.shape, dtype=torch.float64)
    return counts.scatter_add(1, columns, ones)[:, : axis.size].mean(0)


def curvature_of_entries(problem: Any, x: Tensor, y: Tensor, axis: VectorAxis) -> Tensor:
    """Return the mean curvature of f's losses in the coefficients of each entry, (q,).

    The intercept makes up for what all of a feature's values have in common.
    """
    if problem.has_closed_form:
        gram = problem.train.gram[None, :, None]
        diagonal, pulled = gram.diagonal(dim1=-2, dim2=-1), gram[..., -1, :]
    else:
        weights = problem.hessian_weights(x, y, 0.0)
        diagonal = problem.rows.diagonal(y[None], weights).double()
        pulled = problem.rows.sweep(y[None], weights)[0][0].double()
    if problem.rows.fit_intercept:
        total = pulled[..., -1:].clamp_min(torch.finfo(torch.float64).tiny)
        diagonal = (diagonal - pulled**2 / total).clamp_min(0)
    d = problem.rows.n_features
    if axis.columns is None:
        return diagonal[..., :d].mean((0, 1, 3)).expand(axis.size)
    columns = torch.as_tensor(axis.columns, device=x.device)
    size = sizes_of_entries(axis, problem.rows).to(x.device)
    return entry_means(diagonal, columns, size)[0].clamp_min(torch.finfo(torch.float64).tiny)
