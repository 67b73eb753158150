"""Gram matrices of solved values, for the metrics of values near them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from skbamm.bilevel import Curvature
from skbamm.bilevel.metrics import ConjugateGradient
from skbamm.glm import PenalisedProblem
from skbamm.glm.curvature import gram_of, metric_of_gram
from skbamm.space import SearchAxis

_KEPT = 1 << 23  # numbers in all Gram matrices that are kept
_LIKE = 2.3  # logarithm of how much penalties may differ that share Gram matrices


class KnownGrams:
    """Gram matrices of values that were solved one by one, which nearby values reuse.

    Successive values have the same kind of penalty and similar models.
    """

    def __init__(self) -> None:
        self._known: list[tuple[float, Tensor]] = []

    def note(self, place: Tensor | None, metric: Curvature | None) -> None:
        """Keep the matrices of one value's metric, unless they are large."""
        gram = gram_of(metric)
        if place is None or gram is None or len(gram) != 1 or gram.numel() > _KEPT:
            return
        most = _KEPT // gram.numel()
        self._known = [*self._known[max(len(self._known) + 1 - most, 0) :], (float(place), gram)]

    def near(
        self, problem: PenalisedProblem, place: Tensor | None, x: Tensor, y: Tensor
    ) -> ConjugateGradient | None:
        """Return a metric of the matrices nearest to each of several values; None of far ones."""
        if place is None or not self._known:
            return None
        apart = (place[:, None] - place.new_tensor([at for at, _ in self._known])).abs()
        if float(apart.amin(1).max()) > _LIKE:
            return None
        chosen = [self._known[i][1] for i in apart.argmin(1).tolist()]
        return metric_of_gram(problem, torch.cat(chosen), x, y)


def place_of(axes: Sequence[SearchAxis], x: Tensor) -> Tensor | None:
    """Return the logarithms of one hyperparameter's values (S,), or None."""
    if len(axes) != 1:
        return None
    if axes[0].scale == "log":
        return x[:, 0]
    value = x[:, 0] if axes[0].scale == "plain" else axes[0].value(x[:, 0])
    return value.log() if bool((value > 0).all()) else None
