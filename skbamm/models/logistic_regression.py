"""LogisticRegression, binary and multinomial."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from skbamm.criteria import LOG_LOSS, PAIRWISE
from skbamm.losses import LogisticLoss, MultinomialLoss
from skbamm.models.base import (
    L1_RATIO,
    PROXIMAL_NEWTON,
    C,
    Factors,
    LinearTwin,
    NotApplicable,
    Task,
    balanced_or_given,
    class_indices,
    has_solver,
)

_ANY_RATIO = ("saga", *PROXIMAL_NEWTON)
_SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", *_ANY_RATIO)
_PENALTIES = ("l2", "l1", "elasticnet", "deprecated")


class LogisticRegressionTwin(LinearTwin):
    """``sum of log losses + ((1 - r) ||w||^2 / 2 + r sum |w|) / C``; the intercept is free.

    r is ``l1_ratio``, unless the deprecated ``penalty`` says "l2" (r = 0) or "l1" (r = 1), which
    goes first. ``solver="liblinear"`` takes the intercept b for the coefficient of a feature that
    is s, the ``intercept_scaling``, in every row: it adds ``(b / s)^2 / (2 C)`` with r = 0 and
    ``|b / s| / C`` with r = 1, and has no other r.
    """

    estimator_type = LogisticRegression
    hyperparameters = (C, L1_RATIO)
    inverse = True
    warm_starts = True
    judges_labels = True
    ratio = 0.0  # where it is not tuned
    tunes_ratio = True

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        solvers = [one for one in _SOLVERS if has_solver(estimator, one)]
        if estimator.solver not in solvers:
            return f"solver={estimator.solver!r} is not one of {solvers}"
        if estimator.penalty is None:
            return "penalty=None leaves nothing to tune"
        if estimator.penalty not in _PENALTIES:
            return f"penalty={estimator.penalty!r} is not one of {list(_PENALTIES[:-1])}"
        ratio, solver = _ratio(estimator), estimator.solver
        if not L1_RATIO.valid(ratio):
            return f"l1_ratio={ratio!r} is not a number from 0 to 1"
        if solver == "liblinear" and (ratio not in (0, 1) or estimator.penalty == "elasticnet"):
            named = estimator.penalty == "elasticnet"
            told = "penalty='elasticnet'" if named else f"l1_ratio={ratio!r}"
            return f"solver='liblinear' has no {told}; use solver='saga'"
        if solver == "liblinear" and ratio == 1 and estimator.dual:
            return "dual=True has no L1 penalty; use dual=False"
        absolutes = ratio != 0 or estimator.penalty == "elasticnet"
        if absolutes and solver not in ("liblinear", *_ANY_RATIO):
            return f"solver={solver!r} has no L1 penalty; use solver='saga'"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin = copy.copy(self)
        # liblinear begins at zero whatever warm_start says.
        twin.warm_starts = estimator.solver != "liblinear"
        twin.ratio = float(_ratio(estimator))
        twin.tunes_ratio = estimator.penalty in ("deprecated", "elasticnet")
        return twin

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        classes, index = class_indices(y)
        liblinear = estimator.solver == "liblinear"
        if estimator.solver in ("liblinear", "newton-cd") and len(classes) > 2:
            raise NotApplicable(f"solver={estimator.solver!r} supports two classes only")
        class_weight = None
        if estimator.class_weight is not None:
            class_weight = balanced_or_given(
                estimator.class_weight, classes, classes[index], weight
            )
        return Task(
            target=index.astype(np.float64),
            loss=LogisticLoss() if len(classes) == 2 else MultinomialLoss(len(classes)),
            fit_intercept=estimator.fit_intercept,
            criterion="log_loss",
            criteria=(*LOG_LOSS, *PAIRWISE) if len(classes) == 2 else LOG_LOSS,
            classes=classes,
            row_class=index,
            class_weight=class_weight,
            intercept_penalty=estimator.intercept_scaling**-2 if liblinear else 0.0,
        )

    def tunes(self, estimator):
        """See ``Twin.tunes``."""
        any_ratio = estimator.solver in _ANY_RATIO and self.tunes_ratio
        return self.hyperparameters if any_ratio else (C,)

    def enables(self, name):
        """See ``Twin.enables``."""
        if name != "l1_ratio":
            return ""
        return "solver='saga'" if self.tunes_ratio else "solver='saga' and penalty='elasticnet'"

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        value, ratio = values["C"], values.get("l1_ratio", self.ratio)
        if isinstance(ratio, float) and ratio == 0:
            return Factors(1 / value)
        return Factors((1 - ratio) / value, ratio / value)

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        none: Any = np.zeros(coef.shape[0], coef.dtype)
        if estimator.solver == "liblinear":  # whatever X was, its numbers are in double precision
            coef, intercept, none = coef.astype(np.float64), intercept.astype(np.float64), 0.0
        estimator.coef_ = coef
        estimator.intercept_ = intercept if task.fit_intercept else none
        estimator.classes_ = task.classes
        estimator.n_iter_ = np.zeros(1, dtype=np.int32)


def _ratio(estimator) -> Any:
    """Return the share of absolute values in the penalty: the name of the penalty goes first."""
    return {"l2": 0.0, "l1": 1.0}.get(estimator.penalty, estimator.l1_ratio)
