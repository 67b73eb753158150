"""Limits the memory of transformed rows that are kept for other candidates."""

from __future__ import annotations

import pickle
import threading
from types import FunctionType
from typing import Any

from skbamm.faults import from_signal


class Room:
    """A bound on the bytes that are kept.

    Parameters
    ----------
    n_bytes : int
    """

    def __init__(self, n_bytes: int):
        self._left = n_bytes
        self._lock = threading.Lock()

    def take(self, n_bytes: int | None) -> bool:
        """Reserve bytes if they are available; an unknown size (None) never is."""
        with self._lock:
            fits = n_bytes is not None and n_bytes <= self._left
            if fits:
                self._left -= n_bytes or 0
            return fits

    def give_back(self, n_bytes: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left += n_bytes


def held_bytes(value: Any) -> int | None:
    """Return about how many bytes a value takes; None of what cannot be pickled.

    Arrays are counted, not copied.
    """
    count = _Count()
    try:
        _Sizes(count, protocol=5, buffer_callback=count.buffer).dump(value)
    except Exception as error:  # from the user's objects, whose pickling may raise anything
        if from_signal(error):
            raise
        return None
    return count.n_bytes


class _Count:
    """A file of which only the length is known."""

    def __init__(self):
        self.n_bytes = 0

    def write(self, data: Any) -> int:
        n_bytes = memoryview(data).nbytes
        self.n_bytes += n_bytes
        return n_bytes

    def buffer(self, buffer: pickle.PickleBuffer) -> None:
        self.n_bytes += buffer.raw().nbytes


class _Sizes(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Pass over functions and classes: a lambda cannot be pickled and takes no memory."""
        passed_over = isinstance(obj, (FunctionType, type)) and obj is not str
        return (str, ("",)) if passed_over else NotImplemented
