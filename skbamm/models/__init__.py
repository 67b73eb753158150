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
from skbamm.models.families import register_family, solver_of
from skbamm.models.feature_maps import FeatureMap, find_feature_map
from skbamm.models.registry import find_twin, register_model, supported
from skbamm.models.steps import has_transformers, last_step, step_prefix
from skbamm.models.transformed_target import TransformedTarget

__all__ = [
    "Factors",
    "FeatureMap",
    "Hyperparameter",
    "KernelTwin",
    "LinearTwin",
    "NotApplicable",
    "Task",
    "TransformedTarget",
    "Twin",
    "balanced_or_given",
    "class_indices",
    "find_feature_map",
    "find_twin",
    "has_transformers",
    "last_step",
    "numeric_target",
    "register_family",
    "register_model",
    "remember_features",
    "solver_of",
    "step_prefix",
    "supported",
]
