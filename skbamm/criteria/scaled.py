"""Log losses of margins whose scale is free: what stands for scores of labels and of ranks.

Accuracy and the like do not mind how sure a model is, the log loss does: a strong penalty shrinks
the margins, and the log loss then prefers a weaker one although hardly any label changes. So each
fold's margins are multiplied by the factor at which their log loss is least::

    F_k(z) = min over s > 0 of mean_i [ l(s z_i, t_i) + e |s z_i|^2 / 2 ]

At the minimum the derivative in s vanishes, so the gradient in z is that of the bracket at
``s z``, times s (the envelope theorem). The square, of a small e, keeps s finite where the margins
separate all labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skbamm.effort import spend
from skbamm.folds import Rows
from skbamm.losses import LogisticLoss, MultinomialLoss, pairs, pairwise_logistic

_SQUARE = 1e-5  # e: margins that separate all labels are then about 9
# Bounds of s times the size of the margins: uninformative margins, and the limit set by e.
_LOW, _HIGH = 1e-3, 1e3
_PAIRS = 5e-8  # seconds that a pair takes, of which a group of rows may stand for one
_STEPS, _NEAR = 40, 1e-4  # most steps in log s, and one after which it is known
_SAMPLE = 2048  # rows for a first estimate of s


class ScaledLogLoss:
    """The log loss of margins times each fold's best factor.

    Margins of one output are log-odds, of several the logits of a softmax, whatever loss the
    model was trained by.

    Parameters
    ----------
    n_outputs : int
    class_of : callable
        Maps targets (n, ...) to class numbers (n,).
    class_factor : Tensor of shape (n_classes,), optional
        Weight of a row of each class; one by default.
    """

    squared = smoothed = False

    def __init__(
        self,
        n_outputs: int,
        class_of: Callable[[Tensor], Tensor],
        class_factor: Tensor | None = None,
    ):
        self.n_outputs, self.class_of, self.class_factor = n_outputs, class_of, class_factor
        self._loss: Any = LogisticLoss() if n_outputs == 1 else MultinomialLoss(n_outputs)
        self._last: Tensor | None = None  # log scales of the models before, near those to come

    def evaluator(self, rows: Rows, y: Tensor):
        """Return value and gradient of chunks of rows at y; see ``Criterion.evaluator``."""
        scale = torch.exp(self._log_scales(rows, y))  # (S, K)

        def evaluate(z, chunk, u):
            if u is not None:
                raise NotImplementedError("a loss of free scale cannot be a lower-level loss")
            s = scale[:, chunk.folds].flatten().to(z.dtype)
            scaled = z * s
            value, gradient, _ = self._loss.evaluate(scaled, self._targets(chunk.target, z.dtype))
            value = value + 0.5 * _SQUARE * scaled.square().sum(1)
            gradient = (gradient + _SQUARE * scaled) * s
            if self.class_factor is not None:
                factor = self._factor(chunk.target).to(z.dtype)
                value, gradient = value * factor[:, None], gradient * factor[:, None, None]
            return value, gradient, None

        return evaluate

    def _log_scales(self, rows: Rows, y: Tensor) -> Tensor:
        """Return the logarithm of each start's and fold's best factor, (S, K)."""
        seen = validation_margins(rows, y)
        targets, fold, weight = self._targets(seen.target, seen.z.dtype), seen.fold, seen.weight
        if self.class_factor is not None:
            weight = weight * self._factor(seen.target)

        def slopes(log_s, some=slice(None)):
            scaled = seen.z[some] * log_s.exp().T[fold[some]][:, None]
            _, gradient, bent = self._loss.evaluate(scaled, targets[some], scaled)
            square = _SQUARE * scaled.square().sum(1)
            first = (gradient * scaled).sum(1) + square
            both = torch.stack([first, (bent * scaled).sum(1) + square], 2)
            total = both.new_zeros(y.shape[1], *both.shape[1:])
            total.index_add_(0, fold[some], both * weight[some, None, None])
            first, second = total.permute(2, 1, 0)  # each (S, K)
            return first, first + second

        size = seen.z.new_zeros(y.shape[1], len(y)).index_add_(
            0, fold, seen.weight[:, None] * seen.z.square().mean(1)
        ).T  # fmt: skip
        last = self._last
        begin = torch.zeros_like(size) if last is None or last.shape != size.shape else last
        step = len(seen.z) // _SAMPLE
        if step > 1 and (last is None or last.shape != size.shape):
            some = slice(None, None, step)
            begin = best_log_scale(lambda log_s: slopes(log_s, some), begin, size.sqrt())
        self._last = best_log_scale(slopes, begin, size.sqrt())
        return self._last

    def _targets(self, target: Tensor, dtype: torch.dtype) -> Tensor:
        return self._loss.targets(self.class_of(target).to(dtype))

    def _factor(self, target: Tensor) -> Tensor:
        assert self.class_factor is not None
        return self.class_factor[self.class_of(target)]


class PairwiseLoss:
    """The log loss of pairs of a positive and a negative row of the same fold.

    It is not a sum over rows. One pass collects the margins of the validation rows; from them
    follows what each row adds, and how that changes with its margin.

    Parameters
    ----------
    free_scale : bool, default=False
        Whether each fold's margins are multiplied by their best factor.
    """

    n_outputs = 1
    squared = smoothed = False

    def __init__(self, free_scale: bool = False):
        self.free_scale = free_scale
        self._last: Any = {}  # log scales of each start and fold, near those to come

    def evaluator(self, rows: Rows, y: Tensor):
        """Return value and gradient of chunks of rows at y; see ``Criterion.evaluator``."""
        S, K = y.shape[:2]
        seen = validation_margins(rows, y)
        # Also of rows that no fold holds out: chunks have these as well.
        n = max(rows.n_rows, 1 + int(seen.row.max()) if len(seen.row) else 0)
        value = torch.zeros(n, S, K, dtype=torch.float64, device=y.device)
        gradient = torch.zeros_like(value)
        for k in range(K):
            mine = seen.fold == k
            z, weight, index = seen.z[mine][:, 0], seen.weight[mine], seen.row[mine]
            positive = seen.target[mine].flatten() > 0.5
            sides = int(positive.sum()), int((~positive).sum())
            spend(S * _PAIRS * min(sides[0], 512) * min(sides[1], 512))
            for s in range(S):
                loss, slope = self._pairs(z[:, s], positive, weight, (S, s, k))
                # The average over the rows, by their weights, is to be the value of the fold.
                value[index, s, k] = loss
                gradient[index, s, k] = slope / weight

        def evaluate(z, chunk, u):
            if u is not None:
                raise NotImplementedError("a loss of pairs cannot be a lower-level loss")
            at = (chunk.rows, slice(None), chunk.folds)
            return (
                value[at].flatten(1).to(z.dtype),
                gradient[at].flatten(1)[:, None].to(z.dtype),
                None,
            )

        return evaluate

    def _pairs(self, z, positive, weight, of) -> tuple[Tensor, Tensor]:
        if not self.free_scale:
            return pairwise_logistic(z, positive, weight)
        lead, share = pairs(z, positive, weight)

        def slopes(log_s):
            scaled = lead * log_s.exp()
            wrong, square = torch.sigmoid(scaled), _SQUARE * scaled**2
            first = (share * (wrong * scaled + square)).sum()
            bent = (share * (wrong * (1 - wrong) * scaled**2 + square)).sum()
            return first[None], (first + bent)[None]

        if not lead.numel():
            return pairwise_logistic(z, positive, weight)
        size = lead.abs().mean()[None]
        begin = self._last.get(of, -size.log())
        self._last[of] = best_log_scale(slopes, begin, size)
        s = self._last[of].exp()
        loss, gradient = pairwise_logistic(z * s, positive, weight)
        square, slope = _mean_square(z * s, positive, weight)
        return loss + 0.5 * _SQUARE * square, (gradient + _SQUARE * slope) * s


def _mean_square(z: Tensor, positive: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean square of the differences of pairs, and half its gradient in z."""
    share = weight / torch.where(positive, weight[positive].sum(), weight[~positive].sum())
    first, second = ((share * z)[side].sum() for side in (positive, ~positive))
    middle = torch.where(positive, second, first)  # of the other class
    slope = share * (z - middle)
    square = (share * z * z).sum() - 2 * first * second
    return square, slope


def best_log_scale(
    slopes: Callable[[Tensor], tuple[Tensor, Tensor]], begin: Tensor, size: Tensor
) -> Tensor:
    """Return where functions of the logarithm of a scale are least.

    Each falls before its minimum and rises after it. Newton's steps are taken inside a bracket,
    and its middle where they lead out of it.

    Parameters
    ----------
    slopes : callable
        Maps log s to the first derivatives and the second, all of one shape.
    begin : Tensor
    size : Tensor
        Of what is multiplied by s, which bounds it.
    """
    size = torch.where(size > 0, size, 1.0)  # of models without slopes there are no margins
    low, high = torch.log(_LOW / size), torch.log(_HIGH / size)
    t = begin.clamp(low, high)
    for _ in range(_STEPS):
        first, second = slopes(t)
        low, high = torch.where(first < 0, t, low), torch.where(first < 0, high, t)
        newton = t - first / second
        inside = (second > 0) & (newton > low) & (newton < high)
        after = torch.where(inside, newton, (low + high) / 2)
        near = bool(((after - t).abs() <= _NEAR).all())
        t = after
        if near:
            break
    return t


class Margins(NamedTuple):
    """The validation rows of all folds.

    Attributes
    ----------
    z : Tensor of shape (N, m, S)
        As the models of each start see them, in float64.
    fold : Tensor of shape (N,)
    target : Tensor of shape (N, ...)
    weight : Tensor of shape (N,)
        They sum to one over a fold.
    row : Tensor of shape (N,)
        Which of the user's rows these are.
    """

    z: Tensor
    fold: Tensor
    target: Tensor
    weight: Tensor
    row: Tensor


def validation_margins(rows: Rows, y: Tensor) -> Margins:
    """Return the validation rows as models y (S, K, m, p) see them, in one order for all y."""
    starts, seen = len(y), {}

    def keep(z, chunk):
        width, place = chunk.folds.stop - chunk.folds.start, _place(chunk)
        weight = chunk.validation[:, :width].double()  # the same for every start
        row, column = torch.nonzero(weight, as_tuple=True)
        margins = z[0].double().unflatten(2, (starts, width))[row, :, :, column]
        seen[chunk.folds.start, int(place[0])] = (
            margins, chunk.folds.start + column, chunk.target[row], weight[row, column], place[row],
        )  # fmt: skip

    rows.visit(y[None], keep)
    parts = [seen[key] for key in sorted(seen)]
    return Margins(*map(torch.cat, zip(*parts, strict=True)))


def _place(chunk) -> Tensor:
    """Return which rows a chunk has, (n,)."""
    if isinstance(chunk.rows, slice):
        return torch.arange(chunk.rows.start, chunk.rows.stop, device=chunk.target.device)
    return chunk.rows
