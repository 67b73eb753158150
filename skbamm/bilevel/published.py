"""The published iteration, as it stands in arXiv 2302.03407.

All step lengths are fixed beforehand, and small enough that y and v follow x without its waiting.
With ``phi = mu F + (1 - mu) f`` an iteration is::

    y <- y - beta  P (grad_y phi)
    v <- v - eta   P (H_phi v - grad_y F)
    x <- Proj(x - alpha (grad_x F - (d2 phi / dx dy)' v))

"""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.guards.accuracy import Judgement, Residuals, norms, on_host, relative
from skbamm.bilevel.iteration import PATIENCE, Iteration
from skbamm.bilevel.point import Point
from skbamm.bilevel.problem import Directions, Problem
from skbamm.bilevel.record import Record
from skbamm.bilevel.result import Status
from skbamm.bilevel.steps.schedules import Steps


class PublishedIteration(Iteration):
    """Steps of y, v and x from the same point or, with the form Gauss-Seidel, one by one."""

    def __init__(self, problem: Problem, here: Point, steps: Steps, form: str, record: Record):
        super().__init__(problem, here, steps, form, record)
        self.residuals = Residuals(problem)
        self._always = torch.ones_like(here.moved)  # x moves on: no two equations of v are one

    def step(self, k: int) -> Status | None:
        """See ``Iteration.step``."""
        problem, steps, here = self.problem, self.steps, self.here
        mu = steps.mu(k)
        proposal = self._propose(problem.directions(here.at, here.y, here.v, mu), mu)
        d = proposal.d
        y = steps.y_step.step(here.y, d.grad_y, proposal.p_y, here.moved)
        residual, p_v = d.residual_v, proposal.p_v
        if self.one_by_one:
            residual, p_v = self._residual_at(y, mu)
        v = steps.v_step.step(here.v, residual, p_v, self._always)
        if proposal.face is not None:
            y, v = self._settle(proposal.face, proposal.p_y, y, v)
        grad_x = d.grad_x
        if self.one_by_one:
            grad_x = problem.directions(here.at, y, v, mu).grad_x
        now = self._judge(d, grad_x)
        if self.record.note(here, now, mu, final=True):
            return Status.CONVERGED
        x = steps.x_step.step(here.x.double(), now.upper, now.slope, now.finite)
        x = problem.project(x.to(here.x.dtype))
        # Nothing shows how fast residuals fall: a metric is worth its price where x is at rest.
        rests = not bool(here.moved.all())
        if k > 0 and here.curvature is not None and here.curvature.outworn(rests):
            here.curvature = None
        here.moved = (x != here.x).any(1)
        here.go_to(x, y, v)
        over = k + 1 >= PATIENCE and not bool(now.finite.any())
        return Status.DIVERGED if over else None

    def _judge(self, d: Directions, grad_x: Tensor) -> Judgement:
        """Return F and the hypergradient as they are: nothing is known of their errors."""
        upper, shares, *sizes = on_host([d.upper, grad_x, *norms(d)])
        upper, slope = upper.sum(1), shares.sum(1)
        zero, unknown = torch.zeros_like(upper), torch.full_like(sizes[0], torch.inf)
        finite, grad, noise = relative(upper, slope, zero, self.problem.upper_floor)
        both = sizes[0], sizes[1]
        nearness = torch.stack([unknown, unknown])
        kkt = self.residuals.measure(self.problem, self.here.x, grad, both, nearness)
        never = torch.zeros_like(finite)
        return Judgement(upper, zero, slope, grad, noise, finite, finite, unknown, kkt, never)
