"""The inputs of criteria: the model's loss, its target and the validation rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from skbamm.criteria.criterion import Choice, Criterion
from skbamm.folds import FoldWeights
from skbamm.losses import OneVsRest, PointwiseLoss

# Value of the best constant prediction, in the criterion's units, of a target (n, m) with weights
# (n,), or None for ones.
BestConstant = Callable[[Tensor, "Tensor | None"], float]

_ROUNDING = 1e-14  # relative to a target's size: differences that are rounding errors


@dataclass(frozen=True)
class Given:
    """The data at hand.

    Attributes
    ----------
    choice : Choice
    loss : PointwiseLoss
        The model's own.
    target : Tensor of shape (n, m), float64
    weights : FoldWeights
    """

    choice: Choice
    loss: PointwiseLoss
    target: Tensor
    weights: FoldWeights

    @cached_property
    def share(self) -> Tensor:
        """The weight of each fold, (K,); a fold without validation weight has no score."""
        used = (self.weights.validation_total > 0).double()
        return used / used.sum().clamp_min(1)

    def fold(self, k: int) -> tuple[Tensor, Tensor | None]:
        """Return the target of fold k's validation rows, and their weights (None: ones)."""
        index, weight = self.weights.nonzero(k, "validation")
        return self.target[index], weight

    def criterion(
        self, loss: Any, best_constant: BestConstant, unit: float = 1.0, **more: Any
    ) -> Criterion:
        """Return the criterion of a loss; ``unit`` times its average is the natural value."""
        name = self.choice.name
        if self.choice.relative:
            folds = [self.fold(k) for k in range(len(self.share))]
            best = [
                best_constant(target, weight) if s and bool(varies(target).any()) else 0.0
                for s, (target, weight) in zip(self.share, folds, strict=True)
            ]
            least = torch.tensor(best, dtype=torch.float64, device=self.target.device)
            factor = torch.where(least > 0, unit * self.share / least, 0.0)
            return Criterion(name, loss, factor, 1.0, **more)
        null = best_constant(self.target, None) or 1.0
        return Criterion(name, loss, unit * self.share / null, null, **more)

    def class_of(self, target: Tensor) -> Tensor:
        """Return the class numbers (n,) of a classifier's targets.

        They are numbers already, or -1 and 1, one output a class if there are more than two.
        """
        if not self.loss.squared:
            return target.flatten().long()
        if target.ndim == 1 or target.shape[1] == 1:
            return (target.flatten() > 0).long()
        return target.argmax(1)

    def class_factor(self) -> Tensor:
        """Return the factors that give all classes the same total weight over all folds."""
        label = self.class_of(self.target)
        mass = torch.zeros(int(label.max()) + 1, dtype=torch.float64, device=label.device)
        for k, share in enumerate(self.share):
            if share > 0:
                index, weight = self.weights.nonzero(k, "validation")
                weight = torch.ones_like(index, dtype=torch.float64) if weight is None else weight
                mass.index_add_(0, label[index], share * weight / weight.sum())
        return torch.where(mass > 0, 1 / ((mass > 0).sum() * mass), 0.0)


def own_loss(given: Given) -> Criterion:
    """Return the mean of the model's own loss, without the model's class weights.

    It is relative to the loss of the constant at which the model starts.
    """
    loss = given.loss
    if isinstance(loss, OneVsRest):
        loss = loss.unweighted()

    def at_start(target, weight):
        z = target.new_full(
            (len(target), loss.n_outputs, 1), loss.start(float(mean(target, weight).mean()))
        )
        return float(mean(loss.evaluate(z, loss.targets(target))[0], weight))

    return given.criterion(loss, at_start)


def varies(target: Tensor) -> Tensor:
    """Return which outputs of a target (n, m) are not constant, (m,).

    The residual of a constant target is a rounding error, and no scale for errors.
    """
    if not len(target):
        return torch.zeros(target.shape[1], dtype=torch.bool, device=target.device)
    low, high = target.min(0).values, target.max(0).values
    return high - low > _ROUNDING * torch.maximum(low.abs(), high.abs())


def mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the weighted mean over the first axis; zero of no rows."""
    if weight is None:
        return values.mean(0) if len(values) else values.sum(0)
    total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
    return torch.tensordot(weight, values, 1) / total


def quantile(values: Tensor, weight: Tensor | None, level: float) -> Tensor:
    """Return a quantile of each column of values (n, m)."""
    order = values.argsort(0)
    heavy = torch.ones(len(values)).to(values) if weight is None else weight
    below = heavy[order].cumsum(0)
    place = (below < level * below[-1:]).sum(0, keepdim=True).clamp_max(len(values) - 1)
    return values.gather(0, order.gather(0, place))[0]
