"""A pretended GPU, so that code for one is tested where there is none.

Its tensors hold their numbers on the CPU and say that they are elsewhere: on torch's "meta" device,
whose name is the only part of it that is used. What a real GPU refuses is refused, and by the same
kind of error: operations on tensors of both, and NumPy's view of one. What it would answer with
other digits is answered with the CPU's, so that results must be equal to the last digit.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "meta"
_DEVICE = torch.device(NAME)
_aten = torch.ops.aten
_COPIES = (_aten._to_copy.default, _aten.copy_.default)
_WAITED_FOR = (_aten._local_scalar_dense.default, _aten.equal.default, _aten.nonzero.default)
_INDEXED = (_aten.index.Tensor, _aten.index_put_.default, _aten._index_put_impl_.default)


waits: list[str] = []  # operations that a real GPU would be waited for with
sent: list[tuple[str, int]] = []  # how many numbers were copied "there", and "home"


@contextmanager
def pretended_gpu() -> Iterator[str]:
    """Make `torch.device(NAME)` a GPU while the context lasts, and return its name."""
    with _Functions(), _Operations():
        yield NAME


class Memory:
    """Bytes that tensors on the pretended GPU hold, now and at most."""

    def __init__(self):
        self.now = self.most = 0
        self._holders: Counter[int] = Counter()  # tensors of a storage, by its address

    def restart(self) -> None:
        self.most = self.now

    def hold(self, tensor, storage) -> None:
        place, size = storage._cdata, storage.nbytes()
        self.now += 0 if self._holders[place] else size
        self._holders[place] += 1
        self.most = max(self.most, self.now)
        weakref.finalize(tensor, self._let_go, place, size)

    def _let_go(self, place: int, size: int) -> None:
        self._holders[place] -= 1
        self.now -= 0 if self._holders[place] else size


memory = Memory()


class _Far(torch.Tensor):
    """A tensor on the pretended GPU."""

    @staticmethod
    def __new__(cls, near):
        return torch.Tensor._make_wrapper_subclass(
            cls, near.size(), strides=near.stride(), storage_offset=near.storage_offset(),
            dtype=near.dtype, device=_DEVICE,
        )  # fmt: skip

    def __init__(self, near):
        self.near = near
        memory.hold(self, near.untyped_storage())

    def __repr__(self):
        return f"far {self.near!r}"

    def tolist(self):
        waits.append("tolist")
        return self.near.tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _call(function, args, kwargs or {})


class _Operations(TorchDispatchMode):
    """Sees also the operations that make tensors of none."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _call(function, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """Sees what torch would make of Python's numbers on a device: meta tensors without numbers."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        if function is torch.Tensor.new_tensor and isinstance(args[0], _Far):
            kwargs.setdefault("dtype", args[0].dtype)
            return torch.tensor(*args[1:], **kwargs).to(_DEVICE)
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            index = tuple(map(_index, args[1])) if isinstance(args[1], tuple) else _index(args[1])
            args = args[0], index, *args[2:]
        return function(*args, **kwargs)


def _index(part):
    return torch.tensor(part, dtype=None if part else torch.int64) if type(part) is list else part


def _call(function, args, kwargs):
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    far = [t for t in tensors if isinstance(t, _Far)]
    # Sparse matrices cannot be wrapped: they are wherever they are needed.
    near = [t for t in tensors if not isinstance(t, _Far) and t.layout is torch.strided]
    if any(t.device == _DEVICE for t in near):
        raise RuntimeError(f"{function}: a tensor was made behind the pretended GPU's back")
    indexed = function in _INDEXED and isinstance(args[0], _Far)  # by numbers of rows from the CPU
    if indexed and len(args) > 2:
        indexed = isinstance(args[2], _Far) or args[2].ndim == 0
    if far and function not in _COPIES and not indexed and any(t.ndim for t in near):
        raise RuntimeError(f"{function}: expected all tensors to be on the same device")

    if torch.Tag.inplace_view in function.tags and far:  # it changes the shape of both
        function(*tree_map(_near, args), **kwargs)
        with no_dispatch():
            function(*args, **kwargs)
        return args[0]
    goes_far = bool(far) if function is not _aten.copy_.default else isinstance(args[0], _Far)
    if kwargs.get("device") is not None:
        goes_far = torch.device(kwargs["device"]) == _DEVICE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    home = function is _aten._to_copy.default and not goes_far
    if far and (function in _WAITED_FOR or home):
        waits.append(str(function))
    if function in _COPIES:
        _note_copy(function, args, goes_far)
    out = function(*tree_map(_near, args), **tree_map(_near, kwargs))
    same = {id(t.near): t for t in far} if function._schema.is_mutable else {}

    def place(t):
        if not isinstance(t, torch.Tensor) or t.layout is not torch.strided:
            return t
        return same.get(id(t)) if id(t) in same else _Far(t) if goes_far else t

    return tree_map(place, out)


def _note_copy(function, args, goes_far):
    source = args[1] if function is _aten.copy_.default else args[0]
    if isinstance(source, _Far) != goes_far:
        sent.append(("there" if goes_far else "home", source.numel()))


def _near(t):
    return t.near if isinstance(t, _Far) else t
