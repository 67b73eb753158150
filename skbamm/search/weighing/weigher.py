"""Learns the weights of the training rows before the search: how scikit-learn's side sees it.

Everything is learned on all rows, for the final model, and without each fold's test rows, for its
models. So the penalty and the scores are not chosen on labels that the weights were fitted to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.multiclass import type_of_target

from skbamm._sklearn_compat import GroupsConsumerMixin, num_samples, safe_indexing
from skbamm.bilevel import Status, solve_lower
from skbamm.clock import Clock
from skbamm.criteria import make_criterion
from skbamm.data.folded import RowWeights
from skbamm.data.transformer_fits import ROOM
from skbamm.folds import draw_rows, threads_for_rows
from skbamm.glm import GLMProblem
from skbamm.losses import ExpectedErrorLoss
from skbamm.models import NotApplicable, last_step
from skbamm.sample_weights import SampleWeights, check_sample_weights, trusted_mask
from skbamm.search.factory import SolverFactory, UserRows
from skbamm.search.outcome import Settings
from skbamm.search.weighing.class_masses import ClassMasses
from skbamm.search.weighing.found import (
    WeightsFound,
    history_of,
    judged_by,
    mean_noise,
    mean_right,
)
from skbamm.search.weighing.gate import Gate, likelihoods
from skbamm.search.weighing.input import (
    check_takes_weights,
    fit_name,
    regression_target,
    robust_criterion,
    user_weight,
)
from skbamm.search.weighing.partitions import MANY, inner_splits, more_partitions, trusted_splits
from skbamm.search.weighing.rare_classes import RareRows
from skbamm.solvers.criterion import check_criterion
from skbamm.space import Space, read_grid
from skbamm.starts.subsample import enough_rows
from skbamm.weights.learner import FoldModel, Learned, balancing, learn
from skbamm.weights.weightings import FLOOR

_NOTHING = 1e-12
_ROUGH = 1e-3  # tolerance of a penalty that weights are learned with


class Weigher:
    """Learns row weights for one search.

    Parameters
    ----------
    given : SampleWeights
    estimator : estimator
        The user's.
    space : Space
        The space of the proxy if there is one, else the search's own.
    settings : Settings
        With the criterion of the weights.
    auto : bool
        Whether the penalty has one of its own: the likelihood of the labels.
    """

    def __init__(
        self, given: SampleWeights, estimator: Any, space: Space, settings: Settings, auto: bool
    ):
        self._auto = auto
        self.given, self.estimator, self.settings = given, estimator, settings
        self.space, self.combination = space, space.combinations[0]
        self.axes = self.combination.axes
        self.X: Any = None
        self.y: Any = None
        self.rows: UserRows | None = None
        self._solvers: dict[int, tuple[list, Any]] = {}  # of splits without learned weights
        self.weight: np.ndarray | None = None
        self.trusted: Any = None
        self.group: np.ndarray | None = None
        self.masses = ClassMasses(None, None)
        self._starts: dict[int, tuple[list, torch.Tensor]] = {}  # the penalties of splits

    @classmethod
    def for_search(cls, search: Any, space: Space, clock: Clock) -> Weigher:
        """Return the weigher that a search asks for, or raise ValueError if there can be none."""
        given = search.sample_weights
        check_sample_weights(given)
        check_takes_weights(search.estimator)
        model = search.estimator
        if given.proxy is not None:
            model, space = given.proxy, read_grid(given.proxy, given.proxy_grid or {})
        target = space.combinations[0].target
        if target.twin is None or not target.twin.judges_labels:
            reason = target.reason or "it does not tell how likely a label is"
            raise ValueError(
                f"SampleWeights: weights cannot be learned with {model!r}: {reason}. "
                "Give a proxy to learn them with, such as proxy=LogisticRegression() or Ridge()."
            )
        values = last_step(target.estimator).get_params()
        penalty = values.get("penalty")  # the name goes first: with "l2" there may be any ratio
        ratio = 0.0 if penalty == "l2" else values.get("l1_ratio", 0.0)
        absolutes = ratio != 0 or penalty == "l1"
        if len(space.combinations[0].axes) > 1 or absolutes:
            raise ValueError(
                f"SampleWeights: weights cannot be learned with {model!r}: it has more than an L2 "
                "penalty. Give a proxy to learn them with, such as proxy=LogisticRegression()."
            )
        classes = is_classifier(search.estimator)
        if classes != is_classifier(model):
            raise ValueError(
                f"SampleWeights: proxy={model!r} and the estimator must both be classifiers or "
                "both be regressors."
            )
        auto = search.criterion == "auto"
        criterion = robust_criterion(search.criterion, search.scoring, classes)
        settings = Settings(
            criterion, search.max_iter, search.tol, search.max_time, search.device, search.dtype,
            search.verbose, clock,
        )  # fmt: skip
        return cls(given, search.estimator, space, settings, auto)

    def take_groups(self, X: Any, y: Any, cv: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Take ``groups`` from the parameters of fit; return what is left for scikit-learn."""
        if "groups" not in [kind for kind, _ in self.given.candidates()]:
            return params
        groups = params.get("groups")
        if groups is None:
            raise ValueError("SampleWeights: kind='groups' needs fit(..., groups=...).")
        if len(groups) != num_samples(X):
            raise ValueError(
                f"SampleWeights: groups has {len(groups)} entries, but X has {num_samples(X)} rows."
            )
        self.group = np.unique(np.asarray(groups), return_inverse=True)[1]
        if isinstance(
            check_cv(cv, y, classifier=is_classifier(self.estimator)), GroupsConsumerMixin
        ):
            return params
        return {name: value for name, value in params.items() if name != "groups"}

    def learn(self, cv: Any, splits: list, X: Any, y: Any, fit_params: dict) -> WeightsFound:
        """Learn weights for the final model and for each split.

        Parameters
        ----------
        cv : splitter
            The user's.
        splits : list of (train, test)
            The splits that it gave.
        X, y
        fit_params : dict
            As scikit-learn routed them.
        """
        if y is None:
            raise ValueError("SampleWeights: y is needed to learn weights, got y=None.")
        n = num_samples(X)
        self.X, self.y, self._starts = X, y, {}
        if not is_classifier(self.estimator):
            self.y = regression_target(y)
        self.trusted = trusted_mask(self.given.trusted, n)
        self.weight = user_weight(fit_params.get(fit_name(self.estimator)), n)
        self._check_classes(np.ones(n))
        scored, held_out = splits, splits
        if self.trusted.any():
            scored, held_out = trusted_splits(cv, splits, y, self.trusted)
        rare = None
        if is_classifier(self.estimator) and type_of_target(y) in ("binary", "multiclass"):
            rare = RareRows(y, held_out, self.trusted)
        try:
            if rare is None or not rare.rows.any():
                return self._learn_on(cv, scored, held_out)
            weight = self.weight
            self._leave_out(rare)
            found = self._learn_on(cv, *map(rare.without, (scored, held_out)))
            keep_trusted = self.given.refit_on_trusted
            found = rare.put_back(found, scored, weight, keep_trusted)
            self.y, self.weight, self.rows, self._solvers = y, weight, None, {}
            self._starts = {}
            self._check_classes(found.row_weights.rows)
            return found
        except NotApplicable as error:
            # scikit-learn's own error for these data, if it has one, says more.
            clone(self.estimator).fit(X, y)
            why = str(error) + (rare.why_not if rare else "")
            raise ValueError(f"SampleWeights: no weights can be learned here: {why}.") from None

    def rows_of(self, X: Any, y: Any) -> UserRows | None:
        """Return what is known of the rows, if they are the ones that weights were learned of."""
        known = self.rows
        return known.with_target(y) if known is not None and known.X is X else None

    def _leave_out(self, rare: RareRows) -> None:
        """Go on with the rows of the other classes."""
        names = ", ".join(map(repr, rare.classes[rare.rare].tolist()))
        self._say(f"{int(rare.rows.sum())} rows of too rare classes are doubted: {names}")
        kept = rare.kept
        self.X, self.y = safe_indexing(self.X, kept), safe_indexing(self.y, kept)
        self.rows, self._solvers, self._starts = None, {}, {}
        self.trusted = self.trusted[kept]
        self.weight = None if self.weight is None else self.weight[kept]
        if self.group is not None:
            self.group = np.unique(self.group[kept], return_inverse=True)[1]

    def _learn_on(self, cv: Any, scored: list, held_out: list) -> WeightsFound:
        """Learn from all rows that are left."""
        label = np.unique(np.asarray(self.y), return_inverse=True)[1] if self._balances() else None
        self.masses = ClassMasses(None if label is None else label.ravel(), self.weight)
        partitions = more_partitions(cv, self.X, self.y)
        if self.trusted.any() and not self._auto:
            # A loss that wrong labels would mislead is taken of trusted rows only.
            held_out, partitions = scored, []
        with threads_for_rows():
            return self._learn(scored, held_out, partitions)

    def _learn(self, scored, splits, partitions) -> WeightsFound:
        n = len(self.trusted)
        inner = [inner_splits(splits, k) for k in range(len(splits))]
        only = np.zeros((n, len(splits)), bool)
        for k, (train, _) in enumerate(splits):
            only[train, k] = True
        self._say(f"judging the labels of {n} rows in {len(splits)} folds")
        begun, found = self._judge(inner, only), []
        clock = self.settings.clock
        with clock.kept():
            if n < MANY or len(self.given.candidates()) > 1:
                self._say("learning the weights of each fold's training rows")
                for k, part in enumerate(inner):
                    if clock.over:
                        break
                    how = self._choose(part, only[:, k])
                    found.append(self._weigh(part, only[:, k], begun[k].quality.right, *how))
        # What the rows were judged to be serves: with many rows, and if time is over.
        found += begun[len(found) :]
        how = self.given.candidates()[0]
        with clock.kept():
            if not clock.over:
                how = self._choose(splits, np.ones(n, bool))
        kind, prior = how
        factors = self.masses.learned(found, only, kind != "groups")
        gate = Gate(None)
        with clock.kept():
            if not clock.over:
                gate = self._gate(splits, found, only)
        noise = mean_noise([one.quality.loss for one in found])
        self._say("learning the final weights")
        everything = [split for part in (splits, *partitions) for split in part]
        right, final = mean_right(found, only), None
        with clock.kept():
            if not clock.over:
                # Few rows are judged anew: they may keep to what they began with.
                begin = right if n >= MANY else None
                final = self._weigh(everything, np.ones(n, bool), begin, kind, prior, start=splits)
        if final is None:
            final = judged_by(found, right, torch.as_tensor(self.trusted).to(right.device))
        if clock.over:
            clock.end("the learning of weights")
        everyone = np.ones((n, 1), bool)
        rows = self.masses.learned([final], everyone, kind != "groups")[:, 0]
        if not gate.learned:
            self._say("no weights: the labels are likelier without noise, so all rows are kept")
            rows = np.ones(n)
        if not self.given.refit_on_trusted:
            rows = np.where(self.trusted, 0.0, rows)
            rows *= n / rows.sum()
        quality = np.where(self.trusted, 1.0, gate.quality(final.quality.right.cpu().numpy()))
        self._say(f"{int((quality < 0.5).sum())} labels are more likely wrong than right")
        self._check_classes(rows)
        name = fit_name(self.estimator)
        row_weights = RowWeights(
            name, rows, factors, noise if self._auto else None,
            self._start(splits, np.ones(n, bool)).tolist() if self.given.proxy is None else None,
        )  # fmt: skip
        return WeightsFound(
            row_weights, scored, quality, quality < 0.5, self.weight,
            {"kind": kind, "prior": prior, **gate.params()}, history_of(final, kind),
        )  # fmt: skip

    def _say(self, message: str) -> None:
        if self.settings.verbose > 0:
            print(f"[BAMM] {message}")

    def _judge(self, inner: list[list], only: np.ndarray) -> list[Learned]:
        """Judge the training rows of each fold by models of the fold's own splits."""
        for k, splits in enumerate(inner):
            self._start(splits, only[:, k])
            if self.settings.clock.interrupted:
                raise KeyboardInterrupt  # no row is judged yet
        return [self._weigh(part, only[:, k], None, None, 0.0) for k, part in enumerate(inner)]

    def _start(self, splits: list, only: np.ndarray) -> torch.Tensor:
        """Return the penalty to learn with: that of models of the labels as they are.

        It is stronger than the final one, lest models imitate the rows that they judge.
        """
        known = self._starts.get(id(splits))
        if known is None or known[0] is not splits:
            middle = [sum(axis.bounds()) / 2 for axis in self.axes]
            factors = self.masses.unjudged(np.repeat(only[:, None], len(splits), 1))
            x = self._penalty(splits, factors, None, begin=middle, rough=True)
            known = self._starts[id(splits)] = splits, x
        return known[1]

    def _choose(self, splits: list, only: np.ndarray) -> tuple[str, float]:
        """Choose the kind and the prior by weights learned without each split's test rows."""
        candidates = self.given.candidates()
        if len(candidates) == 1:
            return candidates[0]
        inner = [inner_splits(splits, k) for k in range(len(splits))]
        train = np.zeros((len(only), len(splits)), bool)
        for k, (rows, _) in enumerate(splits):
            train[rows, k] = True
        begun = self._judge(inner, train)
        noise = mean_noise([one.quality.loss for one in begun])
        best = torch.inf, candidates[0]
        for kind, prior in candidates:
            found = [
                self._weigh(part, train[:, k], begun[k].quality.right, kind, prior)
                for k, part in enumerate(inner)
            ]
            if self.settings.clock.over:
                break
            factors = self.masses.learned(found, train, kind != "groups")
            best = min(best, (self._value(splits, factors, noise), (kind, prior)))
        return best[1]

    def _check_classes(self, rows) -> None:
        """Refuse weights that leave a class without any row."""
        if not is_classifier(self.estimator):
            return
        if np.ndim(self.y) == 2 and np.shape(self.y)[1] > 1:
            raise ValueError(
                "SampleWeights: weights cannot be learned of a target that has several labels a "
                f"row, got y of shape {np.shape(self.y)}."
            )
        classes, index = np.unique(np.asarray(self.y), return_inverse=True)
        own = rows if self.weight is None else rows * self.weight
        empty = np.bincount(index.ravel(), own, len(classes)) <= _NOTHING
        if empty.any():
            name = classes[empty].tolist()[0]
            raise ValueError(
                f"SampleWeights: every row of class {name!r} has weight zero (sample_weight)."
            )

    def _penalty(self, splits, factors, noise, **options) -> torch.Tensor:
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
        result, _, _ = joint.search(
            self.axes, name, max_iter=self.settings.max_iter, tol=_ROUGH,
            max_time=self.settings.clock.left, upper_loss=noise if self._auto else None, **options,
        )  # fmt: skip
        if result.status is Status.INTERRUPTED:
            self.settings.clock.interrupt()
        return result.x.double().cpu().reshape(1)

    def _value(self, splits, factors, noise) -> float:
        """Return what the penalty is chosen by, at the penalty that it chooses."""
        x = self._penalty(splits, factors, noise)
        joint = self._solver(splits, RowWeights("", np.ones(len(factors)), factors))
        rows = joint.rows(joint.dtype)
        target = torch.as_tensor(joint.task.target, device=joint.device)
        criterion = make_criterion(self._name(joint), joint.task.loss, target, joint.data.weights)
        if self._auto:
            criterion = replace(criterion, loss=noise)
        problem = GLMProblem(
            rows, joint.task.loss, joint.penalties.penalty(self.axes, rows), 1,
            criterion=criterion, mean_loss=joint.twin.mean_loss,
        )  # fmt: skip
        at = x.to(joint.device)[None]
        y = solve_lower(problem, at, tol=_ROUGH).y
        return float(problem.directions(at, y, torch.zeros_like(y), 0.0).upper.sum())

    def _gate(self, splits, found: list[Learned], only: np.ndarray) -> Gate:
        """Return whether held-out labels speak for noise."""
        held_out = ~only.all(1) & ~self.trusted
        enough = len(splits) > 2 and held_out.sum() >= 0.5 * (~self.trusted).sum()
        if not is_classifier(self.estimator) or not enough:
            return Gate(None)
        plain = self._likelihoods(splits, self.masses.unjudged(only))
        return Gate.between(plain, self._likelihoods(splits, self.masses.judging(found, only)))

    def _likelihoods(self, splits, factors) -> tuple[float, float, float]:
        """Return ``gate.likelihoods`` of models whose training rows have these factors."""
        n = len(factors)
        joint = self._solver(splits, RowWeights("", np.ones(n), factors))
        drawn: Any = slice(None)
        enough = enough_rows(joint.rows(joint.dtype))
        if n >= MANY and enough < n:  # some of many rows tell
            drawn = draw_rows(n, enough)
        everyone = np.ones(n, bool)
        x = self._start(splits, everyone).to(joint.device)
        return likelihoods(self._model(joint, everyone, drawn), x)

    def _name(self, joint) -> str:
        """Name of the criterion that the penalty is chosen by, its loss aside."""
        if not self._auto:
            return self.settings.criterion
        return "log_loss" if joint.task.classes is not None else "bounded_squared_error"

    def _weigh(self, splits, only, begin, kind, prior, start=None) -> Learned:
        """Learn the weights of the rows ``only`` from folds of them; without a kind, judge them.

        ``start`` are the splits that the penalty is chosen on, if not all.
        """
        x, joint = self._start(splits if start is None else start, only), self._solver(splits, None)
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
            clock=self.settings.clock,
        )

    def _solver(self, splits, row_weights):
        """Return the solver of these splits; all of them share X and the transformers' fits."""
        known = self._solvers.get(id(splits))
        if row_weights is None and known is not None and known[0] is splits:
            return known[1]
        target = self.combination.target
        fit_params = {} if self.weight is None else {fit_name(target.estimator): self.weight}
        if self.rows is None:
            self.rows = UserRows(self.X, self.y, ROOM)
        factory = SolverFactory(
            self.settings, self.X, self.y, splits, fit_params, {}, row_weights, self.rows
        )
        solver = factory.make(target, self.combination.params)
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
        check_criterion(self.settings.criterion, task)
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
            balance=self._balances(),
        )

    def _criterion(self, joint, target, only):
        """Return what weights are learned by."""
        criterion = make_criterion(
            self.settings.criterion, joint.task.loss, target, joint.data.weights
        )
        if self._auto and self._balances() and isinstance(criterion.loss, ExpectedErrorLoss):
            # Its minimum stays where it is if one class has more wrong labels than another.
            given = torch.bincount(target[torch.as_tensor(only)].long()).double()
            factor = balancing(given / given.sum())
            criterion = replace(criterion, loss=ExpectedErrorLoss(criterion.loss.n_outputs, factor))
        return criterion

    def _balances(self) -> bool:
        """Return whether classes are to count alike: not if the user says what they count for."""
        last = last_step(self.combination.target.estimator)
        return is_classifier(last) and last.get_params().get("class_weight") is None
