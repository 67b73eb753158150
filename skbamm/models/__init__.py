"""Differentiable twins of scikit-learn's estimators, one short file each.

What a twin of another estimator is made of is public too; see ``skbamm.register_model``.
"""

from skbamm.models.base import (
    Factors,
    Hyperparameter,
    KernelTwin,
    LinearTwin,
    NotApplicable,
    Task,
    Twin,
    balanced_or_given,
    class_indices,
    numeric_target,
    remember_features,
)
from skbamm.models.registry import find_twin, register_model, supported

__all__ = [
    "Factors",
    "Hyperparameter",
    "KernelTwin",
    "LinearTwin",
    "NotApplicable",
    "Task",
    "Twin",
    "balanced_or_given",
    "class_indices",
    "find_twin",
    "numeric_target",
    "register_model",
    "remember_features",
    "supported",
]
