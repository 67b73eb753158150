"""Compares an estimator's own fit with the minimum that the solvers find for the same rows.

Some fits stop at once, or diverge, where features are far from zero or of very different scales,
and say nothing. What a search has scored is the minimum; a final model that is far from it is not
the model that was scored.
"""

from __future__ import annotations

import inspect
import math
import warnings
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skbamm._sklearn_compat import safe_indexing
from skbamm.bilevel import solve_lower
from skbamm.data.callbacks import without_callbacks
from skbamm.data.matrices import as_matrix
from skbamm.glm import null_loss, solve_narrowing
from skbamm.losses import Smoothed
from skbamm.models import last_step
from skbamm.search.factory import SolverFactory
from skbamm.solvers.linear import LinearSolver
from skbamm.solvers.solutions import FoldSolutions
from skbamm.space.grid import Target

# Shares that a fit's tolerance may leave of the explained part and of the objective.
_OF_BOTH, _OF_BOTH_STRICTLY = (0.1, 0.01), (1e-3, 1e-4)
_CLOSE = {"tol": 1e-8, "max_iter": 10_000}  # of an own fit that is compared strictly
_TOL = 1e-6  # decrement of the minimum
_NARROW = 1e-3  # of a kink's width, for objectives to be compared


class UnfitTwin(ValueError):
    """A twin that was registered is not that of its estimator."""


@dataclass(frozen=True)
class Comparison:
    """The objective of an own fit and its minimum.

    Attributes
    ----------
    own, least : float
        Mean objective of the own fit, and of the solution.
    null : float
        That of a constant.
    solutions : FoldSolutions
        The solution, as its solver exports it.
    """

    own: float
    least: float
    null: float
    solutions: FoldSolutions

    def is_worse(self, strict: bool = False) -> bool:
        """Whether the own fit is worse by more than its tolerance explains, or a default one."""
        explained, objective = _OF_BOTH_STRICTLY if strict else _OF_BOTH
        bar = explained * max(self.null - self.least, 0.0) + objective * abs(self.least)
        return not self.own <= self.least + bar


def compare(joint: LinearSolver, last: Any, begin: np.ndarray | None = None) -> Comparison | None:
    """Compare a fitted model with the minimum of its objective.

    Parameters
    ----------
    joint : LinearSolver
        The solver of the one split on whose training rows the model was fitted.
    last : estimator
        The fitted model; the last step of a pipeline.
    begin : ndarray of shape (m, p), optional
        Coefficients near the minimum, with the intercept last.

    Returns
    -------
    Comparison or None
        None where the model's coefficients cannot be read, or the minimum is not found.
    """
    rows = joint.rows(torch.float64)
    problem = joint.glm((), rows, 1)
    x = torch.empty(1, 0, dtype=torch.float64, device=joint.device)
    own = _read(joint, last)
    if own is None:
        return None
    y = problem.start(x) if begin is None else _as_models(joint.data.inside(begin), problem)
    if y.shape != problem.y_shape or not torch.isfinite(y).all():
        y = problem.start(x)
    solve = solve_narrowing if isinstance(problem.loss, Smoothed) else solve_lower
    result = solve(problem, x, y, tol=_TOL)
    if isinstance(problem.loss, Smoothed):
        problem.loss = problem.loss.narrowed(_NARROW * problem.loss.width)
    models = _as_models(joint.data.inside(own), problem), result.y
    reached, least = (float(problem.lower(x, at)[0]) for at in models)
    if not np.isfinite(least):
        return None
    coef = problem.coefficients(result.y).cpu().numpy()
    solutions = FoldSolutions(coef, np.zeros(coef.shape[:2]))
    return Comparison(reached, least, float(null_loss(problem)), solutions)


def check_twin(maker: SolverFactory, solver: Any, target: Target, params: dict[str, Any]) -> None:
    """Compare an own fit of one fold with its solution, if the twin is not one of ours.

    Parameters
    ----------
    maker : SolverFactory
    solver : FoldSolver
    target : Target
    params : dict
        Parameters of the candidate.

    Raises
    ------
    UnfitTwin
        If the own fit is far from the minimum of the twin's objective.
    """
    ours = type(target.twin).__module__.partition(".")[0] == "skbamm"
    if ours or not isinstance(solver, LinearSolver):
        return
    estimator = clone(target.estimator).set_params(**params)
    found, last = _of_a_fold(maker, solver, target, estimator, _CLOSE)
    if found is not None and found.is_worse(strict=True):
        kind, twin = type(last).__name__, type(target.twin).__name__
        values = ", ".join(f"{name}={value!r}" for name, value in params.items())
        raise UnfitTwin(
            f"{twin}, the registered twin of {kind}, does not minimise what {kind} does: with "
            f"{values} the own fit has an objective of {found.own:.6g} a row by the twin's loss "
            f"and penalty, whose minimum is {found.least:.6g}. Check the loss, the scale of the "
            "penalty and the intercept."
        )


def loose_fit(maker: SolverFactory, solver: LinearSolver, target: Target, estimator: Any) -> str:
    """Return a note if own fits stop far from the minimum by their settings, else "".

    Asked of estimators only whose ``tol`` or ``max_iter`` is ten times looser than their default.
    ``estimator`` has the candidate's values; the others are as for ``check_twin``.
    """
    last = last_step(estimator)
    model = solver.twin.model(last)
    known = inspect.signature(type(model)).parameters
    loose = [
        f"{name}={given!r}"
        for name, times in (("tol", 1.0), ("max_iter", -1.0))
        if name in known and _is_looser(given := getattr(model, name), known[name].default, times)
    ]
    if not loose or last is not model:
        return ""
    found, _ = _of_a_fold(maker, solver, target, clone(estimator), {})
    if found is None or not found.is_worse(strict=True):
        return ""
    kind = type(model).__name__
    return f"With {' and '.join(loose)} own fits of {kind} stop short of the minimum"


def _is_looser(given: Any, default: Any, sign: float) -> bool:
    if not (isinstance(given, Real) and isinstance(default, Real)):
        return False
    ratio = float(given) / float(default) if default else 0.0
    return ratio > 0 and sign * math.log10(ratio) >= 1.0


def _of_a_fold(maker, solver, target, estimator, settings) -> tuple[Comparison | None, Any]:
    """Compare an own fit of one fold, with given settings, with the minimum."""
    k = solver.used[0]
    train, _ = maker.splits[k]
    estimator = without_callbacks(estimator)
    last, folds = last_step(estimator), None
    if solver.folds is None:
        X = as_matrix(maker.X)[train]
    else:
        folds = [solver.given_folds[k]]
        X = folds[0].matrix[: len(train)]
    weight = (
        {} if solver.data.fit_weight is None else {"sample_weight": solver.data.fit_weight[train]}
    )
    known = last.get_params(deep=False)
    last.set_params(**{name: value for name, value in settings.items() if name in known})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        last.fit(X, safe_indexing(maker.y, train), **weight)
    one = maker.for_splits([maker.splits[k]])
    return compare(one.make(replace(target, estimator=estimator), {}, folds), last), last


def _read(joint: LinearSolver, last: Any) -> np.ndarray | None:
    """Return the coefficients (m, p) of a fitted model, with the intercept last."""
    try:
        coef, intercept = joint.twin.read(last)
    except AttributeError:
        return None
    if joint.task.fit_intercept:
        both = np.broadcast_to(np.atleast_1d(intercept), len(coef))[:, None]
        coef = np.concatenate([coef, both], 1)
    p = joint.data.n_features + int(joint.task.fit_intercept)
    return coef if coef.shape == (joint.task.loss.n_outputs, p) else None


def _as_models(coef: np.ndarray, problem: Any) -> torch.Tensor:
    return torch.as_tensor(np.asarray(coef, dtype=float), device=problem.rows.device)[None, None]
