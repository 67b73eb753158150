"""Metrics of how rows are ranked: areas below curves of all thresholds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.metrics.predicted import NoTwin, Predicted


def roc_auc(
    given: Predicted, average: Any = "macro", max_fpr: Any = None, multi_class: str = "raise"
) -> Tensor:
    """Return the area below the ROC curve; of several classes against the rest, or in pairs."""
    ranks = given.ranks
    if max_fpr is not None:
        raise NoTwin("the metric is a partial area")
    if ranks.ndim == 1:
        return _roc_area(given.y == 1, ranks, given.weight)
    if given.method != "predict_proba" or average not in ("macro", "weighted"):
        raise NoTwin("scores are not probabilities, or are averaged differently")
    if multi_class == "ovr":
        return _against_the_rest(_roc_area, given, average)
    if multi_class != "ovo" or given.weight is not None:
        raise NoTwin("scikit-learn refuses this")
    areas, shares = [], []
    for a, b in combinations(range(ranks.shape[1]), 2):
        of_pair = (given.y == a) | (given.y == b)
        y, some = given.y[of_pair], ranks[of_pair]
        areas.append((_roc_area(y == a, some[:, a]) + _roc_area(y == b, some[:, b])) / 2)
        shares.append(of_pair.double().mean())
    return given.average(torch.stack(areas), torch.stack(shares) if average == "weighted" else None)


def average_precision(given: Predicted, average: Any = "macro", pos_label: Any = 1) -> Tensor:
    """Return the mean of the precision over the recall; of several classes against the rest."""
    ranks = given.ranks
    if ranks.ndim == 1:
        which = given.positive(pos_label)
        if which == 0:
            # scikit-learn turns decisions round, and takes the other class's probability.
            decides = given.method == "decision_function"
            ranks = -ranks if decides else given.probabilities[:, 0]
        return _mean_precision(given.y == which, ranks, given.weight)
    if pos_label != 1 or average not in ("macro", "weighted"):
        raise NoTwin("scikit-learn rejects this, or averages differently")
    return _against_the_rest(_mean_precision, given, average)


def _against_the_rest(
    area: Callable[[Tensor, Tensor, Tensor | None], Tensor], given: Predicted, average: str
) -> Tensor:
    own = [given.y == c for c in range(given.ranks.shape[1])]
    areas = torch.stack([area(y, given.ranks[:, c], given.weight) for c, y in enumerate(own)])
    if average == "macro":
        return given.average(areas)
    heavy = 1.0 if given.weight is None else given.weight
    return given.average(areas, torch.stack([_sum(y * heavy) for y in own]))


def _roc_area(y: Tensor, score: Tensor, weight: Tensor | None = None) -> Tensor:
    true, false = _counts(y, score, weight)
    if not true[-1] * false[-1] > 0:
        raise NoTwin("only one class has positive weight")
    if len(true) > 2:  # scikit-learn drops what lies on a straight line, which changes rounding
        corner = torch.ones_like(true, dtype=torch.bool)
        corner[1:-1] = (true.diff(n=2) != 0) | (false.diff(n=2) != 0)
        true, false = true[corner], false[corner]
    true, false = _from_none(true / true[-1]), _from_none(false / false[-1])
    return _sum(false.diff() * (true[1:] + true[:-1]) / 2)


def _mean_precision(y: Tensor, score: Tensor, weight: Tensor | None = None) -> Tensor:
    true, false = _counts(y, score, weight)
    if not true[-1] > 0:
        raise NoTwin("all positive rows have weight zero")
    gained = _from_none(true / true[-1]).diff()
    return _sum((gained * (true / (true + false))).flip(0))


def _from_none(shares: Tensor) -> Tensor:
    return torch.cat([shares.new_zeros(1), shares])


def _sum(terms: Tensor) -> Tensor:
    """Return a sum; on the CPU in NumPy's order, so that what ties there ties here."""
    if terms.device.type == "cpu":
        return torch.as_tensor(np.sum(terms.numpy()))
    return terms.sum()


def _counts(y: Tensor, score: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the positive and the negative rows at or above each score, (t,)."""
    if weight is not None:
        some = weight > 0
        y, score, weight = y[some], score[some], weight[some]
    if not len(y):
        raise NoTwin("all rows have weight zero")
    score, order = score.sort(descending=True, stable=True)
    last = torch.ones_like(y)
    last[:-1] = score[1:] != score[:-1]
    heavy = torch.ones_like(score, dtype=torch.float64) if weight is None else weight[order]
    own = y[order]
    return tuple(  # type: ignore[return-value]
        (heavy * part).cumsum(0)[last] for part in (own, ~own)
    )
