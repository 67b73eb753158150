"""Hyperparameter search by bilevel optimisation, with scikit-learn's interface."""

from skbamm.class_penalty import ClassPenalty
from skbamm.display import (
    LabelIssuesDisplay,
    PenaltyBarDisplay,
    PenaltyPathDisplay,
    SearchDisplay,
)
from skbamm.feature_penalty import FeaturePenalty
from skbamm.models import register_model
from skbamm.refit_rules import most_regularised, one_standard_error
from skbamm.sample_weights import SampleWeights
from skbamm.search import BAMMSearchCV, EdgeWarning
from skbamm.space import Interval, PerClass, PerFeature, PerGroup, PerTarget
from skbamm.versioned import VERSION as __version__

__all__ = [
    "BAMMSearchCV",
    "ClassPenalty",
    "EdgeWarning",
    "FeaturePenalty",
    "Interval",
    "LabelIssuesDisplay",
    "PenaltyBarDisplay",
    "PenaltyPathDisplay",
    "PerClass",
    "PerFeature",
    "PerGroup",
    "PerTarget",
    "SampleWeights",
    "SearchDisplay",
    "__version__",
    "most_regularised",
    "one_standard_error",
    "register_model",
]
