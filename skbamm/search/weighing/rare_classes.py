"""Rows of classes too rare to be judged: typing errors, mostly. They are doubted, unless trusted.

A model that never saw a class cannot confirm the label of its rows. These rows are therefore left
out while the weights of the others are learned, and get the least weight that there is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from skbamm.data.folded import RowWeights
from skbamm.losses import NoisyLabelLoss
from skbamm.search.weighing.found import WeightsFound
from skbamm.search.weighing.partitions import inner_splits
from skbamm.weights.weightings import FLOOR

_FEW = 2  # rows a fold: classes with more are not rare, wherever they are missing
_HARDLY = 1e-6  # probability that a row of a rare class was meant to be of another


class RareRows:
    """The rows of rare classes, and searches without them.

    Parameters
    ----------
    y : array-like of shape (n,)
        Class labels.
    splits : list of (train, test)
    trusted : ndarray of bool of shape (n,)
        Rows that keep weight one, whatever their class.
    """

    def __init__(self, y: Any, splits: list, trusted: np.ndarray):
        self.classes, index = np.unique(np.asarray(y), return_inverse=True)
        self._index = index.ravel()
        self.rare = _missing(self._index, len(self.classes), splits)
        self.why_not = ""  # weights cannot be learned, if they cannot
        if self.rare.any() and (~self.rare).sum() < 2:  # nothing would be left to judge
            count, rare = np.bincount(self._index), np.flatnonzero(self.rare)
            names = ", ".join(f"{self.classes[[c]].tolist()[0]!r} has {count[c]}" for c in rare)
            self.why_not = f"; class {names} of {len(self._index)} rows"
            self.rare = np.zeros_like(self.rare)
        self.rows = self.rare[self._index]
        self.kept, self.trusted = np.flatnonzero(~self.rows), trusted

    def without(self, splits: list) -> list:
        """Return splits of the other rows, by their numbers among themselves."""
        place = np.cumsum(~self.rows) - 1
        return [
            tuple(place[part[~self.rows[part]]] for part in (np.asarray(p) for p in split))
            for split in splits
        ]

    def put_back(
        self, found: WeightsFound, scored: list, weight: Any, keep_trusted: bool
    ) -> WeightsFound:
        """Return what was learned, with the rare rows: doubted, and of hardly any weight.

        Parameters
        ----------
        found : WeightsFound
            The result for the other rows.
        scored : list of (train, test)
            The splits that the search scores on.
        weight : ndarray of shape (n,) or None
            The user's sample weights.
        keep_trusted : bool
            Whether the final model is fitted on trusted rows as well.
        """
        learned, n, folds = found.row_weights, len(self.rows), found.row_weights.folds.shape[1]
        own = np.ones(n) if weight is None else weight
        spread = np.empty((n, folds + 1))
        spread[self.kept] = np.column_stack([learned.folds, learned.rows])
        one = spread[self.kept].max(0)  # the share of a row of weight one
        spread[self.rows] = np.where(self.trusted, 1.0, FLOOR)[self.rows, None] * one
        if not keep_trusted:
            spread[self.trusted, -1] = 0.0
        spread[:, -1] *= own.sum() / (own * spread[:, -1]).sum()
        quality, issues = np.zeros(n), np.ones(n, bool)
        quality[self.kept], issues[self.kept] = found.quality, found.issues
        quality[self.trusted], issues[self.trusted] = 1.0, False
        upper = learned.upper_loss
        if isinstance(upper, NoisyLabelLoss):
            upper = self._noise(upper)
        both = RowWeights(learned.name, spread[:, -1], spread[:, :-1], upper, learned.begin)
        return replace(
            found, row_weights=both, splits=scored, quality=quality, issues=issues, weight=weight
        )

    def _noise(self, loss: NoisyLabelLoss) -> NoisyLabelLoss:
        """Return the noise of labels of all classes: the rare ones are written down by mistake."""
        count = len(self.classes)
        share = torch.as_tensor(np.bincount(self._index, minlength=count) / len(self._index))
        usual = torch.as_tensor(~self.rare)
        noise = torch.full((count, count), _HARDLY, dtype=loss.noise.dtype)
        noise[usual[:, None] & usual] = loss.noise.cpu().flatten()
        noise[usual[:, None] & ~usual] = share[~usual].to(noise).repeat(int(usual.sum()))
        noise[~usual, ~usual] = 1.0
        noise = (noise / noise.sum(1, keepdim=True)).to(loss.noise.device)
        return NoisyLabelLoss(count if count > 2 else 1, noise)


def _missing(index: np.ndarray, count: int, splits: list) -> np.ndarray:
    """Return which classes have few rows, and none in some part that rows are judged with."""
    few = np.bincount(index, minlength=count) < _FEW * len(splits)
    missing = np.zeros(count, bool)
    if not few.any():
        return missing
    for k in range(len(splits)):
        for kept, _ in inner_splits(splits, k):
            missing |= np.bincount(index[kept], minlength=count) == 0
    return few & missing
