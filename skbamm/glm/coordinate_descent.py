"""Coordinate descent for squares and absolute values in the space of second moments.

scikit-learn's compiled loop over the coefficients (Friedman, Hastie & Tibshirani, "Regularization
paths for generalized linear models via coordinate descent", 2010) comes close to a solution in the
time of a factorisation or two. A step in the metric of the face does the rest.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skbamm._sklearn_compat import descend_gram
from skbamm.bilevel.faces import Face
from skbamm.effort import descent_seconds, spend
from skbamm.folds import Moments, map_in_threads


@dataclass(frozen=True)
class DescentSettings:
    """Limits of coordinate descent before the metrics of faces are used.

    benchmarks/speed/lasso_path.py measures their effect.

    Attributes
    ----------
    passes : int
        Most passes over the coefficients.
    usual_passes : int
        Typical number of passes, for the cost model.
    share : float
        Share of the requested duality gap at which they stop, so that the models are accurate.
    closest : float
        Decrement that is left to a Newton step.
    model_passes : int
        Most passes where the loss is replaced by its quadratic model.
    usual_model_passes : int
        Typical number of such passes.
    model_tol : float
        Relative change of the coefficients that ends them.
    """

    passes: int = 1000
    usual_passes: int = 30
    share: float = 0.03
    closest: float = 1e-6
    model_passes: int = 200
    usual_model_passes: int = 10
    model_tol: float = 1e-3


DESCENT = DescentSettings()


class CoordinateDescent:
    """Minimises ``w' Q w / 2 - q' w + kappa |w|_1 + lambda |w|^2 / 2`` for each fold and output.

    Parameters
    ----------
    moments : Moments
        Second moments of the training rows, on the CPU.
    fit_intercept : bool
        Whether the last coefficient is free of penalties.
    positive : bool, default=False
        Whether no other coefficient may be negative.
    """

    def __init__(self, moments: Moments, fit_intercept: bool, positive: bool = False):
        self.fit_intercept, self.positive = fit_intercept, positive
        own = moments.without_last if fit_intercept else moments
        if fit_intercept:
            self.mass = moments.gram[:, -1, -1]
            self.sums, self.pull = moments.gram[:, :-1, -1], moments.cross[..., -1]
        self.gram = [part.contiguous().numpy() for part in own.gram]
        self.cross, self.square = own.cross.contiguous().numpy(), own.square.clamp_min(0).numpy()

    def __call__(self, y: Tensor, squares: Tensor, absolutes: Tensor, tol: float) -> Tensor:
        """Return a point near the minimum, beginning at y (S, K, m, p).

        ``squares`` and ``absolutes`` are lambda and kappa of each start and fold, (S, K).
        """
        slopes = y[..., :-1] if self.fit_intercept else y
        found = slopes.double().contiguous().numpy().copy()
        lam, kappa = squares.tolist(), absolutes.tolist()
        rng = np.random.RandomState(0)  # unused: coefficients are updated in order
        spend(descent_seconds(found[..., 0].size, found.shape[-1], DESCENT.usual_passes))
        enough = DESCENT.share * max(tol, DESCENT.closest) ** 2

        def descend(job: tuple[int, ...]) -> None:
            s, k, m = job
            size = self.square[k, m]
            descend_gram(
                found[s, k, m], kappa[s][k], lam[s][k], self.gram[k], self.cross[k, m],
                np.array([size**0.5]), DESCENT.passes, enough, rng,
                self.positive, True,
            )  # fmt: skip

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the next step checks whether it is solved
            map_in_threads(descend, list(np.ndindex(*found.shape[:3])), torch.device("cpu"))
        near = torch.from_numpy(found)
        if not self.fit_intercept:
            return near
        last = (self.pull - (near * self.sums[:, None]).sum(-1)) / self.mass[:, None]
        return torch.cat([near, last[..., None]], -1)


class ModelDescent:
    """Coordinate descent for the quadratic model of a loss other than squared error.

    Parameters
    ----------
    matrix : Tensor of shape (S, K or 1, m or 1, p, p)
        The model's, with the penalty's squares, float64, on the CPU.
    positive : bool, default=False
        Whether no coefficient with a kink may be negative.
    """

    def __init__(self, matrix: Tensor, positive: bool = False):
        self.matrix, self.positive = matrix, positive
        self._parts: _Parts | None = None

    def __call__(self, face: Face, y: Tensor) -> Tensor:
        """Return a point nearer to the minimum of a face's model at y, or y itself.

        All kinks must be equal, except that some entries may have none in any column.
        """
        shape, begin = y.shape, y.double()
        kink, jump = (part.double().expand(shape) for part in (face.kink, face.jump))
        kinked = (jump > 0).flatten(0, 2)
        kappa = kink[..., kinked[0]]
        alike = bool((kinked == kinked[0]).all()) and bool((kappa == kappa[..., :1]).all())
        if not kappa.numel() or not alike:
            return y
        if self._parts is None:
            self._parts = _Parts.of(self.matrix, kinked[0])
        parts, lead = self._parts, shape[:3]
        linear = self._times(begin) - face.gradient.double()
        right, found = parts.right(linear), begin[..., kinked[0]].numpy().copy()
        rights, matrix = right.contiguous().numpy(), parts.without
        matrices = matrix.expand(*lead, *matrix.shape[-2:]).numpy()
        strengths, rng = kappa[..., 0].tolist(), np.random.RandomState(0)
        spend(descent_seconds(found[..., 0].size, found.shape[-1], DESCENT.usual_model_passes))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a gap that is not used
            for s, k, m in np.ndindex(*lead):
                descend_gram(
                    found[s, k, m], strengths[s][k][m], 0.0, matrices[s, k, m], rights[s, k, m],
                    np.zeros(1), DESCENT.model_passes, DESCENT.model_tol, rng,
                    self.positive, False,
                )  # fmt: skip
        at = parts.joined(torch.from_numpy(found), linear)
        change = at - begin
        curved = face.gradient.double() + 0.5 * self._times(change)
        rise = (curved * change).sum((2, 3), keepdim=True)
        rise = rise + (kink * (at.abs() - begin.abs())).sum((2, 3), keepdim=True)
        return torch.where(rise < 0, at.to(y.dtype), y)

    def _times(self, direction: Tensor) -> Tensor:
        return (self.matrix @ direction[..., None])[..., 0]


class _Parts(NamedTuple):
    """A matrix in parts: entries that have a kink, and the others, which are eliminated.

    Attributes
    ----------
    inside, outside : Tensor of int
        Places of the entries with a kink, and of those without.
    without : Tensor of shape (..., r, r)
        The Schur complement of the others.
    across : Tensor of shape (..., r, u)
        The rows of entries with a kink, the columns of the others.
    inverse : Tensor of shape (..., u, u)
        The pseudo-inverse of the others' own part: of rows that are fitted nothing is left of it.
    pull : Tensor of shape (..., u, r)
        ``inverse across'``.
    """

    inside: Tensor
    outside: Tensor
    without: Tensor
    across: Tensor
    inverse: Tensor
    pull: Tensor

    @classmethod
    def of(cls, matrix: Tensor, kinked: Tensor) -> _Parts:
        """Return the parts of a matrix; ``kinked`` (p,) says which entries have a kink."""
        inside, outside = (torch.nonzero(which).flatten() for which in (kinked, ~kinked))
        rows, mass = matrix[..., inside, :], matrix[..., outside, :][..., outside]
        across = rows[..., outside]
        inverse = torch.linalg.pinv(mass, hermitian=True)
        pull = inverse @ across.mT
        return cls(inside, outside, rows[..., inside] - across @ pull, across, inverse, pull)

    def right(self, linear: Tensor) -> Tensor:
        """Return the right side for the entries with a kink, of that for all."""
        others = linear[..., None, self.outside]
        return linear[..., self.inside] - (others @ self.pull)[..., 0, :]

    def joined(self, found: Tensor, linear: Tensor) -> Tensor:
        """Return all entries, given those with a kink."""
        out = torch.empty_like(linear)
        out[..., self.inside] = found
        left = linear[..., self.outside] - (found[..., None, :] @ self.across)[..., 0, :]
        out[..., self.outside] = (self.inverse @ left[..., None])[..., 0]
        return out
