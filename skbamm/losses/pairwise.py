"""Log loss of pairs of rows: a smooth stand-in for one minus the area under the ROC curve."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

_GROUPS = 512  # rows, or groups of rows, of each class that are compared


def pairwise_logistic(z: Tensor, positive: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over all pairs of ``log(1 + exp(z_j - z_i))``, and its gradient in z.

    i runs over the positive rows and j over the others; the weight of a pair is the product of
    its rows' weights. A class with more than 512 rows is cut into 512 groups of rows with
    neighbouring scores, each at its mean: the error is of second order in the width of a group.

    Parameters
    ----------
    z : Tensor of shape (n,)
    positive : Tensor of bool of shape (n,)
    weight : Tensor of shape (n,)
        Above zero.

    Returns
    -------
    value : Tensor of shape ()
        Zero if one of the classes is missing.
    gradient : Tensor of shape (n,)
    """
    gradient = torch.zeros_like(z)
    sides = [torch.nonzero(positive).flatten(), torch.nonzero(~positive).flatten()]
    if not all(len(side) for side in sides):
        return z.new_zeros(()), gradient
    (high, high_share, of_high), (low, low_share, of_low) = (
        _grouped(z[side], weight[side]) for side in sides
    )
    lead = low[None, :] - high[:, None]
    value = high_share @ softplus(lead, threshold=40) @ low_share
    wrong = torch.sigmoid(lead)
    gradient[sides[0]] = (-wrong @ low_share)[of_high] * _share(weight[sides[0]])
    gradient[sides[1]] = (high_share @ wrong)[of_low] * _share(weight[sides[1]])
    return value, gradient


def pairs(z: Tensor, positive: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much each group of the others lies above each positive one, and their shares.

    Both have shape (g, g'), which is zero where a class is missing.
    """
    if not bool(positive.any()) or bool(positive.all()):
        return z.new_zeros(0, 0), z.new_zeros(0, 0)
    (high, high_share, _), (low, low_share, _) = (
        _grouped(z[side], weight[side]) for side in (positive, ~positive)
    )
    return low[None, :] - high[:, None], high_share[:, None] * low_share[None, :]


def _share(weight: Tensor) -> Tensor:
    return weight / weight.sum()


def _grouped(z: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the groups' mean scores and shares, (g,), and the group of each row, (n,)."""
    n, share = len(z), _share(weight)
    if n <= _GROUPS:
        return z, share, torch.arange(n, device=z.device)
    group = torch.empty(n, dtype=torch.int64, device=z.device)
    group[torch.argsort(z, stable=True)] = torch.arange(n, device=z.device) * _GROUPS // n
    total = z.new_zeros(_GROUPS).index_add_(0, group, share)
    return z.new_zeros(_GROUPS).index_add_(0, group, share * z) / total, total, group
