"""Intervals of parameters without a derivative: the scorer judges values, then closer ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skbamm.search.explored import Explored
from skbamm.search.scan import SCAN, is_close


@dataclass(frozen=True)
class Judgement:
    """How many values the scorer judges.

    Attributes
    ----------
    one : int
        Values of one interval from end to end.
    closer : int
        Values between the best of these and its neighbours.
    several : int
        Values of each of two intervals from end to end.
    rounds : int
        Rounds of values half way to the neighbours, which follow.
    """

    one: int = 9
    closer: int = 6
    several: int = 5
    rounds: int = 3


JUDGEMENT = Judgement()


class Judged(Explored):
    """The candidates of a combination with such intervals.

    The first are equally spaced from end to end, so that none of these is better than what is
    chosen. Among values with equal scores, the middle one is.
    """

    def begin(self, more_rounds: bool) -> None:
        """Add values from end to end; all of them if none are to follow."""
        rule = JUDGEMENT
        if len(self.axes) == 1:
            count = rule.one if more_rounds else rule.one + rule.closer
            self.add_grid([count])
            self.rounds = 2
        else:
            count = rule.several if len(self.axes) == 2 else SCAN.others
            self.add_grid([count] * len(self.axes))
            self.rounds = rule.rounds

    def add_between(self, best: int, scores: np.ndarray, worth: float) -> None:
        """Add values between the best and its neighbours: of one interval several at first."""
        if len(self.axes) > 1 or self.rounds == 1:
            super().add_between(best, scores, 0.0)
            return
        self.rounds -= 1
        here, places = self.points[best][0], sorted(x for (x,) in self.points)
        at = places.index(here)
        sides = [*places[max(at - 1, 0) : at], *places[at + 1 : at + 2]]
        each = JUDGEMENT.closer // len(sides)
        found = [[float(x)] for side in sides for x in np.linspace(side, here, each + 2)[1:-1]]
        self.add([x for x in found if not any(is_close(x, y) for y in self.points)], "finer")

    def middle_of_top(self, scores: np.ndarray, worth: float) -> int:
        """Return the middle one of the best: a score that is one row less is not as good."""
        return super().middle_of_top(scores, 0.0)
