"""Folds as columns of row weights.

Weights, not masks: bootstrap and repeated indices, overlapping test sets, class weights that are
recomputed a fold and the user's sample weights all live in them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skbamm.folds.chunks import chunk_ranges

_KEPT = 1 << 20  # weights of all rows up to which a pass keeps them for the next


class FoldWeights:
    """Training and validation weights of all rows in all folds.

    Parameters
    ----------
    n_rows : int
    splits : list of (train, test)
        Row indices or boolean masks, as a scikit-learn splitter yields them.
    fit_weight : ndarray of shape (n_rows,), optional
        Sample weights of the training loss.
    score_weight : ndarray of shape (n_rows,), optional
        Sample weights of the validation loss.
    row_class : ndarray of int of shape (n_rows,), optional
        Class of each row, needed with ``class_weight``.
    class_weight : callable, optional
        Maps the training rows of a fold, with repeats, to the weight of each class.
    device : torch.device

    Attributes
    ----------
    train_total, validation_total : Tensor of shape (K,), float64
        Sums of the weights of each fold.
    train_rows : Tensor of shape (K,), float64
        Number of each fold's training rows, with repeats, whatever they weigh.
    """

    def __init__(
        self,
        n_rows,
        splits,
        *,
        fit_weight=None,
        score_weight=None,
        row_class=None,
        class_weight=None,
        device="cpu",
    ):
        self.n_rows, self.n_folds, self.device = n_rows, len(splits), torch.device(device)
        self._train, trained = self._counts(train for train, _ in splits)
        self._validation, validated = self._counts(test for _, test in splits)
        self._fit_weight = self._vector(fit_weight)
        self._score_weight = self._vector(score_weight)
        self._class, self._class_weight = None, None
        self._factor: Tensor | None = None  # of training weights, (n, 1 or K)
        self._kept: dict[tuple, tuple[Tensor, Tensor]] = {}  # columns of few rows
        if class_weight is not None:
            columns = [class_weight(_indices(train, n_rows)) for train, _ in splits]
            table = np.stack(columns, 1)  # (classes, K)
            self._class_weight = torch.as_tensor(table, dtype=torch.float64, device=self.device)
            self._class = torch.as_tensor(
                np.ascontiguousarray(row_class), dtype=torch.int64, device=self.device
            )
        self.train_rows = trained
        self.train_total, self.validation_total = trained, validated
        if any(weight is not None for weight in (fit_weight, score_weight, class_weight)):
            self.train_total, self.validation_total = self._totals()

    def chunk(self, start: int, stop: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return the training and validation weights (rows, K) of rows start to stop.

        Each fold's weights sum to one, so that losses come out as weighted means.
        """
        train, validation = self._raw(start, stop, dtype)
        return train / _divisor(self.train_total, dtype), validation / _divisor(
            self.validation_total, dtype
        )

    def columns(
        self, start: int, stop: int, dtype: torch.dtype, starts: int, most: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Return the same for several starts, (rows, starts K), the rows innermost in memory.

        Weights of the last passes are kept, if there are few, or in up to ``most`` bytes.
        """
        key = start, stop, dtype, starts
        if key in self._kept:
            return self._kept[key]
        train, validation = self.chunk(start, stop, dtype)
        found = train.T.repeat(starts, 1).T, validation.T.repeat(starts, 1).T
        numbers = self.n_rows * self.n_folds * starts
        few, room = numbers <= _KEPT, 2 * numbers * dtype.itemsize <= most
        if few or room:
            held = sum(2 * part.nbytes for part, _ in self._kept.values())
            if room and not few and held + 2 * found[0].nbytes > most:
                self._kept.clear()
            self._kept[key] = found
        return found

    def complementary(self) -> bool:
        """Whether the folds' test rows part all rows, and each fold trains on the others.

        The training weights of a row are then the same in all folds that train on it.
        """
        if self._class_weight is not None or self._factor is not None:
            return False
        return bool(((self._train + self._validation) == 1).all()) and bool(
            (self._validation.sum(1) == 1).all()
        )

    def same_weights(self) -> bool:
        """Whether training and validation weights of rows are equal."""
        fit, score = self._fit_weight, self._score_weight
        return (fit is None and score is None) or (
            fit is not None and score is not None and bool((fit == score).all())
        )

    def nonzero(self, k: int, part: str) -> tuple[Tensor, Tensor | None]:
        """Return the rows that fold k trains or validates on, and their weights (None: ones)."""
        counts = (self._train if part == "train" else self._validation)[:, k]
        index = torch.nonzero(counts).flatten()
        weight = counts[index].double()
        own = self._fit_weight if part == "train" else self._score_weight
        plain = own is None and bool((weight == 1).all())
        if own is not None:
            weight = weight * own[index]
        if part == "train" and self._factor is not None:
            column = k if self._factor.shape[1] > 1 else 0
            weight, plain = weight * self._factor[index, column], False
        if part == "train" and self._class_weight is not None:
            assert self._class is not None
            return index, weight * self._class_weight[self._class[index], k]
        return index, None if plain else weight

    def left_out(self, k: int) -> tuple[Tensor, Tensor | None]:
        """Return the rows that fold k does not train on, with their training weights."""
        index = torch.nonzero(self._validation[:, k]).flatten()
        return index, None if self._fit_weight is None else self._fit_weight[index]

    def fold(self, k: int) -> FoldWeights:
        """Return fold k alone."""
        one = self._like(n_folds=1)
        for name in ("_train", "_validation", "_class_weight", "_factor"):
            value = getattr(self, name)
            wide = value is not None and value.shape[1] > 1
            setattr(one, name, value[:, k : k + 1] if wide else value)
        one.train_total = self.train_total[k : k + 1]
        one.train_rows = self.train_rows[k : k + 1]
        one.validation_total = self.validation_total[k : k + 1]
        return one

    def reweighted(self, factor: Tensor) -> FoldWeights:
        """Return the weights with training weights times ``factor``, of shape (n,) or (n, K).

        Their divisor stays: they sum to one only if the mean factor is one.
        """
        other = self._like()
        factor = factor[:, None] if factor.ndim == 1 else factor
        other._factor = factor if self._factor is None else self._factor * factor
        return other

    def take(self, rows: np.ndarray) -> FoldWeights:
        """Return the weights of some of the rows, which sum to one again.

        ``train_rows`` stays, since it scales the penalty.
        """
        some = self._like(n_rows=len(rows))
        index = torch.as_tensor(rows, device=self.device)
        parts = ("_train", "_validation", "_fit_weight", "_score_weight", "_class", "_factor")
        for name in parts:
            value = getattr(self, name)
            setattr(some, name, None if value is None else value[index])
        some.train_total, some.validation_total = some._totals()
        return some

    def _like(self, **changes) -> FoldWeights:
        other = object.__new__(FoldWeights)
        other.__dict__.update({**self.__dict__, "_kept": {}, **changes})
        return other

    def _raw(self, start, stop, dtype):
        rows = slice(start, stop)
        train = self._train[rows].to(dtype)
        validation = self._validation[rows].to(dtype)
        if self._fit_weight is not None:
            train = train * self._fit_weight[rows, None].to(dtype)
        if self._class_weight is not None:
            assert self._class is not None
            train = train * self._class_weight[self._class[rows]].to(dtype)
        if self._factor is not None:
            train = train * self._factor[rows].to(dtype)
        if self._score_weight is not None:
            validation = validation * self._score_weight[rows, None].to(dtype)
        return train, validation

    def _totals(self):
        # Some rows at a time: no matrix of as many numbers as there are rows and folds is made.
        ranges = chunk_ranges(self.n_rows, self.n_folds, self.device)
        parts = [self._raw(start, stop, torch.float64) for start, stop in ranges]
        return tuple(torch.stack([p[i].sum(0) for p in parts]).sum(0) for i in (0, 1))

    def _counts(self, parts) -> tuple[Tensor, Tensor]:
        """Multiplicity of each row in each fold's part, as bytes if possible.

        And how many rows each part has, (K,), float64.
        """
        # The rows lie innermost, as they do in a pass.
        counts, sizes = np.zeros((self.n_folds, self.n_rows), dtype=np.uint8).T, []
        for k, part in enumerate(parts):
            index = _indices(part, self.n_rows)
            sizes.append(len(index))
            once = counts[:, k]
            once[index] = 1
            if np.count_nonzero(once) == len(index):
                continue
            count = np.bincount(index, minlength=self.n_rows)
            if count.max() > np.iinfo(counts.dtype).max:
                counts = counts.astype(np.int32)
            counts[:, k] = count
        total = torch.tensor(sizes, dtype=torch.float64, device=self.device)
        return torch.as_tensor(counts, device=self.device), total

    def _vector(self, weight):
        if weight is None:
            return None
        # A copy: what is given may not be writable, as a pandas Series is not. Views that go
        # backwards are none of torch's.
        own = np.ascontiguousarray(weight)
        return torch.tensor(own, dtype=torch.float64, device=self.device)


def _indices(rows, n_rows) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.dtype == bool:
        return np.flatnonzero(rows)
    return rows if rows.min(initial=0) >= 0 else np.arange(n_rows)[rows]


def _divisor(total, dtype):
    """Return a divisor that is never zero: the fit on all rows has no validation rows."""
    return torch.where(total > 0, total, 1.0).to(dtype)
