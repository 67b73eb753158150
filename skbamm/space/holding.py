"""Puts vectors of values, which scikit-learn's models cannot have, into estimators that can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.linear_model import Ridge, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from skbamm.blocks import parallel_step
from skbamm.class_penalty import ClassPenalty
from skbamm.feature_penalty import FeaturePenalty
from skbamm.space.vector_axis import VectorAxis
from skbamm.space.vectors import UnfitVector

_ONE_VS_REST = (LinearSVC, RidgeClassifier, SGDClassifier)


@dataclass(frozen=True)
class Holder:
    """Makes of an estimator one with a vector of values.

    The model gets the geometric mean of the values, and ``FeaturePenalty`` around it, or around
    its pipeline if the transformers make the groups; their other properties.

    Attributes
    ----------
    axis : VectorAxis
    prefix : str
        What names of the model's parameters begin with in the estimator.
    inverse : bool
        Whether a larger value means a weaker penalty.
    """

    axis: VectorAxis
    prefix: str
    inverse: bool

    def of(self, axis: VectorAxis) -> Holder:
        """Return the holder for the axis with its entries."""
        return replace(self, axis=axis)

    def hold(self, estimator: Any, values: Any = None) -> Any:
        """Return the estimator with these values; it may itself be changed.

        Without values, one that can have some. Weights of classes are a dict, which the estimator
        knows.
        """
        if self.axis.weighs_rows:
            return estimator.set_params(**{self.axis.name: values})
        factor: Any = None
        by_class = self.axis.by_output
        if by_class and isinstance(_part(estimator, self.prefix), (Ridge, RidgeClassifier)):
            return estimator if values is None else estimator.set_params(**{self.axis.name: values})
        if values is not None:
            mean = float(np.exp(np.log(values).mean()))
            ratio = mean / values if self.inverse else values / mean
            _part(estimator, self.prefix).set_params(**{self.axis.parameter: mean})
            if by_class:
                factor = ratio
            elif self.axis.of_transformers:
                factor = dict(zip(self.axis.names, ratio.tolist(), strict=True))
            else:
                assert self.axis.columns is not None
                factor = ratio[self.axis.columns[0]]
        place = self.prefix
        if self.axis.of_transformers:
            place = _above(place)
        kind: Any = ClassPenalty if by_class else FeaturePenalty
        around = kind(_part(estimator, place), penalty_factor=factor)
        if by_class and place and type(_part(estimator, _above(place))) is OneVsRestClassifier:
            place = _above(place)
        if not place:
            return around
        return estimator.set_params(**{place.removesuffix("__"): around})

    def without_classes(self, estimator: Any, y: Any) -> None:
        """Leave out, in place, the values of classes that are not in a fold's training target.

        The values of the classes that are present are used. Two classes have one model, and it
        has the geometric mean of their values.
        """
        if self.axis.kind != "class" or self.axis.weighs_rows:
            return
        there = np.isin(np.asarray(self.axis.labels), np.asarray(y))
        if there.all() or not there.any():
            return

        def left(values):
            some = np.asarray(values)[there]
            return some if len(some) > 2 else np.exp(np.log(some).mean(keepdims=True))

        around = (_part(estimator, place) for place in (self.prefix, _above(self.prefix)))
        penalty = next((one for one in around if isinstance(one, ClassPenalty)), None)
        if penalty is not None:
            penalty.penalty_factor = left(penalty.penalty_factor)
            return
        values = left(estimator.get_params()[self.axis.name])
        estimator.set_params(**{self.axis.name: values if len(values) > 1 else values[0]})

    def check(self, estimator: Any) -> None:
        """Raise UnfitVector if the estimator has no such groups, or classes."""
        if self.axis.weighs_rows and not is_classifier(_part(estimator, self.prefix)):
            name = type(_part(estimator, self.prefix)).__name__
            raise UnfitVector(f"Parameter {self.axis.name!r}: {name} is not a classifier.")
        if self.axis.kind == "target" and not isinstance(_part(estimator, self.prefix), Ridge):
            name = type(_part(estimator, self.prefix)).__name__
            raise UnfitVector(
                f"Parameter {self.axis.name!r} cannot have a value for each target: {name} has one "
                "for all, Ridge may have several."
            )
        above = _part(estimator, _above(self.prefix)) if self.prefix else None
        if self.axis.kind == "target" and isinstance(above, MultiOutputRegressor):
            raise UnfitVector(
                f"Parameter {self.axis.name!r} cannot have a value for each target: those of "
                "MultiOutputRegressor have clones of one model. A Ridge of its own may have."
            )
        if self.axis.kind == "class" and not self.axis.weighs_rows:
            self._check_classes(estimator)
        if not self.axis.of_transformers:
            return
        pipeline = _part(estimator, _above(self.prefix))
        if not isinstance(pipeline, Pipeline) or parallel_step(pipeline[:-1]) is None:
            raise UnfitVector(
                f"groups='transformers' for parameter {self.axis.name!r} needs a pipeline in which "
                "a ColumnTransformer or FeatureUnion stands before the model, followed by no step "
                f"that changes the columns, got {pipeline!r}."
            )

    def _check_classes(self, estimator: Any) -> None:
        model, around = _part(estimator, self.prefix), None
        if self.prefix:
            around = type(_part(estimator, _above(self.prefix)))
        if around is OneVsRestClassifier or isinstance(model, _ONE_VS_REST):
            return
        name = type(model).__name__
        if not is_classifier(model):
            why = f"{name} is not a classifier"
        else:
            why = (
                f"{name} is multinomial, its classes share one penalty; "
                f"OneVsRestClassifier({name}()) has one model a class"
            )
        raise UnfitVector(
            f"Parameter {self.axis.name!r} cannot have a value for each class: {why}."
        )


def _above(prefix: str) -> str:
    """Return the prefix of what is around the estimator at a prefix."""
    parts = prefix.removesuffix("__").rpartition("__")[0]
    return f"{parts}__" if parts else ""


def _part(estimator: Any, prefix: str) -> Any:
    """Return what stands at a prefix in an estimator."""
    return estimator.get_params()[prefix.removesuffix("__")] if prefix else estimator
