"""A score that is asked for, as what it is made of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score

from skbamm._sklearn_compat import BaseScorer, PassthroughScorer
from skbamm.faults import from_signal
from skbamm.metrics import NoTwin
from skbamm.search.keys import OWN_SCORE


@dataclass(frozen=True)
class Metric:
    """One of the scores that are asked for.

    Attributes
    ----------
    key : str
        The name of the scorer, or ``OWN_SCORE``.
    scorer : callable
    function : callable or None
        The metric of scikit-learn's that it is made of.
    sign : int
    options : dict
    methods : tuple of str
        The responses that it takes, the first that there is.
    """

    key: str
    scorer: Any
    function: Any = None
    sign: int = 1
    options: Any = None
    methods: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: str, scorer: Any, estimator: Any) -> Metric | None:
        """Return that of a scorer; None of one that may look at more than predictions."""
        if isinstance(scorer, PassthroughScorer):
            own = type(estimator).score
            for kind, function in ((ClassifierMixin, accuracy_score), (RegressorMixin, r2_score)):
                if own is kind.score:
                    return cls(OWN_SCORE, scorer, function, 1, {}, ("predict",))
            return cls(OWN_SCORE, scorer)
        if not isinstance(scorer, BaseScorer):
            return None
        given = getattr(scorer, "_response_method", ())
        methods = (given,) if isinstance(given, str) else tuple(given)
        return cls(key, scorer, scorer._score_func, scorer._sign, scorer._kwargs, methods)

    def method(self, model: Any) -> str:
        """Return the response of a model that it takes, or raise NoTwin."""
        for name in self.methods:
            if hasattr(model, name):
                return name
        raise NoTwin("the model has no such response")

    def on_host(self, model: Any, z: np.ndarray, y: Any, weight: np.ndarray | None) -> float | None:
        """Return the score that scikit-learn makes of predictors; None where it has to say more."""
        takes = weight is not None and self.scorer._accept_sample_weight()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                scored = model.score if self.key == OWN_SCORE else self.scorer
                before = () if self.key == OWN_SCORE else (model,)
                found = scored(*before, z, y, **({"sample_weight": weight} if takes else {}))
            except Exception as error:
                if from_signal(error):
                    raise
                return None  # it will be said where the candidate is scored
        return None if told else found
