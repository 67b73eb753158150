"""A matrix where it is worked on."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from skbamm.folds import over_ranges

_PIECE = 1 << 26  # bytes that travel at a time


class Placed:
    """A matrix where it is worked on: a dense one goes to a device once, whoever asks for it.

    Parameters
    ----------
    matrix : ndarray or CSR array
    device : torch.device
    """

    def __init__(self, matrix: Any, device: torch.device):
        self.matrix, self.device = matrix, device
        self._tensors: dict[torch.dtype, Tensor] = {}

    def tensor(self, dtype: torch.dtype) -> Tensor:
        """Return the dense matrix on its device, for passes in this precision.

        On a CPU, whose passes convert some rows at a time, it is the matrix itself. Another
        device keeps a copy in a lower precision, if one is asked for: to read that takes half as
        long.
        """
        if not self._tensors:
            tensor = to_device(_as_tensor(self.matrix), self.device)
            self._tensors[tensor.dtype] = tensor
        (own, *_) = self._tensors
        if self.device.type == "cpu" or dtype.itemsize > own.itemsize:
            return self._tensors[own]
        if dtype not in self._tensors:
            self._tensors[dtype] = self._tensors[own].to(dtype)
        return self._tensors[dtype]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a copy on a device, or the tensor itself if that is where it is.

    It travels to a GPU in pieces by way of page-locked memory, which all threads fill with one
    piece while the one before is on its way: several times as fast as in one go.
    """
    if device.type != "cuda" or tensor.nbytes < 2 * _PIECE:
        return tensor.to(device)
    there = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    rows = max(1, _PIECE * len(tensor) // tensor.nbytes)
    locked = [torch.empty_like(there[:rows], device="cpu", pin_memory=True) for _ in range(2)]
    gone = [torch.cuda.Event() for _ in locked]
    for piece, start in enumerate(range(0, len(tensor), rows)):
        turn = piece % 2
        gone[turn].synchronize()
        part, room = tensor[start : start + rows], locked[turn]

        def fill(begin: int, end: int, part: Tensor = part, room: Tensor = room) -> None:
            room[begin:end] = part[begin:end]

        over_ranges(len(part), tensor[0].nbytes, fill)
        there[start : start + rows].copy_(room[: len(part)], non_blocking=True)
        gone[turn].record()
    torch.cuda.synchronize(device)
    return there


def all_finite(matrix: Any) -> bool:
    """Whether an array or a CSR matrix has neither NaN nor infinity."""
    values = matrix.data if sp.issparse(matrix) else matrix
    if not values.size:
        return True
    tensor, bad = _as_tensor(values), []

    def look(begin: int, end: int) -> None:
        part = tensor[begin:end]
        # Where the sum is finite all are; it may also have grown too large.
        if not bool(torch.isfinite(part.sum())) and not bool(torch.isfinite(part).all()):
            bad.append(begin)

    over_ranges(len(tensor), tensor[0].nbytes, look)
    return not bad


def _as_tensor(array: np.ndarray) -> Tensor:
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read-only memory maps: nothing here writes to X
        return torch.from_numpy(array)
