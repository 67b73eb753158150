"""Intervals of support vector machines: hypergradients, and what is scored and refitted."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_iris,
    make_classification,
    make_moons,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from skbamm import BAMMSearchCV, Interval, SampleWeights
from skbamm.clock import Clock
from skbamm.search.factory import SolverFactory
from skbamm.search.outcome import Settings
from skbamm.solvers import support_vectors
from skbamm.solvers.base import Quest
from skbamm.solvers.support_vector_search import EFFORT, PointSearch, TooDear
from skbamm.space import read_grid
from skbamm.support_vectors import SVMKernel
from tests.pairs import turns

X, Y = (rows[:180] for rows in load_breast_cancer(return_X_y=True))
X = StandardScaler().fit_transform(X)
X_3, Y_3 = load_iris(return_X_y=True)
X_3 = StandardScaler().fit_transform(X_3)
X_R, Y_R = (rows[:160] for rows in load_diabetes(return_X_y=True))
X_R, Y_R = StandardScaler().fit_transform(X_R), (Y_R - Y_R.mean()) / Y_R.std()
WEIGHT = np.random.default_rng(0).uniform(0.2, 2, 200)
BOX = {"C": (0.1, 100.0), "gamma": (1e-3, 1.0)}


def solver_of(estimator, grid, rows, target, fit_params=None):
    combination = read_grid(estimator, grid).combinations[0]
    folds = KFold(3, shuffle=True, random_state=0)
    splits = list(folds.split(rows, target))
    settings = Settings("auto", 100, 1e-6, None, "cpu", "auto", 0, Clock(None))
    factory = SolverFactory(settings, rows, target, splits, fit_params or {}, {}, None)
    return factory.make(combination.target, combination.params), combination.all_axes


def quest_of(joint, axes, criterion):
    return Quest(axes, criterion, None, joint.criterion(criterion), 10, 1e-6, None)


KERNELS = {"gamma": (0.01, 0.3), "coef0": Interval(0.0, 2.0)}
CLASSES, PAIRS, NUMBERS = (X, Y), (X_3, Y_3), (X_R, Y_R)


@pytest.mark.parametrize(
    ("model", "grid", "data", "place"),
    [
        (SVC(), BOX, CLASSES, [1.0, -3.0]),
        (SVC(), BOX, CLASSES, [-2.0, -6.0]),  # all coefficients at their bounds
        (SVR(), BOX | {"epsilon": (0.03, 0.5)}, NUMBERS, [-2.0, -1.5, -6.0]),
        (SVC(class_weight="balanced"), BOX, CLASSES, [0.7, -2.5]),
        (SVC(), BOX, PAIRS, [0.3, -1.5]),
        (SVC(kernel="linear"), {"C": (0.01, 1.0)}, CLASSES, [-2.0]),
        (SVC(kernel="poly", degree=2), {"C": (0.1, 10)} | KERNELS, CLASSES, [-1.0, -3.0, 5.0]),
        (SVC(kernel="sigmoid"), {"C": (0.1, 10)} | KERNELS, CLASSES, [0.5, -4.2, 1.0]),
        (NuSVC(), {"nu": (0.1, 0.4), "gamma": (1e-3, 1.0)}, CLASSES, [3.0, -3.0]),
        (NuSVC(), {"nu": (0.1, 0.4), "gamma": (1e-3, 1.0)}, PAIRS, [6.0, -1.5]),
        (SVR(), BOX | {"epsilon": (0.03, 0.5)}, NUMBERS, [0.2, -1.5, -3.0]),
        (NuSVR(), BOX | {"nu": (0.2, 0.8)}, NUMBERS, [0.2, 4.0, -3.0]),
    ],
    ids=lambda value: str(value)[:12] if isinstance(value, list) else type(value).__name__,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_hypergradients(model, grid, data, place, weighted):
    """Beside central differences of libsvm's own solutions; nu leaves row weights out."""
    rows, target = data
    with_nu = type(model).__name__ == "NuSVC"
    given = {"sample_weight": WEIGHT[: len(target)]} if weighted and not with_nu else None
    joint, axes = solver_of(model.set_params(tol=1e-9), grid, rows, target, given)
    quest = quest_of(joint, axes, "r2" if rows is X_R else "scaled_log_loss")
    assert len(axes) == len(place)
    found = joint.visit(axes, place, quest, None).gradient
    step, slopes = 1e-4, []
    for i in range(len(place)):
        ends = []
        for sign in (1, -1):
            beside = list(place)
            beside[i] += sign * step
            ends.append(joint.visit(axes, beside, quest, None).value)
        slopes.append((ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(found, slopes, rtol=1e-2, atol=1e-2 * np.abs(slopes).max())


@pytest.mark.parametrize("criterion", ["balanced_scaled_log_loss", "absolute_error"])
def test_other_criteria(criterion):
    model, rows, target = (SVR(), X_R, Y_R) if criterion[0] == "a" else (SVC(), X, Y)
    joint, axes = solver_of(model.set_params(tol=1e-9), BOX, rows, target)
    quest, place = quest_of(joint, axes, criterion), [0.5, -3.0]
    found = joint.visit(axes, place, quest, None).gradient
    ends = [joint.visit(axes, [0.5, -3.0 + d], quest, None).value for d in (1e-4, -1e-4)]
    assert found[1] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-2)


MODELS = [
    (SVC(), BOX, CLASSES, "accuracy"),
    (SVC(), BOX, CLASSES, "roc_auc"),
    (SVC(decision_function_shape="ovo", break_ties=False), BOX, PAIRS, "f1_macro"),
    (SVC(class_weight="balanced"), BOX, PAIRS, "balanced_accuracy"),
    (SVC(kernel="linear"), {"C": (0.01, 10.0)}, CLASSES, "accuracy"),
    (NuSVC(), {"nu": (0.05, 0.4)}, CLASSES, "accuracy"),
    (SVR(), BOX | {"epsilon": (0.01, 0.5)}, NUMBERS, "r2"),
    (SVR(), BOX, NUMBERS, "neg_mean_absolute_error"),
    (NuSVR(), {"C": (0.1, 10.0), "nu": (0.2, 0.8)}, NUMBERS, "neg_mean_squared_error"),
]
FORMS = ["dense", "sparse", "pipeline"]


@pytest.mark.parametrize(
    ("case", "form"),
    [*turns(MODELS, FORMS), *((MODELS[0], form) for form in FORMS[1:])],
)
def test_scores_are_those_of_own_fits(case, form):
    model, grid, data, scoring = case
    (rows, target), options = data, {"cv": 3, "scoring": scoring}
    if form == "pipeline":
        model = make_pipeline(MinMaxScaler((-1, 1)), model)
        grid = {f"{model.steps[-1][0]}__{name}": value for name, value in grid.items()}
    rows = sp.csr_matrix(rows) if form == "sparse" else rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ends of the intervals
        search = BAMMSearchCV(model, grid, **options).fit(rows, target)
    assert {row["role"] for row in search.search_plan_} == {"searched"}
    assert not any(row["reason"] for row in search.search_plan_)
    best = clone(model).set_params(**search.best_params_)
    own = cross_val_score(best, rows, target, **options).mean()
    assert search.best_score_ == pytest.approx(own, abs=1e-9)
    fitted = best.fit(rows, target)
    np.testing.assert_allclose(search.predict(rows), fitted.predict(rows), rtol=1e-9)
    assert set(vars(search.best_estimator_)) == set(vars(fitted))


def test_adopted_models_are_those_of_own_fits():
    """All that a fit leaves, to rounding, of the fold's model."""
    for rows in (X_3, sp.csr_matrix(X_3)):
        joint, axes = solver_of(SVC(gamma=0.2), {"C": (0.1, 10.0)}, rows, Y_3)
        solved = joint.polish(axes, [[0.0]], None)
        one = joint.solution(solved, 0, 1, {"n_features_in_": 4})
        model, train = SVC(C=1.0, gamma=0.2), joint.data.splits[1][0]
        one.twin.export(model, one.task, *one.parameters)
        one.twin.remember(model, one.features, None)
        own = SVC(C=1.0, gamma=0.2).fit(rows[train], Y_3[train])
        assert set(vars(model)) == set(vars(own))
        for name, value in vars(own).items():
            mine = vars(model)[name]
            assert type(mine) is type(value), name
            if sp.issparse(value):
                mine, value = mine.toarray(), value.toarray()
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                np.testing.assert_allclose(mine, value, rtol=1e-9, atol=1e-12, err_msg=name)
            else:
                assert np.array_equal(mine, value), name


@pytest.mark.parametrize("data", [CLASSES, PAIRS, NUMBERS], ids=["two", "three", "numbers"])
def test_as_good_as_a_grid(data):
    rows, target = data
    model = SVR() if rows is X_R else SVC()
    values = {"C": np.logspace(-1, 2, 5), "gamma": np.logspace(-3, 0, 5)}
    grid = GridSearchCV(model, values, cv=5).fit(rows, target)
    search = BAMMSearchCV(model, BOX, cv=5).fit(rows, target)
    # Of few numbers a coarse grid is judged as well, which has these values.
    least, more = (1e-9, 25) if rows is X_R else (0.005 + 1 / len(target), 0)
    assert search.best_score_ >= grid.best_score_ - least
    assert len(search.cv_results_["params"]) <= EFFORT.points + 4 + more


def test_kernels_in_a_list_and_a_given_one():
    grid = {"kernel": ["rbf", "linear"], "C": (0.1, 10.0)}
    search = BAMMSearchCV(SVC(), grid, cv=3).fit(X_3, Y_3)
    assert set(search.cv_results_["param_kernel"]) == {"rbf", "linear"}
    given = BAMMSearchCV(SVC(kernel="precomputed"), {"C": (0.1, 10.0)}, cv=3)
    given.fit(X_3 @ X_3.T, Y_3)
    own = SVC(kernel="precomputed", **given.best_params_)
    assert given.best_score_ == pytest.approx(
        cross_val_score(own, X_3 @ X_3.T, Y_3, cv=3).mean(), abs=1e-9
    )
    assert given.predict(X_3 @ X_3.T).shape == Y_3.shape
    with pytest.raises(ValueError, match=r"'gamma' cannot be searched.*kernel='rbf'"):
        BAMMSearchCV(SVC(kernel="linear"), {"gamma": (0.1, 1.0)}).fit(X_3, Y_3)
    with pytest.raises(ValueError, match="'degree' cannot be searched over an interval"):
        BAMMSearchCV(SVC(kernel="poly"), {"degree": (2, 4)}).fit(X_3, Y_3)
    with pytest.raises(ValueError, match="'gamma' must begin at above 0"):
        BAMMSearchCV(SVC(), {"gamma": Interval(0.0, 1.0, "log")}).fit(X_3, Y_3)


def test_words_in_a_list_beside_an_interval():
    search = BAMMSearchCV(SVC(), {"C": (0.1, 10.0), "gamma": ["scale", "auto", 0.1]}, cv=3)
    search.fit(X_3, Y_3)
    assert set(map(str, search.cv_results_["param_gamma"])) == {"scale", "auto", "0.1"}
    best = SVC(**search.best_params_)
    assert search.best_score_ == pytest.approx(cross_val_score(best, X_3, Y_3, cv=3).mean())


def test_units_of_rows_and_targets():
    """Rows and targets in other units, and far from zero, give the same model."""
    found = []
    for shift, times in ((0.0, 1.0), (1e4, 1.0)):
        search = BAMMSearchCV(SVC(), BOX, cv=3).fit(times * X_3 + shift, Y_3)
        found.append(search.cv_results_["mean_test_score"])
    np.testing.assert_allclose(*found)
    scores = [
        BAMMSearchCV(SVR(epsilon=0.1 * s), {"C": (0.1 * s, 100 * s)}, cv=3).fit(X_R, s * Y_R)
        for s in (1.0, 1e4)
    ]
    assert scores[0].best_score_ == pytest.approx(scores[1].best_score_, abs=1e-3)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_probabilities_and_few_steps_are_left_to_own_fits():
    model = SVC(probability=True, random_state=0)
    search = BAMMSearchCV(model, {"C": (0.1, 10.0)}, cv=3, scoring="neg_log_loss").fit(X, Y)
    own = cross_val_score(
        clone(model).set_params(**search.best_params_), X, Y, cv=3, scoring="neg_log_loss"
    )
    assert search.best_score_ == pytest.approx(own.mean(), abs=1e-12)
    assert search.predict_proba(X).shape == (len(Y), 2)


def test_a_point_that_costs_too_much_is_not_tried():
    rows, target = make_moons(200, noise=0.3, random_state=0)
    joint, axes = solver_of(SVC(), {"C": (0.1, 1e9), "gamma": (1e-3, 1e3)}, rows, target)
    quest = quest_of(joint, axes, "scaled_log_loss")
    with pytest.raises(TooDear):
        joint.visit(axes, [18.0, 0.0], quest, 1000)
    assert joint.visited(axes) == []


def test_many_rows_are_searched_on_some(monkeypatch):
    rows, target = make_moons(600, noise=0.25, random_state=0)
    monkeypatch.setattr(support_vectors, "EFFORT", replace(EFFORT, most_rows=500, some_rows=200))
    search = BAMMSearchCV(SVC(), BOX, cv=3).fit(rows, target)
    own = SVC(**search.best_params_)
    folds = StratifiedKFold(3)
    assert search.best_score_ == cross_val_score(own, rows, target, cv=folds).mean()
    assert search.best_score_ > 0.9


def test_nu_that_no_model_can_have():
    target = np.r_[np.ones(20), np.zeros(160)].astype(int)
    rows = X + 2 * target[:, None]
    search = BAMMSearchCV(NuSVC(), {"nu": (0.01, 0.2)}, cv=3).fit(rows, target)
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("max_time", [None, 1e-9])
def test_starts_that_no_model_can_have_are_passed_by(max_time):
    """Of 20 and 160 rows nu is at most .22; the middle of the interval is beyond."""
    target = np.r_[np.ones(20), np.zeros(160)].astype(int)
    rows = X + 2 * target[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the time
        search = BAMMSearchCV(NuSVC(), {"nu": (0.01, 0.8)}, cv=3, max_time=max_time)
        search.fit(rows, target)
    assert search.search_plan_[0]["reason"] == ""
    assert search.best_params_["nu"] < 0.23
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_weights_are_not_learned_with_it():
    for grid in ({"C": (0.1, 1.0)}, {"C": [0.1, 1.0]}):
        with pytest.raises(ValueError, match="weights cannot be learned with SVC"):
            BAMMSearchCV(SVC(), grid, sample_weights=SampleWeights()).fit(X, Y)


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "f1_macro", "matthews_corrcoef"])
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_two_intervals_are_no_worse_than_a_coarse_grid_where_classes_differ_in_size(scoring):
    rows, labels = make_classification(
        140, 5, n_informative=3, n_redundant=0, weights=[0.9], flip_y=0.1, random_state=2
    )
    intervals = {"C": (1e-2, 1e4), "gamma": (1e-5, 10.0)}
    search = BAMMSearchCV(SVC(), intervals, scoring=scoring).fit(rows, labels)
    grid = {name: np.geomspace(*ends, 5) for name, ends in intervals.items()}
    few = GridSearchCV(SVC(), grid, scoring=scoring).fit(rows, labels)
    assert search.best_score_ >= few.best_score_ - 1e-9
    assert "scan" in search.cv_results_["stage"]


@pytest.mark.parametrize("seed", range(2))
def test_repeated_rows_have_several_regions_of_which_the_best_is_found(seed):
    """A search ends in the nearest: models that learn the copies of held-out rows by heart."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(60, 5))
    target = rows @ [1, 2, 0, 0, -1.0] + rng.normal(size=60)
    rows, target = np.repeat(rows[:10], 6, 0), np.repeat(target[:10], 6)
    found = BAMMSearchCV(SVR(), {"C": (1e-2, 1e2), "gamma": (1e-3, 1.0)}, cv=3).fit(rows, target)
    grid = {"C": np.geomspace(1e-2, 1e2, 5), "gamma": np.geomspace(1e-3, 1.0, 5)}
    best = GridSearchCV(SVR(), grid, cv=3).fit(rows, target).best_score_
    assert found.best_score_ >= best - 1e-9


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("model", [SVR(), NuSVR()])
@pytest.mark.filterwarnings("ignore::skbamm.EdgeWarning")
def test_an_interval_is_no_worse_than_nine_values_over_it(model, seed):
    """Errors of few rows have several regions, and a search ends in the nearest."""
    rows, numbers = load_diabetes(return_X_y=True)
    some = np.random.default_rng(seed).permutation(len(rows))[:40]
    rows, numbers = StandardScaler().fit_transform(rows[some]), numbers[some] / numbers.std()
    values = {"C": np.geomspace(1e-2, 1e3, 9)}
    for scoring in ("neg_median_absolute_error", "neg_max_error", "r2"):
        search = BAMMSearchCV(model, {"C": (1e-2, 1e3)}, scoring=scoring, cv=3).fit(rows, numbers)
        few = GridSearchCV(model, values, scoring=scoring, cv=3).fit(rows, numbers)
        assert search.best_score_ >= few.best_score_ - 1e-6 * abs(few.best_score_)


def test_sparse_rows_of_which_none_is_a_support_vector():
    """A wide tube holds all rows: libsvm keeps a matrix of no columns."""
    rows = sp.csr_matrix(np.random.default_rng(0).normal(size=(30, 3)))
    numbers = np.linspace(0, 0.1, 30)
    values = {"C": [0.1, 1.0], "epsilon": [0.01, 0.5]}
    search = BAMMSearchCV(SVR(), values, cv=3).fit(rows, numbers)  # without a warning
    own = GridSearchCV(SVR(), values, cv=3).fit(rows, numbers)
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(search.cv_results_[key], own.cv_results_[key], rtol=1e-9)
    empty = SVR(epsilon=0.5).fit(rows, numbers)
    assert empty.dual_coef_.shape[1] == 0


@pytest.mark.parametrize(
    ("model", "name", "rows", "tried"),
    [
        (SVC(), "C", 180, EFFORT.few_points),
        (NuSVR(), "nu", 160, EFFORT.few_points),
        (NuSVC(), "nu", 180, EFFORT.few_points),
        (SVC(), "C", EFFORT.few_rows + 1, EFFORT.points),
    ],
)
def test_a_search_is_short_only_if_points_from_end_to_end_are_judged(
    model, name, rows, tried, monkeypatch
):
    seen = []
    first = PointSearch.__init__
    monkeypatch.setattr(
        PointSearch, "__init__", lambda self, *args: (first(self, *args), seen.append(self))[0]
    )
    X_, y_ = (X_R, Y_R) if isinstance(model, NuSVR) else make_moons(2000, random_state=0)
    ends = (0.05, 0.3) if name == "nu" else (0.01, 100.0)
    search = BAMMSearchCV(model, {name: ends}, cv=3).fit(X_[:rows], y_[:rows])
    assert seen[0]._most == tried
    scanned = np.count_nonzero(search.cv_results_["stage"] == "scan")
    assert (scanned >= 5) == (tried == EFFORT.few_points)


@pytest.mark.parametrize("seed", range(3))
def test_nu_is_judged_up_to_the_last_that_has_a_model(seed):
    X, y = make_classification(
        150, 8, n_informative=3, n_classes=2 + seed % 2, n_clusters_per_class=1, class_sep=0.7,
        flip_y=0.1, weights=[[0.7], [0.5, 0.3]][seed % 2], random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values without a model
        search = BAMMSearchCV(NuSVC(), {"nu": (0.05, 0.8)}).fit(X, y)
        grid = GridSearchCV(NuSVC(), {"nu": np.linspace(0.05, 0.8, 9)}).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert search.best_score_ >= np.nanmax(grid.cv_results_["mean_test_score"]) - 1.01 / len(y)
    tried = [params["nu"] for params in search.cv_results_["params"]]
    feasible = np.array(grid.cv_results_["param_nu"])[
        np.isfinite(grid.cv_results_["mean_test_score"])
    ]
    assert max(tried) >= max(feasible) - 1e-6


@pytest.mark.parametrize("first", [0, 100])
def test_an_indefinite_kernel_is_judged_by_a_grid(first):
    X, y = (rows[first : first + 200] for rows in load_breast_cancer(return_X_y=True))
    X, model = StandardScaler().fit_transform(X), SVC(kernel="sigmoid")
    search = BAMMSearchCV(model, {"C": (0.01, 100.0), "gamma": (1e-4, 1.0)}, cv=3).fit(X, y)
    values = {"C": np.geomspace(0.01, 100, 5), "gamma": np.geomspace(1e-4, 1, 5)}
    grid = GridSearchCV(model, values, cv=3).fit(X, y)
    assert search.cv_results_["mean_test_score"].max() >= grid.best_score_ - 1e-9


def test_points_behind_a_scaler_share_kernels(monkeypatch):
    """The kernels of a fold's rows, and decisions from them, are computed once for all C."""
    made, own = [], SVMKernel.values
    monkeypatch.setattr(SVMKernel, "values", lambda *given: made.append(1) or own(*given))
    decided, decide = [], SVC.decision_function
    monkeypatch.setattr(
        SVC, "decision_function", lambda model, X: decided.append(model.kernel) or decide(model, X)
    )
    model = make_pipeline(StandardScaler(), SVC())
    ends = {"svc__C": (0.1, 100.0), "svc__gamma": (1e-3, 1.0)}
    search = BAMMSearchCV(model, ends, scoring="roc_auc", cv=3, refit=False).fit(*CLASSES)
    stages = list(search.cv_results_["stage"])
    others = len(stages) - stages.count("scan")
    assert stages.count("scan") == 25
    assert len(made) <= 2 * 3 * (5 + others + 3)  # of two sets of rows, in three folds
    # Those of a fold's first model in each round, with which the scores are compared.
    assert decided.count("rbf") <= 2 * 3
