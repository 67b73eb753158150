"""Learns the weights of the training rows before the search: how scikit-learn's side sees it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.multiclass import type_of_target

from skbamm._sklearn_compat import GroupsConsumerMixin, num_samples
from skbamm.clock import Clock
from skbamm.folds import threads_for_rows
from skbamm.models import NotApplicable, last_step
from skbamm.sample_weights import check_sample_weights, trusted_mask
from skbamm.search.factory import UserRows
from skbamm.search.outcome import Settings
from skbamm.search.weighing.fold_models import FoldModels, Plan
from skbamm.search.weighing.found import WeightsFound
from skbamm.search.weighing.input import (
    check_classes,
    check_takes_weights,
    fit_name,
    regression_target,
    robust_criterion,
    user_weight,
)
from skbamm.search.weighing.learning import Learning
from skbamm.search.weighing.partitions import more_partitions, trusted_splits
from skbamm.search.weighing.rare_classes import RareRows
from skbamm.space import Space, read_grid


class Weigher:
    """Learns row weights for one search.

    Parameters
    ----------
    plan : Plan
    criterion : str
        The user's.
    """

    def __init__(self, plan: Plan, criterion: str):
        self.plan, self._criterion = plan, criterion
        self._group: np.ndarray | None = None
        self._rows: UserRows | None = None  # those that weights were learned of

    @classmethod
    def for_search(cls, search: Any, space: Space, clock: Clock) -> Weigher:
        """Return the weigher of a search, or raise ValueError if weights cannot be learned."""
        given = search.sample_weights
        check_sample_weights(given)
        check_takes_weights(search.estimator)
        model = search.estimator
        if given.proxy is not None:
            model, space = given.proxy, read_grid(given.proxy, given.proxy_grid or {})
        target = space.combinations[0].target
        if target.twin is None or not target.twin.judges_labels:
            reason = target.reason or "it does not model the probability of a label"
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
        plan = Plan(given, search.estimator, space.combinations[0], settings, auto)
        return cls(plan, search.criterion)

    def take_groups(self, X: Any, y: Any, cv: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Take ``groups`` from the parameters of fit; return what is left for scikit-learn."""
        if "groups" not in [kind for kind, _ in self.plan.given.candidates()]:
            return params
        groups = params.get("groups")
        if groups is None:
            raise ValueError("SampleWeights: kind='groups' needs fit(..., groups=...).")
        if len(groups) != num_samples(X):
            raise ValueError(
                f"SampleWeights: groups has {len(groups)} entries, but X has {num_samples(X)} rows."
            )
        self._group = np.unique(np.asarray(groups), return_inverse=True)[1]
        if isinstance(
            check_cv(cv, y, classifier=is_classifier(self.plan.estimator)), GroupsConsumerMixin
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
        plan = self.plan
        if y is None:
            raise ValueError("SampleWeights: y is needed to learn weights, got y=None.")
        n, classes = num_samples(X), is_classifier(plan.estimator)
        target = y if classes else regression_target(y)
        trusted = trusted_mask(plan.given.trusted, n)
        weight = user_weight(fit_params.get(fit_name(plan.estimator)), n)
        if classes:
            check_classes(y, weight, np.ones(n))
        scored, held_out = splits, splits
        if trusted.any():
            scored, held_out = trusted_splits(cv, splits, y, trusted)
        rare = None
        if classes and type_of_target(y) in ("binary", "multiclass"):
            rare = RareRows(y, held_out, trusted)
        models = FoldModels(plan, X, target, weight, trusted, self._group)
        try:
            if rare is None or not rare.rows.any():
                found = self._learn_on(models, cv, scored, held_out)
                self._rows = models.rows
                return found
            names = ", ".join(map(repr, rare.classes[rare.rare].tolist()))
            plan.say(f"{int(rare.rows.sum())} rows of very rare classes are down-weighted: {names}")
            found = self._learn_on(
                models.take(rare.kept), cv, *map(rare.without, (scored, held_out))
            )
            found = rare.put_back(found, scored, weight, plan.given.refit_on_trusted)
            check_classes(y, weight, found.row_weights.rows)
            return found
        except NotApplicable as error:
            # scikit-learn's own error for these data, if it has one, says more.
            clone(plan.estimator).fit(X, y)
            why = str(error) + (rare.why_not if rare else "")
            raise ValueError(f"SampleWeights: weights cannot be learned here: {why}.") from None

    def rows_of(self, X: Any, y: Any) -> UserRows | None:
        """Return what is known of the rows, if they are the ones that weights were learned of."""
        known = self._rows
        return known.with_target(y) if known is not None and known.X is X else None

    def criterion_for(self, found: WeightsFound) -> str:
        """Return the search's criterion: a bounded one, where labels are taken to be wrong."""
        none = found.chosen["weights"] == "none"
        return self._criterion if none else self.plan.settings.criterion

    def _learn_on(self, models: FoldModels, cv: Any, scored: list, held_out: list) -> WeightsFound:
        """Learn from all rows that the models have."""
        partitions = more_partitions(cv, models.X, models.y)
        if models.trusted.any() and not self.plan.auto:
            # A loss that wrong labels would mislead is taken of trusted rows only.
            held_out, partitions = scored, []

        def check(rows: np.ndarray) -> None:
            if is_classifier(self.plan.estimator):
                check_classes(models.y, models.weight, rows)

        with threads_for_rows():
            return Learning(models, check).run(scored, held_out, partitions)
