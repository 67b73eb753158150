"""Keys by which candidates are found again, whatever their values are."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import pickle
import sys
from types import FunctionType
from typing import Any

import numpy as np

OWN_SCORE = "own score"  # the key of what an estimator's ``score`` returns
_nothing_like_it = itertools.count()


def candidate_key(params: dict[str, Any]) -> str:
    """Return a key that is the same for equal settings, deep copies and clones included.

    A value that cannot be compared, such as one that does not pickle, has a unique key, and
    its own fit: as it would be without keys.
    """
    buffer = io.BytesIO()
    pickler = _Structure(buffer, protocol=5)
    pickler.fast = True  # no memo: the same values, whether or not they are one object
    try:
        for name in sorted(params):
            pickler.dump((name, params[name]))
    except Exception:  # from the user's objects, whose pickling may raise anything
        return f"{next(_nothing_like_it)} of {os.getpid()}"
    return hashlib.blake2b(buffer.getbuffer(), digest_size=16).hexdigest()


class _Structure(pickle.Pickler):
    """Pickles functions and classes by identity: copies of them are the same object."""

    def reducer_override(self, obj: Any) -> Any:
        """Return the pickle of a lambda or another object that has no importable name."""
        if isinstance(obj, (FunctionType, type)) and not _is_found(obj):
            # Not by its number alone, which another process may use for something else.
            return str, (f"{obj.__module__}.{obj.__qualname__} {id(obj)} of {os.getpid()}",)
        if type(obj) is np.ndarray:  # however it lies in memory
            values = obj.tolist() if obj.dtype.hasobject else obj.tobytes()
            return np.ndarray, (obj.shape, obj.dtype.str, values)
        return NotImplemented


def _is_found(obj: Any) -> bool:
    """Whether a function or a class is what its module has by its name."""
    found = sys.modules.get(obj.__module__)
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj
