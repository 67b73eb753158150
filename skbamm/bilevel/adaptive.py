"""The adaptive iteration: secant steps of y and v; x moves only once they are accurate.

An iteration solves for y and v if a closed form is known and takes steps towards their solutions
otherwise. It estimates their accuracy, and moves x if the hypergradient is accurate enough. If it
needs no additional pass, x uses the new y and v (Gauss-Seidel form). A run has two stages:
screening compares several starts at fixed x; refining moves the best.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from skbamm.bilevel.columns import dot, dots
from skbamm.bilevel.guards.accuracy import THRESHOLDS, Accuracy, Judgement
from skbamm.bilevel.guards.continuation import Backtrack, Predictor
from skbamm.bilevel.iteration import PATIENCE, Iteration, Proposal
from skbamm.bilevel.point import Point
from skbamm.bilevel.problem import Problem
from skbamm.bilevel.record import Record
from skbamm.bilevel.result import BilevelResult, Status
from skbamm.bilevel.steps.schedules import Steps


@dataclass(frozen=True)
class Limits:
    """When to renew a metric and when to stop.

    Attributes
    ----------
    slow : float
        Ratio of successive residuals above which a new metric may pay.
    idle : int
        Iterations without a move of a trusted x after which rounding errors dominate.
    moves : int
        Moves of x without improvement after which F is considered flat.
    """

    slow: float = 0.3
    idle: int = 5
    moves: int = 20


LIMITS = Limits()


class AdaptiveIteration(Iteration):
    """The part that both stages share: steps of y and v, and estimates of their accuracy."""

    def __init__(
        self,
        problem: Problem,
        here: Point,
        steps: Steps,
        form: str,
        record: Record,
        accuracy: Accuracy,
    ):
        super().__init__(problem, here, steps, form, record)
        self.accuracy = accuracy
        self.screened: list[tuple[Tensor, float, Tensor]] = []
        self.unjudged: list[Tensor] = []
        self._decrement: Tensor | None = None  # an iteration ago
        self._moved = here.moved  # whether x moved with the step before

    def step(self, k: int) -> Status | None:
        """See ``Iteration.step``."""
        proposal = self._proposal(k)
        problem, here, d, mu = self.problem, self.here, proposal.d, proposal.mu
        y_step, v_step, x_step = self.steps.y_step, self.steps.v_step, self.steps.x_step
        slopes, decrement_v = (
            dots(d.grad_y, proposal.p_y, y_step.last),
            dot(d.residual_v, proposal.p_v),
        )
        lag = self.accuracy.measure(d, slopes[0], decrement_v)
        changed = here.moved
        if v_step.compares_slopes:
            # The equation of v depends on y, so its slopes compare only if y was accurate.
            behind = ~(lag.error_y.amax(1) <= THRESHOLDS.follow)
            changed = here.moved.to(behind.device) | behind
        y = y_step.step(here.y, d.grad_y, proposal.p_y, here.moved, slopes=slopes)
        residual, p_v = d.residual_v, proposal.p_v
        if self.one_by_one:
            residual, p_v = self._residual_at(y, mu)
        v = v_step.step(here.v, residual, p_v, changed)
        if proposal.face is not None:
            y, v = self._settle(proposal.face, proposal.p_y, y, v)
        ahead: Tensor | None
        if self.one_by_one:
            ahead = problem.directions(here.at, y, v, mu).grad_x
        else:
            ahead = problem.grad_x(here.at, y, v, mu, d.upper)
        now = self.accuracy.judge(problem, here.x, here.moved, d, lag, ahead, x_step.settled)
        # While the averaging weight decreases, its bias must be below tol.
        final = mu <= self.record.tol or not self.steps.mu.vanishes
        if self.record.note(here, now, mu, final):
            return Status.CONVERGED
        status = self._move(k, y, v, now, proposal)
        if k + 1 >= PATIENCE and not bool(now.finite.any()):
            return Status.DIVERGED
        return status

    @abstractmethod
    def _move(
        self, k: int, y: Tensor, v: Tensor, now: Judgement, proposal: Proposal
    ) -> Status | None:
        """Update y and v, and possibly x; return a reason to stop, or None."""

    def result(self, status: Status, nit: int) -> BilevelResult:
        """See ``Iteration.result``; includes the results of the screening."""
        unjudged = [x.to(self.here.at.device) for x in self.unjudged]
        found = super().result(status, nit)
        return replace(found, screened=self.screened, unjudged=unjudged)

    def _proposal(self, k: int) -> Proposal:
        """Return the steps at the current point, or at the closed-form solution if there is one."""
        problem, here, solved = self.problem, self.here, None
        average = self.steps.mu
        mu = average(k) if average.by_iteration else average.weight
        if problem.has_closed_form and here.curvature is not None:
            solved = problem.closed_form(here.at, here.y, here.curvature, mu)
            here.y, here.v = solved or (here.y, here.v)
        d = problem.directions(here.at, here.y, here.v, mu)
        if problem.hessian_jumps and mu == 0:
            nearer = self.steps.y_step.nearer(problem, here.at, here.y, d.grad_y, here.moved)
            if nearer is not None:
                here.y = nearer
                d = problem.directions(here.at, here.y, here.v, mu)
        return self._propose(d, mu, solved is not None)

    def _renew_metric(self, now: Judgement) -> None:
        """Drop the metric if residuals decrease too slowly."""
        here, before = self.here, self._decrement
        if before is not None and here.curvature is not None:
            compare = ~self._moved[:, None] & ~now.trusted[:, None]
            ratio = (now.decrement / before.clamp_min(1e-300)).sqrt()
            if here.curvature.outworn(bool((compare & ~(ratio < LIMITS.slow)).any())):
                here.curvature = None
        self._decrement, self._moved = now.decrement, here.moved


class Screening(AdaptiveIteration):
    """The stage of several starts: y and v are solved for each x until F ranks the starts."""

    def _move(self, k, y, v, now, proposal):
        if bool(now.trusted.any()):  # the rule only records the values
            self.steps.x_step.step(self.here.x.double(), now.upper, now.slope, now.trusted)
        self.here.moved = torch.zeros_like(self.here.moved)
        self._renew_metric(now)
        self.here.go_to(self.here.x, y, v)
        if self._ranked(k, now):
            self.following = self._best(now, proposal)
        return None

    def _ranked(self, k: int, now: Judgement) -> bool:
        """Whether F ranks the starts.

        Models that are not solved yet tend to have too small an F. A start that is not accurate can
        therefore be dropped once a trusted start is better.
        """
        if bool(now.trusted.all()) or k + 1 >= PATIENCE:
            return True
        first = now.upper.nan_to_num(torch.inf).argmin()
        return k + 1 >= PATIENCE // 3 and bool(now.trusted[first])

    def _best(self, now: Judgement, proposal: Proposal) -> Refining:
        """Return the stage that refines the best start, with the values of the others."""
        here, x_step, trusted = self.here, self.steps.x_step, now.trusted
        rough = torch.cat([here.x, now.upper[:, None], now.slope], 1)
        rough = rough[torch.isfinite(now.upper) & ~trusted]
        usable = trusted if bool(trusted.any()) else torch.isfinite(now.upper)
        value = torch.where(usable, now.upper, torch.inf)
        s = int(value.argmin())
        starts = range(len(here.x))
        self.screened = [
            (here.x[t].clone(), float(value[t]), now.slope[t].clone()) for t in starts if trusted[t]
        ]
        self.unjudged = [
            here.x[t].clone()
            for t in starts
            if t != s and not trusted[t] and not float(now.upper[t]) > float(value[s])
        ]
        self.accuracy.select([s])
        self.steps.select(s)
        best = Refining(
            self.problem.select([s]), here.select(s), self.steps, self.form, self.record,
            self.accuracy,
        )  # fmt: skip
        best.screened, best.unjudged = self.screened, self.unjudged
        best.take_over(here, s, trusted)
        if self.screened:
            place = x_step.jump(rough.tolist())
            if place is not None:
                best.jump(place, bool(trusted[s]), proposal)
        return best


class Refining(AdaptiveIteration):
    """The stage of one start: x moves if it is trusted, and y and v are extrapolated."""

    def __init__(self, *args):
        super().__init__(*args)
        self.backtrack = Backtrack()
        steady = self.problem.second_order and self.steps.x_step.steady
        self.predictor = Predictor() if steady else None
        self.idle = 0  # iterations without a move of a trusted x

    def take_over(self, screened: Point, s: int, trusted: Tensor) -> None:
        """Take over y and v of the trusted starts of the screening."""
        here = self.here
        if self.predictor is not None:
            self.predictor.begin(s, trusted, screened.x, screened.y, screened.v)
        if bool(trusted[s]):
            self.backtrack.good = here.x, here.y, here.v

    def jump(self, place: float, trusted: bool, proposal: Proposal) -> None:
        """Move x to ``place``, the estimated minimum of several starts."""
        here = self.here
        x = self.problem.project(torch.full_like(here.x, place))
        here.moved = (x != here.x).any(1)
        y, v = here.y, here.v
        if self.predictor is not None and trusted:
            y, v = self.predictor(x, here.x, y, v, proposal.face)
        here.go_to(x, y, v)

    def _move(self, k, y, v, now, proposal):
        here, trusted = self.here, bool(now.trusted[0])
        more = (now.kkt[:, 2] > self.record.tol) | now.clear
        x = self.steps.x_step.step(here.x.double(), now.upper, now.slope, now.trusted & more)
        x = self.problem.project(x.to(here.x.dtype))
        at = here.x, here.y, here.v
        x, y, v = self.backtrack(at, (x, y, v), trusted, float(now.decrement.amax()))
        if self.backtrack.turned:
            here.curvature = None
        here.moved = (x != here.x).any(1)
        if self.predictor is not None and trusted:
            y, v = self.predictor(x, here.x, y, v, proposal.face)
        self._renew_metric(now)
        self.idle = self.idle + 1 if trusted and not bool(here.moved[0]) else 0
        here.go_to(x, y, v)
        average = self.steps.mu
        if average.vanishes and average.observe(trusted, float(now.kkt[0, 2])):
            self._begin_anew()
        if self.idle >= LIMITS.idle:
            return Status.STALLED
        return Status.PLATEAU if self.record.since_best > LIMITS.moves else None

    def _begin_anew(self) -> None:
        """Reset the state that depends on the last averaging weight."""
        self.here.curvature, self._decrement, self.idle = None, None, 0
        self.here.moved = torch.ones_like(self.here.moved)
        self.accuracy.restart()
        self.steps.x_step.reset()
        self.record.reopen()
