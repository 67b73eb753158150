"""Which differentiable criterion stands for a scorer."""

from __future__ import annotations

from typing import Any

from sklearn.metrics import log_loss, mean_squared_error, r2_score, root_mean_squared_error

from skbamm.models import Task

_CRITERION_OF = {
    log_loss: "log_loss",
    mean_squared_error: "squared_error",
    r2_score: "r2",
    root_mean_squared_error: "root_mean_squared_error",
}


class UnfitCriterion(ValueError):
    """The user asked for a criterion that the estimator cannot have."""


def choose_criterion(criterion: str, scorers: Any, refit: Any, task: Task) -> str:
    """Return the name of the criterion to minimise.

    "auto" takes the scorer's own loss where there is one among the task's criteria, and the
    estimator's loss for any other scorer, which then only selects.

    Raises
    ------
    UnfitCriterion
        If ``criterion`` does not go with the estimator.
    """
    if criterion != "auto":
        if criterion not in task.criteria:
            raise UnfitCriterion(
                f"criterion={criterion!r} does not go with this estimator; "
                f"use 'auto' or one of {list(task.criteria)}."
            )
        return criterion
    scorer = getattr(scorers, "_scorers", scorers)
    if isinstance(scorer, dict):
        scorer = scorer.get(refit) if isinstance(refit, str) else None
    function = getattr(scorer, "_score_func", None)
    named = _CRITERION_OF.get(function) if not getattr(scorer, "_kwargs", None) else None
    # What a regression score means on class labels is not what its loss means on their codes.
    fits = named in task.criteria and (task.classes is None or named == "log_loss")
    return named if fits and named is not None else task.criterion
