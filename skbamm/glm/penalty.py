"""The penalty of generalised linear models: squares and absolute values of the slopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face

Strength = Callable[[Tensor], Tensor]


class Penalty:
    """The penalty ``1 / N_k sum_j (lambda_j(x) w_j^2 / 2 + kappa_j(x) |w_j|)`` and x's own set.

    Parameters
    ----------
    strength : callable
        Maps x of shape (N, h) to lambda, (N, 1 or m, p), by torch operations.
    train_total : Tensor of shape (K,)
        N_k.
    bounds : tuple of Tensor or None
        The box that x lives in.
    mean_loss : bool, default=False
        Whether the penalty stands beside the mean of the losses: then N_k is 1.
    absolute : callable, optional
        Maps x to kappa, like ``strength``; zero where there is none.
    limit : callable, optional
        A further projection of x.
    n_rows : int
        With absolute values, for how many coefficients may become free at a time.
    """

    second_order, hessian_jumps = True, False
    upper_floor = 1e-5  # of the loss of the best constant prediction
    criterion: Any  # a Criterion, or None to solve the lower level only

    def __init__(
        self,
        strength: Strength,
        train_total: Tensor,
        bounds: tuple[Tensor, Tensor] | None,
        mean_loss: bool = False,
        absolute: Strength | None = None,
        limit: Callable[[Tensor], Tensor] | None = None,
        n_rows: int = 1 << 62,
    ):
        self._n_rows = n_rows
        self.strength, self.absolute = strength, absolute
        self.bounds, self.limit, self.mean_loss = bounds, limit, mean_loss
        total = torch.ones_like(train_total) if mean_loss else train_total
        self._per_fold = total[:, None, None]  # (K, 1, 1)

    def mean_strength(self, x: Tensor) -> Tensor:
        """Return lambda / N_k, as it stands in f, (S, K, 1 or m, p), float64."""
        with torch.no_grad():
            return self.strength(x.double())[:, None] / self._per_fold

    def mean_absolute(self, x: Tensor) -> Tensor:
        """Return kappa / N_k; only of a penalty that has it."""
        assert self.absolute is not None
        with torch.no_grad():
            return self.absolute(x.double())[:, None] / self._per_fold

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the penalty itself, (S, K), of y in float64."""
        value = 0.5 * (self.mean_strength(x) * y * y).sum((2, 3))
        if self.absolute is None:
            return value
        return value + (self.mean_absolute(x) * y.abs()).sum((2, 3))

    def slope(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Tensor:
        """Return phi's gradient where y is not zero, given that of what has no kinks."""
        if self.absolute is None:
            return gradient
        return gradient + (1 - mu) * self.mean_absolute(x) * torch.sign(y)

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """Return the coefficients that may move, and their signs."""
        if self.absolute is None:
            return None
        return Face.at(y, gradient, (1 - mu) * self.mean_absolute(x), self._n_rows)

    def project(self, x: Tensor) -> Tensor:
        """Clip x to its bounds, and put it where its limit lets it be."""
        if self.bounds is not None:
            low, high = (b.to(x.dtype) for b in self.bounds)
            x = torch.minimum(torch.maximum(x, low), high)
        return x if self.limit is None else self.limit(x)

    def coefficients(self, y: Tensor) -> Tensor:
        """Return y in the coordinates of X and the target."""
        return y

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor:
        """Return the hypergradient's shares: only the penalty sees x, so no pass is needed."""
        y, v = y.double(), v.double()
        factors = [y] if self.absolute is None else [y, torch.sign(y)]
        maps = [self.strength] if self.absolute is None else [self.strength, self.absolute]
        slopes = self.criterion.slopes(upper)
        S, K = slopes.shape
        scale = (mu - 1) * slopes[..., None, None] / self._per_fold
        at = x.double().repeat_interleave(K, 0).requires_grad_()
        total = x.new_zeros((), dtype=torch.float64)
        with torch.enable_grad():
            for of_x, factor in zip(maps, factors, strict=True):
                pulled = (scale * factor * v).flatten(0, 1)
                total = total + (of_x(at) * pulled).sum()
        grad = torch.zeros_like(at)
        if total.requires_grad:  # a penalty that is given does not depend on x
            (grad,) = torch.autograd.grad(total, at, materialize_grads=True)
        return grad.view(S, K, -1)
