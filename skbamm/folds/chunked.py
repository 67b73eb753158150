"""Passes over the rows in chunks, so that predictors never leave the cache.

X is never copied: it is converted to the working precision a chunk at a time, which costs next to
only the products.

Predictors are indexed by rows, outputs and columns, but lie in memory with the rows innermost:
there are always many rows in a chunk, and often few outputs and columns. So what is done with each
predictor runs along whole vectors, and sums over the outputs are sums of vectors.
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import is_
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from skbamm.effort import METER, gram_seconds, pass_seconds, spend
from skbamm.folds.chunks import ALONE, Range, chunk_ranges, over_chunks
from skbamm.folds.joint import is_batched, whole_joint_gram, with_ones
from skbamm.folds.protocol import Chunk, Kept
from skbamm.folds.weights import FoldWeights

_FEW, _FEW_ON_DEVICE = 1 << 20, 1 << 25  # numbers of a batched product
_WEIGHTS_SHARE = 5  # fraction of a matrix up to which its rows' weights are kept on a device
WORK = 6  # numbers that a function of the rows makes of each predictor, about


_Result = TypeVar("_Result")


class Block(Protocol):
    """Some rows of a matrix."""

    def predict(self, coefficients: Tensor) -> Tensor:
        """Return the predictors (columns, n) of coefficients (columns, p)."""
        ...

    def pull(self, flat: Tensor) -> Tensor:
        """Return ``flat X`` with, where there is an intercept, the sum over the rows last."""
        ...


class DenseBlock:
    """Some dense rows in the working precision; ``right`` is an entrywise map of X in X'."""

    def __init__(self, X: Tensor, fit_intercept: bool, right: Callable[[Tensor], Tensor] | None):
        self.X, self.fit_intercept, self.right = X, fit_intercept, right

    def predict(self, coefficients: Tensor) -> Tensor:
        """See ``Block.predict``."""
        if not self.fit_intercept:
            return coefficients @ self.X.T
        return torch.addmm(coefficients[:, -1:], coefficients[:, :-1], self.X.T)

    def pull(self, flat: Tensor) -> Tensor:
        """See ``Block.pull``."""
        product = flat @ (self.X if self.right is None else self.right(self.X))
        return torch.cat([product, flat.sum(1, keepdim=True)], 1) if self.fit_intercept else product


class ChunkedRows:
    """The passes over one matrix that all folds share, chunk by chunk.

    A kind of matrix adds which chunks there are, and the products with one of them.
    """

    n_rows: int
    n_folds: int
    n_features: int
    fit_intercept: bool
    dtype: torch.dtype
    device: torch.device
    target: Tensor
    weights: FoldWeights
    train_total: Tensor
    _target_in_dtype: tuple[Tensor, Tensor] | None = None  # the target and its converted copy
    _last_chunk: tuple[FoldWeights, int, int, int, Chunk] | None = None

    @property
    def matrices(self) -> Sequence[ChunkedRows]:
        """See ``Rows.matrices``."""
        return [self]

    @property
    def target_mean(self) -> float:
        """See ``Rows.target_mean``."""
        return float(self.target.double().mean())

    @property
    def train_rows(self) -> Tensor:
        """See ``Rows.train_rows``."""
        return self.weights.train_rows

    def _spend(self, columns: int, products: int = 2) -> None:
        """Count the cost of a pass with so many predictors for each row."""
        shape = self.n_rows, self.n_features
        if METER.get() is not None:
            spend(pass_seconds(shape, self.entries, columns, self.dtype, products))

    @property
    def entries(self) -> int:
        """Number of stored entries of the matrix, or of one fold's matrix."""
        return self.n_rows * self.n_features

    def gram_seconds(self, matrices: int, rows: int) -> float:
        """Return the cost of ``gram`` for so many matrices of so many rows, in counted seconds."""
        return gram_seconds(matrices, rows, self.n_features + int(self.fit_intercept))

    def _ranges(self, columns: int) -> list[Range]:
        """Return the chunks of a pass with so many predictors for each row."""
        cached = self.device.type == "cpu"  # the matrix, too
        width = self.n_features if cached else self._copied_features
        return chunk_ranges(self.n_rows, width + WORK * columns, self.device)

    @property
    def _n_bytes(self) -> int:
        """Bytes of the matrix."""
        return self.entries * self.dtype.itemsize

    @property
    def _copied_features(self) -> int:
        """Numbers of a row of the matrix that a pass makes copies of."""
        return self.n_features

    def _over(self, columns: int, work: Callable[[list[Range]], _Result]) -> list[_Result]:
        """Return the results of ``work`` on shares of the chunks of a pass."""
        if self.n_rows * (self.n_features + WORK * columns) <= ALONE:
            return [work([(0, self.n_rows)])]
        return over_chunks(self._ranges(columns), self.device, work)

    def _block(self, start: int, stop: int) -> Block:
        """Return the matrix of one chunk."""
        raise NotImplementedError

    def _dense(self, start: int, stop: int) -> Tensor:
        """Return the same as a dense matrix, (n, d)."""
        raise NotImplementedError

    def sweep(self, coefficients, function, kept=None):
        """See ``Rows.sweep``."""
        shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        self._spend(len(flat))

        def work(ranges):
            total = _Totals()
            for part in ranges:
                total.add(*of_chunk(*part))
            return total

        def of_chunk(start, stop):  # only one chunk is held at a time
            block = self._block(start, stop)
            z = blocks(predictors := block.predict(flat), shape)
            back, sums = function(z, self._chunk(start, stop, shape[1], kept))
            return block.pull(join(back, z, predictors)) if back else flat[:0], sums

        return _merge(self._over(len(flat), work)).result(shape)

    def joint_gram(self, coefficients, function, entries, known, maps=None):
        """See ``Rows.joint_gram``; ``maps`` are those of ``AffineRows``."""
        _, S, K, m, p = shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        if maps is not None:
            p = maps.n_features + int(self.fit_intercept)
        f, feature = len(entries), entries % p
        if METER.get() is not None:
            spend(gram_seconds(S * K, self.n_rows, f))
        old, new = ((entries[part] // p).tolist() for part in (slice(known), slice(known, f)))
        runs = [*_runs(old, m, 0), *_runs(new, m, known)]  # entries of the same output

        def work(ranges):
            total = torch.zeros(S * K, f, f - known, dtype=torch.float64, device=self.device)
            for start, stop in ranges:
                z = blocks(self._block(start, stop).predict(flat), shape)
                columns = function(z, self._chunk(start, stop, S))[0]
                shared, X = self._dense(start, stop).T, None
                if known == 0 and f == m * p and is_batched(stop - start, p, m, K):
                    parts = [shared] if maps is None else [maps.rows(shared, k) for k in range(K)]
                    X = with_ones(torch.stack(parts).mT, self.fit_intercept)
                    total += whole_joint_gram(X, columns, S).flatten(0, 1)
                    continue
                for k in range(S * K):
                    if X is None or maps is not None:
                        X = shared if maps is None else maps.rows(shared, k % K)
                        if self.fit_intercept:
                            X = torch.cat([X, X.new_ones(1, X.shape[1])])
                        X = X[feature]
                        left = torch.empty_like(X)
                    for output, begin, end in runs[m:]:
                        # What lies below the diagonal is known once all columns are.
                        weights = columns[output][..., k].T
                        for other, first, last in runs[: m + output + 1]:
                            torch.mul(X[first:last], weights[other], out=left[first:last])
                        part = left[:end] @ X[begin:end].T
                        total[k, :end, begin - known : end - known] += part
            return total

        total = sum(self._over(len(flat) + f, work))
        for _, begin, end in runs[m:]:
            above = total[:, known:begin, begin - known : end - known]
            total[:, begin:end, : begin - known] = above.mT
        return total.view(S, K, f, f - known)

    def keep(self, coefficients, function):
        """See ``Rows.keep``."""
        (kept,) = room = self.room(coefficients)

        def fill(z, chunk):
            kept[chunk.rows] = function(z[0], chunk).unflatten(2, kept.shape[2:])

        self.visit(coefficients, fill)
        return room

    def room(self, coefficients):
        """See ``Rows.room``."""
        _, S, K, m, _ = coefficients.shape
        kept = torch.empty(m, S, K, self.n_rows, dtype=self.dtype, device=self.device)
        return [kept.permute(3, 0, 1, 2)]

    def visit(self, coefficients, function):
        """See ``Rows.visit``."""
        shape = coefficients.shape
        flat = columns_of(coefficients, self.dtype)
        self._spend(len(flat), products=1)

        def work(ranges):
            for start, stop in ranges:
                function(
                    blocks(self._block(start, stop).predict(flat), shape),
                    self._chunk(start, stop, shape[1]),
                )

        self._over(len(flat), work)

    def totals(self, function):
        """See ``Rows.totals``."""

        def work(ranges):
            parts = [function(self._chunk(start, stop, 1)) for start, stop in ranges]
            return sum(part.sum(0, dtype=torch.float64) for part in parts)

        return sum(self._over(self.n_folds, work))

    def frequent_gram(self, coefficients, function):
        """See ``Rows.frequent_gram``."""
        return None

    def reweighted(self, factor):
        """See ``Rows.reweighted``."""
        rows = copy.copy(self)
        rows.weights = self.weights.reweighted(factor)
        return rows

    def with_folds(self, weights: FoldWeights):
        """Return the same rows in other folds."""
        rows = copy.copy(self)
        rows.weights, rows.n_folds = weights, weights.n_folds
        rows.train_total = weights.train_total
        return rows

    def _chunk(self, start: int, stop: int, starts: int, kept: Kept | None = None) -> Chunk:
        """Return the Chunk of some rows, for this number of starts."""
        known = self._last_chunk
        if known is not None and known[0] is self.weights and known[1:4] == (start, stop, starts):
            chunk = known[4]
        else:
            there = (
                self.device.type != "cpu" and self._n_bytes >= self.entries * self.dtype.itemsize
            )
            most = self._n_bytes // _WEIGHTS_SHARE if there else 0
            train, validation = self.weights.columns(start, stop, self.dtype, starts, most)
            chunk = Chunk(
                self._target(start, stop), train, validation,
                rows=slice(start, stop), folds=slice(0, self.weights.n_folds),
            )  # fmt: skip
            if train.numel() <= ALONE:  # all rows at once, most likely, and again soon
                self._last_chunk = self.weights, start, stop, starts, chunk
        if kept is None:
            return chunk
        return replace(chunk, kept=kept[0][start:stop].flatten(2))

    def _target(self, start: int, stop: int) -> Tensor:
        """Return the target of some rows in the working precision; on a device it is kept."""
        if self.device.type == "cpu":
            return self.target[start:stop].to(self.dtype)
        known = self._target_in_dtype
        if known is None or known[0] is not self.target:
            known = self._target_in_dtype = self.target, self.target.to(self.dtype)
        return known[1][start:stop]


def _runs(outputs: list[int], m: int, first: int) -> list[tuple[int, int, int]]:
    """Return each output and where its entries begin and end; the first is at ``first``."""
    ends = [first + bisect_left(outputs, output) for output in range(m + 1)]
    return list(zip(range(m), ends[:-1], ends[1:], strict=True))


def columns_of(coefficients: Tensor, dtype: torch.dtype) -> Tensor:
    """Return coefficients (r, S, K, m, p) as (r m C, p), in the order of the predictors."""
    return coefficients.permute(0, 3, 1, 2, 4).reshape(-1, coefficients.shape[-1]).to(dtype)


def blocks(z: Tensor, shape: torch.Size) -> list[Tensor]:
    """Cut predictors (r m C, n) into r views (n, m, C)."""
    r, S, K, m, _ = shape
    return list(z.view(r, m, S * K, -1).permute(0, 3, 1, 2))


def join(back: list[Tensor], z: Sequence[Tensor] = (), predictors: Tensor | None = None) -> Tensor:
    """Concatenate the results of a row function, (r' m C, n).

    What it wrote in the place of all predictors, whose blocks are z, is there already.
    """
    if predictors is not None and len(back) == len(z) and all(map(is_, back, z)):
        return predictors
    flat = [part.permute(1, 2, 0).reshape(-1, part.shape[0]) for part in back]
    return flat[0] if len(flat) == 1 else torch.cat(flat)


def weighted_gram(X: Tensor, weights: Tensor) -> Tensor:
    """``X' diag(w) X`` for each of the weights w (g, n), (g, d, d)."""
    if X.numel() * len(weights) <= (_FEW if X.device.type == "cpu" else _FEW_ON_DEVICE):
        return (X.T[None] * weights[:, None, :]) @ X
    return torch.stack([(X * w[:, None]).T @ X for w in weights])


class _Totals:
    """Adds up the chunks of a pass, in float64; one alone stays in its own precision."""

    def __init__(self) -> None:
        self.products: Tensor | None = None
        self.sums: list[Tensor] | None = None

    def add(self, product: Tensor, sums: list[Tensor]) -> None:
        """Add a chunk's product (r' m C, p), and what is to be summed over its rows."""
        sums = [part.sum(0) for part in sums]
        if self.products is None or self.sums is None:
            self.products, self.sums = product, [part.double() for part in sums]
            return
        self._plus(product, sums)

    def _plus(self, product: Tensor, sums: list[Tensor]) -> None:
        assert self.products is not None and self.sums is not None
        if self.products.dtype != torch.float64:
            self.products = self.products.double()
        self.products += product
        for total, part in zip(self.sums, sums, strict=True):
            total += part

    def result(self, shape: torch.Size) -> tuple[Tensor, list[Tensor]]:
        """Return products (r', S, K, m, p) and sums (S, K)."""
        assert self.products is not None and self.sums is not None
        _, S, K, m, _ = shape
        count = len(self.products) // (m * S * K)
        products = self.products.unflatten(0, (count, m, S, K)).permute(0, 2, 3, 1, 4)
        return products, [part.view(S, K) for part in self.sums]


def _merge(totals: list[_Totals]) -> _Totals:
    """Add up what several threads found."""
    first, *others = totals
    for other in others:
        assert other.products is not None and other.sums is not None
        first._plus(other.products, other.sums)
    return first
