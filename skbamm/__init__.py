"""Hyperparameter search by bi-level optimisation, behind scikit-learn's fit and predict."""

from skbamm.display import LabelIssuesDisplay, PenaltyBarDisplay, PenaltyPathDisplay
from skbamm.feature_penalty import FeaturePenalty
from skbamm.models import register_model
from skbamm.refit_rules import most_regularised, one_standard_error
from skbamm.sample_weights import SampleWeights
from skbamm.search import BAMMSearchCV, EdgeWarning
from skbamm.space import Interval, PerFeature, PerGroup

__version__ = "0.1.0"

__all__ = [
    "BAMMSearchCV",
    "EdgeWarning",
    "FeaturePenalty",
    "Interval",
    "LabelIssuesDisplay",
    "PenaltyBarDisplay",
    "PenaltyPathDisplay",
    "PerFeature",
    "PerGroup",
    "SampleWeights",
    "__version__",
    "most_regularised",
    "one_standard_error",
    "register_model",
]
