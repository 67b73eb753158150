"""Transformers with a parameter that features can be differentiated in: random feature maps.

They stand for a kernel: the model behind them is linear in their features, and gamma is the
kernel's. See Williams & Seeger, "Using the Nystroem method to speed up kernel machines", 2001, and
Rahimi & Recht, "Random features for large-scale kernel machines", 2007.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import xlogy
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.extmath import safe_sparse_dot

from skbamm.models.base import Hyperparameter

_FLOOR = 1e-12  # of the eigenvalues that Nystroem divides by


class FeatureMap(ABC):
    """The twin of a transformer.

    Attributes
    ----------
    transformer_type : type
        The exact class it stands for.
    hyperparameter : Hyperparameter
        What can be tuned.
    """

    transformer_type: type
    hyperparameter = Hyperparameter("gamma", positive=True)

    def mismatch(self, transformer: Any) -> str:
        """Return why this does not stand for a transformer of its type; "" if it does."""
        if isinstance(transformer.random_state, Integral):
            return ""
        return "random_state must be an integer, so that every value has the same random draw"

    @abstractmethod
    def slope(self, fitted: Any, X: Any) -> np.ndarray:
        """Return the derivative in the parameter of ``fitted.transform(X)``, (n, p).

        The random draws of a fit do not depend on the parameter.
        """


class NystroemMap(FeatureMap):
    """``K(X, Z) K(Z, Z)^(-1/2)`` with some training rows Z, for kernels ``exp(-gamma d)``."""

    transformer_type = Nystroem

    def mismatch(self, transformer):
        """See ``FeatureMap.mismatch``."""
        if transformer.kernel not in ("rbf", "laplacian"):
            return f"kernel={transformer.kernel!r} is not 'rbf' or 'laplacian'"
        return super().mismatch(transformer)

    def slope(self, fitted, X):
        """See ``FeatureMap.slope``."""
        gamma, Z = fitted.gamma, fitted.components_

        def kernel(rows):
            values = pairwise_kernels(rows, Z, metric=fitted.kernel, gamma=gamma)
            return values, xlogy(values, values) / gamma  # log(K) is -gamma d

        (far, far_slope), (near, near_slope) = kernel(X), kernel(Z)
        # K^(-1/2) by its eigenvalues; the derivative has divided differences of their roots.
        values, vectors = np.linalg.eigh(near)
        root = np.sqrt(np.maximum(values, _FLOOR))
        difference = -1 / (root[:, None] * root * (root[:, None] + root))
        low = values <= _FLOOR
        difference[np.ix_(low, low)] = 0.0
        moved = vectors @ (difference * (vectors.T @ near_slope @ vectors)) @ vectors.T
        return far_slope @ fitted.normalization_.T + far @ moved


class RBFSamplerMap(FeatureMap):
    """``sqrt(2 / p) cos(sqrt(2 gamma) X W + b)`` with random W and b."""

    transformer_type = RBFSampler

    def slope(self, fitted, X):
        """See ``FeatureMap.slope``."""
        projection = safe_sparse_dot(X, fitted.random_weights_)
        turn = np.sin(projection + fitted.random_offset_)
        return -np.sqrt(2 / fitted.n_components) * turn * projection / (2 * fitted.gamma)


FEATURE_MAPS: dict[type, FeatureMap] = {
    one.transformer_type: one for one in (NystroemMap(), RBFSamplerMap())
}


def find_feature_map(transformer: Any) -> FeatureMap | None:
    """Return the feature map of a transformer, if it has one; it may have a ``mismatch``."""
    return FEATURE_MAPS.get(type(transformer))
