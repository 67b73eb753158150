"""Which solver a model needs, and what a search asks of any."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult
from skbamm.criteria import Choice, Criterion
from skbamm.data.matrices import FoldData
from skbamm.losses import UpperLoss
from skbamm.models import Task, Twin
from skbamm.solvers.kernel import KernelSolver
from skbamm.solvers.linear import JointSolver
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.space import Axis


class FoldSolver(Protocol):
    """One combination's model over all folds.

    Attributes
    ----------
    used : list of int
        The splits that have what the model needs.
    folds : list of FoldData, or None
        What each fold has of its own; None if all share the rows.
    begins_anywhere : bool
        Whether a search may begin at any models, of which ``beginning`` takes the best.
    """

    used: list[int]
    folds: list[FoldData] | None
    task: Task
    device: torch.device
    dtype: torch.dtype
    begins_anywhere: bool

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Solve values in all folds; they have a column for each hyperparameter of the twin's."""
        ...

    def search(
        self,
        axes: tuple[Axis, ...],
        criterion: str | Choice,
        *,
        max_iter: int,
        tol: float,
        max_time: float | None,
        upper_loss: UpperLoss | None = None,
        begin: list[float] | None = None,
    ) -> tuple[BilevelResult, Criterion, list[float]]:
        """Search intervals; return what was found, the criterion, and where that grew from."""
        ...

    def polish(
        self, axes: tuple[Axis, ...], x: list[list[float]], y: list[Tensor] | None
    ) -> FoldSolutions:
        """Solve these x in all folds, as they are to be scored, each beginning at y if given."""
        ...

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return value s in the k-th used fold as the bank keeps it."""
        ...


_SOLVERS: dict[str, type] = {"linear": JointSolver, "kernel": KernelSolver}


def solver_of(twin: Twin) -> Any:
    """Return the class of solvers that a twin is for; all are made of the same arguments."""
    return _SOLVERS[twin.family]
