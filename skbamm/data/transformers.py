"""Reads the fitted transformers of all folds: what they do to the features, side by side.

What a scaler does is the same column times one number and plus another; what a one-hot encoder
does is the same in all folds but for categories that some have not seen. So what is done to the
values is done once, for all rows, and what differs between the folds is kept as numbers. Kinds of
transformers that are not listed here cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import (
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
)
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from skbamm._sklearn_compat import safe_indexing
from skbamm.data.matrices import as_matrix

_CONSTANT = 1e-12  # relative deviation up to which a feature is constant up to rounding


class UnreadTransformer(Exception):
    """A transformer is unknown, or does more than scale and shift."""


@dataclass(frozen=True)
class Part:
    """A column that is added to a feature, with a factor in each fold.

    Attributes
    ----------
    column : ndarray of shape (n,)
    owner : int
        Which feature.
    factor : ndarray of shape (K,)
    """

    column: np.ndarray
    owner: int
    factor: np.ndarray


@dataclass(frozen=True)
class State:
    """Values of all rows as some transformers return them, in all folds.

    Attributes
    ----------
    values : array-like of shape (n, d)
        Shared by the folds.
    scale, shift : ndarray of shape (K, d)
        Fold k's features are ``scale[k] * values + shift[k]``.
    present : ndarray of bool of shape (K, d)
        Which features a fold has, in this order.
    parts : tuple of Part
        What is added to some features besides.
    """

    values: Any
    scale: np.ndarray
    shift: np.ndarray
    present: np.ndarray
    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, values: Any, folds: int) -> State:
        """Return values as they are, in all folds."""
        shape = folds, values.shape[1]
        return cls(values, np.ones(shape), np.zeros(shape), np.ones(shape, dtype=bool))

    @property
    def plain(self) -> bool:
        """Whether the values are as they were in every fold."""
        moved = self.parts or (self.scale != 1).any() or self.shift.any()
        return bool(self.present.all() and not moved)

    def scaled(self, factors: list, terms: list) -> State:
        """Return each fold's features times a factor and plus a term, one for each it has."""
        ratio, term = np.ones_like(self.scale), np.zeros_like(self.shift)
        for k, own in enumerate(self.present):
            ratio[k, own], term[k, own] = factors[k], terms[k]
        parts = [replace(part, factor=part.factor * ratio[:, part.owner]) for part in self.parts]
        return replace(
            self, scale=self.scale * ratio, shift=self.shift * ratio + term, parts=tuple(parts)
        )

    def selected(self, masks: list) -> State:
        """Return those of the features that each fold has which its mask selects."""
        present = self.present.copy()
        for k, mask in enumerate(masks):
            present[k, np.flatnonzero(present[k])[~mask]] = False
        return replace(self, present=present)

    def columns(self, index: np.ndarray | slice | list[int]) -> State:
        """Return some of the features."""
        values = safe_indexing(self.values, index, axis=1)
        places = np.arange(self.scale.shape[1])[index].tolist()
        parts = [
            replace(part, owner=place)
            for part in self.parts
            for place, old in enumerate(places)
            if old == part.owner
        ]
        return State(
            values, self.scale[:, index], self.shift[:, index], self.present[:, index],
            tuple(parts),
        )  # fmt: skip

    def trimmed(self) -> State:
        """Return the state without features that no fold has; what one has not weighs nothing."""
        seen = np.flatnonzero(self.present.any(0))
        state = self if len(seen) == self.present.shape[1] else self.columns(seen)
        gone = ~state.present
        scale, shift = (np.where(gone, 0.0, part) for part in (state.scale, state.shift))
        parts = [
            replace(part, factor=np.where(gone[:, part.owner], 0.0, part.factor))
            for part in state.parts
        ]
        return replace(state, scale=scale, shift=shift, parts=tuple(parts))

    def standardized(self, values: np.ndarray) -> State:
        """Return the state with dense ``values`` of mean 0 and deviation 1, written in place."""
        mean, spread = values.mean(0), values.std(0)
        spread[spread <= _CONSTANT * np.abs(mean)] = 1.0
        values -= mean
        values /= spread
        return self.moved(values, mean, spread)

    def moved(self, values: Any, mean: np.ndarray, spread: np.ndarray | float = 1.0) -> State:
        """Return the state about values less a mean, divided by a spread."""
        shift = self.shift + self.scale * mean
        return replace(self, values=values, scale=self.scale * spread, shift=shift)


def may_be_read(transformer: Any) -> bool:
    """Whether a transformer, and all that are in it, are of the kinds that are read here."""
    if transformer is None or isinstance(transformer, str):
        return True
    kind = type(transformer)
    if kind is Pipeline:
        return all(may_be_read(step) for _, step in transformer.steps)
    if kind is ColumnTransformer:
        steps = [step for _, step, _ in transformer.transformers]
        return all(map(may_be_read, [*steps, transformer.remainder]))
    if kind is FeatureUnion:
        return all(may_be_read(step) for _, step in transformer.transformer_list)
    if kind is FunctionTransformer:
        return transformer.func is None and transformer.inverse_func is None
    if kind is MinMaxScaler:
        return not transformer.clip
    if kind is SimpleImputer:
        return not transformer.add_indicator
    if kind is OneHotEncoder:
        return transformer.min_frequency is None and transformer.max_categories is None
    return kind in _READERS


def read(fitted: list, state: State) -> State:
    """Return what transformers, one a fold and all of one setting, make of a state.

    Raises
    ------
    UnreadTransformer
        If that is more than a scale and a shift of each column.
    """
    first = fitted[0]
    if first is None or first == "passthrough":
        return state
    reader = _READERS.get(type(first))
    if reader is None or not may_be_read(first):
        raise UnreadTransformer
    return reader(fitted, state)


def _pipeline(fitted: list, state: State) -> State:
    for steps in zip(*(one.steps for one in fitted), strict=True):
        state = read([step for _, step in steps], state)
    return state


def _column_transformer(fitted: list, state: State) -> State:
    if not state.present.all():
        raise UnreadTransformer
    parts = []
    for steps in zip(*(one.transformers_ for one in fitted), strict=True):
        name, one, _ = steps[0]
        index = fitted[0]._transformer_to_input_indices.get(name, [])
        if (isinstance(one, str) and one == "drop") or len(index) == 0:
            continue
        some = read([step for _, step, _ in steps], state.columns(index))
        parts.append(_weighted(some, fitted[0].transformer_weights, name))
    return _side_by_side(parts)


def _feature_union(fitted: list, state: State) -> State:
    parts = []
    for steps in zip(*(one.transformer_list for one in fitted), strict=True):
        name, one = steps[0]
        if isinstance(one, str) and one == "drop":
            continue
        some = read([step for _, step in steps], state)
        parts.append(_weighted(some, fitted[0].transformer_weights, name))
    return _side_by_side(parts)


def _weighted(state: State, weights: dict | None, name: str) -> State:
    weight = (weights or {}).get(name, 1.0)
    K = len(state.scale)
    return state if weight == 1 else state.scaled([weight] * K, [0.0] * K)


def _side_by_side(parts: list[State]) -> State:
    """Return the features of all parts in one state; of which some are sparse, all are."""
    if not parts:
        raise UnreadTransformer
    if len(parts) == 1:
        return parts[0]
    parts = [replace(part, values=as_matrix(part.values)) for part in parts]
    stack: Any = np.hstack
    if any(sp.issparse(part.values) for part in parts):
        parts = [_sparse(part) for part in parts]
        stack = lambda values: sp.hstack(values, format="csr")  # noqa: E731
    scale, shift, present = (
        np.hstack([getattr(part, name) for part in parts]) for name in ("scale", "shift", "present")
    )
    widths = np.cumsum([0, *(part.scale.shape[1] for part in parts)]).tolist()
    more = [
        replace(one, owner=one.owner + before)
        for before, part in zip(widths, parts, strict=False)
        for one in part.parts
    ]
    return State(stack([part.values for part in parts]), scale, shift, present, tuple(more))


def _sparse(part: State) -> State:
    if sp.issparse(part.values):
        return part
    part = part.standardized(np.array(part.values, dtype=np.float64))
    return replace(part, values=sp.csr_array(part.values))


def _identity(fitted: list, state: State) -> State:
    return state


def _stateless(fitted: list, state: State) -> State:
    """Transform each row by itself: all folds share one transformer."""
    if not state.plain:
        raise UnreadTransformer
    return State.of(fitted[0].transform(state.values), len(fitted))


def _standard_scaler(fitted: list, state: State) -> State:
    factors = [1 / one.scale_ if one.with_std else 1.0 for one in fitted]
    means = [one.mean_ if one.with_mean else 0.0 for one in fitted]
    return state.scaled(factors, [-m * f for m, f in zip(means, factors, strict=True)])


def _min_max_scaler(fitted: list, state: State) -> State:
    return state.scaled([one.scale_ for one in fitted], [one.min_ for one in fitted])


def _max_abs_scaler(fitted: list, state: State) -> State:
    return state.scaled([1 / one.scale_ for one in fitted], [0.0] * len(fitted))


def _robust_scaler(fitted: list, state: State) -> State:
    factors = [1 / one.scale_ if one.with_scaling else 1.0 for one in fitted]
    centres = [one.center_ if one.with_centering else 0.0 for one in fitted]
    return state.scaled(factors, [-c * f for c, f in zip(centres, factors, strict=True)])


def _selector(fitted: list, state: State) -> State:
    return state.selected([one.get_support() for one in fitted])


def _imputer(fitted: list, state: State) -> State:
    """All folds share one imputer; the values that others impute are part of the feature."""
    if not state.plain:
        raise UnreadTransformer
    indicator = MissingIndicator(
        missing_values=fitted[0].missing_values, features="all", sparse=False
    )
    missing = np.asarray(indicator.fit_transform(state.values))
    values = fitted[0].transform(state.values)
    if values.shape[1] != missing.shape[1]:  # a column without any value is left out
        raise UnreadTransformer
    parts = []
    for owner in np.flatnonzero(missing.any(0)).tolist():
        first, *others = (one.statistics_[owner] for one in fitted)
        if all(other == first for other in others):
            continue
        try:
            factor = np.array([0.0, *(float(other) - float(first) for other in others)])
        except (TypeError, ValueError):  # no numbers
            raise UnreadTransformer from None
        parts.append(Part(missing[:, owner].astype(np.float64), owner, factor))
    return replace(state, values=values, parts=tuple(parts))


def _one_hot_encoder(fitted: list, state: State) -> State:
    """One column a category of all rows; a fold has those of the categories that it knows."""
    if not state.plain:
        raise UnreadTransformer
    every = clone(fitted[0]).set_params(drop=None, handle_unknown="ignore", sparse_output=True)
    values = every.set_output(transform="default").fit_transform(state.values)
    masks = []
    for one in fitted:
        mask = []
        dropped = [None] * len(one.categories_) if one.drop_idx_ is None else one.drop_idx_
        for known, found, drop in zip(every.categories_, one.categories_, dropped, strict=True):
            place = {_key(category): i for i, category in enumerate(known)}
            index = [place.get(_key(category), -1) for category in found]
            if -1 in index or index != sorted(index):
                raise UnreadTransformer
            if len(index) < len(known) and one.handle_unknown == "error":
                raise UnreadTransformer  # it may reject unseen values
            if drop is not None:
                index.pop(int(drop))
            seen = np.zeros(len(known), dtype=bool)
            seen[index] = True
            mask.append(seen)
        masks.append(np.concatenate(mask))
    return State.of(sp.csr_array(values), len(fitted)).selected(masks)


def _key(category: Any) -> Any:
    """Return a category, or one for all that are not a number."""
    return "not a number" if category != category else (category,)


_READERS: dict[type, Callable[[list, State], State]] = {
    Pipeline: _pipeline,
    ColumnTransformer: _column_transformer,
    FeatureUnion: _feature_union,
    FunctionTransformer: _identity,
    StandardScaler: _standard_scaler,
    MinMaxScaler: _min_max_scaler,
    MaxAbsScaler: _max_abs_scaler,
    RobustScaler: _robust_scaler,
    SimpleImputer: _imputer,
    OneHotEncoder: _one_hot_encoder,
    **dict.fromkeys((Binarizer, Normalizer, PolynomialFeatures), _stateless),
    **dict.fromkeys(
        (
            GenericUnivariateSelect, SelectFdr, SelectFpr, SelectFwe, SelectKBest,
            SelectPercentile, VarianceThreshold,
        ),
        _selector,
    ),
}  # fmt: skip
