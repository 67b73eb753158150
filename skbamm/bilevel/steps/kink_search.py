"""Line searches for a lower level with a discontinuous Hessian.

Across a kink of the gradient, the Hessian at one end of a step says nothing about the other end,
and full Newton steps may cycle. With line searches along steps that were too long the method
terminates (Mangasarian, "A finite Newton method for classification", 2002; Keerthi & DeCoste, "A
modified finite Newton method for fast solution of large scale linear SVMs", 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.problem import Problem
from skbamm.bilevel.steps.secant import ColumnStep


@dataclass(frozen=True)
class SearchLimits:
    """When a line search ends; the minimum does not depend on it.

    Attributes
    ----------
    far : float
        Relative slope against the step above which the step is too long.
    near : float
        Relative slopes at both ends of a bracket that end the search.
    rounds : int
        Maximum number of rounds of trials.
    trials, ratio : int and float
        Number of lengths tried at a time, and the ratio of successive lengths in the first round.
    """

    far: float = 0.1
    near: float = 0.3
    rounds: int = 8
    trials: int = 6
    ratio: float = 0.2


_LIMITS = SearchLimits()


class KinkSearch(ColumnStep):
    """Full steps; a step that is too long is shortened to the minimum of f along it.

    f must be a sum over the axes of y before the last, since each term has its own length. Steps
    that are not too long, as most are, cost nothing.
    """

    def __init__(self):
        self._last: tuple[Tensor, Tensor] | None = None  # the last point and its gradient
        self._top: Tensor  # largest slope yet, once there is a point

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        if self._last is not None:
            point, gradient = self._last
            self._last = point[starts], gradient[starts]
            self._top = self._top[starts]

    def step(self, point, gradient, direction, moved=None, risen=None, slopes=None):
        """Return ``point - direction``."""
        if self._last is None:
            self._top = torch.zeros(point.shape[:-1], dtype=torch.float64, device=point.device)
        self._last = point, gradient
        return point - direction

    def nearer(
        self,
        problem: Problem,
        x: Tensor,
        y: Tensor,
        gradient: Tensor,
        moved: Tensor | None = None,
    ) -> Tensor | None:
        """Return the points to continue from, or None if no step was too long.

        Parameters
        ----------
        problem : Problem
        x : Tensor of shape (S, h)
        y, gradient : Tensor of shape (S, K, ..., p)
            The end of the last step, and the gradient of the part of f without kinks.
        moved : Tensor of bool of shape (S,), optional
            Starts whose x changed with the step, so that slopes are not comparable.
        """
        if self._last is None:
            return None
        point, before = self._last
        now = _fall(_behind(problem, x, point, y, gradient), y - point)
        first = _fall(before, y - point)
        self._top = torch.fmax(self._top, first)
        # Slopes dominated by rounding errors are ignored.
        far = (first > torch.finfo(y.dtype).eps * self._top) & (now < -_LIMITS.far * first)
        if moved is not None:
            far[moved] = False
        starts = torch.nonzero(far.flatten(1).any(1)).flatten().tolist()
        if not starts:
            return None
        begin, step = point[starts], (y - point)[starts]
        length = _least(problem, x, starts, begin, step, first[starts], now[starts])
        nearer = begin + length.to(y.dtype)[..., None] * step
        found = y.clone()
        found[starts] = torch.where(far[starts][..., None], nearer, y[starts])
        return found


def _least(problem, x, starts, begin, step, first, now) -> Tensor:
    """Return the lengths, from 0 to 1, that minimise f along each step.

    One pass tries several lengths, as additional starts: first over all scales, then between the
    two that bracket the minimum, where the slope is nearly linear.
    """
    many = problem.select([s for s in starts for _ in range(_LIMITS.trials)])
    x = x[starts].repeat_interleave(_LIMITS.trials, 0)

    def fall(lengths):  # (trials, S, K, ...)
        y = begin + lengths.to(begin.dtype)[..., None] * step
        y = y.transpose(0, 1).flatten(0, 1)
        _, gradient = many.lower(x, y)
        slope = _behind(many, x, begin.repeat_interleave(_LIMITS.trials, 0), y, gradient)
        return _fall(slope.unflatten(0, (-1, _LIMITS.trials)).transpose(0, 1), step)

    order = torch.arange(1, _LIMITS.trials + 1, dtype=torch.float64, device=begin.device)
    order = order.reshape(-1, *[1] * first.ndim)
    low, high, at_low, at_high = torch.zeros_like(first), torch.ones_like(first), first, now
    shares = _LIMITS.ratio ** order.flip(0)
    for _ in range(_LIMITS.rounds):
        lengths = low + shares * (high - low)
        lengths = torch.cat([low[None], lengths, high[None]])
        falls = torch.cat([at_low[None], fall(lengths[1:-1]), at_high[None]])
        left = ((falls > 0).sum(0, keepdim=True) - 1).clamp(0, _LIMITS.trials)
        low, high = (lengths.gather(0, i)[0] for i in (left, left + 1))
        at_low, at_high = (falls.gather(0, i)[0] for i in (left, left + 1))
        if bool((torch.maximum(at_low, -at_high) <= _LIMITS.near * first).all()):
            break
        shares = order / (_LIMITS.trials + 1)
    # If rounding errors dominate both slopes, any point in between will do.
    share = torch.where(at_low > at_high, at_low / (at_low - at_high), 0.5).clamp(0, 1)
    return low + share * (high - low)


def _behind(problem, x, begin, y, gradient) -> Tensor:
    """Return the gradient of f just before y on the way from ``begin``, from the smooth part's."""
    face = problem.face(x, y, gradient)
    if face is None:
        return gradient
    return gradient + face.kink * torch.sign(torch.where(y == 0, begin, y))


def _fall(gradient: Tensor, step: Tensor) -> Tensor:
    """Return the decrease of f along the step for each of its terms, (S, K, ...)."""
    return -(gradient * step).sum(-1, dtype=torch.float64)
