"""Each fold's features as a function of a parameter of the last transformer."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skbamm.data.callbacks import without_callbacks
from skbamm.data.matrices import FoldData, FoldParts, as_matrix, fold_parts, join_parts
from skbamm.faults import from_signal
from skbamm.models import NotApplicable


class FoldMaps:
    """The folds of a pipeline whose last transformer is a feature map.

    The steps before the map are fitted once a fold.

    Parameters
    ----------
    target : Target
    X : array-like
        The user's.
    y : list of array-like
        The target that each split's transformers see.
    splits : list of (train, test)
    """

    def __init__(self, target: Any, X: Any, y: list, splits: list):
        steps = target.pipeline.steps[:-1]
        self.map = target.feature_map
        self.name, self.transformer = steps[-1]
        head = Pipeline(steps[:-1]) if len(steps) > 1 else None
        self.splits, self._y = splits, y
        self._parts = [
            fold_parts(head, X, seen, train, test)
            for seen, (train, test) in zip(y, splits, strict=True)
        ]

    def at(self, value: float) -> list[FoldData]:
        """Return each fold's data for a value of the parameter."""
        transformer = without_callbacks(clone(self.transformer))
        transformer.set_params(**{self.map.hyperparameter.name: value})
        return [self._fold(transformer, k) for k in range(len(self.splits))]

    def with_slopes(self, folds: list[FoldData]) -> list[FoldData]:
        """Return the folds with the features and their slopes."""
        found = []
        for fold, parts in zip(folds, self._parts, strict=True):
            fitted = fold.transformers.steps[-1][1]
            rows = [part for part in (parts.inner, parts.outer) if part.shape[0]]
            slopes = [self.map.slope(fitted, as_matrix(part)) for part in rows]
            matrix = np.hstack([fold.matrix, np.concatenate(slopes)])
            found.append(replace(fold, matrix=matrix, plain=False))
        return found

    def _fold(self, transformer, k) -> FoldData:
        before, (train, test) = self._parts[k], self.splits[k]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the refit on all rows will say it once
            try:
                fitted = clone(transformer).fit(before.inner)
                inner = fitted.transform(before.inner)
                outer = fitted.transform(before.outer) if len(test) else inner[:0]
            except Exception as error:
                if from_signal(error):
                    raise
                raise NotApplicable(f"a transformer failed: {error}") from None
        steps = [] if before.fitted is None else before.fitted.steps
        chain = Pipeline([*steps, (self.name, fitted)])
        return join_parts(FoldParts(chain, inner, outer), train, test)
