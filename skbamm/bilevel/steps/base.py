"""Base classes of rules for the steps of y, v and x, with a default for all that is optional."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from skbamm.bilevel.problem import Problem

EVEN = 1e-9  # share of F below which a difference of values is rounding of the models


class ColumnStep:
    """How far y, or v, steps in each column.

    Attributes
    ----------
    compares_slopes : bool
        Whether slopes at successive points are compared. They must be of one function then, so a
        rule of this kind has to know where the function has changed.
    """

    compares_slopes: bool = False

    @property
    def going(self) -> Tensor | None:
        """Columns that went on the last time instead of stepping back, (S, K); None: all."""
        return None

    def along(self, direction: Tensor) -> list[Tensor]:
        """Return the directions whose slopes ``step`` takes; this one is first."""
        return [direction]

    def step(
        self,
        point: Tensor,
        gradient: Tensor,
        direction: Tensor,
        moved: Tensor,
        risen: Tensor | None = None,
        slopes: list[Tensor] | None = None,
    ) -> Tensor:
        """Return the next point.

        Parameters
        ----------
        point, gradient, direction : Tensor of shape (S, K, ...)
            Where we are, the gradient there, and the metric applied to it.
        moved : Tensor of bool of shape (S,)
            Starts whose problem changed since the last call, so that slopes do not compare.
        risen : Tensor of bool of shape (S, K), optional
            Columns where the function is known to have risen with the last step.
        slopes : list of Tensor, optional
            Slopes along what ``along`` returned, each (S, K).
        """
        raise NotImplementedError

    def nearer(
        self, problem: Problem, x: Tensor, y: Tensor, gradient: Tensor, moved: Tensor | None = None
    ) -> Tensor | None:
        """Return points to continue from if the last step went too far, else None."""
        return None

    def reset(self) -> None:
        """Forget the lengths: the metric is new."""

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""


class UpperStep:
    """Proposes the next x.

    A rule knows, for each start, whether y and v follow x closely enough for the hypergradient to
    be trusted, and moves x only then. Without that test half-fitted models, which generalise as
    if stopped early, lead x astray.

    Attributes
    ----------
    kinks : bool
        Whether the slope of F may jump.
    steady : bool
        Whether steps are so short that y and v can be extrapolated linearly.
    precise : float
        Change of the hypergradient in one step of y and v, relative to its size, with which it is
        used although y and v do not follow yet.
    settled : bool
        Whether the point is the solution although the slope there has not vanished.
    """

    kinks: bool = False
    steady: bool = False
    precise: float = 1e-4
    settled: bool = False

    def begin(self, kinks: bool) -> Self:
        """Return a copy for one run, which changes it and leaves the original as it is.

        What the original has seen goes with it. ``kinks`` is whether the problem gives F any.
        """
        other = copy.copy(self)
        other.kinks = self.kinks or kinks
        return other

    def step(self, x: Tensor, upper: Tensor, grad: Tensor, trusted: Tensor) -> Tensor:
        """Return the next x, of shape (S, h), before projection.

        ``upper`` (S,) is F and ``grad`` (S, h) its hypergradient, of use where ``trusted`` (S,).
        """
        raise NotImplementedError

    def lead(self, start: int) -> None:
        """Continue with this starting point only."""

    def jump(self, rough: Sequence[Sequence[float]]) -> float | None:
        """Return the next point after ``lead`` if what other starts saw suggests one, else None.

        ``rough`` are (x, F, slope) of starts that y and v do not follow yet.
        """
        return None

    def reset(self) -> None:
        """Forget values and slopes: the problem is another one now."""


class PathStep(UpperStep):
    """A rule that remembers where each start has been."""

    _paths: dict[int, Any]

    def begin(self, kinks: bool) -> Self:
        """See ``UpperStep.begin``."""
        other = super().begin(kinks)
        other._paths = copy.deepcopy(self._paths)
        return other
