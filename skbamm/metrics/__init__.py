"""scikit-learn's metrics of tensors, where they are: no row goes to the CPU to be scored.

``TWINS`` maps a metric of scikit-learn's to a function of a ``Predicted`` and of the metric's
options. What a metric warns of or refuses is left to scikit-learn's own: its twin then raises
``NoTwin``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn import metrics
from torch import Tensor

from skbamm.metrics.labels import (
    accuracy,
    balanced_accuracy,
    f1,
    fbeta,
    jaccard,
    precision,
    recall,
)
from skbamm.metrics.numbers import (
    gamma_deviance,
    mean_absolute_error,
    mean_squared_error,
    poisson_deviance,
    r2,
    root_mean_squared_error,
    tweedie_deviance,
)
from skbamm.metrics.predicted import NoTwin, Predicted
from skbamm.metrics.probabilities import brier, log_loss
from skbamm.metrics.ranks import average_precision, roc_auc

TWINS: dict[Callable[..., Any], Callable[..., Tensor]] = {
    metrics.accuracy_score: accuracy,
    metrics.balanced_accuracy_score: balanced_accuracy,
    metrics.f1_score: f1,
    metrics.fbeta_score: fbeta,
    metrics.jaccard_score: jaccard,
    metrics.precision_score: precision,
    metrics.recall_score: recall,
    metrics.roc_auc_score: roc_auc,
    metrics.average_precision_score: average_precision,
    metrics.log_loss: log_loss,
    metrics.brier_score_loss: brier,
    metrics.mean_squared_error: mean_squared_error,
    metrics.root_mean_squared_error: root_mean_squared_error,
    metrics.mean_absolute_error: mean_absolute_error,
    metrics.r2_score: r2,
    metrics.mean_poisson_deviance: poisson_deviance,
    metrics.mean_gamma_deviance: gamma_deviance,
    metrics.mean_tweedie_deviance: tweedie_deviance,
}

# Of rows on the CPU that weigh alike, these are scikit-learn's to the last digit.
EXACT: frozenset[Callable[..., Any]] = frozenset({
    metrics.accuracy_score, metrics.balanced_accuracy_score, metrics.f1_score, metrics.fbeta_score,
    metrics.jaccard_score, metrics.precision_score, metrics.recall_score, metrics.log_loss,
    metrics.mean_squared_error, metrics.root_mean_squared_error, metrics.mean_absolute_error,
    metrics.r2_score, metrics.roc_auc_score, metrics.average_precision_score,
})  # fmt: skip

__all__ = ["EXACT", "TWINS", "NoTwin", "Predicted"]
