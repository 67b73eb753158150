"""Fits of libsvm on a kernel that was computed before, as fits on the rows themselves."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.svm import SVR


def take_kernel_fit(estimator: Any, fitted: dict[str, Any], rows: Any, gamma: float) -> None:
    """Give an estimator what its own fit on some rows would have given it.

    Parameters
    ----------
    estimator : estimator
        Of ``sklearn.svm``, with its own kernel.
    fitted : dict of str -> object
        The attributes of a fit on that kernel of the rows to themselves.
    rows : ndarray or CSR matrix of shape (n, d)
    gamma : float
        The kernel's.
    """
    vars(estimator).update(fitted)
    if estimator.kernel == "precomputed":
        return
    estimator._gamma = gamma
    estimator.shape_fit_ = rows.shape
    if sp.issparse(rows):
        _take_sparse(estimator, rows)
    else:
        own = np.asarray(rows[estimator.support_], dtype=np.float64)
        estimator.support_vectors_ = np.ascontiguousarray(own)


def on_kernel(estimator: Any, n_rows: int) -> Any:
    """Return a fitted model that takes the kernel of rows to its ``n_rows`` training rows."""
    model = copy.copy(estimator)
    given = vars(model)
    given.pop("feature_names_in_", None)
    if model._sparse:
        given.update({name: given[name].toarray() for name in ("dual_coef_", "_dual_coef_")})
    given.update(
        kernel="precomputed", _sparse=False, _gamma=0.0, shape_fit_=(n_rows, n_rows),
        n_features_in_=n_rows, support_vectors_=np.empty((0, 0)),
    )  # fmt: skip
    return model


def _take_sparse(estimator: Any, rows: Any) -> None:
    """Put support vectors and coefficients into the types that a fit on sparse rows leaves."""
    like = SVR(C=10.0).fit(sp.csr_matrix(np.eye(2)), [0.0, 1.0])
    own = rows[estimator.support_].astype(np.float64)
    own.sort_indices()
    estimator.support_vectors_ = type(like.support_vectors_)(own)
    dense, given = estimator._dual_coef_, estimator.dual_coef_
    machines, n = dense.shape
    indices, ends = np.tile(np.arange(n), machines), n * np.arange(machines + 1)
    shown = type(like.dual_coef_)((dense.ravel().copy(), indices, ends), dense.shape)
    turned = given is not dense and bool((given != dense).any())
    estimator._dual_coef_, estimator.dual_coef_ = shown, -shown if turned else shown
    estimator._sparse = True
