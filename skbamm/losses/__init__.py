"""Pointwise losses with first and second derivatives."""

from skbamm.losses.base import PointwiseLoss, UpperLoss
from skbamm.losses.bounded import (
    BoundedSquaredLoss,
    ExpectedErrorLoss,
    NoisyLabelLoss,
    OutlierLoss,
)
from skbamm.losses.logistic import LogisticLoss
from skbamm.losses.multinomial import MultinomialLoss
from skbamm.losses.squared import HalfSquaredLoss
from skbamm.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitiveLoss
from skbamm.losses.squared_hinge import SquaredHingeLoss
from skbamm.losses.tweedie import TweedieLoss

__all__ = [
    "BoundedSquaredLoss",
    "ExpectedErrorLoss",
    "HalfSquaredLoss",
    "LogisticLoss",
    "MultinomialLoss",
    "NoisyLabelLoss",
    "OutlierLoss",
    "PointwiseLoss",
    "SquaredEpsilonInsensitiveLoss",
    "SquaredHingeLoss",
    "TweedieLoss",
    "UpperLoss",
]
