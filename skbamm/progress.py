"""How far a search has come: a bar in terminals and notebooks, a line now and then in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

PROGRESS: ContextVar[Progress | None] = ContextVar("progress", default=None)
_FIRST, _EVERY = 2.0, 10.0  # seconds before the first plain line, and between lines


class Progress:
    """Counts the steps of one phase after the other.

    Parameters
    ----------
    stream : file, default=None
        Where to write; standard output by default.

    Notes
    -----
    A bar needs tqdm, and a terminal or a notebook. Otherwise, or with a stream that is a file, a
    phase that takes long prints a line every ten seconds.
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = sys.stdout if stream is None else stream
        self._bars = _bars(self.stream)
        self._bar: Any = None
        self._phase, self._done, self._began, self._told = "", 0, 0.0, 0.0

    def step(self, phase: str, done: int, total: int, value: str = "") -> None:
        """Say that ``done`` of at most ``total`` steps of a phase are done, and its best value."""
        if phase != self._phase or done <= self._done:
            self.close()
            self._phase, self._began = phase, time.perf_counter()
            self._told = self._began - _EVERY + _FIRST
            if self._bars is not None:
                self._bar = self._bars(total=total, desc=phase, leave=False, file=self.stream)
        if self._bar is not None:
            if value:
                self._bar.set_postfix_str(value, refresh=False)
            self._bar.update(done - self._done)
        self._done = done
        now = time.perf_counter()
        if self._bars is None and now - self._told >= _EVERY:
            self._told = now
            left = (now - self._began) / done * (total - done)
            told = f"{phase}: {done} of at most {total}, {now - self._began:.0f} s"
            more = f", {value}" if value else ""
            print(f"[BAMM] {told}, at most {left:.0f} s more{more}", file=self.stream, flush=True)

    def close(self) -> None:
        """End the bar of a phase."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._phase, self._done = None, "", 0


@contextmanager
def shown(wanted: bool) -> Iterator[None]:
    """Show the progress of what runs within."""
    if not wanted:
        yield
        return
    progress = Progress()
    token = PROGRESS.set(progress)
    try:
        yield
    finally:
        PROGRESS.reset(token)
        progress.close()


def _bars(stream: TextIO) -> Any:
    """Return tqdm's bar for a terminal or a notebook, or None."""
    in_notebook = "ipykernel" in sys.modules and stream is sys.stdout
    if not in_notebook and not getattr(stream, "isatty", bool)():
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm
