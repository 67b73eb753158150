"""The criterion that stands for a scorer, what the user is told of it, and where it leads."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.base import is_classifier
from sklearn.datasets import make_classification
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.metrics import check_scoring, get_scorer_names, make_scorer
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbamm import SampleWeights
from skbamm.criteria import NAMES, Choice
from skbamm.models.registry import find_twin
from skbamm.search.scorers import choose_criterion
from skbamm.solvers.criterion import UnfitCriterion, criteria_of
from tests.truth import assert_served, assert_true, least_loss, logistic, ridge, search_over

LABELS = {"two": np.arange(30) % 2, "three": np.arange(30) % 3}
AUC = "roc_auc"
NUMBERS = np.linspace(0.5, 4, 30)
LOG, BALANCED, PAIRS = "scaled_log_loss", "balanced_scaled_log_loss", "scaled_pairwise_logistic"


def task_of(estimator, classes="two"):
    twin, reason = find_twin(estimator)
    assert twin is not None, reason
    labels = is_classifier(estimator)
    return twin.task(estimator, LABELS[classes] if labels else NUMBERS, None, False)


def chosen(scoring, estimator, classes="two", criterion="auto", refit=True):
    scorer = check_scoring(estimator, scoring)
    return choose_criterion(criterion, scorer, refit, task_of(estimator, classes))


def pinball(alpha):
    return make_scorer(metrics.mean_pinball_loss, alpha=alpha, greater_is_better=False)


# What stands for what, exactly (no note) or as a surrogate


@pytest.mark.parametrize(
    ("scoring", "two", "three", "exact"),
    [
        ("neg_log_loss", "log_loss", "log_loss", True),
        ("d2_log_loss_score", "log_loss", "log_loss", True),
        ("neg_brier_score", "brier", "brier", True),
        ("d2_brier_score", "brier", "brier", True),
        ("accuracy", LOG, LOG, False),
        (None, LOG, LOG, False),
        ("top_k_accuracy", LOG, LOG, False),
        ("balanced_accuracy", BALANCED, BALANCED, False),
        ("f1", LOG, LOG, False),
        ("f1_macro", LOG, LOG, False),
        ("f1_weighted", LOG, LOG, False),
        ("f1_micro", LOG, LOG, False),
        ("recall", BALANCED, BALANCED, False),
        ("precision", LOG, LOG, False),
        ("jaccard_macro", LOG, LOG, False),
        ("matthews_corrcoef", LOG, LOG, False),
        ("roc_auc", PAIRS, LOG, False),
        ("roc_auc_ovo", PAIRS, LOG, False),
        ("roc_auc_ovr_weighted", PAIRS, LOG, False),
        ("average_precision", PAIRS, LOG, False),
        ("neg_mean_squared_error", "log_loss", "log_loss", False),
    ],
)
def test_scorers_of_logistic_regression(scoring, two, three, exact):
    for classes, name in (("two", two), ("three", three)):
        choice, note = chosen(scoring, LogisticRegression(), classes)
        assert choice.name == name
        assert choice.relative == str(scoring).startswith("d2")
        assert (note == "") == exact
        assert exact or note.endswith(f"has no differentiable criterion; {name} is used instead")


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        ("accuracy", "squared_error"),
        ("balanced_accuracy", "balanced_squared_error"),
        ("roc_auc", "squared_error"),
        ("f1_weighted", "squared_error"),
    ],
)
def test_scorers_of_ridge_classifier(scoring, name):
    assert chosen(scoring, RidgeClassifier())[0] == Choice(name)


# scoring: criterion of Ridge, whether it is exact, and criterion of a model of positive numbers
REGRESSION = {
    "neg_mean_squared_error": ("squared_error", True, "squared_error"),
    "neg_root_mean_squared_error": ("root_mean_squared_error", True, "root_mean_squared_error"),
    "r2": ("r2", True, "r2"),
    "explained_variance": ("r2", False, "r2"),
    "neg_mean_absolute_error": ("absolute_error", True, "absolute_error"),
    "neg_median_absolute_error": ("absolute_error", False, "absolute_error"),
    "d2_absolute_error_score": ("absolute_error", True, "absolute_error"),
    "neg_mean_absolute_percentage_error": (
        "absolute_percentage_error", True, "absolute_percentage_error",
    ),
    "neg_max_error": ("absolute_error", False, "absolute_error"),
    "neg_mean_squared_log_error": ("r2", False, "deviance"),
    "neg_mean_poisson_deviance": ("r2", False, "deviance(power=1)"),
    "neg_mean_gamma_deviance": ("r2", False, "deviance(power=2)"),
}  # fmt: skip


@pytest.mark.parametrize("scoring", REGRESSION)
def test_scorers_of_regressors(scoring):
    name, exact, positive = REGRESSION[scoring]
    choice, note = chosen(scoring, Ridge())
    assert str(choice) == name and (note == "") == exact
    assert choice.relative == scoring.startswith("d2")
    assert str(chosen(scoring, PoissonRegressor())[0]) == positive
    assert str(chosen(scoring, TweedieRegressor(power=0))[0]) == name


@pytest.mark.parametrize(
    ("scorer", "choice"),
    [
        (pinball(0.9), Choice("pinball", {"alpha": 0.9})),
        (make_scorer(metrics.d2_pinball_score, alpha=0.1), Choice("pinball", {"alpha": 0.1}, True)),
        (make_scorer(metrics.mean_tweedie_deviance, power=1.5), Choice("deviance", {"power": 1.5})),
        (make_scorer(metrics.d2_tweedie_score, power=1), Choice("deviance", {"power": 1}, True)),
        (make_scorer(metrics.d2_tweedie_score), Choice("r2")),
        (make_scorer(metrics.mean_tweedie_deviance, power=3), Choice("deviance")),
        (make_scorer(metrics.mean_absolute_error, multioutput=[1.0]), Choice("absolute_error")),
    ],
)
def test_options_of_scorers(scorer, choice):
    assert chosen(scorer, PoissonRegressor())[0] == choice


def test_every_scorer_of_scikit_learn_has_a_criterion():
    for scoring in get_scorer_names():
        for estimator in (LogisticRegression(), RidgeClassifier(), Ridge(), PoissonRegressor()):
            choice, _ = chosen(scoring, estimator)
            assert choice.name in criteria_of(task_of(estimator))


def test_every_criterion_goes_with_some_model():
    models = [
        LogisticRegression(), RidgeClassifier(), Ridge(), PoissonRegressor(), LinearSVC(),
        SGDClassifier("modified_huber"),
    ]  # fmt: skip
    assert {name for model in models for name in criteria_of(task_of(model))} == set(NAMES)


def test_a_named_criterion_takes_its_options_from_the_scorer():
    assert chosen(pinball(0.9), Ridge(), criterion="pinball")[0] == Choice(
        "pinball", {"alpha": 0.9}
    )
    assert chosen("r2", Ridge(), criterion="pinball")[0] == Choice("pinball")
    choice, note = chosen("accuracy", LogisticRegression(), criterion="brier")
    assert choice == Choice("brier") and note == ""


@pytest.mark.parametrize(
    ("criterion", "estimator", "classes"),
    [
        ("pairwise_logistic", LogisticRegression(), "three"),
        ("brier", RidgeClassifier(), "two"),
        ("absolute_error", LogisticRegression(), "two"),
        ("balanced_log_loss", Ridge(), "two"),
        ("deviance", Ridge(), "two"),
        ("bounded_squared_error", PoissonRegressor(), "two"),
    ],
)
def test_a_criterion_that_does_not_go_with_the_model(criterion, estimator, classes):
    with pytest.raises(
        UnfitCriterion, match=f"'{criterion}' is not available for this estimator; use"
    ):
        chosen(None, estimator, classes, criterion)


def test_several_metrics():
    scorers = {n: metrics.get_scorer(n) for n in ("neg_brier_score", "accuracy")}
    scorers = _MultimetricScorer(scorers=scorers)
    task = task_of(LogisticRegression())
    assert choose_criterion("auto", scorers, "neg_brier_score", task) == (Choice("brier"), "")
    assert choose_criterion("auto", scorers, "accuracy", task)[1].startswith("scoring accuracy_sc")
    choice, note = choose_criterion("auto", scorers, False, task)
    assert (
        choice == Choice("log_loss")
        and note == "refit names no metric; log_loss is the criterion for all"
    )


# What the user is told


def hits(estimator, X, y):
    return np.mean(estimator.predict(X) == y)


@pytest.mark.parametrize(
    ("scoring", "line"),
    [
        (hits, "scoring hits has no differentiable criterion; log_loss is used instead"),
        (make_scorer(lambda y, z: 1.0), "scoring <lambda> has no"),
        ("balanced_accuracy", "scoring balanced_accuracy_score has no differentiable criterion; "),
        ("neg_brier_score", None),
    ],
)
def test_a_surrogate_is_told_of(scoring, line, binary, capsys):
    search_over(logistic(), {"C": (0.1, 10.0)}, *binary, scoring=scoring, verbose=1)
    told = capsys.readouterr().out
    assert ("is used instead" in told) == (line is not None)
    assert line is None or f"[BAMM] {line}" in told
    assert line is None or told.index(line) < told.index("searching C")


def test_nothing_is_told_without_being_asked(binary, capsys):
    search_over(logistic(), {"C": (0.1, 10.0)}, *binary, scoring=hits)
    assert capsys.readouterr().out == ""


# Where it leads: nowhere that a fine grid is better


@pytest.fixture(scope="module")
def uneven():
    """Two classes, one with a tenth of the rows."""
    return make_classification(400, 15, n_informative=4, weights=[0.9], flip_y=0.05, random_state=3)


def grid_best(estimator, name, X, y, **settings):
    return -least_loss(estimator, name, np.geomspace(1e-4, 1e4, 17), X, y, **settings)


# Classes of other sizes matter to scores that balance them.
@pytest.mark.parametrize(
    ("scoring", "atol", "data"),
    [
        ("neg_brier_score", 1e-5, "binary"),
        ("d2_brier_score", 1e-4, "uneven"),
        ("d2_log_loss_score", 1e-4, "uneven"),
        ("balanced_accuracy", 0.03, "binary"),
        ("balanced_accuracy", 0.03, "uneven"),
        ("f1", 0.03, "uneven"),
        ("roc_auc", 5e-3, "binary"),
    ],
)
def test_scores_of_labels(scoring, atol, data, request):
    X, y = request.getfixturevalue(data)
    settings = {"scoring": scoring, "cv": StratifiedKFold(4)}
    search = search_over(logistic(tol=1e-8), {"C": (1e-4, 1e4)}, X, y, **settings)
    assert_served(search, "searched")
    assert search.converged_
    assert search.best_score_ >= grid_best(logistic(tol=1e-8), "C", X, y, **settings) - atol
    assert_true(search, X, y, atol=0.02, **settings)


def test_scores_of_three_classes(three):
    settings = {"scoring": "neg_brier_score", "cv": StratifiedKFold(4)}
    search = search_over(logistic(tol=1e-8), {"C": (1e-4, 1e4)}, *three, **settings)
    assert search.best_score_ >= grid_best(logistic(tol=1e-8), "C", *three, **settings) - 1e-5
    assert search.history_["criterion"][-1] == pytest.approx(-search.best_score_, rel=1e-3)


@pytest.mark.parametrize(
    "scoring",
    [
        "neg_mean_absolute_error",
        "neg_mean_absolute_percentage_error",
        "d2_absolute_error_score",
        pinball(0.9),
        pinball(0.2),
        "neg_median_absolute_error",
    ],
    ids=str,
)
def test_scores_of_numbers(scoring, regression):
    X, y = regression
    search = search_over(ridge(), {"alpha": (1e-4, 1e4)}, X, y, scoring=scoring)
    assert_served(search, "searched")
    assert search.converged_
    best = grid_best(ridge(), "alpha", X, y, scoring=scoring)
    rtol = 0.05 if scoring == "neg_median_absolute_error" else 5e-4
    assert search.best_score_ >= best - rtol * abs(best)
    assert_true(search, X, y, cv=5, scoring=scoring)


@pytest.mark.parametrize(
    "scoring", ["r2", "neg_mean_absolute_error", "neg_mean_gamma_deviance", "d2_tweedie"], ids=str
)
def test_scores_of_positive_numbers(scoring, regression):
    if scoring == "d2_tweedie":
        scoring = make_scorer(metrics.d2_tweedie_score, power=1)
    X, y = regression
    model = PoissonRegressor(tol=1e-9, max_iter=5000)
    search = search_over(model, {"alpha": (1e-4, 1e2)}, X, y, scoring=scoring)
    assert_served(search, "searched")
    values = np.geomspace(1e-4, 1e2, 25)
    best = -least_loss(model, "alpha", values, X, y, scoring=scoring)
    assert search.best_score_ >= best - 1e-3 * abs(best)


@pytest.mark.parametrize("refit", ["auc", "brier", "hits"])
def test_the_metric_of_the_refit_steers(refit, binary):
    scoring = {"auc": "roc_auc", "brier": "neg_brier_score", "hits": "balanced_accuracy"}
    several = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, scoring=scoring, refit=refit)
    one = search_over(logistic(), {"C": (1e-3, 1e3)}, *binary, scoring=scoring[refit])
    assert several.best_score_ == one.best_score_
    np.testing.assert_array_equal(several.history_["criterion"], one.history_["criterion"])


def test_pairs_with_sample_weights(binary, weight):
    X, y = binary
    fit, settings = {"sample_weight": weight[: len(y)]}, {"cv": StratifiedKFold(3), "scoring": AUC}
    search = search_over(logistic(), {"C": (1e-3, 1e3)}, X, y, fit, **settings)
    assert_served(search, "searched")
    assert search.converged_


@pytest.mark.parametrize("scoring", [AUC, "balanced_accuracy"])
def test_in_a_pipeline(scoring, binary):
    """Each fold has features of its own."""
    X, y = binary
    model = make_pipeline(StandardScaler(), logistic(tol=1e-8))
    settings = {"scoring": scoring, "cv": StratifiedKFold(4)}
    name = "logisticregression__C"
    search = search_over(model, {name: (1e-4, 1e4)}, X, y, **settings)
    assert_served(search, "searched")
    assert search.converged_
    assert search.best_score_ >= grid_best(model, name, X, y, **settings) - 0.02


def test_pairs_of_many_rows():
    """Rows of both classes are grouped, and some of the rows are searched first."""
    X, y = make_classification(60_000, 8, n_informative=5, flip_y=0.2, random_state=0)
    settings = {"scoring": AUC, "cv": StratifiedKFold(3)}
    search = search_over(LogisticRegression(), {"C": (1e-5, 1e2)}, X, y, **settings)
    assert_served(search, "searched")
    assert search.converged_
    values = np.geomspace(1e-5, 1e2, 8)
    best = -least_loss(LogisticRegression(), "C", values, X, y, **settings)
    assert search.best_score_ >= best - 1e-4


def test_learned_weights_with_a_criterion_of_the_users(binary):
    X, y = binary
    options = {"sample_weights": SampleWeights(), "cv": StratifiedKFold(3)}
    search = search_over(logistic(), {"C": (1e-2, 1e2)}, X, y, criterion="brier", **options)
    assert np.isfinite(search.sample_weight_).all()
    with pytest.raises(ValueError, match="'deviance' is not available for this estimator"):
        search_over(logistic(), {}, X, y, criterion="deviance", **options)
