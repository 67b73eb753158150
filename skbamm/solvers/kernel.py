"""Solves a kernel model's folds jointly: a whole grid of values, or intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, adaptive, solve, solve_lower
from skbamm.bilevel.exact import exact_hypergradient
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import ScalarStep
from skbamm.criteria import Criterion
from skbamm.data.folded import FoldedData
from skbamm.folds import draw_rows
from skbamm.kernels import Exponential, KernelBlock, KernelRidgeProblem, Precomputed
from skbamm.models import KernelTwin, NotApplicable
from skbamm.progress import count
from skbamm.solvers.base import FoldSolver, Quest
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.solvers.tolerances import TOL
from skbamm.space import Axis, SearchAxis
from skbamm.starts.points import starting_points
from skbamm.starts.subsample import Beginning


@dataclass(frozen=True)
class Sizes:
    """Bounds of memory, and what kernels take.

    Seconds were measured by benchmarks/speed/kernel_ridge.py.

    Attributes
    ----------
    most_rows : int
        Rows of a kernel; it, its slope and what is made of them take 200 MB each.
    most_entries : int
        Numbers in the factors of all folds: 2 GiB.
    starts : int
        Starting points of the first interval.
    scanned : tuple[int, int]
        Points of one interval, or of each of several, whose best is one more starting point: as
        many as a coarse list has.
    few_tol : float
        Tolerance of a search on some rows: its optimum is another one anyway.
    few : int
        Rows that starting points are compared on.
    worth : int
        Times as many rows there must be for that.
    rounding : float
        Tolerance for the properties of a precomputed kernel, relative to its largest entry.
    factors : tuple[int, int]
        Factors of a fold's kernel that a search of one interval, or several, takes.
    more_factors : int
        Times as many where few rows leave all starting points.
    few_rows : int
        Rows below which they do.
    factor : float
        Seconds of a multiplication of a factor.
    entry : float
        Seconds of an entry of a kernel.
    step : float
        Other seconds of an iteration.
    """

    most_rows: int = 5000
    most_entries: int = 1 << 28
    starts: int = 5
    scanned: tuple[int, int] = (9, 5)
    few_tol: float = 1e-2
    few: int = 256
    worth: int = 2
    rounding: float = 1e-12
    factors: tuple[int, int] = (10, 40)
    more_factors: int = 2
    few_rows: int = 512
    factor: float = 2e-11
    entry: float = 2e-8
    step: float = 4e-4


SIZES = Sizes()


class KernelSolver(FoldSolver):
    """One combination's kernel model over all folds.

    All folds share the kernel of all rows, and each has a factor of its part of it; where folds
    have their own transformed rows, each has its own kernel as well. Kernels are close to
    singular, and need double precision.

    Parameters
    ----------
    twin : KernelTwin
    estimator : estimator
        As the user set it.
    data : FoldedData
    dtype : str
        Not used.
    """

    twin: KernelTwin
    pairwise = weighs_outputs = True

    def __init__(self, twin: KernelTwin, estimator: Any, data: FoldedData, dtype: str):
        _check_size(data)
        super().__init__(twin, data)
        model = twin.model(estimator)
        self._tuned = twin.tunes(estimator)
        self.values = {one.name: getattr(model, one.name) for one in self._tuned}
        self._kernel = twin.kernel(estimator)
        if isinstance(self._kernel, Precomputed):
            self._check_given()
        if self._kernel == Exponential("chi squared"):
            self._check_counts()
        self._blocks: list[KernelBlock] = []
        self._rows: dict[int, Any] = {}  # that each fold's models remember

    @property
    def blocks(self) -> list[KernelBlock]:
        """The kernels of all used folds."""
        if not self._blocks:
            data, task = self.data, self.task
            if data.folds is None:
                one = KernelBlock.of_rows(self._kernel, data.matrix, task.target, data.weights)
                self._blocks = [one]
            else:
                self._blocks = [
                    KernelBlock.of_rows(
                        self._kernel, data.folds[k].matrix, data.target_of(k),
                        data.weights_of_fold(k),
                    )
                    for k in data.used
                ]  # fmt: skip
        return self._blocks

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Solve these values in all folds.

        ``values`` has a column for each hyperparameter that the twin tunes.
        """
        if self._single:
            raise NotApplicable("the estimator's own kernel of such X is in single precision")
        axes = tuple(Axis(name, -np.inf, np.inf, "plain") for name in self.values)
        return self._solve_lower(axes, self._tensor(values))

    def begin(self, quest: Quest) -> Beginning:
        """Begin at several starting points, or where a search of some of many rows ends."""
        axes = quest.axes
        self._check_own_values(axes)
        points = starting_points(axes, SIZES.starts) if quest.begin is None else [quest.begin]
        x0, few = self._tensor(points), self._some_rows()
        if quest.begin is None:
            x0 = torch.cat([self._best_of_scan(axes, few or self.blocks, quest.criterion), x0])
        rule: Any = ScalarStep() if len(axes) == 1 else TrustRegionStep()
        if few is None:
            x0 = x0[:: -(-len(x0) // self._most_starts())]
            return Beginning(x0, None, None, x0, rule=rule)
        found = solve(
            self._problem(axes, few, len(x0), quest.criterion), x0,
            schedule=adaptive(len(axes), x_step=rule),
            max_iter=quest.max_iter, tol=SIZES.few_tol, max_time=quest.max_time, finish=0,
        )  # fmt: skip
        rule = found.x_step
        first = Beginning(found.x[None], None, None, x0[[found.start]], found, rule=rule)
        if first.ended:
            # Its models are of some rows; polishing starts from zero.
            y = torch.zeros(self._problem(axes, self.blocks, 1).y_shape[1:], dtype=x0.dtype)
            first.found = replace(found, y=y.to(x0.device))
        else:
            rule.reset()  # the curvature of F is similar, its values are not
        return first

    def _best_of_scan(
        self, axes: tuple[Axis, ...], blocks: list[KernelBlock], criterion: Criterion
    ) -> Tensor:
        """Return the point, of some from end to end, where F is least: F has several minima."""
        count = SIZES.scanned[min(len(axes), 2) - 1]
        places = self._tensor(list(product(*(axis.spaced(count) for axis in axes))))
        problem = self._problem(axes, blocks, 1, criterion)
        values = []
        for place in places.split(1):
            y = solve_lower(problem, place, tol=TOL.kernel).y
            upper = problem.directions(place, y, torch.zeros_like(y), 0.0).upper.sum()
            values.append(torch.nan_to_num(upper, nan=torch.inf))
        return places[torch.stack(values).argmin()][None]

    def loop(self, quest: Quest, first: Beginning) -> BilevelResult:
        """Search all rows."""
        axes, before = quest.axes, quest.spent
        result = solve(
            self._problem(axes, self.blocks, len(first.x), quest.criterion), first.x,
            schedule=adaptive(len(axes), x_step=first.rule),
            max_iter=quest.max_iter, tol=quest.tol, max_time=quest.left,
        )  # fmt: skip
        return quest.dated(result, before)

    def polish(
        self,
        axes: tuple[SearchAxis, ...],
        x: list[list[float]],
        y: list[Tensor] | None,
        tol: float = 0.0,
    ) -> FoldSolutions:
        """Solve these x in all folds; a direct solve gains nothing by beginning at y."""
        return self._solve_lower(axes, self._tensor(x))

    def exact_hypergradient(self, axes, x, choice):
        """See ``FoldSolver.exact_hypergradient``."""
        problem = self._problem(axes, self.blocks, 1, self.criterion(choice))
        upper, gradient = exact_hypergradient(problem, self._tensor([x]))
        return upper, gradient.cpu().numpy()

    def search_values(self, axes: tuple[SearchAxis, ...], judged: bool) -> int:
        """Return how many factors of each fold's kernel a search takes about."""
        few = min(block.shape[1] for block in self.blocks) < SIZES.few_rows
        return SIZES.factors[min(len(axes), 2) - 1] * (SIZES.more_factors if few else 1)

    def foreseen(self, values: int, listed: bool) -> float | None:
        """See ``FoldSolver.foreseen``."""
        n = max(len(train) for train, _ in self.data.splits)
        return values * len(self.used) * (n**3 * SIZES.factor + n**2 * SIZES.entry + SIZES.step)

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return value s in the k-th used fold as the bank keeps it."""
        transformers, dual = None, solutions.coef[s, k]
        if self.folds is None:
            n = len(self.task.target)
            train = np.arange(n)[self.data.splits[k][0]]
            # Copies of a row share its coefficient.
            dual = dual[:, train] / np.bincount(train, minlength=n)[train]
            if k not in self._rows:
                self._rows[k] = self.data.matrix[train]
                if isinstance(self._kernel, Precomputed):
                    self._rows[k] = self._rows[k][:, train]
            if isinstance(self._kernel, Precomputed):
                features = {**features, "n_features_in_": len(train)}
        else:
            data = self.folds[self.used[k]]
            dual, features = dual[:, : len(data.train)], data.features
            transformers = data.transformers
            if k not in self._rows:
                self._rows[k] = data.matrix[: len(data.train)]
        return Solution(
            self.twin,
            self.task.without_rows(self.used[k]),
            (dual, self._rows[k]),
            features,
            bool(np.isfinite(solutions.gradient_norm[s, k])) and not self._single,
            transformers,
        )

    @property
    def _single(self) -> bool:
        """Whether the estimator's own kernels are in single precision."""
        seen = [self.data.matrix] if self.folds is None else self.folds
        return any(one.dtype != np.float64 for one in seen)

    def _solve_lower(self, axes, x) -> FoldSolutions:
        """Solve the values one by one, ordered by kernel."""
        problem = self._problem(axes, self.blocks, 1)
        gammas = problem.numbers(x)[1]
        parts: dict[int, FoldSolutions] = {}
        for s in sorted(range(len(x)), key=lambda s: gammas[s]):
            found = solve_lower(problem, x[[s]], tol=TOL.kernel)
            norm = torch.where(found.converged, found.gradient_norm, torch.nan)
            dual = problem.dual_coefficients(found.y)
            parts[s] = FoldSolutions(dual.cpu().numpy(), norm.cpu().numpy())
            count(1)
        return FoldSolutions.join([parts[s] for s in range(len(x))])

    def _problem(self, axes, blocks, starts, criterion=None) -> KernelRidgeProblem:
        bounds = None
        if criterion is not None:  # x moves
            low, high = zip(*(axis.bounds() for axis in axes), strict=True)
            bounds = self._tensor(low), self._tensor(high)
        return KernelRidgeProblem(
            blocks, lambda x: self._numbers(axes, x), starts, criterion=criterion, bounds=bounds
        )

    def _numbers(self, axes, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and gamma at x, (N, h); those that are not searched are the estimator's."""
        searched = {axis.parameter: axis.value(x[:, i]) for i, axis in enumerate(axes)}
        own = {name: value for name, value in self.values.items() if name not in searched}
        given = {n: x.new_full((len(x),), torch.nan if v is None else v) for n, v in own.items()}
        found = {"gamma": x.new_full((len(x),), torch.nan), **given, **searched}
        gamma = found["gamma"]
        if self._kernel.has_gamma:  # None means, in scikit-learn, one over the number of features
            gamma = torch.where(torch.isnan(gamma), 1 / self._n_features, gamma)
        return found["alpha"], gamma

    @property
    def _n_features(self) -> int:
        return self.data.n_features

    def _check_own_values(self, axes) -> None:
        """Raise NotApplicable if the solver cannot take what is not searched."""
        searched = [axis.parameter for axis in axes]
        for one in self._tuned:
            if one.name not in searched:
                value = self.values[one.name]
                if not one.valid(value):
                    raise NotApplicable(f"{one.name}={value!r} is not a number above zero")

    def _check_given(self) -> None:
        """Raise NotApplicable if a kernel that was given is none."""
        if self.folds is None:
            given = [(self.data.matrix, self.data.matrix.shape[0])]
        else:
            given = [(self.folds[k].matrix, len(self.folds[k].train)) for k in self.used]
        for matrix, n in given:
            if not isinstance(matrix, np.ndarray) or matrix.shape[1] != n:
                raise NotApplicable("the kernel is not a dense square matrix")
            square = torch.from_numpy(np.array(matrix[:n], dtype=np.float64))
            scale = float(square.abs().max()) or 1.0
            if not torch.allclose(square, square.T, rtol=0, atol=SIZES.rounding * scale):
                raise NotApplicable("the kernel is not symmetric")
            square.diagonal().add_(SIZES.rounding * n * scale)
            if int(torch.linalg.cholesky_ex(square).info):
                raise NotApplicable("the kernel is not positive semi-definite")

    def _check_counts(self) -> None:
        """Raise NotApplicable if the estimator's own kernel refuses the rows."""
        seen: list[Any] = [self.data] if self.folds is None else self.folds
        for one in seen:
            if not isinstance(one.matrix, np.ndarray) or (one.matrix < 0).any():
                raise NotApplicable("the chi-squared kernel takes dense rows without a minus")

    def _some_rows(self) -> list[KernelBlock] | None:
        """Return blocks of some rows, or None where all are few or some would not do."""
        if min(block.shape[1] for block in self.blocks) < SIZES.worth * SIZES.few:
            return None
        some = [block.take(draw_rows(block.shape[1], SIZES.few)) for block in self.blocks]
        found = [block for block in some if block is not None]
        return found if len(found) == len(some) else None

    def _most_starts(self) -> int:
        """So many starts have factors that can be kept at once."""
        entries = sum(len(train) ** 2 for block in self.blocks for train in block.train)
        return max(1, SIZES.most_entries // max(entries, 1))

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.float64), device=self.device)


def _check_size(data: FoldedData) -> None:
    """Raise NotApplicable if kernels or factors would take too much memory."""
    n = len(data.task.target)
    if n > SIZES.most_rows:
        raise NotApplicable(f"the kernel of more than {SIZES.most_rows} rows is too large")
    sizes = [len(np.arange(n)[train]) for train, _ in data.splits]
    if sum(size * size for size in sizes) > SIZES.most_entries:
        raise NotApplicable("the kernels of so many folds are too large")
