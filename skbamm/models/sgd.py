"""SGDRegressor and SGDClassifier, by the minimum that stochastic gradient descent is after.

Their fits end near it, where depends on the learning rate, ``tol`` and ``random_state``. Models of
folds are at the minimum itself, so that differences between values are not random.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.utils.class_weight import compute_class_weight

from skbamm.criteria import ABSOLUTE, LOG_LOSS, OWN_LOSS, PAIRWISE, SQUARED, SQUARED_HINGE
from skbamm.losses import (
    EpsilonInsensitiveLoss,
    HalfSquaredLoss,
    HingeLoss,
    HuberLoss,
    LogisticLoss,
    ModifiedHuberLoss,
    OneVsRestLogisticLoss,
    PointwiseLoss,
    SquaredEpsilonInsensitiveLoss,
    SquaredHingeLoss,
)
from skbamm.models.base import (
    ALPHA,
    L1_RATIO,
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

_PENALTIES = ("l2", "l1", "elasticnet")
_WITH_EPSILON = ("huber", "epsilon_insensitive", "squared_epsilon_insensitive")


class SGDRegressorTwin(LinearTwin):
    """``sum of weighted losses / number of rows + alpha R(w)``; the intercept is free.

    R is ``||w||^2 / 2`` for ``penalty="l2"``, ``sum |w|`` for "l1", and for "elasticnet"
    ``(1 - r) ||w||^2 / 2 + r sum |w|`` with r the ``l1_ratio``. Each row's step takes its share of
    the penalty whatever the row weighs: so weights that are all doubled halve the penalty.

    ``average`` changes the way to the minimum, and ``warm_start`` where it begins, not where it
    ends. A fit that starts at the minimum leaves it with its first, long steps.
    """

    estimator_type: type = SGDRegressor
    hyperparameters = (ALPHA, L1_RATIO)
    mean_loss = "rows"
    path_parameters = (
        "learning_rate", "eta0", "power_t", "max_iter", "tol", "n_iter_no_change", "shuffle",
        "random_state", "average", "warm_start",
    )  # fmt: skip
    penalty_kind = "l2"
    losses: tuple[str, ...] = (
        "squared_error", "huber", "squared_epsilon_insensitive", "epsilon_insensitive",
    )  # fmt: skip

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        loss, penalty = estimator.loss, estimator.penalty
        if loss == "perceptron":
            return "loss='perceptron' is minimised by zero coefficients; use loss='hinge'"
        if loss not in self.losses:
            return f"loss={loss!r} is not one of {list(self.losses)}"
        if penalty is None:
            return "penalty=None leaves nothing to tune"
        if penalty not in _PENALTIES:
            return f"penalty={penalty!r} is not one of {list(_PENALTIES)}"
        if penalty == "elasticnet" and not L1_RATIO.valid(estimator.l1_ratio):
            return f"l1_ratio={estimator.l1_ratio!r} is not a number from 0 to 1"
        if estimator.early_stopping:
            return "early_stopping=True holds out rows and stops before the minimum"
        if estimator.tol is None:
            return "tol=None stops after max_iter passes, not at the minimum"
        if estimator.learning_rate in ("pa1", "pa2"):
            return f"learning_rate={estimator.learning_rate!r} does not minimise this loss"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin = copy.copy(self)
        twin.penalty_kind = estimator.penalty
        if estimator.loss in _WITH_EPSILON:
            twin.loss_parameter = Hyperparameter("epsilon")
        return twin

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y, vector=True)
        losses: dict[str, Callable[[], PointwiseLoss]] = {
            "squared_error": HalfSquaredLoss,
            "huber": lambda: HuberLoss(estimator.epsilon),
            "squared_epsilon_insensitive": lambda: SquaredEpsilonInsensitiveLoss(estimator.epsilon),
            "epsilon_insensitive": lambda: EpsilonInsensitiveLoss(
                estimator.epsilon, kink_width(target)
            ),
        }
        return Task(
            target=target,
            loss=losses[estimator.loss](),
            fit_intercept=estimator.fit_intercept,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE),
        )

    def tunes(self, estimator):
        """See ``Twin.tunes``."""
        return self.hyperparameters if estimator.penalty == "elasticnet" else (ALPHA,)

    def enables(self, name):
        """See ``Twin.enables``."""
        return "penalty='elasticnet'" if name == "l1_ratio" else ""

    def penalty(self, values):
        """See ``Twin.penalty``."""
        alpha = values["alpha"]
        if self.penalty_kind == "l2":
            return Factors(alpha)
        if self.penalty_kind == "l1":
            return Factors(0 * alpha, alpha)
        ratio = values["l1_ratio"]
        if isinstance(ratio, float) and ratio == 0:
            return Factors(alpha)
        return Factors(alpha * (1 - ratio), alpha * ratio)

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        m, single = len(coef), task.classes is None
        # One intercept alone is a Python number in the own fit, on its way to its array.
        keeps = m > 1 or (estimator.average and not single)
        dtype = coef.dtype if keeps else np.float64
        estimator.coef_ = coef[0] if single else coef
        estimator.intercept_ = np.zeros(m, dtype)
        if task.fit_intercept:
            estimator.intercept_[:] = intercept
        estimator.n_iter_, estimator.t_ = 0, 1.0
        if estimator.average:
            # The state that partial_fit continues from.
            for name in ("_standard", "_average"):
                setattr(estimator, f"{name}_coef", coef[0].copy() if m == 1 else coef.copy())
                setattr(estimator, f"{name}_intercept", estimator.intercept_.copy())


class SGDClassifierTwin(SGDRegressorTwin):
    """The same for class labels, one output a class against the others if there are several."""

    estimator_type = SGDClassifier
    losses = ("log_loss", "hinge", "squared_hinge", "modified_huber")

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        classes, index = class_indices(y)
        given, class_weight, sides = estimator.class_weight, None, None
        if given is not None:
            # Unlike LogisticRegression, SGDClassifier balances without the sample weights.
            class_weight = balanced_or_given(given, classes, classes[index], None)
        if class_weight is not None and len(classes) > 2:
            # A class is weighted in the output that is its own; in the others, its rows count as
            # the rest, with weight one.
            sides, class_weight = own_side(class_weight), None
        loss, criteria = _loss_of_labels(estimator.loss, len(classes))
        return Task(
            target=index.astype(np.float64),
            loss=loss,
            fit_intercept=estimator.fit_intercept,
            criterion=criteria[0],
            criteria=criteria,
            classes=classes,
            row_class=index,
            class_weight=class_weight,
            sides=sides,
        )

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        super().export(estimator, task, coef, intercept)
        estimator.classes_ = task.classes
        estimator._loss_function_ = estimator._get_loss_function(estimator.loss)
        # Every fit recomputes the weights; balanced weights of one row for each class are all 1.
        estimator._expanded_class_weight = compute_class_weight(
            estimator.class_weight, classes=task.classes, y=task.classes
        )


def _loss_of_labels(name, n_classes):
    """Return the loss and its criteria."""
    outputs = 1 if n_classes == 2 else n_classes
    if name == "squared_hinge":
        return SquaredHingeLoss(outputs), SQUARED_HINGE
    if name == "hinge":
        return HingeLoss(outputs), OWN_LOSS
    if name == "modified_huber":
        return ModifiedHuberLoss(outputs), OWN_LOSS
    if outputs == 1:
        return LogisticLoss(), (*LOG_LOSS, *PAIRWISE)
    # Probabilities of several classes are normalised, which the sum of their losses is not.
    return OneVsRestLogisticLoss(outputs), (*OWN_LOSS, *LOG_LOSS[:1])
