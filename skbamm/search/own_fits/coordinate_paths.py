"""Paths of elastic nets by coordinate descent, which choose the values for own fits.

Each fold's models are followed from strong penalties to weak ones, each beginning at the last
(Friedman, Hastie & Tibshirani, "Regularization paths for generalized linear models via coordinate
descent", 2010). A whole path takes about as long as two or three fits from zero, so F
is known at many more values than own fits could be scored at.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import ElasticNet, Lasso, MultiTaskElasticNet, MultiTaskLasso, enet_path

from skbamm.clock import Clock
from skbamm.starts.line_search import parabola

_KINDS = (ElasticNet, Lasso, MultiTaskElasticNet, MultiTaskLasso)


@dataclass(frozen=True)
class Paths:
    """The points of the paths, chosen by benchmarks/everyday/uses.py.

    Attributes
    ----------
    spacing : float
        Distance of a path's penalties, in x.
    fewest : int
        Penalties of a path at least.
    most : int
        Penalties of a path at most.
    part : int
        Penalties after which F may have risen.
    worse : float
        F relative to the minimum of all paths above which a path of many rows ends.
    away : float
        F relative to the minimum above which paths of a smaller ``l1_ratio`` are skipped.
    few_rows : int
        Rows up to which F may fall again where it has risen.
    tie : float
        Share of F by which two points differ at least.
    ratios : int
        Paths from end to end of ``l1_ratio``.
    halvings : int
        How often paths between them follow.
    """

    spacing: float = 0.45
    fewest: int = 8
    most: int = 24
    part: int = 4
    worse: float = 1.02
    away: float = 1.2
    few_rows: int = 2000
    tie: float = 1e-4
    ratios: int = 3
    halvings: int = 2


PATHS = Paths()


def paths_of(joint: Any, last: Any, axes: tuple, criterion: Any) -> CoordinatePaths | None:
    """Return the paths of a model in all folds; None for other models.

    Parameters
    ----------
    joint : LinearSolver
    last : estimator
        The model as the user set it.
    axes : tuple of Axis
    criterion : Criterion
    """
    kind = type(last)
    named = {axis.parameter for axis in axes}
    if kind not in _KINDS or "alpha" not in named or not named <= {"alpha", "l1_ratio"}:
        return None
    data, given = joint.data, joint.given_folds
    if not (data.fit_weight is data.score_weight is data.row_weights is None):
        return None
    grouped = kind in (MultiTaskElasticNet, MultiTaskLasso)
    squares = criterion.loss.squared and criterion.fold_losses is None
    if not squares or joint.task.transformed is not None:
        return None
    if grouped != (joint.task.target.ndim == 2):
        return None
    ratio = getattr(last, "l1_ratio", 1.0)
    if "l1_ratio" not in named and not ratio > 0:
        return None
    sample = data.matrix if given is None else given[joint.used[0]].matrix
    if not isinstance(sample, np.ndarray) or min(len(test) for _, test in data.splits) == 0:
        return None
    return CoordinatePaths(joint, axes, ratio, criterion, last)


def _folds(joint: Any) -> list[tuple]:
    """Return each fold's rows and targets, to train on and to judge."""
    found = []
    for k, (train, test) in zip(joint.used, joint.data.splits, strict=True):
        if joint.given_folds is None:
            X, X_test = joint.data.matrix[train], joint.data.matrix[test]
        else:
            data = joint.given_folds[k]
            n = len(data.train)
            X, X_test = data.matrix[:n], data.matrix[n:]
        X, X_test = X.astype(np.float64), X_test.astype(np.float64)
        y, y_test = joint.task.target[train], joint.task.target[test]
        if joint.task.fit_intercept:
            middle, level = X.mean(0), y.mean(0)
            X, X_test, y, y_test = X - middle, X_test - middle, y - level, y_test - level
        found.append((np.asfortranarray(X), np.asfortranarray(y), X_test, y_test))
    return found


class CoordinatePaths:
    """The paths of all folds.

    Parameters
    ----------
    joint : LinearSolver
        For the rows of the folds, which are made when they are needed.
    axes : tuple of Axis
    ratio : float
        Share of absolute values, where it is not searched.
    criterion : Criterion
    last : estimator
    """

    def __init__(self, joint: Any, axes: tuple, ratio: float, criterion: Any, last: Any):
        self._joint, self._criterion, self._ratio = joint, criterion.by_fold(), ratio
        scale = criterion.output_scale  # R2 weighs outputs by their variances
        self._outputs: Any = None
        if scale is not None:
            self._outputs = (scale / scale.mean(1, keepdim=True)).nan_to_num(1.0).cpu().numpy()
        self._folds: list[tuple] = []
        named = [axis.parameter for axis in axes]
        self._alpha, self._axes = named.index("alpha"), axes
        self._other = named.index("l1_ratio") if "l1_ratio" in named else None
        self._options = {"tol": last.tol, "max_iter": last.max_iter}
        if getattr(last, "positive", False):
            self._options["positive"] = True
        self._least = np.inf

    def best(self, clock: Clock) -> list[list[float]]:
        """Return the best point in x, then the best of the evaluated points."""
        self._folds = _folds(self._joint)
        low, high = self._axes[self._alpha].bounds()
        count = min(max(int((high - low) / PATHS.spacing) + 1, PATHS.fewest), PATHS.most)
        places: np.ndarray = np.linspace(high, low, count)
        if self._other is None:
            return self._around(places, self._follow(places, None), None)
        known: dict[float, np.ndarray] = {}
        least, most = self._axes[self._other].bounds()
        for t in np.linspace(least, most, PATHS.ratios)[::-1].tolist():
            known[t] = self._follow(places, t)
            # If fewer absolute values have led away from the minimum, still fewer lead further.
            if clock.over or known[t].min() > PATHS.away * self._least:
                break
        for _ in range(PATHS.halvings):
            tried = sorted(known)
            at = tried.index(min(known, key=lambda t: known[t].min()))
            for near in (*tried[max(at - 1, 0) : at], *tried[at + 1 : at + 2]):
                if not clock.over:
                    between = (near + tried[at]) / 2
                    known[between] = self._follow(places, between)
        best = min(known, key=lambda t: known[t].min())
        return self._around(places, known[best], best)

    def _point(self, place: float, other: float | None) -> list[float]:
        point = [0.0] * len(self._axes)
        point[self._alpha] = float(place)
        if self._other is not None:
            point[self._other] = other  # type: ignore[assignment]
        return point

    def _around(self, places: np.ndarray, upper: np.ndarray, other) -> list[list[float]]:
        """Return the top of a parabola around the best point of a path, if there is one, and it."""
        # Own fits of the stronger of two penalties come nearer to their minimum.
        best = int((upper <= (1 + PATHS.tie) * upper.min()).argmax())
        around = slice(max(best - 1, 0), best + 2)
        known = parabola(sorted(zip(places[around].tolist(), upper[around].tolist(), strict=True)))
        found = [float(places[best])] if known is None else [known[0], float(places[best])]
        return [self._point(place, other) for place in found]

    def _follow(self, places: np.ndarray, other: float | None) -> np.ndarray:
        """Return F from the strongest penalty on; infinite beyond where it has risen."""
        alphas = np.array([self._axes[self._alpha].number(place) for place in places])
        ratio = self._ratio if self._other is None else self._axes[self._other].number(other)
        upper = np.full(len(places), np.inf)
        begin: list[Any] = [None] * len(self._folds)
        for a in range(0, len(places), PATHS.part):
            part = alphas[a : a + PATHS.part]
            average = np.empty((len(part), len(self._folds)))
            for k in range(len(self._folds)):
                average[:, k], begin[k] = self._of_fold(k, part, ratio, begin[k])
            shares = self._criterion.shares(torch.as_tensor(average))
            upper[a : a + PATHS.part] = shares.sum(1).nan_to_num(torch.inf).numpy()
            last = upper[a : a + PATHS.part].min()
            risen = last > PATHS.worse * min(self._least, upper.min()) and last > upper.min()
            if risen and len(self._folds[0][0]) > PATHS.few_rows:
                break
        self._least = min(self._least, float(upper.min()))
        return upper

    def _of_fold(self, k: int, alphas, ratio, begin) -> tuple[np.ndarray, np.ndarray]:
        """Return half the mean squares of a fold, and the last model."""
        X, y, X_test, y_test = self._folds[k]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, coef, _ = enet_path(
                X, y, l1_ratio=max(ratio, 1e-3), alphas=alphas, coef_init=begin,
                precompute=y.ndim == 1 and X.shape[0] > X.shape[1], check_input=False,
                **self._options,
            )  # fmt: skip
        z = np.tensordot(X_test, coef, ([1], [coef.ndim - 2]))  # (n, ..., alphas)
        squares = (z - y_test[..., None]) ** 2
        if self._outputs is not None and y.ndim == 2:
            squares *= self._outputs[k][:, None]
        average = 0.5 * squares.reshape(-1, len(alphas)).mean(0)
        return average, np.asfortranarray(coef[..., -1])
