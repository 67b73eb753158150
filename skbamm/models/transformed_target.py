"""TransformedTargetRegressor around a model or a pipeline."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor

from skbamm.criteria import ABSOLUTE, BOUNDED_SQUARED, SQUARED
from skbamm.faults import from_signal
from skbamm.losses import Inverse
from skbamm.models.base import NotApplicable, numeric_target
from skbamm.models.meta import MetaTwin
from skbamm.models.steps import has_transformers, last_step, step_prefix

_SMOOTH = 0.003  # of the spread of what models see: the inverse may be of many pieces
_ERRORS = (*SQUARED, *ABSOLUTE, *BOUNDED_SQUARED)  # that can be taken in the user's units


@dataclass(frozen=True)
class TransformedTarget:
    """A target in the user's units, and as models see it.

    Attributes
    ----------
    y : ndarray of shape (n,)
    values : tuple of ndarray of shape (n,)
        The transformed target: shared by all splits, or one for each split.
    transformers : tuple
        Fitted on each split's training rows.
    """

    y: np.ndarray
    values: tuple[np.ndarray, ...]
    transformers: tuple[Any, ...]

    @property
    def shared(self) -> bool:
        """Whether all splits share the transformed target."""
        return len(self.values) == 1

    def of_split(self, k: int) -> np.ndarray:
        """Return the target of a split's models, (n,)."""
        return self.values[0 if self.shared else k]

    def inverses(self, splits: list[int]) -> list[Inverse]:
        """Return the maps to the user's units: one, or one for each of these splits."""
        return [self._inverse(k) for k in (splits[:1] if self.shared else splits)]

    def _inverse(self, k: int) -> Inverse:
        values = self.of_split(k)
        width = _SMOOTH * (float(values.std()) or 1.0)
        return Inverse(
            _Back(self.transformers[k]), width, (float(values.min()), float(values.max()))
        )

    def for_export(self, k: int) -> TransformedTarget:
        """Return the extra data for the export of a split's model."""
        return TransformedTarget(self.y[:1], (self.of_split(k)[:1],), (self.transformers[k],))


@dataclass(frozen=True)
class _Back:
    transformer: Any

    def __call__(self, values):
        return _column(self.transformer.inverse_transform(values[:, None]))


class TransformedTargetTwin(MetaTwin):
    """The model's own objective, with the target that a fold's transformer makes of y."""

    estimator_type = TransformedTargetRegressor
    transforms_target = True

    def held(self, estimator):
        """See ``MetaTwin.held``."""
        return last_step(estimator.regressor)

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.regressor is None:
            return "regressor=None fits a LinearRegression, which has nothing to tune"
        return super().mismatch(estimator)

    def wrapped(self, estimator):
        """See ``Twin.wrapped``."""
        regressor = estimator.regressor
        inside = None if has_transformers(regressor) else self.inner.wrapped(last_step(regressor))
        return regressor if inside is None else inside  # that of a FeaturePenalty

    def prefix(self, estimator):
        """See ``MetaTwin.prefix``."""
        return "regressor__" + step_prefix(estimator.regressor)

    def transformed(self, estimator, y, splits) -> TransformedTarget:
        """Fit the target's transformer on the training rows of each split."""
        y = np.asarray(y)
        if y.ndim != 1:
            raise NotApplicable("the target is not a vector")
        numbers = numeric_target(y, vector=True, text=False)
        y = numbers if y.dtype.kind == "O" else y
        found = [_transformed(estimator, y, train) for train, _ in splits]
        values, transformers = zip(*found, strict=True)
        if all(np.array_equal(values[0], other) for other in values[1:]):
            values = values[:1]
        return TransformedTarget(numbers, values, transformers)

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``; y is a TransformedTarget."""
        tasks = [self.inner.task(self.held(estimator), t, weight, sparse) for t in y.values]
        criteria = tuple(name for name in _ERRORS if name in tasks[0].criteria)
        if tasks[0].criterion != "r2":
            criteria = (*SQUARED, *ABSOLUTE)
        return replace(tasks[0], criterion="r2", criteria=criteria, transformed=y)

    def fits(self, estimator):
        """See ``MetaTwin.fits``."""
        return [estimator.regressor_]

    def export(self, estimator, task, *solution):
        """See ``Twin.export``."""
        estimator.regressor_ = clone(estimator.regressor)
        self.inner.export(last_step(estimator.regressor_), task, *solution)
        estimator.transformer_ = task.transformed.transformers[0]
        estimator._training_dim = 1

    def remember(self, estimator, features, transformers):
        """See ``Twin.remember``."""
        fitted = estimator.regressor_
        outside = has_transformers(fitted)
        self.inner.remember(last_step(fitted), features, None if outside else transformers)
        if outside:
            fitted.steps[:-1] = transformers.steps
        if hasattr(fitted, "feature_names_in_"):
            estimator.feature_names_in_ = fitted.feature_names_in_


def _transformed(estimator, y, train) -> tuple[np.ndarray, Any]:
    """Return all rows as transformed by a transformer fitted on some, and the transformer."""
    fitted = clone(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the refit on all rows will say it once
        try:
            fitted._fit_transformer(y[train][:, None])
            transform = fitted.transformer_.transform
            every, inner = (_column(transform(part[:, None])) for part in (y, y[train]))
        except Exception as error:
            if from_signal(error):
                raise
            raise NotApplicable(f"the target's transformer failed: {error}") from None
    values = numeric_target(every, vector=True)
    if not np.allclose(inner, every[train]):
        raise NotApplicable("the target's transformer mixes rows")
    return values, fitted.transformer_


def _column(values: Any) -> np.ndarray:
    return np.asarray(values).reshape(len(values))
