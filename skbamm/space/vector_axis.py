"""Vectors that were checked, and their map to the solver's variables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.models import Hyperparameter
from skbamm.space.interval import Axis, Interval, make_axis
from skbamm.space.vectors import CLASS_WEIGHT, UnfitVector, Vector


@dataclass(frozen=True, eq=False)
class VectorAxis:
    """A vector that was checked, with its map to and from the solver's x: the logarithms.

    Attributes
    ----------
    name : str
        Parameter name, as in the grid.
    low, high : float
    kind : {"feature", "group", "class", "target"}
    groups : object
        As the user gave them.
    shrinkage : bool
    names : tuple of str
        Of the entries, once they are known.
    labels : ndarray or None
        Of classes, as the target has them.
    columns : ndarray of int of shape (1 or K, d), or None
        The entry of each feature, in each fold if they differ, and ``size`` where a fold has no
        such feature; None if entries are of outputs.
    """

    name: str
    low: float
    high: float
    kind: str
    groups: Any = None
    shrinkage: bool = True
    names: tuple = ()
    columns: np.ndarray | None = field(default=None, repr=False)
    labels: np.ndarray | None = None

    scale = "log"

    @property
    def parameter(self) -> str:
        """Name of the parameter, without the steps of a pipeline."""
        return self.name.rpartition("__")[2]

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.names)

    @property
    def by_output(self) -> bool:
        """Whether entries are penalties of the model's outputs, and not of its features."""
        return self.kind in ("class", "target") and not self.weighs_rows

    @property
    def weighs_rows(self) -> bool:
        """Whether entries are weights of classes."""
        return self.kind == "class" and self.parameter == CLASS_WEIGHT

    @property
    def of_transformers(self) -> bool:
        """Whether entries are of transformers, whose columns may be others in every fold."""
        return isinstance(self.groups, str)

    def one(self) -> Axis:
        """Return the axis of one value for all."""
        return Axis(self.name, self.low, self.high, "log")

    def bounds(self) -> tuple[float, float]:
        """Return the ends of each entry in units of x."""
        return math.log(self.low), math.log(self.high)

    def value(self, x: Tensor) -> Tensor:
        """Map x to the parameter's values."""
        return torch.exp(x)

    def named(self, x: list[float]) -> np.ndarray | dict[Any, float]:
        """Return what its part of x means: an array, or a dict by group."""
        return self.values(x)

    def values(self, x: list[float]) -> np.ndarray | dict[Any, float]:
        """Map x to what the estimator's parameter is set to."""
        numbers = self.numbers(x)
        if not self.weighs_rows:
            return numbers
        assert self.labels is not None
        return dict(zip(self.labels.tolist(), numbers.tolist(), strict=True))

    def numbers(self, x: list[float]) -> np.ndarray:
        """Map x to values inside the interval, also after rounding."""
        start, end = self.bounds()
        values = np.exp(np.clip(x, start, end))
        values = np.where(np.asarray(x) <= start, self.low, values)
        values = np.where(np.asarray(x) >= end, self.high, values)
        return np.clip(values, self.low, self.high)

    def of_features(self, x: Tensor) -> Tensor:
        """Return what x (..., 1 or K, size) has for each feature, (..., 1 or K, d)."""
        # A fold may have fewer columns than another: what is beyond has no rows, and any entry.
        columns = torch.as_tensor(self.columns, device=x.device).clamp(max=self.size - 1)
        if len(columns) == 1:
            return x[..., columns[0]]
        folds = x.expand(*x.shape[:-2], len(columns), x.shape[-1])
        return folds.gather(-1, columns.expand(*folds.shape[:-1], columns.shape[-1]))

    def known(self, names, columns: np.ndarray | None) -> VectorAxis:
        """Return the axis with its entries."""
        labels = np.asarray(names) if self.kind == "class" else None
        return replace(self, names=tuple(map(str, names)), columns=columns, labels=labels)


SearchAxis = Axis | VectorAxis  # an interval of one value, or of one value each of several


def make_vector_axis(name: str, vector: Vector, hyperparameter: Hyperparameter) -> VectorAxis:
    """Check a vector as far as that needs no data.

    Raises
    ------
    ValueError
        That names the parameter and what was got.
    """
    axis = make_axis(name, Interval(vector.low, vector.high), hyperparameter)
    if not axis.low > 0:
        raise UnfitVector(f"{vector!r} for parameter {name!r} must have low > 0.")
    groups = getattr(vector, "groups", None)
    if vector.kind == "group" and isinstance(groups, str) and groups != "transformers":
        raise UnfitVector(
            f"groups for parameter {name!r} must be labels, a mapping or 'transformers', "
            f"got {groups!r}."
        )
    return VectorAxis(name, axis.low, axis.high, vector.kind, groups, bool(vector.shrinkage))


def group_columns(axis: VectorAxis, n_features: int, names: Any) -> VectorAxis:
    """Return the axis with its entries for the features of a matrix.

    Parameters
    ----------
    axis : VectorAxis
        Of features, or of groups that are given.
    n_features : int
    names : sequence of str, or None
        Of the features.

    Raises
    ------
    ValueError
        See ``PerGroup``.
    """
    if axis.kind == "feature":
        labels = range(n_features) if names is None else names
        return axis.known(labels, np.arange(n_features)[None])
    where = f"groups for parameter {axis.name!r}"
    if isinstance(axis.groups, Mapping):
        return _mapped(axis, n_features, names, where)
    labels = np.asarray(axis.groups)
    if labels.shape != (n_features,):
        raise UnfitVector(
            f"{where} must have one label for each of the {n_features} features, "
            f"got shape {labels.shape}."
        )
    try:
        unique, first, index = np.unique(labels, return_index=True, return_inverse=True)
    except TypeError:
        raise UnfitVector(
            f"{where} must be labels of one kind, all of them strings or numbers, "
            f"got {axis.groups!r}."
        ) from None
    order = np.argsort(first)
    rank = np.argsort(order)
    return axis.known(unique[order], rank[index][None])


def _mapped(axis, n_features, names, where) -> VectorAxis:
    columns = np.full(n_features, -1)
    for i, (group, given) in enumerate(axis.groups.items()):
        own = _columns(given, n_features, names, f"{where}: {group!r}")
        if not len(own):
            raise UnfitVector(f"{where}: {group!r} has no columns.")
        taken = own[columns[own] >= 0]
        if len(taken) or len(np.unique(own)) < len(own):
            raise UnfitVector(f"{where}: {group!r} has a column that is in a group already.")
        columns[own] = i
    if (columns < 0).any():
        left = np.flatnonzero(columns < 0)
        told = left[:5].tolist() if names is None else [str(names[j]) for j in left[:5]]
        raise UnfitVector(f"{where} must hold every column, {len(left)} are left out: {told}.")
    return axis.known(list(axis.groups), columns[None])


def _columns(given, n_features, names, where) -> np.ndarray:
    """Return the numbers of the columns that are given by number, name, slice or mask."""
    if isinstance(given, slice):
        try:
            return np.arange(n_features)[given]
        except TypeError:
            raise UnfitVector(f"{where} has {given}, a slice must be of numbers.") from None
    many = np.atleast_1d(np.asarray(given, dtype=object if isinstance(given, str) else None))
    if many.dtype == bool and many.shape == (n_features,):
        return np.flatnonzero(many)
    if many.size == 0:
        return np.empty(0, dtype=int)
    if many.dtype.kind in "iu":
        wrong = many[(many < -n_features) | (many >= n_features)]
        if len(wrong):
            raise UnfitVector(f"{where} has column {wrong[0]}, there are {n_features}.")
        return many.astype(int) % n_features
    known = {} if names is None else {name: j for j, name in enumerate(names)}
    missing = [name for name in many.tolist() if name not in known]
    if missing:
        has = "the features have no names" if names is None else "there is no such column"
        raise UnfitVector(f"{where} has {missing[0]!r}, but {has}.")
    return np.array([known[name] for name in many.tolist()], dtype=int)
