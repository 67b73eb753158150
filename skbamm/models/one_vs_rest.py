"""OneVsRestClassifier around a linear classifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import LabelBinarizer

from skbamm.criteria import BALANCED_SQUARED, LOG_LOSS, OWN_LOSS, SQUARED, SQUARED_HINGE
from skbamm.losses import (
    HalfSquaredLoss,
    LogisticLoss,
    ModifiedHuberLoss,
    OneVsRestLogisticLoss,
    SquaredHingeLoss,
)
from skbamm.models.base import NotApplicable, class_indices
from skbamm.models.meta import MetaTwin

# Of the loss of two classes: that of one output a class, and the criteria that go with it.
_SEVERAL = {
    LogisticLoss: (OneVsRestLogisticLoss, (*OWN_LOSS, *LOG_LOSS[:1])),
    SquaredHingeLoss: (SquaredHingeLoss, SQUARED_HINGE),
    ModifiedHuberLoss: (ModifiedHuberLoss, OWN_LOSS),
    HalfSquaredLoss: (HalfSquaredLoss, (*SQUARED, *BALANCED_SQUARED)),
}


class OneVsRestTwin(MetaTwin):
    """The sum over the classes of the model's objectives, each of one class against the rest."""

    estimator_type = OneVsRestClassifier

    def held(self, estimator):
        """See ``MetaTwin.held``."""
        return estimator.estimator

    def prefix(self, estimator):
        """See ``MetaTwin.prefix``."""
        return "estimator__"

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        model = estimator.estimator
        inner, reason = self.find(model)
        if inner is None:
            return reason
        if not is_classifier(model) or isinstance(inner, MetaTwin):
            return f"{type(model).__name__} is not a linear classifier"
        if getattr(model, "loss", "") == "hinge":
            return "loss='hinge' has a kink"
        if model.class_weight is not None:
            return "class_weight weighs the two sides of every class anew"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        if weight is not None:
            raise NotApplicable("OneVsRestClassifier.fit takes no sample_weight")
        classes, index = class_indices(y)
        inner = self.inner.task(self.held(estimator), (index == 1).astype(int), None, sparse)
        if len(classes) == 2:
            return replace(inner, classes=classes, row_class=index)
        several, criteria = _SEVERAL[type(inner.loss)]
        target = inner.target
        if several is HalfSquaredLoss:
            target = np.where(index[:, None] == np.arange(len(classes)), 1.0, -1.0)
        else:
            target = index.astype(np.float64)
        return replace(
            inner,
            target=target,
            loss=several(len(classes)),
            criterion=criteria[0],
            criteria=criteria,
            classes=classes,
            row_class=index,
        )

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        one = replace(task, classes=np.array([0, 1]), target=task.target.reshape(1, -1)[:, 0])
        intercepts = np.broadcast_to(intercept, len(coef))
        estimator.estimators_ = []
        for k, (w, b) in enumerate(zip(coef, intercepts, strict=True)):
            model = self.binary_model(estimator, k)
            self.inner.export(model, one, w[None].copy(), np.array([b]))
            estimator.estimators_.append(model)
        estimator.classes_ = task.classes
        binarizer = LabelBinarizer(sparse_output=True)
        estimator.label_binarizer_ = binarizer.fit(task.classes)

    def binary_model(self, estimator, k):
        """Return the estimator of class k, which is not fitted yet."""
        return clone(estimator.estimator)

    def remember(self, estimator, features, transformers):
        """See ``Twin.remember``."""
        for one in (estimator, *estimator.estimators_):
            vars(one).update(features)
