"""Rows on a device, as seen by scikit-learn: only requested rows are copied to the CPU.

scikit-learn's search takes rows of X for every candidate and fold. Of these it gets others of this
kind, which hold nothing; what turns one into a NumPy array copies its rows from the device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler
from torch import Tensor

_NEAR = ("cpu", "mps")  # devices that are none, or have no double precision
_DLPACK_CPU = 1  # the number of the CPU among the devices of DLPack
SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler)  # that can be fitted on a device
_FEW, _PART = 1 << 21, 1 << 23  # numbers that are kept at home, and worked on at a time
_CONSTANT = 100.0  # roundings of a mean up to which a deviation is none


class FarRows:
    """Rows of a matrix on a device.

    Parameters
    ----------
    matrix : Tensor of shape (n, d)
    rows : ndarray of int, optional
        Which of its rows these are, if not all.
    """

    ndim = 2

    def __init__(self, matrix: Tensor, rows: np.ndarray | None = None):
        self.matrix, self.rows = matrix, rows
        self._some: dict[tuple, FarRows] = {}  # evenly spaced rows, which several checks use
        self._home: np.ndarray | None = None  # few requested rows

    def __len__(self):
        return len(self.matrix) if self.rows is None else len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.matrix.shape[1]

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self) * self.matrix.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Precision, as NumPy names it."""
        return np.dtype(np.float32 if self.matrix.dtype == torch.float32 else np.float64)

    @property
    def device(self) -> torch.device:
        """The device of the rows."""
        return self.matrix.device

    def __getitem__(self, key):
        alone = key[0] if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis else key
        if isinstance(alone, tuple | int | np.integer):
            return np.asarray(self)[key]
        if self.rows is not None:
            return FarRows(self.matrix, self.rows[alone])
        if isinstance(alone, slice):
            ends = alone.indices(len(self))
            if ends not in self._some:
                self._some[ends] = FarRows(self.matrix, np.arange(*ends))
            return self._some[ends]
        return FarRows(self.matrix, np.arange(len(self))[alone])

    def __array__(self, dtype=None, copy=None):
        found = self._home
        if found is None:
            found = self.tensor().cpu().numpy()
            self._home = found if found.size <= _FEW else None
        return np.array(found, dtype, copy=copy or None)

    def __reduce__(self):
        return np.asarray, (np.asarray(self),)  # other processes have no such device

    def __matmul__(self, other):
        """Return the product with a matrix (d, m), at home."""
        right = torch.as_tensor(other, device=self.device)
        out = torch.empty(len(self), right.shape[1], dtype=right.dtype, device=self.device)
        for start, stop in self._ranges():
            torch.matmul(self._part(start, stop).to(right.dtype), right, out=out[start:stop])
        return out.cpu().numpy()

    def tensor(self) -> Tensor:
        """Return the rows where they lie: the matrix itself if they are all of its rows."""
        return self.matrix if self.rows is None else self._part(0, len(self))

    def less(self, centre: np.ndarray) -> FarRows:
        """Return the rows less a centre (d,), on the device."""
        moved = torch.as_tensor(centre, dtype=self.matrix.dtype, device=self.device)
        return FarRows(self.tensor() - moved)

    def standardized(self) -> tuple[FarRows, np.ndarray, np.ndarray]:
        """Return all columns with mean 0 and deviation 1, in double precision, and both."""
        mean, variance = self.moments()
        spread = variance.sqrt()
        rounding = _CONSTANT * torch.finfo(torch.float64).eps
        spread = torch.where(spread <= rounding * mean.abs(), 1.0, spread)
        values = (self.tensor().double() - mean) / spread
        return FarRows(values), mean.cpu().numpy(), spread.cpu().numpy()

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return the mean and the variance of each column, in double precision."""
        total = sum(part.double().sum(0) for part in self._parts())
        mean = total / len(self)
        squares = sum((part.double() - mean).square().sum(0) for part in self._parts())
        return mean, squares / len(self)

    def ends(self) -> np.ndarray:
        """Return the least and the largest entry of each column, (2, d)."""
        lows, highs = zip(*((part.amin(0), part.amax(0)) for part in self._parts()), strict=True)
        low, high = torch.stack(lows).amin(0), torch.stack(highs).amax(0)
        return torch.stack([low, high]).cpu().numpy()

    def _parts(self):
        return (self._part(*part) for part in self._ranges())

    def _ranges(self):
        size = max(1, _PART // max(1, self.matrix.shape[1]))
        return [(a, min(a + size, len(self))) for a in range(0, len(self), size)]

    def _part(self, start: int, stop: int) -> Tensor:
        if self.rows is None:
            return self.matrix[start:stop]
        return self.matrix[torch.as_tensor(self.rows[start:stop], device=self.device)]


def far_rows(array: Any) -> FarRows | None:
    """Return the rows of a dense matrix that lies on a GPU; None of anything else.

    It is not copied unless its numbers are of a kind that no model works with.
    """
    tensor = array
    if not isinstance(array, torch.Tensor):
        there = getattr(array, "__dlpack_device__", None)
        if there is None or there()[0] == _DLPACK_CPU:
            return None
        tensor = torch.from_dlpack(array)
    plain = tensor.layout is torch.strided and tensor.ndim == 2 and not tensor.is_complex()
    if not plain or tensor.device.type in _NEAR:
        return None
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()  # as NumPy, which has no such numbers, is given it
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.double()
    return FarRows(tensor)


def at_home(rows: Any) -> Any:
    """Return rows as what works on the CPU takes them."""
    return np.asarray(rows) if isinstance(rows, FarRows) else rows


def with_rows_at_home(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of rows, or a scorer, that gets them on the CPU wherever they are."""

    @wraps(function)
    def call(*args, **kwargs):
        return function(*map(at_home, args), **kwargs)

    return call


def fit_far(scaler: Any, rows: FarRows) -> None:
    """Fit a scaler to rows on a device, as its own fit would to rounding.

    It is fitted to two rows that have the same extremes, or nearly the same moments.
    """
    n = len(rows)
    if type(scaler) is not StandardScaler:
        scaler.fit(rows.ends())
        scaler.n_samples_seen_ = n
        return
    mean, variance = (part.cpu().numpy() for part in rows.moments())
    spread = np.sqrt(variance)
    scaler.fit(np.stack([mean - spread, mean + spread]).astype(rows.dtype))
    scaler.n_samples_seen_ = type(scaler.n_samples_seen_)(n)
    if scaler.mean_ is not None:
        scaler.mean_ = mean
    if scaler.with_std:
        rounding = np.finfo(np.float64).eps
        constant = variance <= n * rounding * variance + (n * mean * rounding) ** 2
        scaler.var_, scaler.scale_ = variance, np.where(constant, 1.0, spread)
