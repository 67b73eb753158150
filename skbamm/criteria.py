"""Upper-level losses: what is minimised in place of the scorer, which has no gradient.

A criterion is a pointwise loss, averaged over the validation rows of a fold, and a transform of
each fold's average; F is the mean over the folds, as scikit-learn averages scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from skbamm.folds import FoldWeights
from skbamm.losses import (
    BoundedSquaredLoss,
    ExpectedErrorLoss,
    HalfSquaredLoss,
    PointwiseLoss,
    SquaredHingeLoss,
)

EXPECTED_ERROR = ("expected_error", "balanced_expected_error")
BOUNDED_SQUARED = ("bounded_squared_error",)
LOG_LOSS = ("log_loss", *EXPECTED_ERROR)
DEVIANCE = ("deviance",)
SQUARED = ("squared_error", "r2", "root_mean_squared_error")
SQUARED_HINGE = ("squared_hinge",)
NAMES = (*LOG_LOSS, *DEVIANCE, *SQUARED, *BOUNDED_SQUARED, *SQUARED_HINGE)


@dataclass(frozen=True)
class Criterion:
    """A differentiable upper-level loss.

    Attributes
    ----------
    name : str
    loss : UpperLoss
        Averaged over each fold's validation rows.
    factor : Tensor of shape (K,)
        What each fold's average, or its root, is multiplied by to give its share of F / null.
    null : float
        Value of the best constant prediction, to which F is relative: it makes tolerances
        free of the target's units.
    root : bool
        Take the root of each fold's average (RMSE).
    output_scale : Tensor of shape (K, m), optional
        Factor of each fold's and output's loss, where outputs count differently.
    sums_over_rows : bool
        Whether a fold's value is a function of a sum over its rows.
    """

    name: str
    loss: Any
    factor: Tensor
    null: float
    root: bool = False
    output_scale: Tensor | None = None
    sums_over_rows: bool = True

    def by_fold(self) -> Criterion:
        """Return the same with one factor a fold in place of one a fold and output.

        Exact unless outputs count differently (R2 of several), then their mean counts.
        """
        if self.output_scale is None:
            return self
        scale = self.output_scale.mean(1)
        factor = self.factor * (scale.sqrt() if self.root else scale)
        return replace(self, factor=factor, output_scale=None)

    def shares(self, average: Tensor) -> Tensor:
        """Return each column's share of F / null from the averages of the loss, (S, K)."""
        return self.factor * (average.sqrt() if self.root else average)

    def slopes(self, shares: Tensor) -> Tensor:
        """Return the derivatives of the shares in the averages."""
        if self.root:
            return self.factor**2 / (2 * shares.clamp_min(torch.finfo(shares.dtype).tiny))
        return self.factor.expand_as(shares)


def make_criterion(
    name: str, loss: PointwiseLoss, target: Tensor, weights: FoldWeights
) -> Criterion:
    """Return the criterion of this name for the data at hand.

    Parameters
    ----------
    name : str
        One of ``NAMES``.
    loss : PointwiseLoss
        The model's own loss.
    target : Tensor of shape (n, ...)
    weights : FoldWeights
    """
    K = weights.n_folds
    target = target.double().reshape(target.shape[0], -1)
    # A fold without validation weight has no score; it must not contribute.
    used = (weights.validation_total > 0).double()
    share = used / used.sum().clamp_min(1)
    if name in EXPECTED_ERROR:
        counts = torch.bincount(target.long().flatten()).double()
        classes = int((counts > 0).sum())
        factor = None
        if name == "balanced_expected_error":
            factor = torch.where(counts > 0, counts.sum() / (classes * counts), 0.0)
            null = 1 - 1 / classes
        else:
            null = 1 - float(counts.max() / counts.sum())
        null = null or 1.0
        bounded = ExpectedErrorLoss(loss.n_outputs, factor)
        return Criterion(name, bounded, share / null, null)
    if name in BOUNDED_SQUARED:
        median = target.median(0).values
        spread = (target - median).abs()
        width = float(spread.median()) or float(spread.mean()) or 1.0
        return Criterion(name, BoundedSquaredLoss(width), 2 * share, 1.0)
    if name in LOG_LOSS:
        counts = torch.bincount(target.long().flatten()).double()
        p = counts[counts > 0] / counts.sum()
        null = float(-(p * p.log()).sum()) or 1.0
        return Criterion(name, loss, share / null, null)
    if name in DEVIANCE:
        constant = target.new_full((len(target), 1, 1), loss.start(float(target.mean())))
        null = float(loss.evaluate(constant, loss.targets(target))[0].mean()) or 1.0
        return Criterion(name, loss, share / null, null)
    if name in SQUARED_HINGE:
        counts = torch.bincount(target.long().flatten()).double()
        p = counts / counts.sum()
        # Of the constants in [-1, 1] that are the best, one an output; two classes have only one.
        null = float((4 * p * (1 - p)).sum()) / (2 if loss.n_outputs == 1 else 1) or 1.0
        return Criterion(name, SquaredHingeLoss(loss.n_outputs), share / null, null)
    if not isinstance(loss, HalfSquaredLoss):
        loss = HalfSquaredLoss(target.shape[1])
    variance = torch.stack([_variance(target, *weights.nonzero(k, "validation")) for k in range(K)])
    m = target.shape[1]
    mean = float((share[:, None] * variance).sum() / m) or 1.0
    if name == "r2":
        scale = torch.where(variance > 0, 1 / variance, 0.0) / m
        return Criterion(name, loss, 2 * share, 1.0, output_scale=scale)
    scale = torch.full_like(variance, 1 / m)
    if name == "root_mean_squared_error":
        return Criterion(name, loss, 2**0.5 * share / mean**0.5, mean**0.5, True, scale)
    return Criterion(name, loss, 2 * share / mean, mean, output_scale=scale)


def _variance(target: Tensor, index: Tensor, weight: Tensor | None) -> Tensor:
    """Weighted variance of each output over some rows."""
    rows = target[index]
    if not len(rows):
        return rows.sum(0)
    if weight is None:
        return rows.var(0, correction=0)
    total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
    mean = (weight[:, None] * rows).sum(0) / total
    return (weight[:, None] * (rows - mean) ** 2).sum(0) / total
