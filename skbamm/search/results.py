"""The types of a fitted search's attributes, for type checkers.

scikit-learn has no type annotations, so that a checker does not know inherited attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np


class Results:
    """Attributes and methods of a fitted search; BAMMSearchCV describes them."""

    cv_results_: dict[str, Any]
    best_estimator_: Any
    best_score_: float
    best_params_: dict[str, Any]
    best_index_: int
    scorer_: Any
    n_splits_: int
    refit_time_: float
    multimetric_: bool
    feature_names_in_: np.ndarray
    refit_adopted_: bool
    best_score_standard_error_: float
    best_params_range_: dict[str, tuple[float, float]]
    search_plan_: list[dict[str, Any]]
    shrinkage_: dict[str, Any]
    dropped_: list[str]
    history_: dict[str, np.ndarray]
    n_iter_: int
    converged_: bool
    device_: str
    fold_estimators_: list[Any]
    oof_predictions_: Any
    sample_weight_: np.ndarray
    label_quality_: np.ndarray
    label_issues_: np.ndarray
    fold_sample_weight_: np.ndarray
    weights_params_: dict[str, Any]
    weights_score_: float

    if TYPE_CHECKING:
        classes_: np.ndarray
        n_features_in_: int

        def predict(self, X: Any) -> Any: ...
        def predict_proba(self, X: Any) -> Any: ...
        def predict_log_proba(self, X: Any) -> Any: ...
        def decision_function(self, X: Any) -> Any: ...
        def transform(self, X: Any) -> Any: ...
        def score(self, X: Any, y: Any = None, **params: Any) -> float: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Any: ...
