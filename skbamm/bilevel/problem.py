"""What sl-BAMM asks of a bi-level problem, and of the metric of its steps.

The problem is ``min over x, y of F(x, y) subject to y in argmin f(x, .)``, solved for ``S``
starting points and ``K`` folds at once. Each pair of a start and a fold is a *column*: it has a
lower-level variable and a multiplier of its own, and columns never mix, except that the folds of
one start share that start's ``x`` and that its hypergradient is the sum over them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face


@dataclass(frozen=True)
class Directions:
    """Everything one iteration of sl-BAMM needs, taken at one point ``(x, y, v)``.

    Attributes
    ----------
    upper, lower : Tensor of shape (S, K)
        Each column's share of F (their sum over K is F), and its f.
    grad_y : Tensor of the shape of y
        Gradient in y of ``phi = mu F + (1 - mu) f``.
    residual_v : Tensor of the shape of y
        ``H_phi v - grad_y F``, the residual of the multiplier's linear system. A column may
        multiply it and v by a factor of its own, which ``grad_x`` and ``upper_lag`` undo.
    upper_lag : Tensor of shape (S, K)
        ``v' grad_y phi``: what F owes, to first order, to y not being the solution.
    grad_x : Tensor of shape (S, K, h)
        Each column's share of the hypergradient ``grad_x F - (d2 phi / dx dy)' v``. The
        folds' shares are kept apart: their sizes, beside that of their sum, show how accurate y
        and v must be for the sum to mean anything.
    """

    upper: Tensor
    lower: Tensor
    grad_y: Tensor
    residual_v: Tensor
    upper_lag: Tensor
    grad_x: Tensor


class Curvature(Protocol):
    """A metric for the y- and v-steps: an approximate inverse of the Hessian of phi."""

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the metric to ``residuals`` of shape (r, S, K, ...)."""
        ...

    def within(self, face: Face) -> FaceMetric:
        """Return the metric of the entries that are free."""
        ...

    def select(self, starts: list[int]) -> Curvature:
        """Return the metric of these starting points only."""
        ...

    def at(self, x: Tensor, y: Tensor) -> Curvature:
        """Return the metric for another point, as far as that costs no pass over the data.

        One start may become several: ``x`` has shape (S, h), with any S if there was one.
        """
        ...

    def outworn(self, slow: bool) -> bool:
        """Whether a new metric is worth its price; ``slow``: residuals fall slowly with this one.

        A metric that is as good anywhere never is.
        """
        ...


class FaceMetric(Protocol):
    """A metric on a face."""

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the metric to ``residuals`` of shape (r, S, K, ...), zero where nothing is free."""
        ...

    def step(self, y: Tensor) -> Tensor:
        """Return the direction from which a full step from y ends nearer to the minimum."""
        ...


_ZERO, _ONE = (torch.full((), value, dtype=torch.float64) for value in (0.0, 1.0))


class Problem(ABC):
    """A bi-level problem over S starts and K folds.

    ``y`` is one tensor whose first two axes are ``(S, K)``; ``x`` has shape ``(S, h)``. A subclass
    gives ``start``, ``directions``, ``lower``, ``curvature`` and ``select``; everything else has a
    default.

    Attributes
    ----------
    shape : tuple of int
        (S, K).
    second_order : bool
        Whether ``curvature`` is near the Hessian, so that steps of length 1 are apt.
    hessian_jumps : bool
        Whether the Hessian of f jumps; see ``KinkSearch`` for what f must be then.
    kinks : bool
        Whether phi has kinks, so that ``face`` returns one.
    smoothed : bool
        Whether f approximates a function with kinks by a smooth one.
    has_closed_form : bool
        Whether ``closed_form`` may give the solution.
    has_units : bool
        Whether f and F have units, so that residuals are judged by what they cost, too.
    upper_floor : float
        F that is the scale of tolerances where F is smaller; with 1 they are absolute.
    """

    shape: tuple[int, int]
    second_order: bool = False
    hessian_jumps: bool = False
    kinks: bool = False
    smoothed: bool = False
    has_closed_form: bool = False
    has_units: bool = False
    upper_floor: float = 1.0

    @property
    def lower_floor(self) -> Tensor:
        """Return what is added to ``|f|`` for the scale of tolerances, (K,) or (), on the CPU."""
        return _ONE

    @property
    def upper_null(self) -> Tensor:
        """Return about what F is at a constant y, (K,) or (), on the CPU.

        That is before the factor of ``Directions.residual_v``.
        """
        return _ONE

    @property
    def gradient_rounding(self) -> Tensor:
        """Return the size of gradient entries that may be rounding, (K,) or (), on the CPU."""
        return _ZERO

    @abstractmethod
    def start(self, x: Tensor) -> Tensor:
        """Return a first y for ``x``."""

    def descend(self, x: Tensor, y: Tensor, tol: float) -> Tensor:
        """Return a point nearer to the minimum of f over y, if that is cheap; else y itself."""
        return y

    def closed_form(
        self, x: Tensor, y: Tensor, curvature: Curvature, mu: float
    ) -> tuple[Tensor, Tensor] | None:
        """Return the solution y and its multiplier v if the metric gives them at once."""
        return None

    @abstractmethod
    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Evaluate everything one iteration needs, in one pass over the data."""

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor | None:
        """Return the shares of the hypergradient at other y and v, or None if that needs a pass.

        ``upper`` are the shares of F nearby, as ``directions`` returned them.
        """
        return None

    @abstractmethod
    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f, of shape (S, K), and its gradient in y."""

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """Return the smooth piece of phi that a step from y begins on; None if it has no kinks.

        Where it has, ``gradient``, as ``directions`` and ``lower`` return it, is of the rest.
        """
        return None

    @abstractmethod
    def curvature(self, x: Tensor, y: Tensor, mu: float) -> Curvature:
        """Return a metric for the y- and v-steps that is good near ``(x, y)``."""

    def project(self, x: Tensor) -> Tensor:
        """Project ``x``, which is on the CPU, onto the set of admissible upper-level variables."""
        return x

    @abstractmethod
    def select(self, starts: list[int]) -> Problem:
        """Return the same problem with only these starting points."""
