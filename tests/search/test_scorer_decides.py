"""The scorer has the last word: an interval is never worse than a coarse list over it."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import load_breast_cancer, load_diabetes, make_friedman1
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import scale
from sklearn.svm import SVC, LinearSVC

from skbamm import BAMMSearchCV
from skbamm.models import find_twin
from skbamm.search.explored import Explored
from skbamm.search.scan import from_end_to_end, vertex
from skbamm.search.scorers import choose_criterion, counts_rows
from skbamm.space import Axis


def gaussians(n, p, classes, apart, fresh=3000):
    """Classes that all features tell apart a little: a strong penalty is right for labels."""
    rng = np.random.default_rng(0)
    means = apart * rng.normal(size=(classes, p))
    y = rng.integers(classes, size=n + fresh)
    X = means[y] + rng.normal(size=(len(y), p))
    return X[:n], y[:n], X[n:], y[n:]


@pytest.mark.parametrize(
    ("model", "name", "ends", "scoring"),
    [
        (LogisticRegression(max_iter=500), "C", (1e-5, 1e3), "accuracy"),
        (LogisticRegression(max_iter=500), "C", (1e-5, 1e3), "f1_macro"),
        (LogisticRegression(max_iter=500), "C", (1e-5, 1e3), "roc_auc_ovr"),
        (LinearSVC(), "C", (1e-6, 1e2), None),
        (RidgeClassifier(), "alpha", (1e-2, 1e5), "balanced_accuracy"),
        (OneVsRestClassifier(LogisticRegression()), "estimator__C", (1e-5, 1e3), None),
        (SGDClassifier(loss="log_loss", random_state=0), "alpha", (1e-6, 1e2), None),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else str(value),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_interval_is_not_worse_than_a_coarse_list(model, name, ends, scoring):
    X, y, X_fresh, y_fresh = gaussians(200, 80, 3, 0.25)
    interval = BAMMSearchCV(model, {name: ends}, scoring=scoring).fit(X, y)
    few = BAMMSearchCV(model, {name: np.geomspace(*ends, 9)}, scoring=scoring).fit(X, y)
    assert interval.score(X_fresh, y_fresh) >= few.score(X_fresh, y_fresh) - 0.01
    assert interval.best_score_ >= few.best_score_ - 2 / len(y)
    tried = interval.cv_results_[f"param_{name}"].data.astype(float)
    assert {tried.min(), tried.max()} == set(ends)  # from end to end


@pytest.mark.parametrize("seed", range(3))
def test_few_rows_of_a_support_vector_machine(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(45, 12)), rng.integers(2, size=45)
    interval = BAMMSearchCV(SVC(kernel="linear"), {"C": (1e-3, 1e1)}).fit(X, y)
    few = BAMMSearchCV(SVC(kernel="linear"), {"C": np.geomspace(1e-3, 1e1, 9)}).fit(X, y)
    assert interval.best_score_ >= few.best_score_ - 1.01 / len(y)


def test_a_score_of_numbers_without_a_criterion_is_judged_from_end_to_end():
    X, y = load_diabetes(return_X_y=True)
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-4, 1e4)}, scoring="neg_max_error").fit(X, y)
    few = BAMMSearchCV(Ridge(), {"alpha": np.geomspace(1e-4, 1e4, 9)}, scoring="neg_max_error")
    assert search.best_score_ >= few.fit(X, y).best_score_ - 1e-3
    assert list(search.cv_results_["stage"]).count("scan") >= 4


def test_a_score_that_is_turned_round_is_followed():
    X, y = load_diabetes(return_X_y=True)
    worst = make_scorer(metrics.mean_squared_error, greater_is_better=True)
    with pytest.warns(UserWarning, match="end of its interval"):
        search = BAMMSearchCV(Ridge(), {"alpha": (1e-4, 1e4)}, scoring=worst).fit(X, y)
    assert search.best_params_["alpha"] == 1e4  # the least fit


TASKS = {
    "numbers": find_twin(Ridge())[0].task(Ridge(), np.arange(5.0), None, False),
    "labels": find_twin(LogisticRegression())[0].task(
        LogisticRegression(), np.array([0, 1, 0, 1, 1]), None, False
    ),
}


@pytest.mark.parametrize(
    ("task", "function", "plain", "options"),
    [
        ("numbers", metrics.mean_absolute_error, {}, {"multioutput": "uniform_average"}),
        ("numbers", metrics.mean_pinball_loss, {"alpha": 0.9}, {"multioutput": "uniform_average"}),
        ("numbers", metrics.r2_score, {}, {"force_finite": True}),
        ("labels", metrics.log_loss, {}, {"normalize": True}),
        ("labels", metrics.f1_score, {}, {"average": "binary", "zero_division": "warn"}),
        ("labels", metrics.roc_auc_score, {}, {"average": "macro"}),
    ],
)
def test_an_option_that_is_the_default_changes_nothing(task, function, plain, options):
    found = [
        choose_criterion("auto", make_scorer(function, **given), True, TASKS[task])[0]
        for given in (plain, {**plain, **options})
    ]
    assert found[0] == found[1]


def test_an_option_that_is_not_known_keeps_the_nearest_criterion():
    scorer = make_scorer(
        metrics.mean_absolute_error, greater_is_better=False, multioutput=[1.0]
    )  # fmt: skip
    choice, note = choose_criterion("auto", scorer, True, TASKS["numbers"])
    assert choice.name == "absolute_error" and "is used instead" in note


def test_which_scores_count_rows():
    assert counts_rows(make_scorer(metrics.f1_score, average="micro"), True)
    assert not counts_rows(make_scorer(metrics.log_loss), True)
    assert not counts_rows(make_scorer(metrics.median_absolute_error), False)


def explored(points):
    axis = Axis("C", 1e-3, 1e3, "log")
    return Explored(None, (axis,), points=[[p] for p in points], stages=["scan"] * len(points))


@pytest.mark.parametrize(
    ("points", "scores", "worth", "taken"),
    [
        ([0, 1, 2, 3, 4], [0.5, 0.9, 0.9, 0.9, 0.7], 0.0, 2),  # the middle of a flat top
        ([4, 0, 2, 1, 3], [0.7, 0.5, 0.9, 0.9, 0.9], 0.0, 2),  # in whatever order
        ([0, 1, 2, 3, 4], [0.5, 0.89, 0.9, 0.89, 0.7], 0.0, 2),
        ([0, 1, 2, 3, 4], [0.9, 0.89, 0.5, 0.899, 0.7], 0.01, 0),  # what is apart is not the top
        ([0, 1, 2, 3, 4], [np.nan, 0.8, 0.9, np.nan, 0.9], 0.0, 2),
    ],
)
def test_the_middle_of_what_scores_alike_is_taken(points, scores, worth, taken):
    assert explored(points).middle_of_top(np.array(scores), worth) == taken


def test_what_scores_alike_is_told_by_the_scores_own_size():
    assert explored([0, 1, 2]).middle_of_top(np.array([9.9e-13, 6.8e-13, 7e-13]), 0.0) == 0


@pytest.mark.parametrize("worth", [0.0, 0.01])
def test_points_of_a_jagged_score_include_those_of_a_coarse_list(worth):
    own, joint = explored([]), explored([])
    own.scan_own(False, worth)
    joint.scan(worth)
    for one in (own, joint):
        np.testing.assert_allclose(np.exp(np.ravel(one.points)), np.geomspace(1e-3, 1e3, 9))


def test_own_fits_between_two_that_are_much_worse_are_not_judged():
    one = explored([])
    one.scan_own(False, 1e-2, in_parts=True)
    places = np.linspace(*one.axes[0].bounds(), 9)
    np.testing.assert_allclose(np.ravel(one.points), places[::2])
    folds = np.array([[-0.01, 0.0, 0.01]])
    scores = np.array([[0.2], [0.4], [0.9], [0.895], [0.89]]) + folds
    one.add_waiting_between(scores, 1e-4)
    np.testing.assert_allclose(np.ravel(one.points[5:]), places[3::2])
    one.between = [[places[7]]]
    scores[3] = scores[4] = 0.85  # these models change no more
    one.add_waiting_between(scores, 1e-4)
    assert len(one.points) == 8


@pytest.mark.parametrize(
    "scores",
    [
        [[0.2] * 3, [0.4, 0.4, 0.9], [0.9] * 3],  # not in every fold
        [[0.2] * 3, [0.7] * 3, [0.9] * 3],  # it may go on as steeply
        [[0.9] * 3, [0.901] * 3, [0.905] * 3],  # by a row or two
        [[0.2] * 3, [np.nan] * 3, [0.9] * 3],
        [[0.2], [0.4], [0.9]],  # one split says little
        [[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.9, 0.805, 0.7]],  # alike, and as good but for a row
    ],
)
def test_own_fits_that_may_be_best_are_judged(scores):
    one = explored([0.0, 2.0, 4.0])
    one.between = [[1.0], [3.0]]
    one.add_waiting_between(np.array(scores), 1e-3)
    assert one.points[3:] == [[1.0], [3.0]] and not one.between


def test_of_two_intervals_the_wider_has_more_points():
    share, strength = Axis("l1_ratio", 0.1, 1.0, "linear"), Axis("alpha", 1e-3, 1e3, "log")
    both = Explored(None, (share, strength))
    both.scan_own(False, 0.0)
    assert [len(set(place)) for place in zip(*both.points, strict=True)] == [3, 5]


def test_the_row_that_wins_is_within_one_row_of_the_best():
    X, y = load_breast_cancer(return_X_y=True)
    search = BAMMSearchCV(LogisticRegression(), {"C": (1e-4, 1e4)}).fit(scale(X), y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[search.best_index_] == search.best_score_ >= scores.max() - 1 / len(y) - 1e-12


def test_points_follow_between_the_best_and_those_that_score_otherwise():
    one = explored([0.0, 2.0, 4.0, 6.0])
    one.rounds = 1
    one.add_between(1, np.array([0.8, 0.9, 0.9, 0.1]), 0.0)
    assert one.points[4:] == [[1.0]] and one.rounds == 0  # 2 and 4 score alike


@pytest.mark.parametrize("refit", [True, False, "b", lambda results: 0])
def test_each_combination_has_what_its_search_found(refit):
    X, y, *_ = gaussians(90, 10, 3, 0.3)
    grid = {"C": (1e-3, 1e3), "fit_intercept": [True, False]}
    scoring = {"a": "f1_macro", "b": "accuracy"} if refit in (False, "b") else None
    search = BAMMSearchCV(LogisticRegression(), grid, cv=3, scoring=scoring, refit=refit)
    search.fit(X, y)
    rows = zip(search.cv_results_["param_fit_intercept"], search.cv_results_["stage"], strict=True)
    assert {(True, "refined"), (False, "refined")} <= {(bool(a), b) for a, b in rows}


@pytest.mark.parametrize("spread", [0.0, 1e-3])
def test_a_quadratic_function_of_two_variables_is_highest_at_its_vertex(spread):
    """Its long axis is a diagonal, as that of the penalty and the width of a kernel is."""
    rng = np.random.default_rng(0)
    points = np.array([[u, v] for u in (0.0, 2.0, 4.0, 6.0, 8.0) for v in (0.0, 3.0, 6.0)])
    spacing = np.array([2.0, 3.0])
    shape = np.array([[1.0, -0.8], [-0.8, 0.9]])

    def scores(sign, top=(3.1, 2.2)):
        off = points - top
        found = 5 - sign * np.einsum("ni,ij,nj->n", off, shape, off)
        return found + spread * rng.normal(size=len(points))

    high = scores(1.0)
    found = vertex(points, high, int(high.argmax()), spacing)
    np.testing.assert_allclose(found, [3.1, 2.2], atol=1e-9 + 10 * spread)
    low = scores(-1.0)
    assert vertex(points, low, int(low.argmax()), spacing) is None  # a minimum
    assert vertex(points[:5], high[:5], 0, spacing) is None  # not determined
    gaps = high.copy()
    gaps[[0, 14]] = np.nan  # of fits that failed
    np.testing.assert_allclose(
        vertex(points, gaps, int(np.nanargmax(gaps)), spacing), [3.1, 2.2], atol=1e-9 + 10 * spread
    )
    assert vertex(points, np.ones(15), 7, spacing) is None  # flat


@pytest.mark.budget
@pytest.mark.parametrize("kernel", ["rbf", "laplacian"])
def test_own_fits_of_two_parameters_find_a_diagonal(kernel):
    X, y = make_friedman1(400, noise=1, random_state=0)
    model, y = KernelRidge(kernel=kernel), scale(y)
    ends = {"alpha": (1e-3, 1e2), "gamma": (1e-4, 1.0)}
    search = BAMMSearchCV(model, ends).fit(X, y)
    assert search.search_plan_[0]["reason"] == "own fits are faster"
    assert len(search.cv_results_["params"]) <= 21
    grid = {name: np.geomspace(*both, 5) for name, both in ends.items()}
    assert search.best_score_ >= GridSearchCV(model, grid).fit(X, y).best_score_ - 2e-3


def test_a_penalty_has_more_points_than_a_share_of_it():
    axes = Axis("C", 1e-2, 1e2, "log"), Axis("l1_ratio", 0.0, 1.0, "linear")
    for both in (axes, axes[::-1]):
        points = np.array(from_end_to_end(both, 9))
        assert [len({*places}) for places in points.T] == [5 if a.name == "C" else 3 for a in both]
