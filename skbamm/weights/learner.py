"""Learns which rows to trust: rounds of judging them from other folds, then sl-BAMM."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from skbamm.bilevel import BilevelResult, Status, adaptive, solve, solve_lower
from skbamm.bilevel.steps.x_steps import SpectralStep
from skbamm.clock import Clock
from skbamm.criteria import Criterion
from skbamm.folds import Rows
from skbamm.glm.penalties import Penalty
from skbamm.losses import PointwiseLoss
from skbamm.weights.noise import Quality, label_quality, target_quality
from skbamm.weights.problem import ClassMasses, WeightedGLMProblem
from skbamm.weights.weightings import FLOOR, FreeWeights, GroupWeights, ScoreWeights, Weighting

_ROUNDS = 8  # of judging the rows by models that were trained with the last judgement
_SETTLED = 2e-3  # mean change of the weights in a round that ends them
_ROUNDING = 1e-10  # of predicted targets, relative to the largest target
_LOWER_TOL, _ROUGH_TOL = 1e-2, 3e-2  # decrement of models that judge, all rows and some
_FIRST = 4.0  # first step of the row that moves most
_MOVES = 20  # iterations of sl-BAMM
# A wrong row that is kept costs two or three times what a right one does that is not: so rows are
# kept whose labels are that much more likely right than wrong. Log-odds, and how sharp the cut is.
_CUT, _SHARP = 1.0, 3.0
# Largest ratio of the weights of rows of two classes: for two classes, and for more.
_MOST_OF_TWO, _MOST_OF_MORE = 4.0, 2.5


@dataclass(frozen=True)
class FoldModel:
    """A penalised generalised linear model over folds, and what its rows' labels are.

    Attributes
    ----------
    rows : Rows
    loss : PointwiseLoss
    penalty : Penalty
        Of x with one entry.
    mean_loss : bool
    criterion : Criterion
        Bounded, unless all validation rows are trusted.
    target : Tensor of shape (n,), float64
        Class numbers or the regression target.
    share : Tensor of shape (n,)
        What each row counts for; they sum to one.
    trusted : Tensor of bool of shape (n,)
    classes : bool
        Whether ``target`` are class numbers.
    balance : bool
        Whether to balance classes while their rows are judged.
    """

    rows: Rows
    loss: PointwiseLoss
    penalty: Penalty
    mean_loss: bool
    criterion: Criterion
    target: Tensor
    share: Tensor
    trusted: Tensor
    classes: bool
    balance: bool = True

    def problem(self, weighting: Weighting, x: Tensor, prior: float = 0.0) -> WeightedGLMProblem:
        """Return the problem of these weights at the penalty that x, of shape (1,), means."""
        return WeightedGLMProblem(
            self.rows, self.loss, self.penalty, weighting, criterion=self.criterion,
            bounds=(x, x), prior=prior, classes=self.masses, mean_loss=self.mean_loss,
        )  # fmt: skip

    @cached_property
    def factor(self) -> Tensor:
        """What a row of each given class counts for in the models' training."""
        m = max(self.loss.n_outputs, 2) if self.classes else 1
        if not self.classes or not self.balance:
            return torch.ones(m, dtype=torch.float64, device=self.share.device)
        given = self.share.new_zeros(m).index_add_(0, self.target.long(), self.share)
        return balancing(given)

    @property
    def counts(self) -> Tensor:
        """What each row counts for while rows are judged: one in the mean, where classes do not."""
        label = self.target.long()
        return self.share * (self.share > 0).sum() * self.factor[label]

    @cached_property
    def masses(self) -> ClassMasses:
        """What the weights of each class add up to while rows are judged."""
        if not self.classes:
            one = torch.zeros(len(self.share), dtype=torch.long, device=self.share.device)
            return ClassMasses(self.share, one, self.factor)
        label = self.target.long()
        mass = self.share.new_zeros(len(self.factor))
        mass.index_add_(0, label, self.share * self.factor[label])
        return ClassMasses(self.share, label, mass)

    def judge(self, y: Tensor, before: Quality | None = None) -> Quality:
        """Return how likely each label is right, from the folds that held it out.

        An earlier judgement saves some work.
        """
        z, seen = out_of_fold(self.rows, y, len(self.share))
        count = self.share * (self.share > 0).sum() * seen  # one a row in the mean
        if self.classes:
            quality = label_quality(z, self.target.long(), count, self.trusted, before, self.factor)
        else:
            residual = torch.where(seen, z[:, 0] - self.target, 0.0)
            rounding = _ROUNDING * float(self.target.abs().max())
            quality = target_quality(residual, count, self.trusted, rounding)
        # Nothing is known of a row that no fold held out.
        return replace(quality, right=torch.where(seen, quality.right, 1.0))

    def certain(self, quality: Quality) -> Tensor:
        """See ``certain``."""
        return certain(quality.right, self.trusted)


def balancing(given: Tensor) -> Tensor:
    """Return what a row of each class is to count for, given the classes' shares.

    With balanced classes, the boundary between two of them is where they are equally likely, even
    if part of each is wrong (Menon, van Rooyen, Ong & Williamson, "Learning from corrupted binary
    labels via class-probability estimation", 2015). Rare classes get part of that only, and of
    more than two a smaller one: much of what is labelled so comes from the frequent ones.
    """
    known = given > 0
    ratio = float((given[known].max() / given[known].min()).log())
    most = _MOST_OF_TWO if len(given) == 2 else _MOST_OF_MORE
    power = min(1.0, math.log(most) / max(ratio, 1e-12))
    factor = torch.where(known, given.clamp_min(1e-12) ** -power, 0.0)
    return factor / (given @ factor)


def certain(right: Tensor, trusted: Tensor) -> Tensor:
    """Return near one where a label is much more likely right than wrong, else near zero."""
    cut = torch.sigmoid(_SHARP * (_logit(right) - _CUT))
    return torch.where(trusted, 1.0, cut)


def out_of_fold(rows: Rows, y: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the mean predictor (n, m) of the folds not trained on a row, and whether any was."""
    m = y.shape[2]
    z = torch.zeros(n, m, dtype=torch.float64, device=rows.device)
    count = torch.zeros(n, dtype=torch.float64, device=rows.device)

    def keep(predictors, chunk):
        held_out = (chunk.train == 0).double()
        z[chunk.rows] += (predictors[0].double() * held_out[:, None]).sum(2)
        count[chunk.rows] += held_out.sum(1)

    rows.visit(y[None], keep)
    return z / count.clamp_min(1)[:, None], count > 0


@dataclass
class Learned:
    """Weights, and what led to them.

    Attributes
    ----------
    weight : Tensor of shape (n,)
        In [0, 1].
    quality : Quality
        By models trained with these weights, from folds that held the row out.
    first : Quality
        The first of all rows, where nothing was known of them yet.
    right : Tensor of shape (n,)
        How likely each label is right in the mean of the judgements, or each target in the last.
    result : BilevelResult or None
        Of sl-BAMM.
    parameters : Tensor or None
        Those of the weighting, where it is not the rows' own.
    """

    weight: Tensor
    quality: Quality
    first: Quality
    right: Tensor
    result: BilevelResult | None = None
    parameters: Tensor | None = None

    def pruned(self) -> Learned:
        """Return what judging once comes to: rows that are rather wrong than right are dropped."""
        weight = torch.where(self.first.right < 0.5, FLOOR, 1.0).to(self.weight)
        return Learned(weight, self.first, self.first, self.first.right)


def judged(
    model: FoldModel,
    x: Tensor,
    w: Tensor | None = None,
    y: Tensor | None = None,
    quality: Quality | None = None,
    tol: float = _LOWER_TOL,
    clock: Clock | None = None,
):
    """Weigh rows by how likely their labels are right, until the weights settle.

    Begins with the weights w, models y and an earlier judgement, if there are any; ``tol`` is for
    ``solve_lower``. There is one round at least, whatever the clock says.

    Returns
    -------
    first, last : Quality
        Of the first round and of the last.
    solution : LowerResult
        The folds' models of the last round, and a metric near them.
    """
    problem = model.problem(FreeWeights(model.trusted), x)
    w = torch.ones_like(model.share) if w is None else w
    metric, first = None, None
    for _ in range(_ROUNDS):
        at = torch.cat([x, w])[None]
        if metric is not None and y is not None:
            metric = metric.at(at, y)  # updating is cheaper: weights change it little
        solution = solve_lower(problem, at, y, tol=tol, curvature=metric)
        y, metric = solution.y, solution.curvature
        quality = model.judge(y, quality)
        first = quality if first is None else first
        before, w = w, quality.right.clamp_min(FLOOR)
        moved = float(model.share @ (w - before).abs())  # of these rows: others have no part in it
        if moved < _SETTLED or (clock is not None and clock.over):
            break
    return first, quality, solution


def learn(
    model: FoldModel,
    x: Tensor,
    *,
    kind: str | None,
    prior: float,
    group: Tensor | None = None,
    begin: Tensor | None = None,
    some: tuple[FoldModel, Tensor] | None = None,
    tol: float = 1e-3,
    clock: Clock | None = None,
) -> Learned:
    """Learn weights by sl-BAMM, at the penalty that x, of shape (1,), means.

    Parameters
    ----------
    model : FoldModel
    x : Tensor of shape (1,)
    kind : {"free", "groups", "score"} or None
        None: rows are judged only, and weigh what their labels are worth.
    prior : float
        See ``WeightedGLMProblem``.
    group : Tensor of int of shape (n,), optional
    begin : Tensor of shape (n,), optional
        Weights of the first judgement's models; ones by default.
    some : tuple of FoldModel and Tensor of int, optional
        The same of some rows, whose models are good enough to judge all, and to begin with.
    clock : Clock, optional
        Ends it early.
    """
    clock = Clock() if clock is None else clock
    y, before = None, None
    first: Quality | None = None
    if some is not None:
        few, index = some
        w = None if begin is None else begin[index]
        _, before, begun = judged(few, x, w, tol=_ROUGH_TOL, clock=clock)
        y, before = begun.y, model.judge(begun.y, before)
        first = before
        begin = before.right.clamp_min(FLOOR)
    if some is None or kind is not None:
        once, quality, begun = judged(model, x, begin, y, before, clock=clock)
        first = once if first is None else first
    else:
        quality = before
    assert first is not None
    if kind is None:
        return Learned(
            model.certain(quality).clamp_min(FLOOR), quality, first, _mean([first, quality])
        )
    weighting = _weighting(kind, model, group, quality.right)
    problem = model.problem(weighting, x, prior)
    x0 = torch.cat([x, weighting.start(quality.right)])[None]
    step = SpectralStep(_FIRST) if kind == "free" else None
    schedule = adaptive(x0.shape[1], x_step=step)
    result = solve(
        problem, x0, y0=begun.y, schedule=schedule, max_iter=_MOVES, tol=tol,
        max_time=clock.left, keep_path=kind != "free",
    )  # fmt: skip
    if result.status is Status.INTERRUPTED:
        clock.interrupt()
    w = problem.weights(result.x[None]).clamp(FLOOR, 1.0)
    after = model.problem(FreeWeights(model.trusted), x)
    at = torch.cat([x, w])[None]
    last = solve_lower(after, at, result.y[None], tol=_LOWER_TOL)
    before, quality = quality, model.judge(last.y, quality)
    # Labels are judged by the mean: these models' errors differ. The first models of targets are
    # those that outliers have moved.
    right = _mean([first, before, quality] if model.classes else [quality])
    if kind != "free":
        return Learned(w, quality, first, right, result, result.x[1:])
    # What a row does for the others is one thing, what its label is likely to be another.
    w = (w * model.certain(quality)).clamp_min(FLOOR)
    return Learned(w, quality, first, right, result)


def _weighting(kind: str, model: FoldModel, group: Tensor | None, right: Tensor) -> Weighting:
    """Return the weighting of a kind, given how likely labels are right."""
    if kind == "free":
        return FreeWeights(model.trusted)
    if kind == "groups":
        assert group is not None
        return GroupWeights(group, model.trusted)
    return ScoreWeights(torch.where(model.trusted, torch.inf, _logit(right)))


def _mean(judgements: list[Quality]) -> Tensor:
    return torch.stack([one.right for one in judgements]).mean(0)


def _logit(p: Tensor) -> Tensor:
    p = p.clamp(1e-9, 1 - 1e-9)
    return torch.log(p) - torch.log1p(-p)


__all__ = ["FoldModel", "Learned", "certain", "judged", "learn", "out_of_fold"]
