"""Optuna beside ours: its default sampler, for as many seconds as it is given."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import FloatDistribution

from skbamm import FeaturePenalty

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # OptunaSearchCV says that it is experimental
    from optuna_integration import OptunaSearchCV

GROUPS = 10


class GroupFactors(FeaturePenalty):
    """A linear model with ten parameters that Optuna can set: a penalty for each group.

    Each is a factor of the estimator's own penalty.
    """

    def __init__(
        self, estimator=None, groups=None, g0=1.0, g1=1.0, g2=1.0, g3=1.0, g4=1.0,
        g5=1.0, g6=1.0, g7=1.0, g8=1.0, g9=1.0,
    ):  # fmt: skip
        self.estimator, self.groups = estimator, groups
        self.g0, self.g1, self.g2, self.g3, self.g4 = g0, g1, g2, g3, g4
        self.g5, self.g6, self.g7, self.g8, self.g9 = g5, g6, g7, g8, g9

    def fit(self, X, y=None, sample_weight=None):
        factors = np.array([getattr(self, f"g{k}") for k in range(GROUPS)])
        self.penalty_factor, self.norm = factors[self.groups], "auto"
        return super().fit(X, y, sample_weight)


def hush() -> None:
    """Let Optuna say nothing of itself."""
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    warnings.simplefilter("ignore", FutureWarning)  # of parts of Optuna that OptunaSearchCV imports
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def optuna_search(
    model: Any, intervals: Mapping[str, tuple[float, float]], seconds: float, **settings: Any
) -> OptunaSearchCV:
    """A search that begins no trial after so many seconds; the refit comes on top.

    Intervals are searched in the logarithm, but for that of "l1_ratio".
    """
    space = {
        name: FloatDistribution(*ends, log=not name.endswith("l1_ratio"))
        for name, ends in intervals.items()
    }
    return OptunaSearchCV(model, space, n_trials=None, timeout=seconds, **settings)


def group_search(
    model: Any, groups: np.ndarray, ends: tuple[float, float], seconds: float, **settings: Any
) -> OptunaSearchCV:
    """A search of ten factors of the model's penalty, one a group of features."""
    intervals = {f"g{k}": ends for k in range(GROUPS)}
    return optuna_search(GroupFactors(model, groups), intervals, seconds, **settings)
