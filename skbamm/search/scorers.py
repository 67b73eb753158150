"""The differentiable criterion of each scorer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.utils.metadata_routing import process_routing

from skbamm._sklearn_compat import PassthroughScorer, brier_scores, routing_enabled
from skbamm.criteria import Choice
from skbamm.models import Task
from skbamm.solvers.criterion import check_criterion, criteria_of


@dataclass(frozen=True)
class Meaning:
    """The criterion that is minimised for a scorer.

    Attributes
    ----------
    criteria : tuple of str
        The first that goes with the model is taken, its own loss if none does.
    exact : bool
        Whether the least criterion is the best score, up to smoothing; else it is a surrogate.
    takes : tuple of str
        Options of the scorer that the criterion has as well.
    options : dict
        Options of the criterion that do not depend on the scorer.
    harmless : tuple of str
        Options that change nothing. With any other an exact meaning becomes a surrogate.
    relative : bool
        Whether each fold's value is divided by that of a constant.
    counts_rows : bool
        Whether the score moves in steps, of about one over the number of rows.
    """

    criteria: tuple[str, ...] = ()
    exact: bool = True
    takes: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    harmless: tuple[str, ...] = ()
    relative: bool = False
    counts_rows: bool = False


_OWN = Meaning(exact=False)
# benchmarks/scores/surrogates.py measured these and others. A least-squares model has only second
# moments, and so its own loss.
_LABELS_RIGHT = Meaning(("scaled_log_loss",), exact=False, counts_rows=True)
_BALANCED = Meaning(
    ("balanced_scaled_log_loss", "balanced_squared_error"), exact=False, counts_rows=True
)
# F scores and the like weigh the classes, but balanced losses overdo it.
_LABELS_WEIGHED = Meaning(
    ("scaled_log_loss", "balanced_squared_error"), exact=False, counts_rows=True
)
_RANKS = Meaning(("scaled_pairwise_logistic", "scaled_log_loss"), exact=False)
_OVER_ROWS = ("micro", "weighted", "samples")  # averages in which classes have different weights


def _averaged(options: dict[str, Any]) -> Meaning:
    return _LABELS_RIGHT if options.get("average") in _OVER_ROWS else _LABELS_WEIGHED


def _recall(options: dict[str, Any]) -> Meaning:
    return _LABELS_RIGHT if options.get("average") in _OVER_ROWS else _BALANCED


def _deviance(options: dict[str, Any], relative: bool = False) -> Meaning:
    power = options.get("power", 0)
    if power == 0:
        return Meaning(("r2" if relative else "squared_error",), harmless=("power",))
    if not 1 <= power <= 2:
        return _OWN
    return Meaning(("deviance",), takes=("power",), relative=relative)


Table = dict[Callable, "Meaning | Callable[[dict[str, Any]], Meaning]"]

# Scores of class labels.
_LABELS: Table = {
    metrics.log_loss: Meaning(("log_loss",), harmless=("labels",)),
    metrics.d2_log_loss_score: Meaning(("log_loss",), harmless=("labels",), relative=True),
    metrics.brier_score_loss: Meaning(
        ("brier",), takes=("scale_by_half",), harmless=("labels", "pos_label")
    ),
    **dict.fromkeys(
        brier_scores(), Meaning(("brier",), harmless=("labels", "pos_label"), relative=True)
    ),
    metrics.accuracy_score: _LABELS_RIGHT,
    metrics.zero_one_loss: _LABELS_RIGHT,
    metrics.hamming_loss: _LABELS_RIGHT,
    metrics.top_k_accuracy_score: _LABELS_RIGHT,
    metrics.balanced_accuracy_score: _BALANCED,
    metrics.matthews_corrcoef: _LABELS_WEIGHED,
    metrics.cohen_kappa_score: _LABELS_WEIGHED,
    metrics.f1_score: _averaged,
    metrics.fbeta_score: _averaged,
    metrics.jaccard_score: _averaged,
    metrics.precision_score: _averaged,
    metrics.recall_score: _recall,
    metrics.roc_auc_score: _RANKS,
    metrics.average_precision_score: _RANKS,
}

# Scores of numbers.
_NUMBERS: Table = {
    metrics.mean_squared_error: Meaning(("squared_error",)),
    metrics.root_mean_squared_error: Meaning(("root_mean_squared_error",)),
    metrics.r2_score: Meaning(("r2",)),
    metrics.explained_variance_score: Meaning(("r2",), exact=False),
    metrics.max_error: Meaning(("absolute_error",), exact=False),
    metrics.mean_absolute_error: Meaning(("absolute_error",)),
    metrics.median_absolute_error: Meaning(("absolute_error",), exact=False),
    metrics.d2_absolute_error_score: Meaning(("absolute_error",), relative=True),
    metrics.mean_absolute_percentage_error: Meaning(("absolute_percentage_error",)),
    metrics.mean_pinball_loss: Meaning(("pinball",), takes=("alpha",)),
    metrics.d2_pinball_score: Meaning(("pinball",), takes=("alpha",), relative=True),
    metrics.mean_poisson_deviance: Meaning(("deviance",), options={"power": 1}),
    metrics.mean_gamma_deviance: Meaning(("deviance",), options={"power": 2}),
    metrics.mean_tweedie_deviance: _deviance,
    metrics.d2_tweedie_score: partial(_deviance, relative=True),
}
# Better where they are lower, though their names do not say so.
_LOSSES_BY_OTHER_NAMES = (metrics.mean_poisson_deviance, metrics.mean_gamma_deviance,
                          metrics.mean_tweedie_deviance)  # fmt: skip


def choose_criterion(criterion: str, scorers: Any, refit: Any, task: Task) -> tuple[Choice, str]:
    """Return the criterion to minimise, and a note for the user, if any.

    "auto" takes the scorer's own loss where there is one among the task's criteria, and a
    surrogate, the estimator's loss or near it, for any other scorer, which then only selects.

    Raises
    ------
    UnfitCriterion
        If ``criterion`` does not go with the estimator.
    """
    check_criterion(criterion, task)
    scorer = selecting_scorer(scorers, refit)
    meaning = _meaning(scorer, task)
    fit = [name for name in meaning.criteria if name in criteria_of(task)]
    choice = Choice(fit[0], meaning.options, meaning.relative) if fit else Choice(task.criterion)
    if criterion != "auto":
        # The scorer may name the quantile or the power.
        return Choice(criterion, choice.options if criterion == choice.name else {}), ""
    if meaning.exact and fit:
        return choice, ""
    if scorer is None:
        return choice, f"refit names no metric; {choice} is the criterion for all"
    why = f"scoring {_told(scorer)} has no differentiable criterion"
    return choice, f"{why}; {choice} is used instead"


def selecting_scorer(scorers: Any, refit: Any) -> Any:
    """Return the scorer that selects; None where there are several and ``refit`` names none."""
    scorer = getattr(scorers, "_scorers", scorers)
    if isinstance(scorer, dict):
        scorer = scorer.get(refit) if isinstance(refit, str) else None
    return scorer


def selecting_weight(scorers: Any, refit: Any, score_params: dict[str, Any]) -> Any:
    """Return the weights of rows in the score that selects; None if they all count alike.

    Of several scorers, each may ask for weights of its own, or for none.
    """
    if routing_enabled() and hasattr(scorers, "_scorers") and isinstance(refit, str):
        score_params = process_routing(scorers, "score", **score_params)[refit].score
    return score_params.get("sample_weight")


def counts_alike(scorer: Any) -> bool:
    """Whether all rows count alike for a scorer of labels, as its surrogate has it."""
    passes = isinstance(scorer, PassthroughScorer)
    return passes or getattr(scorer, "_score_func", None) is metrics.accuracy_score


def counts_rows(scorer: Any, labels: bool) -> bool:
    """Whether a scorer moves in steps of about one over the number of rows.

    ``labels`` says whether the estimator is a classifier.
    """
    if isinstance(scorer, PassthroughScorer):
        return labels
    function: Any = getattr(scorer, "_score_func", None)
    entry = (_LABELS if labels else _NUMBERS).get(function, _OWN)
    return (entry if isinstance(entry, Meaning) else entry(_options(scorer))).counts_rows


def _meaning(scorer: Any, task: Task) -> Meaning:
    """Return the meaning of a scorer for a model."""
    function = getattr(scorer, "_score_func", None)
    if function is None:
        if not isinstance(scorer, PassthroughScorer):
            return _OWN
        if task.classes is not None:
            return _LABELS_RIGHT
        # The estimator's own score: of deviances that, too, is relative to a constant's.
        return Meaning((task.criterion,), relative=task.criterion == "deviance")
    options = _options(scorer)
    # On class labels a regression score does not mean what its loss means on their codes.
    entry = (_NUMBERS if task.classes is None else _LABELS).get(function, _OWN)
    meaning = entry if isinstance(entry, Meaning) else entry(options)
    unknown = not options.keys() <= {*meaning.takes, *meaning.harmless}
    if meaning.exact and (unknown or _turned_round(scorer)):
        meaning = replace(meaning, exact=False)  # still the nearest
    taken = {name: options[name] for name in meaning.takes if name in options}
    return replace(meaning, options={**meaning.options, **taken})


def _options(scorer: Any) -> dict[str, Any]:
    """Return the options of a scorer's function that are not its defaults."""
    given = dict(getattr(scorer, "_kwargs", None) or {})
    known = inspect.signature(scorer._score_func).parameters if given else {}
    return {n: v for n, v in given.items() if n not in known or not _same(v, known[n].default)}


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(np.all(value == default)))


def _turned_round(scorer: Any) -> bool:
    """Whether a scorer of a known function takes its worst value for the best."""
    function = scorer._score_func
    loss = function.__name__.endswith(("_loss", "_error")) or function in _LOSSES_BY_OTHER_NAMES
    return scorer._sign != (-1 if loss else 1)


def _told(scorer: Any) -> str:
    """Return how a scorer is called."""
    if isinstance(scorer, PassthroughScorer):
        return "accuracy_score"
    named = getattr(scorer, "_score_func", scorer)
    return getattr(named, "__name__", repr(named))
