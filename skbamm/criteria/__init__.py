"""Upper-level losses: what is minimised in place of the scorer, which has no gradient."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from skbamm.criteria import labels, numbers
from skbamm.criteria.criterion import Choice, Criterion
from skbamm.criteria.given import Given, own_loss
from skbamm.folds import FoldWeights
from skbamm.losses import PointwiseLoss

_MAKE: dict[str, Callable[..., Criterion]] = {
    "log_loss": labels.log_loss,
    "brier": labels.brier,
    "balanced_log_loss": labels.balanced_loss,
    "balanced_brier": labels.balanced_brier,
    "pairwise_logistic": labels.pairwise_logistic,
    "scaled_log_loss": labels.scaled_log_loss,
    "balanced_scaled_log_loss": labels.balanced_scaled_log_loss,
    "scaled_pairwise_logistic": labels.scaled_pairwise_logistic,
    "expected_error": labels.expected_error,
    "balanced_expected_error": labels.balanced_expected_error,
    "balanced_squared_error": labels.balanced_loss,
    "squared_hinge": labels.squared_hinge,
    "own_loss": own_loss,
    "squared_error": numbers.squared_error,
    "r2": numbers.r2,
    "root_mean_squared_error": numbers.root_mean_squared_error,
    "absolute_error": numbers.absolute_error,
    "absolute_percentage_error": numbers.absolute_percentage_error,
    "pinball": numbers.pinball,
    "deviance": numbers.deviance,
    "bounded_squared_error": numbers.bounded_squared_error,
}
NAMES = tuple(_MAKE)

# Criteria of each kind of model.
EXPECTED_ERROR = ("expected_error", "balanced_expected_error")
BOUNDED_SQUARED = ("bounded_squared_error",)
LOG_LOSS = ("log_loss", *EXPECTED_ERROR, "brier", "balanced_log_loss", "balanced_brier")
PAIRWISE = ("pairwise_logistic",)  # two classes only
# For margins of any classifier; the last for two classes only.
SCALED = ("scaled_log_loss", "balanced_scaled_log_loss")
SCALED_PAIRWISE = ("scaled_pairwise_logistic",)
SQUARED = ("squared_error", "r2", "root_mean_squared_error")
BALANCED_SQUARED = ("balanced_squared_error",)
SQUARED_HINGE = ("squared_hinge",)
OWN_LOSS = ("own_loss",)  # of models whose loss has no other name
ABSOLUTE = ("absolute_error", "absolute_percentage_error", "pinball")
DEVIANCE = ("deviance",)


def make_criterion(
    choice: str | Choice, loss: PointwiseLoss, target: Tensor, weights: FoldWeights
) -> Criterion:
    """Return the criterion of this name for the data at hand.

    Parameters
    ----------
    choice : str or Choice
        One of ``NAMES``, with options if it has any.
    loss : PointwiseLoss
        The model's own loss.
    target : Tensor of shape (n, ...)
    weights : FoldWeights
    """
    choice = Choice(choice) if isinstance(choice, str) else choice
    target = target.double().reshape(target.shape[0], -1)
    return _MAKE[choice.name](Given(choice, loss, target, weights), **choice.options)


__all__ = [
    "ABSOLUTE",
    "BALANCED_SQUARED",
    "BOUNDED_SQUARED",
    "DEVIANCE",
    "EXPECTED_ERROR",
    "LOG_LOSS",
    "NAMES",
    "OWN_LOSS",
    "PAIRWISE",
    "SCALED",
    "SCALED_PAIRWISE",
    "SQUARED",
    "SQUARED_HINGE",
    "Choice",
    "Criterion",
    "make_criterion",
]
