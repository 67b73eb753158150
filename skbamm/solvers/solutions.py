"""Solved models of all folds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skbamm.models import Task, Twin


@dataclass
class FoldSolutions:
    """Coefficients of some values in all solved folds.

    Attributes
    ----------
    coef : ndarray of shape (S, K, m, p), float64
        With the intercept last, if there is one; of kernel models one a row.
    gradient_norm : ndarray of shape (S, K)
        Not a number where the solution is not one.
    solvers : list of LinearSolver
        That of each value, where they differ; else empty.
    """

    coef: np.ndarray
    gradient_norm: np.ndarray
    solvers: list[Any] = field(default_factory=list)

    @classmethod
    def join(cls, parts: list[FoldSolutions]) -> FoldSolutions:
        """Return those of all values."""
        coef = np.concatenate([p.coef for p in parts])
        norm = np.concatenate([p.gradient_norm for p in parts])
        return cls(coef, norm, [one for p in parts for one in p.solvers])


@dataclass
class Solution:
    """One fold's model of one candidate.

    Attributes
    ----------
    twin : Twin
    task : Task
    parameters : tuple
        Arguments of the twin's export; for linear models coefficients (m, d) and intercepts (m,).
    features : dict
        ``n_features_in_`` and perhaps ``feature_names_in_`` of the last step.
    adopt : bool
        Whether the estimator's own fit from here would do nothing.
    transformers : Pipeline or None
        Fitted on this fold's training rows.
    scores : dict of str -> float
        Those of its test rows that are known, by the scorer.
    responses : dict of str -> ndarray
        Results of its methods for the test rows that are known, by the method's name.
    """

    twin: Twin
    task: Task
    parameters: tuple[Any, ...]
    features: dict[str, Any]
    adopt: bool
    transformers: Pipeline | None = None
    scores: dict[str, float] = field(default_factory=dict)
    responses: dict[str, np.ndarray] = field(default_factory=dict)
