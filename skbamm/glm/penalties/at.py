"""A penalty at one x: its strengths, and how they move with x, are evaluated once."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.glm.penalties.base import Penalty

# Entries of x up to which the derivatives of all strengths are kept; of more, what autograd
# needs to go back through them.
_FEW = 4


class PenaltyAt:
    """A penalty at one x, as it stands in f beside the mean of the losses.

    Parameters
    ----------
    penalty : Penalty
    x : Tensor of shape (S, h)
    divisor : Tensor of shape (K, 1, 1)
        See ``penalty_divisor``.

    Attributes
    ----------
    means : tuple of Tensor of shape (S, K, 1 or m, p)
        The strengths of each part, divided, in float64.
    curvature : Tensor of the same shape
        The diagonal that smooth parts add to the Hessian; the smooth part of the penalty is half
        of its product with the squares of y.
    kinked : Penalty or None
        The part with kinks.
    kink : Tensor of the same shape
        The strengths of that part, if there is one.
    """

    kink: Tensor

    def __init__(self, penalty: Penalty, x: Tensor, divisor: Tensor):
        self._parts, self._divisor = penalty.parts, divisor
        folds = 1 if x.shape[1] <= _FEW else len(divisor)
        with torch.enable_grad():
            self._x = x.detach().double()[:, None].repeat(1, folds, 1).requires_grad_()
            self._strengths = penalty.strengths(self._x)
        self._slopes: list[Tensor] | None = None
        self.means = tuple(strength.detach() / divisor for strength in self._strengths)
        self.curvature = penalty.curvature(self.means)
        self.kinked = penalty.kinked
        if self.kinked is not None:
            self.kink = self.means[self._parts.index(self.kinked)]

    def value(self, y: Tensor) -> Tensor:
        """Return the penalty of y, (S, K)."""
        first, *rest = (
            part.value(mean, y) for part, mean in zip(self._parts, self.means, strict=True)
        )
        return sum(rest, first)

    def slope(self, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Tensor:
        """Return phi's gradient away from kinks, given that of what has none."""
        if self.kinked is None:
            return gradient
        return gradient + (1 - mu) * self.kink * self.kinked.sides(y)

    def bend(self, y: Tensor, v: Tensor, mu: float = 0.0) -> Tensor | float:
        """Return what sizes that are curved add to the Hessian's product with v."""
        return 0.0 if self.kinked is None else self.kinked.bend((1 - mu) * self.kink, y, v)

    def face(self, y: Tensor, gradient: Tensor, most: int, mu: float = 0.0) -> Face | None:
        """Return the coefficients that may move, and their signs; see ``Face.at``."""
        if self.kinked is None:
            return None
        return Face.at(y, gradient, (1 - mu) * self.kink, most, self.kinked)

    def grad(self, y: Tensor, v: Tensor, factor: Tensor) -> Tensor:
        """Return the derivatives in x of ``factor v' s``, (S, K, h).

        s is the slope of the penalty at y, and ``factor`` (S, K, 1, 1) is each column's.
        """
        factor = factor / self._divisor
        weights = [factor * part.sides(y) * v for part in self._parts]
        if self._x.shape[2] <= _FEW:
            if self._slopes is None:
                self._slopes = [_derivatives(one, self._x) for one in self._strengths]
            parts = [
                (slope * weight).sum((-2, -1))  # (h, S, K)
                for slope, weight in zip(self._slopes, weights, strict=True)
            ]
            return sum(parts[1:], parts[0]).movedim(0, -1)
        with torch.enable_grad():
            pairs = zip(self._strengths, weights, strict=True)
            total = torch.stack([(strength * weight).sum() for strength, weight in pairs]).sum()
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
