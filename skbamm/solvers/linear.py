"""Solves a linear model's folds jointly: a whole grid of values, or an interval."""

from __future__ import annotations

import time
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, adaptive, solve_lower
from skbamm.bilevel.problem import Curvature
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import ScalarStep, UpperStep
from skbamm.criteria import Choice, Criterion
from skbamm.data.centring import centre_folds, shifted
from skbamm.data.fold_rows import fold_rows
from skbamm.data.matrices import (
    FoldData,
    choose_device,
    choose_dtype,
    make_rows,
    usable_folds,
)  # fmt: skip
from skbamm.data.placed import Placed
from skbamm.data.row_weights import RowWeights
from skbamm.data.shared_columns import columns_and_folds
from skbamm.data.training_rows import training_rows
from skbamm.folds import DenseRows, FoldWeights, StackedRows
from skbamm.glm import GLMProblem, LeastSquaresProblem, glm_problem, of_like_rows
from skbamm.losses import HalfSquaredLoss, Smoothed, UpperLoss
from skbamm.models import LinearTwin, NotApplicable, Task
from skbamm.solvers.criterion import task_criterion
from skbamm.solvers.penalties import Penalties
from skbamm.solvers.products import MANY_FEATURES, KnownGrams, by_products, place_of
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.solvers.values import solve_values
from skbamm.space import Axis
from skbamm.starts.lars import begin_on_paths
from skbamm.starts.line_search import parabola
from skbamm.starts.multistart import solve_basins
from skbamm.starts.path import follow_paths
from skbamm.starts.points import KINKED_SPACING, paths, starting_points
from skbamm.starts.subsample import Beginning, screen, some_rows

_FEW_COLUMNS = 20  # predictors a start up to which there are five starts, else three
_WIDE = 4  # features a row from which second moments are larger than the rows by far
_MANY_KINKS = 100  # features from which coordinate descent at some points is sooner than a path
_MANY_ROWS, _MANY_ENTRIES = 65536, 1 << 19  # rows and entries from which there are three starts
# First steps from where a search on some rows, a path, and exact paths ended.
_NEAR, _NEXT, _EXACT = 0.3, 0.1, 0.01
_APART = 3.0  # points of x between which one more is sooner solved than steps are made
_FAR = 1.5  # and from the top of a parabola through points that are far apart
_REFIT_TOL = 1e-5  # decrement of the model that a refit begins at


class JointSolver:
    """One combination's linear model over all folds.

    Parameters
    ----------
    twin : LinearTwin
    estimator : estimator
        As the user set it.
    task : Task
    shared : Placed or None
        What all folds share; None if they do not.
    folds : list of FoldData, or None
        What each fold has of its own.
    splits : list of (train, test)
        All of the search's splits.
    fit_weight, score_weight : ndarray of shape (n,) or None
    device, dtype : str
        As the user gave them.
    row_weights : RowWeights, optional
        Learned factors of ``fit_weight``.
    """

    def __init__(
        self,
        twin: LinearTwin,
        estimator: Any,
        task: Task,
        shared: Placed | None,
        folds: list[FoldData] | None,
        splits: list,
        fit_weight: np.ndarray | None,
        score_weight: np.ndarray | None,
        device: str,
        dtype: str,
        row_weights: RowWeights | None = None,
    ):
        self.twin, self.task = twin, task
        self._centres: list[np.ndarray | None] = [None] * len(splits)
        self.columns, folds = columns_and_folds(task, folds)  # what the folds share, if they do
        self.folds = self.given_folds = folds  # as the transformers made them
        if task.fit_intercept and not task.intercept_penalty:
            if self.columns is not None:
                self.columns, self._centres = self.columns.centred()
            elif folds is not None:
                self.folds, self._centres = centre_folds(folds)
            elif shared is not None:
                shared, centre = shared.centred()
                self._centres = [centre] * max(len(splits), 1)
        folds = self.folds
        self.matrix: Any = None if shared is None else shared.matrix
        self.fit_weight, self.score_weight = fit_weight, score_weight
        # Largest entry of the gradient at which the estimator's own fit would stop.
        self.gradient_tol = twin.model(estimator).tol if twin.warm_starts else np.inf
        sample: Any = self.matrix
        if folds is not None:
            sample = folds[0].matrix if self.columns is None else self.columns.placed.matrix
        dense = isinstance(sample, np.ndarray)
        self.device = choose_device(device, sample.size if dense else 0)
        self._placed = shared or Placed(None, self.device)
        self.penalties = Penalties(twin, estimator, task, self.device)
        n = len(task.target)
        weights = self._weights(n, splits, by_class=False) if splits else None
        self.used = [] if weights is None else usable_folds(task, splits, weights, fit_weight)
        if weights is None or not self.used:
            raise NotApplicable("no fold has what the model needs")
        self.splits = [splits[k] for k in self.used]
        # A fold without a class has none to weigh.
        same = task.class_weight is None and len(self.used) == len(splits)
        self.weights = weights if same else self._weights(n, self.splits)
        self.task = task.in_folds([train for train, _ in self.splits])
        self.row_weights = row_weights
        if row_weights is not None:
            self.weights = self.weights.reweighted(self._factor(row_weights.folds[:, self.used]))
        columns = len(self.used) * task.loss.n_outputs
        entries = sample.shape[0] * sample.shape[1]
        many = columns > _FEW_COLUMNS or len(task.target) > _MANY_ROWS or entries > _MANY_ENTRIES
        self._many_features = sample.shape[1] > MANY_FEATURES  # for factors of their matrices
        self.n_starts = 3 if many or self._many_features else 5
        self.dtype = choose_dtype(dtype, sample, self.n_starts * columns)
        self._rows: dict[torch.dtype, Any] = {}
        self.moments: Any = None
        self.grams = KnownGrams()
        self.metric: Curvature | None = None  # the last of all rows, near any solution

    @property
    def least_squares(self) -> bool:
        """Whether second moments are all that is needed of X."""
        if not isinstance(self.task.loss, HalfSquaredLoss):
            return False
        rows = self.rows(torch.float64)
        return rows.n_coefficients <= MANY_FEATURES and not self.wide(rows)

    def wide(self, rows) -> bool:
        """Whether matrices of rows are smaller than those of features by far, and serve."""
        rows = self.rows(torch.float64)
        squares = not self.penalties.has_kinks
        dense = isinstance(rows, DenseRows | StackedRows)
        return squares and dense and rows.n_features > _WIDE * rows.n_rows

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Solve these values in all folds, so well that the estimator would not go on.

        ``values`` has a column for each hyperparameter that the twin tunes.
        """
        x = torch.as_tensor(values, device=self.device)
        axes = [Axis(name, -np.inf, np.inf, "plain") for name in self.penalties.values]
        # What is the same in all rows is no variable: a penalty without a part is a simpler one.
        vary = [i for i in range(len(axes)) if len(np.unique(values[:, i])) > 1]
        self.penalties.values.update(zip(self.penalties.values, values[0].tolist(), strict=True))
        return solve_values(self, tuple(axes[i] for i in vary), x[:, vary], None)

    def search(
        self,
        axes: tuple[Axis, ...],
        criterion: str | Choice,
        *,
        max_iter: int,
        tol: float,
        max_time: float | None,
        upper_loss: UpperLoss | None = None,
        begin: list[float] | None = None,
        near: Beginning | None = None,
        rough: bool = False,
    ) -> tuple[BilevelResult, Criterion, list[float]]:
        """Search intervals by sl-BAMM.

        ``upper_loss`` takes the place of the criterion's own. Of many rows, ``begin`` takes the
        place of several starting points, and ``rough`` is content with a search on some.
        ``near`` is where a search of like rows ended: this one begins there.

        Returns
        -------
        result : BilevelResult
            F is relative to that of the best constant prediction.
        criterion : Criterion
        start : list of float
            The x of the starting point that the result grew from.
        """
        chosen, began = self.criterion(criterion, upper_loss), time.perf_counter()

        def on_some(rows, starts):
            # A row of some stands for several, but the penalty for as many rows as there are.
            return self.glm(
                axes, rows, starts, every.n_rows / rows.n_rows,
                criterion=chosen, bounds=self.penalties.bounds(axes),
            )  # fmt: skip

        @cache  # what passes keep is kept for metrics of the same problem
        def whole(starts):
            return self.problem(axes, starts, self.dtype, chosen, limit=limit)

        few, every, strong = self.some_rows(), self.rows(self.dtype), False
        limit = self.penalties.limit(axes, every, lambda: self.problem((), 1, self.dtype))
        if near is not None:
            first, step = near, _NEAR if near.bend is None else _FAR
        elif limit is None or begin is not None:
            # Steps of so many features take many passes, of weak penalties the most.
            dear = few is None and self._many_features and not self.wide(every)
            strong = dear and chosen.loss is self.task.loss
            several = few is not None and self.task.loss.n_outputs > 1
            leave = self.twin.inverse if strong or several else None
            # Another loss of least-squares models takes passes, where their own takes none.
            passes = self.least_squares and not isinstance(chosen.loss, HalfSquaredLoss)
            choose = partial(
                starting_points, axes, min(self.n_starts, 3) if passes else self.n_starts
            )
            x0, ends = (self._factor(np.array(choose(some))) for some in (leave, None))
            first = screen(on_some, few, x0, ends, begin, max_iter, max_time, rough)
            step = _NEAR if len(first.x) == 1 else 1.0
            if first.found is not None and len(first.x) == 1:
                first.curvature = of_like_rows(first.found.curvature, whole(1), first.x, first.y)
        else:
            problem = self.problem(axes, 1, self.dtype, chosen) if few is None else on_some(few, 1)
            exact = None
            # Exact paths have as many kinks as models have coefficients, or more.
            soon = isinstance(problem, LeastSquaresProblem) and problem.y_shape[-1] > _MANY_KINKS
            if len(axes) == 1 and not soon:
                exact = begin_on_paths(problem, axes[0], self.twin.inverse, max_time)
            points = paths(axes, limit, *[KINKED_SPACING] * isinstance(self.task.loss, Smoothed))
            first = exact or follow_paths(problem, points, max_time)
            step = _NEXT if exact is None else _EXACT
        if first.found is not None and (rough or first.ended):
            return first.found, chosen, first.start[0].tolist()
        if max_time is not None:
            max_time = max(max_time - (time.perf_counter() - began), 0.0)
        before = time.perf_counter() - began
        result = solve_basins(
            whole, first, partial(self._schedule, axes), step,
            max_iter=max_iter, tol=tol, max_time=max_time,
            # Where it takes many rows or many passes, an iteration costs more than it can gain.
            finish=3 if few is None and not self._many_features else 0,
            ends=not (strong or first.between),
            judge=None if few is None else partial(on_some, few),
        )  # fmt: skip
        result.history["seconds"] = [before + spent for spent in result.history["seconds"]]
        # The second moments have coordinates of their own, unlike another loss's search.
        moved = self.least_squares and not isinstance(chosen.loss, HalfSquaredLoss)
        self.metric = None if moved else result.curvature
        return result, chosen, first.start[result.start].tolist()

    @property
    def begins_anywhere(self) -> bool:
        """Whether a search may begin at any models: without kinks there are none that are empty."""
        return not self.penalties.has_kinks

    def upper(
        self, axes: tuple[Axis, ...], solutions: FoldSolutions, criterion: str | Choice
    ) -> list[float]:
        """Return F of solved models."""
        points = len(solutions.coef)
        problem = self.problem(axes, points, self.dtype, self.criterion(criterion))
        upper = problem.upper(self._y(problem, solutions, slice(points))).sum(1)
        return upper.nan_to_num(torch.inf).tolist()

    def _y(self, problem: Any, solutions: FoldSolutions, which: slice) -> Tensor:
        """Return some of the solved models as the search has them."""
        coef = torch.as_tensor(solutions.coef[which], device=self.device)
        return problem.of_coefficients(coef).to(self.dtype)

    def closer(
        self, axes: tuple[Axis, ...], points: list[list[float]], upper: list[float]
    ) -> tuple[list[float], int] | None:
        """Return a point half way from the best to that of a stronger penalty, and which that is.

        Models of strong penalties are soon solved, and towards weak ones F is often a plain, so
        that a parabola leads there. None where points are close, or steps of a search are cheap.
        """
        if len(axes) > 1 or not by_products(self):
            return None
        best = int(np.argmin(upper))
        order = sorted(range(len(points)), key=lambda i: points[i], reverse=not self.twin.inverse)
        at = order.index(best)
        if at == 0 or abs(points[best][0] - points[order[at - 1]][0]) < _APART:
            return None
        return [(points[best][0] + points[order[at - 1]][0]) / 2], order[at - 1]

    def beginning(
        self, axes: tuple[Axis, ...], points: list[list[float]], solutions: FoldSolutions,
        upper: list[float], criterion: str | Choice,
    ) -> Beginning:  # fmt: skip
        """Return the best of points whose models are solved, for a search to begin at."""
        best, bend, known = int(np.argmin(upper)), None, None
        problem = self.problem(axes, 1, self.dtype, self.criterion(criterion))
        y = self._y(problem, solutions, slice(best, best + 1))
        x = torch.tensor([points[best]], dtype=torch.float64, device=self.device)
        vertex = x.clone()
        if len(axes) == 1:
            curve = sorted(zip((point[0] for point in points), upper, strict=True))
            at = [place for place, _ in curve].index(points[best][0])
            known = parabola(curve[max(at - 1, 0) : at + 2])
        if known is not None:
            vertex[0, 0], bend = known
        metric = self.grams.near(problem, place_of(axes, vertex), vertex, y)
        return Beginning(vertex, y, None, x, curvature=metric, bend=bend, between=len(axes) == 1)

    def models(self, solutions: FoldSolutions) -> list[Tensor]:
        """Return the models (K, m, p) of each value that others may begin at."""
        if self.least_squares:
            return []  # they are solved at once
        return list(torch.as_tensor(solutions.coef, device=self.device))

    def criterion(self, choice: str | Choice, upper_loss: UpperLoss | None = None) -> Criterion:
        """Return the criterion for this combination's folds."""
        return task_criterion(choice, self.task, self.weights, self.used, upper_loss)

    def _schedule(self, axes, problem, first: float, bend: float | None):
        kinks = problem.kinks
        step: UpperStep = ScalarStep(first, kinks=kinks, bend=bend)
        if len(axes) > 1:
            step = TrustRegionStep(first, kinks=kinks, bend=bend, project=problem.project)
        return adaptive(len(axes), x_step=step)

    def some_rows(self):
        """Return rows to begin with, or None where all are as cheap."""
        rows, outputs = self.rows(self.dtype), self.task.loss.n_outputs
        return None if self.least_squares else some_rows(rows, outputs)

    def polish(
        self, axes: tuple[Axis, ...], x: list[list[float]], y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FoldSolutions:  # fmt: skip
        """Solve these x in all folds, at mu = 0, each beginning at y (K, m, p).

        They are solved in float64, unless ``tol``, a looser bound on the decrement, will do.
        """
        points = torch.tensor(x, dtype=torch.float64, device=self.device)
        begin = None if y is None else torch.stack([one.double() for one in y])
        return solve_values(self, axes, points, begin, tol)

    def all_rows(self, estimator: Any, coef: np.ndarray, gradient_tol: float) -> np.ndarray:
        """Solve an estimator's own values on all rows, beginning at coefficients (m, p)."""
        self.penalties.set_values(estimator)
        both, weights = (torch.float64, self.dtype), self.weights_on_all_rows()
        rows, metric_rows = (self.rows(dtype).with_folds(weights) for dtype in both)
        loss = self.task.in_folds([np.arange(len(self.task.target))]).loss
        problem = self.glm((), rows, 1, loss=loss, metric_rows=metric_rows)
        x = torch.empty(1, 0, dtype=torch.float64, device=self.device)
        y = torch.as_tensor(self.inside(coef), device=self.device)[None, None]
        metric = of_like_rows(self.metric, problem, x, y)
        # Where there are kinks, how near a step comes is not seen before the next.
        tol = _REFIT_TOL if not problem.kinks else np.inf
        result = solve_lower(problem, x, y, tol=tol, gradient_tol=gradient_tol, curvature=metric)
        return self.outside(result.y[0, 0].cpu().numpy())

    def inside(self, coef: np.ndarray) -> np.ndarray:
        """Return coefficients (m, p) of the features that all folds share as they are solved."""
        return shifted(coef, self._centres[0], 1.0)

    def outside(self, coef: np.ndarray, fold: int = 0) -> np.ndarray:
        """Return solved coefficients (m, p) as those of the features as they are."""
        return shifted(coef, self._centres[fold], -1.0)

    def weights_on_all_rows(self) -> FoldWeights:
        """Return the weights of one fold, which trains on all rows."""
        n = len(self.task.target)
        weights, learned = self._weights(n, [(np.arange(n), np.arange(0))]), self.row_weights
        return weights if learned is None else weights.reweighted(self._factor(learned.rows))

    def solution(self, solutions: FoldSolutions, s: int, k: int, features):
        """Return value s in the k-th used fold as the bank keeps it.

        ``features`` is what a fitted model remembers of those that all folds share.
        """
        coef = solutions.coef[s, k]
        own: Any = slice(coef.shape[1] - int(self.task.fit_intercept))
        transformers, dtype = None, None if self.matrix is None else self.matrix.dtype
        if self.folds is not None:
            data = self.folds[self.used[k]]
            own, dtype = data.columns, data.dtype
            features, transformers = data.features, data.transformers
        adopt = solutions.gradient_norm[s, k] <= self.gradient_tol
        by_class = self.task.class_weight is not None or self.task.sides is not None
        if self.row_weights is not None and by_class:
            adopt = False  # balanced classes are those of the weights, too
        adopt = adopt and self.twin.reaches(coef[:, : coef.shape[1] - int(self.task.fit_intercept)])
        statistics = self.twin.statistics(self.task, partial(training_rows, self, k, coef))
        coef = self.outside(coef, self.used[k])
        return Solution(
            self.twin,
            self.task.without_rows(self.used[k]),
            (
                np.ascontiguousarray(coef[:, own], dtype=dtype),
                np.ascontiguousarray(coef[:, -1], dtype=dtype),
                *statistics,
            ),
            features,
            bool(adopt),
            transformers,
        )

    def rows(self, dtype: torch.dtype):
        """Return the rows of all used folds in a working precision."""
        if dtype not in self._rows:
            if self.folds is None:
                rows = self.shared_rows(self.weights, dtype)
            else:
                rows = fold_rows(self, dtype)
            self._rows[dtype] = rows
        return self._rows[dtype]

    def problem(self, axes, starts, dtype, criterion=None, metric_dtype=None, limit=None):
        """Return the problem of all used folds in a working precision."""
        options: dict[str, Any] = {
            "criterion": criterion, "bounds": self.penalties.bounds(axes), "limit": limit,
        }  # fmt: skip
        if self.least_squares and (
            criterion is None or isinstance(criterion.loss, HalfSquaredLoss)
        ):
            rows = self.rows(torch.float64)
            problem = LeastSquaresProblem(
                rows, self.penalties.penalty(axes, rows), starts,
                moments=self.moments, mean_loss=self.twin.mean_loss, **options,
            )  # fmt: skip
            self.moments = problem.moments
            return problem
        if metric_dtype is not None:
            options["metric_rows"] = self.rows(metric_dtype)
        return self.glm(axes, self.rows(dtype), starts, **options)

    def glm(self, axes, rows, starts, factor=1.0, loss=None, **options) -> GLMProblem:
        """Return the problem of some rows, whatever the loss."""
        return glm_problem(
            rows, loss or self.task.loss, self.penalties.penalty(axes, rows, factor), starts,
            mean_loss=self.twin.mean_loss, **options,
        )  # fmt: skip

    def _weights(self, n, splits, by_class=True) -> FoldWeights:
        task = self.task
        return FoldWeights(
            n, splits,
            fit_weight=self.fit_weight, score_weight=self.score_weight,
            row_class=task.row_class, class_weight=task.class_weight if by_class else None,
            device=self.device,
        )  # fmt: skip

    def shared_rows(self, weights, dtype):
        """Return the rows that all folds share, with these weights."""
        return make_rows(self._placed, self.task.target, weights, self.task.fit_intercept, dtype)

    def _factor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=self.device)
