"""Metrics of predicted numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.metrics.predicted import NoTwin, Predicted


def mean_squared_error(given: Predicted, multioutput: Any = "uniform_average") -> Tensor:
    """Return the mean squared error, over the outputs as well."""
    return given.average(_squares(given, multioutput))


def root_mean_squared_error(given: Predicted, multioutput: Any = "uniform_average") -> Tensor:
    """Return the mean over the outputs of its root."""
    squares = _squares(given, multioutput)
    roots = torch.as_tensor(np.sqrt(squares.numpy())) if given.on_host else squares.sqrt()
    return given.average(roots)


def mean_absolute_error(given: Predicted, multioutput: Any = "uniform_average") -> Tensor:
    """Return the mean absolute error, over the outputs as well."""
    _check(multioutput)
    y, predicted = given.numbers
    return given.average(given.mean((y - predicted).abs()))


def r2(given: Predicted, multioutput: Any = "uniform_average", force_finite: bool = True) -> Tensor:
    """Return the mean over the outputs of the explained share of the squares."""
    _check(multioutput)
    y, predicted = given.numbers
    left = given.sum((y - predicted).square())
    spread = given.sum((y - given.mean(y)).square())
    if len(y) < 2 or not bool((spread > 0).all()):
        raise NoTwin("a target is constant")
    return given.average(1 - left / spread)


def poisson_deviance(given: Predicted) -> Tensor:
    """Return the mean Poisson deviance."""
    return tweedie_deviance(given, power=1)


def gamma_deviance(given: Predicted) -> Tensor:
    """Return the mean gamma deviance."""
    return tweedie_deviance(given, power=2)


def tweedie_deviance(given: Predicted, power: float = 0) -> Tensor:
    """Return the mean deviance of a power that is 0, or from 1 to 2."""
    y, mu = given.numbers
    if y.shape[1] != 1:
        raise NoTwin("scikit-learn rejects several outputs")
    if power == 0:
        return given.mean((y - mu).square())[0]
    least = y.min()
    if not 1 <= power <= 2 or not bool(mu.min() > 0) or least < 0 or (power == 2 and least == 0):
        raise NoTwin("values are outside the range of the distribution")
    if power == 1:
        each = torch.special.xlogy(y, y / mu) - y + mu
    elif power == 2:
        each = (mu / y).log() + y / mu - 1
    else:
        each = (
            y ** (2 - power) / ((1 - power) * (2 - power))
            - y * mu ** (1 - power) / (1 - power)
            + mu ** (2 - power) / (2 - power)
        )
    return 2 * given.mean(each)[0]


def _squares(given: Predicted, multioutput: Any) -> Tensor:
    """Return the mean squared error of each output."""
    _check(multioutput)
    y, predicted = given.numbers
    return given.mean((y - predicted).square())


def _check(multioutput: Any) -> None:
    if not (isinstance(multioutput, str) and multioutput == "uniform_average"):
        raise NoTwin("outputs are averaged differently")
