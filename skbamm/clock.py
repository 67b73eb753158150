"""When a search has to end: its time is used up, or the user pressed Ctrl-C."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning

SCORING = "the scoring of candidates"


class Clock:
    """One a fit, handed down to all of its stages.

    A stage that can end early checks ``over`` between its steps, passes ``left`` to what takes
    a ``max_time``, runs what Ctrl-C may end within ``kept()``, and says that it was ended by
    ``end(name)``. Whoever gets an interrupt as a status, not as an exception, calls
    ``interrupt()``: so the stages around it end as well.

    Parameters
    ----------
    max_time : float, optional
        Seconds from now on.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C was pressed.
    ended : list of str
        Stages that were not done to their end.
    """

    def __init__(self, max_time: float | None = None):
        self.max_time = max_time
        self.began = time.perf_counter()
        self.interrupted = False
        self.ended: list[str] = []

    @property
    def spent(self) -> float:
        """Seconds since the fit began."""
        return time.perf_counter() - self.began

    @property
    def left(self) -> float | None:
        """Seconds that are left, 0 after Ctrl-C, None without a limit."""
        if self.interrupted:
            return 0.0
        return None if self.max_time is None else max(self.max_time - self.spent, 0.0)

    @property
    def deadline(self) -> float:
        """By ``time.perf_counter``; infinite without a limit."""
        if self.interrupted:
            return -math.inf
        return math.inf if self.max_time is None else self.began + self.max_time

    @property
    def over(self) -> bool:
        """Whether to end now, with the best that was found."""
        return self.left == 0.0

    @property
    def half_over(self) -> bool:
        """Whether half of the time is used: of a list, the other half is for scoring."""
        return self.over or (self.max_time is not None and 2 * self.spent > self.max_time)

    @property
    def reason(self) -> str:
        """Why it is over."""
        if self.interrupted:
            return "interrupted by the user"
        return f"max_time={self.max_time:g} seconds were used" if self.over else ""

    def interrupt(self) -> None:
        """Note that Ctrl-C was pressed."""
        self.interrupted = True

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let Ctrl-C end the block, and continue with the results so far."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupt()

    def end(self, stage: str) -> None:
        """Note that a stage, such as "the search over 'C'", was not done to its end."""
        if stage not in self.ended:
            self.ended.append(stage)

    def tell(self) -> None:
        """Warn, once, of what was ended."""
        ended = self.ended or ["the search"] * self.interrupted
        if not ended:
            return
        stages = " and ".join([*filter(None, [", ".join(ended[:-1])]), ended[-1]])
        warnings.warn(
            f"{stages[0].upper()}{stages[1:]} stopped early: {self.reason}. "
            "The best found so far is used.",
            ConvergenceWarning,
            stacklevel=3,
        )
