"""Pointwise losses with first and second derivatives."""

from skbamm.losses.absolute import PinballLoss
from skbamm.losses.balanced import BalancedLoss
from skbamm.losses.base import (
    ParametricLoss,
    PointwiseLoss,
    ScaledLoss,
    UpperLoss,
)
from skbamm.losses.bounded import (
    BoundedSquaredLoss,
    ExpectedErrorLoss,
    NoisyLabelLoss,
    OutlierLoss,
)
from skbamm.losses.brier import BrierLoss
from skbamm.losses.concomitant_huber import ConcomitantHuberLoss
from skbamm.losses.epsilon_insensitive import EpsilonInsensitiveLoss
from skbamm.losses.hinge import HingeLoss
from skbamm.losses.huber import HuberLoss
from skbamm.losses.inverse import Inverse, InverseLoss, behind_inverse
from skbamm.losses.log_link import LogLinkLoss
from skbamm.losses.logistic import LogisticLoss
from skbamm.losses.modified_huber import ModifiedHuberLoss
from skbamm.losses.multinomial import MultinomialLoss
from skbamm.losses.normalised_logistic import NormalisedLogisticLoss
from skbamm.losses.one_vs_rest import OneVsRest, OneVsRestLogisticLoss
from skbamm.losses.pairwise import pairs, pairwise_logistic
from skbamm.losses.quantile import QuantileLoss
from skbamm.losses.smoothed import Smoothed
from skbamm.losses.squared import HalfSquaredLoss
from skbamm.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitiveLoss
from skbamm.losses.squared_hinge import SquaredHingeLoss
from skbamm.losses.tweedie import TweedieLoss

__all__ = [
    "BalancedLoss",
    "BoundedSquaredLoss",
    "BrierLoss",
    "ConcomitantHuberLoss",
    "EpsilonInsensitiveLoss",
    "ExpectedErrorLoss",
    "HalfSquaredLoss",
    "HingeLoss",
    "HuberLoss",
    "Inverse",
    "InverseLoss",
    "LogLinkLoss",
    "LogisticLoss",
    "ModifiedHuberLoss",
    "MultinomialLoss",
    "NoisyLabelLoss",
    "NormalisedLogisticLoss",
    "OneVsRest",
    "OneVsRestLogisticLoss",
    "OutlierLoss",
    "ParametricLoss",
    "PinballLoss",
    "PointwiseLoss",
    "QuantileLoss",
    "ScaledLoss",
    "Smoothed",
    "SquaredEpsilonInsensitiveLoss",
    "SquaredHingeLoss",
    "TweedieLoss",
    "UpperLoss",
    "behind_inverse",
    "pairs",
    "pairwise_logistic",
]
