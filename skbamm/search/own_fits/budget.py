"""Whether to solve jointly at all, and for how long: never longer than own fits would take.

What a joint solve takes is foreseen from the shape of its problem. Where that is more than a share
of what the estimator's own fits take, they serve; else a meter ends the solve where it takes much
longer than was foreseen.
"""

from __future__ import annotations

from typing import Any

import torch

from skbamm.effort import Meter, OverBudget
from skbamm.search.own_fits.cost import OwnCost
from skbamm.solvers.base import FoldSolver

_OWN_VALUES, _OWN_OF_SEVERAL = 9, 16  # that one interval, or several, may cost as much as
_SCORE = 1.5e-3  # seconds that a model takes to be scored
# Of what own fits take, that a joint solve may; a search for the score itself knows the best value
# more closely, and may take more. What models take whose steps are products is less sure.
_SHARE, _SHARE_OF_SCORE, _OF_PRODUCTS = 0.6, 0.9, 0.45
_FLOOR = 0.01  # seconds that it may take in any case
_FORESEEN, _SPARE = 2.5, 0.05  # times what was foreseen, and a share of own fits, that end it
_LIST_OF_KERNELS = 1.3  # times own fits, that lists of kernel models may take


def own_values(axes: tuple) -> int:
    """Return how many values own fits that serve intervals take about."""
    return _OWN_VALUES if len(axes) == 1 else _OWN_OF_SEVERAL


def budget(
    joint: FoldSolver, estimator: Any, y: Any, fits: int, values: int, scored: int = 0
) -> Meter | None:
    """Return the meter of a joint solve, or None where it may take as long as it does.

    Parameters
    ----------
    joint : FoldSolver
    estimator : estimator
        With one of the values set.
    y : array-like
        The user's.
    fits : int
        How many own fits would serve in its place.
    values : int
        That are solved in all folds.
    scored : int
        How many more models the own fits would have to be scored.

    Raises
    ------
    OverBudget
        If own fits are foreseen to be sooner.
    """
    if joint.device.type != "cpu":
        return None
    expected = joint.foreseen(values, fits == values * len(joint.used))
    if expected is None:
        return None
    own = OwnCost(joint, estimator, y, fits)
    least, scores = own.least, scored * _SCORE
    if least is None:
        return None
    if joint.pairwise:  # factors of kernels are well foreseen, and need no meter
        if expected > max(_FLOOR, least + scores, _LIST_OF_KERNELS * least):
            raise OverBudget("own fits are sooner")
        return None
    least += scores
    share = _SHARE_OF_SCORE if scored else _OF_PRODUCTS if joint.by_products else _SHARE

    def limit() -> float:
        seconds = own.measured()
        if seconds is None:
            return torch.inf
        seconds += scores
        return max(_FLOOR, min(share * seconds, _FORESEEN * expected + _SPARE * seconds))

    if expected <= max(_FLOOR, share * least):
        return Meter(max(_FLOOR, share * least), limit)
    most = limit()
    if expected > most:
        raise OverBudget("own fits are sooner")
    return Meter(most)
