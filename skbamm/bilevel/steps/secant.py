"""Step rules for y and v: one length for each column, without additional evaluations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.columns import dots, mask_columns
from skbamm.bilevel.problem import Problem


class ColumnStep:
    """Step rule of y or v.

    Attributes
    ----------
    compares_slopes : bool
        Whether the rule compares slopes at successive points. It must then be told when the
        function has changed.
    last : Tensor of the shape of y, or None
        The last direction, if the slope along it determines the next step.
    """

    compares_slopes: bool = False
    last: Tensor | None = None

    @property
    def going(self) -> Tensor | None:
        """Columns whose last step was not a step back, (S, K); None means all."""
        return None

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
            The current point, the gradient and the metric applied to it.
        moved : Tensor of bool of shape (S,)
            Starts whose problem changed since the last call, so that slopes are not comparable.
        risen : Tensor of bool of shape (S, K), optional
            Columns in which the last step increased the function.
        slopes : list of Tensor, optional
            Slopes along the direction and along ``last``, if there is one, each (S, K).
        """
        raise NotImplementedError

    def nearer(
        self, problem: Problem, x: Tensor, y: Tensor, gradient: Tensor, moved: Tensor | None = None
    ) -> Tensor | None:
        """Return points to continue from if the last step was too long, else None."""
        return None

    def reset(self) -> None:
        """Reset the step lengths for a new metric."""

    def select(self, starts: list[int]) -> None:
        """Keep a subset of the starting points."""


@dataclass(frozen=True)
class SecantLimits:
    """Safeguards of the secant step; steps in the metric of the Hessian are not affected.

    Attributes
    ----------
    overshot : float
        Relative slope at the new point below which a column steps back: the minimiser along the
        direction is then within two thirds of the step.
    shrink, grow : float
        Least and largest ratio of successive lengths.
    """

    overshot: float = -0.5
    shrink: float = 0.1
    grow: float = 2.0


_LIMITS = SecantLimits()


class ConstantStep(ColumnStep):
    """The same step length at every iteration, as in the published schedules."""

    def __init__(self, length: float):
        self.length = length

    def step(self, point, gradient, direction, moved, risen=None, slopes=None):
        """Return ``point - length * direction``."""
        return point - self.length * direction


class SecantStep(ColumnStep):
    """A line search that needs no trial points.

    The gradient at the new point, which the next iteration needs anyway, gives the slope along the
    last direction. The secant through this slope and the one at the old point estimates the
    minimiser along the direction. If the last step went far beyond it, the column steps back to it;
    otherwise its distance is the length of the next step.

    Parameters
    ----------
    length : float, default=1
        Initial length, also after ``reset``.
    longest : float, default=1
        Maximum length: 1 in a metric near the Hessian, infinite for plain gradients.
    """

    compares_slopes = True

    def __init__(self, length: float = 1.0, longest: float = 1.0):
        self.initial, self.longest = length, longest
        self._length: Tensor | None = None
        self._top: Tensor  # largest slope yet, once there is a length
        # Start of the last step, its direction, the slope there and the length.
        self._last: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self._back: Tensor | None = None  # columns whose last step was a step back
        self.reach: Tensor  # length of the last step, which broadcasts against y

    def select(self, starts: list[int]) -> None:
        """Keep a subset of the starting points."""
        if self._length is not None:
            self._length, self._top = self._length[starts], self._top[starts]
        if self._last is not None:
            point, direction, slope, taken = self._last
            self._last = point[starts], direction[starts], slope[starts], taken[starts]
            self.last = self._last[1]
            assert self._back is not None
            self._back = self._back[starts]

    @property
    def going(self) -> Tensor:
        """Columns whose last step was not a step back, (S, K)."""
        assert self._back is not None
        return ~self._back

    def reset(self) -> None:
        """Reset the step lengths for a new metric."""
        if self._length is not None:
            self._length = torch.full_like(self._length, self.initial)

    def step(self, point, gradient, direction, moved, risen=None, slopes=None):
        """Return the next point; see ``ColumnStep.step``.

        Columns in which the function increased, or in which a value is not finite, step back.
        Lengths are computed on the device of the slopes, so that no transfer is needed.
        """
        slope, *along_last = slopes or dots(gradient, direction, self.last)
        finite = slope.abs() < torch.inf
        good = finite if risen is None else finite & ~risen
        if self._last is None:
            self._length, self._top = torch.full_like(slope, self.initial), slope.clamp_min(0)
            self._last, self._back = (point, direction, slope, self._length), ~good
            return self._go(point, direction)
        last_point, last_direction, last_slope, taken = self._last
        assert self._length is not None and self._back is not None
        length, self._top = self._length, torch.fmax(self._top, slope)
        # Slopes dominated by rounding errors are ignored; so is a second step back in a row, which
        # shows that the slopes are not of one function.
        comparable = finite & (last_slope > torch.finfo(point.dtype).eps * self._top) & ~self._back
        if moved.device.type != "cpu" or bool(moved.any()):
            there = moved.to(slope.device, non_blocking=True)[:, None]
            comparable &= ~there
            if self.longest == self.initial:  # near the Hessian the first guess is a full step
                length = torch.where(there, self.initial, length)
        (now,) = along_last
        fall = last_slope - now
        shrink, grow = _LIMITS.shrink, _LIMITS.grow
        secant = torch.where(fall > 0, last_slope / fall, grow).clamp(shrink, grow)
        length = torch.where(comparable, (length * secant).clamp_max(self.longest), length)
        back = comparable & (now < _LIMITS.overshot * last_slope)
        length = torch.where(good | back, length, shrink * taken)
        self._back, self._length = back | ~good, length
        self._last = point, direction, slope, length
        # On a device, testing whether any column steps back would synchronise.
        if slope.device.type != "cpu" or bool(self._back.any()):
            # If the next point is no better, step back to the same one, further still.
            keeps = mask_columns(good, point)
            self._last = (
                torch.where(keeps, point, last_point),
                torch.where(keeps, direction, last_direction),
                torch.where(good, slope, last_slope),
                length,
            )
            back = mask_columns(self._back, point)
            point = torch.where(back, last_point, point)
            direction = torch.where(back, last_direction, direction)
        return self._go(point, direction)

    def _go(self, point: Tensor, direction: Tensor) -> Tensor:
        assert self._length is not None and self._last is not None
        self.last = self._last[1]
        self.reach = self._length.to(point).reshape(*self._length.shape, *[1] * (point.ndim - 2))
        return point - self.reach * direction


class FollowingStep(ColumnStep):
    """Uses the step lengths of another variable.

    The multiplier's system has the same Hessian and metric as the y-step, so the same lengths fit.
    Its own slopes would compare residuals of a system that changes with y.
    """

    def __init__(self, leader: SecantStep):
        self.leader = leader

    def step(self, point, gradient, direction, moved, risen=None, slopes=None):
        """Return the next point; the leader has stepped already."""
        return point - self.leader.reach * direction
