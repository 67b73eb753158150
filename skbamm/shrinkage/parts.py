"""Splits on which a vector is searched, and rows that score what was found."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Problem, Status, adaptive, solve, solve_lower
from skbamm.bilevel.steps.limited_memory import LimitedMemoryStep
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import UpperStep
from skbamm.criteria import Criterion
from skbamm.glm import GLMProblem, LeastSquaresProblem
from skbamm.shrinkage.prior import Charge, ShrunkProblem
from skbamm.solvers.linear import LinearSolver
from skbamm.space import VectorAxis
from skbamm.weights.problem import ClassWeightedProblem

_FEW = 64  # entries up to which the curvature of F is a matrix
_TOL, _ROUGH = 1e-6, 1e-3  # decrements of the models whose F is told, in either precision


class _Counted(UpperStep):
    """A rule for the x-step that counts its calls, over all of its copies."""

    def __init__(self, rule: UpperStep, count: list[int] | None = None):
        self._rule, self._count = rule, [0] if count is None else count
        self.kinks, self.steady, self.precise = rule.kinks, rule.steady, rule.precise

    @property
    def moves(self) -> int:
        """How many points there were."""
        return self._count[0]

    def begin(self, kinks: bool) -> _Counted:
        """See ``UpperStep.begin``."""
        return _Counted(self._rule.begin(kinks), self._count)

    def step(self, x: Tensor, upper: Tensor, grad: Tensor, trusted: Tensor) -> Tensor:
        """See ``UpperStep.step``."""
        self._count[0] += bool(trusted.any())
        found = self._rule.step(x, upper, grad, trusted)
        self.settled = self._rule.settled
        return found

    def lead(self, start: int) -> None:
        """See ``UpperStep.lead``."""
        self._rule.lead(start)

    def reset(self) -> None:
        """See ``UpperStep.reset``."""
        self._rule.reset()


class Part:
    """Some splits, and where the path on them has come to.

    Parameters
    ----------
    joint : LinearSolver
    axis : VectorAxis
        With the entries of these splits' features.
    criterion : Criterion
    found : BilevelResult
        The result of the search of one value for all.
    x : Tensor of shape (q,)
        That value.
    n_rows : int
        Rows that are tested on.
    """

    def __init__(
        self,
        joint: LinearSolver,
        axis: VectorAxis,
        criterion: Criterion,
        found: BilevelResult,
        x: Tensor,
        n_rows: int,
    ):
        self.joint, self.axis, self.n_rows = joint, axis, n_rows
        self.problem = problem_of(joint, axis, joint.dtype, criterion)
        self.x = x.to(joint.device)[None]
        self.y, self.v = found.y[None], found.v[None]
        self.criterion, self.upper = criterion, found.fun

    def value(self, x: Tensor) -> float:
        """Return F at x, (1, q)."""
        return evaluate(self.joint, self.axis, self.criterion, x, self.y)[0]

    def move(
        self, charge: Charge | None, moves: int, max_iter: int, tol: float, left: float | None
    ) -> BilevelResult:
        """Take steps of x; ``charge`` is what is added to F."""
        problem: Problem = self.problem if charge is None else ShrunkProblem(self.problem, charge)
        step: UpperStep = LimitedMemoryStep(self.joint.penalties.bounds((self.axis,)))
        if charge is None and self.axis.size <= _FEW:  # to be found to the last digit
            jumps = self.problem.kinks or self.problem.hessian_jumps
            step = TrustRegionStep(kinks=jumps)
        made = _Counted(step)
        result = solve(
            problem, self.x, y0=self.y, v0=self.v,
            schedule=adaptive(self.axis.size, x_step=made),
            max_iter=max_iter, tol=tol, finish=0,
            max_time=left,
            callback=lambda *_: made.moves > moves,
        )  # fmt: skip
        if result.status is Status.INTERRUPTED and made.moves > moves:
            result.status = Status.MAX_ITER
        if result.status is not Status.DIVERGED:
            self.x, self.y, self.v = result.x[None], result.y[None], result.v[None]
        return result


@dataclass
class Check:
    """Rows that had no part in a path, and models of the others."""

    joint: LinearSolver
    axis: VectorAxis
    criterion: Criterion

    def score(self, x: Tensor) -> float:
        """Return the criterion at x, (1, q)."""
        upper, _ = evaluate(self.joint, self.axis, self.criterion, x, None)
        return upper * self.criterion.null


def problem_of(
    joint: LinearSolver, axis: VectorAxis, dtype: torch.dtype, criterion: Criterion
) -> GLMProblem | LeastSquaresProblem:
    """Return the problem of one start whose x is the vector."""
    if not axis.weighs_rows:
        return joint.problem((axis,), 1, dtype, criterion)
    rows, penalties = joint.rows(dtype), joint.penalties
    return ClassWeightedProblem(
        rows, joint.task.loss, penalties.penalty((), rows),
        torch.as_tensor(joint.task.row_class, device=joint.device),
        criterion=criterion, bounds=penalties.bounds((axis,)),
        mean_loss=joint.twin.mean_loss,
    )  # fmt: skip


def as_set(joint: LinearSolver, axis: VectorAxis, criterion: Criterion) -> BilevelResult:
    """Return F and the models where no penalty is searched, and all classes weigh the same."""
    x = torch.zeros(1, axis.size, dtype=torch.float64, device=joint.device)
    upper, y = evaluate(joint, axis, criterion, x, None)
    y = y[0].to(joint.dtype)
    return BilevelResult(
        torch.empty(0, dtype=torch.float64), y, torch.zeros_like(y), upper, 0, (0.0, 0.0, 0.0),
        Status.CONVERGED, 1, {"seconds": [], "upper": [], "kkt_residual": [], "x": []},
    )  # fmt: skip


def evaluate(
    joint: LinearSolver, axis: VectorAxis, criterion: Criterion, x: Tensor, y: Tensor | None
) -> tuple[float, Tensor]:
    """Return F at x, (1, q), with models as exact as the working precision allows, and those."""
    dtype = joint.dtype
    problem = problem_of(joint, axis, dtype, criterion)
    tol = _TOL if problem.start(x).dtype is torch.float64 else _ROUGH
    solved = solve_lower(problem, x, y, tol=tol).y
    return float(problem.directions(x, solved, torch.zeros_like(solved), 0.0).upper.sum()), solved
