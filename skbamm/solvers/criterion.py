"""The differentiable criterion of a task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from skbamm.criteria import SCALED, SCALED_PAIRWISE, Choice, Criterion, make_criterion
from skbamm.folds import FoldWeights
from skbamm.losses import UpperLoss
from skbamm.models import Task


class UnfitCriterion(ValueError):
    """The requested criterion is not available for the estimator."""


def criteria_of(task: Task) -> tuple[str, ...]:
    """Return the criteria that go with a task: its own, and of margins those of free scale."""
    one_label = task.classes is not None and task.indicator is None
    if not one_label or task.loss.squared:
        return task.criteria
    two = task.loss.n_outputs == 1
    return (*task.criteria, *SCALED, *(SCALED_PAIRWISE if two else ()))


def task_criterion(
    choice: str | Choice,
    task: Task,
    weights: FoldWeights,
    splits: list[int],
    upper_loss: UpperLoss | None = None,
) -> Criterion:
    """Return a criterion of the user's target, for models that may see another.

    Parameters
    ----------
    choice : str or Choice
    task : Task
    weights : FoldWeights
        The weights of the used splits.
    splits : list of int
        Their numbers.
    upper_loss : UpperLoss, optional
        Takes the place of the criterion's own.
    """
    seen = task.transformed
    target = np.ascontiguousarray(task.target if seen is None else seen.y)
    tensor = torch.as_tensor(target, device=weights.device)
    criterion = make_criterion(choice, task.loss, tensor, weights)
    if seen is not None:
        criterion = criterion.behind(seen.inverses(splits))
    if upper_loss is not None:
        criterion = replace(criterion, loss=upper_loss, output_scale=None, root=False)
    return criterion


def check_criterion(criterion: str, task: Task) -> None:
    """Raise UnfitCriterion if ``criterion`` does not go with the estimator."""
    known = criteria_of(task)
    if criterion != "auto" and criterion not in known:
        raise UnfitCriterion(
            f"criterion={criterion!r} is not available for this estimator; "
            f"use 'auto' or one of {list(known)}."
        )
