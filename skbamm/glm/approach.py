"""Proximal gradients find the groups that are zero, for the price of matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face


@dataclass(frozen=True)
class ProximalSettings:
    """Limits of proximal gradient steps before a matrix of a face is made.

    Attributes
    ----------
    steps : int
        Most steps.
    same : int
        Steps in a row in which no group leaves or reaches zero, which end them.
    power_steps : int
        Steps of the power iteration for the largest eigenvalue.
    margin : float
        Safety factor of that eigenvalue.
    """

    steps: int = 60
    same: int = 6
    power_steps: int = 12
    margin: float = 1.1


PROXIMAL = ProximalSettings()


class Approach:
    """Accelerated proximal gradients of a quadratic model with groups' norms.

    Each face needs a factor of its matrix, and from a distant point the minimum is many faces
    away. A step here costs one product, so these steps go first, until the groups at zero remain
    the same. They restart where the momentum points uphill (O'Donoghue & Candès, "Adaptive restart
    for accelerated gradient schemes", 2015).

    Parameters
    ----------
    gram : Tensor of shape (S, K or 1, p, p)
        Gram matrices; the outputs share them.
    strength : Tensor of shape (S, K or 1, p)
        Strengths of the squares.
    """

    def __init__(self, gram: Tensor, strength: Tensor):
        self._gram, self._strength = gram, strength[..., None, :]
        diagonal = torch.diagonal(gram, dim1=-2, dim2=-1) + strength
        step = 1 / diagonal.clamp_min(1e-12 * diagonal.amax(-1, keepdim=True))
        # The diagonal is the metric, so the features may have different scales.
        vector, largest = torch.ones_like(step)[..., None, :], step.new_ones(())
        for _ in range(PROXIMAL.power_steps):
            vector = step[..., None, :] * self._times(vector)
            largest = vector.norm(dim=-1, keepdim=True)
            vector = vector / largest
        self._step = step[..., None, :] / (PROXIMAL.margin * largest)

    def __call__(self, face: Face, y: Tensor) -> Tensor:
        """Return a point nearer to the minimum of the model of a face at y."""
        gradient, kink = face.gradient.double(), face.kink.double()
        step, begin = self._step, y.double()
        kinks: Any = face.kinks  # a Penalty
        at = ahead = begin
        t = begin.new_ones(*begin.shape[:2], 1, 1)
        known, same = kinks.sizes(at) > 0, 0
        for _ in range(PROXIMAL.steps):
            new = ahead - step * (gradient + self._times(ahead - begin))
            new = kinks.prox(kink, new, step)
            uphill = ((ahead - new) * (new - at)).sum((2, 3), keepdim=True) > 0
            t = torch.where(uphill, 1.0, t)
            after = 0.5 + (0.25 + t * t).sqrt()
            at, ahead, t = new, new + (t - 1) / after * (new - at), after
            free = kinks.sizes(at) > 0
            same = same + 1 if torch.equal(free, known) else 0
            known = free
            if same >= PROXIMAL.same:
                break
        change = at - begin
        curved = gradient + 0.5 * self._times(change)
        rise = (curved * change).sum((2, 3), keepdim=True)
        rise = rise + (kink * (kinks.sizes(at) - kinks.sizes(begin))).sum((2, 3), keepdim=True)
        return torch.where(rise < 0, at.to(y.dtype), y)

    def _times(self, direction: Tensor) -> Tensor:
        return direction @ self._gram + self._strength * direction
