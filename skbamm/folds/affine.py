"""Rows that all folds share but for a scale and a shift of each feature.

A StandardScaler in a pipeline makes other features in every fold, and yet each is the same column,
times one number and plus another. So one matrix serves all folds: coefficients are mapped before a
pass, products after it, and no fold has a copy of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class FeatureMaps:
    """Each fold's features, ``scale * column + shift`` of the columns of a shared matrix.

    Attributes
    ----------
    scale, shift : Tensor of shape (K, d), float64
        A feature that a fold has not has a scale and a shift of zero.
    """

    scale: Tensor
    shift: Tensor

    def to_columns(self, coefficients: Tensor) -> Tensor:
        """Map coefficients (..., K, m, p) of the features to those of the columns."""
        return self._apply(coefficients, into_last=True, lead=1)

    def to_features(self, products: Tensor) -> Tensor:
        """Map products with the columns (..., K, m, p) to those with the features."""
        return self._apply(products, into_last=False, lead=1)

    def gram(self, gram: Tensor) -> Tensor:
        """Map second moments (S, K or 1, m, p, p) of the columns to those of the features."""
        half = self._apply(gram, into_last=False, lead=2)
        return self._apply(half.mT, into_last=False, lead=2)

    def rows(self, columns: Tensor, k: int) -> Tensor:
        """Return fold k's features (f, n) of columns (f, n), each a row here."""
        scale, shift = (part[k, :, None].to(columns.dtype) for part in (self.scale, self.shift))
        return torch.addcmul(shift, columns, scale)

    def features(self, index: Tensor) -> FeatureMaps:
        """Return the maps of some features."""
        return FeatureMaps(self.scale[:, index], self.shift[:, index])

    def _apply(self, values: Tensor, *, into_last: bool, lead: int) -> Tensor:
        """Multiply the last dimension by each fold's map or its transpose.

        ``lead`` dimensions stand between that of the folds and the last.
        """
        d = self.scale.shape[1]
        shape = (len(self.scale), *[1] * lead, d)
        scale, shift = (part.to(values.dtype).view(shape) for part in (self.scale, self.shift))
        if values.shape[-1] == d:  # without an intercept there are no shifts
            return values * scale
        slopes, last = values[..., :d], values[..., d:]
        if into_last:
            return torch.cat([slopes * scale, last + (slopes * shift).sum(-1, keepdim=True)], -1)
        slopes = (slopes * scale).addcmul_(last, shift)
        return torch.cat([slopes, last.expand(*slopes.shape[:-1], 1)], -1)


class AffineRows:
    """A matrix that all folds share, with each fold's scale and shift of every column.

    Parameters
    ----------
    base : DenseRows or SparseRows
        Of the shared columns. Without an intercept there are no shifts.
    maps : FeatureMaps
        Of the folds of ``base``.
    """

    def __init__(self, base, maps: FeatureMaps):
        self.base, self.maps = base, maps
        self.device, self.dtype = base.device, base.dtype
        self.n_rows, self.n_folds = base.n_rows, base.n_folds
        self.n_features, self.n_coefficients = base.n_features, base.n_coefficients
        self.fit_intercept = base.fit_intercept
        self.target, self.weights = base.target, base.weights

    @property
    def train_total(self):
        """Sum of the training weights of each fold, shape (K,)."""
        return self.base.train_total

    @property
    def train_rows(self):
        """Number of training rows of each fold, shape (K,)."""
        return self.base.train_rows

    @property
    def target_mean(self):
        """See ``Rows.target_mean``."""
        return self.base.target_mean

    @property
    def entries(self):
        """See ``ChunkedRows.entries``."""
        return self.base.entries

    def gram_seconds(self, matrices, rows):
        """See ``ChunkedRows.gram_seconds``."""
        return self.base.gram_seconds(matrices, rows)

    def take(self, rows):
        """See ``Rows.take``."""
        return AffineRows(self.base.take(rows), self.maps)

    def features(self, index):
        """See ``Rows.features``."""
        own = index[: len(index) - int(self.fit_intercept)]
        return AffineRows(self.base.features(index), self.maps.features(own))

    def reweighted(self, factor):
        """See ``Rows.reweighted``."""
        return AffineRows(self.base.reweighted(factor), self.maps)

    def visit(self, coefficients, function):
        """See ``Rows.visit``."""
        self.base.visit(self.maps.to_columns(coefficients), function)

    def sweep(self, coefficients, function, kept=None):
        """See ``Rows.sweep``."""
        products, sums = self.base.sweep(self.maps.to_columns(coefficients), function, kept)
        return self.maps.to_features(products), sums

    def totals(self, function):
        """See ``Rows.totals``."""
        return self.base.totals(function)

    def keep(self, coefficients, function):
        """See ``Rows.keep``."""
        return self.base.keep(self.maps.to_columns(coefficients), function)

    def room(self, coefficients):
        """See ``Rows.room``."""
        return self.base.room(coefficients)

    def gram(self, coefficients, function, share, limit):
        """See ``Rows.gram``; of a matrix that the folds share each has its own map.

        A mean map would not do: what is collinear in one fold is all but collinear in another.
        """
        gram = self.base.gram(self.maps.to_columns(coefficients), function, share, limit)
        return self.maps.gram(gram)

    def joint_gram(self, coefficients, function, entries, known):
        """See ``Rows.joint_gram``."""
        return self.base.joint_gram(
            self.maps.to_columns(coefficients), function, entries, known, self.maps
        )

    def diagonal(self, coefficients, function):
        """Return the diagonal of ``gram``."""
        columns, d = self.maps.to_columns(coefficients), self.n_features
        squares = self.base.diagonal(columns, function)  # (S, K, m, p)
        if not self.fit_intercept:
            return squares * self.maps.scale[:, None] ** 2
        sums, _ = self.base.sweep(columns, lambda z, chunk: (function(z, chunk)[0], []))
        scale, shift = self.maps.scale[:, None], self.maps.shift[:, None]
        out = squares.clone()
        out[..., :d] = (
            scale**2 * squares[..., :d]
            + 2 * scale * shift * sums[0][..., :d]
            + shift**2 * squares[..., d:]
        )
        return out

    def frequent_gram(self, coefficients, function):
        """See ``Rows.frequent_gram``."""
        found = self.base.frequent_gram(self.maps.to_columns(coefficients), function)
        if found is None:
            return None
        index, gram = found
        own = index[0][: index.shape[1] - int(self.fit_intercept)]
        return index.expand(self.n_folds, -1), self.maps.features(own).gram(gram)

    def moments(self, found):
        """Return what ``fold_moments`` found of the columns as that of the features."""
        train, validation, centre, target_centre = found
        maps = self.maps
        # About a centre that is the columns' no shift is left but that of the centre.
        if self.fit_intercept:
            maps = FeatureMaps(maps.scale, torch.where(centre != 0, 0.0, maps.shift))

        def mapped(one):
            gram = maps.gram(one.gram[None, :, None])[0, :, 0]
            return replace(one, gram=gram, cross=maps.to_features(one.cross))

        moved = torch.where(centre != 0, centre * self.maps.scale + self.maps.shift, centre)
        return mapped(train), mapped(validation), moved, target_centre
