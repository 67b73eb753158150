"""MultiOutputRegressor around a model of squared errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor

from skbamm.models.base import NotApplicable
from skbamm.models.elastic_net import ElasticNetTwin
from skbamm.models.meta import MetaTwin
from skbamm.models.ridge import RidgeClassifierTwin, RidgeTwin


class MultiOutputTwin(MetaTwin):
    """The sum over the targets of the model's objectives, each of one target."""

    estimator_type = MultiOutputRegressor

    def held(self, estimator):
        """See ``MetaTwin.held``."""
        return estimator.estimator

    def prefix(self, estimator):
        """See ``MetaTwin.prefix``."""
        return "estimator__"

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        inner, reason = self.find(estimator.estimator)
        if inner is None:
            return reason
        own = isinstance(inner, RidgeTwin | ElasticNetTwin)
        if not own or isinstance(inner, RidgeClassifierTwin) or not inner.kinks.separable:
            name = type(estimator.estimator).__name__
            return f"{name} is not a linear model of squared errors with one target"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        task = self.inner.task(estimator.estimator, y, weight, sparse)
        if task.target.ndim != 2:
            raise NotApplicable("the target is a vector")
        return task

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        intercepts = np.broadcast_to(intercept, len(coef))
        estimator.estimators_ = []
        for k, (w, b) in enumerate(zip(coef, intercepts, strict=True)):
            model = clone(estimator.estimator)
            one = replace(task, target=task.target[:, k])
            self.inner.export(model, one, w[None].copy(), np.array([b]))
            estimator.estimators_.append(model)

    def remember(self, estimator, features, transformers):
        """See ``Twin.remember``."""
        for one in (estimator, *estimator.estimators_):
            vars(one).update(features)
