"""Rows that folds share up to a scale and a shift of each feature.

A StandardScaler in a pipeline makes different features in every fold, but each is the same column,
times one number and plus another. All folds then share one matrix: coefficients are mapped before a
pass, products after it, and no fold has its own copy.
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
    owner : Tensor of int of shape (e,)
        The shared matrix may have e more columns: each is part of this feature.
    factor : Tensor of shape (K, e), float64
        Factors of these columns before they are added to their features.
    """

    scale: Tensor
    shift: Tensor
    owner: Tensor
    factor: Tensor

    @classmethod
    def of(cls, scale: Tensor, shift: Tensor) -> FeatureMaps:
        """Return maps of a matrix that has a column for each feature."""
        none = scale.new_empty(0, dtype=torch.int64)
        return cls(scale, shift, none, scale.new_empty(len(scale), 0))

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.scale.shape[1]

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
        """Return fold k's features (d, n) of columns (d + e, n), each a row here."""
        scale, shift, factor = (
            part[k, :, None].to(columns.dtype) for part in (self.scale, self.shift, self.factor)
        )
        found = torch.addcmul(shift, columns[: self.n_features], scale)
        return found.index_add_(0, self.owner, columns[self.n_features :] * factor)

    def features(self, index: Tensor) -> tuple[FeatureMaps, Tensor]:
        """Return the maps of some features, and which columns these need."""
        place = self.owner.new_full((self.n_features,), -1)
        place[index] = torch.arange(len(index), device=index.device)
        more = (place[self.owner] >= 0).nonzero()[:, 0]
        maps = FeatureMaps(
            self.scale[:, index], self.shift[:, index],
            place[self.owner[more]], self.factor[:, more],
        )  # fmt: skip
        return maps, torch.cat([index, self.n_features + more])

    def _apply(self, values: Tensor, *, into_last: bool, lead: int) -> Tensor:
        """Multiply the last dimension by each fold's map or its transpose.

        ``lead`` dimensions stand between that of the folds and the last.
        """
        d, more = self.n_features, len(self.owner)
        scale, shift, factor = (
            part.to(values.dtype).view(len(part), *[1] * lead, part.shape[1])
            for part in (self.scale, self.shift, self.factor)
        )
        if into_last:
            slopes, last = values[..., :d], values[..., d:]
            parts = [slopes * scale]
            if more:
                parts.append(slopes[..., self.owner] * factor)
            if last.shape[-1]:  # there are no shifts without an intercept
                parts.append(last + (slopes * shift).sum(-1, keepdim=True))
            return torch.cat(parts, -1)
        slopes, last = values[..., :d] * scale, values[..., d + more :]
        if more:
            slopes.index_add_(-1, self.owner, values[..., d : d + more] * factor)
        if not last.shape[-1]:
            return slopes
        slopes.addcmul_(last, shift)
        return torch.cat([slopes, last.expand(*slopes.shape[:-1], 1)], -1)


class AffineRows:
    """A matrix that all folds share, with each fold's scale and shift of every column.

    Parameters
    ----------
    base : DenseRows or SparseRows
        The shared columns. Without an intercept, no shifts are allowed.
    maps : FeatureMaps
        Of the folds of ``base``.
    """

    def __init__(self, base, maps: FeatureMaps):
        self.base, self.maps = base, maps
        self.device, self.dtype = base.device, base.dtype
        self.n_rows, self.n_folds = base.n_rows, base.n_folds
        self.n_features, self.fit_intercept = maps.n_features, base.fit_intercept
        self.n_coefficients = self.n_features + int(base.fit_intercept)
        self.target, self.weights = base.target, base.weights

    @property
    def matrices(self):
        """See ``Rows.matrices``."""
        return [self]

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
        maps, columns = self.maps.features(index[: len(index) - int(self.fit_intercept)])
        if self.fit_intercept:
            columns = torch.cat([columns, columns.new_tensor([self.base.n_features])])
        return AffineRows(self.base.features(columns), maps)

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
        """See ``Rows.gram``; the folds share a matrix, and each has its own map.

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
        """Return the diagonal of ``gram``, except for columns that are parts of features."""
        columns, d = self.maps.to_columns(coefficients), self.n_features
        squares = self.base.diagonal(columns, function)  # (S, K, m, p)
        scale, shift = self.maps.scale[:, None], self.maps.shift[:, None]
        if not self.fit_intercept:
            return squares[..., :d] * scale**2
        sums, _ = self.base.sweep(columns, lambda z, chunk: (function(z, chunk)[0], []))
        total = squares[..., -1:]
        slopes = scale**2 * squares[..., :d] + 2 * scale * shift * sums[0][..., :d]
        return torch.cat([slopes + shift**2 * total, total], -1)

    def frequent_gram(self, coefficients, function):
        """See ``Rows.frequent_gram``."""
        if len(self.maps.owner):
            return None
        found = self.base.frequent_gram(self.maps.to_columns(coefficients), function)
        if found is None:
            return None
        index, gram = found
        own = index[0][: index.shape[1] - int(self.fit_intercept)]
        return index.expand(self.n_folds, -1), self.maps.features(own)[0].gram(gram)

    def moments(self, found):
        """Return what ``fold_moments`` found of the columns as that of the features."""
        train, validation, centre, target_centre = found
        centre, more = centre[:, : self.n_features], centre[:, self.n_features :]
        # About a centre that is the columns' no shift is left but that of the centre.
        maps = replace(self.maps, shift=torch.where(centre != 0, 0.0, self.maps.shift))

        def mapped(one):
            gram = maps.gram(one.gram[None, :, None])[0, :, 0]
            return replace(one, gram=gram, cross=maps.to_features(one.cross))

        moved = torch.where(centre != 0, centre * self.maps.scale + self.maps.shift, 0.0)
        moved.index_add_(1, self.maps.owner, more * self.maps.factor)
        return mapped(train), mapped(validation), moved, target_centre
