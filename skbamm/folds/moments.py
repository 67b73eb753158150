"""Second moments of the rows: all that least squares ever needs of X."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from skbamm.folds.affine import AffineRows
from skbamm.folds.chunks import chunk_ranges, over_chunks
from skbamm.folds.foldwise import FoldwiseRows
from skbamm.folds.sparse import SparseRows
from skbamm.folds.stacked import StackedRows
from skbamm.folds.weights import FoldWeights

_SOME = 4096  # approximate number of rows from which the centre of a feature is estimated
_LARGE = 1e8  # multiplications from which threads are worth a word with NumPy's BLAS


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

    @cached_property
    def without_last(self) -> Moments:
        """The same at the best last coefficient, the intercept's, of any others."""
        mass, sums, pull = self.gram[:, -1, -1], self.gram[:, :-1, -1], self.cross[..., -1]
        share = sums / mass[:, None]
        return Moments(
            torch.baddbmm(self.gram[:, :-1, :-1], sums[:, :, None], share[:, None], alpha=-1),
            self.cross[..., :-1] - pull[..., None] * share[:, None],
            self.square - pull**2 / mass[:, None],
        )


def fold_moments(rows) -> tuple[Moments, Moments, Tensor, Tensor]:
    """Return training and validation moments, and the centres they were taken about.

    With an intercept, features and targets are centred first (by one centre for all folds, the
    intercept does the rest), so that large means cost no digits; sparse features are not.
    If each fold trains on the rows that it does not test on, every row is read once.

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
    if isinstance(rows, AffineRows):
        return rows.moments(_shared_moments(rows.base))
    return _shared_moments(rows)


def pooled_moments(moments, weights: FoldWeights):
    """Return the moments of all rows, as of one fold; None if the folds do not determine them.

    Parameters
    ----------
    moments
        What ``fold_moments`` returned of rows that all folds share.
    weights : FoldWeights
        Those of the rows.
    """
    train, validation, centre, target_centre = moments
    if not (weights.complementary() and weights.same_weights()):
        return None
    totals = float(weights.train_total[0]), float(weights.validation_total[0])

    def pool(name: str) -> Tensor:
        pairs = zip((train, validation), totals, strict=True)
        return sum(getattr(part, name)[:1] * (total / sum(totals)) for part, total in pairs)

    pooled = Moments(*map(pool, _FIELDS))
    return pooled, pooled, centre[:1], target_centre[:1]


_FIELDS = ("gram", "cross", "square")


def _shared_moments(rows):
    targets = rows.target.double().reshape(rows.n_rows, -1)
    centre = torch.zeros(rows.n_features, dtype=torch.float64, device=rows.device)
    target_centre = torch.zeros(targets.shape[1], dtype=torch.float64, device=rows.device)
    if rows.fit_intercept:
        target_centre = targets.mean(0)
        if not isinstance(rows, SparseRows):
            # About the mean is near enough: centred are they only for the sake of digits.
            some = rows.X[:: max(1, rows.n_rows // _SOME)]
            centre = some.mean(0, dtype=torch.float64)
    large = rows.n_rows * rows.n_coefficients**2 > _LARGE and rows.device.type == "cpu"
    with threadpool_limits(1, user_api="blas") if large else nullcontext():
        train, validation = _sums(rows, targets - target_centre, centre)
    K, weights = rows.n_folds, rows.weights
    return (
        _stack(train, weights.train_total),
        _stack(validation, weights.validation_total),
        centre.expand(K, -1),
        target_centre.expand(K, -1),
    )


def _sums(rows, targets: Tensor, centre: Tensor):
    """Return each fold's sums over the rows it trains on, and over those it is tested on."""
    summer = _Summer(rows, targets, centre)
    weights, K = rows.weights, rows.n_folds
    validation = [summer.of(*weights.nonzero(k, "validation")) for k in range(K)]
    if weights.complementary():
        same = weights.same_weights()
        left_out = validation if same else [summer.of(*weights.left_out(k)) for k in range(K)]
        total = [sum(part) for part in zip(*left_out, strict=True)]
        train = [tuple(t - o for t, o in zip(total, out, strict=True)) for out in left_out]
    else:
        train = [summer.of(*weights.nonzero(k, "train")) for k in range(K)]
    return train, validation


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

        # Rows that follow each other need not be gathered.
        follow = len(index) > 0 and int(index[-1] - index[0]) == len(index) - 1
        first = int(index[0]) if follow and not sparse else None

        def work(ranges):
            sums = tuple(
                torch.zeros(shape, dtype=torch.float64, device=rows.device)
                for shape in ((p, p), (m, p), (m,))
            )
            for start, stop in ranges:
                part = index[start:stop] if first is None else slice(first + start, first + stop)
                T = self.targets[part]
                root = None if weight is None else weight[start:stop, None].sqrt()
                rooted_T = T if root is None else T * root
                sums[2].add_((rooted_T * rooted_T).sum(0))
                add(part, root, rooted_T, *sums[:2])
            return sums

        ranges = [(0, len(index))] if sparse else chunk_ranges(len(index), 2 * p, rows.device)
        parts = over_chunks(ranges, rows.device, work)
        return tuple(sum(part) for part in zip(*parts, strict=True))

    def _dense(self, part, root, rooted_T, gram, cross):
        given, d = self.rows.X[part], self.rows.n_features
        X = torch.empty(len(given), len(gram), dtype=torch.float64, device=given.device)
        if self.rows.fit_intercept:
            torch.sub(given, self.centre, out=X[:, :d])
            X[:, d] = 1
        else:
            X[:, :d] = given
        if root is not None:
            X.mul_(root)
        gram += _squared(X)
        cross.addmm_(rooted_T.T, X)

    def _sparse(self, part, root, rooted_T, gram, cross):
        X = self.rows.X[part.cpu().numpy()].astype(np.float64)
        ones = np.ones((X.shape[0], 1)) if root is None else root.cpu().numpy()
        if root is not None:
            X = X.multiply(ones).tocsr()
        d = self.rows.n_features
        gram[:d, :d] += torch.as_tensor((X.T @ X).toarray(), device=gram.device)
        product = X.T @ rooted_T.cpu().numpy()
        cross[:, :d] += torch.as_tensor(product.T, device=gram.device)
        if self.rows.fit_intercept:
            sums = torch.as_tensor((X.T @ ones)[:, 0], device=gram.device)
            gram[d, :d] += sums
            gram[:d, d] += sums
            gram[d, d] += float((ones**2).sum())
            cross[:, d] += (rooted_T * torch.as_tensor(ones, device=gram.device)).sum(0)


def _squared(A: Tensor) -> Tensor:
    """Return ``A' A``; on the CPU by NumPy, which computes one side of the diagonal only."""
    if A.device.type != "cpu":
        return A.T @ A
    array = A.numpy()
    return torch.from_numpy(array.T @ array)
