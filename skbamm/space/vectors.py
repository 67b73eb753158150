"""One value for each feature, group of features, or class: what a grid cannot search."""

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


class UnfitVector(ValueError):
    """A vector of values does not go with the model, the data, or itself."""


class Vector:
    """What vectors of a parameter's values have in common; see the subclasses."""

    kind = ""

    def __init__(self, low: float, high: float, shrinkage: bool = True):
        self.low, self.high, self.shrinkage = low, high, shrinkage

    def __repr__(self):
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"

    def __eq__(self, other):
        return type(other) is type(self) and repr(other) == repr(self)

    def __hash__(self):
        return hash(repr(self))


class PerFeature(Vector):
    """A penalty of its own for each feature that the model sees.

    All are searched together by their cross-validated loss. So many values would fit the
    validation rows, too; therefore their logarithms are drawn to a common value, by as much as
    proves best on rows that had no part in finding them. Where features differ by nothing that
    the data show, what remains is one value for all.

    Parameters
    ----------
    low, high : float
        Ends of the interval for each value, in the units of the estimator's parameter; positive.
    shrinkage : bool, default=True
        Whether the values are drawn together. Without it the least cross-validated loss is what
        counts, and ``best_score_`` says little about other rows.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not positive, finite and in order, or if the
        number of features is not the same in all folds.

    See Also
    --------
    PerGroup : one value a group of features.
    FeaturePenalty : what ``best_estimator_`` is, or ends in.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, PerFeature
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = BAMMSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e3)}).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (10,)
    """

    kind = "feature"


class PerGroup(Vector):
    """A penalty of its own for each group of features.

    Parameters
    ----------
    low, high : float
        Ends of the interval for each value, in the units of the estimator's parameter; positive.
    groups : array-like of shape (n_features,), mapping, or "transformers"
        A label for each feature that the model sees; or names of groups with their columns, which
        are numbers, names, or slices; or one group for each transformer of the ColumnTransformer
        or FeatureUnion before the model, whatever the number of columns that it has in a fold.
        The order of values is that of the labels where they first stand, of the mapping, or of
        the transformers.
    shrinkage : bool, default=True
        Whether the values are drawn together, as :class:`PerFeature` tells.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not positive, finite and in order; if ``groups``
        has not one label a feature, leaves out a column or has one twice; or if a group has no
        columns, in a fold.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, PerGroup
    >>> X, y = load_diabetes(return_X_y=True)
    >>> groups = {"patient": [0, 1], "body": [2, 3], "serum": slice(4, 10)}
    >>> search = BAMMSearchCV(Ridge(), {"alpha": PerGroup(1e-4, 1e3, groups)}).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (3,)
    """

    kind = "group"

    def __init__(self, low: float, high: float, groups: Any, shrinkage: bool = True):
        super().__init__(low, high, shrinkage)
        self.groups = groups


@dataclass(frozen=True, eq=False)
class VectorAxis:
    """A vector that was checked, with its map to and from the solver's x: the logarithms.

    Attributes
    ----------
    name : str
        Parameter name, as in the grid.
    low, high : float
    kind : {"feature", "group", "class"}
    groups : object
        As the user gave them.
    shrinkage : bool
    names : tuple of str
        Of the entries, once they are known.
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
        """Whether entries are of the model's outputs, and not of its features."""
        return self.kind == "class"

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
        return replace(self, names=tuple(map(str, names)), columns=columns)


def named_values(axes: tuple[Axis | VectorAxis, ...], x: list[float]) -> dict[str, Any]:
    """Return the values that x means, by name: numbers, and arrays of vectors."""
    found: dict[str, Any] = {}
    begin = 0
    for axis in axes:
        part = x[begin : begin + axis.size]
        begin += axis.size
        if isinstance(axis, VectorAxis):
            found[axis.name] = axis.numbers(part)
        else:
            found[axis.name] = axis.number(*part)
    return found


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
    unique, first, index = np.unique(labels, return_index=True, return_inverse=True)
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
