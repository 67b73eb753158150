"""The result of a run of sl-BAMM, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from torch import Tensor

from skbamm.bilevel.problem import Curvature
from skbamm.bilevel.steps.x_steps import UpperStep


class Status(Enum):
    """Why a run stopped."""

    CONVERGED = "the KKT residual is below tol"
    PLATEAU = "the upper-level loss stopped improving"
    STALLED = "rounding errors prevent further progress"
    MAX_ITER = "max_iter was reached"
    MAX_TIME = "max_time was reached"
    INTERRUPTED = "interrupted by the user"
    DIVERGED = "no finite iterate was found"


@dataclass
class BilevelResult:
    """The best point a run of sl-BAMM found.

    Attributes
    ----------
    x : Tensor of shape (h,)
        Upper-level variable of the best start.
    y, v : Tensor of shape (K, ...)
        Its lower-level variables and multipliers.
    fun : float
        Upper-level objective F there.
    start : int
        Which of the starting points it grew from.
    kkt_residual : tuple of three floats
        Relative residuals of the y-, v- and x-equations, the largest over the folds.
    status : Status
        Why the run stopped.
    nit : int
        Iterations done.
    history : dict of list
        One entry an iteration: ``seconds``, ``upper`` (F of the leading start),
        ``kkt_residual`` (the largest of the triple) and ``x`` (its upper-level variable).
    screened : list of (x, F, hypergradient)
        The starting points that were followed until their hypergradients could be trusted,
        each as it stood then.
    unjudged : list of Tensor of shape (h,)
        Starts that were dropped although F was no higher than at the best of these: their
        models were not solved yet.
    curvature : Curvature or None
        The last metric.
    x_step : UpperStep or None
        The final state of the rule for x, for a run that continues from there.
    """

    x: Tensor
    y: Tensor
    v: Tensor
    fun: float
    start: int
    kkt_residual: tuple[float, float, float]
    status: Status
    nit: int
    history: dict[str, list] = field(default_factory=dict)
    screened: list[tuple[Tensor, float, Tensor]] = field(default_factory=list)
    unjudged: list[Tensor] = field(default_factory=list)
    curvature: Curvature | None = None
    x_step: UpperStep | None = None

    @property
    def success(self) -> bool:
        """Whether the run converged to a stationary point."""
        return self.status is Status.CONVERGED

    @property
    def message(self) -> str:
        """The status in words."""
        return self.status.value
