"""Estimates the accuracy of y and v, and whether the hypergradient can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from skbamm.bilevel.problem import Directions, Problem
from skbamm.bilevel.steps.x_steps import UpperStep

_TINY = torch.finfo(torch.float64).tiny


@dataclass(frozen=True)
class Thresholds:
    """Required accuracy of y, v and the hypergradient. Errors are relative; 1 means no accuracy.

    x waits where one of them is too strict and is led astray where it is too loose; tests of the
    loop compare results with exactly solved models, so that results do not depend on them.

    Attributes
    ----------
    gradient : float
        Error of the hypergradient, relative to its size, with which x may move.
    follow : float
        Error of y and v with which they follow x in any case.
    near : float
        Error with which they do if one step changes the hypergradient by no more than the
        ``precise`` of the rule for x.
    fair, steady : float
        Error with which they do if one step changes it by no more than the share ``steady``.
    doubt, doubt_kinks : float
        Share of F that the lag of y may account for when x moves; the second where slopes jump,
        since a bracket compares values there.
    fade, fade_slowly : float
        Decay per iteration of the decrement that errors are relative to: with a
        metric near the Hessian, and with plain gradients.
    share : float
        Squared decrement, relative to f, that errors are at least relative to.
    slowest : float
        Ratio of successive changes from which the error of a slowly converging hypergradient is
        extrapolated, at most.
    still : int
        Iterations without a move of x after which changes of the hypergradient show its error:
        as many as x takes to reach v, by way of y.
    finer : float
        Share of ``tol`` down to which x keeps moving.
    """

    gradient: float = 0.2
    follow: float = 0.05
    near: float = 0.5
    fair: float = 0.2
    steady: float = 0.1
    doubt: float = 0.02
    doubt_kinks: float = 1e-4
    fade: float = 0.3
    fade_slowly: float = 0.95
    share: float = 0.1
    slowest: float = 0.98
    still: int = 2
    finer: float = 0.01


THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class Judgement:
    """One iteration as it is judged, in float64 on the CPU; a figure a start.

    Attributes
    ----------
    upper, doubt : Tensor of shape (S,)
        F, and how much of it may still be due to the lag of y.
    slope : Tensor of shape (S, h)
        The hypergradient.
    grad, noise : Tensor of shape (S, h) and (S,)
        The hypergradient and its error, relative to F.
    finite : Tensor of bool of shape (S,)
    trusted : Tensor of bool of shape (S,)
        Whether y and v follow x, and the hypergradient means something.
    decrement : Tensor of shape (S, K)
        The larger squared decrement.
    kkt : Tensor of shape (S, 3)
        Relative residuals of the equations of y, v and x.
    clear : Tensor of bool of shape (S,)
        Whether the hypergradient is accurate enough for x to keep moving below ``tol``.
    """

    upper: Tensor
    doubt: Tensor
    slope: Tensor
    grad: Tensor
    noise: Tensor
    finite: Tensor
    trusted: Tensor
    decrement: Tensor
    kkt: Tensor
    clear: Tensor


def norms(d: Directions) -> list[Tensor]:
    """Return the norms of the residuals of y and v, each (S, K), in float64."""
    return [
        torch.linalg.vector_norm(t.flatten(2), dim=-1, dtype=torch.float64)
        for t in (d.grad_y, d.residual_v)
    ]


def on_host(figures: Sequence[Tensor]) -> list[Tensor]:
    """Return small tensors in float64 on the CPU, where decisions are made.

    This waits for a device once, and spares it a hundred operations with a few numbers each.
    """
    if figures[0].device.type == "cpu":
        return [figure.double() for figure in figures]
    flat = torch.cat([figure.double().flatten() for figure in figures]).cpu()
    parts = flat.split([figure.numel() for figure in figures])
    return [part.view(figure.shape) for part, figure in zip(parts, figures, strict=True)]


class Lag(NamedTuple):
    """Errors of y and v at x, each of shape (S, K) on the device of y.

    Attributes
    ----------
    error_y, error : Tensor
        Relative error of y, and the larger one of y and v.
    decrement : Tensor
        The larger squared decrement.
    nearness : Tensor of shape (2, S, K)
        Both squared decrements, relative to the scales of f and F.
    """

    error_y: Tensor
    error: Tensor
    decrement: Tensor
    nearness: Tensor


class Accuracy:
    """Estimates errors of y, v and the hypergradient from one iteration to the next.

    The squared decrement ``<residual, P residual>`` of y and v is compared with the largest seen,
    since that is free of the units of features, targets and penalties. Rounding bounds it below.

    Parameters
    ----------
    problem : Problem
    x_step : UpperStep
        It says how precise a hypergradient must be, and whether slopes of F jump.
    tol : float
    device : torch.device
        Where y and v are.
    """

    def __init__(self, problem: Problem, x_step: UpperStep, tol: float, device: torch.device):
        at, S = THRESHOLDS, problem.shape[0]
        self.tol, self.second_order = tol, problem.second_order
        self.upper_floor, self.precise = problem.upper_floor, x_step.precise
        self.most_doubt = at.doubt_kinks if x_step.kinks else at.doubt
        self.fade = at.fade if problem.second_order else at.fade_slowly
        # Squared decrements of y have the units of f, those of v those of F squared over f's.
        self.residuals = Residuals(problem)
        self.floor, self.null = problem.lower_floor.to(device), problem.upper_null.to(device)
        # The largest squared decrements of y and v, where what was seen long ago counts less; and
        # that of v, however long ago.
        self.top = torch.zeros((2, *problem.shape), dtype=torch.float64, device=device)
        self.most_v = self.top[0]
        self.shares: Tensor | None = None  # of the hypergradient, an iteration ago
        self.change = torch.zeros(S, dtype=torch.float64)  # of the hypergradient
        self.still = torch.zeros(S, dtype=torch.int64)  # iterations since x moved

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        self.top, self.most_v = self.top[:, starts], self.most_v[starts]
        self.change, self.still = self.change[starts], self.still[starts]
        self.shares = None if self.shares is None else self.shares[starts]
        self.residuals.select(starts)

    def restart(self) -> None:
        """Forget the last hypergradient: it was of another problem."""
        self.shares = None

    def measure(self, d: Directions, decrement_y: Tensor, decrement_v: Tensor) -> Lag:
        """Return the lag of y and v, given their squared decrements (S, K)."""
        both = torch.stack([decrement_y, decrement_v]).abs()
        # The largest counts less with every iteration, else a far start would excuse later lag.
        self.top = torch.fmax(self.fade * self.top, both)
        self.most_v = torch.fmax(self.most_v, both[1])
        lower = d.lower.double().abs()
        scale = (self.floor + lower).clamp_min(_TINY)
        scales = torch.stack([scale, self.null**2 / scale])
        # A run that starts near the solution must not need more accuracy: f is a scale as well.
        least = torch.stack([THRESHOLDS.share * lower, 1e-8 * self.most_v])
        least = torch.maximum(self.top, least) + torch.finfo(d.grad_y.dtype).eps ** 1.5 * scales
        errors = (both / least.clamp_min(_TINY)).sqrt()
        error = errors.amax(0).nan_to_num(torch.inf, torch.inf)
        return Lag(errors[0], error, both.amax(0), both / scales)

    def judge(
        self,
        problem: Problem,
        x: Tensor,
        moved: Tensor,
        d: Directions,
        lag: Lag,
        ahead: Tensor | None,
        settled: bool,
    ) -> Judgement:
        """Judge an iteration, after its one wait for the device.

        Parameters
        ----------
        problem : Problem
        x : Tensor of shape (S, h)
        moved : Tensor of bool of shape (S,)
            Starts whose x moved with the last step.
        d : Directions
        lag : Lag
        ahead : Tensor of shape (S, K, h), or None
            The hypergradient's shares where y and v go next, if that costs no pass.
        settled : bool
            Whether x is a solution although its hypergradient has not vanished.
        """
        figures = [d.upper, d.upper_lag, d.grad_x, *norms(d), *lag[1:]]
        figures = on_host(figures if ahead is None else [*figures, ahead])
        upper, upper_lag, shares, size_y, size_v, error, decrement, nearness, *more = figures
        shares, noise = self._hypergradient(shares, more[0] if more else None, moved)
        slope, at = shares.sum(1), THRESHOLDS
        follows = error.amax(1) <= at.follow
        if self.second_order:
            # Near rounding errors, estimates no longer decrease.
            size = slope.abs().sum(1)
            follows |= (error.amax(1) <= at.near) & (noise <= self.precise * size)
            follows |= (error.amax(1) <= at.fair) & (noise <= at.steady * size)
        # The Lagrangian is F at the solution y, up to the product of both errors; how far it
        # is from F at the y we have shows how much of F is still due to the lag.
        lagged = torch.where(follows[:, None] | (error <= at.follow), upper_lag, 0.0)
        upper, doubt = (upper - lagged).sum(1), lagged.abs().sum(1)
        finite, grad, noise = relative(upper, slope, noise, self.upper_floor)
        close = noise <= at.gradient * grad.abs().sum(1).clamp_min(self.tol)
        sure = doubt <= self.most_doubt * upper.abs().clamp_min(self.tol * self.upper_floor)
        trusted = finite & close & follows & sure
        asked = torch.zeros_like(grad) if settled else grad
        kkt = self.residuals.measure(problem, x, asked, (size_y, size_v), nearness)
        # Once the equation of x holds to tol, y and v may converge. But F may be so flat that
        # this says little about x, which keeps moving while its hypergradient exceeds its error.
        clear = (noise <= at.gradient * grad.abs().sum(1)) & (kkt[:, 2] > at.finer * self.tol)
        return Judgement(upper, doubt, slope, grad, noise, finite, trusted, decrement, kkt, clear)

    def _hypergradient(
        self, shares: Tensor, ahead: Tensor | None, moved: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the hypergradient's shares (S, K, h) and an estimate of its error (S,).

        If it costs no pass, it is evaluated at the new y and v, so that it gains what the metric
        gained in this step; and the change by the step shows the error directly, also in the
        directions of little curvature, which the penalty is about and the lag hardly sees. Else
        the change since the iteration before shows it, once x has stood still long enough.
        """
        if ahead is not None:
            return ahead, (ahead - shares).abs().sum((1, 2))
        self.still = torch.where(moved, 0, self.still + 1)
        before, self.shares = self.shares, shares
        if before is None:
            return shares, torch.full_like(shares[:, 0, 0], torch.inf)
        change = (shares - before).abs().sum((1, 2))
        error = change
        if not self.second_order:
            # With slow convergence, changes are much smaller than the error.
            left = change / self.change.clamp_min(1e-300)
            error = change / (1 - left.clamp(0, THRESHOLDS.slowest))
        self.change = change
        return shares, torch.where(self.still < THRESHOLDS.still, torch.inf, error)


def relative(
    upper: Tensor, slope: Tensor, noise: Tensor, floor: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return which starts are finite, and their hypergradients and errors relative to F."""
    finite = torch.isfinite(upper) & torch.isfinite(slope).all(1)
    scale = upper.abs().clamp(floor, 1.0)
    return finite, slope / scale[:, None], noise / scale


class Residuals:
    """Residuals relative to the first ones, or to their effect on f and F.

    The first is hard to meet if a run starts near the solution, the second if f is flat:
    the smaller one counts. A problem without units has the first only.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem):
        self.has_units = problem.has_units
        self.first: list[Tensor] | None = None  # norms of the first residuals of y and v

    def select(self, starts: list[int]) -> None:
        """Keep only these starting points."""
        if self.first is not None:
            self.first = [size[starts] for size in self.first]

    def measure(
        self,
        problem: Problem,
        x: Tensor,
        grad: Tensor,
        sizes: tuple[Tensor, Tensor],
        nearness: Tensor,
    ) -> Tensor:
        """Return the residuals of y, v and x, (S, 3), in float64.

        Parameters
        ----------
        problem : Problem
        x, grad : Tensor of shape (S, h)
            x and the hypergradient, relative to F.
        sizes : tuple of Tensor of shape (S, K)
            Norms of the residuals of y and v.
        nearness : Tensor of shape (2, S, K)
            Their squared decrements, relative to the scales of f and F.
        """
        if self.first is None:
            self.first = list(sizes)
        found = []
        for size, first, near in zip(sizes, self.first, nearness, strict=True):
            if self.has_units:
                found.append(torch.fmin(size / first.clamp_min(_TINY), near.sqrt()).amax(1))
            else:
                found.append((size / (1 + first)).amax(1))
        x = x.double()
        return torch.stack([*found, (x - problem.project(x - grad)).norm(dim=1)], 1)
