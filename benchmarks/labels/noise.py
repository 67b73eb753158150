"""Wrong labels: how they are flipped, the methods that find them, and how these are scored.

The protocol is the same for every method: one split and one set of flips for each seed. Every rival
chooses C by cross-validation on the data that a user would have; nothing is chosen on test rows.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_predict, train_test_split

from benchmarks.lib.harness import equal_threads

CV = 5
LOW, HIGH = 1e-3, 1e2
GRID = {"C": np.geomspace(LOW, HIGH, 16)}  # C=1 is on it
INTERVAL = {"C": (LOW, HIGH)}


def logistic() -> LogisticRegression:
    # Enough iterations that no method stops for want of them.
    return LogisticRegression(max_iter=1000)


# Flips


def symmetric(y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Exactly ``rate * n`` of the labels 0..K-1 become another class, each as likely."""
    n_classes = int(y.max()) + 1
    rows = _drawn(y, rate, rng)
    flipped = y.copy()
    flipped[rows] = (y[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    return flipped


def pair(y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Exactly ``rate * n`` of the labels become the next class: k becomes k + 1."""
    rows = _drawn(y, rate, rng)
    flipped = y.copy()
    flipped[rows] = (y[rows] + 1) % (int(y.max()) + 1)
    return flipped


def _drawn(y: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(len(y), round(rate * len(y)), replace=False)


# Problems


@dataclass(frozen=True)
class Draw:
    """One split of a data set: rows to train on, a few whose labels are sure, and test rows."""

    X: Any
    y: np.ndarray
    X_trusted: Any
    y_trusted: np.ndarray
    X_test: Any
    y_test: np.ndarray


def split(X: Any, y: np.ndarray, n_train: int, n_trusted: int, seed: int) -> Draw:
    """A stratified, shuffled split; the rows that are left are for testing."""
    X_train, X_rest, y_train, y_rest = train_test_split(
        X, y, train_size=n_train, stratify=y, random_state=seed
    )
    X_trusted, X_test, y_trusted, y_test = train_test_split(
        X_rest, y_rest, train_size=n_trusted, stratify=y_rest, random_state=seed
    )
    return Draw(X_train, y_train, X_trusted, y_trusted, X_test, y_test)


@dataclass
class Problem:
    """What a method is given, and what only its judge may see.

    Attributes
    ----------
    X, y : array or sparse matrix, and array of shape (n,)
        The rows whose labels may be wrong and, among them, the trusted rows if there are any.
    trusted : array of shape (n,)
        Whose labels are sure.
    wrong : array of shape (n,)
        Whose labels are wrong: only the oracle and the judge look.
    X_test, y_test : array or sparse matrix, and array
        Clean, and only the judge looks at the labels.
    scoring : str
        What C is chosen by and what the test predictions are judged by.
    """

    X: Any
    y: np.ndarray
    trusted: np.ndarray
    wrong: np.ndarray
    X_test: Any
    y_test: np.ndarray
    scoring: str = "accuracy"
    estimator: Any = field(default_factory=logistic)
    borrowed: float = 0.0  # seconds of work that the method used and an earlier one had paid for

    def search(self) -> GridSearchCV:
        return GridSearchCV(self.estimator, GRID, scoring=self.scoring, cv=CV)

    @cached_property
    def _tuned(self) -> tuple[GridSearchCV, float]:
        start = time.perf_counter()
        search = self.search().fit(self.X, self.y)
        return search, time.perf_counter() - start

    def tuned(self) -> GridSearchCV:
        """C by cross-validation on all rows as labelled: fitted once, charged to every user."""
        known = "_tuned" in self.__dict__
        search, seconds = self._tuned
        self.borrowed += seconds if known else 0.0
        return search


def problem(
    draw: Draw,
    flip: Callable[..., np.ndarray],
    rate: float,
    seed: int,
    *,
    with_trusted: bool,
    scoring: str = "accuracy",
) -> Problem:
    """Flip the training labels of a split, and mix in the trusted rows where they are used."""
    rng = np.random.default_rng(seed)
    labels = flip(draw.y, rate, rng)
    if not with_trusted:
        nobody = np.zeros(len(labels), bool)
        return Problem(draw.X, labels, nobody, labels != draw.y, draw.X_test, draw.y_test, scoring)
    X = (sp.vstack if sp.issparse(draw.X) else np.concatenate)([draw.X, draw.X_trusted])
    X = X.tocsr() if sp.issparse(X) else X
    y = np.concatenate([labels, draw.y_trusted])
    clean = np.concatenate([draw.y, draw.y_trusted])
    # Shuffled: folds are cut in the order of the rows, and each shall have its share of both.
    rows = rng.permutation(len(y))
    return Problem(
        X[rows],
        y[rows],
        rows >= len(labels),
        (y != clean)[rows],
        draw.X_test,
        draw.y_test,
        scoring,
    )


# Methods


@dataclass(frozen=True)
class Found:
    """What a method says: labels for the test rows, which rows it doubts, and how much."""

    predicted: np.ndarray | None = None
    flagged: np.ndarray | None = None
    quality: np.ndarray | None = None


Method = Callable[[Problem], Found]


def plain(problem: Problem) -> Found:
    """As if every label were right, C=1."""
    return Found(clone(problem.estimator).fit(problem.X, problem.y).predict(problem.X_test))


def plain_cv(problem: Problem) -> Found:
    """As if every label were right, C by cross-validation."""
    return Found(problem.tuned().predict(problem.X_test))


def out_of_fold(problem: Problem) -> np.ndarray:
    """Probabilities from models that did not see the row, with C by cross-validation."""
    best = problem.tuned().best_estimator_
    return cross_val_predict(best, problem.X, problem.y, cv=CV, method="predict_proba")


def self_confidence(problem: Problem) -> Found:
    """The out-of-fold probability of the given label: ranks the rows, decides nothing."""
    return Found(quality=out_of_fold(problem)[np.arange(len(problem.y)), problem.y])


def pruning(problem: Problem) -> Found:
    """Drop the rows whose out-of-fold prediction is another class, then choose C again.

    The rule has no threshold to tune: a label is doubted where a model that did not see it finds
    another class more likely.
    """
    probability = out_of_fold(problem)
    flagged = (probability.argmax(1) != problem.y) & ~problem.trusted
    search = problem.search().fit(problem.X[~flagged], problem.y[~flagged])
    quality = probability[np.arange(len(problem.y)), problem.y]
    return Found(search.predict(problem.X_test), flagged, quality)


def clean_learning(problem: Problem, estimator: Any, n_jobs: int = 1) -> Found:
    from cleanlab.classification import CleanLearning

    # Its own seed: otherwise its folds come from NumPy's global state.
    learner = CleanLearning(
        clone(estimator),
        seed=0,
        cv_n_folds=CV,
        find_label_issues_kwargs={"n_jobs": n_jobs},  # the result is the same for all
    )
    issues = learner.find_label_issues(problem.X, problem.y)
    issues.loc[problem.trusted, "is_label_issue"] = False  # they are sure: never pruned
    learner.fit(problem.X, problem.y, label_issues=issues)
    return Found(
        learner.predict(problem.X_test),
        issues["is_label_issue"].to_numpy(),
        issues["label_quality"].to_numpy(),
    )


def cleanlab_1(problem: Problem) -> Found:
    """cleanlab's CleanLearning around the estimator with C=1."""
    return clean_learning(problem, problem.estimator)


def cleanlab_cv(problem: Problem) -> Found:
    """cleanlab's CleanLearning around the estimator with C by cross-validation beforehand."""
    return clean_learning(problem, problem.tuned().best_estimator_)


def cleanlab_again(problem: Problem) -> Found:
    """What cleanlab keeps with C by cross-validation, and C chosen again on that."""
    found = clean_learning(problem, problem.tuned().best_estimator_)
    search = problem.search().fit(problem.X[~found.flagged], problem.y[~found.flagged])
    return replace(found, predicted=search.predict(problem.X_test))


def oracle(problem: Problem) -> Found:
    """Without the rows whose labels are wrong, C by cross-validation: what could be had."""
    right = ~problem.wrong
    return Found(problem.search().fit(problem.X[right], problem.y[right]).predict(problem.X_test))


def trusted_only(problem: Problem) -> Found:
    """The trusted rows alone, C by cross-validation."""
    X, y = problem.X[problem.trusted], problem.y[problem.trusted]
    return Found(problem.search().fit(X, y).predict(problem.X_test))


def ours(problem: Problem) -> Found:
    """Weights and C learned together."""
    from skbamm import BAMMSearchCV, SampleWeights

    weights = SampleWeights(trusted=problem.trusted) if problem.trusted.any() else SampleWeights()
    # Accuracy is what a classifier's search uses anyway.
    scoring = None if problem.scoring == "accuracy" else problem.scoring
    search = BAMMSearchCV(problem.estimator, INTERVAL, sample_weights=weights, scoring=scoring)
    search.fit(problem.X, problem.y)
    return Found(search.predict(problem.X_test), search.label_issues_, search.label_quality_)


# Judging


def run(method: Method, problem: Problem, threads: int = 1) -> dict[str, float | None]:
    """One method on one problem: scores on the test rows, of the detection, and seconds."""
    problem.borrowed = 0.0
    with equal_threads(threads, None), warnings.catch_warnings():
        # Flips can leave a rare class with fewer rows than folds; said once in the README.
        warnings.filterwarnings("ignore", message="The least populated class")
        start = time.perf_counter()
        found = method(problem)
        seconds = time.perf_counter() - start + problem.borrowed
    record: dict[str, float | None] = {"seconds": seconds}
    if found.predicted is not None:
        record["accuracy"] = accuracy_score(problem.y_test, found.predicted)
        record["balanced_accuracy"] = balanced_accuracy_score(problem.y_test, found.predicted)
    return record | detection(problem, found)


def detection(problem: Problem, found: Found) -> dict[str, float | None]:
    """F1, AUROC and average precision of finding the wrong labels, trusted rows left out."""
    doubtful = ~problem.trusted
    wrong = problem.wrong[doubtful]
    record: dict[str, float | None] = {}
    if found.flagged is not None:
        flagged = np.asarray(found.flagged)[doubtful]
        record["flagged"] = float(flagged.mean())
        if wrong.any():
            record["f1"] = f1_score(wrong, flagged)
    if found.quality is not None and wrong.any():
        doubt = -np.asarray(found.quality)[doubtful]
        record["auroc"] = roc_auc_score(wrong, doubt)
        record["ap"] = average_precision_score(wrong, doubt)
    return record
