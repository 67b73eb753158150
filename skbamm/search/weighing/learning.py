"""Learns the weights of each split's training rows, without its test rows, and of all rows.

So the penalty and the scores are not chosen on labels that the weights were fitted to. Nor are a
split's weights by a kind, a prior, or a gate that its test rows had a part in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import is_classifier

from skbamm.data.folded import RowWeights
from skbamm.models import NotApplicable
from skbamm.search.weighing.fold_models import FoldModels
from skbamm.search.weighing.found import (
    WeightsFound,
    history_of,
    judged_by,
    mean_noise,
    mean_right,
)
from skbamm.search.weighing.gate import Gate
from skbamm.search.weighing.input import fit_name
from skbamm.search.weighing.partitions import MANY, inner_splits
from skbamm.weights.learner import Learned


class How(NamedTuple):
    """Learns the weights of some rows."""

    kind: str
    prior: float
    gate: Gate


class Learning:
    """Learns the weights of some rows.

    Parameters
    ----------
    models : FoldModels
        Of these rows.
    check : callable
        Refuses final weights, of shape (n,), that leave a class without any.
    """

    def __init__(self, models: FoldModels, check: Callable[[np.ndarray], None]):
        self.models, self.masses, self.plan = models, models.masses, models.plan
        self.clock, self.check = models.plan.settings.clock, check
        self.everyone = np.ones(len(models.trusted), bool)

    def run(self, scored: list, splits: list, partitions: list[list]) -> WeightsFound:
        """Learn the weights for each split's model and for the final one.

        Parameters
        ----------
        scored : list of (train, test)
            The splits that the search scores on.
        splits : list of (train, test)
            The same with all rows held out.
        partitions : list of list of (train, test)
            Further ones for the final weights.
        """
        plan, models, n = self.plan, self.models, len(self.everyone)
        inner, only = _inner(splits, self.everyone)
        plan.say(f"estimating the quality of {n} labels in {len(splits)} folds")
        begun, found, ways = self._judge(inner, only), [], []
        with self.clock.kept():
            if n < MANY or len(plan.given.candidates()) > 1:
                plan.say("learning the weights of each fold's training rows")
                for k, part in enumerate(inner):
                    if self.clock.over:
                        break
                    ways.append(self._how(part, only[:, k], begun[k]))
                    one = self._weigh(part, only[:, k], begun[k].quality.right, ways[k])
                    found.append(replace(one, first=begun[k].first))
        # The current weights are kept with many rows, or when time is over.
        found += begun[len(found) :]
        how = How(*plan.given.candidates()[0], Gate())
        ways += [how] * (len(found) - len(ways))
        with self.clock.kept():
            if not self.clock.over:
                kind, prior = self._choose(splits, self.everyone, inner, only)
                how = How(kind, prior, Gate())
        with self.clock.kept():
            if not self.clock.over:
                how = how._replace(gate=self._gate(splits, self.everyone, found, only, how.kind))
        plan.say("learning the final weights")
        right, final = mean_right(found, only), None
        with self.clock.kept():
            if not self.clock.over:
                # Few rows are judged again, since they may depend on the initial weights.
                begin = right if n >= MANY else None
                everything = [split for part in (splits, *partitions) for split in part]
                final = self._weigh(everything, self.everyone, begin, how, start=splits)
        if final is None:
            final = judged_by(found, right, torch.as_tensor(models.trusted).to(right.device))
        if self.clock.over:
            self.clock.end("the learning of weights")
        return self._found(scored, splits, found, ways, final, how)

    def _found(self, scored, splits, found, ways, final: Learned, how: How) -> WeightsFound:
        """Return what came of it all, for the search."""
        plan, models, n, gate = self.plan, self.models, len(self.everyone), how.gate
        _, only = _inner(splits, self.everyone)
        plan.say(gate.reason)
        factors = self._factors(found, only, ways)
        rows = self._factors([final], self.everyone[:, None], [how])[:, 0]
        if not plan.given.refit_on_trusted:
            rows = np.where(models.trusted, 0.0, rows)
            rows *= n / rows.sum()
        quality = gate.quality(final, models.trusted)
        plan.say(f"{int((quality < 0.5).sum())} labels are more likely wrong than right")
        self.check(rows)
        noisy = plan.auto and gate.weights != "none"
        known = [one for one, way in zip(found, ways, strict=True) if way.gate.weights != "none"]
        near = noisy and plan.given.proxy is None
        row_weights = RowWeights(
            fit_name(plan.estimator), rows, factors,
            mean_noise([one.quality.loss for one in known or found]) if noisy else None,
            models.start(splits, self.everyone).tolist() if near else None,
        )  # fmt: skip
        return WeightsFound(
            row_weights, scored, quality, quality < 0.5, models.weight,
            {"kind": how.kind, "prior": how.prior, **gate.params()}, history_of(final, how.kind),
        )  # fmt: skip

    def _factors(self, found: list[Learned], only: np.ndarray, ways: list[How]) -> np.ndarray:
        """Return the factors of the rows ``only`` that each gate lets through, (n, K)."""
        used = [way.gate.used(one) for one, way in zip(found, ways, strict=True)]
        factors = self.masses.learned(used, only, ways[0].kind != "groups")
        none = np.array([way.gate.weights == "none" for way in ways])
        return np.where(none, only, factors)

    def _judge(self, inner: list[list], only: np.ndarray) -> list[Learned]:
        """Judge the training rows of each fold by models of the fold's own splits."""
        models = self.models
        for k, splits in enumerate(inner):
            models.start(splits, only[:, k])
            if self.clock.interrupted:
                raise KeyboardInterrupt  # no row is judged yet
        return [models.weigh(part, only[:, k], None, None, 0.0) for k, part in enumerate(inner)]

    def _weigh(self, splits, only, begin, how: How, start: Any = None) -> Learned:
        return self.models.weigh(splits, only, begin, how.kind, how.prior, start)

    def _how(self, splits: list, only: np.ndarray, begun: Learned) -> How:
        """Choose how the weights of the rows ``only`` are learned, from them alone."""
        inner, train = _inner(splits, only)
        kind, prior = self._choose(splits, only, inner, train)
        if len(only) >= MANY or not self._tells(splits, only, train):
            return How(kind, prior, Gate())
        if Gate.is_certain(self.models.first_likelihoods(splits, only, begun)):
            return How(kind, prior, Gate())
        # Judged only: that takes a part of the time, and each fold has such folds.
        try:
            found = [
                self.models.weigh(part, train[:, k], None, None, 0.0, splits)
                for k, part in enumerate(inner)
            ]
        except NotApplicable:  # with so few rows, a class is missing from some inner fold
            return How(kind, prior, Gate())
        return How(kind, prior, self._gate(splits, only, found, train, kind))

    def _choose(self, splits, only, inner, train) -> tuple[str, float]:
        """Choose the kind and the prior by weights learned without each split's test rows."""
        candidates = self.plan.given.candidates()
        if len(candidates) == 1:
            return candidates[0]
        begun = self._judge(inner, train)
        noise = mean_noise([one.quality.loss for one in begun])
        best = torch.inf, candidates[0]
        for kind, prior in candidates:
            found = [
                self.models.weigh(part, train[:, k], begun[k].quality.right, kind, prior)
                for k, part in enumerate(inner)
            ]
            if self.clock.over:
                break
            factors = self.masses.learned(found, train, kind != "groups")
            best = min(best, (self.models.value(splits, factors, noise), (kind, prior)))
        return best[1]

    def _gate(self, splits, only, found: list[Learned], train: np.ndarray, kind: str) -> Gate:
        """Return what labels of the rows ``only`` that were held out speak for."""
        if not self._tells(splits, only, train):
            return Gate()

        def likelihoods(factors):
            return self.models.likelihoods(splits, factors, only)

        plain = likelihoods(self.masses.unjudged(train))
        learned = likelihoods(self.masses.judging(found, train))
        if kind == "groups":  # its rows are kept or left out together
            return Gate.between(plain, learned)
        pruned = self.masses.judging([one.pruned() for one in found], train)
        return Gate.between(plain, learned, likelihoods(pruned))

    def _tells(self, splits: list, only: np.ndarray, train: np.ndarray) -> bool:
        """Return whether enough rows are held out of models that see enough."""
        doubtful = only & ~self.models.trusted
        held_out = doubtful & ~train.all(1)
        return (
            is_classifier(self.plan.estimator)
            and len(splits) > 2
            and held_out.sum() >= 0.5 * doubtful.sum()
        )


def _inner(splits: list, only: np.ndarray) -> tuple[list[list], np.ndarray]:
    """Return the splits of each split's training rows, and which rows these are, (n, K)."""
    train = np.zeros((len(only), len(splits)), bool)
    for k, (rows, _) in enumerate(splits):
        train[rows, k] = True
    return [inner_splits(splits, k) for k in range(len(splits))], train
