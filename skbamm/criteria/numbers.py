"""Criteria of regressors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skbamm.criteria.criterion import Criterion
from skbamm.criteria.given import Given, mean, quantile, varies
from skbamm.losses import (
    BoundedSquaredLoss,
    HalfSquaredLoss,
    LogLinkLoss,
    PinballLoss,
    TweedieLoss,
    UpperLoss,
)

_SMOOTH = 0.003  # of the target's spread; with less, kinks keep the search from settling


def squared_error(given: Given) -> Criterion:
    """Return the mean squared error, over the outputs as well."""
    variance, average = _variances(given)
    scale = torch.full_like(variance, 1 / variance.shape[1])
    factor = 2 * given.share / average
    loss = _linked(given, _half_squared(given))
    return Criterion(given.choice.name, loss, factor, average, output_scale=scale)


def root_mean_squared_error(given: Given) -> Criterion:
    """Return the root of each fold's mean squared error."""
    variance, average = _variances(given)
    scale = torch.full_like(variance, 1 / variance.shape[1])
    factor = 2**0.5 * given.share / average**0.5
    loss = _linked(given, _half_squared(given))
    return Criterion(given.choice.name, loss, factor, average**0.5, True, scale)


def r2(given: Given) -> Criterion:
    """Return ``1 - R2``, the mean over the outputs."""
    variance, _ = _variances(given)
    scale = torch.where(variance > 0, 1 / variance, 0.0) / variance.shape[1]
    loss = _linked(given, _half_squared(given))
    return Criterion(given.choice.name, loss, 2 * given.share, 1.0, output_scale=scale)


def absolute_error(given: Given) -> Criterion:
    """Return the mean absolute error, smoothed."""
    return _quantile_error(given, 0.5, 2.0)


def pinball(given: Given, alpha: float = 0.5) -> Criterion:
    """Return the pinball loss of a quantile, smoothed."""
    return _quantile_error(given, float(alpha), 1.0)


def absolute_percentage_error(given: Given) -> Criterion:
    """Return the mean of absolute errors over the target's magnitude, smoothed."""
    m = given.target.shape[1]

    def best(target, weight):
        size = target.abs().clamp_min(torch.finfo(target.dtype).eps)
        total = 0.0
        for j in range(m):
            heavy = 1 / size[:, j] if weight is None else weight / size[:, j]
            middle = quantile(target[:, j : j + 1], heavy, 0.5)
            total += float(mean((target[:, j] - middle).abs() / size[:, j], weight))
        return total / m

    width = _SMOOTH * (best(given.target, None) or 1.0)
    loss = PinballLoss(m, width, percentage=True)
    return given.criterion(_linked(given, loss), best, 2 / m)


def deviance(given: Given, power: float | None = None) -> Criterion:
    """Return the mean deviance: the model's own, or that of another power."""
    own: Any = given.loss
    loss = own if power in (None, own.power) else TweedieLoss(float(power))

    def best(target, weight):
        constant = target.new_full((len(target), 1, 1), loss.start(float(mean(target, weight))))
        return 2 * float(mean(loss.evaluate(constant, loss.targets(target))[0], weight))

    return given.criterion(loss, best, 2.0)


def bounded_squared_error(given: Given) -> Criterion:
    """Return twice the bounded squared loss, in [0, 1]."""
    spread = (given.target - given.target.median(0).values).abs()
    width = float(spread.median()) or float(spread.mean()) or 1.0
    return given.criterion(BoundedSquaredLoss(width), lambda target, weight: 1.0, 2.0)


def _quantile_error(given: Given, level: float, times: float) -> Criterion:
    """Return a criterion of ``times`` the pinball loss, the mean over the outputs."""
    m = given.target.shape[1]

    def best(target, weight):
        r = quantile(target, weight, level) - target
        return times * float(mean(0.5 * r.abs() + (0.5 - level) * r, weight).sum()) / m

    spread = given.target - quantile(given.target, None, 0.5)
    width = _SMOOTH * (float(spread.abs().mean()) or 1.0)
    return given.criterion(_linked(given, PinballLoss(m, width, level)), best, times / m)


def _linked(given: Given, loss: UpperLoss) -> UpperLoss:
    """Return the loss behind the model's link."""
    return LogLinkLoss(loss) if isinstance(given.loss, TweedieLoss) else loss


def _half_squared(given: Given) -> UpperLoss:
    """Return the model's own loss where it is that, which saves work."""
    own = given.loss
    return own if own.squared else HalfSquaredLoss(own.n_outputs)


def _variances(given: Given) -> tuple[Tensor, float]:
    """Return the variance of each fold's outputs, (K, m), and their mean."""
    folds = [given.fold(k) for k in range(given.weights.n_folds)]
    variance = torch.stack([_variance(*fold) for fold in folds])
    average = float((given.share[:, None] * variance).sum() / variance.shape[1]) or 1.0
    return variance, average


def _variance(target: Tensor, weight: Tensor | None) -> Tensor:
    """Weighted variance of each output over some rows."""
    return torch.where(varies(target), mean((target - mean(target, weight)) ** 2, weight), 0.0)
