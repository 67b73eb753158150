"""Whether there is any noise to learn weights from: the gate against harm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.glm import GLMProblem
from skbamm.weights.learner import FoldModel, out_of_fold
from skbamm.weights.noise import log_likelihoods

_DOUBT = 2.0  # nats that noise must explain the labels better by to be as likely as no noise
_ROUGH = 1e-3  # tolerance of the models that are compared
_LEAST = 0.01  # belief in noise, so that the order of the rows can be told


@dataclass(frozen=True)
class Gate:
    """What held-out labels say for noise, and what follows from it.

    Attributes
    ----------
    evidence : float or None
        Log likelihood of the labels of all rows under noise, by models whose weights were learned
        without the row's fold, less that of labels that are right, by models without weights.
        Each is the better of that and of chance. None if it cannot be told: too few rows are held
        out, or models are trained on half of them, which is too little to learn weights from.
    """

    evidence: float | None

    @classmethod
    def between(
        cls, plain: tuple[float, float, float], learned: tuple[float, float, float]
    ) -> Gate:
        """Return the gate for the chance, right and noisy likelihoods of both kinds of models."""
        return cls(max(learned[2], learned[0]) - max(plain[1], plain[0]))

    @property
    def learned(self) -> bool:
        """Whether the learned weights are used: not if the labels are likelier without noise."""
        return self.evidence is None or self.evidence > 0

    @property
    def belief(self) -> float:
        """Probability that labels are noisy at all."""
        if self.evidence is None:
            return 1.0
        return max(_LEAST, float(1 / (1 + np.exp(np.clip(_DOUBT - self.evidence, -50, 50)))))

    def quality(self, right: np.ndarray) -> np.ndarray:
        """Return how likely each label is right, given how likely it is if labels are noisy."""
        return 1 - self.belief * (1 - right)

    def params(self) -> dict[str, object]:
        """Return what ``weights_params_`` says of it."""
        chosen: dict[str, object] = {"weights": "learned" if self.learned else "none"}
        return chosen if self.evidence is None else {**chosen, "evidence": self.evidence}


def likelihoods(model: FoldModel, x: Tensor) -> tuple[float, float, float]:
    """Return ``log_likelihoods`` of the labels by the folds' models at the penalty that x means.

    The weights that the model's rows have were learned without the rows that they judge.
    """
    problem = GLMProblem(
        model.rows, model.loss, model.penalty, 1, criterion=model.criterion,
        mean_loss=model.mean_loss,
    )  # fmt: skip
    y = solve_lower(problem, x[None], tol=_ROUGH).y
    z, seen = out_of_fold(model.rows, y, len(model.target))
    label = model.target.long()
    count = model.share * len(label) * model.factor[label]
    return log_likelihoods(z[seen], label[seen], count[seen])
