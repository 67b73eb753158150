"""scikit-learn's private names that this package needs, and what differs among its versions.

Each difference is decided by what is there, not by a version number, and stands here only: the
rest of the package is written for the newest version.
"""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics
from sklearn.base import is_classifier
from sklearn.linear_model import _cd_fast
from sklearn.linear_model._ridge import _solve_cholesky_kernel as solve_kernel_ridge
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.metrics._scorer import _PassthroughScorer as PassthroughScorer
from sklearn.model_selection import GridSearchCV, check_cv
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.model_selection._validation import _score as model_scores
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as tell_failed_fits,
)
from sklearn.svm._base import LIBSVM_IMPL
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._array_api import _estimator_with_converted_arrays as _converted
from sklearn.utils._array_api import get_namespace_and_device
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as openmp_threads
from sklearn.utils._param_validation import Interval as RealInterval
from sklearn.utils._param_validation import StrOptions, make_constraint
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_feature_names as check_feature_names
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_n_features as check_n_features
from sklearn.utils.validation import _num_samples as num_samples

try:
    from sklearn.callback._base import AutoPropagatedCallback  # from 1.9 on
except ImportError:

    class AutoPropagatedCallback:  # type: ignore[no-redef]
        """A callback that reaches the estimator of a search; there are none before 1.9."""

        max_propagation_depth: int | None = None


try:
    from sklearn.utils._array_api import check_same_namespace  # from 1.9 on
except ImportError:

    def check_same_namespace(*args: Any, **kwargs: Any) -> None:  # type: ignore[misc]
        """Older versions do not check it."""


__all__ = [
    "AutoPropagatedCallback",
    "BaseScorer",
    "GroupsConsumerMixin",
    "KnownScorer",
    "PassthroughScorer",
    "RealInterval",
    "SearchBase",
    "StrOptions",
    "brier_scores",
    "callbacks_of",
    "check_feature_names",
    "check_method_params",
    "check_n_features",
    "check_same_namespace",
    "class_weights",
    "convert_arrays",
    "descend_gram",
    "drop_callbacks",
    "fit_axes",
    "forest_rows",
    "make_constraint",
    "model_scores",
    "namespace_and_device",
    "num_samples",
    "openmp_threads",
    "prune_tree",
    "routing_enabled",
    "safe_indexing",
    "safe_split",
    "search_context",
    "set_classes",
    "smooth_counts",
    "solve_kernel_ridge",
    "staged_raw",
    "tell_failed_fits",
    "with_raw",
]

_SCREENS = "do_screening" in inspect.signature(_cd_fast.enet_coordinate_descent_gram).parameters


def descend_gram(
    w: Any, l1: float, l2: float, gram: Any, cross: Any, y: Any, max_iter: int, tol: float,
    rng: Any, positive: bool, screening: bool,
) -> None:  # fmt: skip
    """Minimise ``w' gram w / 2 - cross' w + l1 |w|_1 + l2 |w|^2 / 2`` over w, in place.

    Coefficients take their turns in order. ``y`` is used by the duality gap only. Versions before
    1.8 leave no coefficient out, whatever ``screening`` is.
    """
    more = (screening,) if _SCREENS else ()
    _cd_fast.enet_coordinate_descent_gram(
        w, l1, l2, gram, cross, y, max_iter, tol, rng, False, positive, *more
    )


def callbacks_of(estimator: Any) -> list[Any]:
    """Return the callbacks that are set on an estimator itself; none before scikit-learn 1.9."""
    return getattr(estimator, "_skl_callbacks", [])


def drop_callbacks(estimator: Any) -> None:
    """Remove the callbacks that are set on an estimator itself."""
    if hasattr(estimator, "__dict__"):
        vars(estimator).pop("_skl_callbacks", None)


def safe_indexing(X: Any, indices: Any, *, axis: int = 0) -> Any:
    """Return some rows of X; of an array at once, without what has to be checked of others."""
    if axis == 0 and type(X) is type(indices) is np.ndarray and indices.dtype.kind in "iu":
        return X[indices, ...]
    return _safe_indexing(X, indices, axis=axis)


def class_weights(class_weight: Any, classes: Any, y: Any, sample_weight: Any) -> Any:
    """Return the weight of each class. Before 1.7, sample weights are ignored."""
    weighs = "sample_weight" in inspect.signature(compute_class_weight).parameters
    options = {"sample_weight": sample_weight} if weighs and sample_weight is not None else {}
    return compute_class_weight(class_weight, classes=classes, y=y, **options)


def set_classes(estimator: Any, classes: Any) -> None:
    """Set ``classes_``, unless the estimator reads it off its binarizer (before 1.8)."""
    if not isinstance(getattr(type(estimator), "classes_", None), property):
        estimator.classes_ = classes


def forest_rows(forest: Any, X: Any) -> Any:
    """Return rows as a forest's trees take them with ``check_input=False``."""
    return forest._validate_X_predict(X)


def prune_tree(tree: Any) -> None:
    """Prune a tree that was grown, by its ``ccp_alpha``."""
    tree._prune_tree()


def smooth_counts(model: Any) -> None:
    """Set what a naive Bayes model of counts has of ``alpha`` and its priors."""
    model._update_feature_log_prob(model._check_alpha())
    model._update_class_log_prior(class_prior=model.class_prior)


def machine_target(model: Any, y: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a target as libsvm takes it, and the attributes that a fit sets by it."""
    seen, before = copy.copy(model), set(vars(model))
    target = seen._validate_targets(y)
    return target, {name: value for name, value in vars(seen).items() if name not in before}


def fit_machine(model: Any, kernel: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
    """Fit a support vector machine of precomputed kernels, as its ``fit`` does after its checks.

    ``target`` is of ``machine_target``, whose attributes the model has; without weights there are
    none in ``weight``. Probabilities are not fitted.
    """
    model._sparse, model._gamma = False, 0.0
    model._effective_probability = False  # from 1.9 on
    seed = check_random_state(model.random_state).randint(np.iinfo("i").max)
    kind = LIBSVM_IMPL.index(model._impl)
    model._dense_fit(kernel, target, weight, kind, "precomputed", random_seed=seed)
    model.shape_fit_ = kernel.shape
    model._intercept_, model._dual_coef_ = model.intercept_.copy(), model.dual_coef_
    if not (np.isfinite(model._intercept_).all() and np.isfinite(model._dual_coef_).all()):
        raise ValueError("the solution is not finite")
    if hasattr(model, "classes_"):
        model.n_iter_ = model._num_iter
        if len(model.classes_) == 2:
            model.intercept_ *= -1
            model.dual_coef_ = -model.dual_coef_
    else:
        model.n_iter_ = model._num_iter.item()


def stopped_machine(model: Any, steps: int) -> Any:
    """Return a copy of a support vector machine whose fit stops after some steps, and says nothing.

    Filters of warnings are those of all threads.
    """
    brief = copy.copy(model)
    brief.max_iter = steps if model.max_iter < 0 else min(model.max_iter, steps)
    brief._warn_from_fit_status = lambda: None
    return brief


def machine_predictions(model: Any, kernel: np.ndarray) -> np.ndarray:
    """Return what such a model predicts from a kernel, which need not be checked."""
    found = model._dense_predict(kernel)
    if not hasattr(model, "classes_"):
        return found
    return model.classes_.take(np.asarray(found, dtype=np.intp))


def fit_axes(model: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> list[Any]:
    """Fit a quadratic discriminant analysis; return variances along the axes of each class.

    Those of ``reg_param=0``, whatever the model's is.
    """
    found, solve, amount = [], type(model)._solve_svd, model.reg_param

    def solve_and_keep(X: Any) -> Any:
        model.reg_param = 0.0
        try:
            variances, axes, covariance = solve(model, X)
        finally:
            model.reg_param = amount
        found.append(variances)
        return (1 - amount) * variances + amount, axes, covariance

    model._solve_svd = solve_and_keep
    try:
        model.fit(X, y, **fit_params)
    finally:
        del model._solve_svd
    return found


def staged_raw(model: Any, X: Any) -> Any:
    """Yield sums over the first stages of a boosted model, one more at a time."""
    return model._staged_raw_predict(X)


def with_raw(model: Any, raw: Any) -> Any:
    """Let the sum over all stages of a boosted model be this one, whatever the rows are."""
    model._raw_predict = lambda X, *_: raw.copy()
    return model


def namespace_and_device(array: Any) -> tuple[Any, Any]:
    """Return the array API namespace and the device of an array, as dispatch sees them."""
    namespace, _, device = get_namespace_and_device(array)
    return namespace, device


def convert_arrays(estimator: Any, convert: Any) -> Any:
    """Return a fitted estimator whose fitted arrays are converted; its parameters stay."""
    given = estimator.get_params(deep=True).items()
    arrays = {name: value for name, value in given if isinstance(value, np.ndarray | np.generic)}
    return _converted(estimator, convert).set_params(**arrays)


class KnownScorer(BaseScorer):
    """A scorer that first looks whether a model's score is known.

    Parameters
    ----------
    own : scorer
    key : str
        Under which the score stands in ``known_scores`` of the model.
    """

    def __init__(self, own: Any, key: str):
        self.__dict__.update(vars(own))
        self.own, self.key = own, key

    def _score(self, method_caller: Any, estimator: Any, X: Any, y_true: Any, **kwargs: Any) -> Any:
        known = getattr(estimator, "known_scores", {})
        if self.key in known:
            return known[self.key]
        return self.own._score(method_caller, estimator, X, y_true, **kwargs)


def brier_scores() -> tuple[Any, ...]:
    """Return ``d2_brier_score``, which there is from 1.8 on, or nothing."""
    found = getattr(metrics, "d2_brier_score", None)
    return () if found is None else (found,)


class _NoContext:
    """A callback context for versions without callbacks."""

    def subcontext(self, **_: Any) -> _NoContext:
        return self

    def call_on_fit_task_begin(self, **_: Any) -> _NoContext:
        return self

    def call_on_fit_task_end(self, **_: Any) -> None:
        pass


def search_context(callback_ctx: Any) -> Any:
    """Return the context of a search's callbacks, which versions before 1.9 do not have."""
    return _NoContext() if callback_ctx is None else callback_ctx


class _HookedSplitter:
    """Splitter in a search's place of ``cv`` that calls the hook of 1.9 once the data are known."""

    def __init__(self, search: Any):
        self.search, self.cv = search, search.cv

    def split(self, X: Any, y: Any = None, **params: Any) -> Any:
        return self.search._checked_cv_orig.split(X, y, **params)

    def get_n_splits(self, X: Any = None, y: Any = None, **params: Any) -> int:
        search = self.search
        search.cv = self.cv
        search._checked_cv_orig = check_cv(self.cv, y, classifier=is_classifier(search.estimator))
        search._check_input_parameters(X, y, params)
        search.n_splits_ = search._checked_cv_orig.get_n_splits(X, y, **params)
        return search.n_splits_


class HookedGridSearchCV(GridSearchCV):
    """GridSearchCV of versions before 1.9, with the hook of 1.9.

    ``fit`` calls ``_check_input_parameters`` with the data, after parameters were routed and before
    anything is cloned, and takes its splits from ``_checked_cv_orig``, as from 1.9 on.
    """

    cv: Any
    _checked_cv_orig: Any

    def fit(self, X, y=None, **params):
        cv = self.cv
        try:
            return super().fit(X, y, **params)
        finally:
            self.cv = cv
            if "_checked_cv_orig" in vars(self):
                del self._checked_cv_orig  # not held by searches of these versions

    def _get_routed_params_for_fit(self, params):
        routed = super()._get_routed_params_for_fit(params)
        # Only now: what is routed depends on the user's own splitter.
        self.cv = _HookedSplitter(self)
        return routed


if TYPE_CHECKING or hasattr(GridSearchCV, "_check_input_parameters"):
    SearchBase = GridSearchCV
else:
    SearchBase = HookedGridSearchCV
