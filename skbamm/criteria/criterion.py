"""The form of a criterion: what is minimised in place of the scorer, which has no gradient.

A criterion is a loss, averaged over the validation rows of a fold, and a transform of each fold's
average; F is the mean over the folds, as scikit-learn averages scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, finfo

from skbamm.folds import Chunk, Rows
from skbamm.losses import Inverse, UpperLoss, behind_inverse

Evaluate = Callable[[Tensor, Chunk, "Tensor | None"], "tuple[Tensor, Tensor, Tensor | None]"]


@dataclass(frozen=True)
class Choice:
    """The name of a criterion and its options.

    Attributes
    ----------
    name : str
    options : dict
        Such as the quantile of "pinball".
    relative : bool
        Divide each fold's value by that of the best constant prediction for its validation rows,
        as the D2 scores do.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    relative: bool = False

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name}({told})" if told else self.name


@dataclass(frozen=True)
class Criterion:
    """A differentiable upper-level loss.

    Attributes
    ----------
    name : str
    loss : UpperLoss, or PairwiseLoss
        Averaged over each fold's validation rows.
    factor : Tensor of shape (K,)
        The factor of each fold's average, or of its root, in F / null.
    null : float
        Value of the best constant prediction, to which F is relative: it makes tolerances
        free of the target's units.
    root : bool
        Take the root of each fold's average (RMSE).
    output_scale : Tensor of shape (K, m), optional
        Factor of each fold's and output's loss, where outputs count differently.
    sums_over_rows : bool
        Whether a fold's value is a function of a sum over its rows. If not, what one row adds
        depends on the others, and F takes one more pass over the rows.
    fold_losses : list of UpperLoss, optional
        In place of ``loss``, of folds that do not share rows: each fold's own.
    """

    name: str
    loss: Any
    factor: Tensor
    null: float
    root: bool = False
    output_scale: Tensor | None = None
    sums_over_rows: bool = True
    fold_losses: list[UpperLoss] | None = None

    def behind(self, inverses: list[Inverse]) -> Criterion:
        """Return the criterion of predictions that are mapped to the user's units.

        ``inverses`` has one map for all folds, or each fold's own.
        """
        plain = self.by_fold()
        losses = [behind_inverse(self.loss, inverse) for inverse in inverses]
        return replace(plain, loss=losses[0], fold_losses=losses if len(losses) > 1 else None)

    def loss_of(self, folds: slice) -> UpperLoss:
        """Return the loss of the rows of these folds."""
        return self.loss if self.fold_losses is None else self.fold_losses[folds.start]

    @property
    def outputs_alike(self) -> bool:
        """Whether all outputs count alike, so that ``by_fold`` is exact."""
        scale = self.output_scale
        return scale is None or bool((scale == scale[:, :1]).all())

    def by_fold(self) -> Criterion:
        """Return the criterion with one factor for each fold instead of each fold and output.

        Exact unless outputs count differently (R2 of several), then their mean counts.
        """
        if self.output_scale is None:
            return self
        scale = self.output_scale.mean(1)
        factor = self.factor * (scale.sqrt() if self.root else scale)
        return replace(self, factor=factor, output_scale=None)

    def shares(self, average: Tensor) -> Tensor:
        """Return each column's share of F / null from the averages of the loss, (S, K)."""
        return self.factor * (average.sqrt() if self.root else average)

    @property
    def null_average(self) -> Tensor:
        """About what each fold's average is for a constant prediction, (K,), on the CPU."""
        used = (self.factor > 0).double()
        root = used / used.sum().clamp_min(1) / self.factor.clamp_min(finfo(self.factor.dtype).tiny)
        average = root**2 if self.root else root
        return average.nan_to_num(posinf=1.0).cpu()

    def slopes(self, shares: Tensor) -> Tensor:
        """Return the derivatives of the shares in the averages."""
        if self.root:
            return self.factor**2 / (2 * shares.clamp_min(finfo(shares.dtype).tiny))
        return self.factor.expand_as(shares)

    def evaluator(self, rows: Rows, y: Tensor) -> Evaluate:
        """Return the loss of chunks of rows at the coefficients y, of shape (S, K, m, p).

        It maps predictors (n, m, C), a chunk and directions, or None, to the value, the gradient
        and the Hessian times the directions.
        """
        if not self.sums_over_rows:
            return self.loss.evaluator(rows, y)

        def evaluate(z, chunk, u):
            loss = self.loss_of(chunk.folds)
            return loss.evaluate(z, loss.targets(chunk.target), u)

        return evaluate
