"""The penalty of generalised linear models: squares and absolute values, or norms, of slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face, sides, sizes
from skbamm.bilevel.problem import Problem
from skbamm.folds import Rows

Strength = Callable[[Tensor], Tensor]
MeanLoss = bool | Literal["rows"]

_FEW = 4  # entries of x for which the derivatives of all coefficients' strengths are kept


def penalty_divisor(rows: Rows, mean_loss: MeanLoss) -> Tensor:
    """Return what a penalty is divided by where it stands beside a weighted mean, (K,).

    Beside the sum of the losses, ``mean_loss=False``, that is the sum of the weights; beside their
    weighted mean, ``True``, it is 1. ``"rows"`` is for estimators that divide the sum of weighted
    losses by the number of rows, whatever they weigh.
    """
    if mean_loss == "rows":
        return rows.train_total / rows.train_rows.clamp_min(1)
    return torch.ones_like(rows.train_total) if mean_loss else rows.train_total


class Penalty(Problem):
    """The penalty ``1 / N_k sum_j (lambda_j(x) w_j^2 / 2 + kappa_j(x) |w_j|)`` and x's own set.

    Parameters
    ----------
    strength : callable
        Maps x of shape (S, 1 or K, h) to lambda, (S, 1 or K, 1 or m, p), by torch operations.
    rows : Rows
    bounds : tuple of Tensor or None
        The box that x lives in.
    mean_loss : bool or "rows", default=False
        What N_k is; see ``penalty_divisor``.
    absolute : callable, optional
        Maps x to kappa, like ``strength``; zero where there is none.
    limit : callable, optional
        A further projection of x.
    grouped : bool, default=False
        Whether the norm of all outputs' coefficients of a feature stands in the place of their
        absolute values.
    """

    second_order = has_units = True
    upper_floor = 1e-5  # of the loss of the best constant prediction
    criterion: Any  # a Criterion, or None to solve the lower level only

    def __init__(
        self,
        strength: Strength,
        rows: Rows,
        bounds: tuple[Tensor, Tensor] | None,
        mean_loss: MeanLoss = False,
        absolute: Strength | None = None,
        limit: Callable[[Tensor], Tensor] | None = None,
        grouped: bool = False,
    ):
        self.grouped = grouped
        # With absolute values, for so many coefficients may become free at a time.
        self._n_rows = rows.n_rows
        self.strength, self.absolute = strength, absolute
        self.bounds = None if bounds is None else (bounds[0].cpu(), bounds[1].cpu())
        self.limit, self.mean_loss = limit, mean_loss
        self.divisor = penalty_divisor(rows, mean_loss)[:, None, None]  # (K, 1, 1)
        # What follows from the last x, by what made it.
        self._at_last: dict[Callable[..., Any], tuple[Tensor, int, Tensor, Any]] = {}

    @property
    def kinks(self) -> bool:
        """See ``Problem``: they are where the penalty has absolute values."""
        return self.absolute is not None

    @property
    def upper_null(self) -> Tensor:
        """See ``Problem``."""
        return self.criterion.null_average

    def mean_strength(self, x: Tensor) -> Tensor:
        """Return lambda / N_k, as it stands in f, (S, K, 1 or m, p), float64."""
        return self._once(self.strength, x, lambda at: self.strength(at) / self.divisor)

    def mean_absolute(self, x: Tensor) -> Tensor:
        """Return kappa / N_k; only of a penalty that has it."""
        absolute = self.absolute
        assert absolute is not None
        return self._once(absolute, x, lambda at: absolute(at) / self.divisor)

    def _once(self, name: Callable[..., Any], x: Tensor, make: Callable[[Tensor], Any]) -> Any:
        """Return what ``make`` makes of x (S, 1, h): an iteration asks for the same many times."""
        found = self._at_last.get(name)
        # To compare numbers a device is waited for, to compare names it is not.
        if found is not None:
            at, version, same, value = found
            if (at is x and version == x._version) or torch.equal(same, x):
                return value
        with torch.no_grad():
            value = make(x.double()[:, None])
        self._at_last[name] = x, x._version, x.clone(), value
        return value

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the penalty itself, (S, K), of y in float64."""
        value = 0.5 * (self.mean_strength(x) * y * y).sum((2, 3))
        if self.absolute is None:
            return value
        return value + (self.mean_absolute(x) * sizes(y, self.grouped)).sum((2, 3))

    def slope(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Tensor:
        """Return phi's gradient where y is not zero, given that of what has no kinks."""
        if self.absolute is None:
            return gradient
        return gradient + (1 - mu) * self.mean_absolute(x) * sides(y, self.grouped)

    def bend(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Tensor | float:
        """Return the Hessian of the norms, where they are not zero, times v."""
        if self.absolute is None or not self.grouped:
            return 0.0
        size, side = sizes(y, True), sides(y, True)
        across = torch.where(size > 0, (1 - mu) * self.mean_absolute(x) / size, 0.0)
        return across * (v - side * (side * v).sum(-2, keepdim=True))

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """Return the coefficients that may move, and their signs."""
        if self.absolute is None:
            return None
        kink = (1 - mu) * self.mean_absolute(x)
        return Face.at(y, gradient, kink, self._n_rows, self.grouped)

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
        """Return the hypergradient's shares: only the penalty sees x, so no pass is needed."""
        y, v = y.double(), v.double()
        factors = [y] if self.absolute is None else [y, sides(y, self.grouped)]
        maps = [self.strength] if self.absolute is None else [self.strength, self.absolute]
        slopes = self.criterion.slopes(upper)
        scale = (mu - 1) * slopes[..., None, None] / self.divisor
        if x.shape[1] <= _FEW:
            kept = self._once(_slopes, x, lambda at: [_slopes(of_x, at) for of_x in maps])
            parts = [
                (slope * (scale * factor * v)).sum((-2, -1))  # (h, S, K)
                for slope, factor in zip(kept, factors, strict=True)
            ]
            return sum(parts[1:], parts[0]).movedim(0, -1)
        at = x.double()[:, None].repeat(1, slopes.shape[1], 1).requires_grad_()
        total = x.new_zeros((), dtype=torch.float64)
        with torch.enable_grad():
            for of_x, factor in zip(maps, factors, strict=True):
                total = total + (of_x(at) * (scale * factor * v)).sum()
        if not total.requires_grad:  # a penalty that is given does not depend on x
            return torch.zeros_like(at)
        (grad,) = torch.autograd.grad(total, at, materialize_grads=True)
        return grad


def _slopes(strength: Strength, x: Tensor) -> Tensor:
    """Return the derivative of a strength in each entry of x (S, 1, h), (h, S, 1 or K, 1 or m, p).

    What goes back through a sum of strengths is linear in their factors: to go back through that,
    too, tells what each factor met, where to go back once a strength would take a pass for each.
    """
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        value = strength(at)
        if not value.requires_grad:  # a penalty that is given does not depend on x
            return value.new_zeros(x.shape[-1], *value.shape)
        factors = torch.ones_like(value, requires_grad=True)
        # As a sum: at the first factors of outputs torch imports symbolic algebra, half a second.
        (back,) = torch.autograd.grad((factors * value).sum(), at, create_graph=True)
        slopes = [
            torch.autograd.grad(part.sum(), factors, retain_graph=True)[0]
            for part in back.unbind(-1)
        ]
    return torch.stack(slopes)
