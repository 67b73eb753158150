"""Progress of a search: a bar in terminals and notebooks, occasional lines in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from shutil import get_terminal_size
from textwrap import fill
from typing import Any, TextIO

PROGRESS: ContextVar[Progress | None] = ContextVar("progress", default=None)
_FIRST, _EVERY = 2.0, 10.0  # seconds before the first plain line, and between lines


class Progress:
    """Counts the steps of one phase after the other.

    Parameters
    ----------
    stream : file, default=None
        Where to write; standard output by default.
    silent : bool, default=False
        Whether to write nothing: others want to know.
    tell : callable, default=None
        Called at every iteration of a search.

    Notes
    -----
    A bar needs tqdm or rich, and a terminal or a notebook. Otherwise, or with a stream that is a
    file, a phase that takes long prints a line every ten seconds.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        silent: bool = False,
        tell: Callable[[], None] | None = None,
    ):
        self.stream = sys.stdout if stream is None else stream
        self.silent, self._tell = silent, tell
        self._bars = None if silent else _bars(self.stream)
        self._bar: Any = None
        self.counting: tuple[str, int, int] | None = None  # phase, steps done, and of how many
        self._phase, self._done, self._began, self._told = "", 0, 0.0, 0.0

    def step(self, phase: str, done: int, total: int, value: str = "") -> None:
        """Say that ``done`` of at most ``total`` steps of a phase are done, and its best value."""
        if self._tell is not None and phase == "search":
            self._tell()
        if self.silent:
            return
        if phase != self._phase or done <= self._done:
            self.close()
            self._phase, self._began = phase, time.perf_counter()
            self._told = self._began - _EVERY + _FIRST
            if self._bars is not None:
                self._bar = self._bars(phase, total, self.stream)
        if self._bar is not None:
            self._bar.show(done - self._done, value)
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
def shown(wanted: bool, tell: Callable[[], None] | None = None) -> Iterator[None]:
    """Show the progress of the block if ``wanted``; call ``tell`` in any case."""
    progress = Progress(silent=not wanted, tell=tell)
    token = PROGRESS.set(progress)
    try:
        yield
    finally:
        PROGRESS.reset(token)
        progress.close()


def say(message: str) -> None:
    """Print a message where the bar was, on lines as wide as the terminal."""
    progress = PROGRESS.get()
    if progress is not None:
        progress.close()
    told = f"[BAMM] {message}"
    if sys.stdout.isatty():
        width = get_terminal_size().columns
        told = fill(told, width, subsequent_indent=" " * 7, break_on_hyphens=False)
    print(told)


@contextmanager
def counted(phase: str, total: int) -> Iterator[None]:
    """Let ``count`` move the bar of a phase within the block."""
    progress = PROGRESS.get()
    if progress is None:
        yield
        return
    progress.counting = (phase, 0, total)
    try:
        yield
    finally:
        progress.counting = None


def count(more: int) -> None:
    """Say that more steps of the phase of ``counted`` are done, if there is one."""
    progress = PROGRESS.get()
    if progress is None or progress.counting is None:
        return
    phase, done, total = progress.counting
    progress.counting = (phase, done + more, total)
    if done + more <= total:  # what has to be solved again is not counted twice
        progress.step(phase, done + more, total)


class _TqdmBar:
    """A bar of tqdm's: phase, steps, time spent and left, best value."""

    def __init__(self, kind: Any, phase: str, total: int, stream: TextIO):
        self.bar = kind(total=total, desc=phase, leave=False, file=stream)

    def show(self, more: int, value: str) -> None:
        if value:
            self.bar.set_postfix_str(value, refresh=False)
        self.bar.update(more)

    def close(self) -> None:
        self.bar.close()


class _RichBar:
    """A bar of rich's with the same contents."""

    def __init__(self, rich: Any, console: Any, phase: str, total: int, stream: TextIO):
        columns = (
            rich.TextColumn("{task.description}"), rich.BarColumn(), rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(), rich.TimeRemainingColumn(),
            rich.TextColumn("{task.fields[value]}"),
        )  # fmt: skip
        self.bar = rich.Progress(*columns, console=console(file=stream), transient=True)
        self.task = self.bar.add_task(phase, total=total, value="")
        self.bar.start()

    def show(self, more: int, value: str) -> None:
        self.bar.update(self.task, advance=more, **({"value": value} if value else {}))

    def close(self) -> None:
        self.bar.stop()


def _bars(stream: TextIO) -> Any:
    """Return what makes a bar for a terminal or a notebook, or None."""
    in_notebook = "ipykernel" in sys.modules and stream is sys.stdout
    if not in_notebook and not getattr(stream, "isatty", bool)():
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        pass
    else:
        return lambda *args: _TqdmBar(tqdm, *args)
    try:
        import rich.progress
        from rich.console import Console
    except ImportError:
        return None
    return lambda *args: _RichBar(rich.progress, Console, *args)
