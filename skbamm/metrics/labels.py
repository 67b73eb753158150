"""Metrics of predicted labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skbamm.metrics.predicted import NoTwin, Predicted


class Counts(NamedTuple):
    """Weights of rows by class, each of shape (classes,), float64."""

    right: Tensor
    predicted: Tensor
    true: Tensor


def accuracy(given: Predicted, normalize: bool = True) -> Tensor:
    """Return the share of the rows whose label is right."""
    if not normalize:
        raise NoTwin("the metric counts rows")
    return given.mean(given.labels == given.y)


def balanced_accuracy(given: Predicted, adjusted: bool = False) -> Tensor:
    """Return the mean over the classes of the share of their rows whose label is right."""
    counts = _counts(given)
    score = given.average(_divided(counts.right, counts.true))
    if not adjusted:
        return score
    chance = 1 / len(counts.true)
    return (score - chance) / (1 - chance)


def precision(given: Predicted, **options: Any) -> Tensor:
    """Return the share that is right of the rows with a predicted label."""
    return _averaged(given, lambda one: (one.right, one.predicted), **options)


def recall(given: Predicted, **options: Any) -> Tensor:
    """Return the share that is found of the rows with a label."""
    return _averaged(given, lambda one: (one.right, one.true), **options)


def jaccard(given: Predicted, **options: Any) -> Tensor:
    """Return the rows of a class that are found, over those that are it or are called it."""

    def parts(one: Counts) -> tuple[Tensor, Tensor]:
        return one.right, one.true + one.predicted - one.right

    return _averaged(given, parts, **options)


def f1(given: Predicted, **options: Any) -> Tensor:
    """Return the harmonic mean of precision and recall."""
    return fbeta(given, beta=1.0, **options)


def fbeta(given: Predicted, *, beta: float, **options: Any) -> Tensor:
    """Return their weighted harmonic mean."""
    square = float(beta) ** 2
    if not 0 < square < torch.inf:
        raise NoTwin("beta is at an end")

    def parts(one: Counts) -> tuple[Tensor, Tensor]:
        return (1 + square) * one.right, square * one.true + one.predicted

    return _averaged(given, parts, **options)


def _averaged(
    given: Predicted,
    parts: Callable[[Counts], tuple[Tensor, Tensor]],
    average: Any = "binary",
    pos_label: Any = 1,
    zero_division: Any = "warn",
) -> Tensor:
    """Return the ratio of two parts of the counts, averaged over the classes."""
    # Whatever a division by zero is to give, it is left to scikit-learn.
    counts = _counts(given)
    if average == "binary":
        which = given.positive(pos_label)
        return _divided(*parts(Counts(*(part[which] for part in counts))))
    if average == "micro":
        return _divided(*parts(Counts(*(part.sum() for part in counts))))
    each = _divided(*parts(counts))
    if average == "macro":
        return given.average(each)
    if average == "weighted":
        return given.average(each, counts.true)
    raise NoTwin("the metric returns a score for each class or row")


def _counts(given: Predicted) -> Counts:
    labels, y, m = given.labels, given.y, len(given.classes)
    if given.weight is None:
        parts = labels[labels == y], labels, y
        return Counts(*(torch.bincount(part, minlength=m).double() for part in parts))
    # On a GPU, sums by place depend on the order of its threads; sums of masks do not.
    right, weight = labels == y, given.weight
    masks = [torch.stack([right & (y == c), labels == c, y == c]) for c in range(m)]
    return Counts(*torch.stack([mask.double() @ weight for mask in masks], 1))


def _divided(upper: Tensor, lower: Tensor) -> Tensor:
    if not bool((lower > 0).all()):
        raise NoTwin("a class has no rows, or no row is called it")
    return upper / lower
