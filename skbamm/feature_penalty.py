"""A separate penalty for each feature, around models that have only one for all."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    check_array,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skbamm._sklearn_compat import check_same_namespace
from skbamm.blocks import transformer_blocks
from skbamm.versioned import Versioned

_NORMS = ("auto", "l1", "l2")
# Estimators by the norm that their penalty is; where a parameter decides, see `_norm_of`.
_L2 = {
    "Ridge", "RidgeClassifier", "RidgeCV", "RidgeClassifierCV", "HuberRegressor", "LinearSVR",
    "PoissonRegressor", "GammaRegressor", "TweedieRegressor", "KernelRidge",
}  # fmt: skip
_L1 = {
    "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "ElasticNet", "ElasticNetCV",
    "MultiTaskLasso", "MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV",
    "QuantileRegressor",
}  # fmt: skip


def _delegates(name):
    def check(self):
        return hasattr(getattr(self, "estimator_", self.estimator), name)

    return available_if(check)


class FeaturePenalty(Versioned, MetaEstimatorMixin, BaseEstimator):
    """Fit a linear model with a separate penalty factor for each feature.

    Features are scaled, the model is fitted, and its coefficients are returned in the units of
    X: with factors f, a penalty ``sum w_j^2`` becomes ``sum f_j w_j^2`` (features over
    ``sqrt(f)``), and ``sum |w_j|`` becomes ``sum f_j |w_j|`` (features over ``f``; the squares
    of an elastic net get ``f_j^2`` by the same scaling).

    Parameters
    ----------
    estimator : estimator
        A penalised linear model with ``coef_``, or a pipeline that ends in one.
    penalty_factor : array-like of shape (n_features,), mapping, or None, default=None
        Factors, positive; infinity drops a feature, 1 leaves it as it is. A mapping has factors
        of some columns: its keys are column numbers, column names, or tuples of them. If
        ``estimator`` is a pipeline, the features are those that its last step gets, and a key
        may also be the name of a transformer of a ``ColumnTransformer`` or ``FeatureUnion`` before
        it, if later steps keep the columns as they are. None stands for ones.
    norm : {"auto", "l1", "l2"}, default="auto"
        The penalty that the factors multiply; "auto" works for scikit-learn's models.

    Attributes
    ----------
    estimator_ : estimator
        The fitted model, in the units of X: it predicts from unscaled rows.
    penalty_factor_ : ndarray of shape (n_features,)
    coef_, intercept_ : ndarray
        Those of the fitted model.
    classes_ : ndarray
        Of a classifier.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has names that are all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import FeaturePenalty
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 3))
    >>> y = X @ [1.0, 1.0, 1.0]
    >>> model = FeaturePenalty(Ridge(alpha=10), penalty_factor=[0.01, 1, np.inf]).fit(X, y)
    >>> np.abs(model.coef_[0]) > np.abs(model.coef_[1]), float(model.coef_[2])
    (np.True_, 0.0)
    """

    def __init__(self, estimator: Any, penalty_factor: Any = None, norm: str = "auto"):
        self.estimator = estimator
        self.penalty_factor = penalty_factor
        self.norm = norm

    def fit(self, X, y=None, sample_weight=None):
        """Fit the model with its penalty weighted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : array-like, optional
            The target, as the model takes it.
        sample_weight : array-like of shape (n_samples,), optional
            For the model, or the last step of a pipeline.

        Returns
        -------
        FeaturePenalty
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If factors are not positive, not one a feature, or of unknown columns; or if "auto"
            does not know the model's penalty.
        """
        pipeline = self.estimator if isinstance(self.estimator, Pipeline) else None
        model = clone(self.estimator if pipeline is None else pipeline.steps[-1][1])
        norm = self.norm_of(model)
        before, features, names, groups = self._features(pipeline, X, y)
        factor = factor_of_features(self.penalty_factor, features.shape[1], names, groups)
        scale = 1 / (np.sqrt(factor) if norm == "l2" else factor)
        options = {} if sample_weight is None else {"sample_weight": sample_weight}
        if options and not has_fit_parameter(model, "sample_weight"):
            raise TypeError(f"{type(model).__name__}.fit does not accept sample_weight.")
        if getattr(model, "warm_start", False) and hasattr(self, "estimator_"):
            _begin_at(model, self._fitted_model(), scale)
        model.fit(_scaled(features, scale), y, **options)
        if not hasattr(model, "coef_"):
            raise ValueError(
                f"estimator must have coef_ once it is fitted, {type(model).__name__} has none."
            )
        model.coef_ = np.ascontiguousarray(_rescaled(model.coef_, scale))
        self.penalty_factor_ = factor
        if pipeline is None:
            if hasattr(self, "feature_names_in_"):
                model.feature_names_in_ = self.feature_names_in_
            self.estimator_ = model
        else:
            self.estimator_ = Pipeline([*before.steps, (pipeline.steps[-1][0], model)])
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(before, name):
                    setattr(self, name, getattr(before, name))
        return self

    def _features(self, pipeline, X, y):
        """Return fitted transformers, the features that they make, and their names and groups."""
        if pipeline is None:
            names = getattr(X, "columns", None)
            features = validate_data(
                self, X, y="no_validation", accept_sparse=["csr", "csc"], ensure_min_features=1,
                dtype=[np.float64, np.float32],
            )  # fmt: skip
            return None, features, names, {}
        before = clone(pipeline[:-1])
        features = before.fit_transform(X, y)
        names, groups = getattr(features, "columns", None), transformer_blocks(before, X)
        features = check_array(
            features, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32]
        )
        return before, features, names, groups

    @property
    def coef_(self):
        """Coefficients in the units of X."""
        return self._fitted_model().coef_

    @property
    def intercept_(self):
        """Intercept of the fitted model."""
        return self._fitted_model().intercept_

    @property
    def classes_(self):
        """Classes of the fitted model."""
        return self._fitted_model().classes_

    @_delegates("predict")
    def predict(self, X):
        """Predict with the fitted model."""
        return self._checked(X, "predict").predict(X)

    @_delegates("predict_proba")
    def predict_proba(self, X):
        """Predict probabilities with the fitted model."""
        return self._checked(X, "predict_proba").predict_proba(X)

    @_delegates("predict_log_proba")
    def predict_log_proba(self, X):
        """Predict log probabilities with the fitted model."""
        return self._checked(X, "predict_log_proba").predict_log_proba(X)

    @_delegates("decision_function")
    def decision_function(self, X):
        """Return the decision function of the fitted model."""
        return self._checked(X, "decision_function").decision_function(X)

    @_delegates("score")
    def score(self, X, y, sample_weight=None):
        """Return the fitted model's own score."""
        options = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._checked(X, "score").score(X, y, **options)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        for name in ("estimator_type", "target_tags", "classifier_tags", "regressor_tags"):
            setattr(tags, name, getattr(inner, name))
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags

    def _fitted_model(self):
        check_is_fitted(self, "estimator_")
        fitted = self.estimator_
        return fitted.steps[-1][1] if isinstance(fitted, Pipeline) else fitted

    def _checked(self, X, method):
        check_is_fitted(self, "estimator_")
        if hasattr(self._fitted_model(), "coef_"):
            check_same_namespace(X, self, attribute="coef_", method=method)
        return self.estimator_

    def norm_of(self, model) -> str:
        """Return the penalty that the factors multiply, "l1" or "l2", for ``model``.

        Raises
        ------
        ValueError
            If ``norm`` is unknown, or if "auto" does not know the model's penalty.
        """
        if self.norm not in _NORMS:
            raise ValueError(f"norm must be one of {_NORMS}, got {self.norm!r}.")
        found = _norm_of(model) if self.norm == "auto" else self.norm
        if found is None:
            raise ValueError(
                f"norm='auto' does not know the penalty of {type(model).__name__}; "
                "give norm='l1' or norm='l2'."
            )
        return found


def factor_of_features(
    given: Any, n_features: int, names: Any = None, groups: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """Return one factor a feature.

    Parameters
    ----------
    given : array-like, mapping or None
        ``penalty_factor``.
    n_features : int
    names : sequence of str, optional
        Of the features.
    groups : mapping, optional
        Columns by the name of the transformer that made them.

    Raises
    ------
    ValueError
        As ``FeaturePenalty.fit`` does.
    """
    if given is None:
        return np.ones(n_features)
    if isinstance(given, Mapping):
        factor = np.ones(n_features)
        for key, value in given.items():
            if not isinstance(value, Real):
                raise ValueError(f"penalty_factor[{key!r}] must be a number, got {value!r}.")
            factor[_columns(key, n_features, names, groups or {})] = value
    else:
        factor = np.asarray(given, dtype=float)
        if factor.shape != (n_features,):
            raise ValueError(
                f"penalty_factor must have one entry for each of the {n_features} features, "
                f"got shape {factor.shape}."
            )
    if not (factor > 0).all():
        worst = factor[~(factor > 0)][0]
        raise ValueError(f"penalty_factor must be positive, got {worst}.")
    return factor


def _begin_at(model: Any, before: Any, scale: np.ndarray) -> None:
    """Let a model's fit start at the result of an earlier one, in the units of X."""
    coef: Any = getattr(before, "coef_", None)
    if type(before) is not type(model) or np.shape(coef)[-1:] != scale.shape:
        return
    known = {k: v for k, v in vars(before).items() if k.endswith("_") and not k.startswith("_")}
    vars(model).update(known)
    # Features that are dropped have no scale, and no coefficient.
    model.coef_ = np.ascontiguousarray(
        np.divide(coef, scale.astype(coef.dtype), out=np.zeros_like(coef), where=scale > 0)
    )


def _norm_of(model: Any) -> str | None:
    """Return what scikit-learn's own models penalise, or None if that is not known."""
    names = [base.__name__ for base in type(model).__mro__]
    if any(name in _L1 for name in names):
        return "l1"
    if "LogisticRegression" in names and getattr(model, "penalty", None) not in ("l1", "l2"):
        return "l1" if model.l1_ratio else "l2"
    if getattr(model, "penalty", None) in ("l1", "elasticnet"):
        return "l1"
    if getattr(model, "penalty", None) == "l2" or any(name in _L2 for name in names):
        return "l2"
    return None


def _columns(key, n_features, names, groups) -> list[int]:
    """Return the columns that a key of ``penalty_factor`` stands for."""
    if isinstance(key, tuple):
        return [column for part in key for column in _columns(part, n_features, names, groups)]
    if isinstance(key, str) and key in groups:
        return groups[key].tolist()
    known = [] if names is None else list(names)
    if key in known:
        return [i for i, name in enumerate(known) if name == key]
    if isinstance(key, Integral) and -n_features <= key < n_features:
        return [int(key) % n_features]
    raise ValueError(
        f"penalty_factor has {key!r}, which is none of the {n_features} columns"
        + (f" and no transformer of {sorted(groups)}." if groups else ".")
    )


def _scaled(X, scale):
    """Return X with scaled columns; sparse stays sparse."""
    scale = scale.astype(X.dtype, copy=False)
    # Not diags_array, which SciPy has from 1.12 on.
    return X @ sp.diags(scale) if sp.issparse(X) else X * scale


def _rescaled(coef, scale):
    """Return coefficients of scaled columns in the units of unscaled ones."""
    if sp.issparse(coef):
        return coef.multiply(scale).toarray()
    return coef * scale.astype(coef.dtype, copy=False)
