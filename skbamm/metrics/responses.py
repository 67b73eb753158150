"""What a fitted model answered for some rows, for the metrics of tensors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.metrics.predicted import NoTwin, Predicted

_SUM = 1e-6  # probabilities that sum to less or more than 1 are scikit-learn's to judge


class PredictedLabels(Predicted):
    """Labels that were predicted: ``z`` holds the numbers of their classes, (n, 1), int64."""

    @cached_property
    def labels(self) -> Tensor:
        """Return the numbers of the predicted classes, (n,)."""
        return self.z[:, 0]


@dataclass(frozen=True)
class TestTarget:
    """The target of the test rows, ready for the metrics of every candidate.

    Attributes
    ----------
    y : Tensor of shape (n,) or (n, m)
        Numbers of the classes (int64), or the target (float64).
    classes : ndarray or None
    weight : Tensor of shape (n,) or None
    """

    y: Tensor
    classes: np.ndarray | None
    weight: Tensor | None

    @classmethod
    def of(cls, y: Any, classes: np.ndarray | None, weight: Any) -> TestTarget:
        """Return that of a user's target, or raise NoTwin if scikit-learn has to read it.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, m)
        classes : ndarray or None
            The model's, in order; each must have a row.
        weight : array-like of shape (n,) or None
        """
        heavy = None if weight is None else _finite(weight)
        y = np.asarray(y)
        if classes is None:
            if y.ndim not in (1, 2):
                raise NoTwin("the target has another shape")
            return cls(_finite(y), None, heavy)
        if not isinstance(classes, np.ndarray) or y.ndim != 1 or y.dtype.kind != classes.dtype.kind:
            raise NoTwin("labels are of another type")
        there, numbers = np.unique(y, return_inverse=True)
        if not np.array_equal(there, classes):
            raise NoTwin("a class has no test row")
        return cls(torch.from_numpy(numbers.astype(np.int64)), classes, heavy)

    def predicted(self, response: Any, method: str) -> Predicted:
        """Return a model's response beside this target, or raise NoTwin.

        Parameters
        ----------
        response : ndarray of shape (n,) or (n, m)
        method : str
            "predict", "predict_proba" or "decision_function".
        """
        if not isinstance(response, np.ndarray) or len(response) != len(self.y):
            raise NoTwin("the response is no array of a row each")
        given = Predicted(self.y, self.y, self.weight, self.classes, "identity", method)
        if method == "predict" and self.classes is not None:
            given = _labels(given, response)
        elif response.dtype not in (np.float32, np.float64) or not response.dtype.isnative:
            raise NoTwin("the response holds no numbers of usual precision")
        else:
            z = torch.tensor(response).reshape(len(response), -1)
            if not bool(z.isfinite().all()):
                raise NoTwin("the response is not finite")
            self._check(response, z, method)
            given = replace(given, z=z)
        return given

    def _check(self, response: np.ndarray, z: Tensor, method: str) -> None:
        """Raise NoTwin unless a response has the form that the metrics take."""
        if method == "predict":
            if tuple(response.shape) != tuple(self.y.shape):
                raise NoTwin("the response has another shape than the target")
            return
        if self.classes is None:
            raise NoTwin("these are no classes")
        m = len(self.classes)
        if method == "decision_function":
            if z.shape[1] != (1 if m == 2 else m):
                raise NoTwin("there is not one decision a class")
        elif z.shape[1] != m or bool((z < 0).any()) or bool(((z.sum(1) - 1).abs() > _SUM).any()):
            raise NoTwin("these are no probabilities of the classes")


def _labels(given: Predicted, response: np.ndarray) -> PredictedLabels:
    classes = given.classes
    numbers = np.searchsorted(classes, response).clip(max=len(classes) - 1)
    if response.ndim != 1 or not np.array_equal(classes[numbers], response):
        raise NoTwin("a predicted label is none of the classes")
    z = torch.from_numpy(numbers.astype(np.int64))[:, None]
    return PredictedLabels(z, given.y, given.weight, classes, given.link, given.method)


def _finite(values: Any) -> Tensor:
    values = np.asarray(values)
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise NoTwin("these are no numbers of usual precision")
    found = torch.as_tensor(np.require(values, requirements="W"), dtype=torch.float64)
    if not bool(found.isfinite().all()):
        raise NoTwin("a value is not finite")
    return found
