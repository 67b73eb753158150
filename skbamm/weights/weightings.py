"""What the weights of the rows are functions of: themselves, their groups, or a margin."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

FLOOR = 1e-3  # a row is never left out altogether, so that it can come back


class Weighting(Protocol):
    """A map of few or many parameters t to weights of the rows in [FLOOR, 1]."""

    bounds: tuple[Tensor, Tensor]

    def weights(self, t: Tensor) -> Tensor:
        """Return the weights (n,) for parameters (q,)."""
        ...

    def pull(self, t: Tensor, gradient: Tensor) -> Tensor:
        """Return gradients (K, q) in the parameters for gradients (K, n) in the weights."""
        ...

    def start(self, quality: Tensor) -> Tensor:
        """Return the parameters to begin with, given how likely each label is right."""
        ...


class FreeWeights:
    """Each row its own.

    Parameters
    ----------
    trusted : Tensor of bool of shape (n,)
        Rows whose weight is one.
    """

    def __init__(self, trusted: Tensor):
        low = torch.where(trusted, 1.0, FLOOR).double()
        self.bounds = low, torch.ones_like(low)

    def weights(self, t):
        """See ``Weighting.weights``."""
        return t

    def pull(self, t, gradient):
        """See ``Weighting.pull``."""
        return gradient

    def start(self, quality):
        """See ``Weighting.start``."""
        return torch.maximum(quality, self.bounds[0])


class GroupWeights:
    """One weight for all rows of a group.

    Parameters
    ----------
    group : Tensor of int of shape (n,)
        Numbers 0, ..., G - 1.
    trusted : Tensor of bool of shape (n,)
        Rows whose weight is one, whatever their group's.
    """

    def __init__(self, group: Tensor, trusted: Tensor):
        self.group, self.trusted = group, trusted
        self.size = torch.bincount(group).clamp_min(1)
        low = torch.full((len(self.size),), FLOOR, dtype=torch.float64, device=group.device)
        self.bounds = low, torch.ones_like(low)

    def weights(self, t):
        """See ``Weighting.weights``."""
        return torch.where(self.trusted, 1.0, t[self.group])

    def pull(self, t, gradient):
        """See ``Weighting.pull``."""
        out = gradient.new_zeros(len(gradient), len(self.size))
        return out.index_add_(1, self.group, torch.where(self.trusted, 0.0, gradient))

    def start(self, quality):
        """Return each group's mean quality."""
        total = torch.zeros_like(self.bounds[0]).index_add_(0, self.group, quality)
        return (total / self.size).clamp(FLOOR, 1.0)


class ScoreWeights:
    """``sigmoid(b (m - a))`` of a margin m, the log-odds that the label is right.

    Parameters
    ----------
    margin : Tensor of shape (n,)
        Of models that did not see the row; inf where the label is trusted.
    """

    def __init__(self, margin: Tensor):
        self.margin = margin.clamp(-30.0, 30.0)
        self.trusted = torch.isposinf(margin)
        limits = [[-6.0, -2.0], [6.0, 3.0]]  # of a and log b
        low, high = torch.tensor(limits, dtype=torch.float64, device=margin.device)
        self.bounds = low, high

    def weights(self, t):
        """See ``Weighting.weights``."""
        w = torch.sigmoid(t[1].exp() * (self.margin - t[0]))
        return torch.where(self.trusted, 1.0, FLOOR + (1 - FLOOR) * w)

    def pull(self, t, gradient):
        """See ``Weighting.pull``."""
        b, distance = t[1].exp(), self.margin - t[0]
        w = torch.sigmoid(b * distance)
        slope = torch.where(self.trusted, 0.0, (1 - FLOOR) * w * (1 - w) * b)
        return gradient @ torch.stack([-slope, slope * distance], 1)

    def start(self, quality):
        """Return the map that gives the quality itself."""
        return torch.zeros_like(self.bounds[0])
