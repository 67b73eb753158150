"""Solves a kernel model's folds jointly: a whole grid of values, or intervals."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, adaptive, solve, solve_lower
from skbamm.bilevel.result import Status
from skbamm.bilevel.steps.trust_region import TrustRegionStep
from skbamm.bilevel.steps.x_steps import ScalarStep
from skbamm.criteria import Choice, Criterion
from skbamm.data.matrices import FoldData, choose_device
from skbamm.data.placed import Placed
from skbamm.data.row_weights import RowWeights
from skbamm.folds import FoldWeights, draw_rows
from skbamm.kernels import KernelBlock, KernelRidgeProblem, Precomputed
from skbamm.losses import UpperLoss
from skbamm.models import KernelTwin, NotApplicable, Task
from skbamm.solvers.criterion import task_criterion
from skbamm.solvers.solutions import FoldSolutions, Solution
from skbamm.space import Axis
from skbamm.starts.points import starting_points

_MOST_ROWS = 5000  # the kernel, its slope and what is made of them: 200 MB each
_MOST_ENTRIES = 1 << 28  # of the factors of all folds: 2 GiB
_STARTS = 5  # points of the first interval
_FEW, _WORTH = 256, 2  # rows that starts are compared on, and times as many there must be
_FEW_TOL = 1e-2  # of that search: its optimum is another one anyway
_NEAR = 0.3  # first step from where it ended
_ROUNDING = 1e-12  # of a kernel's largest entry, what a given one may lack of its properties
_FINAL_TOL = 1e-6  # decrement of what is scored: of a direct solve, the first will do


class KernelSolver:
    """One combination's kernel model over all folds.

    All folds share the kernel of all rows, and each has a factor of its part of it; where folds
    have transformed rows of their own, each has a kernel of its own, too.

    Parameters
    ----------
    twin : KernelTwin
    estimator, task, shared, folds, splits, fit_weight, score_weight, device, row_weights
        As for ``JointSolver``.
    dtype : str
        Not used: kernels are close to singular, and need double precision.
    """

    dtype = torch.float64

    def __init__(
        self,
        twin: KernelTwin,
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
        self.twin, self.task, self.folds = twin, task, folds
        self.given_folds = folds  # as the transformers made them
        self.matrix: Any = None if shared is None else shared.matrix
        self.fit_weight, self.score_weight = fit_weight, score_weight
        self.row_weights, n = row_weights, len(task.target)
        self.device = choose_device(device, n * n)
        _check_size(n, splits)
        weights = self._weights(n, splits)
        self.used = [k for k in range(len(splits)) if weights.train_total[k] > 0]
        if not self.used:
            raise NotApplicable("no fold has what the model needs")
        self.splits = [splits[k] for k in self.used]
        self.weights = self._weights(n, self.splits)
        model = twin.model(estimator)
        self.values = {one.name: getattr(model, one.name) for one in twin.tunes(estimator)}
        self._kernel = twin.kernel(estimator)
        if isinstance(self._kernel, Precomputed):
            self._check_given()
        self._blocks: list[KernelBlock] = []
        self._rows: dict[int, Any] = {}  # that each fold's models remember

    @property
    def blocks(self) -> list[KernelBlock]:
        """The kernels of all used folds."""
        if not self._blocks:
            if self.folds is None:
                weights, factors = self.weights, self.row_weights
                if factors is not None:
                    weights = weights.reweighted(self._tensor(factors.folds[:, self.used]))
                target = self.task.target
                self._blocks = [KernelBlock.of_rows(self._kernel, self.matrix, target, weights)]
            else:
                self._blocks = [self._fold_block(k) for k in self.used]
        return self._blocks

    def grid(self, values: np.ndarray) -> FoldSolutions:
        """Solve these values in all folds.

        ``values`` has a column for each hyperparameter that the twin tunes.
        """
        if self._single:
            raise NotApplicable("the estimator's own kernel of such X is in single precision")
        axes = tuple(Axis(name, -np.inf, np.inf, "plain") for name in self.values)
        return self._solve_lower(axes, self._tensor(values))

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
    ) -> tuple[BilevelResult, Criterion, list[float]]:
        """Search intervals by sl-BAMM; see ``JointSolver.search``.

        Of many rows, some are searched first, from several starting points, and all from where
        that ended.
        """
        self._check_own_values(axes)
        chosen = task_criterion(criterion, self.task, self.weights, self.used, upper_loss)
        began = time.perf_counter()
        x0 = self._tensor(starting_points(axes, _STARTS) if begin is None else [begin])
        few = self._some_rows()
        rule: Any = ScalarStep() if len(axes) == 1 else TrustRegionStep()
        start = x0
        if few is not None:
            found = solve(
                self._problem(axes, few, len(x0), chosen), x0,
                schedule=adaptive(len(axes), x_step=rule),
                max_iter=max_iter, tol=_FEW_TOL, max_time=max_time, finish=0,
            )  # fmt: skip
            start = x0[[found.start]]
            x0 = found.x[None]
            if found.status in (Status.INTERRUPTED, Status.MAX_TIME):
                # Its models are of some rows; polishing begins anew.
                y = torch.zeros(self._problem(axes, self.blocks, 1).y_shape[1:], dtype=x0.dtype)
                return replace(found, y=y.to(x0.device)), chosen, start[0].tolist()
            # The curvature of F is much the same, its values are not.
            rule.reset()
        else:
            x0 = start = x0[:: -(-len(x0) // self._most_starts())]
        passed = time.perf_counter() - began
        result = solve(
            self._problem(axes, self.blocks, len(x0), chosen), x0,
            schedule=adaptive(len(axes), x_step=rule), max_iter=max_iter, tol=tol,
            max_time=None if max_time is None else max(max_time - passed, 0.0),
        )  # fmt: skip
        result.history["seconds"] = [passed + at for at in result.history["seconds"]]
        return result, chosen, start[result.start].tolist()

    begins_anywhere = False  # where a search begins, it finds itself

    def polish(
        self, axes: tuple[Axis, ...], x: list[list[float]], y: list[Tensor] | None
    ) -> FoldSolutions:
        """Solve these x in all folds; a direct solve gains nothing by beginning at y."""
        return self._solve_lower(axes, self._tensor(x))

    def solution(self, solutions: FoldSolutions, s: int, k: int, features: Any) -> Solution:
        """Return value s in the k-th used fold as the bank keeps it."""
        transformers, dual = None, solutions.coef[s, k]
        if self.folds is None:
            n = len(self.task.target)
            train = np.arange(n)[self.splits[k][0]]
            # What a row that is there several times adds is shared by its copies.
            dual = dual[:, train] / np.bincount(train, minlength=n)[train]
            if k not in self._rows:
                self._rows[k] = self.matrix[train]
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
        matrices = [self.matrix] if self.folds is None else [fold.matrix for fold in self.folds]
        return any(matrix.dtype != np.float64 for matrix in matrices)

    def _solve_lower(self, axes, x) -> FoldSolutions:
        """Solve one value after the other, those with the same kernel together."""
        problem = self._problem(axes, self.blocks, 1)
        gammas = problem.numbers(x)[1]
        parts: dict[int, FoldSolutions] = {}
        for s in sorted(range(len(x)), key=lambda s: gammas[s]):
            found = solve_lower(problem, x[[s]], tol=_FINAL_TOL)
            norm = torch.where(found.converged, found.gradient_norm, torch.nan)
            dual = problem.dual_coefficients(found.y)
            parts[s] = FoldSolutions(dual.cpu().numpy(), norm.cpu().numpy())
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
        return (self.matrix if self.folds is None else self.folds[0]).shape[1]

    def _check_own_values(self, axes) -> None:
        """Raise NotApplicable if the solver cannot take what is not searched."""
        searched = [axis.parameter for axis in axes]
        for one in self.twin.hyperparameters:
            if one.name in self.values and one.name not in searched:
                value = self.values[one.name]
                if not one.valid(value):
                    raise NotApplicable(f"{one.name}={value!r} is not a number above zero")

    def _check_given(self) -> None:
        """Raise NotApplicable if a kernel that was given is none."""
        if self.folds is None:
            given = [(self.matrix, self.matrix.shape[0])]
        else:
            given = [(self.folds[k].matrix, len(self.folds[k].train)) for k in self.used]
        for matrix, n in given:
            if not isinstance(matrix, np.ndarray) or matrix.shape[1] != n:
                raise NotApplicable("the kernel is no dense matrix of the rows to themselves")
            square = torch.from_numpy(np.array(matrix[:n], dtype=np.float64))
            scale = float(square.abs().max()) or 1.0
            if not torch.allclose(square, square.T, rtol=0, atol=_ROUNDING * scale):
                raise NotApplicable("the kernel is not symmetric")
            square.diagonal().add_(_ROUNDING * n * scale)
            if int(torch.linalg.cholesky_ex(square).info):
                raise NotApplicable("the kernel is not positive semi-definite")

    def _some_rows(self) -> list[KernelBlock] | None:
        """Return blocks of some rows, or None where all are few or some would not do."""
        if min(block.shape[1] for block in self.blocks) < _WORTH * _FEW:
            return None
        some = [block.take(draw_rows(block.shape[1], _FEW)) for block in self.blocks]
        found = [block for block in some if block is not None]
        return found if len(found) == len(some) else None

    def _most_starts(self) -> int:
        """So many starts have factors that can be kept at once."""
        entries = sum(len(train) ** 2 for block in self.blocks for train in block.train)
        return max(1, _MOST_ENTRIES // max(entries, 1))

    def _tensor(self, values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.float64), device=self.device)

    def _weights(self, n, splits) -> FoldWeights:
        return FoldWeights(
            n, splits,
            fit_weight=self.fit_weight, score_weight=self.score_weight, device=self.device,
        )  # fmt: skip

    def _fold_block(self, k: int) -> KernelBlock:
        """Return the block of a fold's own rows."""
        assert self.folds is not None
        data = self.folds[k]
        place = np.concatenate([data.train, data.test])
        n_train, n = len(data.train), len(place)

        def pick(values):
            return None if values is None else np.asarray(values)[place]

        weights = FoldWeights(
            n, [(np.arange(n_train), np.arange(n_train, n))],
            fit_weight=pick(self.fit_weight), score_weight=pick(self.score_weight),
            device=self.device,
        )  # fmt: skip
        if self.row_weights is not None:
            weights = weights.reweighted(self._tensor(self.row_weights.folds[place, k]))
        return KernelBlock.of_rows(
            self._kernel, data.matrix, self.task.target_of(k)[place], weights
        )


def _check_size(n: int, splits: list) -> None:
    """Raise NotApplicable if kernels or factors would take too much memory."""
    if n > _MOST_ROWS:
        raise NotApplicable(f"the kernel of more than {_MOST_ROWS} rows is too large")
    sizes = [len(np.arange(n)[train]) for train, _ in splits]
    if sum(size * size for size in sizes) > _MOST_ENTRIES:
        raise NotApplicable("the kernels of so many folds are too large")
