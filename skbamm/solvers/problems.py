"""The problems of one linear model over all folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skbamm.bilevel.exact import exact_hypergradient
from skbamm.bilevel.problem import Curvature
from skbamm.criteria import Criterion
from skbamm.data.folded import FoldedData
from skbamm.data.matrices import choose_dtype
from skbamm.folds import Moments, Rows
from skbamm.glm import GLMProblem, LeastSquaresProblem, glm_problem
from skbamm.glm.curvature import METRIC, matrices_are_dear
from skbamm.glm.dual import has_few_coordinates, is_wide
from skbamm.glm.joint import joint_pays
from skbamm.losses import PointwiseLoss
from skbamm.models import LinearTwin
from skbamm.solvers.base import FoldSolver
from skbamm.solvers.grams import KnownGrams
from skbamm.solvers.penalties import Penalties
from skbamm.space import SearchAxis
from skbamm.starts.subsample import some_rows

MANY_FEATURES = METRIC.most_features  # above which matrices of all features are not made
_FEW_COLUMNS = 20  # predictors a start up to which there are five starts, else three
_MANY_ROWS, _MANY_ENTRIES = 65536, 1 << 19  # rows and entries from which there are three starts


class LinearProblems(FoldSolver):
    """Makes the bi-level problems of a linear model, and knows how they are best solved.

    Parameters
    ----------
    twin : LinearTwin
    estimator : estimator
        As the user set it.
    data : FoldedData
    dtype : str
        As the user gave it.
    """

    twin: LinearTwin

    def __init__(self, twin: LinearTwin, estimator: Any, data: FoldedData, dtype: str):
        super().__init__(twin, data)
        # Largest entry of the gradient at which the estimator's own fit would stop.
        self.gradient_tol = twin.model(estimator).tol if twin.warm_starts else np.inf
        self.rows = data.rows  # maps a working precision to the rows of all used folds
        self.penalties = Penalties(twin, estimator, data.task, data.device)
        sample, n = data.sample, len(data.task.target)
        if data.in_coordinates:  # the largest entry may be so much larger for the features
            self.gradient_tol /= np.sqrt(sample.shape[1])
        columns = len(data.used) * data.task.loss.n_outputs
        entries = sample.shape[0] * sample.shape[1]
        many = columns > _FEW_COLUMNS or n > _MANY_ROWS or entries > _MANY_ENTRIES
        self.many_features = sample.shape[1] > MANY_FEATURES
        self.n_starts = 3 if many or self.many_features else 5
        self.dtype = choose_dtype(dtype, sample, self.n_starts * columns)
        self.moments: tuple[Moments, Moments, Tensor, Tensor] | None = None
        self.grams = KnownGrams()
        self.metric: Curvature | None = None  # the last of all rows, near any solution

    @property
    def least_squares(self) -> bool:
        """Whether the model needs only second moments of X."""
        if not self.task.loss.squared:
            return False
        rows = self.rows(torch.float64)
        return rows.n_coefficients <= MANY_FEATURES and not self.wide

    @property
    def wide(self) -> bool:
        """Whether n x n matrices can be used and are much smaller than p x p matrices."""
        rows = self.rows(torch.float64)
        return not self.penalties.has_kinks and is_wide(rows, self.task.loss.squared)

    @property
    def dual(self) -> bool:
        """Whether matrices of rows take the place of those of features: see glm/dual.py."""
        rows = self.rows(torch.float64)
        return not self.penalties.has_kinks and (
            self.wide or has_few_coordinates(rows, self.task.loss)
        )

    @property
    def joint(self) -> bool:
        """Whether a matrix of all outputs is small: see glm/joint.py."""
        rows, loss = self.rows(torch.float64), self.task.loss
        coupled = loss.couples_outputs and not self.penalties.has_kinks
        return coupled and joint_pays(rows.n_rows, rows.n_coefficients * loss.n_outputs)

    @property
    def uncertain(self) -> bool:  # type: ignore[override]
        """See ``FoldSolver``; matrices of all features make the number of products regular."""
        rows, outputs = self.rows(torch.float64), self.task.loss.n_outputs
        p = rows.n_coefficients
        many = p > min(MANY_FEATURES, rows.n_rows)
        return self.by_products and (many or matrices_are_dear(rows, 1, outputs))

    @property
    def by_products(self) -> bool:
        """Whether steps are found by products with the Hessian: the models are smooth and large.

        There are several classes, or more features than matrices are made of.
        """
        loss = self.task.loss
        if loss.smoothed or loss.has_scale or loss.squared:
            return False
        rows = self.rows(torch.float64)
        if loss.hessian_jumps or self.penalties.has_kinks:
            return False
        # With many more dense features than rows, matrices of rows take their place.
        many = rows.n_coefficients > MANY_FEATURES and not self.wide
        return not self.joint and (loss.couples_outputs or many)

    @property
    def unbounded(self) -> bool:  # type: ignore[override]
        """Whether models can fit so many rows exactly that a HuberRegressor's scale vanishes.

        The objective then has a kink at the scale, for which the estimator's solver for smooth
        functions is unsuitable.
        """
        loss: Any = self.task.loss
        if not loss.has_scale:
            return False
        rows = float(self.data.weights.train_rows.min())
        return bool(self.data.n_features + 1 > (1 - loss.epsilon**-2) * rows)

    def some_rows(self) -> Rows | None:
        """Return a subset of rows for the start, or None if all rows are as cheap."""
        if self.least_squares:
            return None
        return some_rows(self.rows(self.dtype), self.task.loss.n_outputs)

    def problem(
        self,
        axes: Sequence[SearchAxis],
        starts: int,
        dtype: torch.dtype,
        criterion: Criterion | None = None,
        metric_dtype: torch.dtype | None = None,
        limit: Callable[[Tensor], Tensor] | None = None,
    ) -> GLMProblem | LeastSquaresProblem:
        """Return the problem of all used folds in a working precision.

        Parameters
        ----------
        axes : tuple of Axis
            The searched hyperparameters, in the order of x; the others are the estimator's.
        starts : int
        dtype : torch.dtype
        criterion : Criterion, optional
        metric_dtype : torch.dtype, optional
            Precision of iterative metrics, if it is another.
        limit : callable, optional
            A further projection of x.
        """
        options: dict[str, Any] = {
            "criterion": criterion, "bounds": self.penalties.bounds(axes), "limit": limit,
        }  # fmt: skip
        of_squares = criterion is None or criterion.loss.squared
        if self.least_squares and of_squares:
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

    def exact_hypergradient(self, axes, x, choice):
        """See ``FoldSolver.exact_hypergradient``."""
        rows, bounds = self.rows(torch.float64), self.penalties.bounds(axes)
        problem = self.glm(axes, rows, 1, criterion=self.criterion(choice), bounds=bounds)
        upper, gradient = exact_hypergradient(problem, torch.tensor([x], dtype=torch.float64))
        return upper, gradient.cpu().numpy()

    def glm(
        self, axes: Sequence[SearchAxis], rows: Rows, starts: int, factor: float = 1.0,
        loss: PointwiseLoss | None = None, **options: Any,
    ) -> GLMProblem:  # fmt: skip
        """Return the problem of some rows, whatever the loss.

        ``factor`` multiplies the penalty: a row of some stands for several.
        """
        return glm_problem(
            rows, loss or self.task.loss, self.penalties.penalty(axes, rows, factor), starts,
            mean_loss=self.twin.mean_loss, **options,
        )  # fmt: skip
