"""Learned weights and label quality, and their means over folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skbamm.data.folded import RowWeights
from skbamm.losses import NoisyLabelLoss, OutlierLoss
from skbamm.weights.learner import Learned, certain
from skbamm.weights.weightings import FLOOR


@dataclass
class WeightsFound:
    """Learned weights and label quality.

    Attributes
    ----------
    row_weights : RowWeights
    splits : list of (train, test)
        The splits that the search scores on: trusted rows only, if there are any.
    quality : ndarray of shape (n,)
        Probability that the given label is right.
    issues : ndarray of bool of shape (n,)
    weight : ndarray of shape (n,) or None
        The user's sample weights.
    chosen : dict
        The kind, the prior, and whether weights are used, with the reason.
    history : dict of ndarray
    """

    row_weights: RowWeights
    splits: list
    quality: np.ndarray
    issues: np.ndarray
    weight: np.ndarray | None
    chosen: dict[str, Any]
    history: dict[str, np.ndarray]

    def publish(self, search: Any) -> None:
        """Set the attributes of a fitted search; ``withdraw`` removes them."""
        own = 1.0 if self.weight is None else self.weight
        search.sample_weight_ = own * self.row_weights.rows
        search.fold_sample_weight_ = (own * self.row_weights.folds.T).T
        search.label_quality_, search.label_issues_ = self.quality, self.issues
        search.weights_params_ = self.chosen
        search.weights_score_ = float(getattr(search, "best_score_", np.nan))
        search.history_.update(self.history)


def withdraw(search: Any) -> None:
    """Remove what an earlier fit with learned weights has published."""
    for name in (
        "sample_weight_", "fold_sample_weight_", "label_quality_", "label_issues_",
        "weights_params_", "weights_score_",
    ):  # fmt: skip
        vars(search).pop(name, None)


def history_of(found: Learned, kind: str) -> dict[str, np.ndarray]:
    """Return how the final weights were learned; nothing of those that were judged only."""
    if found.result is None:
        return {}
    path = found.result.history
    history = {
        "weights_seconds": np.asarray(path["seconds"]),
        "weights_criterion": np.asarray(path["upper"]),
        "weights_kkt_residual": np.asarray(path["kkt_residual"]),
    }
    if "x" in path:
        name = "group_weight" if kind == "groups" else "score_parameters"
        history[name] = torch.stack([x[1:] for x in path["x"]]).cpu().numpy()
    return history


def mean_right(found: list[Learned], only: np.ndarray) -> torch.Tensor:
    """Return how likely each label is right in the mean of the folds that learned from it."""
    known = torch.as_tensor(only).to(found[0].weight.device)
    right = torch.where(known, torch.stack([one.quality.right for one in found], 1), 0.0).sum(1)
    count = known.sum(1)
    return torch.where(count > 0, right / count.clamp_min(1), 1.0)


def judged_by(found: list[Learned], right: torch.Tensor, trusted: torch.Tensor) -> Learned:
    """Return weights of all rows from those of the folds, without further learning."""
    quality = replace(found[0].quality, right=torch.where(trusted, 1.0, right))
    return Learned(
        certain(quality.right, trusted).clamp_min(FLOOR), quality, quality, quality.right
    )


def mean_noise(losses: list) -> Any:
    """Return the loss of labels with the mean of the noise that several folds found."""
    first = losses[0]
    if isinstance(first, NoisyLabelLoss):
        return NoisyLabelLoss(first.n_outputs, torch.stack([one.noise for one in losses]).mean(0))
    figures = [
        np.mean([getattr(one, name) for one in losses]) for name in ("narrow", "wide", "rate")
    ]
    return OutlierLoss(*map(float, figures))
