"""LinearSVC and LinearSVR, as liblinear solves them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.svm import LinearSVC, LinearSVR

from skbamm.criteria import ABSOLUTE, OWN_LOSS, SQUARED, SQUARED_HINGE
from skbamm.losses import (
    EpsilonInsensitiveLoss,
    HingeLoss,
    PointwiseLoss,
    SquaredEpsilonInsensitiveLoss,
    SquaredHingeLoss,
)
from skbamm.models.base import (
    C,
    Factors,
    Hyperparameter,
    LinearTwin,
    Task,
    balanced_or_given,
    class_indices,
    kink_width,
    numeric_target,
    own_side,
)

_KINKS = ("hinge", "epsilon_insensitive")


class LinearSVRTwin(LinearTwin):
    """``sum of errors beyond epsilon, squared or not, + (||w||^2 + (b / s)^2) / (2 C)``.

    liblinear takes the intercept b for the coefficient of a feature that is s, the
    ``intercept_scaling``, in every row. The primal and the dual problem have the same solution.
    """

    estimator_type: type = LinearSVR
    hyperparameters = (C,)
    loss_parameter: Hyperparameter | None = Hyperparameter("epsilon")
    inverse = True
    own_lists_below = own_scores_below = 10_000  # liblinear is quick

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.loss in _KINKS and not estimator.dual:
            return f"dual=False is not supported with loss={estimator.loss!r}; use dual='auto'"
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y, vector=True)
        loss: Callable[[float], PointwiseLoss] = SquaredEpsilonInsensitiveLoss
        if estimator.loss == "epsilon_insensitive":
            loss = partial(EpsilonInsensitiveLoss, width=kink_width(target))
        return Task(
            target=target,
            loss=loss(estimator.epsilon),
            fit_intercept=estimator.fit_intercept,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE),
            intercept_penalty=estimator.intercept_scaling**-2,
        )

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        return Factors(1 / values["C"])

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        # Whatever X was, liblinear's numbers are in double precision.
        coef = coef.astype(np.float64)
        estimator.coef_ = coef[0] if task.classes is None else coef
        estimator.intercept_ = intercept.astype(np.float64) if task.fit_intercept else 0.0
        estimator.n_iter_ = 0


class LinearSVCTwin(LinearSVRTwin):
    """The same with hinges, one output a class if there are more than two.

    With ``penalty="l1"`` the sum of ``|w|`` and ``|b / s|`` over C is added.
    """

    estimator_type = LinearSVC
    loss_parameter = None
    absolutes = False  # in place of the squares

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if estimator.multi_class != "ovr":
            return f"multi_class={estimator.multi_class!r} couples the classes"
        if estimator.penalty == "l1" and (estimator.loss in _KINKS or estimator.dual is True):
            return "penalty='l1' goes with loss='squared_hinge' and dual=False"
        return super().mismatch(estimator)

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin = copy.copy(self)
        twin.absolutes = estimator.penalty == "l1"
        return twin

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        classes, index = class_indices(y)
        given, class_weight, sides = estimator.class_weight, None, None
        if given is not None:
            class_weight = balanced_or_given(given, classes, classes[index], weight)
        if class_weight is not None and len(classes) > 2:
            # liblinear weighs a class in the output that is its own; in the others, its rows
            # count as the rest, with weight one.
            sides, class_weight = own_side(class_weight), None
        squared = estimator.loss == "squared_hinge"
        outputs = 1 if len(classes) == 2 else len(classes)
        criteria = SQUARED_HINGE if squared else OWN_LOSS
        return Task(
            target=index.astype(np.float64),
            loss=(SquaredHingeLoss if squared else HingeLoss)(outputs),
            fit_intercept=estimator.fit_intercept,
            criterion=criteria[0],
            criteria=criteria,
            classes=classes,
            row_class=index,
            class_weight=class_weight,
            sides=sides,
            intercept_penalty=estimator.intercept_scaling**-2,
        )

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        squares = super().penalty(values).squares
        return Factors(0 * squares, squares) if self.absolutes else Factors(squares)

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        super().export(estimator, task, coef, intercept)
        estimator.classes_ = task.classes
