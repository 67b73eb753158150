"""The log loss of the decisions of pairs of classes, at the scale that suits them best.

A machine's decisions have no scale of their own: its hinge is content at one. So, as in
``criteria.scaled``, each fold's decisions are multiplied by the factor at which their log loss is
least; at that minimum the gradient in the factor vanishes (the envelope theorem).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit

from skbamm.criteria.scaled import best_log_scale

_SQUARE = 1e-5  # as of criteria.scaled


def pair_log_loss(
    margins: list[np.ndarray], weights: list[np.ndarray]
) -> tuple[float, list[np.ndarray]]:
    """Return the loss of a fold, and its gradient in the margins.

    Parameters
    ----------
    margins : list of ndarray
        For each pair, the decisions for the rows of its classes, above zero where they are right.
    weights : list of ndarray
        What these rows count.
    """
    m, w = np.concatenate(margins), np.concatenate(weights)
    total = w.sum()
    if not total:
        return 0.0, [np.zeros_like(one) for one in margins]
    w = w / total

    def slopes(log_s):
        scaled = m * float(log_s.exp())
        wrong, square = expit(-scaled), _SQUARE * scaled**2
        first = float(w @ (-wrong * scaled + square))
        bent = float(w @ (wrong * (1 - wrong) * scaled**2 + square))
        return torch.tensor([first]), torch.tensor([first + bent])

    size = torch.tensor([np.sqrt(w @ m**2)], dtype=torch.float64)
    begin = -torch.log(torch.where(size > 0, size, 1.0))
    s = float(best_log_scale(slopes, begin, size).exp())
    scaled = s * m
    value = float(w @ (np.logaddexp(0, -scaled) + 0.5 * _SQUARE * scaled**2))
    gradient = w * s * (-expit(-scaled) + _SQUARE * scaled)
    ends = np.cumsum([len(one) for one in margins])[:-1]
    return value, np.split(gradient, ends)
