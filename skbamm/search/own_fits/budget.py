"""Whether to solve jointly at all, and for how long: never longer than own fits would take.

What a joint solve takes is foreseen from the shape of its problem. Where that is more than a share
of the cost of the estimator's own fits, these are used; else a meter ends the solve if it takes
much longer than was foreseen.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from skbamm.data.matrices import choose_device
from skbamm.effort import Meter, OverBudget
from skbamm.search.outcome import Settings
from skbamm.search.own_fits.cost import OwnCost, Probe
from skbamm.solvers.base import FoldSolver
from skbamm.space import Target


@dataclass(frozen=True)
class Limits:
    """How long a joint solve may take, chosen by benchmarks/everyday/uses.py.

    Attributes
    ----------
    one_interval : int
        Approximate number of own fits for one interval.
    several : int
        The same for several.
    score : float
        Seconds that a model takes to be scored.
    share : float
        The part of own fits' cost that a joint solve may be expected to take.
    share_of_middle : float
        The same where only the value in the middle is fitted, since fits are few.
    give_up : float
        The part of it that it may take: more, since a solve that is stopped is lost.
    share_of_score : float
        The same of a search for the score itself, which finds the best value more closely.
    share_of_maps : float
        The same where a feature map depends on what is searched: of few values of it, own fits
        find the best one less closely.
    share_of_products : float
        The same for steps by products with the Hessian, whose cost is less certain.
    share_of_kernels : float
        The same of lists of kernel models, whose factors are well foreseen.
    near : float
        Ratio of the two costs up to which own fits are looked at more closely.
    one_value : int
        Entries of X from which a single value is worth the preparation of a joint solve.
    floor : float
        Seconds that it may take in any case.
    overrun : float
        Times what was foreseen, that ends it.
    spare : float
        Share of own fits that is added to that for a list.
    spare_of_interval : float
        The same for an interval. Own fits of it are fewer than a grid's, so that a solve which is
        given up late is still sooner than a grid.
    """

    one_interval: int = 9
    several: int = 18
    score: float = 1.5e-3
    share: float = 0.65
    share_of_middle: float = 0.5
    give_up: float = 0.8
    share_of_score: float = 0.9
    share_of_maps: float = 1.5
    share_of_products: float = 0.45
    share_of_kernels: float = 1.3
    near: float = 1.7
    one_value: int = 1_000_000
    floor: float = 0.01
    overrun: float = 2.5
    spare: float = 0.05
    spare_of_interval: float = 0.15


LIMITS = Limits()


def prepares_in_vain(target: Target, X: Any, settings: Settings) -> bool:
    """Whether the joint solve of a single value of a list is not even worth its preparation.

    Behind transformers, folds are made anew for each of their settings. What is left is one fit a
    fold, which a joint solve beats by little on large data, and never on small.
    """
    if choose_device(settings.device, sys.maxsize).type != "cpu":
        return False
    entries = math.prod(getattr(X, "shape", (0,)))  # lists are few, and need not be rectangular
    return target.pipeline is not None or entries < LIMITS.one_value


def own_values(axes: tuple) -> int:
    """Return the approximate number of values that own fits use for intervals."""
    return LIMITS.one_interval if len(axes) == 1 else LIMITS.several


def budget(
    joint: FoldSolver, probes: Sequence[Probe], y: Any, fits: int, values: int, scored: int = 0
) -> Meter | None:
    """Return the meter of a joint solve, or None where it may take as long as it does.

    Parameters
    ----------
    joint : FoldSolver
    probes : sequence of Probe
        See ``OwnCost``.
    y : array-like
        The user's.
    fits : int
        Number of own fits that would replace it.
    values : int
        That are solved in all folds.
    scored : int
        How many more models the own fits would have to be scored.

    Raises
    ------
    OverBudget
        If own fits are expected to be faster.
    """
    if joint.device.type != "cpu":
        return None
    if joint.unbounded:
        raise OverBudget("own fits are faster")
    listed = fits == values * len(joint.used)
    expected = joint.foreseen(values, listed)
    if expected is None:
        if listed and values == 1 and joint.folds is not None:  # there is nothing to share
            raise OverBudget("own fits are faster")
        return None
    own = OwnCost(joint, probes, y, fits)
    least, besides = own.least, scored * LIMITS.score + joint.own_maps
    if least is None:
        most = LIMITS.overrun * expected
        return Meter(most, lambda: max(most, own.measured() or torch.inf))
    if joint.pairwise:  # factors of kernels are well foreseen, and need no meter
        if expected > max(LIMITS.floor, least + besides, LIMITS.share_of_kernels * least):
            raise OverBudget("own fits are faster")
        return None
    least += besides
    share = _share(joint, own, scored > 0)
    spare = LIMITS.spare if listed else LIMITS.spare_of_interval

    def limit(seconds: float | None) -> float:
        if seconds is None:
            return torch.inf
        seconds += besides
        most = max(share, LIMITS.give_up) * seconds
        return max(LIMITS.floor, min(most, LIMITS.overrun * expected + spare * seconds))

    if expected <= max(LIMITS.floor, share * least):
        return Meter(max(LIMITS.floor, share * least), lambda: limit(own.measured()))
    seconds = own.measured()
    if seconds is not None and own.further:
        near = expected * LIMITS.near > share * (seconds + besides) >= expected
        seconds = own.measured(ends=near)
    if seconds is not None and expected > max(LIMITS.floor, share * (seconds + besides)):
        raise OverBudget("own fits are faster")
    return Meter(limit(seconds))


def _share(joint: FoldSolver, own: OwnCost, searches_score: bool) -> float:
    """Return the part of own fits' cost that a joint solve may be expected to take."""
    if searches_score:
        return LIMITS.share_of_maps if joint.own_maps else LIMITS.share_of_score
    if joint.uncertain:
        return LIMITS.share_of_products
    return LIMITS.share if own.further else LIMITS.share_of_middle
