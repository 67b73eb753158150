"""scikit-learn's private names that this package needs, all in one place."""

from typing import Any

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
    "forest_rows",
    "make_constraint",
    "num_samples",
    "prune_tree",
    "routing_enabled",
    "safe_indexing",
]


def forest_rows(forest: Any, X: Any) -> Any:
    """Return rows as a forest's trees take them with ``check_input=False``."""
    return forest._validate_X_predict(X)


def prune_tree(tree: Any) -> None:
    """Prune a tree that was grown, by its ``ccp_alpha``."""
    tree._prune_tree()
