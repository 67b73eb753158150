"""The state of a run; base class of the published and the adaptive iteration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face
from skbamm.bilevel.metrics import precondition
from skbamm.bilevel.point import Point
from skbamm.bilevel.problem import Directions, Problem
from skbamm.bilevel.record import Record
from skbamm.bilevel.result import BilevelResult, Status
from skbamm.bilevel.steps.schedules import Steps
from skbamm.effort import step_seconds

PATIENCE = 15  # iterations after which starts with inaccurate y and v are dropped


@dataclass
class Proposal:
    """The preconditioned residuals of y and v at a point: their proposed steps.

    Attributes
    ----------
    d : Directions
        On the face, where there is one.
    face : Face or None
    p_y, p_v : Tensor
        The residuals of y and v in the metric: their steps.
    mu : float
        Averaging weight.
    """

    d: Directions
    face: Face | None
    p_y: Tensor
    p_v: Tensor
    mu: float


class Iteration(ABC):
    """One iteration, or one stage of it: takes steps of y, v and x.

    Parameters
    ----------
    problem : Problem
    here : Point
    steps : Steps
    form : {"jacobi", "gauss-seidel"}
        Whether all steps start from one point, or each uses the latest values.
    record : Record

    Attributes
    ----------
    seconds : float
        Work of an iteration apart from its passes.
    following : Iteration or None
        The next stage, once this one has ended.
    """

    following: Iteration | None = None

    def __init__(self, problem: Problem, here: Point, steps: Steps, form: str, record: Record):
        self.problem, self.here, self.steps = problem, here, steps
        self.record, self.form, self.one_by_one = record, form, form == "gauss-seidel"
        self.seconds = step_seconds(problem.kinks)

    @abstractmethod
    def step(self, k: int) -> Status | None:
        """Take one step of y, v and x; return why to stop, or None."""

    def result(self, status: Status, nit: int) -> BilevelResult:
        """Return the best point with a status."""
        here, best = self.here, self.record.best
        x, y, v = here.x[0], here.y[0], here.v[0]
        start, upper, kkt = 0, float("nan"), (torch.inf, torch.inf, torch.inf)
        if best is not None:
            x, y, v, start, upper, kkt = best.x, best.y, best.v, best.start, best.upper, best.kkt
        return BilevelResult(
            x=x.to(here.at.device, copy=True), y=y.clone(), v=v.clone(), fun=upper, start=start,
            kkt_residual=kkt, status=status, nit=nit, history=self.record.history,
            curvature=here.curvature, x_step=self.steps.x_step,
        )  # fmt: skip

    def _propose(self, d: Directions, mu: float, solved: bool = False) -> Proposal:
        """Return the proposed steps; ``solved`` says that y is a solution."""
        here = self.here
        face = None
        if self.problem.kinks:
            face = self.problem.face(here.at, here.y, d.grad_y, mu)
        if face is not None:
            d = replace(d, grad_y=face.slope, residual_v=d.residual_v * face.free)
        if here.curvature is None:
            here.curvature = self.problem.curvature(here.at, here.y, mu)
            self.steps.y_step.reset()
            self.steps.v_step.reset()
        p_y, p_v = precondition(here.curvature, face, here.y, d, solved)
        return Proposal(d, face, p_y, p_v, mu)

    def _residual_at(self, y: Tensor, mu: float) -> tuple[Tensor, Tensor]:
        """Return the residual of v at another y, and the metric applied to it."""
        here = self.here
        residual = self.problem.directions(here.at, y, here.v, mu).residual_v
        assert here.curvature is not None
        return residual, here.curvature.solve(residual[None])[0]

    def _settle(self, face: Face, p_y: Tensor, y: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next y and v with entries that cross a kink set to it."""
        y = face.settle(self.here.y, y, p_y, self.steps.y_step.going)
        return y, face.support(y, v)
