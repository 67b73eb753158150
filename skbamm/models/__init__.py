"""Differentiable twins of scikit-learn's estimators, one short file each."""

from skbamm.models.base import (
    Hyperparameter,
    KernelTwin,
    LinearTwin,
    NotApplicable,
    Task,
    Twin,
    remember_features,
)
from skbamm.models.registry import find_twin, supported

__all__ = [
    "Hyperparameter",
    "KernelTwin",
    "LinearTwin",
    "NotApplicable",
    "Task",
    "Twin",
    "find_twin",
    "remember_features",
    "supported",
]
