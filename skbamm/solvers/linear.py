"""Solves a linear model's folds jointly: a list of values, or an interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Schedule, adaptive, solve_lower
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import ScalarStep, UpperStep
from skbamm.criteria import Choice
from skbamm.folds import Rows
from skbamm.glm import GLMProblem, LeastSquaresProblem, of_like_rows
from skbamm.glm.penalised import PenalisedProblem
from skbamm.solvers.base import Quest
from skbamm.solvers.cost import foreseen_seconds, turns_pay
from skbamm.solvers.grams import place_of
from skbamm.solvers.problems import LinearProblems
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.solvers.tolerances import TOL
from skbamm.solvers.values import solve_values
from skbamm.space import Axis, SearchAxis
from skbamm.starts.lars import begin_on_paths
from skbamm.starts.line_search import parabola
from skbamm.starts.multistart import solve_basins
from skbamm.starts.path import follow_paths
from skbamm.starts.points import EmptyLimit, paths, starting_points
from skbamm.starts.subsample import Beginning, screen


@dataclass(frozen=True)
class FirstSteps:
    """Lengths of the first step of x, and limits for other ways to start.

    Chosen by benchmarks/speed/specialists.py and benchmarks/speed/growth.py.

    Attributes
    ----------
    near : float
        After a search on some rows, or of similar rows.
    path : float
        From the best point of a path.
    exact : float
        From the best point of an exact path.
    vertex : float
        From the top of a parabola through points that are far apart.
    apart : float
        Distance of points above which solving one more is faster than taking steps.
    many_kinks : int
        Coefficients above which coordinate descent at some points is faster than an exact path.
    path_values : int
        Values that a search costs at least that follows paths of penalties with kinks.
    """

    near: float = 0.3
    path: float = 0.1
    exact: float = 0.01
    vertex: float = 1.5
    apart: float = 3.0
    many_kinks: int = 100
    path_values: int = 10


FIRST = FirstSteps()


class LinearSolver(LinearProblems):
    """One combination's linear model over all folds; see ``LinearProblems``."""

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Solve values in all folds to a precision at which the estimator's own fit would stop."""
        x = torch.as_tensor(values, device=self.device)
        axes = [Axis(name, -np.inf, np.inf, "plain") for name in self.penalties.values]
        # Without constant columns the penalty may have a simpler form.
        vary = [i for i in range(len(axes)) if len(np.unique(values[:, i])) > 1]
        self.penalties.values.update(zip(self.penalties.values, values[0].tolist(), strict=True))
        return solve_values(self, tuple(axes[i] for i in vary), x[:, vary], None)

    def begin(self, quest: Quest) -> Beginning:
        """Begin at a search of like rows, at some rows' search, or at the best of a path."""
        if quest.near is not None:
            quest.near.step = FIRST.near if quest.near.bend is None else FIRST.vertex
            return quest.near
        limit = self._limit(quest)
        if limit is None or quest.begin is not None:
            return self._screened(quest)
        few = self._few(quest)
        if few is None:
            problem: PenalisedProblem = self.problem(quest.axes, 1, self.dtype, quest.criterion)
        else:
            problem = self._on_some(quest, few, 1)
        exact = None
        # Exact paths have as many kinks as models have coefficients, or more.
        soon = problem.has_closed_form and problem.y_shape[-1] > FIRST.many_kinks
        if len(quest.axes) == 1 and not soon:
            exact = begin_on_paths(problem, quest.axes[0], self.twin.inverse, quest.max_time)
        if exact is not None:
            exact.step = FIRST.exact
            return exact
        points = paths(quest.axes, limit, self.task.loss.smoothed)
        first = follow_paths(problem, points, quest.max_time)
        first.step = FIRST.path
        return first

    def loop(self, quest: Quest, first: Beginning) -> BilevelResult:
        """Search all rows, and once more where a lower minimum seems to be elsewhere."""
        few, before = self._few(quest), quest.spent
        result = solve_basins(
            partial(self._whole, quest), first, partial(self._schedule, quest.axes), first.step,
            max_iter=quest.max_iter, tol=quest.tol, max_time=quest.left,
            # With many rows or passes an iteration costs more than it can gain.
            finish=3 if few is None and not self.many_features else 0,
            ends=first.ends,
            turns=few is None and turns_pay(self),
            judge=None if few is None else partial(self._on_some, quest, few),
        )  # fmt: skip
        # The second moments have coordinates of their own, unlike another loss's search.
        moved = self.least_squares and not quest.criterion.loss.squared
        self.metric = None if moved else result.curvature
        return quest.dated(result, before)

    def polish(
        self,
        axes: tuple[SearchAxis, ...],
        x: list[list[float]],
        y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FoldSolutions:
        """Solve these x in all folds, at mu = 0 and in float64; see ``FoldSolver.polish``."""
        points = torch.tensor(x, dtype=torch.float64, device=self.device)
        begin = None if y is None else torch.stack([one.double() for one in y])
        return solve_values(self, axes, points, begin, tol)

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return value s in the k-th used fold; see ``FoldSolver.solution``."""
        task, data = self.task, self.data
        coef = data.of_features(solutions.coef[s, k], self.used[k])
        slopes = coef.shape[1] - int(task.fit_intercept)
        own: Any = slice(slopes)
        transformers, dtype = None, None if data.matrix is None else data.matrix.dtype
        fold = data.fold(k)
        if fold is not None:
            own, dtype = fold.columns, fold.dtype
            features, transformers = fold.features, fold.transformers
        adopt = solutions.gradient_norm[s, k] <= self.gradient_tol
        by_class = task.class_weight is not None or task.sides is not None
        if data.row_weights is not None and by_class:
            adopt = False  # balanced classes are those of the weights, too
        adopt = adopt and self.twin.reaches(coef[:, :slopes])
        statistics = self.twin.statistics(task, partial(data.predictions, k, coef))
        coef = data.uncentred(coef, self.used[k])
        return Solution(
            self.twin,
            task.without_rows(self.used[k]),
            (
                np.ascontiguousarray(coef[:, own], dtype=dtype),
                np.ascontiguousarray(coef[:, -1], dtype=dtype),
                *statistics,
            ),
            features,
            bool(adopt),
            transformers,
        )

    def all_rows(self, estimator: Any, coef: np.ndarray, gradient_tol: float) -> np.ndarray:
        """Solve an estimator's own values on all rows, where its refit is to begin.

        Parameters
        ----------
        estimator : estimator
        coef : ndarray of shape (m, p)
            Coefficients near the solution.
        gradient_tol : float
            Largest entry of the gradient that may be left.
        """
        data = self.data
        self.penalties.set_values(estimator)
        weights = data.weights_of_all_rows()
        both: list[Any] = [self.rows(dtype) for dtype in (torch.float64, self.dtype)]
        rows, metric_rows = (one.with_folds(weights) for one in both)
        loss = self.task.in_folds([np.arange(len(self.task.target))]).loss
        problem = self.glm((), rows, 1, loss=loss, metric_rows=metric_rows)
        x = torch.empty(1, 0, dtype=torch.float64, device=self.device)
        y = torch.as_tensor(data.inside(coef), device=self.device)[None, None]
        metric = of_like_rows(self.metric, problem, x, y)
        # With kinks a decrement says little about the distance to the solution.
        tol = TOL.refit if not problem.kinks else np.inf
        result = solve_lower(problem, x, y, tol=tol, gradient_tol=gradient_tol, curvature=metric)
        return data.outside(result.y[0, 0].cpu().numpy())

    def models(self, solutions: FoldSolutions) -> list[Tensor]:
        """Return the models (K, m, p) of each value; none of second moments, solved at once."""
        if self.least_squares:
            return []
        return list(torch.as_tensor(solutions.coef, device=self.device))

    @property
    def weighs_outputs(self) -> bool:  # type: ignore[override]
        """Whether outputs may count differently: in second moments they do."""
        return self.least_squares

    @property
    def begins_anywhere(self) -> bool:  # type: ignore[override]
        """Whether a search may start at any models; with kinks, empty models have no slope."""
        return not self.penalties.has_kinks

    def upper(
        self, axes: tuple[Axis, ...], solutions: FoldSolutions, criterion: str | Choice
    ) -> list[float]:
        """Return F of solved models."""
        points = len(solutions.coef)
        problem = self.problem(axes, points, self.dtype, self.criterion(criterion))
        upper = problem.upper(self._y(problem, solutions, slice(points))).sum(1)
        return upper.nan_to_num(torch.inf).tolist()

    def closer(
        self, axes: tuple[Axis, ...], points: list[list[float]], upper: list[float]
    ) -> tuple[list[float], int] | None:
        """Return a point half way from the best to that of a stronger penalty, and which that is.

        Models of strong penalties are soon solved, and towards weak ones F is often a plain, so
        that a parabola leads there. None where points are close, or steps of a search are cheap.
        """
        if len(axes) > 1 or not self.by_products:
            return None
        best = int(np.argmin(upper))
        order = sorted(range(len(points)), key=lambda i: points[i], reverse=not self.twin.inverse)
        at = order.index(best)
        if at == 0 or abs(points[best][0] - points[order[at - 1]][0]) < FIRST.apart:
            return None
        return [(points[best][0] + points[order[at - 1]][0]) / 2], order[at - 1]

    def beginning(
        self,
        axes: tuple[Axis, ...],
        points: list[list[float]],
        solutions: FoldSolutions,
        upper: list[float],
        criterion: str | Choice,
    ) -> Beginning:
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
        return Beginning(vertex, y, None, x, curvature=metric, bend=bend, ends=len(axes) > 1)

    def search_values(self, axes: tuple[SearchAxis, ...], judged: bool) -> int:
        """See ``FoldSolver.search_values``."""
        values = super().search_values(axes, judged)
        if self.begins_anywhere:
            return values
        squares = self.task.loss.squared and self.task.loss.n_outputs == 1
        absolute_only = len(axes) == 1 and self.penalties.values.get("l1_ratio", 1.0) == 1.0
        # Paths of squares are exact, or soon followed by second moments.
        soon = squares and (absolute_only or self.least_squares)
        return values if soon else max(values, FIRST.path_values)

    def foreseen(self, values: int, listed: bool) -> float | None:
        """See ``FoldSolver.foreseen``."""
        return foreseen_seconds(self, values, listed)

    def _screened(self, quest: Quest) -> Beginning:
        """Begin at several starting points, or where a search of some rows from them ends."""
        few, several = self._few(quest), self.task.loss.n_outputs > 1
        strong = self._is_dear(quest)
        leave = self.twin.inverse if strong or (few is not None and several) else None
        # Another loss of least-squares models takes passes, where their own takes none.
        passes = self.least_squares and not quest.criterion.loss.squared
        count = min(self.n_starts, 3) if passes else self.n_starts
        x0, ends = (
            torch.as_tensor(np.array(starting_points(quest.axes, count, some)), device=self.device)
            for some in (leave, None)
        )
        first = screen(
            partial(self._on_some, quest), few, x0, ends, quest.begin, quest.max_iter,
            quest.max_time, quest.rough,
        )  # fmt: skip
        first.ends = not strong
        if strong and len(quest.axes) == 1 and len(first.x) > 1:
            # Each takes as much memory as the rows; from the first x tends to pass the others by.
            one, *first.left = x0 if self.twin.inverse else x0.flip(0)
            first.x = first.start = one[None]
        elif len(first.x) == 1:
            first.step = FIRST.near
            if first.found is not None:
                whole, metric = self._whole(quest, 1), first.found.curvature
                first.curvature = of_like_rows(metric, whole, first.x, first.y)
        return first

    def _is_dear(self, quest: Quest) -> bool:
        """Whether starts at weak penalties take too many passes, with so many features."""
        few, own = self._few(quest), quest.criterion.loss is self.task.loss
        return few is None and self.many_features and not self.wide and own

    def _on_some(self, quest: Quest, rows: Rows, starts: int) -> GLMProblem:
        # A row of some stands for several, but the penalty for as many rows as there are.
        factor = self.rows(self.dtype).n_rows / rows.n_rows
        return self.glm(
            quest.axes, rows, starts, factor,
            criterion=quest.criterion, bounds=self.penalties.bounds(quest.axes),
        )  # fmt: skip

    def _whole(self, quest: Quest, starts: int) -> GLMProblem | LeastSquaresProblem:
        """Return the problem of all rows, the same one each time: passes keep things in it."""
        if starts not in quest.kept:
            quest.kept[starts] = self.problem(
                quest.axes, starts, self.dtype, quest.criterion, limit=self._limit(quest)
            )
        return quest.kept[starts]

    def _few(self, quest: Quest) -> Rows | None:
        """Return rows to begin with, drawn once."""
        if "few" not in quest.kept:
            quest.kept["few"] = self.some_rows()
        return quest.kept["few"]

    def _limit(self, quest: Quest) -> EmptyLimit | None:
        if "limit" not in quest.kept:
            rows = self.rows(self.dtype)
            quest.kept["limit"] = self.penalties.limit(
                quest.axes, rows, lambda: self.problem((), 1, self.dtype)
            )
        return quest.kept["limit"]

    def _schedule(
        self, axes: tuple[Axis, ...], problem: PenalisedProblem, first: float, bend: float | None
    ) -> Schedule:
        kinks = problem.kinks
        step: UpperStep = ScalarStep(first, kinks=kinks, bend=bend)
        if len(axes) > 1:
            step = TrustRegionStep(first, kinks=kinks, bend=bend, project=problem.project)
        return adaptive(len(axes), x_step=step)

    def _y(self, problem: PenalisedProblem, solutions: FoldSolutions, which: slice) -> Tensor:
        """Return some of the solved models as the search has them."""
        coef = torch.as_tensor(solutions.coef[which], device=self.device)
        return problem.of_coefficients(coef).to(self.dtype)
