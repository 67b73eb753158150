"""The penalty at x, and what problems with a penalty have in common."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.problem import Directions, Problem
from skbamm.folds import Rows
from skbamm.glm.penalties import Penalty

if TYPE_CHECKING:
    from typing_extensions import Self

MeanLoss = bool | Literal["rows"]

# Entries of x up to which the derivatives of all strengths are kept; of more, what autograd
# needs to go back through them.
_FEW = 4


def penalty_divisor(rows: Rows, mean_loss: MeanLoss) -> Tensor:
    """Return the divisor of a penalty that is added to a weighted mean of losses, (K,).

    For a sum of losses, ``mean_loss=False``, it is the sum of the weights; for their
    weighted mean, ``True``, it is 1. ``"rows"`` is for estimators that divide the sum of weighted
    losses by the number of rows, whatever they weigh.
    """
    if mean_loss == "rows":
        return rows.train_total / rows.train_rows.clamp_min(1)
    return torch.ones_like(rows.train_total) if mean_loss else rows.train_total


class PenaltyAt:
    """A penalty at one x, scaled as in f, where it is added to the mean of the losses.

    Its strengths and their derivatives in x are evaluated once.

    Parameters
    ----------
    penalty : Penalty
    x : Tensor of shape (S, h)
    divisor : Tensor of shape (K, 1, 1)
        See ``penalty_divisor``.

    Attributes
    ----------
    means : list of Tensor of shape (S, K, 1 or m, p)
        The strengths of each part, divided, in float64.
    curvature : Tensor of the same shape
        The diagonal that smooth parts add to the Hessian; their value is half of its product with
        the squares of y.
    kinked : Penalty or None
        The part with kinks.
    kink : Tensor of the same shape
        The strengths of that part, if there is one.
    """

    kink: Tensor

    def __init__(self, penalty: Penalty, x: Tensor, divisor: Tensor):
        self._parts, self.kinked, self._divisor = penalty.parts, penalty.kinked, divisor
        folds = 1 if x.shape[1] <= _FEW else len(divisor)
        with torch.enable_grad():
            self._x = x.detach().double()[:, None].repeat(1, folds, 1).requires_grad_()
            self._strengths = penalty.strengths(self._x)
        self._derivatives: list[Tensor] | None = None
        self._at_y: tuple[Tensor, int, list[Tensor]] | None = None
        self.means = [strength.detach() / divisor for strength in self._strengths]
        self.curvature = penalty.curvature(self.means)
        if self.kinked is not None:
            self.kink = self.means[self._parts.index(self.kinked)]

    def value(self, y: Tensor) -> Tensor:
        """Return the penalty of y, (S, K)."""
        total = self._parts[0].value(self.means[0], y)
        for part, mean in zip(self._parts[1:], self.means[1:], strict=True):
            total = total + part.value(mean, y)
        return total

    def value_and_sides(self, y: Tensor) -> Tensor:
        """Return the penalty of y, and keep what ``sides`` returns."""
        values, sides = [], []
        for part, mean in zip(self._parts, self.means, strict=True):
            values.append(part.value(mean, y))
            sides.append(part.sides(y))
        self._at_y = y, y._version, sides
        return sum(values[1:], values[0])

    def sides(self, y: Tensor) -> list[Tensor]:
        """Return the slopes of each part at y without its strengths; the last are kept."""
        if self._at_y is None or self._at_y[0] is not y or self._at_y[1] != y._version:
            sides = []
            for part in self._parts:
                sides.append(part.sides(y))
            self._at_y = y, y._version, sides
        return self._at_y[2]

    def forget(self) -> None:
        """Drop what is kept of the last y."""
        self._at_y = None

    def slope(self, y: Tensor, gradient: Tensor, mu: float) -> Tensor:
        """Return phi's gradient away from kinks, given that of the smooth part."""
        side = self.sides(y)[self._parts.index(self.kinked)]
        return gradient + (1 - mu) * self.kink * side

    def bend(self, y: Tensor, v: Tensor, mu: float) -> Tensor | float:
        """Return the contribution of the kinked part's Hessian to the product with v."""
        assert self.kinked is not None
        return self.kinked.bend((1 - mu) * self.kink, y, v)

    def face(self, y: Tensor, gradient: Tensor, most: int, mu: float) -> Face:
        """Return the coefficients that may move, and their signs; see ``Face.at``."""
        assert self.kinked is not None
        return Face.at(y, gradient, (1 - mu) * self.kink, most, self.kinked)

    def grad(self, y: Tensor, v: Tensor, factor: Tensor) -> Tensor:
        """Return the derivatives in x of ``factor v' s``, (S, K, h).

        s is the slope of the penalty at y, and ``factor`` (S, K, 1, 1) is each column's.
        """
        factor = factor / self._divisor
        weights = [(side * v).mul_(factor) for side in self.sides(y)]
        if self._x.shape[2] <= _FEW:
            if self._derivatives is None:
                self._derivatives = [_derivatives(one, self._x) for one in self._strengths]
            found = (self._derivatives[0] * weights[0]).sum((-2, -1))  # (h, S, K)
            for slope, weight in zip(self._derivatives[1:], weights[1:], strict=True):
                found = found + (slope * weight).sum((-2, -1))
            return found.movedim(0, -1)
        with torch.enable_grad():
            total = (self._strengths[0] * weights[0]).sum()
            for strength, weight in zip(self._strengths[1:], weights[1:], strict=True):
                total = total + (strength * weight).sum()
        if not total.requires_grad:  # a penalty that is given does not depend on x
            return torch.zeros_like(self._x)
        (grad,) = torch.autograd.grad(total, self._x, retain_graph=True, materialize_grads=True)
        return grad


def _derivatives(strength: Tensor, x: Tensor) -> Tensor:
    """Return the derivatives of strengths in each entry of x, (h, S, 1, 1 or m, p).

    Going back through a sum of strengths is linear in their factors. Going back through that in
    turn gives what each factor met, where going back once a strength would take a pass for each.
    """
    if not strength.requires_grad:  # a penalty that is given does not depend on x
        return strength.new_zeros(x.shape[-1], *strength.shape)
    with torch.enable_grad():
        factors = torch.ones_like(strength, requires_grad=True)
        # As a sum: at the first factors of outputs torch imports symbolic algebra, half a second.
        (back,) = torch.autograd.grad((factors * strength).sum(), x, create_graph=True)
        slopes = [
            torch.autograd.grad(part.sum(), factors, retain_graph=True)[0]
            for part in back.unbind(-1)
        ]
    return torch.stack(slopes)


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
    rows: Rows
    y_shape: tuple[int, int, int, int]  # (S, K, m, p)

    @abstractmethod
    def upper(self, y: Tensor) -> Tensor:
        """Return the shares (S, K) of F."""

    @abstractmethod
    def select(self, starts: list[int]) -> PenalisedProblem:
        """See ``Problem.select``."""

    def __init__(
        self,
        penalty: Penalty,
        rows: Rows,
        bounds: tuple[Tensor, Tensor] | None,
        mean_loss: MeanLoss = False,
        limit: Callable[[Tensor], Tensor] | None = None,
    ):
        # With kinks, the number of coefficients that may become free at a time.
        self._n_rows = rows.n_rows
        self.penalty, self.kinks = penalty, penalty.has_kinks
        self.bounds = None if bounds is None else (bounds[0].cpu(), bounds[1].cpu())
        self.limit, self.mean_loss = limit, mean_loss
        self.divisor = penalty_divisor(rows, mean_loss)[:, None, None]  # (K, 1, 1)
        self._at_last: tuple[Tensor, int, Tensor, PenaltyAt] | None = None
        self._slopes_at: tuple[Tensor, Tensor] | None = None  # the last shares of F, and theirs

    @property
    def upper_null(self) -> Tensor:
        """See ``Problem``."""
        return self.criterion.null_average

    def penalty_at(self, x: Tensor) -> PenaltyAt:
        """Return the penalty at x (S, h); that of the last x is kept."""
        # Comparing numbers would synchronise with a device; comparing objects does not.
        if self._at_last is not None:
            at, version, same, found = self._at_last
            if (at is x and version == x._version) or torch.equal(same, x):
                return found
        found = PenaltyAt(self.penalty, x, self.divisor)
        self._at_last = x, x._version, x.clone(), found
        return found

    def with_penalty(self, penalty: Penalty) -> Self:
        """Return the problem with another penalty."""
        other = copy.copy(self)
        other.penalty, other.kinks, other._at_last = penalty, penalty.has_kinks, None
        return other

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """Return the coefficients that may move, and their signs."""
        if not self.kinks:
            return None
        return self.penalty_at(x).face(y, gradient, self._n_rows, mu)

    def project(self, x: Tensor) -> Tensor:
        """Clip x to its bounds, and put it where its limit lets it be."""
        if self.bounds is not None:
            low, high = self.bounds[0].to(x.dtype), self.bounds[1].to(x.dtype)
            x = torch.minimum(torch.maximum(x, low), high)
        return x if self.limit is None else self.limit(x)

    def coefficients(self, y: Tensor) -> Tensor:
        """Return y in the coordinates of X and the target."""
        return y

    def of_coefficients(self, coef: Tensor) -> Tensor:
        """Return the y of such coefficients."""
        return coef

    def with_penalty_of(
        self,
        x: Tensor,
        y: Tensor,
        v: Tensor,
        mu: float,
        average: Tensor,
        lower: Tensor,
        gradient: Tensor,
        product: Tensor,
        pull: Tensor | None = None,
    ) -> Directions:
        """Return the directions of phi from the losses' contributions in float64.

        Parameters
        ----------
        x, y, v, mu
            The point.
        average, lower : Tensor of shape (S, K)
            Averages of the losses above and below.
        gradient, product : Tensor of shape (S, K, m, p)
            Of phi's losses: the gradient, and the Hessian times v.
        pull : Tensor, optional
            The gradient above, where ``product`` is not without it.
        """
        dtype, y, v = y.dtype, y.double(), v.double()
        shares = self.criterion.shares(average)
        slopes = self.criterion.slopes(shares)
        self._slopes_at = shares, slopes
        penalty = self.penalty_at(x)
        squares = (1 - mu) * penalty.curvature
        # Of large models one such tensor takes as much memory as the rows: few are held at a time.
        product = torch.addcmul(product.double(), squares, v)
        if self.kinks:
            product += penalty.bend(y, v, mu)
        residual = (product if pull is None else product - pull).to(dtype)
        del product
        slope = gradient = torch.addcmul(gradient.double(), squares, y)
        lower = lower + penalty.value_and_sides(y)
        if self.kinks:
            slope = penalty.slope(y, gradient, mu)  # v is zero where y stays at zero
        lag, gradient = slopes * (v * slope).sum((2, 3)), gradient.to(dtype)
        del slope
        return Directions(
            upper=shares,
            lower=lower,
            grad_y=gradient,
            residual_v=residual,
            upper_lag=lag,
            grad_x=self.grad_of_slopes(x, y, v, mu, slopes),
        )

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor:
        """Return the hypergradient's shares at shares ``upper`` of F."""
        known, slopes = self._slopes_at or (None, upper)
        slopes = slopes if known is upper else self.criterion.slopes(upper)
        return self.grad_of_slopes(x, y, v, mu, slopes)

    def grad_of_slopes(self, x: Tensor, y: Tensor, v: Tensor, mu: float, slopes: Tensor) -> Tensor:
        """Return the same, given the criterion's slopes (S, K).

        Only the penalty sees x, so no pass is needed.
        """
        factor, penalty = (mu - 1) * slopes[..., None, None], self.penalty_at(x)
        found = penalty.grad(y.double(), v.double(), factor)
        if y.dtype is not torch.float64:
            penalty.forget()  # nobody has the same y again
        return found
