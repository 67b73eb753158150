"""Differentiable twins of scikit-learn's estimators, one short file each."""

from skbamm.models.base import Hyperparameter, NotApplicable, Task, Twin, remember_features
from skbamm.models.registry import find_twin, supported

__all__ = [
    "Hyperparameter",
    "NotApplicable",
    "Task",
    "Twin",
    "find_twin",
    "remember_features",
    "supported",
]
