"""Checks the user's input to the learning of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from skbamm._sklearn_compat import routing_enabled
from skbamm.models import last_step

_NOTHING = 1e-12


def robust_criterion(criterion: str, scoring: Any, classifier: bool) -> str:
    """Return the criterion that "auto" means where labels may be wrong: a bounded one."""
    if criterion != "auto":
        return criterion
    if not classifier:
        return "bounded_squared_error"
    balanced = isinstance(scoring, str) and scoring == "balanced_accuracy"
    return "balanced_expected_error" if balanced else "expected_error"


def fit_name(estimator: Any) -> str:
    """Return the fit parameter by which sample weights reach the last step."""
    last = last_step(estimator)
    if last is estimator or routing_enabled():
        return "sample_weight"
    return f"{estimator.steps[-1][0]}__sample_weight"


def check_takes_weights(estimator: Any) -> None:
    """Fail early if the model cannot be fitted with sample weights."""
    last = last_step(estimator)
    if not has_fit_parameter(last, "sample_weight"):
        raise ValueError(
            f"SampleWeights: {type(last).__name__}.fit does not accept sample_weight, so it cannot "
            "be fitted with learned weights."
        )


def regression_target(y: Any) -> Any:
    """Return a regression target as floats, also if it came as objects."""
    if np.ndim(y) > 1 and np.shape(y)[1] > 1:
        raise ValueError(
            "SampleWeights: weights cannot be learned for several targets, got y of shape "
            f"{np.shape(y)}. Search each target alone."
        )
    if np.asarray(y).dtype.kind != "O":
        return y
    try:
        return np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(
            "SampleWeights: Unknown label type: a regression target must be numbers."
        ) from None


def user_weight(weight: Any, n_rows: int) -> np.ndarray | None:
    """Return the sample weights given to fit, or raise ValueError."""
    if weight is None:
        return None
    weight = np.asarray(weight, dtype=float)
    if weight.shape != (n_rows,):
        raise ValueError(f"sample_weight has the shape {weight.shape}, but X has {n_rows} rows.")
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must be finite, not negative and not all zero.")
    return weight


def check_classes(y: Any, weight: np.ndarray | None, rows: np.ndarray) -> None:
    """Refuse weights that leave a class without any row."""
    if np.ndim(y) == 2 and np.shape(y)[1] > 1:
        raise ValueError(
            "SampleWeights: weights cannot be learned for a target that has several labels a "
            f"row, got y of shape {np.shape(y)}."
        )
    classes, index = np.unique(np.asarray(y), return_inverse=True)
    own = rows if weight is None else rows * weight
    empty = np.bincount(index.ravel(), own, len(classes)) <= _NOTHING
    if empty.any():
        name = classes[empty].tolist()[0]
        raise ValueError(
            f"SampleWeights: every row of class {name!r} has weight zero (sample_weight)."
        )
