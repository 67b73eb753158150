"""Nested dicts, lists and tuples of tensors as one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def flatten(tree: Any, name: str) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Join all leaves of ``tree`` in one vector.

    Parameters
    ----------
    tree : Tensor, or nested dict, list or tuple of them
    name : str
        Its name in error messages.

    Returns
    -------
    vector : Tensor of shape (n,)
        A copy, without a graph.
    rebuild : callable
        Maps a vector to a tree of the same structure, by views, so that gradients pass.
    """
    leaves: list[Tensor] = []
    _collect(tree, name, leaves)
    if not leaves:
        raise ValueError(f"{name} has no tensor, got {tree!r}.")
    first = leaves[0]
    for leaf in leaves:
        if leaf.dtype != first.dtype or leaf.device != first.device:
            raise ValueError(
                f"All tensors of {name} must have one dtype and device, got {first.dtype} on "
                f"{first.device} and {leaf.dtype} on {leaf.device}."
            )
    shapes = [leaf.shape for leaf in leaves]
    vector = torch.cat([leaf.detach().reshape(-1) for leaf in leaves]).clone()

    def rebuild(values: Tensor) -> Any:
        parts = values.split([shape.numel() for shape in shapes])
        views = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        return _restore(tree, iter(views))

    return vector, rebuild


def _collect(tree, name, leaves) -> None:
    if isinstance(tree, Tensor):
        if not tree.is_floating_point():
            raise ValueError(f"{name} must be of a float dtype, got {tree.dtype}.")
        leaves.append(tree)
    elif isinstance(tree, dict):
        for key, child in tree.items():
            _collect(child, f"{name}[{key!r}]", leaves)
    elif isinstance(tree, list | tuple):
        for i, child in enumerate(tree):
            _collect(child, f"{name}[{i}]", leaves)
    else:
        raise TypeError(
            f"{name} must be a tensor or a nested dict, list or tuple of tensors, "
            f"got {type(tree).__name__}."
        )


def _restore(tree, views) -> Any:
    if isinstance(tree, Tensor):
        return next(views)
    if isinstance(tree, dict):
        return {key: _restore(child, views) for key, child in tree.items()}
    parts = [_restore(child, views) for child in tree]
    if hasattr(tree, "_fields"):  # a named tuple
        return type(tree)(*parts)
    return type(tree)(parts)
