"""FeaturePenalty around a linear model, or around a pipeline that ends in one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skbamm.blocks import transformer_blocks
from skbamm.feature_penalty import FeaturePenalty, factor_of_features
from skbamm.models.meta import MetaTwin
from skbamm.models.steps import last_step, step_prefix

_MEMORY = ("n_features_in_", "feature_names_in_")


class FeaturePenaltyTwin(MetaTwin):
    """The model's own objective, its penalty with a factor for each feature."""

    estimator_type = FeaturePenalty

    def held(self, estimator):
        """See ``MetaTwin.held``."""
        return last_step(estimator.estimator)

    def wrapped(self, estimator):
        """See ``Twin.wrapped``."""
        return estimator.estimator

    def fitted(self, estimator):
        """See ``Twin.fitted``."""
        return last_step(estimator.estimator_)

    def prefix(self, estimator):
        """See ``MetaTwin.prefix``."""
        return "estimator__" + step_prefix(estimator.estimator)

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        inner, reason = self.find(self.held(estimator))
        if inner is None:
            return reason
        if isinstance(inner, MetaTwin) or inner.family != "linear":
            return f"{type(self.held(estimator)).__name__} is not a linear model"
        given = estimator.penalty_factor
        if isinstance(given, Mapping):
            return "penalty_factor is given by names, which the own fit resolves"
        if given is not None:
            factor = np.asarray(given, dtype=float)
            if not (factor > 0).all():
                return "penalty_factor is not positive"
            if np.isinf(factor).any():
                return "penalty_factor drops features"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``; the fit can begin at a solution if the model's can."""
        twin = super().for_estimator(estimator)
        twin.warm_starts = twin.inner.warm_starts
        return twin

    def feature_penalty(self, estimator):
        """See ``LinearTwin.feature_penalty``."""
        return estimator

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        return self.inner.task(self.held(estimator), y, weight, sparse)

    def export(self, estimator, task, *solution):
        """See ``Twin.export``."""
        fitted = clone(self.held(estimator))
        self.inner.export(fitted, task, *solution)
        estimator.estimator_ = fitted

    def remember(self, estimator, features, transformers):
        """See ``Twin.remember``."""
        model, blocks = estimator.estimator_, {}
        self.inner.remember(model, features, None)
        if isinstance(estimator.estimator, Pipeline):
            before = [] if transformers is None else transformers.steps
            estimator.estimator_ = Pipeline([*before, (estimator.estimator.steps[-1][0], model)])
            if transformers is not None:
                blocks = transformer_blocks(transformers)
                features = {
                    n: getattr(transformers, n) for n in _MEMORY if hasattr(transformers, n)
                }
        vars(estimator).update(features)
        given = estimator.penalty_factor
        if blocks or not isinstance(given, Mapping):
            width = np.shape(model.coef_)[-1]
            estimator.penalty_factor_ = factor_of_features(given, width, None, blocks)
