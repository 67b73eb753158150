"""Second moments of the rows: all that least squares ever needs of X."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skbamm.folds.chunks import chunk_ranges, over_chunks
from skbamm.folds.foldwise import FoldwiseRows
from skbamm.folds.sparse import SparseRows
from skbamm.folds.stacked import StackedRows


@dataclass(frozen=True)
class Moments:
    """Weighted second moments of each fold, in float64 and for weights that sum to one.

    Attributes
    ----------
    gram : Tensor of shape (K, p, p)
        ``X' diag(w) X``, with a column of ones last if there is an intercept.
    cross : Tensor of shape (K, m, p)
        ``T' diag(w) X``.
    square : Tensor of shape (K, m)
        ``diag(T' diag(w) T)``.
    """

    gram: Tensor
    cross: Tensor
    square: Tensor


def fold_moments(rows) -> tuple[Moments, Moments, Tensor, Tensor]:
    """Return training and validation moments, and the centres they were taken about.

    With an intercept, features and targets are centred first (by one centre for all folds, the
    intercept does the rest), so that large means cost no digits; sparse features are not.
    Where each fold trains on what it does not test on, every row is read once.

    Returns
    -------
    train, validation : Moments
    centre : Tensor of shape (K, d)
    target_centre : Tensor of shape (K, m)
    """
    if isinstance(rows, FoldwiseRows | StackedRows):
        parts = [fold_moments(fold) for fold in rows.folds]
        train, validation = (
            Moments(*(torch.cat([getattr(p[i], a) for p in parts]) for a in _FIELDS))
            for i in (0, 1)
        )
        centre = torch.cat([p[2] for p in parts])
        return train, validation, centre, torch.cat([p[3] for p in parts])
    return _shared_moments(rows)


_FIELDS = ("gram", "cross", "square")


def _shared_moments(rows):
    targets = rows.target.double().reshape(rows.n_rows, -1)
    centre = torch.zeros(rows.n_features, dtype=torch.float64, device=rows.device)
    target_centre = torch.zeros(targets.shape[1], dtype=torch.float64, device=rows.device)
    if rows.fit_intercept:
        target_centre = targets.mean(0)
        if not isinstance(rows, SparseRows):
            centre = rows.X.mean(0, dtype=torch.float64)
    summer = _Summer(rows, targets - target_centre, centre)
    weights, K = rows.weights, rows.n_folds
    validation = [summer.of(*weights.nonzero(k, "validation")) for k in range(K)]
    if weights.complementary():
        same = weights.same_weights()
        left_out = validation if same else [summer.of(*weights.left_out(k)) for k in range(K)]
        total = [sum(part) for part in zip(*left_out, strict=True)]
        train = [tuple(t - o for t, o in zip(total, out, strict=True)) for out in left_out]
    else:
        train = [summer.of(*weights.nonzero(k, "train")) for k in range(K)]
    return (
        _stack(train, weights.train_total),
        _stack(validation, weights.validation_total),
        centre.expand(K, -1),
        target_centre.expand(K, -1),
    )


def _stack(parts, total) -> Moments:
    total = torch.where(total > 0, total, 1.0)
    gram, cross, square = (torch.stack(p) for p in zip(*parts, strict=True))
    return Moments(
        gram / total[:, None, None], cross / total[:, None, None], square / total[:, None]
    )


class _Summer:
    """Sums second moments over some rows."""

    def __init__(self, rows, targets, centre):
        self.rows, self.targets, self.centre = rows, targets, centre

    def of(self, index: Tensor, weight: Tensor | None):
        """Return the sums over the rows ``index`` with these weights (ones if None)."""
        rows, p, m = self.rows, self.rows.n_coefficients, self.targets.shape[1]
        sparse = isinstance(rows, SparseRows)
        add = self._sparse if sparse else self._dense

        def work(ranges):
            sums = tuple(
                torch.zeros(shape, dtype=torch.float64, device=rows.device)
                for shape in ((p, p), (m, p), (m,))
            )
            for start, stop in ranges:
                part = index[start:stop]
                T = self.targets[part]
                w = None if weight is None else weight[start:stop, None]
                weighted_T = T if w is None else T * w
                sums[2].add_((weighted_T * T).sum(0))
                add(part, w, weighted_T, *sums[:2])
            return sums

        ranges = [(0, len(index))] if sparse else chunk_ranges(len(index), 2 * p, rows.device)
        parts = over_chunks(ranges, rows.device, work)
        return tuple(sum(part) for part in zip(*parts, strict=True))

    def _dense(self, part, w, weighted_T, gram, cross):
        X = self.rows.X[part].double()
        if self.rows.fit_intercept:
            X = torch.cat([X - self.centre, X.new_ones(len(X), 1)], 1)
        gram += (X if w is None else X * w).T @ X
        cross += weighted_T.T @ X

    def _sparse(self, part, w, weighted_T, gram, cross):
        X = self.rows.X[part.cpu().numpy()].astype(np.float64)
        weighted = X if w is None else X.multiply(w.cpu().numpy()).tocsr()
        d = self.rows.n_features
        gram[:d, :d] += torch.as_tensor((X.T @ weighted).toarray(), device=gram.device)
        product = X.T @ weighted_T.cpu().numpy()
        cross[:, :d] += torch.as_tensor(product.T, device=gram.device)
        if self.rows.fit_intercept:
            sums = torch.as_tensor(np.asarray(weighted.sum(0)).ravel(), device=gram.device)
            gram[d, :d] += sums
            gram[:d, d] += sums
            gram[d, d] += len(part) if w is None else w.sum()
            cross[:, d] += weighted_T.sum(0)
