"""The total weight of the rows of each class, while rows are judged and in the end."""

from __future__ import annotations

import numpy as np
import torch

from skbamm.weights.learner import Learned, balancing

_HOPELESS = 1e-6  # probability that a number is right, below which it has no weight
_NOTHING = 1e-12


class ClassMasses:
    """Factors of rows that give classes their masses.

    Parameters
    ----------
    label : ndarray of int of shape (n,) or None
        The given classes; None where they are left as they are.
    weight : ndarray of shape (n,) or None
        The user's sample weights.
    numbers : bool
        Whether the target holds numbers, whose errors may be larger than any weight is small.
    """

    def __init__(self, label: np.ndarray | None, weight: np.ndarray | None, numbers: bool):
        self.label, self.weight, self.numbers = label, weight, numbers

    def own(self, only: np.ndarray) -> np.ndarray:
        """Return the user's weights of the rows ``only``, (n, K)."""
        return only.astype(float) if self.weight is None else self.weight[:, None] * only

    def unjudged(self, only: np.ndarray) -> np.ndarray:
        """Return the factors of rows of which nothing is known, (n, K): classes are balanced."""
        out = np.ones(only.shape)
        if self.label is not None:
            for k, own in enumerate(self.own(only).T):
                given = torch.as_tensor(np.bincount(self.label, own) / own.sum())
                out[:, k] = balancing(given).numpy()[self.label]
        return out

    def judging(self, found: list[Learned], only: np.ndarray) -> np.ndarray:
        """Return learned weights with the classes' masses of the judging, (n, K)."""
        w, own, unjudged = self._weights(found), self.own(only), self.unjudged(only)
        if self.label is not None:
            for k in range(len(found)):
                mass = np.bincount(self.label, own[:, k] * unjudged[:, k])
                kept = np.bincount(self.label, own[:, k] * w[:, k])
                w[:, k] *= (mass / np.maximum(kept, _NOTHING))[self.label]
        return w * (own.sum(0) / (own * w).sum(0))

    def _weights(self, found: list[Learned]) -> np.ndarray:
        return np.stack([one.weight.cpu().numpy() for one in found], 1)

    def learned(self, found: list[Learned], only: np.ndarray, each: bool = True) -> np.ndarray:
        """Return learned weights that leave the sum of the user's as it is, (n, K).

        Parameters
        ----------
        found : list of Learned
            K of them.
        only : ndarray of bool of shape (n, K)
            Rows that each was learned of.
        each : bool
            Whether each class gets a mass, between its given share, which noise may have moved,
            and the estimated one, which is uncertain.
        """
        w, own = self._weights(found), self.own(only)
        for k, one in enumerate(found):
            if self.numbers:
                w[one.quality.right.cpu().numpy() < _HOPELESS, k] = 0.0
            if self.label is None or not each or one.quality.shares is None:
                continue
            shares = one.quality.shares.cpu().numpy()
            given = np.bincount(self.label, own[:, k], len(shares))
            kept = np.bincount(self.label, own[:, k] * w[:, k], len(shares))
            mass = 0.5 * (given / given.sum() + shares)
            w[:, k] *= (mass / np.maximum(kept, _NOTHING))[self.label]
        return w * (own.sum(0) / (own * w).sum(0))
