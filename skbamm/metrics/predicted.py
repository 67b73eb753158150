"""Predictions for some rows, and their targets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor


class NoTwin(Exception):
    """A score is left to scikit-learn, which may warn, refuse, or know more options."""


@dataclass(frozen=True)
class Predicted:
    """Predictors of some rows, and their true targets, on one device.

    Attributes
    ----------
    z : Tensor of shape (n, m)
        Predictors, in the precision of the model's own predictions. Those of two classes have one
        output, which is positive where the second class is more likely.
    y : Tensor of shape (n,) or (n, m)
        Numbers of the classes (int64), each of which is there, or the target (float64).
    weight : Tensor of shape (n,), float64, or None
        Of the rows, in the score.
    classes : ndarray or None
        Labels of the classes, in order.
    link : str
        How predictions follow from predictors: of numbers "identity" or "exp", of probabilities
        "expit", "softmax", "normalised" (the share of each class's expit), or "" for none.
    method : str
        The response that the metric is given: "predict", "predict_proba" or "decision_function".
    """

    z: Tensor
    y: Tensor
    weight: Tensor | None = None
    classes: Any = None
    link: str = ""
    method: str = "predict"

    def positive(self, pos_label: Any) -> int:
        """Return the number of the positive one of two classes; None is the second."""
        labels = self._two_classes()
        if pos_label is None:
            return 1
        if pos_label not in labels:
            raise NoTwin("the positive label is not one of the two classes")
        return labels.index(pos_label)

    def _two_classes(self) -> list[Any]:
        if self.classes is None or len(self.classes) != 2:
            raise NoTwin("there are not two classes")
        return list(self.classes.tolist())

    @cached_property
    def labels(self) -> Tensor:
        """Return the numbers of the predicted classes, (n,)."""
        if self.method != "predict" or self.classes is None:
            raise NoTwin("the metric does not take labels")
        if self.z.shape[1] == 1:
            return (self.z[:, 0] > 0).long()
        return self.z.argmax(1)

    @cached_property
    def probabilities(self) -> Tensor:
        """Return the probabilities of the classes, (n, classes), as scikit-learn rounds them."""
        if self.method != "predict_proba":
            raise NoTwin("the metric does not take probabilities")
        return linked(self.z, self.link)

    @cached_property
    def ranks(self) -> Tensor:
        """Return what ranks rows: of two classes (n,), for the second, else (n, classes)."""
        if self.classes is None:
            raise NoTwin("the target has no classes")
        if self.method == "decision_function":
            return self.z[:, 0] if self.z.shape[1] == 1 else self.z
        found = self.probabilities
        return found[:, 1] if found.shape[1] == 2 else found

    @cached_property
    def numbers(self) -> tuple[Tensor, Tensor]:
        """Return the true and the predicted numbers, (n, m), float64."""
        if self.method != "predict" or self.classes is not None:
            raise NoTwin("the metric does not take numbers")
        y = self.y if self.y.ndim == 2 else self.y[:, None]
        return y, linked(self.z, self.link).double()

    def mean(self, values: Tensor) -> Tensor:
        """Return the weighted mean over the rows of values (n, ...), in float64."""
        values = values.double()
        if self.on_host:
            weight = None if self.weight is None or not self.total > 0 else self.weight.numpy()
            return torch.as_tensor(np.average(values.numpy(), axis=0, weights=weight))
        if self.weight is None:
            return values.mean(0)
        return torch.tensordot(self.weight, values, 1) / self.total

    def average(self, values: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the weighted mean of the values of classes or outputs (m,)."""
        if self.on_host:
            heavy = None if weights is None else weights.numpy()
            return torch.as_tensor(np.average(values.numpy(), weights=heavy))
        if weights is None:
            return values.mean()
        return (values * weights).sum() / weights.sum()

    def sum(self, values: Tensor) -> Tensor:
        """Return the weighted sum over the rows of values (n, m), in float64."""
        heavy = values.double() if self.weight is None else self.weight[:, None] * values
        return torch.as_tensor(heavy.numpy().sum(0)) if self.on_host else heavy.sum(0)

    @property
    def on_host(self) -> bool:
        """Whether these are rows on the CPU, which NumPy adds up in scikit-learn's order."""
        return self.y.device.type == "cpu"

    @cached_property
    def total(self) -> Tensor:
        """Return the sum of the weights."""
        if self.weight is None:
            return torch.tensor(float(len(self.y)), dtype=torch.float64, device=self.y.device)
        total = self.weight.sum()
        if not total > 0:
            raise NoTwin("all rows have weight zero")
        return total


def linked(z: Tensor, link: str) -> Tensor:
    """Return predictions of predictors (n, m); probabilities of two classes have two columns."""
    if link == "identity":
        return z
    if link == "exp":
        return z.exp()
    if link == "softmax":
        shifted = (z - z.amax(1, keepdim=True)).exp()
        return shifted / shifted.sum(1, keepdim=True)
    if link not in ("expit", "normalised"):
        raise NoTwin("the map from predictors to predictions is unknown")
    p = z.sigmoid()
    if link == "expit":
        return torch.cat([1 - p, p], 1)
    total = p.sum(1, keepdim=True)
    nothing = total == 0  # scikit-learn calls all classes as likely then
    return torch.where(nothing, 1 / p.shape[1], p / torch.where(nothing, 1.0, total))
