"""Criteria of classifiers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from skbamm.criteria.criterion import Criterion
from skbamm.criteria.given import Given, mean
from skbamm.criteria.scaled import PairwiseLoss, ScaledLogLoss
from skbamm.losses import (
    BalancedLoss,
    BrierLoss,
    ExpectedErrorLoss,
    NormalisedLogisticLoss,
    OneVsRestLogisticLoss,
    SquaredHingeLoss,
    UpperLoss,
)
from skbamm.losses.multinomial import one_hot


def log_loss(given: Given) -> Criterion:
    """Return minus the mean log likelihood of the labels.

    It is the model's own loss, unless each class has its own model.
    """

    def entropy(target, weight):
        p = _frequencies(target, weight)
        return float(-torch.special.xlogy(p, p).sum())

    own: UpperLoss = given.loss
    if isinstance(own, OneVsRestLogisticLoss):
        own = NormalisedLogisticLoss(own.n_outputs)
    return given.criterion(own, entropy)


def brier(given: Given, scale_by_half: bool | str = "auto") -> Criterion:
    """Return the Brier score, in scikit-learn's units: halved for two classes only."""
    outputs = given.loss.n_outputs
    halved = outputs == 1 if scale_by_half == "auto" else bool(scale_by_half)
    unit = (1.0 if halved else 2.0) if outputs == 1 else (0.5 if halved else 1.0)

    def spread(target, weight):
        p = _frequencies(target, weight)
        return unit * float((p * (1 - p)).sum()) / (2 if outputs == 1 else 1)

    return given.criterion(BrierLoss(outputs), spread, unit)


def balanced_loss(given: Given) -> Criterion:
    """Return the mean over the classes of the model's own loss of their rows."""
    factor, own = given.class_factor(), given.loss
    classes = int((factor > 0).sum())
    loss = BalancedLoss(own, factor, given.class_of)
    if not own.squared:
        return given.criterion(loss, lambda target, weight: math.log(classes))
    # The mean over outputs of targets -1 and 1: 4 p (1 - p) for p = 1 / classes.
    spread = 4 / classes * (1 - 1 / classes)
    return given.criterion(loss, lambda target, weight: spread, 2 / own.n_outputs)


def balanced_brier(given: Given) -> Criterion:
    """Return the mean over the classes of the Brier score of their rows."""
    factor, outputs = given.class_factor(), given.loss.n_outputs
    classes = int((factor > 0).sum())
    loss = BalancedLoss(BrierLoss(outputs), factor, given.class_of)
    spread = (1 - 1 / classes) / (2 if outputs == 1 else 1)
    return given.criterion(loss, lambda target, weight: spread)


def pairwise_logistic(given: Given) -> Criterion:
    """Return the mean log loss of pairs of rows, which stands for one minus the ROC AUC."""
    loss = PairwiseLoss()
    return given.criterion(loss, lambda target, weight: math.log(2), sums_over_rows=False)


def scaled_pairwise_logistic(given: Given) -> Criterion:
    """Return the same with the scale of each fold's margins free, as the ROC AUC has it."""
    loss = PairwiseLoss(free_scale=True)
    return given.criterion(loss, lambda target, weight: math.log(2), sums_over_rows=False)


def scaled_log_loss(given: Given) -> Criterion:
    """Return the log loss of margins whose scale is free, which stands for the accuracy."""

    def entropy(target, weight):
        p = _frequencies(given.class_of(target).double(), weight)
        return float(-torch.special.xlogy(p, p).sum())

    loss = ScaledLogLoss(given.loss.n_outputs, given.class_of)
    return given.criterion(loss, entropy, sums_over_rows=False)


def balanced_scaled_log_loss(given: Given) -> Criterion:
    """Return the same with equal weight for all classes."""
    factor = given.class_factor()
    classes = int((factor > 0).sum())
    loss = ScaledLogLoss(given.loss.n_outputs, given.class_of, factor)
    return given.criterion(loss, lambda target, weight: math.log(classes), sums_over_rows=False)


def squared_hinge(given: Given) -> Criterion:
    """Return the mean squared hinge, summed over the outputs, without the model's class weights."""
    outputs = given.loss.n_outputs

    def least(target, weight):
        # Of the constants in [-1, 1] that are the best, one an output; two classes have only one.
        p = _frequencies(target, weight)
        return 4 * float((p * (1 - p)).sum()) / (2 if outputs == 1 else 1)

    return given.criterion(SquaredHingeLoss(outputs), least)


def expected_error(given: Given) -> Criterion:
    """Return ``1 - p(label)``."""
    counts = torch.bincount(given.target.long().flatten()).double()
    null = 1 - float(counts.max() / counts.sum())
    return given.criterion(ExpectedErrorLoss(given.loss.n_outputs), lambda target, weight: null)


def balanced_expected_error(given: Given) -> Criterion:
    """Return the mean over the classes and all rows."""
    counts = torch.bincount(given.target.long().flatten()).double()
    classes = int((counts > 0).sum())
    factor = torch.where(counts > 0, counts.sum() / (classes * counts), 0.0)
    bounded = ExpectedErrorLoss(given.loss.n_outputs, factor)
    return given.criterion(bounded, lambda target, weight: 1 - 1 / classes)


def _frequencies(target: Tensor, weight: Tensor | None) -> Tensor:
    """Return the share of each class."""
    return mean(one_hot(target, int(target.max()) + 1)[:, :, 0], weight)
