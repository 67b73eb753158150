"""scikit-learn's private names that this package needs, all in one place."""

from sklearn.callback._base import AutoPropagatedCallback
from sklearn.linear_model import _cd_fast as cd_fast
from sklearn.metrics._scorer import _PassthroughScorer as PassthroughScorer
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import Interval as RealInterval
from sklearn.utils._param_validation import StrOptions, make_constraint
from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled
from sklearn.utils.validation import _check_feature_names as check_feature_names
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_n_features as check_n_features
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "AutoPropagatedCallback",
    "GroupsConsumerMixin",
    "PassthroughScorer",
    "RealInterval",
    "StrOptions",
    "cd_fast",
    "check_feature_names",
    "check_method_params",
    "check_n_features",
    "make_constraint",
    "num_samples",
    "routing_enabled",
    "safe_indexing",
]
