"""Files through which the workers of a search share the results of transformers.

Each worker is a separate process, and gets tasks of all folds.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from typing import Any

from skbamm.faults import from_signal

# Seconds a byte, and a file, that writing and reading take at most: fits that are sooner are done
# by each worker.
_BYTE, _FILE = 5e-9, 1e-2
_MOST = 1 << 30  # bytes of all files


class Exchange:
    """A folder of what was fitted; without one there is nothing in it.

    Parameters
    ----------
    folder : str
        "" for none.
    """

    def __init__(self, folder: str = ""):
        self.folder = folder

    def pays(self, seconds: float, n_bytes: int) -> bool:
        """Whether a result that took ``seconds`` is worth a file of ``n_bytes`` bytes."""
        if not self.folder or seconds < _FILE + n_bytes * _BYTE:
            return False
        try:
            return n_bytes + sum(one.stat().st_size for one in os.scandir(self.folder)) <= _MOST
        except OSError:  # the workers are on another machine
            return False

    def put(self, name: str, value: Any) -> bool:
        """Write a value, if it can be; return whether it was."""
        place = ""
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix="_", delete=False) as file:
                place = file.name
                pickle.dump(value, file, protocol=5)
            os.replace(place, os.path.join(self.folder, name))
        except Exception as error:  # of the user's objects, or the disk is full
            if from_signal(error):
                raise
            if place:
                os.unlink(place)
            return False
        return True

    def get(self, name: str) -> Any:
        """Return the value of a name, or None."""
        if not self.folder:
            return None
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return pickle.load(file)
        except OSError:
            return None
