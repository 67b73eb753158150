"""Predictors and targets of the losses' tests."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from skbamm.losses import (
    ConcomitantHuberLoss,
    EpsilonInsensitiveLoss,
    HalfSquaredLoss,
    HingeLoss,
    HuberLoss,
    LogisticLoss,
    ModifiedHuberLoss,
    MultinomialLoss,
    OneVsRestLogisticLoss,
    QuantileLoss,
    SquaredEpsilonInsensitiveLoss,
    SquaredHingeLoss,
    TweedieLoss,
)
from tests.problems import (
    torch_huber,
    torch_logistic,
    torch_modified_huber,
    torch_multinomial,
    torch_one_vs_rest,
    torch_squared,
    torch_squared_epsilon_insensitive,
    torch_squared_hinge,
)

N, COLUMNS = 7, 6


@dataclass
class Case:
    """A loss, what it should be of predictors (n, m, C), and targets for it."""

    loss: Any
    reference: Any
    target: Tensor

    def predictors(self, scale=2.0, seed=0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = (N, self.loss.n_outputs, COLUMNS)
        return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


def _tweedie(power):
    """Half of scikit-learn's deviance, in torch."""

    def reference(z, target):
        t, mean = target[:, None], torch.exp(z[:, 0])
        if power == 1:
            return torch.special.xlogy(t, t / mean) - t + mean
        if power == 2:
            return torch.log(mean / t) + t / mean - 1
        a, b = 1 - power, 2 - power
        return t**b / (a * b) - t * mean**a / a + mean**b / b

    return reference


def _smoothed(excess):
    """The hinge of an excess, a parabola over the first 0.7."""
    return torch.where(excess < 0.7, torch.relu(excess) ** 2 / 1.4, excess - 0.35)


def _hinge(z, target):
    """The smoothed hinges of class labels, summed over the outputs."""
    classes = torch.arange(1, 2) if z.shape[1] == 1 else torch.arange(z.shape[1])
    signs = torch.where(target[:, None] == classes, 1.0, -1.0)[:, :, None].to(z.dtype)
    return _smoothed(1 - signs * z).sum(1)


def _epsilon_insensitive(epsilon):
    """The smoothed error beyond a tolerance."""
    return lambda z, target: _smoothed((z[:, 0] - target[:, None]).abs() - epsilon)


def _quantile(level):
    """The envelope of the pinball loss of a width of 0.7."""

    def reference(z, target):
        r = z[:, 0] - target[:, None]
        above = (1 - level) * (r - 0.35 * (1 - level))
        below = level * (-r - 0.35 * level)
        end = torch.where(r > 0, above, below)
        return torch.where((r > -0.7 * level) & (r < 0.7 * (1 - level)), r**2 / 1.4, end)

    return reference


def _concomitant_huber(z, target):
    """Half of what HuberRegressor sums, of epsilon 1.2 and a scale a column, in torch."""
    scale = torch.linspace(0.5, 3, COLUMNS).to(z.dtype)
    ratio = ((z[:, 0] - target[:, None]) / scale).abs()
    huber = torch.where(ratio < 1.2, ratio**2, 2.4 * ratio - 1.44)
    return scale * (1 + huber) / 2


def _cases():
    yield "logistic", LogisticLoss(), torch_logistic, torch.arange(N) % 2
    yield "multinomial", MultinomialLoss(3), torch_multinomial, torch.arange(N) % 3
    yield "two classes", MultinomialLoss(2), torch_multinomial, torch.arange(N) % 2
    yield "squared hinge", SquaredHingeLoss(), torch_squared_hinge, torch.arange(N) % 2
    yield "squared hinges", SquaredHingeLoss(3), torch_squared_hinge, torch.arange(N) % 3
    yield "logistic, one a class", OneVsRestLogisticLoss(3), torch_one_vs_rest, torch.arange(N) % 3
    yield "logistic, signed", OneVsRestLogisticLoss(), torch_one_vs_rest, torch.arange(N) % 2
    yield "hinge", HingeLoss(width=0.7), _hinge, torch.arange(N) % 2
    yield "hinges", HingeLoss(3, width=0.7), _hinge, torch.arange(N) % 3
    yield "modified huber", ModifiedHuberLoss(), torch_modified_huber, torch.arange(N) % 2
    yield "modified hubers", ModifiedHuberLoss(3), torch_modified_huber, torch.arange(N) % 3
    for epsilon in (0.0, 1.0):
        loss, reference = EpsilonInsensitiveLoss(epsilon, 0.7), _epsilon_insensitive(epsilon)
        yield f"beyond {epsilon}", loss, reference, torch.linspace(-3, 3, N)
    for level in (0.5, 0.9):
        loss, reference = QuantileLoss(level, 0.7), _quantile(level)
        yield f"quantile {level}", loss, reference, torch.linspace(-3, 3, N)
    for epsilon in (0.5, 3.0):
        yield f"huber {epsilon}", HuberLoss(epsilon), torch_huber(epsilon), torch.linspace(-3, 3, N)
    loss = ConcomitantHuberLoss(1.2).at(torch.linspace(0.5, 3, COLUMNS).double())
    yield "huber with a scale", loss, _concomitant_huber, torch.linspace(-3, 3, N)
    for epsilon in (0.0, 1.0):
        loss = SquaredEpsilonInsensitiveLoss(epsilon)
        reference = torch_squared_epsilon_insensitive(epsilon)
        yield f"squared beyond {epsilon}", loss, reference, torch.linspace(-3, 3, N)
    yield "squared", HalfSquaredLoss(), torch_squared, torch.linspace(-3, 3, N)
    for power in (1.0, 1.5, 2.0):
        yield f"tweedie {power}", TweedieLoss(power), _tweedie(power), torch.linspace(0.2, 5, N)
    yield "two outputs", HalfSquaredLoss(2), torch_squared, torch.linspace(-3, 3, 2 * N).view(N, 2)


@pytest.fixture(params=_cases(), ids=lambda case: case[0])
def case(request):
    """Every loss."""
    _, loss, reference, target = request.param
    return Case(loss, reference, target.double())


@pytest.fixture(params=list(_cases())[:11], ids=lambda case: case[0])
def classifier(request):
    """Every loss of class labels."""
    _, loss, reference, target = request.param
    return Case(loss, reference, target.double())
