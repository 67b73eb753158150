"""Metrics of predicted probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.metrics.predicted import NoTwin, Predicted


def log_loss(given: Predicted, normalize: bool = True, labels: Any = None) -> Tensor:
    """Return minus the mean log of the probabilities of the labels."""
    if not normalize or labels is not None:
        raise NoTwin("the metric is a sum, or labels were passed")
    p = given.probabilities
    eps = torch.finfo(p.dtype).eps
    if p.shape[1] == 2:  # scikit-learn's scorers hand on the second class's only
        p = torch.stack([1 - p[:, 1], p[:, 1]], 1)
    own = p.clamp(eps, 1 - eps).gather(1, given.y[:, None])[:, 0]
    if given.on_host:  # as scikit-learn has it, to the last digit
        return -given.mean(torch.from_numpy(np.log(own.numpy())))
    return -given.mean(own.log())


def brier(given: Predicted, pos_label: Any = None, scale_by_half: Any = "auto") -> Tensor:
    """Return the Brier score of two classes."""
    which = given.positive(pos_label)
    if scale_by_half not in ("auto", True, False):
        raise NoTwin("an option is unknown")
    halves, p = 1.0 if scale_by_half else 2.0, given.probabilities[:, which]
    return halves * given.mean(((given.y == which).to(p.dtype) - p).square())
