"""SearchDisplay: what it reads from a search, draws, and refuses."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold

from skbamm import BAMMSearchCV, PerClass, PerFeature, PerGroup, SearchDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:150], Y[:150]
CV = KFold(3, shuffle=True, random_state=0)
draw = SearchDisplay.from_estimator


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def search():
    return BAMMSearchCV(Ridge(), {"alpha": (1e-4, 1e3)}, cv=CV).fit(X, Y)


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label).get_data()


def test_an_interval_with_its_data_has_a_curve_of_true_scores_and_a_path(search):
    display = draw(search, X, Y, n_values=7)
    curve, path = display.axes_
    at, mean = line(curve, "mean score")
    np.testing.assert_allclose(at, np.geomspace(1e-4, 1e3, 7))
    theirs = GridSearchCV(Ridge(), {"alpha": at}, cv=CV).fit(X, Y)
    np.testing.assert_allclose(mean, theirs.cv_results_["mean_test_score"], atol=1e-8)
    (best,), (score,) = line(curve, "best")
    assert (best, score) == (search.best_params_["alpha"], search.best_score_)
    assert mean.max() <= score + 1e-6
    np.testing.assert_array_equal(path.lines[0].get_xdata(), search.history_["alpha"])
    np.testing.assert_array_equal(path.lines[0].get_ydata(), search.history_["seconds"])
    assert curve.get_xscale() == "log" and path.yaxis.get_inverted()


def test_bands_are_the_folds_and_one_standard_error(search):
    display = draw(GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=CV).fit(X, Y))
    results, (ax,) = display.results, display.axes_
    folds, error = (band.get_paths()[0].vertices[:, 1] for band in ax.collections)
    assert folds.min() == results.scores.min() and folds.max() == results.scores.max()
    sure = results.scores.std(1, ddof=1) / 3**0.5
    assert error.max() == pytest.approx((results.mean + sure).max())


def test_two_intervals_are_a_map_with_the_best_point():
    model, grid = KernelRidge(kernel="rbf"), {"alpha": (1e-3, 1.0), "gamma": (1e-2, 10.0)}
    search = BAMMSearchCV(model, grid, cv=CV).fit(X, Y)
    for more in ((), (X, Y)):
        (ax,) = draw(search, *more, n_values=9).axes_
        (x,), (y,) = line(ax, "best")
        assert {"alpha": x, "gamma": y} == search.best_params_
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("alpha", "gamma")


def test_lists_of_words_have_a_panel_of_their_own():
    grid = {"alpha": [0.1, 1.0], "fit_intercept": [True, False], "selection": ["cyclic"]}
    display = draw(BAMMSearchCV(Lasso(), grid, cv=CV).fit(X, Y))
    assert [ax.get_xlabel() for ax in display.axes_] == ["alpha", "fit_intercept"]
    assert [t.get_text() for t in display.axes_[1].get_xticklabels()] == ["True", "False"]


def test_the_metric_is_the_one_that_chose_or_the_one_asked_for():
    scoring = ["r2", "neg_mean_squared_error"]
    search = BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=CV, scoring=scoring, refit="r2")
    search.fit(X, Y)
    assert draw(search).axes_[0].get_ylabel() == "r2"
    assert draw(search, metric=scoring[1]).results.mean.max() < 0
    with pytest.raises(ValueError, match=r"metric must be one of .*'r2'.*, got 'f1'"):
        draw(search, metric="f1")


def test_what_cannot_be_shown_is_refused(search, monkeypatch):
    with pytest.raises(NotFittedError):
        draw(BAMMSearchCV(Ridge(), {"alpha": [1.0]}))
    with pytest.raises(ValueError, match="X: a curve is drawn over one or two intervals"):
        draw(BAMMSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=CV).fit(X, Y), X, Y)
    with pytest.raises(ValueError, match="nothing varies"):
        draw(BAMMSearchCV(Ridge(), {"alpha": [1.0]}, cv=CV).fit(X, Y))
    vector = BAMMSearchCV(
        Ridge(), {"alpha": PerFeature(1e-2, 1e2, shrinkage=False)}, cv=CV, tol=0.1
    )
    with pytest.raises(ValueError, match="'alpha' has a value for each entry"):
        draw(vector.fit(X, Y))
    with pytest.raises(ValueError, match="n_values"):
        draw(search, n_values=1)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skbamm\[plot\]"):
        draw(search)


def test_it_draws_into_axes_that_are_given(search):
    figure, (left, _) = plt.subplots(1, 2)
    assert draw(search, ax=left).figure_ is figure


@pytest.mark.parametrize(
    "grid",
    [
        {"alpha": (1e-3, 10.0), "l1_ratio": [0.1, 1.0]},
        {"alpha": [0.01, 1.0], "l1_ratio": (0.1, 1.0)},
    ],
)
def test_a_curve_over_an_interval_beside_a_list(grid):
    X, y = (rows[:120] for rows in load_diabetes(return_X_y=True))
    search = BAMMSearchCV(ElasticNet(), grid, cv=3).fit(X, y)
    display = SearchDisplay.from_estimator(search, X, y, n_values=7)
    (name,) = (name for name, values in grid.items() if isinstance(values, tuple))
    assert display.curve.names == [name]
    lines = [
        next(line for line in ax.get_lines() if line.get_label() == "mean score")
        for ax in display.axes_
    ]
    assert [len(line.get_xdata()) for line in lines] == [
        7 if one == name else 2 for one in display.results.names
    ]


def test_there_is_no_curve_beside_a_vector():
    X, y = (rows[:120] for rows in load_diabetes(return_X_y=True))
    grid = {"alpha": PerGroup(1e-3, 10, [0] * 5 + [1] * 5), "l1_ratio": (0.1, 1.0)}
    search = BAMMSearchCV(ElasticNet(), grid, cv=3).fit(X, y)
    assert SearchDisplay.from_estimator(search).results.names == ["l1_ratio"]
    with pytest.raises(ValueError, match="no curve can be drawn beside 'alpha'"):
        SearchDisplay.from_estimator(search, X, y)


def test_weights_of_classes_are_no_single_value():
    search = BAMMSearchCV(LogisticRegression(), {"class_weight": PerClass(1e-2, 1e2)}, cv=3)
    search.fit(*load_iris(return_X_y=True))
    with pytest.raises(ValueError, match="'class_weight' has a value for each entry"):
        SearchDisplay.from_estimator(search)
    listed = {"class_weight": [None, "balanced", {0: 1, 1: 2, 2: 3}]}
    search = BAMMSearchCV(LogisticRegression(), listed, cv=3).fit(*load_iris(return_X_y=True))
    assert not SearchDisplay.from_estimator(search).results.is_numeric(0)
