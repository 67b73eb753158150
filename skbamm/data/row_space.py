"""Wide dense rows, as coordinates in the space that they span.

With more features than rows, and a penalty of squares that is the same for all features, a model's
coefficients w are a combination of the training rows (the representer theorem; Hastie, Tibshirani
and Friedman, "The Elements of Statistical Learning", 2009, section 18.3.5). With orthonormal rows
of B and ``X = C B``, the models of C with the same penalty are those of X: ``w = v B``. C has as
many columns as X has rows, so that everything but one factorisation is as cheap as if there were
no more features than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from skbamm.folds import threads_for_products

# Features a row from which the factorisation pays, and rows up to which matrices of all coordinates
# do; the latter also where classes have one Hessian. Measured by benchmarks/everyday/wide.py.
_WIDE, _MOST_ROWS, _MOST_ROWS_COUPLED = 1.5, 300, 250
_MOST_ROWS_OF_FOLDS = 800  # in all matrices, where each fold has its own


@dataclass(frozen=True)
class RowSpace:
    """An orthonormal basis of the space that rows span.

    Attributes
    ----------
    coordinates : ndarray of shape (n, r), float64
        Those of the rows.
    basis : ndarray of shape (r, d), float64
    """

    coordinates: np.ndarray
    basis: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> RowSpace:
        """Return that of the rows of a matrix (n, d)."""
        with threads_for_products():
            basis, factor = torch.linalg.qr(torch.from_numpy(matrix.T.astype(np.float64)))
        return cls(np.ascontiguousarray(factor.T.numpy()), np.ascontiguousarray(basis.T.numpy()))

    def outside(self, coef: np.ndarray, intercept: bool) -> np.ndarray:
        """Return coefficients (m, d) of the features, the intercept last if there is one."""
        slopes = coef[:, : len(self.basis)] @ self.basis
        return np.concatenate([slopes, coef[:, -1:]], 1) if intercept else slopes

    def inside(self, coef: np.ndarray, intercept: bool) -> np.ndarray:
        """Return coefficients of the coordinates."""
        slopes = coef[:, : self.basis.shape[1]] @ self.basis.T
        return np.concatenate([slopes, coef[:, -1:]], 1) if intercept else slopes


def are_wide(shapes: list[tuple[int, int]], coupled: bool) -> bool:
    """Whether dense matrices are so wide, and have so few rows, that coordinates pay.

    ``coupled`` tells that the loss has one Hessian for all its outputs.
    """
    most = _MOST_ROWS_COUPLED if coupled else _MOST_ROWS
    if len(shapes) > 1 and sum(n for n, _ in shapes) > _MOST_ROWS_OF_FOLDS:
        return False
    return all(0 < n <= most and d > _WIDE * n for n, d in shapes)
