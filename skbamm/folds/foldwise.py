"""Rows that differ between the folds, as a pipeline's transformers make them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch


class FoldwiseRows:
    """One matrix a fold, each with its own transformed features.

    Parameters
    ----------
    folds : list of Rows
        One a fold, each with a single fold's weights and the same number of coefficients.
    places : list of Tensor of int, optional
        Where each fold's rows stand among the user's; needed by ``visit`` and ``reweighted``.
    """

    def __init__(self, folds, places=None):
        self.folds, self.places = folds, places
        first = folds[0]
        self.device, self.dtype = first.device, first.dtype
        self.n_rows = first.n_rows if places is None else 1 + max(int(p.max()) for p in places)
        self.n_folds, self.n_coefficients = len(folds), first.n_coefficients
        self.n_features, self.fit_intercept = first.n_features, first.fit_intercept

    @property
    def matrices(self):
        """See ``Rows.matrices``."""
        return self.folds

    @property
    def train_total(self):
        """Sum of the training weights of each fold, shape (K,)."""
        return torch.cat([rows.train_total for rows in self.folds])

    @property
    def train_rows(self):
        """Number of training rows of each fold, shape (K,)."""
        return torch.cat([rows.train_rows for rows in self.folds])

    @property
    def target_mean(self):
        """See ``Rows.target_mean``; the folds have the same target, in another order."""
        return self.folds[0].target_mean

    def gram_seconds(self, matrices, rows):
        """See ``ChunkedRows.gram_seconds``; each fold has its share of the matrices."""
        each = [fold.gram_seconds(matrices / len(self.folds), rows) for fold in self.folds]
        return sum(each)

    def take(self, rows):
        """See ``Rows.take``; a fold has those of the rows that it had."""
        if self.places is None:
            return FoldwiseRows([fold.take(rows) for fold in self.folds])
        folds, places = [], []
        for fold, place in zip(self.folds, self.places, strict=True):
            own = place.cpu().numpy()
            there = np.searchsorted(rows, own).clip(max=len(rows) - 1)
            taken = np.flatnonzero(rows[there] == own)
            folds.append(fold.take(taken))
            places.append(torch.as_tensor(there[taken], device=self.device))
        return FoldwiseRows(folds, places)

    def features(self, index):
        """See ``Rows.features``."""
        return FoldwiseRows([fold.features(index) for fold in self.folds], self.places)

    def reweighted(self, factor):
        """See ``Rows.reweighted``."""
        parts = []
        for k, (rows, place) in enumerate(zip(self.folds, self.places, strict=True)):
            own = factor if factor.ndim == 1 else factor[:, k]
            parts.append(rows.reweighted(own[place]))
        return FoldwiseRows(parts, self.places)

    def visit(self, coefficients, function):
        """See ``Rows.visit``."""
        for k, rows in enumerate(self.folds):
            rows.visit(coefficients[:, :, k : k + 1], self._placed(k, function))

    def _placed(self, k, function):
        """Return the function with chunks that know where their rows stand, and their fold."""
        place = None if self.places is None else self.places[k]

        def of_fold(z, chunk):
            rows = chunk.rows if place is None else place[chunk.rows]
            return function(z, replace(chunk, rows=rows, folds=slice(k, k + 1)))

        return of_fold

    def sweep(self, coefficients, function, kept=None):
        """See ``Rows.sweep``."""
        parts = [
            rows.sweep(
                coefficients[:, :, k : k + 1],
                self._placed(k, function),
                None if kept is None else [kept[k]],
            )
            for k, rows in enumerate(self.folds)
        ]
        products = torch.cat([product for product, _ in parts], 2)
        sums = zip(*(sums for _, sums in parts), strict=True)
        return products, [torch.cat(fold, 1) for fold in sums]

    def totals(self, function):
        """See ``Rows.totals``."""

        def of_fold(k):
            return lambda chunk: function(replace(chunk, folds=slice(k, k + 1)))

        return torch.cat([rows.totals(of_fold(k)) for k, rows in enumerate(self.folds)])

    def keep(self, coefficients, function):
        """See ``Rows.keep``."""
        parts = [
            rows.keep(coefficients[:, :, k : k + 1], self._placed(k, function))
            for k, rows in enumerate(self.folds)
        ]
        return [kept for part in parts for kept in part]

    def room(self, coefficients):
        """See ``Rows.room``."""
        parts = [rows.room(coefficients[:, :, k : k + 1]) for k, rows in enumerate(self.folds)]
        return [kept for part in parts for kept in part]

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``; the folds cannot share a matrix, so ``share`` is not heeded."""
        parts = [
            rows.gram(coefficients[:, :, k : k + 1], self._placed(k, function), False, limit)
            for k, rows in enumerate(self.folds)
        ]
        return torch.cat(parts, 1)

    def joint_gram(self, coefficients, function, entries, known):
        """See ``Rows.joint_gram``."""
        parts = [
            rows.joint_gram(coefficients[:, :, k : k + 1], function, entries, known)
            for k, rows in enumerate(self.folds)
        ]
        return torch.cat(parts, 1)

    def diagonal(self, coefficients, function):
        """Return the diagonal of ``gram``."""
        parts = [
            rows.diagonal(coefficients[:, :, k : k + 1], self._placed(k, function))
            for k, rows in enumerate(self.folds)
        ]
        return torch.cat(parts, 1)

    def frequent_gram(self, coefficients, function):
        """See ``Rows.frequent_gram``; each fold has its own index."""
        parts = [
            rows.frequent_gram(coefficients[:, :, k : k + 1], self._placed(k, function))
            for k, rows in enumerate(self.folds)
        ]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts) or len({index.shape for index, _ in found}) > 1:
            return None
        return torch.cat([index for index, _ in found]), torch.cat([gram for _, gram in found], 1)
