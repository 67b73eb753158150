"""Whether there is any noise to learn weights from, and how to: the gate against harm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from skbamm.bilevel import solve_lower
from skbamm.glm import GLMProblem
from skbamm.weights.learner import FoldModel, Learned, out_of_fold
from skbamm.weights.noise import Likelihoods, log_likelihoods

_DOUBT = 2.0  # nats that noise must explain the labels better by to be as likely as no noise
_CERTAIN = 10.0  # nats for noise by models without weights: the weights need no comparison
_ROUGH = 1e-3  # tolerance of the models that are compared
_LEAST = 0.01  # belief in noise, so that the rows keep an order
# Part of the labels that look wrong where all are right: a linear model is never quite true.
_MISFIT, _LEFT = 0.02, 0.05  # lower bound on the remaining odds, so that the rows keep an order
_REASONS = {
    "learned": "held-out labels are more likely under a noise model",
    "pruned": "weights explain held-out labels no better than dropping rows",
    "none": "no weights: held-out labels are more likely without noise",
    "": "learned weights were not compared with no weights: too few held-out rows",
}


@dataclass(frozen=True)
class Gate:
    """The evidence of held-out labels for noise, and the resulting choice.

    Attributes
    ----------
    weights : {"learned", "pruned", "none"}
        Which of them the held-out labels speak for.
    evidence : float or None
        Log likelihood of the labels of all rows under noise, by models whose weights were learned
        without the row's fold, less that of labels that are right, by models without weights.
        Each is the better of that and of chance. None if it cannot be told: too few rows are held
        out, or models are trained on half of them, which is too little to learn weights from.
    """

    weights: str = "learned"
    evidence: float | None = None

    @classmethod
    def between(
        cls, plain: Likelihoods, learned: Likelihoods, pruned: Likelihoods | None = None
    ) -> Gate:
        """Return the gate for models without weights, with learned ones, and of pruned rows.

        Leaving out rows must be likelier than weights by as much as noise than no noise.
        """
        weights, evidence = "learned", learned.with_noise - plain.without_noise
        if pruned is not None:
            other = pruned.with_noise - _DOUBT - plain.without_noise
            if other > evidence:
                weights, evidence = "pruned", other
        return cls(weights if evidence > 0 else "none", evidence)

    @staticmethod
    def is_certain(plain: Likelihoods) -> bool:
        """Return whether models without weights indicate noise."""
        return plain.with_noise - plain.without_noise > _CERTAIN

    @property
    def belief(self) -> float:
        """Probability that labels are noisy at all."""
        if self.evidence is None:
            return 1.0
        return max(_LEAST, float(1 / (1 + np.exp(np.clip(_DOUBT - self.evidence, -50, 50)))))

    def used(self, one: Learned) -> Learned:
        """Return the weights that are used, if any are."""
        return one.pruned() if self.weights == "pruned" else one

    def quality(self, one: Learned, trusted: np.ndarray) -> np.ndarray:
        """Return how likely each label is right, (n,)."""
        # If learned weights do not help, they do not identify wrong rows either.
        right = (one.right if self.weights == "learned" else one.first.right).cpu().numpy()
        if self.evidence is not None:
            wrong = np.where(trusted, 0.0, 1 - right)
            rate = max(float(wrong.mean()), 1e-12)
            odds = wrong * max(1 - _MISFIT / rate, _LEFT)
            right = 1 - self.belief * odds / (odds + 1 - wrong)
        return np.where(trusted, 1.0, right)

    def params(self) -> dict[str, object]:
        """Return what ``weights_params_`` says of it."""
        chosen: dict[str, object] = {"weights": self.weights, "reason": self.reason}
        return chosen if self.evidence is None else {**chosen, "evidence": self.evidence}

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return _REASONS["" if self.evidence is None else self.weights]


def likelihoods(model: FoldModel, x: Tensor) -> Likelihoods:
    """Return ``log_likelihoods`` of the labels by the folds' models at the penalty that x means.

    The weights that the model's rows have were learned without the rows that they judge.
    """
    problem = GLMProblem(
        model.rows, model.loss, model.penalty, 1, criterion=model.criterion,
        mean_loss=model.mean_loss,
    )  # fmt: skip
    y = solve_lower(problem, x[None], tol=_ROUGH).y
    z, seen = out_of_fold(model.rows, y, len(model.target))
    return log_likelihoods(z[seen], model.target[seen].long(), model.counts[seen])
