"""Coordinate descent for squares and absolute values in the space of second moments.

scikit-learn's compiled loop over the coefficients (Friedman, Hastie & Tibshirani, "Regularization
paths for generalized linear models via coordinate descent", 2010) comes close to a solution in the
time of a factor or two; what is left of the way the metrics of faces go in a step.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.linear_model import _cd_fast
from torch import Tensor

from skbamm.folds import Moments, map_in_threads

_MOST = 1000  # passes over the coefficients
_SHARE = 0.1  # of the gap that is asked for: the models' errors are to be seen as none
_CLOSEST = 1e-6  # decrement that is left to a step of Newton's


class CoordinateDescent:
    """Minimises ``w' Q w / 2 - q' w + kappa |w|_1 + lambda |w|^2 / 2`` for each fold and output.

    Parameters
    ----------
    moments : Moments
        Of the rows trained on, on the CPU.
    fit_intercept : bool
        Whether the last coefficient is free of penalties.
    """

    def __init__(self, moments: Moments, fit_intercept: bool):
        self.fit_intercept = fit_intercept
        gram, cross, square = moments.gram, moments.cross, moments.square
        if fit_intercept:  # at the best intercept of any slopes
            self.mass = gram[:, -1, -1]
            self.sums, self.pull = gram[:, :-1, -1], cross[..., -1]  # (K, d), (K, m)
            share = self.sums / self.mass[:, None]
            gram = gram[:, :-1, :-1] - self.sums[:, :, None] * share[:, None]
            cross = cross[..., :-1] - self.pull[..., None] * share[:, None]
            square = square - self.pull**2 / self.mass[:, None]
        self.gram = [part.contiguous().numpy() for part in gram]
        self.cross, self.square = cross.contiguous().numpy(), square.clamp_min(0).numpy()

    def __call__(self, y: Tensor, squares: Tensor, absolutes: Tensor, tol: float) -> Tensor:
        """Return a point near the minimum, beginning at y (S, K, m, p).

        ``squares`` and ``absolutes`` are lambda and kappa of each start and fold, (S, K).
        """
        slopes = y[..., :-1] if self.fit_intercept else y
        found = slopes.double().contiguous().numpy().copy()
        lam, kappa = squares.tolist(), absolutes.tolist()
        rng = np.random.RandomState(0)  # not asked: coefficients take their turns in order
        enough = _SHARE * max(tol, _CLOSEST) ** 2

        def descend(job: tuple[int, ...]) -> None:
            s, k, m = job
            size = self.square[k, m]
            _cd_fast.enet_coordinate_descent_gram(
                found[s, k, m], kappa[s][k], lam[s][k], self.gram[k], self.cross[k, m],
                np.array([size**0.5]), _MOST, enough / min(max(size, 1e-300), 1.0), rng,
                False, False, True,
            )  # fmt: skip

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # who goes on from here sees whether it is solved
            map_in_threads(descend, list(np.ndindex(*found.shape[:3])), torch.device("cpu"))
        near = torch.from_numpy(found)
        if not self.fit_intercept:
            return near
        last = (self.pull - (near * self.sums[:, None]).sum(-1)) / self.mass[:, None]
        return torch.cat([near, last[..., None]], -1)
