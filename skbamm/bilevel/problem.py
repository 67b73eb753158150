"""The interfaces of a bi-level problem and of the metric of its steps.

The problem is ``min over x, y of F(x, y) subject to y in argmin f(x, .)``, solved for ``S``
starting points and ``K`` folds at once. Each pair of a start and a fold is a *column* with its own
lower-level variable and multiplier. Columns are independent, except that the folds of one start
share its ``x``, and that its hypergradient is the sum over them.
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
    """Values and derivatives that one iteration of sl-BAMM needs at a point ``(x, y, v)``.

    Attributes
    ----------
    upper, lower : Tensor of shape (S, K)
        Each column's share of F (F is their sum over K), and its f.
    grad_y : Tensor of the shape of y
        Gradient in y of ``phi = mu F + (1 - mu) f``.
    residual_v : Tensor of the shape of y
        ``H_phi v - grad_y F``, the residual of the multiplier's linear system. It and v may be
        scaled by a factor for each column, which ``grad_x`` and ``upper_lag`` undo.
    upper_lag : Tensor of shape (S, K)
        ``v' grad_y phi``: the first-order error of F because y is not the solution.
    grad_x : Tensor of shape (S, K, h)
        Each column's share of the hypergradient ``grad_x F - (d2 phi / dx dy)' v``. The shares of
        the folds stay separate: their sizes, relative to their sum, determine how accurate y and v
        must be.
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
        """Return the metric restricted to the free entries of a face."""
        ...

    def select(self, starts: list[int]) -> Curvature:
        """Return the metric of a subset of the starting points."""
        ...

    def at(self, x: Tensor, y: Tensor) -> Curvature:
        """Return the metric for another point, updated only where no pass over the data is needed.

        A metric of one start may be used for several: ``x`` then has shape (S, h) with any S.
        """
        ...

    def outworn(self, slow: bool) -> bool:
        """Whether to compute a new metric; ``slow`` says that residuals fall slowly with this one.

        Metrics that do not depend on the point return False.
        """
        ...


class FaceMetric(Protocol):
    """A metric on a face."""

    def solve(self, residuals: Tensor) -> Tensor:
        """Apply the metric to ``residuals`` (r, S, K, ...); zero where entries are not free."""
        ...

    def step(self, y: Tensor) -> Tensor:
        """Return a direction for which the full step from y decreases the quadratic model."""
        ...


_ZERO, _ONE = (torch.full((), value, dtype=torch.float64) for value in (0.0, 1.0))


class Problem(ABC):
    """A bi-level problem over S starts and K folds.

    ``y`` is one tensor whose first two axes are ``(S, K)``; ``x`` has shape ``(S, h)``. A subclass
    implements ``start``, ``directions``, ``lower``, ``curvature`` and ``select``; all else has a
    default.

    Attributes
    ----------
    shape : tuple of int
        (S, K).
    second_order : bool
        Whether ``curvature`` approximates the Hessian, so that unit steps are appropriate.
    hessian_jumps : bool
        Whether the Hessian of f is discontinuous; ``KinkSearch`` states what is then required of f.
    kinks : bool
        Whether phi has kinks, so that ``face`` returns one.
    smoothed : bool
        Whether f approximates a function with kinks by a smooth one.
    has_closed_form : bool
        Whether ``closed_form`` may return the solution.
    has_units : bool
        Whether f and F have units, so that residuals are also measured by their effect on F.
    upper_floor : float
        Lower bound on the scale of tolerances in F; 1 makes them absolute.
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
        """Return the term added to ``|f|`` in tolerances, (K,) or (), on the CPU."""
        return _ONE

    @property
    def upper_null(self) -> Tensor:
        """Return approximately F of constant predictions, (K,) or (), on the CPU.

        The factor of ``Directions.residual_v`` is not included.
        """
        return _ONE

    @property
    def gradient_rounding(self) -> Tensor:
        """Return a bound on rounding errors of gradient entries, (K,) or (), on the CPU."""
        return _ZERO

    @abstractmethod
    def start(self, x: Tensor) -> Tensor:
        """Return a first y for ``x``."""

    def descend(self, x: Tensor, y: Tensor, tol: float) -> Tensor:
        """Return a point closer to the minimum of f over y if that is cheap, else y itself."""
        return y

    def closed_form(
        self, x: Tensor, y: Tensor, curvature: Curvature, mu: float
    ) -> tuple[Tensor, Tensor] | None:
        """Return the solution y and its multiplier v if the metric solves for them directly."""
        return None

    @abstractmethod
    def directions(self, x: Tensor, y: Tensor, v: Tensor, mu: float) -> Directions:
        """Evaluate what one iteration needs in one pass over the data."""

    def grad_x(self, x: Tensor, y: Tensor, v: Tensor, mu: float, upper: Tensor) -> Tensor | None:
        """Return the hypergradient's shares at other y and v, or None if that needs a pass.

        ``upper`` holds the shares of F that ``directions`` returned at a nearby point.
        """
        return None

    @abstractmethod
    def lower(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return f, of shape (S, K), and its gradient in y."""

    def face(self, x: Tensor, y: Tensor, gradient: Tensor, mu: float = 0.0) -> Face | None:
        """Return the face of phi on which a step from y starts; None if phi has no kinks.

        ``gradient`` is that of the part without kinks, as ``directions`` and ``lower`` return it.
        """
        return None

    @abstractmethod
    def curvature(self, x: Tensor, y: Tensor, mu: float) -> Curvature:
        """Return a metric for the y- and v-steps near ``(x, y)``."""

    def project(self, x: Tensor) -> Tensor:
        """Project ``x``, which is on the CPU, onto the set of admissible upper-level variables."""
        return x

    @abstractmethod
    def select(self, starts: list[int]) -> Problem:
        """Return the problem with a subset of the starting points."""
