"""The Hessian of all outputs together, where it is small: Newton's own steps for several classes.

A softmax couples its outputs. For few features and classes the whole matrix costs less than the
passes that conjugate gradients take instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skbamm.bilevel.metrics import Cholesky, Metric
from skbamm.effort import METER, factor_seconds, gram_seconds, solve_seconds, spend


@dataclass(frozen=True)
class JointSettings:
    """When the matrix is small; benchmarks/everyday/effort.py says what solves with it take.

    Attributes
    ----------
    most : int
        Coefficients of all outputs.
    seconds : float
        Counted cost of one fold's matrix and its factor.
    """

    most: int = 120
    seconds: float = 1e-3


JOINT = JointSettings()


def joint_seconds(rows: int, size: int, matrices: int) -> float:
    """Return the cost of such matrices of some rows, and of their factors."""
    return gram_seconds(matrices, rows, size) + factor_seconds(matrices, size)


def joint_pays(rows: int, size: int) -> bool:
    """Whether matrices of so many coefficients are used."""
    return size <= JOINT.most and joint_seconds(rows, size, 1) <= JOINT.seconds


class JointMetric(Metric):
    """The Hessian of all coefficients of each column, factored.

    Parameters
    ----------
    problem : GLMProblem
        For the penalty.
    gram : Tensor of shape (S, K, m p, m p)
        The loss's part of the Hessian.
    x : Tensor of shape (S, h)
    mu : float
    """

    def __init__(self, problem, gram: Tensor, x: Tensor, mu: float):
        self.problem, self.gram, self.x, self.mu = problem, gram, x, mu
        self._strength = (1 - mu) * problem.penalty_at(x).curvature
        self._factor: Cholesky | None = None

    @property
    def factor(self) -> Cholesky:
        """The factor, made when it is first used."""
        if self._factor is None:
            full, (_, _, m, p) = self.gram.clone(), self.problem.y_shape
            strength = self._strength.expand(*full.shape[:2], m, p)
            full.diagonal(dim1=-2, dim2=-1).add_(strength.flatten(2))
            if METER.get() is not None:
                spend(factor_seconds(full[..., 0, 0].numel(), full.shape[-1]))
            self._factor = Cholesky(full)
        return self._factor

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve with the factor."""
        if METER.get() is not None:
            spend(solve_seconds(residuals[..., 0, 0].numel(), self.gram.shape[-1]))
        flat = residuals.flatten(3)
        return self.factor.solve(flat).unflatten(3, residuals.shape[3:])

    def select(self, starts):
        """Return the metric of these starts."""
        chosen = object.__new__(JointMetric)
        chosen.__dict__.update(self.__dict__)
        chosen.gram, chosen.x = self.gram[starts], self.x[starts]
        chosen._strength = self._strength[starts]
        if self._factor is not None:
            chosen._factor = self._factor.select(starts)
        return chosen

    def at(self, x: Tensor, y: Tensor):
        """Return the metric for another x; the matrix of the loss stays."""
        if x is self.x:
            return self
        strength = (1 - self.mu) * self.problem.penalty_at(x).curvature
        if torch.equal(strength, self._strength):
            return self
        gram = self.gram
        if len(x) != len(gram):
            gram = gram[:1].expand(len(x), *gram.shape[1:])
        return JointMetric(self.problem, gram, x, self.mu)


def see_shifts(gram: Tensor, places: Tensor) -> None:
    """Let matrices see a common shift of the intercepts, which a softmax does not.

    Parameters
    ----------
    gram : Tensor of shape (..., f, f)
        Changed in place.
    places : Tensor of int
        Of all intercepts.
    """
    size = torch.diagonal(gram, dim1=-2, dim2=-1)[..., places].mean(-1)
    gram[..., places[:, None], places] += size[..., None, None] / len(places)
