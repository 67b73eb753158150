"""Whose fault an exception is: ours costs the user speed, the user's own is the user's to see."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

# Whose code runs in a joint solve without any of the user's.
_OURS = frozenset({
    "skbamm", "torch", "numpy", "scipy", "sklearn", "joblib", "threadpoolctl",
    "pandas", "polars", "pyarrow", "narwhals", "",
})  # fmt: skip


def is_users(error: BaseException) -> bool:
    """Whether an exception comes from the user: from a signal, or from code that is not ours.

    For example timeouts, and errors of a registered model's loss, or of a subclass. Judged by the
    class of the exception and by the frames that it came through below the caller's.
    """
    if isinstance(error, TimeoutError) or _owner(type(error).__module__) not in _ours():
        return True
    frames = list(_frames(error))[1:]
    return from_signal(error) or any(
        _owner(frame.f_globals.get("__name__") or "") not in _ours() for frame in frames
    )


def from_signal(error: BaseException) -> bool:
    """Whether the handler of a signal raised the exception."""
    handlers = {
        code for number in signal.valid_signals() for code in _codes(signal.getsignal(number))
    }
    return any(frame.f_code in handlers for frame in _frames(error))


def _ours() -> frozenset[str]:
    return _OURS | sys.stdlib_module_names


def _owner(module: str) -> str:
    return module.partition(".")[0]


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of a traceback, the caller's first."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _codes(handler: Any) -> Iterator[CodeType]:
    """Yield the code that a call of a signal's handler runs."""
    handler = getattr(handler, "func", handler)  # of a partial
    for function in (handler, vars(type(handler)).get("__call__")):
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        if code is not None:
            yield code
