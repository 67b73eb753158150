"""The base class of penalties of generalised linear models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face, Kinks
from skbamm.folds import Rows

Strength = Callable[[Tensor], Tensor]


class Penalty(Kinks):
    """A penalty ``sum_j t_j(x) size(w_j)`` of coefficients w, with strengths t that x decides.

    Subclasses say what a size is, and what follows from it. Those with kinks inherit from
    :class:`skbamm.bilevel.faces.Kinks` what the iterations need of them.

    Parameters
    ----------
    strength : callable
        Maps x of shape (S, 1 or K, h) to the strengths t, (S, 1 or K, 1 or m, p), by torch
        operations; that of the intercept, if there is one, is last.

    Attributes
    ----------
    has_kinks : bool
        Whether coefficients can be exactly zero at a minimum.
    unscaled : bool
        Whether the penalty is there even where its strengths are zero, as a constraint is.
    separable : bool
        Whether each coefficient has its own term.
    non_negative : bool
        Whether no coefficient but the intercept may be below zero.
    intercept_power : float
        The power of the intercept's scale by which its strength differs from that of a slope.
    """

    has_kinks = False
    unscaled = False
    separable = True
    non_negative = False
    intercept_power = 1.0

    def __init__(self, strength: Strength):
        self.strength = strength

    @classmethod
    def of_rows(cls, strength: Strength, rows: Rows) -> Penalty:
        """Return the penalty of the coefficients that a model of ``rows`` has."""
        return cls(strength)

    @property
    def parts(self) -> tuple[Penalty, ...]:
        """The terms of the penalty; each has its own strengths."""
        return (self,)

    @property
    def kinked(self) -> Penalty | None:
        """The part with kinks; None if the penalty is smooth."""
        return self if self.has_kinks else None

    def strengths(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the strengths of each part."""
        return tuple([part.strength(x) for part in self.parts])

    def strongest(self, x: Tensor) -> Tensor:
        """Return the largest strength at each x (N, h), to order them by, (N,)."""
        return self.strength(x[:, None]).amax((1, 2, 3))

    def with_strength(self, strength: Strength) -> Penalty:
        """Return the same penalty with other strengths."""
        other = copy.copy(self)
        other.strength = strength
        return other

    def of(self, take: Callable[[Tensor], Tensor]) -> Penalty:
        """Return the penalty as a function of another x, of which ``take`` returns this one."""
        strength = self.strength
        return self.with_strength(lambda x: strength(take(x)))

    def value(self, strength: Tensor, y: Tensor) -> Tensor:
        """Return the penalty of y (S, K, m, p), one number a column."""
        return (strength * self.sizes(y)).sum((2, 3))

    def curvature(self, strengths: Sequence[Tensor]) -> Tensor:
        """Return the diagonal that smooth parts add to the Hessian, given each part's strengths."""
        return torch.zeros_like(strengths[0])

    def bend(self, strength: Tensor, y: Tensor, v: Tensor) -> Tensor | float:
        """Return what sizes that are curved add to the product of the Hessian at y and v."""
        return 0.0

    def prox(self, strength: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """Return the minimiser over w of ``(w - y)^2 / (2 step)`` plus the penalty."""
        raise NotImplementedError

    def emptied_by(self, gradient: Tensor) -> Tensor:
        """Return the least strengths at which coefficients of zero are optimal.

        ``gradient`` is that of the loss at coefficients of zero.
        """
        return self.sizes(gradient)

    def face_metric(self, gram: Tensor, squares: Tensor, face: Face) -> Any:
        """Return the inverse of the rows and columns of a face of ``gram`` plus ``squares``.

        Parameters
        ----------
        gram : Tensor of shape (S, K or 1, m or 1, p, p)
        squares : Tensor of shape (S, K or 1, m or 1, p)
            For the diagonal.
        face : Face
        """
        raise NotImplementedError

    def descent(self, gram: Tensor, squares: Tensor) -> Callable[[Face, Tensor], Tensor] | None:
        """Return what brings y near the minimum of a quadratic model, or None.

        It maps a face and its y to a lower point of the model.
        """
        return None
