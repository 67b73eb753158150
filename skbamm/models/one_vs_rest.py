"""OneVsRestClassifier around a linear classifier."""

from __future__ import annotations

from collections.abc import Callable
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
    PointwiseLoss,
    SquaredHingeLoss,
)
from skbamm.models.base import (
    NotApplicable,
    balanced_or_given,
    class_indices,
    label_indicators,
)
from skbamm.models.meta import MetaTwin

# For each loss of two classes: the loss with one output for each class, and its criteria.
_SEVERAL: dict[type, tuple[Callable[..., PointwiseLoss], tuple[str, ...]]] = {
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
        if not is_classifier(model) or isinstance(inner, MetaTwin) or inner.family != "linear":
            return f"{type(model).__name__} is not a linear classifier"
        if getattr(model, "loss", "") == "hinge":
            return "loss='hinge' has a kink"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        if weight is not None:
            raise NotApplicable("OneVsRestClassifier.fit does not accept sample_weight")
        model, found, index = self.held(estimator), label_indicators(y), None
        if found is None:
            classes, index = class_indices(y)
            of_each = index[:, None] == np.arange(len(classes))
            first, indicator = index == 1, None
        else:
            of_each, indicator = found
            classes = np.arange(of_each.shape[1])
            first = np.arange(len(of_each)) % 2 == 1  # whichever: what is kept is of no label
        inner = self.inner.task(model, first.astype(int), None, sparse)
        if found is None and len(classes) == 2:
            return replace(inner, classes=classes, row_class=index)
        several, criteria = _SEVERAL[type(inner.loss)]
        sides, given = None, model.class_weight
        if given is not None:
            if several is HalfSquaredLoss:
                raise NotApplicable("class_weight is recomputed for each class against the rest")
            sides = _both_sides(given, of_each.astype(int))
        if several is HalfSquaredLoss:
            target = np.where(of_each, 1.0, -1.0)
            criteria = criteria if found is None else SQUARED
        else:
            target = of_each.astype(np.float64) if index is None else index.astype(np.float64)
            criteria = criteria if found is None else OWN_LOSS
        return replace(
            inner,
            target=target,
            loss=several(len(classes)),
            criterion=criteria[0],
            criteria=criteria,
            classes=classes,
            row_class=index,
            class_weight=None,
            sides=sides,
            indicator=indicator,
            both_sides=found is not None,
        )

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        one = replace(
            task, classes=np.array([0, 1]), target=task.target.reshape(1, -1)[:, 0], indicator=None
        )
        intercepts = np.broadcast_to(intercept, len(coef))
        estimator.estimators_ = []
        for k, (w, b) in enumerate(zip(coef, intercepts, strict=True)):
            model = self.binary_model(estimator, k)
            self.inner.export(model, one, w[None].copy(), np.array([b]))
            estimator.estimators_.append(model)
        binarizer = LabelBinarizer(sparse_output=True)
        binarizer.fit(task.classes if task.indicator is None else task.indicator)
        estimator.label_binarizer_ = binarizer
        estimator.classes_ = binarizer.classes_

    def binary_model(self, estimator, k):
        """Return the estimator of class k, which is not fitted yet."""
        return clone(estimator.estimator)

    def remember(self, estimator, features, transformers):
        """See ``Twin.remember``."""
        for one in (estimator, *estimator.estimators_):
            vars(one).update(features)


def _both_sides(given, of_each):
    """Return factors of the rows against each class and for it, weighed as two classes."""
    weigh = [balanced_or_given(given, np.arange(2), column, None) for column in of_each.T]
    return lambda rows: np.stack([of_rows(rows) for of_rows in weigh], 1)
