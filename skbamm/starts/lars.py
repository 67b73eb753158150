"""Begins a search of one L1 penalty of least squares: follows all of its paths exactly.

Each fold's coefficients are piecewise linear in the penalty, and least angle regression finds the
points where they bend (Efron, Hastie, Johnstone & Tibshirani, "Least angle regression", 2004;
Osborne, Presnell & Turlach, "A new approach to variable selection in least squares problems",
2000). So F is known at any penalty for one evaluation, and the search starts in the
valley of its least value: of few rows it has many.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import lars_path, lars_path_gram
from torch import Tensor

from skbamm.folds import DenseRows
from skbamm.glm.penalised import PenalisedProblem
from skbamm.models import NotApplicable
from skbamm.space import Axis
from skbamm.starts.subsample import Beginning


@dataclass(frozen=True)
class LarsSettings:
    """When exact paths are followed, how far, and where F is evaluated on them.

    benchmarks/speed/lasso_path.py measures their effect.

    Attributes
    ----------
    most : int
        Rows or features, whichever are fewer, up to which paths are short enough.
    few_rows : int
        Rows up to which paths are followed to their end: F may fall again where it has risen. And
        up to which they are made from rows, where second moments are not at hand.
    points : int
        Most points of the paths that F is evaluated at.
    stage : float
        Share of the penalties by which a path of many rows is extended at a time.
    worse : float
        F relative to its least that has risen.
    least : float
        Least penalty relative to the largest at which the algorithm's own tolerances, which are
        absolute, see something.
    least_moment : float
        Least second moment of a feature relative to the largest, likewise.
    none : float
        Largest product of target and features, relative to the largest possible, that is none.
    around : int
        Points between the neighbours of the best.
    closer : int
        How often such points are tried.
    """

    most: int = 1000
    few_rows: int = 2000
    points: int = 128
    stage: float = 0.2
    worse: float = 1.02
    least: float = 1e-6
    least_moment: float = 1e-8
    none: float = 1e-14
    around: int = 17
    closer: int = 2


LARS = LarsSettings()


def begin_on_paths(
    problem: PenalisedProblem, axis: Axis, inverse: bool, max_time: float | None
) -> Beginning | None:
    """Return the best point of the folds' paths, or None if they are not of this kind.

    Parameters
    ----------
    problem : LeastSquaresProblem or GLMProblem
        A problem of one start with absolute values in its penalty.
    axis : Axis
        The only hyperparameter, which the penalty is proportional to.
    inverse : bool
        Whether the penalty is proportional to its inverse instead.
    max_time : float or None
        Seconds after which paths are not followed any further.
    """
    ends = [axis.number(end) for end in axis.bounds()]
    low, high = sorted(1 / end if inverse else end for end in ends)
    units = _units(problem, axis, 1 / high if inverse else high)
    folds = None if units is None else _folds(problem)
    if units is None or folds is None:
        return None
    if not all(fold.alike(u * low / high) for fold, u in zip(folds, units, strict=True)):
        return None
    deadline = torch.inf if max_time is None else time.perf_counter() + max_time
    paths = _Paths(problem, axis, inverse, folds, units / high)
    reached = top = max(min(high, paths.top), low)
    low = max(low, LARS.least * top)
    # F of few rows may fall again where it has risen, and their paths are short.
    stage = LARS.stage if problem.rows.n_rows > LARS.few_rows else 0.0
    while True:
        reached = max(low, stage * reached)
        paths.extend(reached)
        scale = paths.places(reached, top)
        if not len(scale):  # a fold's path ended above the interval
            raise NotApplicable("features are too collinear to follow a path")
        upper = paths.upper(scale)
        risen = upper[0] > LARS.worse * upper.min()
        if reached <= low or risen or time.perf_counter() > deadline:
            break
    for _ in range(LARS.closer):
        best = int(upper.argmin())
        around = scale[max(best - 1, 0)], scale[min(best + 1, len(scale) - 1)]
        scale = np.geomspace(*around, LARS.around)
        upper = paths.upper(scale)
    least = scale[[int(upper.argmin())]]
    x = paths.x(least)
    return Beginning(x, paths.models(least), None, x)


def _units(problem: Any, axis: Axis, value: float) -> np.ndarray | None:
    """Return each fold's strength at a value, if absolute values are all of the penalty."""
    x = axis.place(torch.tensor([[value]], dtype=torch.float64)).to(problem.rows.device)
    d, penalty = problem.rows.n_features, problem.penalty_at(x)
    kappa, squares = penalty.kink[0], penalty.curvature[0]
    alike = bool((kappa[..., :d] == kappa[..., :1]).all()) and not bool(kappa[..., d:].any())
    absolute = penalty.kinked.separable and not penalty.kinked.non_negative
    alone = problem.y_shape[2] == 1 and absolute and not bool(squares[..., :d].any())
    return kappa[:, 0, 0].cpu().numpy() if alike and alone else None


class _Paths:
    """The paths of all folds, by the factor of the penalty."""

    def __init__(self, problem, axis: Axis, inverse: bool, folds: list, units: np.ndarray):
        self.problem, self.axis, self.inverse = problem, axis, inverse
        self._folds, self._units = folds, units
        self._knots: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def top(self) -> float:
        """The factor from which on all models are empty."""
        return max(fold.largest / u for fold, u in zip(self._folds, self._units, strict=True))

    def extend(self, low: float) -> None:
        """Follow the paths down to a factor."""
        self._knots = []
        for fold, unit in zip(self._folds, self._units, strict=True):
            penalties, models = fold.path(low * unit)
            self._knots.append((penalties / unit, models))

    def places(self, low: float, top: float) -> np.ndarray:
        """Return where the paths bend and both ends, in ascending order; not too many."""
        low = max(low, *(factors[0] for factors, _ in self._knots))  # as far as all are known
        bends = np.unique(np.concatenate([[low, top], *(factors for factors, _ in self._knots)]))
        bends = bends[(bends >= low) & (bends <= top)]
        chosen = np.linspace(0, len(bends) - 1, min(len(bends), LARS.points)).round().astype(int)
        return bends[chosen]

    def models(self, factors: np.ndarray) -> Tensor:
        """Return the folds' models, (N, K, 1, p)."""
        found = []
        for knots, models in self._knots:
            right = np.searchsorted(knots, factors).clip(1, len(knots) - 1)
            left = right - 1
            width = np.maximum(knots[right] - knots[left], np.finfo(float).tiny)
            share = ((factors - knots[left]) / width).clip(0, 1)[:, None]
            found.append((1 - share) * models[left] + share * models[right])
        y = torch.as_tensor(np.stack(found, 1)[:, :, None])
        return y.to(self.problem.rows.device, self.problem.start(self.x(factors[:1])).dtype)

    def x(self, factors: np.ndarray) -> Tensor:
        """Return the places of the factors on the axis, (N, 1)."""
        value = torch.as_tensor(1 / factors if self.inverse else factors)[:, None]
        low, high = self.axis.bounds()
        return self.axis.place(value).clamp(low, high).to(self.problem.rows.device)

    def upper(self, factors: np.ndarray) -> np.ndarray:
        """Return F."""
        many = self.problem.select([0] * len(factors))
        upper = many.upper(self.models(factors)).sum(1)
        return upper.nan_to_num(torch.inf).cpu().numpy()


def _folds(problem: Any) -> list | None:
    """Return the folds' least squares problems; None if they are too large or not of this kind."""
    rows = problem.rows
    if min(rows.n_rows, rows.n_features) > LARS.most:
        return None
    if problem.has_closed_form:
        moments, d = problem.train, rows.n_features
        return [
            _OfMoments(gram.numpy(), cross.numpy(), float(square), d, rows.fit_intercept)
            for gram, cross, square in zip(
                moments.gram.cpu(), moments.cross[:, 0].cpu(), moments.square[:, 0], strict=True
            )
        ]
    each = list(rows.matrices) * (rows.n_folds // len(rows.matrices))
    dense = all(isinstance(one, DenseRows) for one in each)
    if not (dense and problem.loss.squared and rows.n_rows <= LARS.few_rows):
        return None
    return [_OfRows(one, k if one.n_folds > 1 else 0) for k, one in enumerate(each)]


class _OfMoments:
    """Half the weighted mean of squares of one fold, from second moments."""

    def __init__(self, gram: np.ndarray, cross: np.ndarray, square: float, d: int, intercept: bool):
        self._intercept, self._mean, self._level = intercept, np.zeros(d), 0.0
        self._gram, self._cross = gram[:d, :d], cross[:d]
        if intercept:
            self._mean, self._level = gram[d, :d], cross[d]
            self._gram = self._gram - np.outer(self._mean, self._mean)
            self._cross = self._cross - self._mean * self._level
        self._moments, self._square = self._gram.diagonal().clip(0), square

    @property
    def largest(self) -> float:
        """The smallest penalty with an empty model; zero without a signal."""
        largest = float(np.abs(self._cross).max(initial=0.0))
        return largest if largest > LARS.none * (self._moments.max() * self._square) ** 0.5 else 0.0

    def alike(self, least: float) -> bool:
        """Whether the features are of like scale that may be in a model of this penalty."""
        # No residual is larger than the target: others never have a slope that is large enough.
        seen = self._moments[self._moments * self._square >= least**2]
        return not len(seen) or bool(seen.min() >= LARS.least_moment * seen.max())

    def path(self, least: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the penalties where the path bends, ascending from ``least``, and the models."""
        largest = self.largest
        if largest <= least:
            penalties, models = np.array([2 * least, least]), np.zeros((2, len(self._cross)))
        else:
            # In units of the largest moment and penalty, for the algorithm's own tolerances.
            size = self._moments.max() ** 0.5
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it ends early if features are too collinear
                penalties, _, slopes = self._lars(least / largest, size, largest)
            penalties, models = penalties * largest, slopes.T * (largest / size**2)
        if self._intercept:
            level = self._level - models @ self._mean
            models = np.concatenate([models, level[:, None]], 1)
        return penalties[::-1], models[::-1]

    def _lars(self, least: float, size: float, largest: float):
        """Return the path of features divided by ``size``, down to this share of the largest."""
        return lars_path_gram(
            self._cross / largest, self._gram / size**2,
            n_samples=1, alpha_min=least, method="lasso",
        )  # fmt: skip


class _OfRows(_OfMoments):
    """The same from the rows, which are fewer than the features."""

    def __init__(self, rows: DenseRows, k: int):
        index, weight = rows.weights.nonzero(k, "train")
        X, target = rows.X[index].double().cpu().numpy(), rows.target[index].double().cpu().numpy()
        w = np.ones(len(X)) if weight is None else weight.cpu().numpy()
        w = w / w.sum()
        self._intercept = rows.fit_intercept
        self._mean = w @ X if self._intercept else np.zeros(X.shape[1])
        self._level = float(w @ target) if self._intercept else 0.0
        root = np.sqrt(w)
        self._X, self._target = root[:, None] * (X - self._mean), root * (target - self._level)
        self._cross = self._X.T @ self._target
        self._moments, self._square = (self._X**2).sum(0), float((self._target**2).sum())

    def _lars(self, least: float, size: float, largest: float):
        n = len(self._X)  # penalties are divided by the number of rows
        penalties, active, slopes = lars_path(
            self._X / size, self._target * (size / largest),
            Gram=None, alpha_min=least / n, method="lasso",
        )  # fmt: skip
        return penalties * n, active, slopes
