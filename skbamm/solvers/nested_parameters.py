"""Parameters of a feature map or of a loss, which a model depends on besides its penalty."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from skbamm.data.fold_maps import FoldMaps
from skbamm.data.matrices import FoldData
from skbamm.folds import FoldwiseRows
from skbamm.glm import GLMProblem, feature_slope, parameter_slope
from skbamm.losses import ParametricLoss
from skbamm.models import NotApplicable
from skbamm.solvers.linear import LinearSolver


class Line(Protocol):
    """Models along the values of one parameter.

    Attributes
    ----------
    same_features : bool
        Whether models of one value are near those of another.
    """

    same_features: bool

    def at(self, value: float) -> LinearSolver:
        """Return the solver for a value of the parameter."""
        ...

    def slope(
        self, joint: LinearSolver, problem: GLMProblem, y: Tensor, v: Tensor, upper: Tensor
    ) -> float:
        """Return F's derivative in the parameter, at a penalty.

        Parameters
        ----------
        joint : LinearSolver
            That of the value.
        problem : GLMProblem
            The problem of one start, at the penalty.
        y, v : Tensor of shape (1, K, m, p)
            Solution and multiplier.
        upper : Tensor of shape (1, K)
            Each fold's share of F.
        """
        ...


class FeatureLine:
    """A parameter of a feature map.

    Parameters
    ----------
    maps : FoldMaps
    make : callable
        Maps the folds' data to a LinearSolver.
    """

    same_features = False

    def __init__(self, maps: FoldMaps, make: Callable[[list[FoldData]], LinearSolver]):
        self.maps, self._make = maps, make

    def at(self, value: float) -> LinearSolver:
        """See ``Line.at``."""
        joint = self._make(self.maps.at(value))
        if joint.task.loss.has_scale:
            raise NotApplicable("the scale of a HuberRegressor depends on the feature map, too")
        return joint

    def slope(self, joint, problem, y, v, upper) -> float:
        """See ``Line.slope``."""
        both: Any = self._make(self.maps.with_slopes(joint.folds)).rows(torch.float64)
        # Chunks are identified by their place in their own fold.
        return feature_slope(problem, FoldwiseRows(both.folds), y, v, upper)


class LossLine:
    """A parameter of the model's loss: the rows stay the same.

    Parameters
    ----------
    joint : LinearSolver
        Its task's loss is a ``ParametricLoss``.
    """

    same_features = True

    def __init__(self, joint: LinearSolver):
        self._joint = joint

    def at(self, value: float) -> LinearSolver:
        """See ``Line.at``."""
        loss: ParametricLoss = self._joint.task.loss  # type: ignore[assignment]
        joint = copy.copy(self._joint)
        joint.task = replace(joint.task, loss=loss.with_parameter(value))
        return joint

    def slope(self, joint, problem, y, v, upper) -> float:
        """See ``Line.slope``."""
        return parameter_slope(problem, y, v, upper)
