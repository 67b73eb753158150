"""Trees and forests: the most trees are grown once, and pruned for each candidate."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from skbamm._sklearn_compat import forest_rows, prune_tree
from skbamm.shared_fits.base import SharedFits, fitted, is_reproducible, take_fitted

_RANDOM = "random_state is neither a number nor a generator, so every fit differs"


class SharedTree(SharedFits):
    """A tree that is grown once, and pruned for each ``ccp_alpha``."""

    estimator_types = (
        DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor,
    )  # fmt: skip
    parameters = ("ccp_alpha",)

    def mismatch(self, estimator):
        """Every fit must grow the same tree."""
        return "" if is_reproducible(estimator) else _RANDOM

    def widest(self, models):
        """Return a tree that is not pruned."""
        return clone(models[0]).set_params(ccp_alpha=0.0)

    def serve(self, state, model):
        """Prune the tree."""
        take_fitted(model, state)
        prune_tree(model)


@dataclass(eq=False)
class Grown:
    """A forest of the most trees, not pruned, and the pruned trees of each ``ccp_alpha``.

    Attributes
    ----------
    forest : estimator
    counts : list of int
        Numbers of trees of the candidates, from the smallest on.
    pruned : dict of float -> list of tree
    """

    forest: Any
    counts: list[int]
    pruned: dict[float, list[Any]] = field(default_factory=dict)

    def trees(self, alpha: float) -> list[Any]:
        """Return all trees, pruned."""
        if alpha == 0.0:
            return self.forest.estimators_
        if alpha not in self.pruned:
            self.pruned[alpha] = [_pruned(tree, alpha) for tree in self.forest.estimators_]
        return self.pruned[alpha]


class SharedForest(SharedFits):
    """A forest of the most trees holds the smaller ones; each is pruned for its ``ccp_alpha``.

    Trees get their random numbers one after the other, and answers are sums over trees.
    """

    estimator_types = (RandomForestRegressor, ExtraTreesRegressor)
    parameters = ("n_estimators", "ccp_alpha")
    answers: tuple[str, ...] = ("predict",)

    def mismatch(self, estimator):
        """Every fit must grow the same trees, and depend on nothing else."""
        if not is_reproducible(estimator):
            return _RANDOM
        return "the out-of-bag score is of each candidate's own trees" * bool(estimator.oob_score)

    def begin(self, models, X, y, fit_params):
        """Grow the largest forest."""
        counts = sorted({model.n_estimators for model in models})
        widest = clone(models[0]).set_params(n_estimators=counts[-1], ccp_alpha=0.0)
        return Grown(fitted(widest, X, y, fit_params), counts)

    def serve(self, state, model):
        """Give a forest its first trees."""
        take_fitted(model, state.forest)
        model.estimators_ = state.trees(model.ccp_alpha)[: model.n_estimators]

    def view(self, model):
        """Return the strength of pruning."""
        return model.ccp_alpha

    def precompute(self, state, model, X):
        """Return sums of the trees' answers, by the number of trees."""
        forest, trees = state.forest, state.trees(model.ccp_alpha)
        method = "predict_proba" if is_classifier(forest) else "predict"
        rows = forest_rows(forest, X)
        sums, found = None, {}
        for i, tree in enumerate(trees, 1):
            answer = getattr(tree, method)(rows, check_input=False)
            answers = answer if isinstance(answer, list) else [answer]
            if sums is None:
                sums = [np.zeros(one.shape, dtype=np.float64) for one in answers]
            for total, one in zip(sums, answers, strict=True):
                total += one
            if i in state.counts:
                found[i] = [total.copy() for total in sums]
        return found

    def answer(self, state, model, name, known, X, own, **options):
        """Return the mean of a forest's first trees."""
        means = [total / model.n_estimators for total in known[model.n_estimators]]
        return means[0] if len(means) == 1 else means


class SharedClassifierForest(SharedForest):
    """The same of classifiers, whose other answers are made of the probabilities."""

    estimator_types = (RandomForestClassifier, ExtraTreesClassifier)
    answers = ("predict_proba",)


def _pruned(tree: Any, alpha: float) -> Any:
    pruned = copy.copy(tree)
    pruned.ccp_alpha = alpha
    prune_tree(pruned)
    return pruned
