"""Huber's loss of errors in units of a scale that is fitted with the model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from skbamm.losses.base import ScaledLoss
from skbamm.losses.tolerance import ToleranceLoss

if TYPE_CHECKING:
    from typing_extensions import Self

_LEAST = 10 * torch.finfo(torch.float64).eps  # least scale; scikit-learn's bound
_STEPS = 200  # of Newton's method, at most; each leaves at least one more row out
_MANY, _SOME = 8192, 1024  # rows above which the first guess comes from some, and how many


class ConcomitantHuberLoss(ToleranceLoss, ScaledLoss):
    """``s / 2 + r^2 / (2 s)`` for errors ``r = z - t`` up to ``epsilon s``, s being the scale.

    Beyond, it is ``s / 2 + epsilon |r| - epsilon^2 s / 2``: half of what scikit-learn's
    HuberRegressor sums. It is convex in z and s taken together, and at its least s a measure of
    the errors that is of the first degree (Huber & Ronchetti, "Robust Statistics", section 7.7;
    Owen, "A robust hybrid of lasso and ridge regression", 2007).

    Where more than a share of ``1 - epsilon^-2`` of the rows can be fitted exactly the least scale
    is zero: absolute errors are left, and kinks. While the scale is kept at ``width`` at least, the
    loss has none, and its least value is too large by at most half the width.

    Parameters
    ----------
    epsilon : float
        Above 1; what is an outlier, in units of the scale.
    width : float, default=0
        Least scale of the models, in the target's units.
    """

    def __init__(self, epsilon: float, width: float = 0.0):
        super().__init__(epsilon)
        self.width = width
        self.scale = torch.ones((), dtype=torch.float64)

    def at(self, scale: Tensor) -> Self:
        """Return the loss with a scale for each column of predictors, (C,)."""
        other = copy.copy(self)
        other.scale = scale
        return other

    def narrowed(self, width: float) -> Self:
        """Return the same loss with another width."""
        other = copy.copy(self)
        other.width = width
        return other

    def least_scale(self, errors: Tensor, weight: Tensor) -> Tensor:
        """Return the scales at which the weighted sum of the losses is least.

        It is the root of ``sum_i w_i min(u r_i^2, epsilon^2) = sum_i w_i`` in ``u = s^-2``. The
        left side is concave and piecewise linear in u, so Newton's method never goes beyond the
        root, rises from there and ends after finitely many steps. With many rows, some of them
        give the first guess.

        Parameters
        ----------
        errors, weight : Tensor of shape (n, ...)
            They are broadcast against each other.

        Returns
        -------
        Tensor of shape (...), float64
        """
        squares, weight = errors.double().square(), weight.double()
        return self._root(squares, weight).rsqrt().clamp_min(_LEAST)

    def _root(self, squares, weight):
        weighted = weight * squares
        u = weight.sum(0) / weighted.sum(0)
        if len(squares) > _MANY:
            step = len(squares) // _SOME
            u = self._newton(self._root(squares[::step], weight[::step]), squares, weight, weighted)
        for _ in range(_STEPS):
            higher = self._newton(u, squares, weight, weighted)
            rises = higher > u * (1 + 1e-15)
            if not bool(rises.any()):
                break
            u = torch.where(rises, higher, u)
        return u

    def _newton(self, u, squares, weight, weighted):
        """Return the root of the tangent at u, or of that at zero where there is none."""
        total, limit = weight.sum(0), self.epsilon**2
        inside = squares < limit / u
        left = total - limit * (total - (weight * inside).sum(0))
        first = total / weighted.sum(0)
        return torch.where(left > 0, left / (weighted * inside).sum(0), first)

    def evaluate(self, z, target, u=None):
        """Return value, gradient and generalised Hessian times u, at the scale."""
        error, scale = z - target, self.scale.to(z.dtype)
        pull = (error / scale).clamp(-self.epsilon, self.epsilon)
        value = 0.5 * scale + pull * (error - 0.5 * scale * pull)
        return value[:, 0], pull, None if u is None else self._curvature(error) * u

    def scale_slopes(self, z, target):
        """Return the derivatives in the scale of the gradient, and of the value's own twice."""
        error, scale = z - target, self.scale.to(z.dtype)
        share = torch.where(error.abs() <= self.epsilon * scale, error / scale, 0.0)
        return -share / scale, (share * share / scale)[:, 0]

    def majorant(self, z, target):
        """Return the curvature of parabolas that touch the loss at z, and are nowhere below it."""
        error, scale = (z - target).abs(), self.scale.to(z.dtype)
        return 1 / torch.maximum(scale, error / self.epsilon)

    def with_parameter(self, value):
        """Return the loss with another epsilon."""
        return type(self)(value, self.width)

    def parameter_slopes(self, z, target):
        """Return the derivatives in epsilon of the gradient, and of the slope in the scale."""
        error = z - target
        side = torch.where(error.abs() > self.epsilon * self.scale.to(z.dtype), error.sign(), 0.0)
        return side, -self.epsilon * side.abs()[:, 0]

    def _curvature(self, error):
        scale = self.scale.to(error.dtype)
        return (error.abs() <= self.epsilon * scale) / scale
