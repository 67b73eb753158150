"""The one loop that runs sl-BAMM on every problem.

Liu, Liu, Yao, Zeng, Zhang, "Averaged Method of Multipliers for Bi-Level Optimization without
Lower-Level Strong Convexity", ICML 2023, arXiv 2302.03407. One iteration takes one step of each
of y, v and x, all three from the same point, with ``phi = mu F + (1 - mu) f``::

    y <- y - beta  P (grad_y phi)
    v <- v - eta   P (H_phi v - grad_y F)
    x <- Proj(x - alpha (grad_x F - (d2 phi / dx dy)' v))

``P`` is the problem's metric (the identity in the publication). The adaptive schedule takes the
x-step at the new y and v where that costs no pass (the Gauss-Seidel form).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.guards.accuracy import FOLLOW, TRUST, Figures, Lag, figures_of, judge
from skbamm.bilevel.guards.continuation import Forecast, TurnBack
from skbamm.bilevel.metrics import precondition
from skbamm.bilevel.problem import Curvature, Problem
from skbamm.bilevel.record import Record, State
from skbamm.bilevel.result import BilevelResult, Status
from skbamm.bilevel.steps.averaging import VanishingAverage
from skbamm.bilevel.steps.kink_search import LookBack
from skbamm.bilevel.steps.schedules import Schedule, adaptive
from skbamm.bilevel.steps.secant import ConstantStep, SecantStep
from skbamm.effort import spend, step_seconds

_SLOW = 0.3  # fall of the residuals an iteration above which a new metric is worth its price
_SCREEN = 15  # iterations after which starts that do not follow are given up
_FINER = 0.01  # share of tol that x goes on to, where it may
_STILL = 2  # iterations after a move of x from which changes of the hypergradient tell its error
_TINY = torch.finfo(torch.float64).tiny
_SLOWEST = 0.98  # fall of changes that their error is extrapolated from
_IDLE = 5  # iterations that leave a trusted x where it is
_PATIENCE = 20  # moves of x without an improvement


def solve(
    problem: Problem,
    x0: Tensor,
    *,
    y0: Tensor | None = None,
    v0: Tensor | None = None,
    curvature: Curvature | None = None,
    schedule: Schedule | None = None,
    form: str = "jacobi",
    max_iter: int = 100,
    tol: float = 1e-4,
    max_time: float | None = None,
    finish: int = 3,
    keep_path: bool = True,
    callback: Callable[[int, Tensor, float], object] | None = None,
) -> BilevelResult:
    """Minimise F(x, y) over x and y, subject to y in argmin f(x, .), by sl-BAMM.

    All S starts are followed together until the hypergradient of each can be trusted; then the
    best one is refined. Nothing found is lost: the best trusted point is returned whatever
    happens, also after Ctrl-C.

    Parameters
    ----------
    problem : Problem
    x0 : Tensor of shape (S, h)
        Starting points.
    y0, v0 : Tensor of shape (S, K, ...), optional
        Defaults: ``problem.start(x0)`` and zero.
    curvature : Curvature, optional
        A metric to begin with, good near ``(x0, y0)``.
    schedule : Schedule, optional
        ``adaptive(h, problem.second_order)`` by default.
    form : {"jacobi", "gauss-seidel"}, default="jacobi"
        Whether all steps are taken from the same point, or v at the new y and x at both; that
        costs two more evaluations of the problem.
    max_iter : int
    tol : float
        Bound on the relative KKT residuals.
    max_time : float, optional
        Seconds after which the best point so far is returned.
    finish : int
        Moves of x that may follow once ``tol`` is met: where F is flat, tol says little of x.
    keep_path : bool, default=True
        Whether the history has the x of every iteration.
    callback : callable, optional
        Called as ``callback(k, x, upper)`` each iteration with the leading start; a true return
        value ends the run.

    Returns
    -------
    BilevelResult
    """
    if schedule is None:
        schedule = adaptive(x0.shape[1], problem.second_order)
    record = Record(tol, finish, schedule.waits, keep_path)
    run = _Run(problem, x0, y0, v0, schedule, form, tol, record)
    run.curvature = curvature
    deadline = torch.inf if max_time is None else time.perf_counter() + max_time
    status = Status.MAX_ITER
    try:
        for k in range(max_iter):
            stop = run.iterate(k)
            ended = callback is not None and callback(k, *run.leading())
            if stop is None and ended:
                stop = Status.INTERRUPTED
            if stop is None and time.perf_counter() > deadline:
                stop = Status.MAX_TIME
            if stop is not None:
                status = stop
                break
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    return run.result(status)


class _Run:
    """State of one run, and its iteration."""

    def __init__(self, problem, x0, y0, v0, schedule, form, tol, record):
        if schedule.waits and problem.hessian_jumps:
            schedule = replace(schedule, y_step=LookBack(), v_step=ConstantStep(1.0))
            schedule.x_step.kinks = True  # where the models' slopes have kinks, F's jumps
        self.problem, self.schedule, self.form, self.tol = problem, schedule, form, tol
        self.record = record
        # x and what decides about it are on the CPU; y, v and what decides about them need not be.
        self.device = x0.device
        self.x = problem.project(x0.cpu())
        self._at: tuple[Tensor, Tensor] | None = None
        self.y = problem.start(self.at) if y0 is None else y0
        self.v = torch.zeros_like(self.y) if v0 is None else v0
        self.starts = list(range(x0.shape[0]))
        self.lag = Lag.begin(problem, self.device)
        self.scale_y: Any = None  # gradients of f and F at the first point
        self.scale_v: Any = None
        self.curvature: Any = None
        self.face: Face | None = None
        self.previous: Tensor | None = None
        self.moved = torch.zeros(x0.shape[0], dtype=torch.bool)
        self.moved_before = self.moved
        self.last_shares: Tensor | None = None
        self.change = torch.zeros_like(self.moved, dtype=torch.float64)  # of the hypergradient
        self.still = torch.zeros_like(self.moved, dtype=torch.int64)  # iterations since x moved
        self.idle = 0
        self.turn_back = TurnBack()
        steady = problem.second_order and getattr(schedule.x_step, "steady", False)
        self.forecast = Forecast() if steady else None
        self.screened: list[tuple[Tensor, float, Tensor]] = []
        self.unjudged: list[Tensor] = []
        self.nit = 0

    @property
    def at(self) -> Tensor:
        """x, where the problem is."""
        if self._at is None or self._at[0] is not self.x:
            self._at = self.x, self.x.to(self.device, non_blocking=True)
        return self._at[1]

    def leading(self) -> tuple[Tensor, float]:
        """Return x and F of the leading start."""
        x, upper = self.record.leading()
        return x.to(self.device), upper

    def iterate(self, k: int) -> Status | None:
        """Take one step of y, v and x; return why to stop, or None."""
        self.nit = k + 1
        spend(step_seconds(self.problem.kinks))
        problem, schedule, mu, at = self.problem, self.schedule, self.schedule.mu(k), self.at
        known = None
        if self.curvature is not None and problem.has_closed_form:
            known = problem.closed_form(at, self.y, self.curvature, mu)
            self.y, self.v = known or (self.y, self.v)
        d = problem.directions(at, self.y, self.v, mu)
        if isinstance(schedule.y_step, LookBack) and mu == 0:
            nearer = schedule.y_step.nearer(problem, at, self.y, d.grad_y, self.moved)
            if nearer is not None:
                self.y = nearer
                d = problem.directions(at, self.y, self.v, mu)
        self.face = problem.face(at, self.y, d.grad_y, mu)
        if self.face is not None:
            d = replace(d, grad_y=self.face.slope, residual_v=d.residual_v * self.face.free)
        if self.curvature is None:
            self.curvature = problem.curvature(at, self.y, mu)
            schedule.y_step.reset()
            schedule.v_step.reset()
        p_y, p_v = precondition(self.curvature, self.face, self.y, d, known is not None)
        y, v, lag = self._follow(d, p_y, p_v, mu)
        seen = figures_of(d, lag, self._ahead(d, y, v, mu))
        shares, noise = self._hypergradient(seen)
        now = judge(seen, shares, noise, schedule, problem, self.tol)
        upper, grad, trusted = now.upper, now.grad, now.trusted
        kkt = self._kkt(seen, grad)
        # Where x's own equation holds, y and v may come to rest; but F may be flat enough for tol
        # to say little about x, which then goes on while its hypergradient stands out.
        clear = (now.noise <= TRUST * grad.abs().sum(1)) & (kkt[:, 2] > _FINER * self.tol)
        more = (kkt[:, 2] > self.tol) | clear
        go = trusted & more if schedule.waits else now.finite
        state = State(self.x, self.y, self.v, upper, now.doubt, trusted, now.noise, kkt, clear, mu)
        if self.record.note(state, self.starts, schedule.may_converge(self.tol)):
            return Status.CONVERGED
        x = self._step_x(upper, now.slope, go, trusted)
        screening = schedule.waits and len(self.starts) > 1
        if schedule.waits and not screening:
            here, nearness = (self.x, self.y, self.v), float(seen.decrement.amax())
            x, y, v = self.turn_back(here, (x, y, v), bool(trusted[0]), nearness)
            if self.turn_back.turned:
                self.curvature = None
        self.moved = (x != self.x).any(1)
        if self.forecast is not None and not screening and bool(trusted[0]):
            y, v = self.forecast(x, self.x, y, v, self.face)
        self._refresh_metric(seen.decrement, trusted)
        still = schedule.waits and not screening and bool(trusted[0] & ~self.moved[0])
        self.idle = self.idle + 1 if still else 0
        if bool(self.moved.any()):
            self.x = x
        self.y, self.v = y, v
        if self.curvature is not None:
            self.curvature = self.curvature.at(self.at, y)
        if screening and self._screened(k, upper, trusted):
            self._choose(upper, trusted, now.slope)
        elif not screening:
            self._average_less(trusted, kkt)
        if not bool(now.finite.any()) and k + 1 >= _SCREEN:
            return Status.DIVERGED
        if self.idle >= _IDLE:
            return Status.STALLED
        if schedule.waits and self.record.since_best > _PATIENCE:
            return Status.PLATEAU
        return None

    def _follow(self, d, p_y, p_v, mu) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """Take the steps of y and v: from the same point, or v's at the new y.

        Return with them the errors, decrements and nearness of where they began, infinite if x
        never waits.
        """
        step = self.schedule.y_step
        known = {"slopes": step.slopes(d.grad_y, p_y)} if isinstance(step, SecantStep) else {}
        y = step.step(self.y, d.grad_y, p_y, self.moved, **known)
        if self.schedule.waits:
            lag = self.lag.measure(d, p_y, p_v, *known.get("slopes", [])[:1])
        else:
            never = torch.full_like(d.upper, torch.inf)
            lag = never, never, never, torch.stack([never, never])
        unsettled = self.moved
        if isinstance(self.schedule.v_step, SecantStep):
            # Its residuals compare only where its equation, which y is in, stood still.
            unsettled = unsettled.to(self.device) | ~(lag[0].amax(1) <= FOLLOW)
        residual = d.residual_v
        if self.form == "gauss-seidel":
            residual = self.problem.directions(self.at, y, self.v, mu).residual_v
            (p_v,) = self.curvature.solve(residual[None])
        v = self.schedule.v_step.step(self.v, residual, p_v, unsettled)
        if self.face is not None:
            y = self.face.settle(self.y, y, p_y, getattr(step, "going", None))
            v = self.face.support(y, v)
        return y, v, lag[1:]

    def _step_x(self, upper, slope, go, trusted) -> Tensor:
        """Return the next x; while starts are screened theirs are only remembered."""
        step, x = self.schedule.x_step.step, self.x.double()
        if len(self.starts) == 1 or not self.schedule.waits:
            return self.problem.project(step(x, upper, slope, go).to(self.x.dtype))
        if bool(trusted.any()):
            step(x, upper, slope, trusted)
        return self.x

    def _ahead(self, d, y, v, mu) -> Tensor | None:
        """Return the hypergradient's shares at the new y and v, if they cost no pass."""
        if self.form == "gauss-seidel":
            return self.problem.directions(self.at, y, v, mu).grad_x
        return self.problem.grad_x(self.at, y, v, mu, d.upper) if self.schedule.waits else None

    def _hypergradient(self, seen: Figures) -> tuple[Tensor, Tensor]:
        """Return the hypergradient's shares (S, K, h) and an estimate of its error (S,).

        Where it costs no pass it is taken at the new y and v, so that it gains what the metric
        gained in this step; and the change by the step tells the error directly, also in the
        directions of little curvature, which the penalty is about and the lag hardly sees. Else
        the change since the iteration before tells it, once x has stood still for as long as it
        takes x to reach v, by way of y.
        """
        shares, ahead = seen.grad_x, seen.ahead
        if ahead is not None:
            return ahead, (ahead - shares).abs().sum((1, 2))
        if not self.schedule.waits:
            return shares, torch.zeros_like(shares[:, 0, 0])
        self.still = torch.where(self.moved, 0, self.still + 1)
        before, self.last_shares = self.last_shares, shares
        if before is None:
            return shares, torch.full_like(shares[:, 0, 0], torch.inf)
        change = (shares - before).abs().sum((1, 2))
        error = change
        if not self.problem.second_order:
            # What converges slowly changes by much less than its error.
            left = change / self.change.clamp_min(1e-300)
            error = change / (1 - left.clamp(0, _SLOWEST))
        self.change = change
        return shares, torch.where(self.still < _STILL, torch.inf, error)

    def _kkt(self, seen: Figures, grad: Tensor) -> Tensor:
        """Relative KKT residuals (S, 3) of the equations of y, v and x."""
        at_y, at_v = seen.size_y, seen.size_v
        if self.scale_y is None:
            self.scale_y, self.scale_v = at_y, at_v
        if self.problem.has_units:  # it has units
            # Relative to what they were at first, or by what they cost relative to f and F: the
            # first is hard where a run begins near the solution, the other where f is flat.
            pairs = zip((at_y, at_v), (self.scale_y, self.scale_v), seen.nearness, strict=True)
            res_y, res_v = (
                torch.fmin(at / scale.clamp_min(_TINY), near.sqrt()).amax(1)
                for at, scale, near in pairs
            )
        else:
            res_y = (at_y / (1 + self.scale_y)).amax(1)
            res_v = (at_v / (1 + self.scale_v)).amax(1)
        x = self.x.double()
        if getattr(self.schedule.x_step, "settled", False):
            grad = torch.zeros_like(grad)
        res_x = (x - self.problem.project(x - grad)).norm(dim=1)
        return torch.stack([res_y, res_v, res_x], 1)

    def _average_less(self, trusted: Tensor, kkt: Tensor) -> None:
        """Lower the averaging weight where the run has come to rest; that is a new problem."""
        average = self.schedule.mu
        if not isinstance(average, VanishingAverage):
            return
        if average.observe(bool(trusted[0]), float(kkt[0, 2])):
            self.curvature, self.previous, self.last_shares = None, None, None
            self.moved = torch.ones_like(self.moved)
            self.idle = 0
            self.schedule.x_step.reset()
            self.record.reopen()

    def _refresh_metric(self, decrement: Tensor, trusted: Tensor) -> None:
        """Drop the metric where it no longer makes the residuals fall fast enough."""
        if self.previous is not None and self.curvature is not None:
            compare = ~self.moved_before[:, None] & ~trusted[:, None]
            ratio = (decrement / self.previous.clamp_min(1e-300)).sqrt()
            if self.curvature.outworn(bool((compare & ~(ratio < _SLOW)).any())):
                self.curvature = None
        self.previous, self.moved_before = decrement, self.moved

    def _screened(self, k: int, upper: Tensor, trusted: Tensor) -> bool:
        """Whether the starts can be told apart.

        Models that are not fitted yet tend to look better than they will, so a start that does
        not follow can be left behind once a trusted one is ahead of it.
        """
        if bool(trusted.all()) or k + 1 >= _SCREEN:
            return True
        return k + 1 >= _SCREEN // 3 and bool(trusted[upper.nan_to_num(torch.inf).argmin()])

    def _choose(self, upper: Tensor, trusted: Tensor, slope: Tensor) -> None:
        """End the screening: keep the best start, and use what the others saw."""
        value = torch.where(trusted, upper, torch.inf)
        self.screened = [
            (self.x[s].clone(), float(value[s]), slope[s].clone())
            for s in range(len(self.starts)) if trusted[s]
        ]  # fmt: skip
        points = torch.cat([self.x, upper[:, None], slope], 1)[torch.isfinite(upper) & ~trusted]
        rough = points.tolist()
        if not self.screened:
            value = torch.where(torch.isfinite(upper), upper, torch.inf)
        s = int(value.argmin())
        self.unjudged = [
            self.x[t].clone()
            for t in range(len(self.starts))
            if t != s and not trusted[t] and not float(upper[t]) > float(value[s])
        ]
        if self.forecast is not None:
            self.forecast.begin(s, trusted, self.x, self.y, self.v)
        self.problem = self.problem.select([s])
        self.starts = [self.starts[s]]
        self.x, self.y, self.v = self.x[[s]], self.y[[s]], self.v[[s]]
        self.lag.select([s])
        if self.last_shares is not None:
            self.last_shares = self.last_shares[[s]]
            self.still, self.change = self.still[[s]], self.change[[s]]
        self.scale_y, self.scale_v = self.scale_y[[s]], self.scale_v[[s]]
        self.moved, self.previous = self.moved[[s]], None
        if self.curvature is not None:
            self.curvature = self.curvature.select([s])
        if trusted[s]:
            self.turn_back.good = self.x, self.y, self.v
        self.schedule.y_step.select([s])
        self.schedule.v_step.select([s])
        self.schedule.x_step.lead(s)
        jump = getattr(self.schedule.x_step, "jump", None)
        if jump is not None and self.screened:
            x = self.problem.project(torch.full_like(self.x, jump(rough)))
            self.moved = (x != self.x).any(1)
            if self.forecast is not None and trusted[s]:
                self.y, self.v = self.forecast(x, self.x, self.y, self.v, self.face)
            self.x = x
            self.curvature = self.curvature and self.curvature.at(self.at, self.y)

    def result(self, status: Status) -> BilevelResult:
        """Return the best point with a status."""
        best = self.record.best or {
            "upper": float("nan"), "kkt": [float("inf")] * 3, "start": 0,
            "x": self.x[0], "y": self.y[0], "v": self.v[0],
        }  # fmt: skip
        x, y, v = best["x"].to(self.device, copy=True), best["y"].clone(), best["v"].clone()
        return BilevelResult(
            x=x, y=y, v=v, fun=best["upper"], start=best["start"], status=status, nit=self.nit,
            kkt_residual=tuple(best["kkt"]), history=self.record.history, screened=self.screened,
            unjudged=[x.to(self.device) for x in self.unjudged], curvature=self.curvature,
        )  # fmt: skip
