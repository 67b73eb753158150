"""The interface of solvers, one for every family of models."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult
from skbamm.criteria import Choice, Criterion
from skbamm.data.folded import FoldedData
from skbamm.losses import UpperLoss
from skbamm.models import Twin
from skbamm.solvers.criterion import task_criterion
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.space import Axis, SearchAxis
from skbamm.starts.subsample import Beginning


@dataclass
class Quest:
    """One search of intervals, and how long it may take.

    Attributes
    ----------
    axes : tuple of Axis
    choice : str or Choice
    upper_loss : UpperLoss or None
    criterion : Criterion
        Made of these two for the rows at hand.
    max_iter : int
    tol : float
    max_time : float or None
        Seconds from now on.
    begin : list of float or None
        One point of x that takes the place of several starting points.
    near : Beginning or None
        The end of a search of similar rows.
    rough : bool
        Whether a search on some of many rows will do.
    kept : dict
        Whatever a solver keeps from one stage to the next.
    """

    axes: tuple[Axis, ...]
    choice: str | Choice
    upper_loss: UpperLoss | None
    criterion: Criterion
    max_iter: int
    tol: float
    max_time: float | None
    begin: list[float] | None = None
    near: Beginning | None = None
    rough: bool = False
    kept: dict[Any, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @property
    def spent(self) -> float:
        """Seconds since the search began."""
        return time.perf_counter() - self.began

    @property
    def left(self) -> float | None:
        """Seconds that are left, if they are limited."""
        return None if self.max_time is None else max(self.max_time - self.spent, 0.0)

    def dated(self, result: BilevelResult, before: float) -> BilevelResult:
        """Return a result of a stage that began ``before`` seconds after the search."""
        result.history["seconds"] = [before + spent for spent in result.history["seconds"]]
        return result


class FoldSolver(ABC):
    """One combination's model over all folds.

    A search has two stages: ``begin`` returns the starting point, ``loop`` continues from it. Then
    ``polish`` solves the models that are scored, and ``solution`` exports them.

    Parameters
    ----------
    twin : Twin
    data : FoldedData

    Attributes
    ----------
    used : list of int
        The splits that have the rows and classes that the model needs.
    folds : list of FoldData, or None
        The data of each split; None if all share X.
    given_folds : list of FoldData, or None
        The same as the transformers made them, if own fits may take them.
    device : torch.device
    pairwise : bool
        Whether models of the family are made of n x n matrices.
    begins_anywhere : bool
        Whether a search may begin at any models, of which ``beginning`` takes the best.
    uncertain : bool
        Whether steps are found by products with the Hessian, whose number is hard to foresee.
    keeps_visits : bool
        Whether the points that a search tries are solved as they are to be scored: the scorer
        then judges these, and no scan.
    weighs_outputs : bool
        Whether a criterion may count some outputs for more than others.
    own_scores : bool
        Whether the models that are scored are the estimator's own fits.
    unbounded : bool
        Whether nothing bounds the time of a solve. Own fits are then used, which are faster
        because they stop short of the minimum, anywhere: their scores are jagged.
    dtype : torch.dtype
        The working precision of the search.
    upper_rounding : float
        Relative rounding error of F where the models are solved exactly.
    """

    pairwise: ClassVar[bool] = False
    begins_anywhere: bool = False
    uncertain: bool = False
    keeps_visits: bool = False
    weighs_outputs: bool = False
    own_scores: bool = False
    unbounded: bool = False
    dtype: torch.dtype = torch.float64
    upper_rounding: float = 0.0

    def __init__(self, twin: Twin, data: FoldedData):
        self.twin, self.data, self.task = twin, data, data.task
        self.used, self.folds, self.device = data.used, data.folds, data.device
        self.given_folds = data.given_folds

    def criterion(self, choice: str | Choice, upper_loss: UpperLoss | None = None) -> Criterion:
        """Return the criterion of this combination's folds."""
        return task_criterion(choice, self.task, self.data.weights, self.used, upper_loss)

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
        near: Beginning | None = None,
        rough: bool = False,
    ) -> tuple[BilevelResult, Criterion, list[float]]:
        """Search intervals by sl-BAMM.

        Parameters
        ----------
        axes : tuple of Axis
        criterion : str or Choice
        max_iter, tol, max_time
            As for ``bilevel.solve``.
        upper_loss : UpperLoss, optional
            Takes the place of the criterion's own loss.
        begin, near, rough
            See ``Quest``.

        Returns
        -------
        result : BilevelResult
            F is relative to that of the best constant prediction.
        criterion : Criterion
        start : list of float
            The x of the starting point that the result grew from.
        """
        chosen = self.criterion(criterion, upper_loss)
        quest = Quest(
            axes, criterion, upper_loss, chosen, max_iter, tol, max_time, begin, near, rough
        )
        first = self.begin(quest)
        if first.found is not None and (rough or first.ended):
            return first.found, quest.criterion, first.start[0].tolist()
        result = self.loop(quest, first)
        return result, quest.criterion, first.start[result.start].tolist()

    @abstractmethod
    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Solve values in all folds; they have a column for each hyperparameter of the twin."""

    @abstractmethod
    def begin(self, quest: Quest) -> Beginning:
        """Return the starting point of a search."""

    @abstractmethod
    def loop(self, quest: Quest, first: Beginning) -> BilevelResult:
        """Search from there; the history counts its seconds from the beginning of the quest."""

    @abstractmethod
    def polish(
        self,
        axes: tuple[SearchAxis, ...],
        x: list[list[float]],
        y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FoldSolutions:
        """Solve these x in all folds as they are to be scored.

        Each starts at y if given. If ``tol`` is larger than the family's own tolerance
        of the decrement, it will do.
        """

    @abstractmethod
    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return value s in the k-th used fold, as the bank keeps it.

        ``features`` holds the attributes that a fitted model stores about features that all folds
        share.
        """

    def exact_hypergradient(
        self, axes: tuple[Axis, ...], x: list[float], choice: str | Choice
    ) -> tuple[float, np.ndarray]:
        """Return F at x and its gradient where the models are solved exactly.

        ``skbamm.testing.check_model`` compares it with finite differences; searches do not use it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no exact_hypergradient")

    def models(self, solutions: FoldSolutions) -> list[Tensor]:
        """Return the models (K, m, p) of each value, if others gain by beginning at them."""
        return []

    def visited(self, axes: tuple[SearchAxis, ...]) -> list[list[float]]:
        """Return the points that a search has tried, if they are solved."""
        return []

    def is_scanned(self, axes: tuple[SearchAxis, ...]) -> bool:
        """Whether the scorer judges points from end to end besides those that were visited."""
        return False

    @property
    def is_rugged(self) -> bool:
        """Whether F of two parameters has several regions, whatever the scorer."""
        return False

    def highest(self, axes: tuple[SearchAxis, ...]) -> list[float]:
        """Return the x of each axis up to which all folds have a model."""
        return [axis.bounds()[1] for axis in axes]

    def search_values(self, axes: tuple[SearchAxis, ...], judged: bool) -> int:
        """Return how many values of a list cost as much as a search of these axes.

        ``judged`` says whether the scorer judges points from end to end.
        """
        return _JUDGED_VALUES if judged else _SEARCH_VALUES

    @property
    def own_maps(self) -> float:
        """CPU seconds that own fits take for transformers that depend on what is searched."""
        return 0.0

    def foreseen(self, values: int, listed: bool) -> float | None:
        """Return the CPU seconds that values take in all folds; None if own fits cannot compete.

        Unless they are ``listed``, they stand for a search.
        """
        return None


_SEARCH_VALUES, _JUDGED_VALUES = 2, 6  # values that a search costs about, measured by effort.py
