"""Other ways to find wrong labels, from their publications; each chooses C on what it keeps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from benchmarks.labels.noise import Found, Problem, out_of_fold

_FOLDS, _NEIGHBOURS = 10, 5
_EPOCHS, _BATCH, _RATE, _MOMENTUM, _DECAY = 60, 64, 0.1, 0.9, 1e-4


def keep(problem: Problem, flagged: np.ndarray, quality: np.ndarray | None = None) -> Found:
    """The model of the rows that are not flagged, C chosen by cross-validation on them."""
    flagged = flagged & ~problem.trusted
    search = problem.search().fit(problem.X[~flagged], problem.y[~flagged])
    return Found(search.predict(problem.X_test), flagged, quality)


# Confident learning: Northcutt, Jiang & Chuang, "Confident learning: estimating uncertainty in
# dataset labels", 2021, by cleanlab's own functions, with its other rules of what to prune.


def confident(rule: str, name: str) -> Callable[[Problem], Found]:
    """What one of cleanlab's rules flags, given probabilities with C by cross-validation."""

    def method(problem: Problem) -> Found:
        from cleanlab.filter import find_label_issues

        probability = out_of_fold(problem)
        flagged = find_label_issues(problem.y, probability, filter_by=rule, n_jobs=1)
        return keep(problem, flagged, probability[np.arange(len(problem.y)), problem.y])

    method.__name__ = f"confident_{name}"
    method.__doc__ = f"cleanlab's rule {rule!r}, C chosen again on what it keeps."
    return method


# Area under the margin


def aum(problem: Problem) -> Found:
    """Rows whose margin, in the mean of the epochs of training, is below that of a false class.

    Pleiss, Zhang, Elenberg & Weinberger, "Identifying mislabeled data using the area under the
    margin ranking", 2020. Part of the rows, n / (K + 1), is labelled as a class that is not there;
    the 99th percentile of their margins is the threshold. Done twice, so that all are judged.
    """
    y, n, K = problem.y, len(problem.y), int(problem.y.max()) + 1
    rng = np.random.default_rng(0)
    order = rng.permutation(n)
    parts = order[: n // (K + 1)], order[n // (K + 1) : 2 * (n // (K + 1))]
    margin, below = np.zeros(n), np.zeros(n)
    counts = np.zeros(n)
    for fake in parts:
        labels = y.copy()
        labels[fake] = K
        found = _margins(problem.X, labels, K + 1, rng)
        threshold = np.quantile(found[fake], 0.99)
        real = np.setdiff1d(order, fake)
        margin[real] += found[real]
        below[real] += found[real] < threshold
        counts[real] += 1
    return keep(problem, below == counts, margin / counts)


def _margins(X: Any, y: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Each row's assigned logit less the largest other, in the mean of the epochs of SGD."""
    n, p = X.shape
    W, b = np.zeros((p, classes)), np.zeros(classes)
    V, v = np.zeros_like(W), np.zeros_like(b)
    hot, rows, total = np.eye(classes)[y], np.arange(n), np.zeros(n)
    # Rows of length one on average, so that one learning rate suits all sets.
    square = X.multiply(X).sum() if sp.issparse(X) else np.square(X).sum()
    X = X * (float(n / square) ** 0.5)
    for _ in range(_EPOCHS):
        for batch in np.array_split(rng.permutation(n), max(1, n // _BATCH)):
            z = X[batch] @ W + b
            q = np.exp(z - z.max(1, keepdims=True))
            error = (q / q.sum(1, keepdims=True) - hot[batch]) / len(batch)
            V = _MOMENTUM * V + X[batch].T @ error + _DECAY * W
            v = _MOMENTUM * v + error.sum(0)
            W, b = W - _RATE * V, b - _RATE * v
        z = X @ W + b
        own = z[rows, y]
        z[rows, y] = -np.inf
        total += own - z.max(1)
    return total / _EPOCHS


# Filters by several classifiers


def consensus(problem: Problem) -> Found:
    """Rows that all of three classifiers get wrong, each in the fold that it did not see."""
    return keep(problem, _errors(problem) == 3)


def majority(problem: Problem) -> Found:
    """Rows that two of three classifiers get wrong."""
    return keep(problem, _errors(problem) >= 2)


def _errors(problem: Problem) -> np.ndarray:
    """How many classifiers get each row wrong.

    Brodley & Friedl, "Identifying mislabeled training data", 1999: a tree, nearest neighbours and
    a linear model, in ten folds. Where a class has too few rows for that there are fewer folds.
    """
    folds = max(2, min(_FOLDS, int(np.bincount(problem.y).min())))
    wrong = np.zeros(len(problem.y), int)
    linear = clone(problem.tuned().best_estimator_)
    for model in (
        DecisionTreeClassifier(min_samples_leaf=2, random_state=0),
        KNeighborsClassifier(_NEIGHBOURS),
        linear,
    ):
        cv = StratifiedKFold(folds, shuffle=True, random_state=0)
        wrong += cross_val_predict(model, problem.X, problem.y, cv=cv) != problem.y
    return wrong


CONFIDENT = (
    confident("prune_by_class", "class"),
    confident("both", "both"),
    confident("confident_learning", "joint"),
)
FILTERS = (aum, consensus, majority)
