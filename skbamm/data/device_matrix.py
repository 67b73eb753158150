"""A matrix where it is worked on."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from skbamm.data.centring import far_centre, less
from skbamm.data.far_rows import FarRows
from skbamm.data.row_space import RowSpace
from skbamm.folds import over_ranges, threads_for_products

_COPIED = 1 << 26  # bytes of a copy that a CPU keeps
_STAGED = 1 << 22  # numbers of a part on its way to a GPU


class DeviceMatrix:
    """A matrix on the device of computation; a dense one is transferred once.

    Parameters
    ----------
    matrix : ndarray, CSR array or FarRows
    device : torch.device
    """

    def __init__(self, matrix: Any, device: torch.device):
        self.matrix, self.device = matrix, device
        self._tensors: dict[torch.dtype, Tensor] = {}
        self.blocks: dict = {}  # of a sparse one, what ``SparseRows`` makes of it
        self._centred: tuple[DeviceMatrix | None, np.ndarray | None] | None = None

    def tensor(self, dtype: torch.dtype) -> Tensor:
        """Return the dense matrix on its device, for passes in this precision.

        If a lower precision is requested, a copy is kept, which takes half the time to read.
        On a CPU, whose passes can convert some rows at a time, a large matrix has none.
        """
        whole = self._whole()
        large = self.device.type == "cpu" and self.matrix.size * dtype.itemsize > _COPIED
        if large or dtype.itemsize > whole.dtype.itemsize:
            return whole
        if dtype not in self._tensors:
            with threads_for_products():
                self._tensors[dtype] = whole.to(dtype)
        return self._tensors[dtype]

    def all_finite(self) -> bool:
        """Whether the matrix has neither NaN nor infinity; checked on its device."""
        sparse = sp.issparse(self.matrix)
        return _all_finite(_as_tensor(self.matrix.data) if sparse else self._whole())

    def centred(self) -> tuple[DeviceMatrix, np.ndarray | None]:
        """Return the matrix less what brings far features to zero, and that; see ``centring``."""
        if self._centred is None:
            centre = far_centre(self.matrix)
            moved = None if centre is None else DeviceMatrix(less(self.matrix, centre), self.device)
            self._centred = moved, centre
        moved, centre = self._centred
        return moved or self, centre  # no reference to itself: data are to be freed at once

    @cached_property
    def row_space(self) -> RowSpace:
        """The space that the rows of a dense matrix on the CPU span."""
        return RowSpace.of(self.matrix)

    def _whole(self) -> Tensor:
        """Return the dense matrix on its device, in its own precision."""
        if not self._tensors:
            far = isinstance(self.matrix, FarRows)
            tensor = self.matrix.tensor() if far else _as_tensor(self.matrix)
            if self.device.type != "cpu":
                tensor = tensor.to(self.device) if far else sent(tensor, self.device)
            self._tensors[tensor.dtype] = tensor
        return next(iter(self._tensors.values()))


def sent(tensor: Tensor, device: torch.device, part: int = _STAGED) -> Tensor:
    """Return a copy of a matrix on a GPU.

    A large one is copied in parts through pinned memory: while the GPU reads
    one part, the next is written, which takes a quarter of the time of a plain copy.
    """
    if tensor.numel() <= 4 * part or not tensor.is_contiguous():
        return tensor.to(device)
    pinned = device.type == "cuda"
    out, source = torch.empty(tensor.shape, dtype=tensor.dtype, device=device), tensor.view(-1)
    flat = out.view(-1)
    rooms = [torch.empty(part, dtype=tensor.dtype, pin_memory=pinned) for _ in range(2)]
    read: list[Any] = [torch.cuda.Event() if pinned else None for _ in rooms]
    with threads_for_products():
        for i, begin in enumerate(range(0, source.numel(), part)):
            room, event = rooms[i % 2], read[i % 2]
            if event is not None:
                event.synchronize()
            some = source[begin : begin + part]
            room = room[: len(some)].copy_(some)
            flat[begin : begin + part].copy_(room, non_blocking=True)
            if event is not None:
                event.record()
    return out


def _all_finite(tensor: Tensor) -> bool:
    if not tensor.numel():
        return True
    bad = []

    def look(begin: int, end: int) -> None:
        part = tensor[begin:end]
        # A finite sum has finite terms; an infinite one may just have grown too large.
        if not bool(torch.isfinite(part.sum())) and not bool(torch.isfinite(part).all()):
            bad.append(begin)

    over_ranges(len(tensor), tensor[0].nbytes, look, tensor.device)
    return not bad


def _as_tensor(array: np.ndarray) -> Tensor:
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read-only memory maps: nothing here writes to X
        return torch.from_numpy(array)
