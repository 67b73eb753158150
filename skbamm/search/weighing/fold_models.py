"""Models in folds that weights are learned with: of one set of rows, and any splits of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier

from skbamm._sklearn_compat import safe_indexing
from skbamm.bilevel import Status, solve_lower
from skbamm.criteria import make_criterion
from skbamm.data.folded import RowWeights
from skbamm.data.transformer_fits import ROOM
from skbamm.folds import draw_rows
from skbamm.glm import GLMProblem
from skbamm.losses import ExpectedErrorLoss
from skbamm.models import NotApplicable, last_step
from skbamm.progress import say
from skbamm.sample_weights import SampleWeights
from skbamm.search.factory import SolverFactory, UserRows
from skbamm.search.outcome import Settings
from skbamm.search.weighing.class_masses import ClassMasses
from skbamm.search.weighing.gate import likelihoods
from skbamm.search.weighing.input import fit_name
from skbamm.search.weighing.partitions import MANY
from skbamm.solvers.criterion import check_criterion
from skbamm.space import Combination
from skbamm.starts.subsample import enough_rows
from skbamm.weights.learner import FoldModel, Learned, balancing, learn
from skbamm.weights.noise import Likelihoods, log_likelihoods
from skbamm.weights.weightings import FLOOR

_ROUGH = 1e-3  # tolerance of a penalty that weights are learned with


@dataclass(frozen=True)
class Plan:
    """The settings with which weights are learned, independent of the rows.

    Attributes
    ----------
    given : SampleWeights
    estimator : estimator
        The user's.
    combination : Combination
        Of the proxy if there is one, else of the estimator.
    settings : Settings
        With the criterion of the weights.
    auto : bool
        Whether the penalty has its own criterion: the likelihood of the labels.
    """

    given: SampleWeights
    estimator: Any
    combination: Combination
    settings: Settings
    auto: bool

    @property
    def balances(self) -> bool:
        """Whether to balance classes; not if the user sets class weights."""
        last = last_step(self.combination.target.estimator)
        return is_classifier(last) and last.get_params().get("class_weight") is None

    def say(self, message: str) -> None:
        """Print a message if verbose."""
        if self.settings.verbose > 0:
            say(message)


class FoldModels:
    """Models of some rows in folds.

    Parameters
    ----------
    plan : Plan
    X, y
        The rows.
    weight : ndarray of shape (n,) or None
        The user's sample weights.
    trusted : ndarray of bool of shape (n,)
    group : ndarray of int of shape (n,) or None

    Attributes
    ----------
    masses : ClassMasses
    rows : UserRows
        What all solvers share.
    """

    def __init__(self, plan: Plan, X: Any, y: Any, weight: Any, trusted: Any, group: Any):
        self.plan, self.X, self.y, self.weight = plan, X, y, weight
        self.trusted, self.group = trusted, group
        self.axes = plan.combination.axes
        label = np.unique(np.asarray(y), return_inverse=True)[1].ravel() if plan.balances else None
        self.masses = ClassMasses(label, weight, not is_classifier(plan.estimator))
        self.rows = UserRows(X, y, ROOM)
        self._solvers: dict[int, tuple[list, Any]] = {}  # of splits without learned weights
        self._starts: dict[int, tuple[list, torch.Tensor]] = {}  # the penalties of splits

    def take(self, kept: np.ndarray) -> FoldModels:
        """Return the models of the rows ``kept`` alone."""
        group = None if self.group is None else np.unique(self.group[kept], return_inverse=True)[1]
        return FoldModels(
            self.plan, safe_indexing(self.X, kept), safe_indexing(self.y, kept),
            None if self.weight is None else self.weight[kept], self.trusted[kept], group,
        )  # fmt: skip

    def start(self, splits: list, only: np.ndarray) -> torch.Tensor:
        """Return the penalty to learn with: that of models of the labels as they are.

        It is stronger than the final one, so that models do not overfit the rows that they judge.
        """
        known = self._starts.get(id(splits))
        if known is None or known[0] is not splits:
            middle = [sum(axis.bounds()) / 2 for axis in self.axes]
            factors = self.masses.unjudged(np.repeat(only[:, None], len(splits), 1))
            x = self.penalty(splits, factors, None, begin=middle, rough=True)
            known = self._starts[id(splits)] = splits, x
        return known[1]

    def penalty(self, splits, factors, noise, **options) -> torch.Tensor:
        """Search the penalty for models whose weights were learned without the test rows.

        They are judged by the likelihood of the labels, wrong ones included. The expected error
        would not do: it falls with any penalty that makes the models surer of themselves.
        """
        if not self.axes:
            return torch.zeros(1, dtype=torch.float64)  # the estimator's own, whatever x is
        joint = self._solver(splits, RowWeights("", np.ones(len(factors)), factors))
        name = self._name(joint)
        if noise is None and name == "log_loss" and self.masses.label is not None:
            name = "balanced_log_loss"  # as the models are
        settings = self.plan.settings
        result, _, _ = joint.search(
            self.axes, name, max_iter=settings.max_iter, tol=_ROUGH,
            max_time=settings.clock.left, upper_loss=noise if self.plan.auto else None, **options,
        )  # fmt: skip
        if result.status is Status.INTERRUPTED:
            settings.clock.interrupt()
        return result.x.double().cpu().reshape(1)

    def value(self, splits, factors, noise) -> float:
        """Return the criterion of the penalty at the chosen penalty."""
        x = self.penalty(splits, factors, noise)
        joint = self._solver(splits, RowWeights("", np.ones(len(factors)), factors))
        rows = joint.rows(joint.dtype)
        target = torch.as_tensor(joint.task.target, device=joint.device)
        criterion = make_criterion(self._name(joint), joint.task.loss, target, joint.data.weights)
        if self.plan.auto:
            criterion = replace(criterion, loss=noise)
        problem = GLMProblem(
            rows, joint.task.loss, joint.penalties.penalty(self.axes, rows), 1,
            criterion=criterion, mean_loss=joint.twin.mean_loss,
        )  # fmt: skip
        at = x.to(joint.device)[None]
        y = solve_lower(problem, at, tol=_ROUGH).y
        return float(problem.directions(at, y, torch.zeros_like(y), 0.0).upper.sum())

    def likelihoods(self, splits: list, factors: np.ndarray, only: np.ndarray) -> Likelihoods:
        """Return the likelihoods of labels of the rows ``only`` under models that held them out.

        Their training rows have the factors (n, K), learned without the rows held out.
        """
        joint = self._solver(splits, RowWeights("", np.ones(len(factors)), factors))
        drawn: Any = slice(None)
        rows, enough = np.flatnonzero(only), enough_rows(joint.rows(joint.dtype))
        if len(rows) >= MANY and enough < len(rows):  # some of many rows suffice
            drawn = rows[draw_rows(len(rows), enough)]
        x = self.start(splits, only).to(joint.device)
        return likelihoods(self._model(joint, only, drawn), x)

    def first_likelihoods(self, splits: list, only: np.ndarray, begun: Learned) -> Likelihoods:
        """Return the first likelihoods of the labels of the rows ``only``."""
        model = self._model(self._solver(splits, None), only)
        assert begun.first.z is not None  # they are classes
        return log_likelihoods(begun.first.z, model.target.long(), model.counts)

    def weigh(self, splits, only, begin, kind, prior, start=None) -> Learned:
        """Learn the weights of the rows ``only`` from folds of them; without a kind, judge them.

        ``start`` are the splits that the penalty is chosen on, if not all.
        """
        x, joint = self.start(splits if start is None else start, only), self._solver(splits, None)
        model = self._model(joint, only)
        device, some = joint.device, None
        rows, enough = np.flatnonzero(only), enough_rows(model.rows)
        if len(rows) >= MANY and enough < len(rows):
            drawn = rows[draw_rows(len(rows), enough)]
            some = self._model(joint, only, drawn), torch.as_tensor(drawn, device=device)
        return learn(
            model,
            x.to(device),
            kind=kind,
            prior=prior,
            group=None if self.group is None else torch.as_tensor(self.group, device=device),
            begin=None if begin is None else begin.to(device).clamp_min(FLOOR),
            some=some,
            clock=self.plan.settings.clock,
        )

    def _solver(self, splits, row_weights):
        """Return the solver of these splits; all of them share X and the transformers' fits."""
        known = self._solvers.get(id(splits))
        if row_weights is None and known is not None and known[0] is splits:
            return known[1]
        target = self.plan.combination.target
        fit_params = {} if self.weight is None else {fit_name(target.estimator): self.weight}
        factory = SolverFactory(
            self.plan.settings, self.X, self.y, splits, fit_params, {}, row_weights, self.rows
        )
        solver = factory.make(target, self.plan.combination.params)
        if row_weights is None and solver.folds is None:  # it has no rows of its own
            self._solvers[id(splits)] = splits, solver
        return solver

    def _model(self, joint, only, drawn=slice(None)) -> FoldModel:
        """Return the model of the rows ``only``, or of those drawn of them."""

        def tensor(values):
            return torch.as_tensor(values, device=joint.device)

        task, rows, factor = joint.task, joint.rows(joint.dtype), 1.0
        if isinstance(drawn, np.ndarray):
            rows, factor = rows.take(drawn), only.sum() / len(drawn)
        if task.target.ndim > 1 and task.target.shape[1] > 1:
            raise NotApplicable("only one target is supported; give proxy=LogisticRegression()")
        check_criterion(self.plan.settings.criterion, task)
        target = tensor(np.ascontiguousarray(task.target)).double().flatten()
        own = np.ones(len(only)) if self.weight is None else self.weight
        share = tensor(np.where(only, own, 0.0)[drawn]).double()
        return FoldModel(
            rows=rows,
            loss=task.loss,
            penalty=joint.penalties.penalty(self.axes, rows, factor),
            mean_loss=joint.twin.mean_loss,
            criterion=self._criterion(joint, target, only),
            target=target[drawn],
            share=share / share.sum(),
            trusted=tensor(self.trusted[drawn]),
            classes=task.classes is not None,
            balance=self.plan.balances,
        )

    def _criterion(self, joint, target, only):
        """Return what weights are learned by."""
        criterion = make_criterion(
            self.plan.settings.criterion, joint.task.loss, target, joint.data.weights
        )
        if self.plan.auto and self.plan.balances and isinstance(criterion.loss, ExpectedErrorLoss):
            # Its minimum stays where it is if one class has more wrong labels than another.
            given = torch.bincount(target[torch.as_tensor(only)].long()).double()
            factor = balancing(given / given.sum())
            criterion = replace(criterion, loss=ExpectedErrorLoss(criterion.loss.n_outputs, factor))
        return criterion

    def _name(self, joint) -> str:
        """Name of the criterion that the penalty is chosen by, its loss aside."""
        if not self.plan.auto:
            return self.plan.settings.criterion
        return "log_loss" if joint.task.classes is not None else "bounded_squared_error"
